/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Drains one ring. A transaction carries the packed points, the epoch rows, the drained position of each lane and the session's progress together, so
 * that a crash at any instant leaves either all of them or none: the next drainer goes on at the stored positions and no point is taken twice. Slots are
 * given back to the writer only after the commit.
 */
#include "track/drain.h"

#include "track/hardware.h"
#include "util/buffer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DELTA_BYTES_MAXIMUM (64u << 20)
#define KEEP_FILL 0.2 /* below the quarter at which the drainer commits early */

void tmon_drain_init(tmon_drain *drain, tmon_db *db, tmon_ring *ring, int64_t writer, int64_t session, const char *session_id) {
  memset(drain, 0, sizeof *drain);
  drain->db = db;
  drain->ring = ring;
  drain->writer = writer;
  drain->session = session;
  drain->stale = true;
  drain->beat = tmon_clock_monotonic_us();
  tmon_alerts_init(&drain->alerts);
  (void)tmon_text_copy(drain->session_id, sizeof drain->session_id, session_id);
}

void tmon_drain_free(tmon_drain *drain) {
  tmon_free(drain->metrics);
  tmon_free(drain->deltas);
  tmon_free(drain->slots);
  tmon_free(drain->points);
  tmon_alerts_free(&drain->alerts);
  memset(drain, 0, sizeof *drain);
}

static int reserve(void **memory, size_t *capacity, size_t count, size_t size) {
  if (count <= *capacity) return TMON_OK;
  size_t wanted = *capacity < 64 ? 64 : *capacity;
  while (wanted < count) wanted *= 2;
  void *grown = tmon_realloc(*memory, wanted, size);
  if (grown == NULL) return tmon_error_no_memory();
  *memory = grown;
  *capacity = wanted;
  return TMON_OK;
}

/* Up to where each lane is read. What a thread wrote into an older ring came before what it wrote into this one, so the older ring is looked at after the
 * tails of this one, and what it had goes first, in lane 0. false: not all of that had room; the other lanes wait. */
static bool choose_tails(const tmon_drain *drain, uint64_t tails[TMON_RING_LANES]) {
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) tails[lane] = tmon_ring_tail(drain->ring, lane);
  if (drain->take == NULL) return true;
  tmon_ring_release(drain->ring, 0, drain->positions[0]); /* or it could be full of what is committed already */
  bool all = drain->take(drain->payload);
  tails[0] = tmon_ring_tail(drain->ring, 0);
  if (!all) memset(&tails[1], 0, (TMON_RING_LANES - 1) * sizeof tails[1]);
  return all;
}

/* Reads slots of all lanes up to `tails`, at most TMON_DRAIN_SLOTS; `positions` receives where each lane then stands. */
static int read_slots(tmon_drain *drain, const uint64_t tails[TMON_RING_LANES], uint64_t positions[TMON_RING_LANES], size_t *count) {
  *count = 0;
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    positions[lane] = drain->positions[lane];
    while (positions[lane] < tails[lane] && *count < TMON_DRAIN_SLOTS) {
      uint64_t left = tails[lane] - positions[lane];
      size_t wanted = left < TMON_DRAIN_SLOTS - *count ? (size_t)left : TMON_DRAIN_SLOTS - *count;
      void *slots = drain->slots;
      int result = reserve(&slots, &drain->slot_capacity, *count + wanted, sizeof *drain->slots);
      drain->slots = slots;
      if (result != TMON_OK) return result;
      bool lapped = false;
      size_t taken = tmon_ring_read(drain->ring, lane, &positions[lane], drain->slots + *count, wanted, &lapped);
      if (lapped) return tmon_error_set(TMON_ECORRUPT, "lane %u lost the slots from %llu on", lane, (unsigned long long)positions[lane]);
      if (taken == 0) break;
      *count += taken;
    }
  }
  return TMON_OK;
}

