/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Epoch rows: which column of `training_metrics` a name fills, and the upsert. Names that no alias knows go to the JSON column `extra`. */
#include "track/epoch.h"

#include "track/bests.h"

#include "util/json.h"

#include <math.h>
#include <string.h>

enum { COLUMN_COUNT = TMON_EPOCH_COLUMNS };

/* The order of the columns in the upsert below. Documented in docs/reference/metrics.md. */
static const struct alias {
  const char *name;
  int column;
} aliases[] = {
    {"box_loss", 0},
    {"train/box_loss", 0},
    {"cls_loss", 1},
    {"train/cls_loss", 1},
    {"dfl_loss", 2},
    {"train/dfl_loss", 2},
    {"total_loss", 3},
    {"loss", 3},
    {"train_loss", 3},
    {"train/loss", 3},
    {"loss/train", 3},
    {"loss.train", 3},
    {"precision", 4},
    {"metrics/precision(B)", 4},
    {"recall", 5},
    {"metrics/recall(B)", 5},
    {"map50", 6},
    {"mAP50", 6},
    {"metrics/mAP50(B)", 6},
    {"map50_95", 7},
    {"mAP50-95", 7},
    {"metrics/mAP50-95(B)", 7},
    {"learning_rate", 8},
    {"lr", 8},
    {"lr/pg0", 8},
    {"epoch_time_seconds", 9},
    {"epoch_time", 9},
    {"gpu_memory_mb", 10},
    {"val_loss", 11},
    {"val/loss", 11},
    {"loss/val", 11},
    {"loss.val", 11},
    {"train_accuracy", 12},
    {"train/accuracy", 12},
    {"train_acc", 12},
    {"train/acc", 12},
    {"accuracy/train", 12},
    {"accuracy.train", 12},
    {"accuracy", 12},
    {"val_accuracy", 13},
    {"val/accuracy", 13},
    {"val_acc", 13},
    {"val/acc", 13},
    {"accuracy/val", 13},
    {"accuracy.val", 13},
};

int tmon_epoch_column(const char *name) {
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
    if (strcmp(aliases[i].name, name) == 0) return aliases[i].column;
  }
  return -1;
}

const char *const tmon_epoch_columns[TMON_EPOCH_COLUMNS] = {"box_loss", "cls_loss", "dfl_loss", "total_loss", "precision", "recall", "map50", "map50_95",
    "learning_rate", "epoch_time_seconds", "gpu_memory_mb", "val_loss", "train_accuracy", "val_accuracy"};

const char *tmon_epoch_name(const char *key) {
  int column = tmon_epoch_column(key);
  return column < 0 ? key : tmon_epoch_columns[column];
}

const char *tmon_epoch_alias(int column, size_t *cursor) {
  while (*cursor < sizeof aliases / sizeof *aliases) {
    const struct alias *alias = &aliases[(*cursor)++];
    if (alias->column == column) return alias->name;
  }
  return NULL;
}

