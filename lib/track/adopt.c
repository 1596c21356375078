/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Adoption: who opens the store looks at each writer that has not closed. A ring whose liveness lock can be had belongs to a dead process: its points are
 * drained, the final status it holds is applied, else the session reads `interrupted`. The lock is kept while adopting, so that two processes never
 * adopt the same ring. A ring of another host is left alone: it can't be judged from here.
 */
#include "track/record.h"
#include "track/session.h"

#include "util/file.h"

#include <string.h>

/* A ring that vanished: how long its writer must have been silent before the session counts as interrupted. */
#define GONE_US (3 * TMON_BEAT_US)

typedef struct orphan {
  int64_t writer;
  int64_t session;
  int64_t heartbeat;
  char id[TMON_ID_BYTES];
  char ring_id[TMON_ID_BYTES];
  char boot_id[TMON_ID_BYTES];
  char host[65];
  char *path;
  bool closed; /* ended in order, but deltas are left to fold */
} orphan;

int tmon_writer_close(tmon_tx *tx, int64_t writer) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "UPDATE writers SET closed = 1 WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, writer);
  return tmon_row_run(row);
}

int tmon_session_write_status(tmon_tx *tx, const char *id, tmon_status status, int64_t time, const char *error_text) {
  static const char sql[] =
      "UPDATE training_sessions SET status = ?2, completed_at = ?3, error_message = coalesce(?4, error_message), paused = 0, control = 0,"
      " final_loss = coalesce(final_loss, (SELECT coalesce(val_loss, total_loss) FROM training_metrics m WHERE m.session_id = ?1 ORDER BY epoch DESC LIMIT 1)),"
      " final_map50 = coalesce(final_map50, (SELECT map50 FROM training_metrics m WHERE m.session_id = ?1 ORDER BY epoch DESC LIMIT 1)),"
      " final_map50_95 = coalesce(final_map50_95, (SELECT map50_95 FROM training_metrics m WHERE m.session_id = ?1 ORDER BY epoch DESC LIMIT 1)),"
      " final_precision = coalesce(final_precision, (SELECT precision FROM training_metrics m WHERE m.session_id = ?1 ORDER BY epoch DESC LIMIT 1)),"
      " final_recall = coalesce(final_recall, (SELECT recall FROM training_metrics m WHERE m.session_id = ?1 ORDER BY epoch DESC LIMIT 1))"
      " WHERE id = ?1";
  char text[TMON_ISO_TIME_BYTES];
  tmon_row *row = NULL;
  tmon_text_from_time(text, time);
  int result = tmon_tx_prepare(&row, tx, sql);
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  tmon_bind_text(row, 2, tmon_status_name(status));
  tmon_bind_text(row, 3, text);
  tmon_bind_text(row, 4, error_text);
  result = tmon_row_run(row);
  const char *level = status == TMON_STATUS_FAILED ? "error" : status == TMON_STATUS_INTERRUPTED ? "warning" : "info";
  return result == TMON_OK ? tmon_event_write(tx, id, tmon_status_name(status), level, error_text) : result;
}

static void free_orphans(orphan *orphans, size_t count) {
  for (size_t i = 0; orphans != NULL && i < count; i++) tmon_free(orphans[i].path);
  tmon_free(orphans);
}

/* Open writers, and closed ones that left many deltas when they had no time to fold. */
static int list_orphans(orphan **out, size_t *count, tmon_store *store) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  size_t capacity = 0;
  *out = NULL;
  *count = 0;
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "SELECT w.id, w.session, w.heartbeat_at, s.id, w.ring_id, w.boot_id, w.host, w.ring_path, w.closed FROM writers w"
        " JOIN training_sessions s ON s.key = w.session WHERE w.closed = 0 OR EXISTS (SELECT 1 FROM deltas d WHERE d.writer = w.id) ORDER BY w.id");
  }
  while (result == TMON_OK && (result = tmon_row_step(row)) == TMON_OK) {
    if (*count == capacity) {
      capacity = capacity == 0 ? 16 : capacity * 2;
      orphan *grown = tmon_realloc(*out, capacity, sizeof *grown);
      if (grown == NULL) {
        result = tmon_error_no_memory();
        break;
      }
      *out = grown;
    }
    orphan *found = *out + (*count)++;
    memset(found, 0, sizeof *found);
    found->writer = tmon_row_int(row, 0);
    found->session = tmon_row_int(row, 1);
    found->heartbeat = tmon_row_int(row, 2);
    (void)tmon_text_copy(found->id, sizeof found->id, tmon_row_text(row, 3));
    (void)tmon_text_copy(found->ring_id, sizeof found->ring_id, tmon_row_text(row, 4));
    (void)tmon_text_copy(found->boot_id, sizeof found->boot_id, tmon_row_text(row, 5));
    (void)tmon_text_copy(found->host, sizeof found->host, tmon_row_text(row, 6));
    found->path = tmon_strdup(tmon_row_text(row, 7));
    found->closed = tmon_row_int(row, 8) != 0;
    if (found->path == NULL) result = tmon_error_no_memory();
  }
  if (row != NULL) tmon_row_reset(row);
  tmon_tx_abort(tx);
  return result == TMON_DONE ? TMON_OK : result;
}

