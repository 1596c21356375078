/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * How reading while writing stays consistent: lane positions and committed points come from one read transaction, the rest is read from the ring
 * starting at those positions. If the drainer has given those slots back meanwhile (lapped), or a ring vanished because its session ended, the
 * transaction is too old: everything is read again.
 */
#include "track/snapshot.h"

#include "series/chunk.h"
#include "track/hardware.h"

#include <string.h>

#define ATTEMPTS 50
#define SLOTS_AT_ONCE 4096

uint32_t tmon_ring_find(const tmon_ring *ring, const char *key) {
  char name[256];
  uint32_t count = tmon_ring_metrics(ring);
  for (uint32_t id = 1; id <= count; id++) {
    if (tmon_ring_key(name, ring, id) == TMON_OK && strcmp(name, key) == 0) return id;
  }
  return 0;
}

static int reserve_points(tmon_snapshot_writer *writer, size_t extra) {
  if (writer->capacity - writer->count >= extra) return TMON_OK;
  size_t capacity = writer->capacity == 0 ? 1024 : writer->capacity * 2;
  if (capacity < writer->count + extra) capacity = writer->count + extra;
  tmon_point *grown = tmon_realloc(writer->points, capacity, sizeof *grown);
  if (grown == NULL) return tmon_error_no_memory();
  writer->points = grown;
  writer->capacity = capacity;
  return TMON_OK;
}

static int find_metric(tmon_snapshot *snapshot, const char *key) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, snapshot->tx, "SELECT id FROM metric_keys WHERE session = ? AND key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, snapshot->session);
  tmon_bind_text(row, 2, key);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    snapshot->metric = tmon_row_int(row, 0);
    snapshot->found = true;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int list_writers(tmon_snapshot *snapshot) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, snapshot->tx,
      "SELECT w.id, w.attempt, w.first_step, w.closed, w.ring_path, f.count, f.min_step, f.max_step, f.min_time, f.max_time FROM writers w"
      " LEFT JOIN folded f ON f.writer = w.id AND f.metric = ?2 WHERE w.session = ?1 ORDER BY w.attempt, w.id");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, snapshot->session);
  tmon_bind_int(row, 2, snapshot->metric);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_snapshot_writer *grown = tmon_realloc(snapshot->writers, snapshot->writer_count + 1, sizeof *grown);
    if (grown == NULL) {
      result = tmon_error_no_memory();
      break;
    }
    snapshot->writers = grown;
    tmon_snapshot_writer *writer = &grown[snapshot->writer_count++];
    memset(writer, 0, sizeof *writer);
    writer->writer = tmon_row_int(row, 0);
    writer->attempt = tmon_row_int(row, 1);
    writer->first_step = tmon_row_is_null(row, 2) ? INT64_MAX : tmon_row_int(row, 2);
    writer->folded_count = tmon_row_is_null(row, 5) ? 0 : (uint64_t)tmon_row_int(row, 5);
    for (int axis = 0; axis < 2; axis++) {
      writer->low[axis] = tmon_row_int(row, 6 + 2 * axis);
      writer->high[axis] = tmon_row_int(row, 7 + 2 * axis);
    }
    if (tmon_row_int(row, 3) == 0 && (writer->ring_path = tmon_strdup(tmon_row_text(row, 4))) == NULL) {
      result = tmon_error_no_memory();
      break;
    }
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* An attempt hides what earlier attempts logged from its first step on. */
static void mark_superseded(tmon_snapshot *snapshot, bool is_hardware) {
  for (size_t i = 0; i < snapshot->writer_count; i++) {
    snapshot->writers[i].step_end = INT64_MAX;
    for (size_t later = i + 1; !is_hardware && later < snapshot->writer_count; later++) {
      if (snapshot->writers[later].attempt > snapshot->writers[i].attempt && snapshot->writers[later].first_step < snapshot->writers[i].step_end) {
        snapshot->writers[i].step_end = snapshot->writers[later].first_step;
      }
    }
  }
}

static int read_deltas(tmon_snapshot *snapshot, tmon_snapshot_writer *writer) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, snapshot->tx,
      "SELECT data FROM deltas WHERE writer = ?1 AND seq > coalesce((SELECT seq FROM folded WHERE metric = ?2 AND writer = ?1), 0) ORDER BY seq");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, writer->writer);
  tmon_bind_int(row, 2, snapshot->metric);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    size_t taken = 0;
    tmon_delta_entry entry;
    const void *data = tmon_row_blob(row, 0, &size);
    result = tmon_delta_find(data, size, snapshot->metric, &entry);
    if (result == TMON_DONE) continue;
    if (result == TMON_OK) result = reserve_points(writer, entry.count);
    if (result == TMON_OK) {
      result = tmon_chunk_decode(writer->points + writer->count, writer->capacity - writer->count, &taken, entry.chunk, entry.size);
    }
    if (result != TMON_OK) break;
    writer->count += taken;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* Takes the points of one lane; `again` receives true when the snapshot is too old. */
