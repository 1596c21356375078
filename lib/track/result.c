/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Writing results: JSON objects as rows, each call one transaction. */
#include "track/alert_watch.h"
#include "track/record.h"
#include "track/result.h"

#include <stdio.h>
#include <string.h>

enum { RESULTS_MAXIMUM = 1024, CONFUSION_JSON_MAXIMUM = 8 << 20 };

int tmon_result_begin(tmon_tx **tx, tmon_store *store, const char *session_id) {
  int64_t key = 0;
  *tx = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result == TMON_OK) result = tmon_tx_begin(tx, store->db, true, -1);
  if (result != TMON_OK || session_id == NULL) return result;
  result = tmon_session_key(&key, *tx, session_id);
  if (result == TMON_ENOTFOUND) result = tmon_error_set_field(TMON_ENOTFOUND, "session_id", "no session %s in this store", session_id);
  if (result == TMON_OK) result = tmon_session_heard(*tx, key);
  if (result != TMON_OK) {
    tmon_tx_abort(*tx);
    *tx = NULL;
  }
  return result;
}

int tmon_result_end(tmon_tx *tx, int result) {
  if (result == TMON_OK) return tmon_tx_commit(tx);
  tmon_tx_abort(tx);
  return result;
}

static const char *text_of(const tmon_result_table *table, const tmon_result_row *row, const char *name) {
  int column = tmon_result_column_of(table, name);
  return column >= 0 && row->values[column].given ? row->values[column].text : NULL;
}

/* A row of a kind whose names are taken already. */
static int name_exists(const tmon_result_table *table, const tmon_result_row *row) {
  const char *version = text_of(table, row, "version");
  return tmon_error_set_field(
      TMON_EEXISTS, "name", "the data set \"%.200s\" is there already in version \"%.200s\"", text_of(table, row, "name"), version == NULL ? "" : version);
}

static int add_one(int64_t *id, tmon_store *store, const tmon_result_table *table, const tmon_json *document) {
  bool judged = table == tmon_result_table_of(TMON_RESULT_VALIDATION);
  tmon_result_row row;
  tmon_alert_told told = {0};
  tmon_tx *tx = NULL;
  tmon_result_row_init(&row);
  int result = tmon_result_row_read(&row, table, document, "");
  if (result == TMON_OK) result = tmon_result_row_complete(&row, table, "");
  if (result == TMON_OK) result = tmon_result_begin(&tx, store, text_of(table, &row, "session_id"));
  if (result == TMON_OK) {
    result = tmon_result_row_write(id, tx, table, &row);
    if (result == TMON_EEXISTS && text_of(table, &row, "name") != NULL) result = name_exists(table, &row);
    if (result == TMON_OK && judged) result = tmon_alerts_result_rows(&told, tx, text_of(table, &row, "session_id"), id, 1);
    result = tmon_result_end(tx, result);
    tmon_alerts_give(&told, store, text_of(table, &row, "session_id"), result);
  }
  tmon_result_row_free(&row);
  return result;
}

/* What stands beside "results" holds for each of them, so it may only be what they share. */
static int check_shared(const tmon_result_table *table, const tmon_json *outer) {
  tmon_json_kind kind = tmon_json_type(tmon_json_get(outer, "results"));
  if (kind != TMON_JSON_ARRAY) return tmon_error_set_field(TMON_EINVAL, "results", "results must be an array of objects");
  for (const tmon_json *item = tmon_json_first(outer); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    int column = tmon_result_column_of(table, key);
    bool shared = strcmp(key, "results") == 0 || (column >= 0 && column <= 2);
    if (!shared) return tmon_error_set_field(TMON_EINVAL, key, "beside results may stand session_id, epoch and dataset_split only");
  }
  return TMON_OK;
}

static bool is_same_text(const tmon_result_value *a, const tmon_result_value *b) {
  return a->given == b->given && (!a->given || strcmp(a->text, b->text) == 0);
}

/* All of one session, epoch and split, and none twice. `index` is the latest of `rows`. */
static int compare_with_others(const tmon_result_row *rows, size_t index, const char *where) {
  enum { SESSION, EPOCH, SPLIT, CLASS };
  const tmon_result_value *first = rows[0].values;
  const tmon_result_value *last = rows[index].values;
  char field[64];
  bool same_epoch = first[EPOCH].given == last[EPOCH].given && first[EPOCH].integer == last[EPOCH].integer;
  const char *name = !is_same_text(&first[SESSION], &last[SESSION]) ? "session_id"
      : !same_epoch                                                 ? "epoch"
      : !is_same_text(&first[SPLIT], &last[SPLIT])                  ? "dataset_split"
                                                                    : NULL;
  if (name != NULL) {
    (void)snprintf(field, sizeof field, "%s%s", where, name);
    return tmon_error_set_field(TMON_EINVAL, field, "all results of one call are of one session, epoch and split");
  }
  for (size_t i = 0; i < index; i++) {
    if (!is_same_text(&rows[i].values[CLASS], &last[CLASS])) continue;
    (void)snprintf(field, sizeof field, "%sclass_name", where);
    return tmon_error_set_field(TMON_EINVAL, field, "the class is in results[%zu] already", i);
  }
  return TMON_OK;
}

