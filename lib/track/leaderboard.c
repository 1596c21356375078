/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The leaderboard. Sessions that may be ranked come from one index, in order of their number; the figures of a metric lie together in metric_bests in the same
 * order, so that one pass joins the two. Who has no epoch rows of the metric is looked up among the logged points. All values are sorted in memory, since a rank
 * counts everybody, and only the sessions of the page are read.
 */
#include "track/bests.h"
#include "track/compare.h"
#include "track/epoch.h"

#include "util/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 20
#define LIMIT_MAXIMUM 50
#define METRIC_DEFAULT "map50_95"
#define OUT_MAXIMUM (16u << 20)
#define REBUILD_SESSIONS 64 /* in one transaction */

typedef enum source { SOURCE_NONE, SOURCE_EPOCHS, SOURCE_SERIES, SOURCE_FINAL } source;
static const char *const source_names[] = {NULL, "epochs", "series", "final"};
static const char *const mode_names[] = {"best", "last", "smoothed", "final"};

enum { FINALS = 5 };

/* The column of FINALS that tells a column of epoch rows at the end; -1: none. */
static int final_of(int column) {
  static const char *const names[FINALS] = {"map50", "map50_95", "precision", "recall", "val_loss"};
  if (column < 0) return -1;
  if (strcmp(tmon_epoch_columns[column], "total_loss") == 0) return FINALS - 1;
  for (int i = 0; i < FINALS; i++) {
    if (strcmp(tmon_epoch_columns[column], names[i]) == 0) return i;
  }
  return -1;
}

typedef struct member {
  int64_t session;
  int64_t time;       /* of its end */
  double final_value; /* NaN: none */
  double value;
  double order; /* ascending: the best first */
  int64_t at;
  source source;
  bool own; /* declares names of its own, and was looked up by them */
} member;

typedef struct ranking {
  tmon_leaderboard_options options;
  int column; /* of epoch rows; -1: a name in `extra` */
  bool low;
  member *members;
  size_t count;
  size_t capacity;
} ranking;

static int add_member(ranking *all, tmon_row *row) {
  if (all->count == all->capacity) {
    size_t capacity = all->capacity == 0 ? 256 : all->capacity * 2;
    member *grown = tmon_realloc(all->members, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    all->members = grown;
    all->capacity = capacity;
  }
  int final = final_of(all->column);
  const char *time = tmon_row_text(row, 1);
  member *one = &all->members[all->count++];
  *one = (member){.session = tmon_row_int(row, 0), .final_value = final < 0 ? (double)NAN : tmon_row_double(row, 2 + final)};
  if (time != NULL) (void)tmon_text_to_time(time, &one->time);
  return TMON_OK;
}

static int compare_sessions(const void *a, const void *b) {
  int64_t left = ((const member *)a)->session;
  int64_t right = ((const member *)b)->session;
  return (left > right) - (left < right);
}

#define MEMBERS "SELECT key, completed_at, final_map50, final_map50_95, final_precision, final_recall, final_loss FROM training_sessions WHERE "
#define FILTERS "(?1 IS NULL OR model_type = ?1) AND (?2 IS NULL OR dataset_name = ?2)"

static int read_members(ranking *all, tmon_tx *tx) {
  tmon_row *row = NULL;
  const tmon_leaderboard_options *options = &all->options;
  int result =
      options->any_status ? tmon_tx_prepare(&row, tx, MEMBERS FILTERS) : tmon_tx_prepare(&row, tx, MEMBERS "status = ?3 AND " FILTERS " ORDER BY key");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, options->model_type);
  tmon_bind_text(row, 2, options->dataset_name);
  if (!options->any_status) tmon_bind_text(row, 3, tmon_status_name(options->by_status ? options->status : TMON_STATUS_COMPLETED));
  while ((result = tmon_row_step(row)) == TMON_OK && (result = add_member(all, row)) == TMON_OK) {
  }
  tmon_row_reset(row);
  if (result != TMON_DONE) return result;
  if (all->options.any_status && all->count > 1) qsort(all->members, all->count, sizeof *all->members, compare_sessions);
  return TMON_OK;
}

static void take(const ranking *all, member *one, const tmon_best *best, source from) {
  double value = (double)NAN;
  if (best->any) one->at = best->latest_at;
  switch (all->options.mode) {
  case TMON_RANK_BEST:
    if (best->count == 0) break;
    value = all->low ? best->lowest : best->highest;
    one->at = all->low ? best->lowest_at : best->highest_at;
    break;
  case TMON_RANK_SMOOTHED: value = best->mass > 0 ? best->sum / best->mass : (double)NAN; break;
  case TMON_RANK_LAST:
  case TMON_RANK_FINAL:
  default: value = best->any ? best->latest : (double)NAN; break;
  }
  /* A session that has the metric is judged by it, also when it came to nothing. */
  one->source = from;
  one->value = value;
}