int tmon_drain_reserve_metrics(tmon_drain *drain, size_t count) {
  if (count <= drain->metric_count) return TMON_OK;
  tmon_drain_metric *grown = tmon_realloc(drain->metrics, count, sizeof *grown);
  if (grown == NULL) return tmon_error_no_memory();
  memset(grown + drain->metric_count, 0, (count - drain->metric_count) * sizeof *grown);
  drain->metrics = grown;
  drain->metric_count = count;
  return TMON_OK;
}

/* Makes the rows of metrics that the ring knows and the store does not. */
static int register_metrics(tmon_drain *drain, tmon_tx *tx, const tmon_slot *slots, size_t count) {
  uint32_t known = tmon_ring_metrics(drain->ring);
  int result = tmon_drain_reserve_metrics(drain, known);
  for (size_t i = 0; result == TMON_OK && i < count; i++) {
    uint32_t id = slots[i].metric;
    if (slots[i].kind != TMON_SLOT_POINT) continue;
    if (id == 0 || id > known) return tmon_error_set(TMON_ECORRUPT, "a slot names metric %u of %u", id, known);
    if (drain->metrics[id - 1].row != 0) continue;
    char key[256];
    tmon_row *row = NULL;
    result = tmon_ring_key(key, drain->ring, id);
    if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "INSERT INTO metric_keys (session, key) VALUES (?, ?) ON CONFLICT DO NOTHING");
    if (result != TMON_OK) break;
    tmon_bind_int(row, 1, drain->session);
    tmon_bind_text(row, 2, key);
    result = tmon_row_run(row);
    if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT id FROM metric_keys WHERE session = ? AND key = ?");
    if (result != TMON_OK) break;
    tmon_bind_int(row, 1, drain->session);
    tmon_bind_text(row, 2, key);
    result = tmon_row_step(row);
    if (result == TMON_OK) drain->metrics[id - 1].row = tmon_row_int(row, 0);
    tmon_row_reset(row);
  }
  return result;
}

/* Sorts the points of `slots` by metric, keeping their order; `starts` has one entry a metric and one more. */
static int group_points(tmon_drain *drain, size_t count, size_t *starts) {
  void *points = drain->points;
  int result = reserve(&points, &drain->point_capacity, count, sizeof *drain->points);
  drain->points = points;
  if (result != TMON_OK) return result;
  memset(starts, 0, (drain->metric_count + 1) * sizeof *starts);
  for (size_t i = 0; i < count; i++) {
    if (drain->slots[i].kind == TMON_SLOT_POINT) starts[drain->slots[i].metric]++;
  }
  for (size_t m = 1; m <= drain->metric_count; m++) starts[m] += starts[m - 1];
  /* Filled from the back: each start moves down to its first point. */
  for (size_t i = count; i-- > 0;) {
    if (drain->slots[i].kind == TMON_SLOT_POINT) drain->points[--starts[drain->slots[i].metric]] = drain->slots[i].point;
  }
  for (size_t m = 0; m < drain->metric_count; m++) starts[m] = starts[m + 1];
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += drain->slots[i].kind == TMON_SLOT_POINT;
  starts[drain->metric_count] = total;
  return TMON_OK;
}

static int compare_groups(const void *a, const void *b) {
  int64_t left = ((const tmon_delta_group *)a)->metric;
  int64_t right = ((const tmon_delta_group *)b)->metric;
  return (left > right) - (left < right);
}

static int insert_delta(tmon_drain *drain, tmon_tx *tx, int64_t seq, tmon_delta_group *groups, size_t count, size_t points) {
  tmon_buffer packed;
  tmon_row *row = NULL;
  tmon_buffer_init(&packed, DELTA_BYTES_MAXIMUM);
  qsort(groups, count, sizeof *groups, compare_groups);
  int result = tmon_delta_encode(&packed, groups, count);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "INSERT INTO deltas (writer, seq, level, points, data) VALUES (?, ?, 0, ?, ?)");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, drain->writer);
    tmon_bind_int(row, 2, seq);
    tmon_bind_int(row, 3, (int64_t)points);
    tmon_bind_blob(row, 4, packed.data, packed.size);
    result = tmon_row_run(row);
  }
  tmon_buffer_free(&packed);
  return result;
}

