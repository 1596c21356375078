/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The rows of metric_bests. A value of an epoch later than all before is added to its row; any other (an epoch written again, or late) makes the row anew
 * from the epoch rows of the session, in one pass for all metrics that need it. Both give the same, because the mean is kept with its mass, which follows
 * from the count.
 */
#include "track/bests.h"

#include "track/epoch.h"
#include "util/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One name of the column `extra`. */
typedef struct named {
  char *name;
  tmon_best best;
} named;

/* What one pass over the epoch rows of a session gathers. */
typedef struct tally {
  bool all; /* every name that comes up; else only those asked for */
  bool wanted[TMON_EPOCH_COLUMNS];
  tmon_best columns[TMON_EPOCH_COLUMNS];
  named *names; /* ascending */
  size_t count;
  size_t capacity;
} tally;

void tmon_best_add(tmon_best *best, int64_t at, double value) {
  bool finite = isfinite(value) != 0;
  if (!best->any || at >= best->latest_at) {
    best->latest = finite ? value : (double)NAN;
    best->latest_at = at;
  }
  best->any = true;
  if (!finite) return;
  if (best->count == 0 || value < best->lowest) {
    best->lowest = value;
    best->lowest_at = at;
  }
  if (best->count == 0 || value > best->highest) {
    best->highest = value;
    best->highest_at = at;
  }
  best->count++;
  best->sum = best->sum * TMON_SMOOTHING + value * (1 - TMON_SMOOTHING);
  best->mass = best->mass * TMON_SMOOTHING + (1 - TMON_SMOOTHING);
}

void tmon_best_add_points(tmon_best *best, const tmon_point *points, size_t count) {
  tmon_best now = *best; /* in registers: this is done for each point that is logged */
  int64_t before = now.count;
  double sum = now.sum;
  for (size_t i = 0; i < count; i++) {
    double value = points[i].value;
    if (!now.any || points[i].step >= now.latest_at) {
      now.any = true;
      now.latest = value;
      now.latest_at = points[i].step;
    }
    if (!isfinite(value)) continue;
    if (now.count == 0 || value < now.lowest) {
      now.lowest = value;
      now.lowest_at = points[i].step;
    }
    if (now.count == 0 || value > now.highest) {
      now.highest = value;
      now.highest_at = points[i].step;
    }
    now.count++;
    sum = sum * TMON_SMOOTHING + value * (1 - TMON_SMOOTHING);
  }
  if (!isfinite(now.latest)) now.latest = (double)NAN;
  now.sum = sum;
  now.mass = 1 - (1 - now.mass) * pow(TMON_SMOOTHING, (double)(now.count - before));
  *best = now;
}

double tmon_best_smoothed(const tmon_best *best) { return best->count > 0 ? best->sum / best->mass : (double)NAN; }

void tmon_best_read(tmon_best *out, tmon_row *row, int column) {
  memset(out, 0, sizeof *out);
  out->any = !tmon_row_is_null(row, column + 6);
  if (!out->any) return;
  out->count = tmon_row_int(row, column);
  out->lowest = tmon_row_double(row, column + 1);
  out->lowest_at = tmon_row_int(row, column + 2);
  out->highest = tmon_row_double(row, column + 3);
  out->highest_at = tmon_row_int(row, column + 4);
  out->latest = tmon_row_double(row, column + 5);
  out->latest_at = tmon_row_int(row, column + 6);
  if (out->count <= 0) return;
  out->mass = 1 - pow(TMON_SMOOTHING, (double)out->count);
  out->sum = tmon_row_double(row, column + 7) * out->mass;
}

void tmon_best_bind(tmon_row *row, int index, const tmon_best *best) {
  tmon_bind_int(row, index, best->count);
  for (int i = 1; i < TMON_BEST_COLUMNS; i++) tmon_bind_null(row, index + i);
  if (best->count > 0) {
    tmon_bind_double(row, index + 1, best->lowest);
    tmon_bind_int(row, index + 2, best->lowest_at);
    tmon_bind_double(row, index + 3, best->highest);
    tmon_bind_int(row, index + 4, best->highest_at);
    tmon_bind_double(row, index + 7, tmon_best_smoothed(best));
  }
  if (!best->any) return;
  tmon_bind_double(row, index + 5, best->latest);
  tmon_bind_int(row, index + 6, best->latest_at);
}

