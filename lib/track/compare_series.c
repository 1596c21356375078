/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The series of a comparison. Each session is read in buckets of its own width; all widths are powers of two on one grid, so that they fall whole into those of
 * the width that the sessions need together. A session that logged no points of a metric gives its epoch rows.
 */
#include "track/compare.h"

#include "series/cell.h"
#include "track/epoch.h"

#include <math.h>
#include <string.h>

/* What one session has of one key: buckets of a query, else points of epoch rows. */
typedef struct line {
  tmon_series *series;
  tmon_point *points;
  size_t count;
  size_t capacity;
  tmon_bucket *buckets; /* on the common grid */
  size_t bucket_count;
} line;

#define EPOCHS_OF(column) "SELECT epoch, created_at, " column " FROM training_metrics WHERE session_id = ?1 AND " column " IS NOT NULL ORDER BY epoch"

/* In the order of tmon_epoch_columns. */
static const char *const column_sql[TMON_EPOCH_COLUMNS] = {EPOCHS_OF("box_loss"), EPOCHS_OF("cls_loss"), EPOCHS_OF("dfl_loss"), EPOCHS_OF("total_loss"),
    EPOCHS_OF("precision"), EPOCHS_OF("recall"), EPOCHS_OF("map50"), EPOCHS_OF("map50_95"), EPOCHS_OF("learning_rate"), EPOCHS_OF("epoch_time_seconds"),
    EPOCHS_OF("gpu_memory_mb"), EPOCHS_OF("val_loss"), EPOCHS_OF("train_accuracy"), EPOCHS_OF("val_accuracy")};

