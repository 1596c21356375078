/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Summaries: for each 64 chunks of a metric and writer one row of level 1 with at most 512 cells an axis, for each 64 of those one of level 2. Cells lie on
 * a fixed power-of-two grid, so those of a finer level fall whole into those of a coarser one and merging them is exact. A query reads a few rows
 * instead of all chunks.
 */
#include "track/drain.h"

#include "series/cell.h"
#include "util/buffer.h"

#include <string.h>

#define SUMMARY_CELLS 512
#define CELLS_BYTES_MAXIMUM (1u << 20)

/* The rows that a summary covers. */
typedef struct covered {
  int64_t first_seq;
  int64_t last_seq;
  int64_t low[2];
  int64_t high[2];
  int64_t count;
} covered;

static int find_covered(covered *out, tmon_drain *drain, tmon_tx *tx, int64_t metric, int level) {
  tmon_row *row = NULL;
  int result = level == 1
      ? tmon_tx_prepare(&row, tx,
            "SELECT min(seq), max(seq), min(min_step), max(max_step), min(min_time), max(max_time), sum(count) FROM"
            " (SELECT * FROM (SELECT seq, min_step, max_step, min_time, max_time, count FROM chunks WHERE metric = ?1 AND writer = ?2 ORDER BY seq DESC LIMIT 64))")
      : tmon_tx_prepare(&row, tx,
            "SELECT min(first_seq), max(seq), min(min_step), max(max_step), min(min_time), max(max_time), sum(count) FROM"
            " (SELECT seq, first_seq, min_step, max_step, min_time, max_time, count FROM summaries WHERE metric = ?1 AND writer = ?2 AND level = 1"
            " ORDER BY seq DESC LIMIT 64)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric);
  tmon_bind_int(row, 2, drain->writer);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    *out = (covered){tmon_row_int(row, 0), tmon_row_int(row, 1), {tmon_row_int(row, 2), tmon_row_int(row, 4)},
        {tmon_row_int(row, 3), tmon_row_int(row, 5)}, tmon_row_int(row, 6)};
  }
  tmon_row_reset(row);
  return result;
}

static int add_chunks(tmon_bucketer *bucketers[2], tmon_drain *drain, tmon_tx *tx, int64_t metric, const covered *range) {
  tmon_row *row = NULL;
  tmon_point *points = tmon_alloc(2 * TMON_CHUNK_POINTS * sizeof *points);
  int result = points == NULL ? tmon_error_no_memory()
                              : tmon_tx_prepare(&row, tx, "SELECT data FROM chunks WHERE metric = ? AND writer = ? AND seq BETWEEN ? AND ? ORDER BY seq");
  if (result != TMON_OK) goto out;
  tmon_bind_int(row, 1, metric);
  tmon_bind_int(row, 2, drain->writer);
  tmon_bind_int(row, 3, range->first_seq);
  tmon_bind_int(row, 4, range->last_seq);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    size_t count = 0;
    const void *data = tmon_row_blob(row, 0, &size);
    result = tmon_chunk_decode(points, 2 * TMON_CHUNK_POINTS, &count, data, size);
    for (int axis = 0; result == TMON_OK && axis < 2; axis++) result = tmon_bucketer_add_points(bucketers[axis], points, count);
    if (result != TMON_OK) break;
  }
  tmon_row_reset(row);
out:
  tmon_free(points);
  return result == TMON_DONE ? TMON_OK : result;
}

static int add_summaries(tmon_bucketer *bucketers[2], tmon_drain *drain, tmon_tx *tx, int64_t metric, const covered *range) {
  tmon_row *row = NULL;
  tmon_bucket *cells = tmon_alloc(TMON_CELLS_MAXIMUM * sizeof *cells);
  int result = cells == NULL
      ? tmon_error_no_memory()
      : tmon_tx_prepare(
            &row, tx, "SELECT step_cells, time_cells FROM summaries WHERE metric = ? AND writer = ? AND level = 1 AND seq BETWEEN ? AND ? ORDER BY seq");
  if (result != TMON_OK) goto out;
  tmon_bind_int(row, 1, metric);
  tmon_bind_int(row, 2, drain->writer);
  tmon_bind_int(row, 3, range->first_seq);
  tmon_bind_int(row, 4, range->last_seq);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    for (int axis = 0; result == TMON_OK && axis < 2; axis++) {
      size_t size = 0;
      size_t count = 0;
      unsigned exponent = 0;
      const void *data = tmon_row_blob(row, axis, &size);
      result = tmon_cells_decode(cells, TMON_CELLS_MAXIMUM, &count, &exponent, data, size);
      if (result == TMON_OK) result = tmon_bucketer_add_cells(bucketers[axis], cells, count);
    }
    if (result != TMON_OK) break;
  }
  tmon_row_reset(row);
out:
  tmon_free(cells);
  return result == TMON_DONE ? TMON_OK : result;
}

static int insert_summary(tmon_drain *drain, tmon_tx *tx, int64_t metric, int level, const covered *range, const tmon_buffer packed[2]) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO summaries (metric, writer, level, seq, first_seq, count, min_step, max_step, min_time, max_time, step_cells, time_cells)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric);
  tmon_bind_int(row, 2, drain->writer);
  tmon_bind_int(row, 3, level);
  tmon_bind_int(row, 4, range->last_seq);
  tmon_bind_int(row, 5, range->first_seq);
  tmon_bind_int(row, 6, range->count);
  tmon_bind_int(row, 7, range->low[0]);
  tmon_bind_int(row, 8, range->high[0]);
  tmon_bind_int(row, 9, range->low[1]);
  tmon_bind_int(row, 10, range->high[1]);
  tmon_bind_blob(row, 11, packed[0].data, packed[0].size);
  tmon_bind_blob(row, 12, packed[1].data, packed[1].size);
  return tmon_row_run(row);
}

int tmon_summary_write(tmon_drain *drain, tmon_tx *tx, int64_t metric_row, int level) {
  covered range;
  tmon_bucketer *bucketers[2] = {NULL, NULL};
  tmon_buffer packed[2];
  unsigned exponents[2] = {0, 0};
  memset(&range, 0, sizeof range);
  for (int axis = 0; axis < 2; axis++) tmon_buffer_init(&packed[axis], CELLS_BYTES_MAXIMUM);
  int result = find_covered(&range, drain, tx, metric_row, level);
  for (int axis = 0; result == TMON_OK && axis < 2; axis++) {
    exponents[axis] = tmon_cell_exponent(range.low[axis], range.high[axis], SUMMARY_CELLS);
    result = tmon_bucketer_make(&bucketers[axis], (tmon_axis)axis, exponents[axis], INT64_MIN, INT64_MAX);
  }
  if (result == TMON_OK) {
    result = level == 1 ? add_chunks(bucketers, drain, tx, metric_row, &range) : add_summaries(bucketers, drain, tx, metric_row, &range);
  }
  for (int axis = 0; result == TMON_OK && axis < 2; axis++) {
    tmon_bucket *cells = NULL;
    size_t count = 0;
    result = tmon_bucketer_finish(bucketers[axis], &cells, &count);
    if (result == TMON_OK) result = tmon_cells_encode(&packed[axis], cells, count, exponents[axis]);
    tmon_free(cells);
  }
  if (result == TMON_OK) result = insert_summary(drain, tx, metric_row, level, &range, packed);
  for (int axis = 0; axis < 2; axis++) {
    tmon_bucketer_free(bucketers[axis]);
    tmon_buffer_free(&packed[axis]);
  }
  return result;
}
