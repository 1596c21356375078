/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fuzz target of chunks, deltas and rows of cells: what decodes must encode, and come back the same to the last bit. */
#include "series/cell.h"
#include "series/chunk.h"
#include "trainmon/error.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static tmon_point points[TMON_CHUNK_POINTS_MAXIMUM];
static tmon_point again[TMON_CHUNK_POINTS_MAXIMUM];
static tmon_bucket cells[TMON_CELLS_MAXIMUM];
static tmon_bucket cells_again[TMON_CELLS_MAXIMUM];

static void require(int truth) {
  if (!truth) abort();
}

static void chunk(const uint8_t *data, size_t size) {
  size_t count;
  size_t claimed;
  size_t count_again;
  tmon_buffer out;
  if (tmon_chunk_decode(points, TMON_CHUNK_POINTS_MAXIMUM, &count, data, size) != TMON_OK) return;
  require(tmon_chunk_count(&claimed, data, size) == TMON_OK && claimed == count);
  tmon_buffer_init(&out, (size_t)1 << 22);
  require(tmon_chunk_encode(&out, points, count) == TMON_OK);
  require(tmon_chunk_decode(again, count, &count_again, out.data, out.size) == TMON_OK && count_again == count);
  require(memcmp(points, again, count * sizeof *points) == 0);
  tmon_buffer_free(&out);
}

static void delta(const uint8_t *data, size_t size) {
  tmon_delta_reader reader;
  tmon_delta_entry entry;
  tmon_delta_entry found;
  if (tmon_delta_open(&reader, data, size) != TMON_OK) return;
  while (tmon_delta_next(&reader, &entry) == TMON_OK) {
    require(tmon_delta_find(data, size, entry.metric, &found) == TMON_OK && found.chunk == entry.chunk && found.size == entry.size);
    chunk(entry.chunk, entry.size);
  }
}

static void row(const uint8_t *data, size_t size) {
  size_t count;
  size_t count_again;
  unsigned exponent;
  unsigned exponent_again;
  tmon_buffer out;
  if (tmon_cells_decode(cells, TMON_CELLS_MAXIMUM, &count, &exponent, data, size) != TMON_OK) return;
  tmon_buffer_init(&out, (size_t)1 << 22);
  require(tmon_cells_encode(&out, cells, count, exponent) == TMON_OK);
  require(tmon_cells_decode(cells_again, TMON_CELLS_MAXIMUM, &count_again, &exponent_again, out.data, out.size) == TMON_OK);
  require(count == count_again && exponent == exponent_again && memcmp(cells, cells_again, count * sizeof *cells) == 0);
  tmon_buffer_free(&out);
}

static void figures(const uint8_t *data, size_t size) {
  tmon_bucket once[2];
  tmon_bucket back[2];
  tmon_buffer out;
  if (tmon_figures_decode(once, data, size) != TMON_OK) return;
  tmon_buffer_init(&out, 4096);
  require(tmon_figures_encode(&out, once) == TMON_OK);
  require(tmon_figures_decode(back, out.data, out.size) == TMON_OK && memcmp(once, back, sizeof once) == 0);
  tmon_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  chunk(data, size);
  delta(data, size);
  row(data, size);
  figures(data, size);
  return 0;
}