/* Writes the grouped points: long runs as chunks at once, the rest as one delta. `seq` moves past the numbers used. */
static int write_points(tmon_drain *drain, tmon_tx *tx, const size_t *starts, int64_t *seq, int64_t *delta_seq, size_t *delta_points) {
  tmon_delta_group *groups = tmon_alloc_zero(drain->metric_count, sizeof *groups);
  size_t group_count = 0;
  int result = groups == NULL ? tmon_error_no_memory() : TMON_OK;
  *delta_points = 0;
  for (size_t m = 0; result == TMON_OK && m < drain->metric_count; m++) {
    const tmon_point *points = drain->points + starts[m];
    size_t left = starts[m + 1] - starts[m];
    /* A long run becomes chunks at once, unless older points of the metric still lie in deltas: chunks stay in order of arrival. */
    while (result == TMON_OK && left >= TMON_CHUNK_POINTS && drain->metrics[m].pending == 0) {
      size_t taken = left < 2 * TMON_CHUNK_POINTS ? left : TMON_CHUNK_POINTS;
      result = tmon_fold_add_chunk(drain, tx, &drain->metrics[m], (*seq)++, points, taken);
      points += taken;
      left -= taken;
    }
    if (left > 0) {
      groups[group_count++] = (tmon_delta_group){drain->metrics[m].row, points, left};
      drain->metrics[m].pending += (uint32_t)left;
      *delta_points += left;
    }
  }
  if (result == TMON_OK && group_count > 0) {
    *delta_seq = (*seq)++;
    result = insert_delta(drain, tx, *delta_seq, groups, group_count, *delta_points);
  }
  tmon_free(groups);
  return result;
}

/* Epoch values come as one slot each; neighbours of the same epoch become one row. */
static int write_epochs(tmon_drain *drain, tmon_tx *tx, size_t count) {
  enum { MOST = 256 };
  tmon_epoch_entry entries[MOST];
  char(*keys)[256] = NULL;
  size_t used = 0;
  int result = TMON_OK;
  for (size_t i = 0; i < count && result == TMON_OK; i++) {
    const tmon_slot *slot = &drain->slots[i];
    if (slot->kind != TMON_SLOT_EPOCH) continue;
    if (keys == NULL && (keys = tmon_alloc(MOST * sizeof *keys)) == NULL) return tmon_error_no_memory();
    if (used == MOST || (used > 0 && entries[0].epoch != slot->point.step)) {
      result = tmon_epoch_write(tx, drain->session_id, entries, used);
      used = 0;
    }
    if (result == TMON_OK) result = tmon_ring_key(keys[used], drain->ring, slot->metric);
    entries[used] = (tmon_epoch_entry){slot->point.step, keys[used], slot->point.value};
    used++;
  }
  if (result == TMON_OK && used > 0) result = tmon_epoch_write(tx, drain->session_id, entries, used);
  tmon_free(keys);
  return result;
}

static int write_positions(tmon_drain *drain, tmon_tx *tx, const uint64_t *positions) {
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    tmon_row *row = NULL;
    if (positions[lane] == drain->positions[lane]) continue;
    int result = tmon_tx_prepare(&row, tx,
        "INSERT INTO lane_positions (writer, lane, position) VALUES (?, ?, ?) ON CONFLICT (writer, lane) DO UPDATE SET position = excluded.position");
    if (result != TMON_OK) return result;
    tmon_bind_int(row, 1, drain->writer);
    tmon_bind_int(row, 2, lane);
    tmon_bind_int(row, 3, (int64_t)positions[lane]);
    if ((result = tmon_row_run(row)) != TMON_OK) return result;
  }
  return TMON_OK;
}

