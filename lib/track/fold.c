/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Folding: once a metric has about 1,024 points in deltas, they become one chunk, and the metric's row in `folded` says up to which delta that
 * happened. A delta row goes when all its points are folded. Slow metrics would keep rows alive for long, so rows are merged when their number has
 * doubled since the last merge: each point is rewritten a logarithmic number of times, whatever mix of rates a training has.
 */
#include "track/bests.h"

#include "series/cell.h"
#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES_MAXIMUM (4u << 20)
#define FOLD_METRICS 256 /* folded in one transaction at most, which bounds memory */
#define MERGE_ROWS 256

/* Points of one metric gathered from deltas. */
typedef struct gathered {
  tmon_drain_metric *metric;
  tmon_point *points;
  size_t count;
  size_t capacity;
} gathered;

int tmon_drain_add_delta(tmon_drain *drain, int64_t seq, size_t points, size_t live) {
  if (drain->delta_count == drain->delta_capacity) {
    size_t capacity = drain->delta_capacity == 0 ? 64 : drain->delta_capacity * 2;
    tmon_drain_delta *grown = tmon_realloc(drain->deltas, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    drain->deltas = grown;
    drain->delta_capacity = capacity;
  }
  drain->deltas[drain->delta_count++] = (tmon_drain_delta){seq, points, live};
  return TMON_OK;
}

/* The exact figures of a chunk as one cell an axis. */
static int pack_cells(tmon_buffer *out, tmon_bucket cells[2], const tmon_point *points, size_t count) {
  for (int axis = 0; axis < 2; axis++) {
    tmon_cell_clear(&cells[axis]);
    for (size_t i = 0; i < count; i++) {
      tmon_cell_add(&cells[axis], axis == TMON_AXIS_STEP ? points[i].step : points[i].time, points[i].value);
    }
    cells[axis].start = cells[axis].first_x;
    cells[axis].end = cells[axis].last_x;
  }
  return tmon_figures_encode(out, cells);
}

/* What the chunks before left, with these points added. */
static int extend_best(tmon_best *best, tmon_drain *drain, tmon_tx *tx, int64_t metric_row, const tmon_point *points, size_t count) {
  tmon_row *row = NULL;
  memset(best, 0, sizeof *best);
  int result = tmon_tx_prepare(
      &row, tx, "SELECT finite, lowest, lowest_step, highest, highest_step, latest, latest_step, smoothed FROM folded WHERE metric = ? AND writer = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric_row);
  tmon_bind_int(row, 2, drain->writer);
  result = tmon_row_step(row);
  if (result == TMON_OK) tmon_best_read(best, row, 0);
  tmon_row_reset(row);
  if (result == TMON_OK || result == TMON_DONE) tmon_best_add_points(best, points, count);
  return result == TMON_DONE ? TMON_OK : result;
}

static int extend_folded(tmon_drain *drain, tmon_tx *tx, int64_t metric_row, const tmon_bucket cells[2], const tmon_best *best) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO folded (metric, writer, seq, chunks, count, min_step, max_step, min_time, max_time, finite, lowest, lowest_step, highest, highest_step,"
      " latest, latest_step, smoothed) VALUES (?, ?, 0, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
      " ON CONFLICT (metric, writer) DO UPDATE SET chunks = chunks + 1, count = count + excluded.count,"
      " min_step = min(min_step, excluded.min_step), max_step = max(max_step, excluded.max_step),"
      " min_time = min(min_time, excluded.min_time), max_time = max(max_time, excluded.max_time), finite = excluded.finite, lowest = excluded.lowest,"
      " lowest_step = excluded.lowest_step, highest = excluded.highest, highest_step = excluded.highest_step, latest = excluded.latest,"
      " latest_step = excluded.latest_step, smoothed = excluded.smoothed");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric_row);
  tmon_bind_int(row, 2, drain->writer);
  tmon_bind_int(row, 3, (int64_t)cells[0].count);
  tmon_bind_int(row, 4, cells[0].first_x);
  tmon_bind_int(row, 5, cells[0].last_x);
  tmon_bind_int(row, 6, cells[1].first_x);
  tmon_bind_int(row, 7, cells[1].last_x);
  tmon_best_bind(row, 8, best);
  return tmon_row_run(row);
}

