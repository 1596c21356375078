/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The columns of an epoch row, the names that fill them, and what decides the best epoch of a session. */
#ifndef TRAINMON_TRACK_EPOCH_H
#define TRAINMON_TRACK_EPOCH_H
#include "store/store.h"
#include "util/own_names.h"

#include <stddef.h>

/* The columns of training_metrics that hold values, in the order of the table. */
enum { TMON_EPOCH_COLUMNS = 14 };
extern const char *const tmon_epoch_columns[TMON_EPOCH_COLUMNS];
int tmon_epoch_column(const char *name);                  /* the column that a name fills, by number; -1: none, it goes to `extra` */
const char *tmon_epoch_name(const char *key);             /* the column that a name fills, else the name */
const char *tmon_epoch_alias(int column, size_t *cursor); /* the names of a column, one a call from cursor 0 on; NULL: no more */

/* What a session's configuration says of names: own_names.h. To be freed with tmon_json_free. */
int tmon_own_names_load(tmon_json **out, tmon_tx *tx, int64_t session);
/* The row's name for what is asked of all sessions as `key`: a built-in name means the same in all, another what this session says. */
const char *tmon_epoch_name_in(const tmon_json *own, const char *key);
/* Whether a metric of this name fills the row's `name` in this session. */
bool tmon_epoch_is_name_of(const tmon_json *own, const char *key, const char *name);
/* The names by which a session may have logged what is asked as `key`, those of its own first; one a call from all zero on, NULL: no more. */
typedef struct tmon_epoch_names {
  const tmon_json *item;
  size_t cursor;
  int stage;
} tmon_epoch_names;
const char *tmon_epoch_next_name(tmon_epoch_names *names, const tmon_json *own, const char *key);

/* Epoch rows whole: the epoch, the columns, extra, created_at. */
#define TMON_EPOCH_SELECT                                                                                                                                 \
  "SELECT epoch, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95, learning_rate, epoch_time_seconds, gpu_memory_mb,"         \
  " val_loss, train_accuracy, val_accuracy, extra, created_at FROM training_metrics WHERE session_id = ? "
void tmon_epoch_put_row(tmon_json_writer *json, tmon_row *row, const char *id); /* as one object (epochs_json.c) */

/* Checks "NAME:max" or "NAME:min" and gives it as the store wants it, aliases, the session's own too, replaced by what they mean (tmon_free). NULL gives NULL, "" gives "". */
int tmon_best_metric_parse(char **out, const char *text, const tmon_json *own);
#endif
