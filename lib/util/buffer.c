/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The one growing buffer: bounded, the first failure sticks. */
#include "util/buffer.h"
#include "util/alloc.h"
#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_CAPACITY = 64 };

void tmon_buffer_init(tmon_buffer *buffer, size_t maximum) {
  /* One byte is kept for the final NUL, so that size + 1 never overflows. */
  *buffer = (tmon_buffer){.maximum = maximum < SIZE_MAX ? maximum : SIZE_MAX - 1};
}

void tmon_buffer_free(tmon_buffer *buffer) {
  tmon_free(buffer->data);
  tmon_buffer_init(buffer, buffer->maximum);
}

void tmon_buffer_clear(tmon_buffer *buffer) {
  buffer->size = 0;
  buffer->error = TMON_OK;
  if (buffer->data) buffer->data[0] = 0;
}

int tmon_buffer_reserve(tmon_buffer *buffer, size_t extra) {
  if (buffer->error) return buffer->error;
  if (extra > buffer->maximum - buffer->size)
    return buffer->error = tmon_error_set(TMON_ELIMIT, "more than %zu bytes, which is the limit here", buffer->maximum);
  size_t needed = buffer->size + extra + 1;
  if (needed <= buffer->capacity) return TMON_OK;
  size_t capacity = buffer->capacity > buffer->maximum / 2 ? buffer->maximum + 1 : buffer->capacity * 2;
  if (capacity < FIRST_CAPACITY && buffer->maximum >= FIRST_CAPACITY) capacity = FIRST_CAPACITY;
  if (capacity < needed) capacity = needed;
  uint8_t *data = tmon_realloc(buffer->data, capacity, 1);
  if (!data) return buffer->error = tmon_error_no_memory();
  buffer->data = data;
  buffer->capacity = capacity;
  data[buffer->size] = 0;
  return TMON_OK;
}

int tmon_buffer_append(tmon_buffer *buffer, const void *data, size_t size) {
  int result = tmon_buffer_reserve(buffer, size);
  if (result) return result;
  if (size) memcpy(buffer->data + buffer->size, data, size);
  buffer->size += size;
  buffer->data[buffer->size] = 0;
  return TMON_OK;
}

int tmon_buffer_append_text(tmon_buffer *buffer, const char *text) { return tmon_buffer_append(buffer, text, strlen(text)); }

int tmon_buffer_append_format(tmon_buffer *buffer, const char *format, ...) {
  int result = tmon_buffer_reserve(buffer, 0);
  if (result) return result;
  va_list arguments;
  va_start(arguments, format);
  size_t space = buffer->capacity - buffer->size;
  int written = vsnprintf((char *)buffer->data + buffer->size, space, format, arguments);
  va_end(arguments);
  /* What did not fit must not be seen by a reader when the reserve below fails. */
  if (written < 0 || (size_t)written >= space) buffer->data[buffer->size] = 0;
  if (written < 0) return buffer->error = tmon_error_no_memory();
  if ((size_t)written >= space) {
    result = tmon_buffer_reserve(buffer, (size_t)written);
    if (result) return result;
    va_start(arguments, format);
    written = vsnprintf((char *)buffer->data + buffer->size, buffer->capacity - buffer->size, format, arguments);
    va_end(arguments);
  }
  buffer->size += (size_t)written;
  return TMON_OK;
}

void *tmon_buffer_take(tmon_buffer *buffer) {
  /* An empty buffer gives empty text, so that NULL means an error only. */
  if (tmon_buffer_reserve(buffer, 0)) return NULL;
  void *data = buffer->data;
  tmon_buffer_init(buffer, buffer->maximum);
  return data;
}