int tmon_own_names_load(tmon_json **out, tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  *out = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT config FROM training_sessions WHERE key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  result = tmon_row_step(row);
  if (result == TMON_OK) result = tmon_own_names_read(out, tmon_row_text(row, 0));
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

const char *tmon_epoch_name_in(const tmon_json *own, const char *key) {
  return tmon_epoch_name(tmon_epoch_column(key) >= 0 ? key : tmon_own_name(own, key));
}

bool tmon_epoch_is_name_of(const tmon_json *own, const char *key, const char *name) { return strcmp(tmon_epoch_name(tmon_own_name(own, key)), name) == 0; }

const char *tmon_epoch_next_name(tmon_epoch_names *names, const tmon_json *own, const char *key) {
  const char *name = tmon_epoch_name_in(own, key);
  const char *found = NULL;
  if (names->stage == 0) {
    names->stage = 1;
    names->item = tmon_json_first(own);
    if (tmon_epoch_is_name_of(own, key, name)) return key;
  }
  while (names->item != NULL) {
    found = tmon_json_key(names->item);
    names->item = tmon_json_next(names->item);
    if (tmon_epoch_is_name_of(own, found, name)) return found;
  }
  while ((found = tmon_epoch_alias(tmon_epoch_column(name), &names->cursor)) != NULL) {
    if (tmon_epoch_is_name_of(own, found, name)) return found;
  }
  if (names->stage == 2) return NULL;
  names->stage = 2;
  return name; /* a target that is no column; else said before, which does no harm */
}

int tmon_best_metric_parse(char **out, const char *text, const tmon_json *own) {
  char name[256];
  *out = NULL;
  if (text == NULL) return TMON_OK;
  size_t length = strnlen(text, sizeof name + 4);
  bool named = length > 4 && length < sizeof name + 4 && (strcmp(text + length - 4, ":min") == 0 || strcmp(text + length - 4, ":max") == 0);
  if (named) {
    memcpy(name, text, length - 4);
    name[length - 4] = '\0';
  }
  if (length > 0 && (!named || !tmon_text_is_key(name))) {
    return tmon_error_set_field(TMON_EINVAL, "best_metric", "best_metric is \"%.64s\", expected the name of a metric, then :max or :min", text);
  }
  const char *direction = text + (named ? length - 4 : 0);
  tmon_buffer whole;
  tmon_buffer_init(&whole, sizeof name + 8);
  tmon_buffer_append_text(&whole, named ? tmon_epoch_name(tmon_own_name(own, name)) : "");
  tmon_buffer_append_text(&whole, direction);
  *out = whole.error == TMON_OK ? tmon_strndup((const char *)whole.data, whole.size) : NULL;
  tmon_buffer_free(&whole);
  return *out == NULL ? tmon_error_no_memory() : TMON_OK;
}

static const char *nonfinite_name(double value) {
  if (isnan(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

/* SQLite would keep both of two equal names of one patch. */
static bool is_named_again(const tmon_epoch_entry *entries, size_t count, size_t index) {
  for (size_t later = index + 1; later < count; later++) {
    if (strcmp(entries[later].key, entries[index].key) == 0) return true;
  }
  return false;
}

/*
 * {"key": value, …, "nonfinite": {"key": "NaN"}}: what has no column, and what JSON and SQL can't hold as a number. It is a merge patch: null takes away
 * what an earlier call said of a name. Of several values of one name the last counts.
 */
static int pack_extra(tmon_buffer *out, const tmon_epoch_entry *entries, size_t count) {
  tmon_json_writer json;
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '{');
  for (size_t i = 0; i < count; i++) {
    if (tmon_epoch_column(entries[i].key) >= 0 || strcmp(entries[i].key, "nonfinite") == 0 || is_named_again(entries, count, i)) continue;
    if (isfinite(entries[i].value)) tmon_json_put_double(&json, entries[i].key, entries[i].value);
    else tmon_json_put_raw(&json, entries[i].key, "null");
  }
  tmon_json_open(&json, "nonfinite", '{');
  for (size_t i = 0; i < count; i++) {
    if (is_named_again(entries, count, i)) continue;
    if (isfinite(entries[i].value)) tmon_json_put_raw(&json, entries[i].key, "null");
    else tmon_json_put_text(&json, entries[i].key, nonfinite_name(entries[i].value));
  }
  tmon_json_close(&json, '}');
  tmon_json_close(&json, '}');
  return out->error;
}

/* Where no name is left in "nonfinite", it goes as well. */
#define WITHOUT_EMPTY(json) "CASE json_extract(" json ", '$.nonfinite') WHEN '{}' THEN json_remove(" json ", '$.nonfinite') ELSE " json " END"

/* Of entries under the names that rows have. */
static int write_row(tmon_tx *tx, const char *session_id, const tmon_epoch_entry *entries, size_t count) {
  /* clang-format off: its lines are SQL's */
  /* ?18 says which columns are named: those are overwritten, also with the NULL of a value that is not finite. */
  static const char sql[] =
      "INSERT INTO training_metrics (session_id, epoch, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95, learning_rate,"
      " epoch_time_seconds, gpu_memory_mb, val_loss, train_accuracy, val_accuracy, extra)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " WITHOUT_EMPTY(
          "json_patch('{}', ?17)") ") ON CONFLICT (session_id, epoch) DO UPDATE SET"
                                   " box_loss = CASE WHEN ?18 & 1 THEN excluded.box_loss ELSE box_loss END,"
                                   " cls_loss = CASE WHEN ?18 & 2 THEN excluded.cls_loss ELSE cls_loss END,"
                                   " dfl_loss = CASE WHEN ?18 & 4 THEN excluded.dfl_loss ELSE dfl_loss END,"
                                   " total_loss = CASE WHEN ?18 & 8 THEN excluded.total_loss ELSE total_loss END,"
                                   " precision = CASE WHEN ?18 & 16 THEN excluded.precision ELSE precision END,"
                                   " recall = CASE WHEN ?18 & 32 THEN excluded.recall ELSE recall END,"
                                   " map50 = CASE WHEN ?18 & 64 THEN excluded.map50 ELSE map50 END,"
                                   " map50_95 = CASE WHEN ?18 & 128 THEN excluded.map50_95 ELSE map50_95 END,"
                                   " learning_rate = CASE WHEN ?18 & 256 THEN excluded.learning_rate ELSE learning_rate END,"
                                   " epoch_time_seconds = CASE WHEN ?18 & 512 THEN excluded.epoch_time_seconds ELSE epoch_time_seconds END,"
                                   " gpu_memory_mb = CASE WHEN ?18 & 1024 THEN excluded.gpu_memory_mb ELSE gpu_memory_mb END,"
                                   " val_loss = CASE WHEN ?18 & 2048 THEN excluded.val_loss ELSE val_loss END,"
                                   " train_accuracy = CASE WHEN ?18 & 4096 THEN excluded.train_accuracy ELSE train_accuracy END,"
                                   " val_accuracy = CASE WHEN ?18 & 8192 THEN excluded.val_accuracy ELSE val_accuracy END,"
                                   " extra = " WITHOUT_EMPTY("json_patch(extra, ?17)");
  /* clang-format on */
  int64_t named = 0;
  double columns[COLUMN_COUNT];
  tmon_buffer extra;
  tmon_row *row = NULL;
  for (int i = 0; i < COLUMN_COUNT; i++) columns[i] = NAN;
  for (size_t i = 0; i < count; i++) {
    int column = tmon_epoch_column(entries[i].key);
    if (column < 0) continue;
    named |= (int64_t)1 << column;
    columns[column] = isfinite(entries[i].value) ? entries[i].value : NAN;
  }
  tmon_buffer_init(&extra, TMON_JSON_MAXIMUM);
  int result = pack_extra(&extra, entries, count);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, sql);
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, session_id);
    tmon_bind_int(row, 2, entries[0].epoch);
    for (int i = 0; i < COLUMN_COUNT; i++) tmon_bind_double(row, 3 + i, columns[i]);
    tmon_bind_text(row, 3 + COLUMN_COUNT, (const char *)extra.data);
    tmon_bind_int(row, 4 + COLUMN_COUNT, named);
    result = tmon_row_run(row);
  }
  tmon_buffer_free(&extra);
  return result == TMON_OK ? tmon_bests_write(tx, session_id, entries, count) : result;
}

int tmon_epoch_write(tmon_tx *tx, const char *session_id, const tmon_epoch_entry *entries, size_t count) {
  tmon_json *own = NULL;
  tmon_epoch_entry *renamed = NULL;
  int64_t session = 0;
  int result = tmon_session_key(&session, tx, session_id);
  if (result == TMON_OK) result = tmon_own_names_load(&own, tx, session);
  if (result == TMON_OK && own != NULL && (renamed = tmon_alloc_zero(count, sizeof *renamed)) == NULL) result = tmon_error_no_memory();
  for (size_t i = 0; renamed != NULL && i < count; i++) {
    renamed[i] = entries[i];
    renamed[i].key = tmon_own_name(own, entries[i].key);
  }
  if (result == TMON_OK) result = write_row(tx, session_id, renamed != NULL ? renamed : entries, count);
  tmon_free(renamed);
  tmon_json_free(own);
  return result;
}