static int add_point(line *into, tmon_row *row) {
  if (into->count == into->capacity) {
    size_t capacity = into->capacity == 0 ? 64 : into->capacity * 2;
    tmon_point *grown = tmon_realloc(into->points, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    into->points = grown;
    into->capacity = capacity;
  }
  const char *time = tmon_row_text(row, 1);
  tmon_point *point = &into->points[into->count++];
  *point = (tmon_point){.step = tmon_row_int(row, 0), .value = tmon_row_double(row, 2)};
  if (time != NULL) (void)tmon_text_to_time(time, &point->time);
  return TMON_OK;
}

static int read_epochs(line *into, tmon_tx *tx, const char *id, const char *key) {
  tmon_row *row = NULL;
  int column = tmon_epoch_column(key);
  int result = column >= 0
      ? tmon_tx_prepare(&row, tx, column_sql[column])
      : tmon_tx_prepare(&row, tx,
            "SELECT m.epoch, m.created_at, j.value FROM training_metrics AS m, json_each(CASE WHEN json_valid(m.extra) THEN m.extra ELSE '{}' END) AS j"
            " WHERE m.session_id = ?1 AND j.key = ?2 AND j.type IN ('real', 'integer') ORDER BY m.epoch");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  if (column < 0) tmon_bind_text(row, 2, key);
  while ((result = tmon_row_step(row)) == TMON_OK && (result = add_point(into, row)) == TMON_OK) {
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int read_line(line *into, const tmon_comparison *all, size_t session, const char *key) {
  int64_t metric = 0;
  char *name = NULL;
  tmon_series_options options = {.size = sizeof options, .axis = all->axis, .width = all->width};
  int result = tmon_compare_find_metric(&metric, &name, all->tx, all->sessions[session], all->own[session], key);
  if (result != TMON_OK) return result;
  /* A live ring may know a name that the store does not know yet. */
  result = tmon_series_query(&into->series, all->store, all->ids[session], name != NULL ? name : key, &options);
  tmon_free(name);
  return result == TMON_ENOTFOUND ? read_epochs(into, all->tx, all->ids[session], tmon_epoch_name_in(all->own[session], key)) : result;
}

static void extend(int64_t *low, int64_t *high, int64_t first, int64_t last) {
  if (first < *low) *low = first;
  if (last > *high) *high = last;
}

/* The extent of all lines; false when there is nothing. */
static bool find_extent(const line *lines, const tmon_comparison *all, int64_t *low, int64_t *high) {
  *low = INT64_MAX;
  *high = INT64_MIN;
  for (size_t s = 0; s < all->count; s++) {
    size_t count = 0;
    const tmon_bucket *buckets = tmon_series_buckets(lines[s].series, &count);
    for (size_t i = 0; i < count; i++) extend(low, high, buckets[i].first_x, buckets[i].last_x);
    for (size_t i = 0; i < lines[s].count; i++) {
      int64_t x = all->axis == TMON_AXIS_STEP ? lines[s].points[i].step : lines[s].points[i].time;
      extend(low, high, x, x);
    }
  }
  return *low <= *high;
}

static int align(line *one, tmon_axis axis, unsigned exponent) {
  tmon_bucketer *bucketer = NULL;
  size_t count = 0;
  const tmon_bucket *buckets = tmon_series_buckets(one->series, &count);
  int result = tmon_bucketer_make(&bucketer, axis, exponent, INT64_MIN, INT64_MAX);
  if (result == TMON_OK && count > 0) result = tmon_bucketer_add_cells(bucketer, buckets, count);
  if (result == TMON_OK && one->count > 0) result = tmon_bucketer_add_points(bucketer, one->points, one->count);
  if (result == TMON_OK) result = tmon_bucketer_finish(bucketer, &one->buckets, &one->bucket_count);
  tmon_bucketer_free(bucketer);
  return result;
}

static double mean(const tmon_bucket *bucket) {
  uint64_t finite = bucket->count - bucket->nan_count - bucket->inf_count;
  return finite > 0 ? bucket->sum / (double)finite : (double)NAN;
}

static void write_line(tmon_json_writer *json, const line *one) {
  static const char *const reals[] = {"min", "max", "mean", "last"};
  if (one->bucket_count == 0) {
    tmon_json_put_null(json, NULL);
    return;
  }
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "source", one->series != NULL ? "series" : "epochs");
  tmon_json_open(json, "start", '[');
  for (size_t i = 0; i < one->bucket_count; i++) tmon_json_put_int(json, NULL, one->buckets[i].start);
  tmon_json_close(json, ']');
  tmon_json_open(json, "count", '[');
  for (size_t i = 0; i < one->bucket_count; i++) tmon_json_put_int(json, NULL, (int64_t)one->buckets[i].count);
  tmon_json_close(json, ']');
  for (int column = 0; column < 4; column++) {
    tmon_json_open(json, reals[column], '[');
    for (size_t i = 0; i < one->bucket_count; i++) {
      const tmon_bucket *bucket = &one->buckets[i];
      tmon_json_put_double(json, NULL, column == 0 ? bucket->min : column == 1 ? bucket->max : column == 2 ? mean(bucket) : bucket->last);
    }
    tmon_json_close(json, ']');
  }
  tmon_json_close(json, '}');
}

static void free_lines(line *lines, size_t count) {
  for (size_t i = 0; i < count; i++) {
    tmon_series_free(lines[i].series);
    tmon_free(lines[i].points);
    tmon_free(lines[i].buckets);
  }
}

static int write_key(tmon_json_writer *json, const tmon_comparison *all, const char *key) {
  line lines[TMON_COMPARE_SESSIONS];
  int64_t low = 0;
  int64_t high = 0;
  int64_t width = 1;
  int result = TMON_OK;
  memset(lines, 0, sizeof lines);
  for (size_t i = 0; i < all->count && result == TMON_OK; i++) result = read_line(&lines[i], all, i, key);
  if (result == TMON_OK && find_extent(lines, all, &low, &high)) {
    unsigned exponent = tmon_cell_exponent(low, high, all->width);
    width = exponent >= 63 ? INT64_MAX : (int64_t)1 << exponent;
    for (size_t i = 0; i < all->count && result == TMON_OK; i++) result = align(&lines[i], all->axis, exponent);
  }
  if (result == TMON_OK) {
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "key", key);
    tmon_json_put_int(json, "bucket_width", width);
    tmon_json_open(json, "sessions", '[');
    for (size_t i = 0; i < all->count; i++) write_line(json, &lines[i]);
    tmon_json_close(json, ']');
    tmon_json_close(json, '}');
  }
  free_lines(lines, all->count);
  return result;
}

int tmon_compare_write_series(tmon_json_writer *json, tmon_comparison *all) {
  int result = TMON_OK;
  tmon_json_open(json, "series", '{');
  tmon_json_put_text(json, "axis", all->axis == TMON_AXIS_STEP ? "step" : "time");
  tmon_json_open(json, "keys", '[');
  for (size_t i = 0; i < all->key_count && result == TMON_OK; i++) result = write_key(json, all, all->keys[i]);
  tmon_json_close(json, ']');
  tmon_json_close(json, '}');
  return result;
}