static int read_many(tmon_result_row *rows, size_t *count, const tmon_result_table *table, const tmon_json *outer, tmon_json *shared) {
  int result = TMON_OK;
  for (const tmon_json *item = tmon_json_first(tmon_json_get(outer, "results")); result == TMON_OK && item != NULL; item = tmon_json_next(item)) {
    char where[32];
    tmon_result_row *row = &rows[*count];
    (void)snprintf(where, sizeof where, "results[%zu].", *count);
    tmon_result_row_init(row);
    (*count)++;
    result = tmon_result_row_read(row, table, shared, "");
    if (result == TMON_OK) result = tmon_result_row_read(row, table, item, where);
    if (result == TMON_OK) result = tmon_result_row_complete(row, table, where);
    if (result == TMON_OK) result = compare_with_others(rows, *count - 1, where);
  }
  return result;
}

/* The object without its results: read once for each of them. */
static int shared_of(tmon_json **out, const tmon_result_table *table, const tmon_json *outer) {
  static const char *const names[] = {"session_id", "epoch", "dataset_split", "split"};
  tmon_buffer text;
  tmon_json_writer json;
  int result = tmon_result_check_members(outer, TMON_MEMBERS_MAXIMUM, "");
  if (result == TMON_OK) result = check_shared(table, outer);
  if (result != TMON_OK) return result;
  tmon_buffer_init(&text, TMON_JSON_MAXIMUM * 2);
  tmon_json_begin(&json, &text);
  tmon_json_open(&json, NULL, '{');
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const tmon_json *value = tmon_json_get(outer, names[i]);
    char *printed = value == NULL ? NULL : tmon_json_print(value);
    if (value != NULL && printed == NULL) text.error = TMON_ENOMEM;
    if (printed != NULL) tmon_json_put_raw(&json, names[i], printed);
    tmon_free(printed);
  }
  tmon_json_close(&json, '}');
  result = text.error == TMON_OK ? tmon_json_parse(out, (const char *)text.data, text.size) : tmon_error_no_memory();
  tmon_buffer_free(&text);
  return result;
}

static int add_many(int64_t *id, tmon_store *store, const tmon_result_table *table, const tmon_json *outer) {
  tmon_json *shared = NULL;
  tmon_result_row *rows = NULL;
  int64_t *ids = NULL;
  tmon_alert_told told = {0};
  tmon_tx *tx = NULL;
  size_t wanted = 0;
  size_t count = 0;
  int result = shared_of(&shared, table, outer);
  if (result != TMON_OK) return result;
  for (const tmon_json *item = tmon_json_first(tmon_json_get(outer, "results")); item != NULL; item = tmon_json_next(item)) wanted++;
  if (wanted == 0 || wanted > RESULTS_MAXIMUM) {
    result = tmon_error_set_field(TMON_EINVAL, "results", "%zu results, expected 1 to %d", wanted, RESULTS_MAXIMUM);
    goto out;
  }
  rows = tmon_alloc_zero(wanted, sizeof *rows);
  ids = tmon_alloc_zero(wanted, sizeof *ids);
  result = rows == NULL || ids == NULL ? tmon_error_no_memory() : read_many(rows, &count, table, outer, shared);
  if (result == TMON_OK) result = tmon_result_begin(&tx, store, rows[0].values[0].text);
  if (result != TMON_OK) goto out;
  for (size_t i = 0; i < count && result == TMON_OK; i++) {
    result = tmon_result_row_write(&ids[i], tx, table, &rows[i]);
  }
  if (result == TMON_OK) result = tmon_alerts_result_rows(&told, tx, rows[0].values[0].text, ids, count);
  *id = ids[0];
  result = tmon_result_end(tx, result);
  tmon_alerts_give(&told, store, rows[0].values[0].text, result);
out:
  for (size_t i = 0; i < count; i++) tmon_result_row_free(&rows[i]);
  tmon_free(rows);
  tmon_free(ids);
  tmon_json_free(shared);
  return result;
}

int tmon_result_add(int64_t *id, tmon_store *store, tmon_result_kind kind, const char *json) {
  tmon_json *document = NULL;
  int64_t made = 0;
  if (id != NULL) *id = 0;
  const tmon_result_table *table = tmon_result_table_of(kind);
  if (table == NULL) return TMON_EINVAL;
  int result = tmon_store_check(store);
  if (result != TMON_OK) return result;
  if (json == NULL) return tmon_error_set_field(TMON_EINVAL, "json", "json is NULL");
  size_t maximum = kind == TMON_RESULT_CONFUSION ? CONFUSION_JSON_MAXIMUM : TMON_JSON_MAXIMUM;
  size_t length = strnlen(json, maximum + 1);
  if (length > maximum) return tmon_error_set(TMON_EINVAL, "the %s is longer than %zu bytes", table->singular, maximum);
  if (kind == TMON_RESULT_CONFUSION) {
    result = tmon_confusion_add_json(&made, store, json, length);
  } else {
    result = tmon_json_parse(&document, json, length);
    if (result == TMON_OK) {
      bool many = kind == TMON_RESULT_VALIDATION && tmon_json_get(document, "results") != NULL;
      result = many ? add_many(&made, store, table, document) : add_one(&made, store, table, document);
    }
    tmon_json_free(document);
  }
  if (result == TMON_OK && id != NULL) *id = made;
  return result;
}
