/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Packed rows of cells: a version byte, the exponent, the number of cells, then eleven columns.
 *
 * Borders follow from a cell's index on the grid, and first_x and last_x are kept as distances from the start, which are small. What comes out is checked
 * as what goes in, so that readers of a damaged store can rely on it: cells are not empty, counts do not exceed the count, x lies in the cell.
 */
#include "series/cell.h"
#include "series/codec.h"
#include "series/grid.h"
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/error.h"

#include <string.h>

#define VERSION 1u

static const size_t counts[] = {offsetof(tmon_bucket, count), offsetof(tmon_bucket, nan_count), offsetof(tmon_bucket, inf_count)};
static const size_t positions[] = {offsetof(tmon_bucket, first_x), offsetof(tmon_bucket, last_x)};
static const size_t figures[] = {
    offsetof(tmon_bucket, first), offsetof(tmon_bucket, last), offsetof(tmon_bucket, min), offsetof(tmon_bucket, max), offsetof(tmon_bucket, sum)};
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void get(void *out, const tmon_bucket *cell, size_t offset) { memcpy(out, (const char *)cell + offset, 8); }
static void put(tmon_bucket *cell, size_t offset, const void *field) { memcpy((char *)cell + offset, field, 8); }

static bool holds(const tmon_bucket *cell, unsigned exponent) {
  int64_t index = tmon_grid_index(cell->start, exponent);
  return tmon_grid_start(index, exponent) == cell->start && tmon_grid_index(cell->first_x, exponent) == index &&
      tmon_grid_index(cell->last_x, exponent) == index && cell->first_x <= cell->last_x && cell->count > 0 && cell->nan_count <= cell->count &&
      cell->inf_count <= cell->count - cell->nan_count;
}

static void write_columns(tmon_buffer *out, const tmon_bucket *cells, size_t count, unsigned exponent, int64_t *numbers, double *values) {
  for (size_t i = 0; i < count; i++) numbers[i] = tmon_grid_index(cells[i].start, exponent);
  tmon_codec_int_encode(out, numbers, count);
  for (size_t column = 0; column < LENGTH(counts); column++) {
    for (size_t i = 0; i < count; i++) get(&numbers[i], &cells[i], counts[column]);
    tmon_codec_int_encode(out, numbers, count);
  }
  for (size_t column = 0; column < LENGTH(positions); column++) {
    for (size_t i = 0; i < count; i++) {
      get(&numbers[i], &cells[i], positions[column]);
      numbers[i] = (int64_t)((uint64_t)numbers[i] - (uint64_t)cells[i].start);
    }
    tmon_codec_int_encode(out, numbers, count);
  }
  for (size_t column = 0; column < LENGTH(figures); column++) {
    for (size_t i = 0; i < count; i++) get(&values[i], &cells[i], figures[column]);
    tmon_codec_value_encode(out, values, count, numbers);
  }
}

int tmon_cells_encode(tmon_buffer *out, const tmon_bucket *cells, size_t count, unsigned exponent) {
  int64_t *numbers = NULL;
  double *values = NULL;
  if (out == NULL || (cells == NULL && count > 0) || count > TMON_CELLS_MAXIMUM || exponent > TMON_GRID_EXPONENT_MAXIMUM)
    return tmon_error_set(TMON_EINVAL, "a row holds at most %d cells of exponent 0 to 63, not %zu of %u", TMON_CELLS_MAXIMUM, count, exponent);
  for (size_t i = 0; i < count; i++) {
    if (!holds(&cells[i], exponent))
      return tmon_error_set(TMON_EINVAL, "cell %zu is empty, not on the grid of exponent %u or contradicts itself", i, exponent);
  }
  int rc = TMON_OK;
  numbers = tmon_alloc(2 * count * sizeof *numbers);
  values = tmon_alloc(count * sizeof *values);
  if (numbers == NULL || values == NULL) {
    rc = tmon_error_no_memory();
    goto out;
  }
  uint8_t head[2] = {VERSION, (uint8_t)exponent};
  tmon_buffer_append(out, head, sizeof head);
  tmon_varint_put(out, count);
  write_columns(out, cells, count, exponent, numbers, values);
  rc = out->error;
out:
  tmon_free(values);
  tmon_free(numbers);
  return rc;
}

static int corrupt(void) { return tmon_error_set(TMON_ECORRUPT, "a row of cells contradicts itself"); }

static int read_columns(
    tmon_bucket *cells, size_t count, unsigned exponent, int64_t *numbers, double *values, const uint8_t *data, size_t size, size_t offset) {
  int rc = tmon_codec_int_decode(numbers, count, data, size, &offset);
  if (rc != TMON_OK) return rc;
  for (size_t i = 0; i < count; i++) {
    cells[i].start = tmon_grid_start(numbers[i], exponent);
    cells[i].end = tmon_grid_end(numbers[i], exponent);
    if (tmon_grid_index(cells[i].start, exponent) != numbers[i]) return corrupt();
  }
  for (size_t column = 0; column < LENGTH(counts); column++) {
    rc = tmon_codec_int_decode(numbers, count, data, size, &offset);
    if (rc != TMON_OK) return rc;
    for (size_t i = 0; i < count; i++) put(&cells[i], counts[column], &numbers[i]);
  }
  for (size_t column = 0; column < LENGTH(positions); column++) {
    rc = tmon_codec_int_decode(numbers, count, data, size, &offset);
    if (rc != TMON_OK) return rc;
    for (size_t i = 0; i < count; i++) {
      numbers[i] = (int64_t)((uint64_t)numbers[i] + (uint64_t)cells[i].start);
      put(&cells[i], positions[column], &numbers[i]);
    }
  }
  for (size_t column = 0; column < LENGTH(figures); column++) {
    rc = tmon_codec_value_decode(values, count, numbers, data, size, &offset);
    if (rc != TMON_OK) return rc;
    for (size_t i = 0; i < count; i++) put(&cells[i], figures[column], &values[i]);
  }
  if (offset != size) return corrupt();
  for (size_t i = 0; i < count; i++) {
    if (!holds(&cells[i], exponent)) return corrupt();
  }
  return TMON_OK;
}

int tmon_cells_decode(tmon_bucket *cells, size_t capacity, size_t *count, unsigned *exponent, const uint8_t *data, size_t size) {
  int64_t *numbers = NULL;
  double *values = NULL;
  uint64_t held;
  size_t offset = 2;
  if (count == NULL || exponent == NULL || (cells == NULL && capacity > 0))
    return tmon_error_set(TMON_EINVAL, "cells, count and exponent must not be NULL");
  *count = 0;
  *exponent = 0;
  if (data == NULL || size < 2 || data[0] != VERSION || data[1] > TMON_GRID_EXPONENT_MAXIMUM)
    return tmon_error_set(TMON_ECORRUPT, "a row of cells must open with version %u and an exponent of 0 to 63", VERSION);
  if (!tmon_varint_get(data, size, &offset, &held) || held > TMON_CELLS_MAXIMUM || held > capacity)
    return tmon_error_set(TMON_ECORRUPT, "a row of cells holds more than the %zu that belong", capacity);
  int rc = TMON_OK;
  size_t number = (size_t)held;
  numbers = tmon_alloc(number * sizeof *numbers);
  values = tmon_alloc(number * sizeof *values);
  if (numbers == NULL || values == NULL) {
    rc = tmon_error_no_memory();
    goto out;
  }
  rc = read_columns(cells, number, data[1], numbers, values, data, size, offset);
  if (rc == TMON_OK) {
    *count = number;
    *exponent = data[1];
  }
out:
  tmon_free(values);
  tmon_free(numbers);
  return rc;
}
