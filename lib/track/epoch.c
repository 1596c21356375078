/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Epoch rows: which column of `training_metrics` a name fills, and the upsert. Names that no alias knows go to the JSON column `extra`. */
#include "track/drain.h"

#include "util/json.h"

#include <math.h>
#include <string.h>

enum { COLUMN_COUNT = 14 };

/* The order of the columns in the upsert below. Documented in docs/reference/metrics.md. */
static const struct alias {
  const char *name;
  int column;
} aliases[] = {
    {"box_loss", 0}, {"train/box_loss", 0}, {"cls_loss", 1}, {"train/cls_loss", 1}, {"dfl_loss", 2}, {"train/dfl_loss", 2},
    {"total_loss", 3}, {"loss", 3}, {"train_loss", 3}, {"train/loss", 3}, {"loss/train", 3}, {"precision", 4}, {"metrics/precision(B)", 4},
    {"recall", 5}, {"metrics/recall(B)", 5}, {"map50", 6}, {"mAP50", 6}, {"metrics/mAP50(B)", 6}, {"map50_95", 7}, {"mAP50-95", 7},
    {"metrics/mAP50-95(B)", 7}, {"learning_rate", 8}, {"lr", 8}, {"lr/pg0", 8}, {"epoch_time_seconds", 9}, {"epoch_time", 9},
    {"gpu_memory_mb", 10}, {"val_loss", 11}, {"val/loss", 11}, {"loss/val", 11}, {"train_accuracy", 12}, {"train/accuracy", 12},
    {"train_acc", 12}, {"train/acc", 12}, {"accuracy/train", 12}, {"accuracy", 12}, {"val_accuracy", 13}, {"val/accuracy", 13},
    {"val_acc", 13}, {"val/acc", 13}, {"accuracy/val", 13},
};

static int find_column(const char *name) {
  for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
    if (strcmp(aliases[i].name, name) == 0) return aliases[i].column;
  }
  return -1;
}

static const char *nonfinite_name(double value) {
  if (isnan(value)) return "NaN";
  return value > 0 ? "Infinity" : "-Infinity";
}

/* {"key": value, …, "nonfinite": {"key": "NaN"}}: what has no column, and what JSON and SQL can't hold as a number. */
static int pack_extra(tmon_buffer *out, const tmon_epoch_entry *entries, size_t count) {
  tmon_json_writer json;
  bool nonfinite = false;
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '{');
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(entries[i].value)) nonfinite = true;
    else if (find_column(entries[i].key) < 0) tmon_json_put_double(&json, entries[i].key, entries[i].value);
  }
  if (nonfinite) {
    tmon_json_open(&json, "nonfinite", '{');
    for (size_t i = 0; i < count; i++) {
      if (!isfinite(entries[i].value)) tmon_json_put_text(&json, entries[i].key, nonfinite_name(entries[i].value));
    }
    tmon_json_close(&json, '}');
  }
  tmon_json_close(&json, '}');
  return out->error;
}

int tmon_epoch_write(tmon_tx *tx, const char *session_id, const tmon_epoch_entry *entries, size_t count) {
  static const char sql[] =
      "INSERT INTO training_metrics (session_id, epoch, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95, learning_rate,"
      " epoch_time_seconds, gpu_memory_mb, val_loss, train_accuracy, val_accuracy, extra)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (session_id, epoch) DO UPDATE SET"
      " box_loss = coalesce(excluded.box_loss, box_loss), cls_loss = coalesce(excluded.cls_loss, cls_loss),"
      " dfl_loss = coalesce(excluded.dfl_loss, dfl_loss), total_loss = coalesce(excluded.total_loss, total_loss),"
      " precision = coalesce(excluded.precision, precision), recall = coalesce(excluded.recall, recall),"
      " map50 = coalesce(excluded.map50, map50), map50_95 = coalesce(excluded.map50_95, map50_95),"
      " learning_rate = coalesce(excluded.learning_rate, learning_rate),"
      " epoch_time_seconds = coalesce(excluded.epoch_time_seconds, epoch_time_seconds),"
      " gpu_memory_mb = coalesce(excluded.gpu_memory_mb, gpu_memory_mb), val_loss = coalesce(excluded.val_loss, val_loss),"
      " train_accuracy = coalesce(excluded.train_accuracy, train_accuracy), val_accuracy = coalesce(excluded.val_accuracy, val_accuracy),"
      " extra = json_patch(extra, excluded.extra)";
  double columns[COLUMN_COUNT];
  tmon_buffer extra;
  tmon_row *row = NULL;
  for (int i = 0; i < COLUMN_COUNT; i++) columns[i] = NAN;
  for (size_t i = 0; i < count; i++) {
    int column = find_column(entries[i].key);
    if (column >= 0 && isfinite(entries[i].value)) columns[column] = entries[i].value;
  }
  tmon_buffer_init(&extra, TMON_JSON_MAXIMUM);
  int result = pack_extra(&extra, entries, count);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, sql);
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, session_id);
    tmon_bind_int(row, 2, entries[0].epoch);
    for (int i = 0; i < COLUMN_COUNT; i++) tmon_bind_double(row, 3 + i, columns[i]);
    tmon_bind_text(row, 3 + COLUMN_COUNT, (const char *)extra.data);
    result = tmon_row_run(row);
  }
  tmon_buffer_free(&extra);
  return result;
}