/* The member of a session; `from` moves on, since sessions come ascending. */
static member *find_member(const ranking *all, size_t *from, int64_t session) {
  while (*from < all->count && all->members[*from].session < session) (*from)++;
  return *from < all->count && all->members[*from].session == session ? &all->members[*from] : NULL;
}

#define EPOCHS_OF(value, at) "SELECT session, " value ", " at " FROM metric_bests WHERE name = ? ORDER BY session"

static int take_epochs(ranking *all, tmon_tx *tx) {
  tmon_row *row = NULL;
  size_t from = 0;
  int result = all->options.mode == TMON_RANK_SMOOTHED ? tmon_tx_prepare(&row, tx, EPOCHS_OF("smoothed", "latest_epoch"))
      : all->options.mode != TMON_RANK_BEST            ? tmon_tx_prepare(&row, tx, EPOCHS_OF("latest", "latest_epoch"))
      : all->low                                       ? tmon_tx_prepare(&row, tx, EPOCHS_OF("lowest", "lowest_epoch"))
                                                       : tmon_tx_prepare(&row, tx, EPOCHS_OF("highest", "highest_epoch"));
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, all->column >= 0 ? tmon_epoch_columns[all->column] : all->options.metric);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    member *one = find_member(all, &from, tmon_row_int(row, 0));
    if (one == NULL) continue;
    one->source = SOURCE_EPOCHS;
    one->value = tmon_row_double(row, 1);
    one->at = tmon_row_int(row, 2);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int take_series(ranking *all, tmon_tx *tx, const char *key) {
  tmon_row *row = NULL;
  size_t from = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT session, id FROM metric_keys WHERE key = ? ORDER BY session");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, key);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_best best;
    member *one = find_member(all, &from, tmon_row_int(row, 0));
    if (one == NULL || one->source != SOURCE_NONE || one->own) continue;
    if ((result = tmon_bests_series(&best, tx, one->session, tmon_row_int(row, 1))) != TMON_OK) break;
    if (best.any || best.count > 0) take(all, one, &best, SOURCE_SERIES);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* Under the name that was asked for, else under another name of the same column. */
static int take_all_series(ranking *all, tmon_tx *tx) {
  size_t cursor = 0;
  const char *alias = NULL;
  int result = take_series(all, tx, all->options.metric);
  while (all->column >= 0 && result == TMON_OK && (alias = tmon_epoch_alias(all->column, &cursor)) != NULL) {
    if (strcmp(alias, all->options.metric) != 0) result = take_series(all, tx, alias);
  }
  return result;
}

static int take_by_names(const ranking *all, tmon_tx *tx, member *one, const tmon_json *own) {
  tmon_best best;
  int64_t metric = 0;
  char *name = NULL;
  const char *row = tmon_epoch_name_in(own, all->options.metric);
  one->own = true;
  int result = tmon_bests_read(&best, tx, one->session, row);
  if (result != TMON_OK) return result;
  if (best.any) {
    take(all, one, &best, SOURCE_EPOCHS);
    return TMON_OK;
  }
  result = tmon_compare_find_metric(&metric, &name, tx, one->session, own, all->options.metric);
  tmon_free(name);
  if (result != TMON_OK || metric == 0) return result;
  result = tmon_bests_series(&best, tx, one->session, metric);
  if (result == TMON_OK && (best.any || best.count > 0)) take(all, one, &best, SOURCE_SERIES);
  return result;
}

/* Sessions without epoch rows of the metric under its common name, before their points are looked up by it. */
static int take_own(ranking *all, tmon_tx *tx) {
  int result = TMON_OK;
  for (size_t i = 0; result == TMON_OK && i < all->count; i++) {
    tmon_json *own = NULL;
    if (all->members[i].source != SOURCE_NONE) continue;
    result = tmon_own_names_load(&own, tx, all->members[i].session);
    if (result == TMON_OK && own != NULL) result = take_by_names(all, tx, &all->members[i], own);
    tmon_json_free(own);
  }
  return result;
}

static void take_finals(ranking *all) {
  for (size_t i = 0; i < all->count; i++) {
    member *one = &all->members[i];
    if (one->source != SOURCE_NONE || !isfinite(one->final_value)) continue;
    one->source = SOURCE_FINAL;
    one->value = one->final_value;
  }
}

static int compare_values(const void *a, const void *b) {
  const member *left = a;
  const member *right = b;
  if (left->order != right->order) return left->order < right->order ? -1 : 1;
  if (left->time != right->time) return left->time < right->time ? -1 : 1;
  return compare_sessions(a, b);
}

static int rank_members(ranking *all, tmon_tx *tx) {
  size_t kept = 0;
  bool only_final = all->options.mode == TMON_RANK_FINAL && final_of(all->column) >= 0;
  int result = read_members(all, tx);
  if (result == TMON_OK && !only_final) result = take_epochs(all, tx);
  if (result == TMON_OK && !only_final) result = take_own(all, tx);
  if (result == TMON_OK && !only_final) result = take_all_series(all, tx);
  if (result != TMON_OK) return result;
  take_finals(all);
  for (size_t i = 0; i < all->count; i++) {
    if (all->members[i].source == SOURCE_NONE || !isfinite(all->members[i].value)) continue;
    all->members[kept] = all->members[i];
    all->members[kept].order = all->low ? all->members[kept].value : -all->members[kept].value;
    kept++;
  }
  all->count = kept;
  if (kept > 1) qsort(all->members, kept, sizeof *all->members, compare_values);
  return TMON_OK;
}

/* The columns in the order of the names below: texts, whole numbers, reals. */
static void write_fields(tmon_json_writer *json, tmon_row *row) {
  static const char *const texts[] = {
      "id", "session_name", "model_type", "dataset_name", "status", "model_path", "created_at", "started_at", "completed_at", "device"};
  static const char *const counts[] = {"epochs", "best_epoch"};
  static const char *const reals[] = {"duration_seconds", "final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss",
      "avg_inference_ms", "min_inference_ms", "max_inference_ms", "throughput_fps"};
  int column = 0;
  tmon_json_put_text(json, "session_id", tmon_row_text(row, 0));
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) tmon_json_put_text(json, texts[i], tmon_row_text(row, column++));
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++, column++) {
    if (tmon_row_is_null(row, column)) tmon_json_put_null(json, counts[i]);
    else tmon_json_put_int(json, counts[i], tmon_row_int(row, column));
  }
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) tmon_json_put_double(json, reals[i], tmon_row_double(row, column++));
}

