/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which sessions changed after a cursor, read from the feed of changes. */
#include "track/track.h"

#include "util/json.h"

/* A call looks at so many changes at most: the feed holds 100,000, and a reader far behind comes again. */
#define CHANGES_AT_ONCE 10000
#define CHANGES_BYTES_MAXIMUM (4u << 20)

int tmon_change_bounds(tmon_tx *tx, int64_t *first, int64_t *last) {
  tmon_row *row = NULL;
  int result =
      tmon_tx_prepare(&row, tx, "SELECT coalesce((SELECT seq FROM changes ORDER BY seq LIMIT 1), 0), coalesce((SELECT max(seq) FROM changes), 0)");
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result != TMON_OK) return result;
  *first = tmon_row_int(row, 0);
  *last = tmon_row_int(row, 1);
  tmon_row_reset(row);
  return TMON_OK;
}

static int write_sessions(tmon_json_writer *json, tmon_tx *tx, int64_t after, int64_t until) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT id, max(made) FROM (SELECT c.seq AS seq, c.table_name = 'training_sessions' AND c.op = 'INSERT' AS made,"
      " CASE c.table_name WHEN 'training_sessions' THEN c.row_id ELSE (SELECT m.session_id FROM training_metrics m WHERE m.id = CAST(c.row_id AS INTEGER)) END AS id"
      " FROM changes c WHERE c.seq > ?1 AND c.seq <= ?2 AND c.table_name IN ('training_sessions', 'training_metrics'))"
      " WHERE id IS NOT NULL GROUP BY id ORDER BY max(seq)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, after);
  tmon_bind_int(row, 2, until);
  tmon_json_open(json, "sessions", '[');
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "id", tmon_row_text(row, 0));
    tmon_json_put_bool(json, "created", tmon_row_int(row, 1) != 0);
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_store_changes_json(char **out, tmon_store *store, int64_t after) {
  tmon_tx *tx = NULL;
  tmon_buffer text;
  tmon_json_writer json;
  int64_t first = 0;
  int64_t last = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  if (after < 0) return tmon_error_set_field(TMON_EINVAL, "after", "after is %lld, expected 0 or more", (long long)after);
  tmon_buffer_init(&text, CHANGES_BYTES_MAXIMUM);
  tmon_json_begin(&json, &text);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_change_bounds(tx, &first, &last);
  /* A cursor from beyond the end is one of another store, or of this one before it was made anew. */
  bool lost = after > last || (first > 0 && after < first - 1);
  int64_t from = lost ? first > 0 ? first - 1 : 0 : after;
  int64_t until = last - from > CHANGES_AT_ONCE ? from + CHANGES_AT_ONCE : last;
  if (result == TMON_OK) {
    tmon_json_open(&json, NULL, '{');
    result = write_sessions(&json, tx, from, until);
    tmon_json_put_int(&json, "cursor", until);
    tmon_json_put_bool(&json, "resync", lost);
    tmon_json_put_bool(&json, "more", until < last);
    tmon_json_close(&json, '}');
  }
  tmon_tx_abort(tx);
  if (result == TMON_OK && text.error != TMON_OK) result = tmon_error_set(text.error, "the changes do not fit in memory");
  if (result == TMON_OK && (*out = tmon_buffer_take(&text)) == NULL) result = tmon_error_no_memory();
  tmon_buffer_free(&text);
  return result;
}
