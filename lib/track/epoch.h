/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The columns of an epoch row, the names that fill them, and what decides the best epoch of a session. */
#ifndef TRAINMON_TRACK_EPOCH_H
#define TRAINMON_TRACK_EPOCH_H
#include "store/store.h"
#include "util/json.h"

#include <stddef.h>

/* The columns of training_metrics that hold values, in the order of the table. */
enum { TMON_EPOCH_COLUMNS = 14 };
extern const char *const tmon_epoch_columns[TMON_EPOCH_COLUMNS];
int tmon_epoch_column(const char *name);                  /* the column that a name fills, by number; -1: none, it goes to `extra` */
const char *tmon_epoch_name(const char *key);             /* the column that a name fills, else the name */
const char *tmon_epoch_alias(int column, size_t *cursor); /* the names of a column, one a call from cursor 0 on; NULL: no more */

/* Epoch rows whole: the epoch, the columns, extra, created_at. */
#define TMON_EPOCH_SELECT                                                                                                                                 \
  "SELECT epoch, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95, learning_rate, epoch_time_seconds, gpu_memory_mb,"         \
  " val_loss, train_accuracy, val_accuracy, extra, created_at FROM training_metrics WHERE session_id = ? "
void tmon_epoch_put_row(tmon_json_writer *json, tmon_row *row, const char *id); /* as one object (epochs_json.c) */

/* Checks "NAME:max" or "NAME:min" and gives it as the store wants it, aliases of columns replaced by the columns (tmon_free). NULL gives NULL, "" gives "". */
int tmon_best_metric_parse(char **out, const char *text);
#endif