static int write_entry(tmon_json_writer *json, tmon_tx *tx, const member *one, size_t rank) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT s.id, s.session_name, s.model_type, s.dataset_name, s.status, s.model_path, s.created_at, s.started_at, s.completed_at, b.device, s.epochs, s.best_epoch,"
      " s.duration_seconds, s.final_map50, s.final_map50_95, s.final_precision, s.final_recall, s.final_loss, b.avg_inference_ms, b.min_inference_ms,"
      " b.max_inference_ms, b.throughput_fps FROM training_sessions AS s"
      " LEFT JOIN model_benchmarks AS b ON b.id = (SELECT id FROM model_benchmarks WHERE session_id = s.id ORDER BY created_at DESC, id DESC LIMIT 1)"
      " WHERE s.key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, one->session);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    tmon_json_open(json, NULL, '{');
    tmon_json_put_int(json, "rank", (int64_t)rank);
    tmon_json_put_double(json, "value", one->value);
    tmon_json_put_text(json, "source", source_names[one->source]);
    if (one->source == SOURCE_EPOCHS) tmon_json_put_int(json, "epoch", one->at);
    else tmon_json_put_null(json, "epoch");
    if (one->source == SOURCE_SERIES) tmon_json_put_int(json, "step", one->at);
    else tmon_json_put_null(json, "step");
    write_fields(json, row);
    tmon_json_close(json, '}');
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int write_page(tmon_buffer *out, const ranking *all, tmon_tx *tx) {
  tmon_json_writer json;
  const tmon_leaderboard_options *options = &all->options;
  int64_t end = (int64_t)all->count - options->offset < options->limit ? (int64_t)all->count : options->offset + options->limit;
  size_t rank = 0;
  int result = TMON_OK;
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "metric", all->column >= 0 ? tmon_epoch_columns[all->column] : options->metric);
  tmon_json_put_text(&json, "mode", mode_names[options->mode]);
  tmon_json_put_text(&json, "order", all->low ? "lower" : "higher");
  tmon_json_put_int(&json, "total", (int64_t)all->count);
  tmon_json_put_int(&json, "count", end > options->offset ? end - options->offset : 0);
  tmon_json_put_int(&json, "limit", options->limit);
  tmon_json_put_int(&json, "offset", options->offset);
  tmon_json_open(&json, "leaderboard", '[');
  for (int64_t i = 0; i < end && result == TMON_OK; i++) {
    if (i == 0 || all->members[i].value != all->members[i - 1].value) rank = (size_t)i + 1;
    if (i >= options->offset) result = write_entry(&json, tx, &all->members[i], rank);
  }
  tmon_json_close(&json, ']');
  tmon_json_close(&json, '}');
  if (result == TMON_OK && out->error != TMON_OK) result = tmon_error_set(out->error, "the leaderboard does not fit in memory");
  return result;
}

