/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Asking a live session to run, pause or stop, from any process; and the cursor of changes. */
#include "track/record.h"

#include "series/ring.h"

static int write_control(tmon_tx *tx, const char *id, tmon_control control) {
  static const char *const kinds[] = {"resumed", "paused", "stop_asked"};
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "UPDATE training_sessions SET control = ?2, paused = ?3, control_at = ?4 WHERE id = ?1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  tmon_bind_int(row, 2, control);
  tmon_bind_int(row, 3, control == TMON_CONTROL_PAUSE);
  tmon_bind_int(row, 4, tmon_clock_now_us());
  result = tmon_row_run(row);
  return result == TMON_OK ? tmon_event_write(tx, id, kinds[control], "info", NULL) : result;
}

/* Rank 0 reads and broadcasts, but a word in every ring that can be opened reaches trainers that do not broadcast. */
int tmon_control_signal(tmon_tx *tx, const char *id, tmon_control control) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT ring_path FROM writers WHERE closed = 0 AND session = (SELECT key FROM training_sessions WHERE id = ?)");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_ring *ring = NULL;
    const char *path = tmon_row_text(row, 0);
    if (path != NULL && tmon_ring_open(&ring, path, true) == TMON_OK) tmon_ring_set_control(ring, control);
    tmon_ring_close(ring);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int check_live(tmon_tx *tx, const char *id) {
  tmon_row *row = NULL;
  tmon_status status = TMON_STATUS_PENDING;
  int result = tmon_tx_prepare(&row, tx, "SELECT status FROM training_sessions WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  result = tmon_row_step(row);
  if (result == TMON_OK) (void)tmon_status_parse(tmon_row_text(row, 0), &status);
  tmon_row_reset(row);
  if (result == TMON_DONE) return tmon_error_set(TMON_ENOTFOUND, "no session %s in this store", id);
  if (result == TMON_OK && status != TMON_STATUS_RUNNING && status != TMON_STATUS_PENDING) {
    return tmon_error_set(TMON_ESTATE, "session %s is %s, only a live session can be paused, resumed or stopped", id, tmon_status_name(status));
  }
  return result;
}

int tmon_record_request(tmon_store *store, const char *id, tmon_control control) {
  tmon_tx *tx = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(id);
  if (result == TMON_OK && ((int)control < TMON_CONTROL_RUN || control > TMON_CONTROL_STOP)) {
    result = tmon_error_set(TMON_EINVAL, "control is %d, expected run, pause or stop", (int)control);
  }
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result == TMON_OK) result = check_live(tx, id);
  if (result == TMON_OK) result = write_control(tx, id, control);
  if (result == TMON_OK) result = tmon_control_signal(tx, id, control);
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
}

int tmon_store_change_cursor(int64_t *out, tmon_store *store) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = 0;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT coalesce(max(seq), 0) FROM changes");
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result == TMON_OK) {
    *out = tmon_row_int(row, 0);
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return result;
}