/* Closes the writer and, where its end is that of the session, sets the session's status. */
static int end_session(tmon_store *store, const orphan *found, tmon_status status, int64_t time, const char *error_text, bool *changed) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  bool owns = false;
  int64_t running = 0;
  int result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result == TMON_OK) result = tmon_rank_owns(&owns, tx, found->writer);
  if (result == TMON_OK) result = tmon_writer_close(tx, found->writer);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT status IN ('running', 'pending') FROM training_sessions WHERE key = ?1");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, found->session);
    result = tmon_row_step(row);
    if (result == TMON_OK) running = tmon_row_int(row, 0);
    tmon_row_reset(row);
  }
  if (result == TMON_OK && !owns && running != 0 && status == TMON_STATUS_INTERRUPTED)
    result = tmon_event_write(tx, found->id, "rank_lost", "warning", NULL);
  if (result == TMON_OK && owns && running != 0) {
    result = tmon_session_write_status(tx, found->id, status, time, error_text);
    *changed = result == TMON_OK;
  }
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    *changed = false;
    return result == TMON_DONE ? TMON_OK : result;
  }
  return tmon_tx_commit(tx);
}

static bool is_ring_of(const tmon_ring *ring, const orphan *found) {
  tmon_ring_identity identity;
  uint8_t expected[16];
  tmon_ring_get_identity(&identity, ring);
  return tmon_id_parse(expected, found->ring_id) == TMON_OK && memcmp(expected, identity.ring, sizeof expected) == 0;
}

/* Drains the ring of a dead writer and folds what it left. */
static int take_over(tmon_store *store, tmon_ring *ring, const orphan *found, int64_t time) {
  tmon_drain drain;
  tmon_drain_init(&drain, store->db, ring, found->writer, found->session, found->id);
  drain.until = time;
  int result = tmon_drain_run(&drain, -1, 0);
  if (result == TMON_ECORRUPT) result = TMON_OK; /* a damaged ring must not keep the store from being opened; what could be read is in */
  if (result == TMON_OK && !drain.stale) result = tmon_fold_run(&drain, -1, 1);
  tmon_drain_free(&drain);
  return result;
}

bool tmon_writer_is_gone(int64_t heartbeat, int64_t now) { return now - heartbeat > GONE_US; }

static int adopt_ring(tmon_store *store, const orphan *found, bool *changed) {
  tmon_lock lock = {-1};
  tmon_ring *ring = NULL;
  tmon_status status = TMON_STATUS_INTERRUPTED;
  char error_text[TMON_RING_ERROR_BYTES] = "";
  int64_t time = found->heartbeat;
  int result = tmon_lock_open(&lock, found->path, false);
  if (result == TMON_OK) result = tmon_lock_acquire(&lock, 0);
  if (result != TMON_OK) {
    tmon_lock_close(&lock);
    if (result == TMON_EBUSY) return TMON_OK; /* alive, or being adopted by another process */
    if (result == TMON_ENOTFOUND && tmon_writer_is_gone(time, tmon_clock_now_us())) return end_session(store, found, status, time, NULL, changed);
    return TMON_OK;
  }
  result = tmon_ring_open(&ring, found->path, true);
  if (result == TMON_OK && is_ring_of(ring, found)) {
    if (tmon_ring_heartbeat(ring) > time) time = tmon_ring_heartbeat(ring);
    (void)tmon_ring_final(ring, &status, &time);
    (void)tmon_ring_error(error_text, ring);
    result = take_over(store, ring, found, time);
  } else if (result != TMON_ENOMEM && result != TMON_EVERSION) {
    result = TMON_OK; /* not the ring that was promised: nothing to take */
  }
  if (result == TMON_OK) result = end_session(store, found, status, time, error_text[0] == '\0' ? NULL : error_text, changed);
  if (result == TMON_OK && ring != NULL) (void)tmon_file_remove(found->path);
  tmon_ring_close(ring);
  tmon_lock_close(&lock);
  return result == TMON_EVERSION ? TMON_OK : result; /* a ring of another version is left to that version */
}

/* Folds what a writer that ended in order had no time to fold. */
static int fold_closed(tmon_store *store, const orphan *found) {
  tmon_drain drain;
  tmon_tx *tx = NULL;
  tmon_drain_init(&drain, store->db, NULL, found->writer, found->session, found->id);
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_drain_load(&drain, tx);
  tmon_tx_abort(tx);
  if (result == TMON_OK) result = tmon_fold_run(&drain, -1, 1);
  tmon_drain_free(&drain);
  return result;
}

int tmon_store_adopt(tmon_store *store, size_t *adopted) {
  orphan *orphans = NULL;
  size_t count = 0;
  tmon_process self;
  *adopted = 0;
  int result = tmon_process_self(&self);
  if (result == TMON_OK) result = list_orphans(&orphans, &count, store);
  for (size_t i = 0; result == TMON_OK && i < count; i++) {
    bool changed = false;
    if (orphans[i].closed) result = fold_closed(store, &orphans[i]);
    else if (strcmp(orphans[i].host, self.host) == 0) result = adopt_ring(store, &orphans[i], &changed);
    *adopted += changed;
  }
  free_orphans(orphans, count);
  if (result == TMON_OK) result = tmon_store_clean(store);
  return result;
}
