/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The one hook through which all memory of the library is taken. */
#ifndef TRAINMON_ALLOCATOR_H
#define TRAINMON_ALLOCATOR_H

#include "export.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Three functions that replace malloc, realloc and free. They are called from several threads at once, may be called with locks of the
 * library held and must not call the library. `payload` is passed to each.
 */
typedef struct tmon_allocator {
  void *(*allocate)(size_t size, void *payload);
  void *(*resize)(void *memory, size_t size, void *payload);
  void (*release)(void *memory, void *payload);
  void *payload;
} tmon_allocator;

/**
 * Sets the allocator of the process. NULL sets the C library's again.
 * Call it before any other call of the library, or when no object of the library is alive. One thread at a time.
 * Returns TMON_EINVAL when one of the three functions is NULL. Since 0.1.
 */
TMON_API int tmon_allocator_set(const tmon_allocator *allocator);

#ifdef __cplusplus
}
#endif
#endif
