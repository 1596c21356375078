/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Events that programs add: kinds of their own, so that nobody takes them for what the library saw itself. */
#include "track/record.h"

#include <string.h>

enum { KIND_BYTES = 32, DATA_BYTES = 65536 };
/* Pruned in strides: counting is cheap, looking for the oldest is not. */
#define KEPT "10000"
#define KEPT_MOST 10255

/* What event.c, adopt.c, store.c, control.c, record_write.c and session_rows.c write, and the words for a status. */
/* clang-format off */
#define OWN_KINDS(USE) \
  USE("created") USE("started") USE("joined") USE("paused") USE("resumed") USE("stop_asked") USE("reopened") USE("rank_lost") \
  USE("pending") USE("running") USE("completed") USE("failed") USE("cancelled") USE("interrupted")
/* clang-format on */
#define ITEM(kind) kind,
#define NOT(kind) " AND kind <> '" kind "'"

static int check_kind(const char *kind) {
  static const char *const own[] = {OWN_KINDS(ITEM)};
  size_t length = kind == NULL ? 0 : strspn(kind, "abcdefghijklmnopqrstuvwxyz0123456789_");
  if (length == 0 || length > KIND_BYTES || kind[length] != '\0') {
    return tmon_error_set_field(
        TMON_EINVAL, "kind", "kind is \"%.40s\", expected 1 to %d of a-z, 0-9 and _", kind == NULL ? "(NULL)" : kind, (int)KIND_BYTES);
  }
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
    if (strcmp(kind, own[i]) == 0) return tmon_error_set_field(TMON_EINVAL, "kind", "events of the kind %s are the library's own", kind);
  }
  return TMON_OK;
}

static int check_event(const char *kind, const char *message, const char *data_json) {
  int result = check_kind(kind);
  if (result == TMON_OK) result = tmon_check_text(message, TMON_TEXT_MAXIMUM, "message");
  if (result == TMON_OK) result = tmon_check_text(data_json, DATA_BYTES, "data");
  return result == TMON_OK ? tmon_check_json_object(data_json, "data") : result;
}

static int insert(tmon_tx *tx, int64_t session, const char *kind, const char *message, const char *data_json, int64_t step) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "INSERT INTO events (session, time, kind, step, message, data) VALUES (?, ?, ?, ?, ?, ?)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_int(row, 2, tmon_clock_now_us());
  tmon_bind_text(row, 3, kind);
  if (step != INT64_MIN) tmon_bind_int(row, 4, step);
  tmon_bind_text(row, 5, message);
  tmon_bind_text(row, 6, data_json == NULL ? "{}" : data_json);
  return tmon_row_run(row);
}

static int prune(tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  int64_t count = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT count(*) FROM events WHERE session = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  result = tmon_row_step(row);
  if (result == TMON_OK) count = tmon_row_int(row, 0);
  tmon_row_reset(row);
  if (result != TMON_OK || count <= KEPT_MOST) return result;
  result = tmon_tx_prepare(&row, tx,
      "DELETE FROM events WHERE id IN (SELECT id FROM events WHERE session = ?" OWN_KINDS(NOT) " ORDER BY time DESC, id DESC LIMIT -1 OFFSET " KEPT ")");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  return tmon_row_run(row);
}

/* Events show with their session, so whoever follows it is told of the session. */
static int tell(tmon_tx *tx, const char *id) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "INSERT INTO changes (table_name, op, row_id) VALUES ('training_sessions', 'UPDATE', ?)");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  return tmon_row_run(row);
}

int tmon_record_add_event(tmon_store *store, const char *id, const char *kind, const char *message, const char *data_json, int64_t step) {
  tmon_tx *tx = NULL;
  int64_t key = 0;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(id);
  if (result == TMON_OK) result = check_event(kind, message, data_json);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result != TMON_OK) return result;
  result = tmon_session_key(&key, tx, id);
  if (result == TMON_OK) result = insert(tx, key, kind, message, data_json, step);
  if (result == TMON_OK) result = prune(tx, key);
  if (result == TMON_OK) result = tell(tx, id);
  if (result == TMON_OK) return tmon_tx_commit(tx);
  tmon_tx_abort(tx);
  return result;
}
