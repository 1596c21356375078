/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Ranks of one distributed training: each process has a writer and a ring of its own under one session. Rank 0 owns status, progress and epochs: its start begins
 * the attempt, its end or its death ends the session, whatever the others do. Who comes first makes the session, so that no order of start is needed: a rank that
 * finds no live attempt begins one, and rank 0 joins it later. An attempt that rank 0 never joined ends with the last of its ranks.
 */
#include "track/session.h"

#include "series/ring.h"
#include "util/json.h"

#include <string.h>

#define RANKS_BYTES_MAXIMUM (16u << 20)

int tmon_rank_owns(bool *owns, tmon_tx *tx, int64_t writer) {
  tmon_row *row = NULL;
  *owns = false;
  /* Rank 0 of the present attempt; without one, the last open writer of it. */
  int result = tmon_tx_prepare(&row, tx,
      "SELECT w.rank = 0 OR NOT EXISTS (SELECT 1 FROM writers o WHERE o.session = w.session AND o.attempt = w.attempt AND o.id <> w.id"
      " AND (o.rank = 0 OR o.closed = 0)) FROM writers w JOIN training_sessions s ON s.key = w.session WHERE w.id = ? AND w.attempt = s.attempts");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, writer);
  result = tmon_row_step(row);
  *owns = result == TMON_OK && tmon_row_int(row, 0) != 0;
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static bool is_alive(const char *path, const char *host, const tmon_process *self, bool closed) {
  bool alive = false;
  return !closed && path != NULL && host != NULL && strcmp(host, self->host) == 0 && tmon_ring_is_alive(path, &alive) == TMON_OK && alive;
}

static int64_t ring_dropped(const char *path, bool alive, int64_t committed) {
  tmon_ring *ring = NULL;
  int64_t dropped = committed;
  if (alive && tmon_ring_open(&ring, path, false) == TMON_OK) dropped = (int64_t)tmon_ring_dropped(ring);
  tmon_ring_close(ring);
  return dropped;
}

static int write_ranks(tmon_buffer *out, tmon_tx *tx, int64_t session) {
  tmon_json_writer json;
  tmon_process self;
  tmon_row *row = NULL;
  int result = tmon_process_self(&self);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(
        &row, tx, "SELECT rank, attempt, pid, host, ring_path, closed, dropped, heartbeat_at FROM writers WHERE session = ? ORDER BY attempt, rank, id");
  }
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '[');
  while ((result = tmon_row_step(row)) == TMON_OK) {
    char time[TMON_ISO_TIME_BYTES];
    bool alive = is_alive(tmon_row_text(row, 4), tmon_row_text(row, 3), &self, tmon_row_int(row, 5) != 0);
    tmon_text_from_time(time, tmon_row_int(row, 7));
    tmon_json_open(&json, NULL, '{');
    tmon_json_put_int(&json, "rank", tmon_row_int(row, 0));
    tmon_json_put_int(&json, "attempt", tmon_row_int(row, 1));
    tmon_json_put_int(&json, "pid", tmon_row_int(row, 2));
    tmon_json_put_text(&json, "host", tmon_row_text(row, 3));
    tmon_json_put_bool(&json, "live", alive);
    tmon_json_put_int(&json, "dropped", ring_dropped(tmon_row_text(row, 4), alive, tmon_row_int(row, 6)));
    tmon_json_put_text(&json, "heartbeat_at", time);
    tmon_json_close(&json, '}');
  }
  tmon_json_close(&json, ']');
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_record_ranks_json(char **out, tmon_store *store, const char *id) {
  tmon_tx *tx = NULL;
  tmon_buffer text;
  int64_t key = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  tmon_buffer_init(&text, RANKS_BYTES_MAXIMUM);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(id);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&key, tx, id);
  if (result == TMON_OK) result = write_ranks(&text, tx, key);
  if (result == TMON_OK && text.error != TMON_OK) result = tmon_error_set(text.error, "the ranks of session %s do not fit in memory", id);
  tmon_tx_abort(tx);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return result;
}
