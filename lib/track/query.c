/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * A series over a range in exact buckets. From the coarsest summaries down: a row whose cells are fine enough and that lies inside the range is merged as
 * cells; any other is replaced by the rows below it, at last by chunks, of which only those cut by a border of a bucket or of the range are decoded.
 */
#include "track/snapshot.h"

#include "series/cell.h"
#include "series/chunk.h"

#include <string.h>

#define WIDTH_DEFAULT 1000
#define WIDTH_MAXIMUM 100000
#define LEVELS 2

struct tmon_series {
  tmon_bucket *buckets;
  size_t count;
  uint64_t width;
};

typedef struct query {
  tmon_snapshot snapshot;
  tmon_axis axis;
  bool all_attempts;
  int64_t from;
  int64_t to;
  unsigned exponent;
  tmon_bucketer *bucketer;
  tmon_bucket *cells; /* TMON_CELLS_MAXIMUM */
  tmon_point *points; /* 2 * TMON_CHUNK_POINTS */
} query;

static int64_t step_end(const query *q, const tmon_snapshot_writer *writer) { return q->all_attempts ? INT64_MAX : writer->step_end; }

static int64_t x_of(const query *q, const tmon_point *point) { return q->axis == TMON_AXIS_STEP ? point->step : point->time; }

/* Adds points, leaving out superseded ones; runs between them go in one call. */
static int add_points(query *q, const tmon_snapshot_writer *writer, const tmon_point *points, size_t count) {
  int64_t end = step_end(q, writer);
  size_t begin = 0;
  int result = TMON_OK;
  for (size_t i = 0; i <= count && result == TMON_OK; i++) {
    if (i < count && (points[i].step < end || end == INT64_MAX)) continue;
    if (i > begin) result = tmon_bucketer_add_points(q->bucketer, points + begin, i - begin);
    begin = i + 1;
  }
  return result;
}

static int add_chunk(query *q, const tmon_snapshot_writer *writer, tmon_row *row) {
  size_t size = 0;
  size_t count = 0;
  int64_t low = tmon_row_int(row, q->axis == TMON_AXIS_STEP ? 0 : 2);
  int64_t high = tmon_row_int(row, q->axis == TMON_AXIS_STEP ? 1 : 3);
  if (high < q->from || low > q->to || tmon_row_int(row, 0) >= step_end(q, writer)) return TMON_OK;
  bool whole = step_end(q, writer) == INT64_MAX || tmon_row_int(row, 1) < step_end(q, writer);
  if (whole && tmon_bucketer_takes(q->bucketer, low, high)) {
    tmon_bucket cells[2];
    const void *data = tmon_row_blob(row, 4, &size);
    int result = tmon_figures_decode(cells, data, size);
    if (result != TMON_OK) return result;
    const tmon_bucket *cell = &cells[q->axis];
    if (cell->first_x != low || cell->last_x != high) return tmon_error_set(TMON_ECORRUPT, "a chunk's figures do not match its row");
    return tmon_bucketer_add_cells(q->bucketer, &cells[q->axis], 1);
  }
  const void *data = tmon_row_blob(row, 5, &size);
  int result = tmon_chunk_decode(q->points, 2 * TMON_CHUNK_POINTS, &count, data, size);
  return result == TMON_OK ? add_points(q, writer, q->points, count) : result;
}

