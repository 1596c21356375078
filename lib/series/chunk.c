/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Chunks: a version byte, the number of points, then the columns of steps, times and values. */
#include "series/chunk.h"
#include "series/codec.h"
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/error.h"

#include <stdbool.h>

#define VERSION 1u
#define ON_STACK 64u /* most chunks of a delta are this small: no allocation for them */

int tmon_chunk_encode(tmon_buffer *out, const tmon_point *points, size_t count) {
  double small_values[ON_STACK];
  int64_t small_numbers[2 * ON_STACK];
  double *values = small_values;
  int64_t *numbers = small_numbers;
  if (out == NULL || points == NULL || count == 0 || count > TMON_CHUNK_POINTS_MAXIMUM)
    return tmon_error_set(TMON_EINVAL, "a chunk holds 1 to %d points, not %zu", TMON_CHUNK_POINTS_MAXIMUM, count);
  int rc = TMON_OK;
  if (count > ON_STACK) {
    values = tmon_alloc(count * sizeof *values);
    numbers = tmon_alloc(2 * count * sizeof *numbers);
    if (values == NULL || numbers == NULL) {
      rc = tmon_error_no_memory();
      goto out;
    }
  }
  uint8_t version = VERSION;
  tmon_buffer_append(out, &version, 1);
  tmon_varint_put(out, count);
  for (size_t i = 0; i < count; i++) numbers[i] = points[i].step;
  tmon_codec_int_encode(out, numbers, count);
  for (size_t i = 0; i < count; i++) numbers[i] = points[i].time;
  tmon_codec_int_encode(out, numbers, count);
  for (size_t i = 0; i < count; i++) values[i] = points[i].value;
  rc = tmon_codec_value_encode(out, values, count, numbers);
out:
  if (numbers != small_numbers) tmon_free(numbers);
  if (values != small_values) tmon_free(values);
  return rc;
}

static int read_head(size_t *count, const uint8_t *data, size_t size, size_t *offset) {
  uint64_t number;
  *offset = 1;
  if (data == NULL || size == 0) return tmon_error_set(TMON_ECORRUPT, "a chunk is empty");
  if (data[0] != VERSION) return tmon_error_set(TMON_ECORRUPT, "a chunk has version %u, expected %u", (unsigned)data[0], VERSION);
  if (!tmon_varint_get(data, size, offset, &number) || number == 0 || number > TMON_CHUNK_POINTS_MAXIMUM)
    return tmon_error_set(TMON_ECORRUPT, "a chunk must hold 1 to %d points", TMON_CHUNK_POINTS_MAXIMUM);
  *count = (size_t)number;
  return TMON_OK;
}

int tmon_chunk_count(size_t *count, const uint8_t *data, size_t size) {
  size_t offset;
  if (count == NULL) return tmon_error_set(TMON_EINVAL, "count must not be NULL");
  return read_head(count, data, size, &offset);
}

static int read_columns(tmon_point *points, size_t count, double *values, int64_t *numbers, const uint8_t *data, size_t size, size_t offset) {
  int rc = tmon_codec_int_decode(numbers, count, data, size, &offset);
  if (rc != TMON_OK) return rc;
  for (size_t i = 0; i < count; i++) points[i].step = numbers[i];
  rc = tmon_codec_int_decode(numbers, count, data, size, &offset);
  if (rc != TMON_OK) return rc;
  for (size_t i = 0; i < count; i++) points[i].time = numbers[i];
  rc = tmon_codec_value_decode(values, count, numbers, data, size, &offset);
  if (rc != TMON_OK) return rc;
  for (size_t i = 0; i < count; i++) points[i].value = values[i];
  if (offset != size) return tmon_error_set(TMON_ECORRUPT, "%zu bytes follow the columns of a chunk", size - offset);
  return TMON_OK;
}

int tmon_chunk_decode(tmon_point *points, size_t capacity, size_t *count, const uint8_t *data, size_t size) {
  double small_values[ON_STACK];
  int64_t small_numbers[ON_STACK];
  double *values = small_values;
  int64_t *numbers = small_numbers;
  size_t offset;
  size_t held = 0;
  if (points == NULL || count == NULL) return tmon_error_set(TMON_EINVAL, "points and count must not be NULL");
  *count = 0;
  int rc = read_head(&held, data, size, &offset);
  if (rc != TMON_OK) return rc;
  if (held > capacity) return tmon_error_set(TMON_ECORRUPT, "a chunk holds %zu points where at most %zu belong", held, capacity);
  if (held > ON_STACK) {
    values = tmon_alloc(held * sizeof *values);
    numbers = tmon_alloc(held * sizeof *numbers);
    if (values == NULL || numbers == NULL) {
      rc = tmon_error_no_memory();
      goto out;
    }
  }
  rc = read_columns(points, held, values, numbers, data, size, offset);
  if (rc == TMON_OK) *count = held;
out:
  if (numbers != small_numbers) tmon_free(numbers);
  if (values != small_values) tmon_free(values);
  return rc;
}