static int read_lane(tmon_snapshot_writer *writer, const tmon_ring *ring, unsigned lane, uint64_t position, uint32_t id, tmon_slot *slots, bool *again) {
  uint64_t tail = tmon_ring_tail(ring, lane);
  while (position < tail) {
    size_t wanted = tail - position < SLOTS_AT_ONCE ? (size_t)(tail - position) : SLOTS_AT_ONCE;
    size_t count = tmon_ring_read(ring, lane, &position, slots, wanted, again);
    if (*again || count == 0) return TMON_OK;
    int result = reserve_points(writer, count);
    if (result != TMON_OK) return result;
    for (size_t i = 0; i < count; i++) {
      if (slots[i].kind != TMON_SLOT_POINT) continue;
      /* Of any training metric, as the drainer counts it. */
      if (slots[i].point.step < writer->first_step && !tmon_hardware_is_metric(ring, slots[i].metric)) writer->first_step = slots[i].point.step;
      if (slots[i].metric == id) writer->points[writer->count++] = slots[i].point;
    }
  }
  return TMON_OK;
}

static int read_ring(tmon_snapshot *snapshot, tmon_snapshot_writer *writer, const char *key, bool *again) {
  uint64_t positions[TMON_RING_LANES];
  tmon_ring *ring = NULL;
  tmon_slot *slots = NULL;
  if (tmon_ring_open(&ring, writer->ring_path, false) != TMON_OK) {
    *again = true; /* ended since the transaction began, or out of reach */
    return TMON_OK;
  }
  int result = tmon_positions_read(positions, snapshot->tx, writer->writer);
  uint32_t id = tmon_ring_find(ring, key);
  if (result != TMON_OK) goto out;
  if (id != 0) snapshot->found = true;
  slots = tmon_alloc(SLOTS_AT_ONCE * sizeof *slots);
  if (slots == NULL) result = tmon_error_no_memory();
  for (unsigned lane = 0; result == TMON_OK && !*again && lane < TMON_RING_LANES; lane++) {
    result = read_lane(writer, ring, lane, positions[lane], id, slots, again);
  }
out:
  tmon_free(slots);
  tmon_ring_close(ring);
  return result;
}

static int read_all(tmon_snapshot *out, tmon_store *store, const char *session_id, const char *key, bool *again) {
  memset(out, 0, sizeof *out);
  int result = tmon_tx_begin(&out->tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&out->session, out->tx, session_id);
  if (result == TMON_OK) result = find_metric(out, key);
  if (result == TMON_OK) result = list_writers(out);
  for (size_t i = 0; result == TMON_OK && i < out->writer_count; i++) {
    if (out->metric != 0) result = read_deltas(out, &out->writers[i]);
    if (result == TMON_OK && out->writers[i].ring_path != NULL) result = read_ring(out, &out->writers[i], key, again);
  }
  if (result == TMON_OK) mark_superseded(out, tmon_hardware_is_key(key)); /* last: a new attempt may lie in its ring alone */
  return result;
}

int tmon_snapshot_open(tmon_snapshot *out, tmon_store *store, const char *session_id, const char *key) {
  memset(out, 0, sizeof *out);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result == TMON_OK && (key == NULL || !tmon_text_is_key(key))) result = tmon_error_set(TMON_EINVAL, "the metric name is not allowed");
  if (result != TMON_OK) return result;
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    bool again = false;
    result = read_all(out, store, session_id, key, &again);
    /* A ring that stays out of reach lies on another host: what is committed is what can be had. */
    if (result != TMON_OK || !again || attempt == ATTEMPTS - 1) break;
    tmon_snapshot_close(out);
    if (attempt >= 2) tmon_clock_sleep_us(200);
  }
  if (result == TMON_OK && !out->found) result = tmon_error_set(TMON_ENOTFOUND, "session %s has no metric \"%s\"", session_id, key);
  if (result != TMON_OK) tmon_snapshot_close(out);
  return result;
}

void tmon_snapshot_close(tmon_snapshot *snapshot) {
  for (size_t i = 0; i < snapshot->writer_count; i++) {
    tmon_free(snapshot->writers[i].points);
    tmon_free(snapshot->writers[i].ring_path);
  }
  tmon_free(snapshot->writers);
  tmon_tx_abort(snapshot->tx);
  memset(snapshot, 0, sizeof *snapshot);
}