static bool is_same(const tmon_progress *a, const tmon_progress *b) {
  return a->epoch == b->epoch && a->epochs == b->epochs && a->batch == b->batch && a->batches == b->batches && a->images == b->images &&
      a->fraction == b->fraction;
}

static int add_drops(const tmon_drain *drain, tmon_tx *tx, int64_t dropped) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "UPDATE training_sessions SET dropped = dropped + ? WHERE key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, dropped - drain->dropped);
  tmon_bind_int(row, 2, drain->session);
  return tmon_row_run(row);
}

/* The session's row carries progress and losses; it is written only when they changed, because each write is a row in the change feed. */
static int write_session(tmon_drain *drain, tmon_tx *tx, const tmon_progress *progress, int64_t dropped) {
  tmon_row *row = NULL;
  if (dropped == drain->dropped && (drain->follows || is_same(progress, &drain->progress))) return TMON_OK;
  if (drain->follows) return add_drops(drain, tx, dropped);
  int result = tmon_tx_prepare(&row, tx,
      "UPDATE training_sessions SET progress_epoch = ?, progress_epochs = ?, progress_batch = ?, progress_batches = ?, progress_images = ?,"
      " progress_fraction = ?, dropped = dropped + ? WHERE key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, progress->epoch);
  tmon_bind_int(row, 2, progress->epochs);
  tmon_bind_int(row, 3, progress->batch);
  tmon_bind_int(row, 4, progress->batches);
  tmon_bind_int(row, 5, progress->images);
  tmon_bind_double(row, 6, progress->fraction);
  tmon_bind_int(row, 7, dropped - drain->dropped);
  tmon_bind_int(row, 8, drain->session);
  return tmon_row_run(row);
}

static int write_writer(tmon_drain *drain, tmon_tx *tx, int64_t next_seq, int64_t first_step, int64_t dropped) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "UPDATE writers SET next_seq = ?, first_step = ?, dropped = ?, heartbeat_at = ? WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, next_seq);
  if (first_step == INT64_MAX) tmon_bind_null(row, 2);
  else tmon_bind_int(row, 2, first_step);
  tmon_bind_int(row, 3, dropped);
  tmon_bind_int(row, 4, tmon_clock_now_us());
  tmon_bind_int(row, 5, drain->writer);
  return tmon_row_run(row);
}

static int64_t lowest_step(const tmon_drain *drain, size_t count) {
  int64_t lowest = drain->first_step;
  for (size_t i = 0; i < count; i++) {
    if (drain->slots[i].kind == TMON_SLOT_POINT && drain->slots[i].point.step < lowest && !tmon_hardware_is_metric(drain->ring, drain->slots[i].metric))
      lowest = drain->slots[i].point.step;
  }
  return lowest;
}

