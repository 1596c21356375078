/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All memory of the library. */
#ifndef TRAINMON_UTIL_ALLOC_H
#define TRAINMON_UTIL_ALLOC_H
#include "trainmon/allocator.h"

/* NULL when there is no memory or count * size overflows; the caller reports with tmon_error_no_memory. Size 0 gives a valid pointer. */
void *tmon_alloc(size_t size);
void *tmon_alloc_zero(size_t count, size_t size);
void *tmon_realloc(void *memory, size_t count, size_t size);
char *tmon_strdup(const char *text); /* NULL in, NULL out */
char *tmon_strndup(const char *text, size_t length);
void tmon_free(void *memory); /* NULL is fine */
#endif
