/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What happened to a session and who did it: the table `events`. */
#include "track/record.h"

#include "util/buffer.h"
#include "util/json.h"

#define EVENTS_BYTES_MAXIMUM (128u << 20) /* 1,000 of the largest, with room for escapes */

/* {"host": …, "pid": …} of this process. */
static int pack_self(tmon_buffer *out) {
  tmon_process self;
  tmon_json_writer json;
  int result = tmon_process_self(&self);
  if (result != TMON_OK) return result;
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "host", self.host);
  tmon_json_put_int(&json, "pid", self.pid);
  tmon_json_close(&json, '}');
  return out->error == TMON_OK ? TMON_OK : tmon_error_no_memory();
}

int tmon_event_write(tmon_tx *tx, const char *id, const char *kind, const char *level, const char *message) {
  tmon_buffer data;
  tmon_row *row = NULL;
  tmon_buffer_init(&data, 4096);
  int result = pack_self(&data);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(
        &row, tx, "INSERT INTO events (session, time, kind, level, message, data) SELECT key, ?2, ?3, ?4, ?5, ?6 FROM training_sessions WHERE id = ?1");
  }
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, id);
    tmon_bind_int(row, 2, tmon_clock_now_us());
    tmon_bind_text(row, 3, kind);
    tmon_bind_text(row, 4, level);
    tmon_bind_text(row, 5, message);
    tmon_bind_text(row, 6, (const char *)data.data);
    result = tmon_row_run(row);
  }
  tmon_buffer_free(&data);
  return result;
}

int tmon_status_event(tmon_tx *tx, const char *id, tmon_status before, tmon_status after) {
  if (before == after) return TMON_OK;
  const char *kind = tmon_status_name(after);
  if (after == TMON_STATUS_RUNNING) kind = before == TMON_STATUS_PENDING ? "started" : "reopened";
  return tmon_event_write(tx, id, kind, after == TMON_STATUS_FAILED ? "error" : after == TMON_STATUS_INTERRUPTED ? "warning" : "info", NULL);
}

static int find_rest(char *id, tmon_status *status, tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT id, status FROM training_sessions WHERE key = ? AND rest = 1");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    (void)tmon_text_copy(id, TMON_ID_BYTES, tmon_row_text(row, 0));
    (void)tmon_status_parse(tmon_row_text(row, 1), status);
  }
  tmon_row_reset(row);
  return result;
}

int tmon_session_heard(tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  char id[TMON_ID_BYTES];
  char start[TMON_ISO_TIME_BYTES];
  tmon_status status = TMON_STATUS_RUNNING;
  int result = find_rest(id, &status, tx, session);
  if (result != TMON_OK) return result == TMON_DONE ? TMON_OK : result;
  bool begins = status == TMON_STATUS_PENDING || status == TMON_STATUS_INTERRUPTED;
  result = tmon_tx_prepare(&row, tx,
      "UPDATE training_sessions SET lease_at = ?2, status = CASE WHEN ?3 THEN 'running' ELSE status END,"
      " started_at = CASE WHEN ?3 THEN coalesce(started_at, ?4) ELSE started_at END, completed_at = CASE WHEN ?3 THEN NULL ELSE completed_at END WHERE key = ?1");
  if (result != TMON_OK) return result;
  int64_t now = tmon_clock_now_us();
  tmon_text_from_time(start, now);
  tmon_bind_int(row, 1, session);
  tmon_bind_int(row, 2, now);
  tmon_bind_int(row, 3, begins);
  tmon_bind_text(row, 4, start);
  result = tmon_row_run(row);
  return result == TMON_OK && begins ? tmon_status_event(tx, id, status, TMON_STATUS_RUNNING) : result;
}

/* JSON that a shell wrote may be none. */
static int write_events(tmon_buffer *out, tmon_tx *tx, int64_t session, int64_t limit) {
  tmon_json_writer json;
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT * FROM (SELECT id, time, kind, level, step, message, CASE WHEN json_valid(data) THEN data END FROM events WHERE session = ?"
      " ORDER BY time DESC, id DESC LIMIT ?) ORDER BY time, id");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_int(row, 2, limit);
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '[');
  while ((result = tmon_row_step(row)) == TMON_OK) {
    char time[TMON_ISO_TIME_BYTES];
    tmon_text_from_time(time, tmon_row_int(row, 1));
    tmon_json_open(&json, NULL, '{');
    tmon_json_put_text(&json, "time", time);
    tmon_json_put_text(&json, "kind", tmon_row_text(row, 2));
    tmon_json_put_text(&json, "level", tmon_row_text(row, 3));
    if (tmon_row_is_null(row, 4)) tmon_json_put_null(&json, "step");
    else tmon_json_put_int(&json, "step", tmon_row_int(row, 4));
    tmon_json_put_text(&json, "message", tmon_row_text(row, 5));
    tmon_json_put_raw(&json, "data", tmon_row_text(row, 6));
    tmon_json_close(&json, '}');
  }
  tmon_json_close(&json, ']');
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_record_events_json(char **out, tmon_store *store, const char *id, int64_t limit) {
  tmon_tx *tx = NULL;
  tmon_buffer text;
  int64_t key = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  if (limit < 0 || limit > 1000) return tmon_error_set_field(TMON_EINVAL, "limit", "limit is %lld, expected 0 to 1,000", (long long)limit);
  tmon_buffer_init(&text, EVENTS_BYTES_MAXIMUM);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(id);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&key, tx, id);
  if (result == TMON_OK) result = write_events(&text, tx, key, limit == 0 ? 100 : limit);
  if (result == TMON_OK && text.error != TMON_OK) result = tmon_error_set(text.error, "the events of session %s do not fit in memory", id);
  tmon_tx_abort(tx);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return result;
}