/* One transaction with the slots that read_slots took; with the first of them where alerts take long, and `positions` says up to where. */
static int commit_slots(tmon_drain *drain, uint64_t *positions, size_t count, int64_t timeout_us) {
  tmon_tx *tx = NULL;
  size_t *starts = NULL;
  int64_t delta_seq = 0;
  size_t delta_points = 0;
  tmon_progress progress = drain->progress;
  int64_t dropped = (int64_t)tmon_ring_dropped(drain->ring);
  int64_t first_step = 0;
  int64_t seq = drain->next_seq;
  (void)tmon_ring_progress(&progress, drain->ring);
  int result = tmon_tx_begin(&tx, drain->db, true, timeout_us);
  if (result != TMON_OK) return result;
  result = tmon_alerts_drain(drain, tx, positions, &count);
  if (result == TMON_OK) result = register_metrics(drain, tx, drain->slots, count);
  if (result != TMON_OK) goto out;
  first_step = lowest_step(drain, count);
  starts = tmon_alloc_zero(drain->metric_count + 1, sizeof *starts);
  result = starts == NULL ? tmon_error_no_memory() : group_points(drain, count, starts);
  if (result == TMON_OK) result = write_points(drain, tx, starts, &seq, &delta_seq, &delta_points);
  if (result == TMON_OK && !drain->follows) result = write_epochs(drain, tx, count);
  if (result == TMON_OK) result = write_positions(drain, tx, positions);
  if (result == TMON_OK) result = write_session(drain, tx, &progress, dropped);
  if (result == TMON_OK) result = write_writer(drain, tx, seq, first_step, dropped);
  if (result == TMON_OK && delta_points > 0) result = tmon_drain_add_delta(drain, delta_seq, delta_points, delta_points);
  if (result == TMON_OK) {
    result = tmon_tx_commit(tx);
    tx = NULL;
  }
  if (result != TMON_OK) goto out;
  drain->alerts.committed = drain->alerts.told.count;
  drain->next_seq = seq;
  drain->first_step = first_step;
  drain->progress = progress;
  drain->dropped = dropped;
  drain->beat = tmon_clock_monotonic_us();
  /* While there is room, slots stay one commit longer, so that a follow that looks each 20 ms is not lapped by a commit. */
  const uint64_t *given_back = tmon_ring_fill(drain->ring) < KEEP_FILL ? drain->positions : positions;
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) tmon_ring_release(drain->ring, lane, given_back[lane]);
  memcpy(drain->positions, positions, sizeof drain->positions);
out:
  tmon_tx_abort(tx);
  tmon_free(starts);
  if (result != TMON_OK) drain->stale = true;
  return result;
}

/* Nothing to commit: says that the writer lives. One small transaction in TMON_BEAT_US. */
static int write_beat(tmon_drain *drain, int64_t timeout_us) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int64_t now = tmon_clock_monotonic_us();
  if (now - drain->beat < TMON_BEAT_US) return TMON_OK;
  int result = tmon_tx_begin(&tx, drain->db, true, timeout_us);
  if (result != TMON_OK) return result;
  result = tmon_tx_prepare(&row, tx, "UPDATE writers SET heartbeat_at = ? WHERE id = ?");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, tmon_clock_now_us());
    tmon_bind_int(row, 2, drain->writer);
    result = tmon_row_run(row);
  }
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  result = tmon_tx_commit(tx);
  if (result == TMON_OK) drain->beat = now;
  return result;
}

int tmon_drain_run(tmon_drain *drain, int64_t timeout_us, int64_t deadline_us) {
  uint64_t positions[TMON_RING_LANES];
  uint64_t tails[TMON_RING_LANES];
  tmon_progress progress = drain->progress;
  bool all = false;
  if (drain->stale) {
    tmon_tx *tx = NULL;
    tmon_alerts_reset(&drain->alerts);
    int result = tmon_tx_begin(&tx, drain->db, false, timeout_us);
    if (result == TMON_OK) result = tmon_drain_load(drain, tx);
    tmon_tx_abort(tx);
    if (result != TMON_OK) return result;
  }
  (void)tmon_ring_progress(&progress, drain->ring);
  bool state_changed = !is_same(&progress, &drain->progress) || (int64_t)tmon_ring_dropped(drain->ring) != drain->dropped;
  for (;;) {
    size_t count = 0;
    /* Once: what came since is not waited for, or threads that log without a pause would keep this one here. */
    if (!all) all = choose_tails(drain, tails);
    int result = read_slots(drain, tails, positions, &count);
    if (result != TMON_OK) return result;
    if (count == 0 && !state_changed) break;
    result = commit_slots(drain, positions, count, timeout_us);
    if (result != TMON_OK) return result;
    state_changed = false;
    if (deadline_us > 0 && tmon_clock_monotonic_us() > deadline_us) return tmon_error_set(TMON_EBUSY, "the time to drain is over");
  }
  int result = tmon_alerts_stall(drain, timeout_us);
  if (result == TMON_OK) result = write_beat(drain, timeout_us);
  return result == TMON_OK ? tmon_fold_run(drain, timeout_us, TMON_CHUNK_POINTS) : result;
}