static int visit_chunks(query *q, const tmon_snapshot_writer *writer, int64_t after, int64_t upto) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, q->snapshot.tx,
      "SELECT min_step, max_step, min_time, max_time, cells, data FROM chunks WHERE metric = ? AND writer = ? AND seq > ? AND seq <= ? ORDER BY seq");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, q->snapshot.metric);
  tmon_bind_int(row, 2, writer->writer);
  tmon_bind_int(row, 3, after);
  tmon_bind_int(row, 4, upto);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    if ((result = add_chunk(q, writer, row)) != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* A summary row, copied out because a statement can't be nested with itself. */
typedef struct summary {
  int64_t first_seq;
  int64_t seq;
  int64_t low[2];
  int64_t high[2];
} summary;

/* Merges the cells of a row when that is exact; `merged` says whether it was. */
static int try_cells(query *q, const tmon_snapshot_writer *writer, int level, const summary *found, bool *merged) {
  tmon_row *row = NULL;
  size_t size = 0;
  size_t count = 0;
  unsigned exponent = 0;
  *merged = found->high[q->axis] < q->from || found->low[q->axis] > q->to || found->low[0] >= step_end(q, writer);
  if (*merged) return TMON_OK;
  bool inside =
      found->low[q->axis] >= q->from && found->high[q->axis] <= q->to && (step_end(q, writer) == INT64_MAX || found->high[0] < step_end(q, writer));
  if (!inside || tmon_cell_exponent(found->low[q->axis], found->high[q->axis], 512) > q->exponent) return TMON_OK;
  int result = q->axis == TMON_AXIS_STEP
      ? tmon_tx_prepare(&row, q->snapshot.tx, "SELECT step_cells FROM summaries WHERE metric = ? AND writer = ? AND level = ? AND seq = ?")
      : tmon_tx_prepare(&row, q->snapshot.tx, "SELECT time_cells FROM summaries WHERE metric = ? AND writer = ? AND level = ? AND seq = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, q->snapshot.metric);
  tmon_bind_int(row, 2, writer->writer);
  tmon_bind_int(row, 3, level);
  tmon_bind_int(row, 4, found->seq);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    const void *data = tmon_row_blob(row, 0, &size);
    result = tmon_cells_decode(q->cells, TMON_CELLS_MAXIMUM, &count, &exponent, data, size);
  }
  tmon_row_reset(row);
  if (result != TMON_OK || exponent > q->exponent) return result == TMON_DONE ? TMON_OK : result;
  *merged = true;
  return tmon_bucketer_add_cells(q->bucketer, q->cells, count);
}

static int list_summaries(query *q, const tmon_snapshot_writer *writer, int level, int64_t after, int64_t upto, summary **out, size_t *count) {
  tmon_row *row = NULL;
  size_t capacity = 0;
  int result = tmon_tx_prepare(&row, q->snapshot.tx,
      "SELECT first_seq, seq, min_step, max_step, min_time, max_time FROM summaries"
      " WHERE metric = ? AND writer = ? AND level = ? AND seq > ? AND seq <= ? ORDER BY seq");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, q->snapshot.metric);
  tmon_bind_int(row, 2, writer->writer);
  tmon_bind_int(row, 3, level);
  tmon_bind_int(row, 4, after);
  tmon_bind_int(row, 5, upto);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    if (*count == capacity) {
      capacity = capacity == 0 ? 64 : capacity * 2;
      summary *grown = tmon_realloc(*out, capacity, sizeof *grown);
      if (grown == NULL) {
        result = tmon_error_no_memory();
        break;
      }
      *out = grown;
    }
    (*out)[(*count)++] =
        (summary){tmon_row_int(row, 0), tmon_row_int(row, 1), {tmon_row_int(row, 2), tmon_row_int(row, 4)}, {tmon_row_int(row, 3), tmon_row_int(row, 5)}};
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* Everything of the writer with after < seq <= upto, strictly in order of arrival, which decides between points of one x. Recursion is as deep as there are levels. */
static int visit(query *q, const tmon_snapshot_writer *writer, int level, int64_t after, int64_t upto) {
  summary *rows = NULL;
  size_t count = 0;
  if (level == 0) return visit_chunks(q, writer, after, upto);
  int result = list_summaries(q, writer, level, after, upto, &rows, &count);
  for (size_t i = 0; result == TMON_OK && i < count; i++) {
    bool merged = false;
    result = try_cells(q, writer, level, &rows[i], &merged);
    if (result == TMON_OK && !merged) result = visit(q, writer, level - 1, rows[i].first_seq - 1, rows[i].seq);
    after = rows[i].seq;
  }
  tmon_free(rows);
  return result == TMON_OK ? visit(q, writer, level - 1, after, upto) : result;
}

/* The extent of everything on the axis, cut to the range asked for; false when there is nothing. */
static bool find_extent(query *q, int64_t *low, int64_t *high) {
  *low = INT64_MAX;
  *high = INT64_MIN;
  for (size_t i = 0; i < q->snapshot.writer_count; i++) {
    const tmon_snapshot_writer *writer = &q->snapshot.writers[i];
    int64_t end = step_end(q, writer);
    if (writer->folded_count > 0 && (writer->low[0] < end || end == INT64_MAX)) {
      int64_t last = q->axis == TMON_AXIS_STEP && end != INT64_MAX && writer->high[0] >= end ? end - 1 : writer->high[q->axis];
      if (writer->low[q->axis] < *low) *low = writer->low[q->axis];
      if (last > *high) *high = last;
    }
    for (size_t p = 0; p < writer->count; p++) {
      if (end != INT64_MAX && writer->points[p].step >= end) continue;
      int64_t x = x_of(q, &writer->points[p]);
      if (x < *low) *low = x;
      if (x > *high) *high = x;
    }
  }
  if (*low < q->from) *low = q->from;
  if (*high > q->to) *high = q->to;
  return *low <= *high;
}

static int run(query *q, uint32_t width, tmon_series *series) {
  int64_t low = 0;
  int64_t high = 0;
  series->width = 1;
  if (!find_extent(q, &low, &high)) return TMON_OK;
  q->exponent = tmon_cell_exponent(low, high, width);
  series->width = q->exponent >= 63 ? (uint64_t)1 << 63 : (uint64_t)1 << q->exponent;
  q->cells = tmon_alloc(TMON_CELLS_MAXIMUM * sizeof *q->cells);
  q->points = tmon_alloc(2 * TMON_CHUNK_POINTS * sizeof *q->points);
  if (q->cells == NULL || q->points == NULL) return tmon_error_no_memory();
  int result = tmon_bucketer_make(&q->bucketer, q->axis, q->exponent, q->from, q->to);
  for (size_t i = 0; result == TMON_OK && i < q->snapshot.writer_count; i++) {
    const tmon_snapshot_writer *writer = &q->snapshot.writers[i];
    if (writer->folded_count > 0) result = visit(q, writer, LEVELS, 0, INT64_MAX);
    if (result == TMON_OK) result = add_points(q, writer, writer->points, writer->count);
  }
  return result == TMON_OK ? tmon_bucketer_finish(q->bucketer, &series->buckets, &series->count) : result;
}

int tmon_series_query(tmon_series **out, tmon_store *store, const char *session_id, const char *key, const tmon_series_options *options) {
  tmon_series_options chosen;
  query q;
  memset(&q, 0, sizeof q);
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_options_copy(&chosen, sizeof chosen, options, "tmon_series_options");
  if (result != TMON_OK) return result;
  if (chosen.width > WIDTH_MAXIMUM) return tmon_error_set(TMON_EINVAL, "width is %u, expected 1 to %d", chosen.width, WIDTH_MAXIMUM);
  if (chosen.axis != TMON_AXIS_STEP && chosen.axis != TMON_AXIS_TIME)
    return tmon_error_set(TMON_EINVAL, "axis is %d, expected step or time", (int)chosen.axis);
  if (chosen.bounded && chosen.from > chosen.to) {
    return tmon_error_set(TMON_EINVAL, "the range %lld to %lld is empty", (long long)chosen.from, (long long)chosen.to);
  }
  q.axis = chosen.axis;
  q.all_attempts = chosen.all_attempts;
  q.from = chosen.bounded ? chosen.from : INT64_MIN;
  q.to = chosen.bounded ? chosen.to : INT64_MAX;
  tmon_series *series = tmon_alloc_zero(1, sizeof *series);
  if (series == NULL) return tmon_error_no_memory();
  result = tmon_snapshot_open(&q.snapshot, store, session_id, key);
  if (result == TMON_OK) result = run(&q, chosen.width == 0 ? WIDTH_DEFAULT : chosen.width, series);
  tmon_bucketer_free(q.bucketer);
  tmon_free(q.cells);
  tmon_free(q.points);
  tmon_snapshot_close(&q.snapshot);
  if (result == TMON_OK) *out = series;
  else tmon_series_free(series);
  return result;
}

const tmon_bucket *tmon_series_buckets(const tmon_series *series, size_t *count) {
  if (count != NULL) *count = series == NULL ? 0 : series->count;
  return series == NULL ? NULL : series->buckets;
}

uint64_t tmon_series_bucket_width(const tmon_series *series) { return series == NULL ? 0 : series->width; }

void tmon_series_free(tmon_series *series) {
  if (series == NULL) return;
  tmon_free(series->buckets);
  tmon_free(series);
}