int tmon_bests_read(tmon_best *out, tmon_tx *tx, int64_t session, const char *name) {
  tmon_row *row = NULL;
  memset(out, 0, sizeof *out);
  int result = tmon_tx_prepare(&row, tx,
      "SELECT count, lowest, lowest_epoch, highest, highest_epoch, latest, latest_epoch, smoothed FROM metric_bests WHERE name = ? AND session = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, name);
  tmon_bind_int(row, 2, session);
  result = tmon_row_step(row);
  if (result == TMON_OK) tmon_best_read(out, row, 0);
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* A metric of which no value is left has no row. */
static int write_row(tmon_tx *tx, int64_t session, const char *name, const tmon_best *best) {
  tmon_row *row = NULL;
  int result = best->any
      ? tmon_tx_prepare(&row, tx,
            "INSERT INTO metric_bests (name, session, count, lowest, lowest_epoch, highest, highest_epoch, latest, latest_epoch, smoothed)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name, session) DO UPDATE SET count = excluded.count, lowest = excluded.lowest,"
            " lowest_epoch = excluded.lowest_epoch, highest = excluded.highest, highest_epoch = excluded.highest_epoch, latest = excluded.latest,"
            " latest_epoch = excluded.latest_epoch, smoothed = excluded.smoothed")
      : tmon_tx_prepare(&row, tx, "DELETE FROM metric_bests WHERE name = ? AND session = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, name);
  tmon_bind_int(row, 2, session);
  if (best->any) tmon_best_bind(row, 3, best);
  return tmon_row_run(row);
}

/* The entry of a name, made where `make` says so; NULL: none, or no memory when `make`. */
static tmon_best *find_name(tally *all, const char *name, bool make) {
  size_t low = 0;
  size_t high = all->count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(all->names[middle].name, name);
    if (order == 0) return &all->names[middle].best;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  if (!make) return NULL;
  if (all->count == all->capacity) {
    size_t capacity = all->capacity == 0 ? 16 : all->capacity * 2;
    named *grown = tmon_realloc(all->names, capacity, sizeof *grown);
    if (grown == NULL) return NULL;
    all->names = grown;
    all->capacity = capacity;
  }
  char *copy = tmon_strdup(name);
  if (copy == NULL) return NULL;
  memmove(&all->names[low + 1], &all->names[low], (all->count - low) * sizeof *all->names);
  all->names[low] = (named){.name = copy};
  all->count++;
  return &all->names[low].best;
}

static void free_tally(tally *all) {
  for (size_t i = 0; i < all->count; i++) tmon_free(all->names[i].name);
  tmon_free(all->names);
}

static int add_name(tally *all, const char *name, int64_t epoch, double value) {
  tmon_best *best = find_name(all, name, all->all);
  if (best != NULL && !(best->any && best->latest_at == epoch)) tmon_best_add(best, epoch, value); /* a text from outside may name it twice */
  return best == NULL && all->all ? tmon_error_no_memory() : TMON_OK;
}

static int add_extra(tally *all, tmon_row *row, int64_t epoch, const tmon_json *extra) {
  int result = TMON_OK;
  for (const tmon_json *item = tmon_json_first(extra); item != NULL && result == TMON_OK; item = tmon_json_next(item)) {
    if (tmon_json_type(item) == TMON_JSON_NUMBER) result = add_name(all, tmon_json_key(item), epoch, tmon_json_number(item, NAN));
  }
  const tmon_json *nonfinite = tmon_json_get(extra, "nonfinite");
  for (const tmon_json *item = tmon_json_type(nonfinite) == TMON_JSON_OBJECT ? tmon_json_first(nonfinite) : NULL; item != NULL && result == TMON_OK;
       item = tmon_json_next(item)) {
    int column = tmon_epoch_column(tmon_json_key(item));
    if (strcmp(tmon_json_key(item), "nonfinite") == 0) continue;
    if (column < 0) result = add_name(all, tmon_json_key(item), epoch, NAN);
    else if ((all->all || all->wanted[column]) && tmon_row_is_null(row, 2 + column)) tmon_best_add(&all->columns[column], epoch, NAN);
  }
  return result;
}

/* Of a row of the statement in gather. A text that is no JSON can only come from outside and says nothing. */
static int add_epoch_row(tally *all, tmon_row *row) {
  int64_t epoch = tmon_row_int(row, 0);
  const char *text = tmon_row_text(row, 1);
  tmon_json *extra = NULL;
  for (int i = 0; i < TMON_EPOCH_COLUMNS; i++) {
    if ((all->all || all->wanted[i]) && !tmon_row_is_null(row, 2 + i)) tmon_best_add(&all->columns[i], epoch, tmon_row_double(row, 2 + i));
  }
  if (text == NULL || strcmp(text, "{}") == 0 || (!all->all && all->count == 0 && strstr(text, "\"nonfinite\"") == NULL)) return TMON_OK;
  int result = tmon_json_parse(&extra, text, strlen(text));
  if (result == TMON_OK && tmon_json_type(extra) == TMON_JSON_OBJECT) result = add_extra(all, row, epoch, extra);
  tmon_json_free(extra);
  return result == TMON_ENOMEM ? result : TMON_OK;
}

static int gather(tally *all, tmon_tx *tx, const char *session_id) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT epoch, extra, box_loss, cls_loss, dfl_loss, total_loss, precision, recall, map50, map50_95, learning_rate, epoch_time_seconds, gpu_memory_mb,"
      " val_loss, train_accuracy, val_accuracy FROM training_metrics WHERE session_id = ? ORDER BY epoch");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, session_id);
  while ((result = tmon_row_step(row)) == TMON_OK && (result = add_epoch_row(all, row)) == TMON_OK) {
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int write_tally(const tally *all, tmon_tx *tx, int64_t session) {
  int result = TMON_OK;
  for (int i = 0; i < TMON_EPOCH_COLUMNS && result == TMON_OK; i++) {
    if (all->all ? all->columns[i].any : all->wanted[i]) result = write_row(tx, session, tmon_epoch_columns[i], &all->columns[i]);
  }
  for (size_t i = 0; i < all->count && result == TMON_OK; i++) result = write_row(tx, session, all->names[i].name, &all->names[i].best);
  return result;
}

/* Adds one value to its row, or notes in `again` that the row must be made anew. */
static int add_entry(tally *again, bool *needed, tmon_tx *tx, int64_t session, const tmon_epoch_entry *entry) {
  tmon_best best;
  int column = tmon_epoch_column(entry->key);
  const char *name = column >= 0 ? tmon_epoch_columns[column] : entry->key;
  int result = tmon_bests_read(&best, tx, session, name);
  if (result != TMON_OK) return result;
  if (!best.any || entry->epoch > best.latest_at) {
    tmon_best_add(&best, entry->epoch, entry->value);
    return write_row(tx, session, name, &best);
  }
  *needed = true;
  if (column >= 0) again->wanted[column] = true;
  else if (find_name(again, name, true) == NULL) return tmon_error_no_memory();
  return TMON_OK;
}

int tmon_bests_write(tmon_tx *tx, const char *session_id, const tmon_epoch_entry *entries, size_t count) {
  tally again;
  bool needed = false;
  int64_t session = 0;
  memset(&again, 0, sizeof again);
  int result = tmon_session_key(&session, tx, session_id);
  for (size_t i = 0; i < count && result == TMON_OK; i++) {
    if (strcmp(entries[i].key, "nonfinite") != 0) result = add_entry(&again, &needed, tx, session, &entries[i]);
  }
  if (result == TMON_OK && needed) result = gather(&again, tx, session_id);
  if (result == TMON_OK && needed) result = write_tally(&again, tx, session);
  free_tally(&again);
  return result;
}

int tmon_bests_rebuild(tmon_tx *tx, const char *session_id) {
  tally all;
  tmon_row *row = NULL;
  int64_t session = 0;
  memset(&all, 0, sizeof all);
  all.all = true;
  int result = tmon_session_key(&session, tx, session_id);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "DELETE FROM metric_bests WHERE session = ?");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, session);
    result = tmon_row_run(row);
  }
  if (result == TMON_OK) result = gather(&all, tx, session_id);
  if (result == TMON_OK) result = write_tally(&all, tx, session);
  free_tally(&all);
  return result;
}
