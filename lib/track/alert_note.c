/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alerts that a program raises itself. They are events, not conditions that last: over as they come, so that nobody has to close them. */
#include "track/alert_rule.h"
#include "track/track.h"

#define TITLE_BYTES 256

static int check_note(tmon_alert_note *out, const tmon_alert_note *note) {
  if (note == NULL) return tmon_error_set(TMON_EINVAL, "the note is NULL");
  int result = tmon_options_copy(out, sizeof *out, note, "tmon_alert_note");
  if (result == TMON_OK && (out->title == NULL || *out->title == '\0')) {
    result = tmon_error_set_field(TMON_EINVAL, "title", "title is empty, expected 1 to %d bytes", TITLE_BYTES);
  }
  if (result == TMON_OK) result = tmon_check_text(out->title, TITLE_BYTES, "title");
  if (result == TMON_OK) result = tmon_check_text(out->text, TMON_TEXT_MAXIMUM, "text");
  if (result != TMON_OK) return result;
  if (out->severity == NULL) out->severity = "warning";
  if (out->text == NULL || *out->text == '\0') out->text = out->title;
  return tmon_alert_check_severity(out->severity);
}

static int write_note(int64_t *id, tmon_tx *tx, int64_t session, const tmon_alert_note *note) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO alerts (session, rule, type, severity, metric, position, step, message, time, recovered_at, revision, fired_revision)"
      " VALUES (?1, ?2, 'note', ?3, '', 1 + coalesce((SELECT max(position) FROM alerts WHERE session = ?1 AND rule = ?2 AND metric = '' AND writer = 0 AND lane = 0),"
      " 0), ?4, ?5, ?6, ?6, 1 + (SELECT coalesce(max(seq), 0) FROM changes), 1 + (SELECT coalesce(max(seq), 0) FROM changes))");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_text(row, 2, note->title);
  tmon_bind_text(row, 3, note->severity);
  if (note->step != INT64_MIN) tmon_bind_int(row, 4, note->step);
  tmon_bind_text(row, 5, note->text);
  tmon_bind_int(row, 6, tmon_clock_now_us());
  result = tmon_row_run(row);
  *id = tmon_tx_last_rowid(tx);
  return result;
}

int tmon_alert_add(int64_t *id, tmon_store *store, const char *session_id, const tmon_alert_note *note) {
  tmon_alert_note given;
  tmon_tx *tx = NULL;
  int64_t key = 0;
  int64_t made = 0;
  if (id != NULL) *id = 0;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result == TMON_OK) result = check_note(&given, note);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result != TMON_OK) return result;
  result = tmon_session_key(&key, tx, session_id);
  if (result == TMON_OK) result = write_note(&made, tx, key, &given);
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  result = tmon_tx_commit(tx);
  if (result == TMON_OK && id != NULL) *id = made;
  return result;
}
