/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The one growing buffer: bounded, told its maximum at init; the first failure sticks, so that a run of appends is checked once. */
#ifndef TRAINMON_UTIL_BUFFER_H
#define TRAINMON_UTIL_BUFFER_H
#include <stddef.h>
#include <stdint.h>

typedef struct tmon_buffer {
  uint8_t *data; /* NUL after `size` once anything was appended, so that it can be read as text */
  size_t size;
  size_t capacity;
  size_t maximum;
  int error; /* TMON_OK, TMON_ENOMEM or TMON_ELIMIT; appends do nothing once it is set */
} tmon_buffer;

void tmon_buffer_init(tmon_buffer *buffer, size_t maximum);
void tmon_buffer_free(tmon_buffer *buffer);  /* back to the state after init */
void tmon_buffer_clear(tmon_buffer *buffer); /* empty, memory and maximum kept, error cleared */
int tmon_buffer_reserve(tmon_buffer *buffer, size_t extra);
int tmon_buffer_append(tmon_buffer *buffer, const void *data, size_t size);
int tmon_buffer_append_text(tmon_buffer *buffer, const char *text);
int tmon_buffer_append_format(tmon_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *tmon_buffer_take(tmon_buffer *buffer); /* the data, now the caller's (tmon_free); the buffer is empty. NULL when an error is set */
#endif
