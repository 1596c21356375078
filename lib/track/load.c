/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Loads the state of a drain from the store: where each lane stands, what is folded, which deltas are left. */
#include "track/drain.h"
#include "track/snapshot.h"

#include <string.h>

static int load_writer(tmon_drain *drain, tmon_tx *tx) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT next_seq, first_step, dropped, rank FROM writers WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, drain->writer);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    drain->next_seq = tmon_row_int(row, 0);
    drain->first_step = tmon_row_is_null(row, 1) ? INT64_MAX : tmon_row_int(row, 1);
    drain->dropped = tmon_row_int(row, 2);
    drain->follows = tmon_row_int(row, 3) != 0;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? tmon_error_set(TMON_ENOTFOUND, "no writer %lld in this store", (long long)drain->writer) : result;
}

int tmon_positions_read(uint64_t positions[TMON_RING_LANES], tmon_tx *tx, int64_t writer) {
  tmon_row *row = NULL;
  memset(positions, 0, TMON_RING_LANES * sizeof *positions);
  int result = tmon_tx_prepare(&row, tx, "SELECT lane, position FROM lane_positions WHERE writer = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, writer);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    int64_t lane = tmon_row_int(row, 0);
    if (lane >= 0 && lane < TMON_RING_LANES) positions[lane] = (uint64_t)tmon_row_int(row, 1);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int load_metric(tmon_drain *drain, tmon_tx *tx, size_t index) {
  tmon_drain_metric *metric = &drain->metrics[index];
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT seq, chunks FROM folded WHERE metric = ? AND writer = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric->row);
  tmon_bind_int(row, 2, drain->writer);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    metric->folded = tmon_row_int(row, 0);
    metric->chunks = (uint32_t)tmon_row_int(row, 1);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* The metrics of a live or orphaned ring, by ring id. */
static int load_ring_metrics(tmon_drain *drain, tmon_tx *tx) {
  int result = tmon_drain_reserve_metrics(drain, tmon_ring_metrics(drain->ring));
  if (drain->metric_count > 0) memset(drain->metrics, 0, drain->metric_count * sizeof *drain->metrics);
  for (size_t i = 0; result == TMON_OK && i < drain->metric_count; i++) {
    char key[256];
    tmon_row *row = NULL;
    result = tmon_ring_key(key, drain->ring, (uint32_t)(i + 1));
    if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT id FROM metric_keys WHERE session = ? AND key = ?");
    if (result != TMON_OK) break;
    tmon_bind_int(row, 1, drain->session);
    tmon_bind_text(row, 2, key);
    result = tmon_row_step(row);
    if (result == TMON_OK) drain->metrics[i].row = tmon_row_int(row, 0);
    tmon_row_reset(row);
    result = result == TMON_OK ? load_metric(drain, tx, i) : result == TMON_DONE ? TMON_OK : result;
  }
  return result;
}

/* The metrics of a writer whose ring is gone: all of its session. */
static int load_session_metrics(tmon_drain *drain, tmon_tx *tx) {
  tmon_row *row = NULL;
  size_t count = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT id FROM metric_keys WHERE session = ? ORDER BY id");
  if (result != TMON_OK) return result;
  if (drain->metric_count > 0) memset(drain->metrics, 0, drain->metric_count * sizeof *drain->metrics);
  tmon_bind_int(row, 1, drain->session);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    result = tmon_drain_reserve_metrics(drain, count + 1);
    if (result != TMON_OK) break;
    drain->metrics[count++].row = tmon_row_int(row, 0);
  }
  tmon_row_reset(row);
  result = result == TMON_DONE ? TMON_OK : result;
  for (size_t i = 0; result == TMON_OK && i < count; i++) result = load_metric(drain, tx, i);
  return result;
}

static tmon_drain_metric *find_metric(tmon_drain *drain, int64_t row) {
  for (size_t i = 0; i < drain->metric_count; i++) {
    if (drain->metrics[i].row == row) return &drain->metrics[i];
  }
  return NULL;
}

static int load_delta(tmon_drain *drain, int64_t seq, const void *data, size_t size) {
  tmon_delta_reader reader;
  tmon_delta_entry entry;
  size_t points = 0;
  size_t live = 0;
  int result = tmon_delta_open(&reader, data, size);
  while (result == TMON_OK && (result = tmon_delta_next(&reader, &entry)) == TMON_OK) {
    tmon_drain_metric *metric = find_metric(drain, entry.metric);
    points += entry.count;
    if (metric == NULL || seq <= metric->folded) continue;
    metric->pending += (uint32_t)entry.count;
    live += entry.count;
  }
  return result == TMON_DONE ? tmon_drain_add_delta(drain, seq, points, live) : result;
}

static int load_deltas(tmon_drain *drain, tmon_tx *tx) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT seq, data FROM deltas WHERE writer = ? ORDER BY seq");
  if (result != TMON_OK) return result;
  drain->delta_count = 0;
  tmon_bind_int(row, 1, drain->writer);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    const void *data = tmon_row_blob(row, 1, &size);
    if ((result = load_delta(drain, tmon_row_int(row, 0), data, size)) != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_drain_load(tmon_drain *drain, tmon_tx *tx) {
  int result = load_writer(drain, tx);
  if (result == TMON_OK) result = tmon_positions_read(drain->positions, tx, drain->writer);
  if (result == TMON_OK) result = drain->ring != NULL ? load_ring_metrics(drain, tx) : load_session_metrics(drain, tx);
  if (result == TMON_OK) result = load_deltas(drain, tx);
  drain->merged = drain->delta_count;
  drain->stale = result != TMON_OK;
  return result;
}
