/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The epoch rows of a session as JSON. */
#include "track/epoch.h"
#include "track/track.h"

#include "util/json.h"

#define EPOCHS_BYTES_MAXIMUM (256u << 20)

enum { COLUMN_COUNT = TMON_EPOCH_COLUMNS };

void tmon_epoch_put_row(tmon_json_writer *json, tmon_row *row, const char *id) {
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "session_id", id);
  tmon_json_put_int(json, "epoch", tmon_row_int(row, 0));
  for (int i = 0; i < COLUMN_COUNT; i++) tmon_json_put_double(json, tmon_epoch_columns[i], tmon_row_double(row, 1 + i));
  tmon_json_put_raw(json, "extra", tmon_row_text(row, 1 + COLUMN_COUNT));
  tmon_json_put_text(json, "created_at", tmon_row_text(row, 2 + COLUMN_COUNT));
  tmon_json_close(json, '}');
}

static int write_latest(tmon_buffer *out, tmon_tx *tx, const char *id) {
  tmon_row *row = NULL;
  tmon_json_writer json;
  int result = tmon_tx_prepare(&row, tx, TMON_EPOCH_SELECT "ORDER BY epoch DESC LIMIT 1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  tmon_json_begin(&json, out);
  result = tmon_row_step(row);
  if (result == TMON_OK) tmon_epoch_put_row(&json, row, id);
  else if (result == TMON_DONE) tmon_json_put_null(&json, NULL);
  tmon_row_reset(row);
  if (result != TMON_OK && result != TMON_DONE) return result;
  return out->error == TMON_OK ? TMON_OK : tmon_error_set(out->error, "the epoch row of session %s does not fit in memory", id);
}

static int write_rows(tmon_buffer *out, tmon_tx *tx, const char *id, int64_t after) {
  tmon_row *row = NULL;
  tmon_json_writer json;
  int result = tmon_tx_prepare(&row, tx, TMON_EPOCH_SELECT "AND epoch > ? ORDER BY epoch");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  tmon_bind_int(row, 2, after);
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '[');
  while ((result = tmon_row_step(row)) == TMON_OK) tmon_epoch_put_row(&json, row, id);
  tmon_json_close(&json, ']');
  tmon_row_reset(row);
  if (result != TMON_DONE) return result;
  return out->error == TMON_OK ? TMON_OK : tmon_error_set(out->error, "the epoch rows of session %s do not fit in memory", id);
}

/* `latest`: one row; else those after `after`. */
static int read_rows(char **out, tmon_store *store, const char *id, int64_t after, bool latest) {
  tmon_tx *tx = NULL;
  tmon_buffer text;
  int64_t key = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  tmon_buffer_init(&text, EPOCHS_BYTES_MAXIMUM);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(id);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&key, tx, id);
  if (result == TMON_OK) result = latest ? write_latest(&text, tx, id) : write_rows(&text, tx, id, after);
  tmon_tx_abort(tx);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return result;
}

int tmon_record_epochs_json(char **out, tmon_store *store, const char *id, int64_t after) { return read_rows(out, store, id, after, false); }

int tmon_record_latest_epoch_json(char **out, tmon_store *store, const char *id) { return read_rows(out, store, id, -1, true); }

void tmon_text_free(char *text) { tmon_free(text); }