int tmon_fold_add_chunk(tmon_drain *drain, tmon_tx *tx, tmon_drain_metric *metric, int64_t seq, const tmon_point *points, size_t count) {
  tmon_buffer packed;
  tmon_buffer figures;
  tmon_bucket cells[2];
  tmon_best best;
  tmon_row *row = NULL;
  memset(cells, 0, sizeof cells);
  tmon_buffer_init(&packed, CHUNK_BYTES_MAXIMUM);
  tmon_buffer_init(&figures, CHUNK_BYTES_MAXIMUM);
  int result = tmon_chunk_encode(&packed, points, count);
  if (result == TMON_OK) result = pack_cells(&figures, cells, points, count);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "INSERT INTO chunks (metric, writer, seq, count, min_step, max_step, min_time, max_time, cells, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  }
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, metric->row);
    tmon_bind_int(row, 2, drain->writer);
    tmon_bind_int(row, 3, seq);
    tmon_bind_int(row, 4, (int64_t)count);
    tmon_bind_int(row, 5, cells[0].first_x);
    tmon_bind_int(row, 6, cells[0].last_x);
    tmon_bind_int(row, 7, cells[1].first_x);
    tmon_bind_int(row, 8, cells[1].last_x);
    tmon_bind_blob(row, 9, figures.data, figures.size);
    tmon_bind_blob(row, 10, packed.data, packed.size);
    result = tmon_row_run(row);
  }
  if (result == TMON_OK) result = extend_best(&best, drain, tx, metric->row, points, count);
  if (result == TMON_OK) result = extend_folded(drain, tx, metric->row, cells, &best);
  tmon_buffer_free(&figures);
  tmon_buffer_free(&packed);
  if (result != TMON_OK) return result;
  metric->chunks++;
  if (metric->chunks % 64 == 0) result = tmon_summary_write(drain, tx, metric->row, 1);
  if (result == TMON_OK && metric->chunks % 4096 == 0) result = tmon_summary_write(drain, tx, metric->row, 2);
  return result;
}

static int compare_gathered(const void *a, const void *b) {
  int64_t left = ((const gathered *)a)->metric->row;
  int64_t right = ((const gathered *)b)->metric->row;
  return (left > right) - (left < right);
}

static gathered *find_gathered(gathered *all, size_t count, int64_t row) {
  size_t low = 0;
  while (low < count) {
    size_t middle = low + (count - low) / 2;
    if (all[middle].metric->row == row) return &all[middle];
    if (all[middle].metric->row < row) low = middle + 1;
    else count = middle;
  }
  return NULL;
}