static int check_options(ranking *all, const tmon_leaderboard_options *given) {
  tmon_leaderboard_options *options = &all->options;
  int result = tmon_options_copy(options, sizeof *options, given, "tmon_leaderboard_options");
  if (result != TMON_OK) return result;
  if (options->metric == NULL) options->metric = METRIC_DEFAULT;
  if (!tmon_text_is_key(options->metric)) {
    return tmon_error_set_field(TMON_EINVAL, "metric", "metric is no allowed name, expected UTF-8 of 1 to 250 bytes without control characters");
  }
  if ((unsigned)options->mode > TMON_RANK_FINAL) {
    return tmon_error_set_field(TMON_EINVAL, "mode", "mode is %d, expected best, last, smoothed or final", (int)options->mode);
  }
  if ((unsigned)options->direction > TMON_DIRECTION_LOWER) {
    return tmon_error_set_field(TMON_EINVAL, "direction", "direction is %d, expected auto, higher or lower", (int)options->direction);
  }
  if (options->by_status && (unsigned)options->status > TMON_STATUS_INTERRUPTED) {
    return tmon_error_set_field(TMON_EINVAL, "status", "the status %d is none", (int)options->status);
  }
  if (options->limit < 0 || options->limit > LIMIT_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "limit", "limit is %lld, expected 1 to %d", (long long)options->limit, LIMIT_MAXIMUM);
  }
  if (options->limit == 0) options->limit = LIMIT_DEFAULT;
  if (options->offset < 0) return tmon_error_set_field(TMON_EINVAL, "offset", "offset is %lld, expected 0 or more", (long long)options->offset);
  if (options->by_status) options->any_status = false;
  all->column = tmon_epoch_column(options->metric);
  all->low = options->direction == TMON_DIRECTION_AUTO ? tmon_metric_is_better_low(all->column >= 0 ? tmon_epoch_columns[all->column] : options->metric)
                                                       : options->direction == TMON_DIRECTION_LOWER;
  result = tmon_check_text(options->model_type, TMON_TEXT_MAXIMUM, "model_type");
  return result == TMON_OK ? tmon_check_text(options->dataset_name, TMON_TEXT_MAXIMUM, "dataset_name") : result;
}

int tmon_leaderboard_json(char **out, tmon_store *store, const tmon_leaderboard_options *options) {
  ranking all;
  tmon_tx *tx = NULL;
  tmon_buffer text;
  memset(&all, 0, sizeof all);
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  tmon_buffer_init(&text, OUT_MAXIMUM);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = check_options(&all, options);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = rank_members(&all, tx);
  if (result == TMON_OK) result = write_page(&text, &all, tx);
  tmon_tx_abort(tx);
  tmon_free(all.members);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return result;
}

/* The sessions after `key`, as many as fit in one transaction; `key` moves on, TMON_DONE after the last. */
static int rebuild_some(tmon_tx *tx, int64_t *key) {
  for (int i = 0; i < REBUILD_SESSIONS; i++) {
    tmon_row *row = NULL;
    char *id = NULL;
    int result = tmon_tx_prepare(&row, tx, "SELECT key, id FROM training_sessions WHERE key > ? ORDER BY key LIMIT 1");
    if (result != TMON_OK) return result;
    tmon_bind_int(row, 1, *key);
    result = tmon_row_step(row);
    if (result == TMON_OK) {
      *key = tmon_row_int(row, 0);
      id = tmon_strdup(tmon_row_text(row, 1));
      if (id == NULL) result = tmon_error_no_memory();
    }
    tmon_row_reset(row);
    if (result == TMON_OK) result = tmon_bests_rebuild(tx, id);
    tmon_free(id);
    if (result != TMON_OK) return result;
  }
  return TMON_OK;
}

int tmon_leaderboard_rebuild(tmon_store *store, const char *session_id) {
  int64_t key = INT64_MIN;
  bool done = false;
  int result = tmon_store_check(store);
  if (result == TMON_OK && session_id != NULL) result = tmon_check_id(session_id);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  while (result == TMON_OK && !done) {
    tmon_tx *tx = NULL;
    result = tmon_tx_begin(&tx, store->db, true, -1);
    if (result == TMON_OK) result = session_id != NULL ? tmon_bests_rebuild(tx, session_id) : rebuild_some(tx, &key);
    done = result == TMON_DONE || session_id != NULL;
    if (result == TMON_OK || result == TMON_DONE) result = tmon_tx_commit(tx);
    else tmon_tx_abort(tx);
  }
  return result;
}