static int gather_entry(gathered *into, const tmon_delta_entry *entry) {
  size_t count = 0;
  size_t needed = into->count + entry->count;
  if (needed > into->capacity) {
    tmon_point *grown = tmon_realloc(into->points, needed * 2, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    into->points = grown;
    into->capacity = needed * 2;
  }
  int result = tmon_chunk_decode(into->points + into->count, into->capacity - into->count, &count, entry->chunk, entry->size);
  into->count += count;
  return result;
}

/* Reads all deltas once; takes the live points of the metrics in `all`, counting them off in `taken` (one entry a delta). */
static int gather(tmon_drain *drain, tmon_tx *tx, gathered *all, size_t count, size_t *taken) {
  tmon_row *row = NULL;
  size_t index = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT seq, data FROM deltas WHERE writer = ? ORDER BY seq");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, drain->writer);
  while ((result = tmon_row_step(row)) == TMON_OK && index < drain->delta_count) {
    size_t size = 0;
    int64_t seq = tmon_row_int(row, 0);
    const void *data = tmon_row_blob(row, 1, &size);
    tmon_delta_reader reader;
    tmon_delta_entry entry;
    result = tmon_delta_open(&reader, data, size);
    while (result == TMON_OK && (result = tmon_delta_next(&reader, &entry)) == TMON_OK) {
      gathered *into = find_gathered(all, count, entry.metric);
      if (into == NULL || seq <= into->metric->folded) continue;
      taken[index] += entry.count;
      result = gather_entry(into, &entry);
    }
    if (result != TMON_DONE) break;
    index++;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int delete_delta(tmon_drain *drain, tmon_tx *tx, int64_t seq) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "DELETE FROM deltas WHERE writer = ? AND seq = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, drain->writer);
  tmon_bind_int(row, 2, seq);
  return tmon_row_run(row);
}

/* Takes folded points off the deltas and removes those that hold no live point any more. */
static int settle_deltas(tmon_drain *drain, tmon_tx *tx, const size_t *taken) {
  size_t kept = 0;
  for (size_t i = 0; i < drain->delta_count; i++) {
    tmon_drain_delta delta = drain->deltas[i];
    delta.live -= taken[i] < delta.live ? taken[i] : delta.live;
    if (delta.live > 0) {
      drain->deltas[kept++] = delta;
      continue;
    }
    int result = delete_delta(drain, tx, delta.seq);
    if (result != TMON_OK) return result;
  }
  drain->delta_count = kept;
  return TMON_OK;
}

static int write_folded(tmon_drain *drain, tmon_tx *tx, gathered *one, int64_t last_seq) {
  tmon_row *row = NULL;
  int result = TMON_OK;
  for (size_t done = 0; result == TMON_OK && done < one->count;) {
    size_t left = one->count - done;
    size_t taken = left < 2 * TMON_CHUNK_POINTS ? left : TMON_CHUNK_POINTS;
    result = tmon_fold_add_chunk(drain, tx, one->metric, drain->next_seq++, one->points + done, taken);
    done += taken;
  }
  if (result != TMON_OK) return result;
  one->metric->folded = last_seq;
  one->metric->pending = 0;
  result = tmon_tx_prepare(&row, tx, "UPDATE folded SET seq = ? WHERE metric = ? AND writer = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, last_seq);
  tmon_bind_int(row, 2, one->metric->row);
  tmon_bind_int(row, 3, drain->writer);
  return tmon_row_run(row);
}

static int write_next_seq(tmon_drain *drain, tmon_tx *tx) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "UPDATE writers SET next_seq = ? WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, drain->next_seq);
  tmon_bind_int(row, 2, drain->writer);
  return tmon_row_run(row);
}

static void free_gathered(gathered *all, size_t count) {
  for (size_t i = 0; all != NULL && i < count; i++) tmon_free(all[i].points);
  tmon_free(all);
}

/* Lists up to `most` metrics with at least `threshold` pending points, ascending by row. */
static gathered *list_pending(tmon_drain *drain, uint32_t threshold, size_t most, size_t *count) {
  gathered *all = tmon_alloc_zero(most, sizeof *all);
  *count = 0;
  for (size_t m = 0; all != NULL && m < drain->metric_count && *count < most; m++) {
    if (drain->metrics[m].pending > 0 && drain->metrics[m].pending >= threshold) all[(*count)++].metric = &drain->metrics[m];
  }
  if (all != NULL) qsort(all, *count, sizeof *all, compare_gathered);
  return all;
}

/* Folds one batch; `done` receives true when there was nothing left to fold. */
static int fold_batch(tmon_drain *drain, int64_t timeout_us, uint32_t threshold, bool *done) {
  size_t count = 0;
  tmon_tx *tx = NULL;
  gathered *all = list_pending(drain, threshold, FOLD_METRICS, &count);
  size_t *taken = tmon_alloc_zero(drain->delta_count + 1, sizeof *taken);
  int result = all == NULL || taken == NULL ? tmon_error_no_memory() : TMON_OK;
  *done = result == TMON_OK && count == 0;
  if (result != TMON_OK || *done) goto out;
  result = tmon_tx_begin(&tx, drain->db, true, timeout_us);
  if (result != TMON_OK) goto out;
  drain->stale = true; /* until the commit: what follows changes the mirror */
  int64_t last_seq = drain->delta_count > 0 ? drain->deltas[drain->delta_count - 1].seq : 0;
  result = gather(drain, tx, all, count, taken);
  for (size_t i = 0; result == TMON_OK && i < count; i++) result = write_folded(drain, tx, &all[i], last_seq);
  if (result == TMON_OK) result = settle_deltas(drain, tx, taken);
  if (result == TMON_OK) result = write_next_seq(drain, tx);
  if (result == TMON_OK) {
    result = tmon_tx_commit(tx);
    tx = NULL;
  }
  if (result == TMON_OK) drain->stale = false;
out:
  tmon_tx_abort(tx);
  tmon_free(taken);
  free_gathered(all, count);
  return result;
}

/* Rewrites all deltas as one row with the live points only. */
static int merge_deltas(tmon_drain *drain, int64_t timeout_us) {
  size_t count = 0;
  size_t points = 0;
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  tmon_buffer packed;
  gathered *all = list_pending(drain, 1, drain->metric_count + 1, &count);
  size_t *taken = tmon_alloc_zero(drain->delta_count + 1, sizeof *taken);
  tmon_delta_group *groups = tmon_alloc_zero(count + 1, sizeof *groups);
  int result = all == NULL || taken == NULL || groups == NULL ? tmon_error_no_memory() : TMON_OK;
  tmon_buffer_init(&packed, 1u << 30);
  int64_t last_seq = drain->deltas[drain->delta_count - 1].seq;
  if (result == TMON_OK) result = tmon_tx_begin(&tx, drain->db, true, timeout_us);
  if (result != TMON_OK) goto out;
  drain->stale = true;
  result = gather(drain, tx, all, count, taken);
  for (size_t i = 0; result == TMON_OK && i < count; i++) {
    groups[i] = (tmon_delta_group){all[i].metric->row, all[i].points, all[i].count};
    points += all[i].count;
  }
  if (result == TMON_OK) result = tmon_delta_encode(&packed, groups, count);
  if (result == TMON_OK) result = settle_deltas(drain, tx, taken);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "INSERT INTO deltas (writer, seq, level, points, data) VALUES (?, ?, 1, ?, ?)");
  if (result != TMON_OK) goto out;
  tmon_bind_int(row, 1, drain->writer);
  tmon_bind_int(row, 2, last_seq);
  tmon_bind_int(row, 3, (int64_t)points);
  tmon_bind_blob(row, 4, packed.data, packed.size);
  result = tmon_row_run(row);
  if (result == TMON_OK) result = tmon_drain_add_delta(drain, last_seq, points, points);
  if (result == TMON_OK) {
    result = tmon_tx_commit(tx);
    tx = NULL;
  }
  if (result == TMON_OK) {
    drain->stale = false;
    drain->merged = drain->delta_count;
  }
out:
  tmon_tx_abort(tx);
  tmon_buffer_free(&packed);
  tmon_free(groups);
  tmon_free(taken);
  free_gathered(all, count);
  return result;
}

int tmon_fold_run(tmon_drain *drain, int64_t timeout_us, uint32_t threshold) {
  bool done = false;
  int result = TMON_OK;
  while (result == TMON_OK && !done) result = fold_batch(drain, timeout_us, threshold, &done);
  if (result == TMON_OK && drain->delta_count >= MERGE_ROWS + 2 * drain->merged) {
    /* First the metrics that are worth a chunk, so that a merge stays small in memory. */
    result = fold_batch(drain, timeout_us, TMON_CHUNK_POINTS / 4, &done);
    while (result == TMON_OK && !done) result = fold_batch(drain, timeout_us, TMON_CHUNK_POINTS / 4, &done);
    if (result == TMON_OK && drain->delta_count >= MERGE_ROWS) result = merge_deltas(drain, timeout_us);
    else drain->merged = drain->delta_count;
  }
  return result;
}
