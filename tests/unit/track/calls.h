/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Every public call of the core by name, run on live objects with the k-th operation of some kind failing. */
#ifndef TRAINMON_TESTS_TRACK_CALLS_H
#define TRAINMON_TESTS_TRACK_CALLS_H
#include "unit/track/help.h"

#include "util/sha256.h"

#include <sqlite3.h>

#define CALLS_HISTORY 1100 /* a chunk and a delta */

typedef struct calls_env {
  tmon_store *store; /* of the session */
  tmon_store *fresh; /* another handle: what is prepared and cached would hide operations */
  tmon_session *session;
  tmon_metric metric;
  char id[40];
  char rest[40];
  char hash[65]; /* of a picture of `rest` */
  tmon_follow *follow;
  tmon_point_reader *reader;
  tmon_metric_list *metrics;
  tmon_record_list *records;
  uint64_t logged; /* points of "m" whose call gave TMON_OK */
  int round;
} calls_env;

typedef struct calls_entry {
  const char *name;
  int (*run)(calls_env *env);
  unsigned how;
} calls_entry;

enum {
  CALLS_READS = 1,   /* changes nothing, whatever happens */
  CALLS_ATOMIC = 2,  /* an error means that the store was not changed */
  CALLS_DRAINER = 4, /* on a session with a thread of its own */
  CALLS_ENDS = 8,    /* the session is finished afterwards */
  CALLS_DIES = 16,   /* its snapshot is gone after an error: the error stays */
  CALLS_MANY = 32    /* has so many operations that the short form tries every seventh of what it would try else */
};

/* What makes operations fail. `disarm` gives how many failed. */
typedef struct calls_trouble {
  void (*arm)(size_t at, bool persistent);
  size_t (*disarm)(void);
  bool (*allowed)(int code);
  size_t stride; /* 1: every operation */
} calls_trouble;

#define CALLS_RULES                                                                                                                                       \
  "[{\"name\":\"nan\",\"type\":\"nonfinite\",\"metric\":\"*\"},{\"name\":\"odd\",\"type\":\"outlier\",\"metric\":\"m\",\"window\":16},"                   \
  "{\"name\":\"floor\",\"type\":\"class_floor\",\"class\":\"*\",\"threshold\":1}]"

#define CALLS_CONFIG "{\"a\":[1,2],\"metric_aliases\":{\"mine\":\"recall\"}}"

static inline int calls_alert_set_rules(calls_env *env) { return tmon_alert_set_rules(env->fresh, env->rest, CALLS_RULES, true); }
static inline int calls_alert_acknowledge(calls_env *env) { return tmon_alert_acknowledge(env->fresh, 1); }

static inline int calls_text(int result, char *text) {
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_alert_rules_json(calls_env *env) {
  char *text = NULL;
  int result = tmon_alert_rules_json(&text, env->fresh, env->id);
  return calls_text(result, text);
}

static inline int calls_alert_list_json(calls_env *env) {
  char *text = NULL;
  int result = tmon_alert_list_json(&text, env->fresh, NULL);
  return calls_text(result, text);
}

static inline int calls_alert_conditions_json(calls_env *env) {
  char *text = NULL;
  int result = tmon_alert_conditions_json(&text, env->fresh, env->id);
  return calls_text(result, text);
}

static inline int calls_alert_replay_json(calls_env *env) {
  char *text = NULL;
  int result = tmon_alert_replay_json(&text, env->fresh, env->id, CALLS_RULES);
  return calls_text(result, text);
}

static inline int calls_follow_next(calls_env *env) {
  tmon_follow_point points[64];
  size_t count = 0;
  return tmon_follow_next(env->follow, points, 64, &count, NULL);
}

static inline int calls_follow_open(calls_env *env) {
  tmon_follow *follow = NULL;
  int result = tmon_follow_open(&follow, env->fresh, env->id);
  ck_assert((result == TMON_OK) == (follow != NULL));
  tmon_follow_free(follow);
  return result;
}

static inline int calls_hardware_info(calls_env *env) {
  char *text = NULL;
  (void)env;
  int result = tmon_hardware_info_json(&text);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_hardware_json(calls_env *env) {
  char *text = NULL;
  (void)env;
  int result = tmon_hardware_json(&text, test_folder);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_log(calls_env *env) {
  int result = tmon_log(env->session, env->metric, 1, 1);
  env->logged += result == TMON_OK;
  return result;
}

static inline int calls_log_batch(calls_env *env) {
  double value = 2;
  int result = tmon_log_batch(env->session, 2, &env->metric, &value, 1);
  env->logged += result == TMON_OK;
  return result;
}

static inline int calls_log_series(calls_env *env) {
  int64_t step = 3;
  double value = 3;
  int result = tmon_log_series(env->session, env->metric, &step, NULL, &value, 1);
  env->logged += result == TMON_OK;
  return result;
}

/* The whole of a GIF of one pixel; `round` makes another content of it. */
static inline tmon_image calls_picture(const calls_env *env, char out[43]) {
  memcpy(out, "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0;", 35);
  (void)snprintf(out + 35, 8, "%07d", env->round);
  return (tmon_image){.size = sizeof(tmon_image), .name = "n", .label = "l", .data = out, .bytes = 42};
}

static inline int calls_image_add(calls_env *env) {
  char data[43];
  tmon_image image = calls_picture(env, data);
  return tmon_image_add(env->fresh, env->rest, &image);
}

static inline int calls_image_list(calls_env *env) {
  char *text = NULL;
  tmon_image_filter filter = {.size = sizeof filter, .session_id = env->rest};
  int result = tmon_image_list_json(&text, env->fresh, &filter);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_image_read(calls_env *env) {
  void *data = NULL;
  size_t size = 0;
  char type[32];
  int result = tmon_image_read(&data, &size, type, env->fresh, env->hash);
  ck_assert((result == TMON_OK) == (data != NULL));
  tmon_image_free(data);
  return result;
}

static inline int calls_log_image(calls_env *env) {
  char data[43];
  tmon_image image = calls_picture(env, data);
  return tmon_session_log_image(env->session, &image);
}

static inline int calls_metric_list_next(calls_env *env) {
  tmon_metric_info info;
  return tmon_metric_list_next(env->metrics, &info);
}

static inline int calls_metric_list_open(calls_env *env) {
  tmon_metric_list *list = NULL;
  int result = tmon_metric_list_open(&list, env->fresh, env->id);
  tmon_metric_list_free(list);
  return result;
}

static inline int calls_reader_next(calls_env *env) {
  tmon_point points[2000];
  size_t count = 0;
  return tmon_point_reader_next(env->reader, points, 2000, &count);
}

static inline int calls_reader_open(calls_env *env) {
  tmon_point_reader *reader = NULL;
  int result = tmon_point_reader_open(&reader, env->fresh, env->id, "m");
  tmon_point_reader_free(reader);
  return result;
}

static inline int calls_record_create(calls_env *env) {
  char id[37];
  tmon_record_change change = {.size = sizeof change, .name = "made", .config_json = CALLS_CONFIG};
  return tmon_record_create(id, env->fresh, &change);
}

static inline int calls_epochs_json(calls_env *env) {
  char *text = NULL;
  int result = tmon_record_epochs_json(&text, env->fresh, env->rest, -1);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_record_list_next(calls_env *env) {
  tmon_record record;
  return tmon_record_list_next(env->records, &record);
}

static inline int calls_record_list_open(calls_env *env) {
  tmon_record_list *list = NULL;
  tmon_record_filter filter = {.size = sizeof filter, .limit = 2, .text = "e"};
  int result = tmon_record_list_open(&list, env->fresh, &filter);
  tmon_record_list_free(list);
  return result;
}

static inline int calls_record_log_epoch(calls_env *env) {
  tmon_epoch_value values[] = {{"loss", 1}, {"mine", NAN}};
  return tmon_record_log_epoch(env->fresh, env->rest, env->round + 2, values, 2);
}

static inline int calls_record_request(calls_env *env) { return tmon_record_request(env->fresh, env->id, TMON_CONTROL_PAUSE); }

static inline int calls_record_delete(calls_env *env) {
  char id[37];
  tmon_record_change change = {.size = sizeof change, .name = "goes"};
  int result = tmon_record_create(id, env->fresh, &change);
  return result == TMON_OK ? tmon_record_delete(env->fresh, id) : result;
}

static inline int calls_texts(calls_env *env, int which) {
  char *text = NULL;
  int result = which == 0 ? tmon_record_events_json(&text, env->fresh, env->rest, 0)
      : which == 1        ? tmon_record_ranks_json(&text, env->fresh, env->id)
                          : tmon_record_latest_epoch_json(&text, env->fresh, env->rest);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_events_json(calls_env *env) { return calls_texts(env, 0); }
static inline int calls_ranks_json(calls_env *env) { return calls_texts(env, 1); }
static inline int calls_latest_epoch_json(calls_env *env) { return calls_texts(env, 2); }

static inline int calls_record_update(calls_env *env) {
  tmon_record_change change = {.size = sizeof change,
      .name = "new",
      .config_json = "{}",
      .summary_json = "{\"a\":1}",
      .tags_json = "[\"t\"]",
      .set_status = true,
      .status = TMON_STATUS_RUNNING};
  return tmon_record_update(env->fresh, env->rest, &change);
}

static inline int calls_query(calls_env *env) {
  tmon_series *series = NULL;
  int result = tmon_series_query(&series, env->fresh, env->id, "m", NULL);
  ck_assert((result == TMON_OK) == (series != NULL));
  tmon_series_free(series);
  return result;
}

static inline int calls_tail(calls_env *env) {
  tmon_point points[1200];
  size_t count = 1200;
  return tmon_series_tail(points, &count, env->fresh, env->id, "m");
}

static inline int calls_compare(calls_env *env) {
  char *text = NULL;
  const char *ids[] = {env->id, env->rest};
  const char *keys[] = {"m", "loss"};
  tmon_compare_options options = {.size = sizeof options, .keys = keys, .key_count = 2};
  int result = tmon_compare_json(&text, env->fresh, ids, 2, &options);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_leaderboard(calls_env *env) {
  char *text = NULL;
  tmon_leaderboard_options options = {.size = sizeof options, .metric = "loss", .any_status = true};
  int result = tmon_leaderboard_json(&text, env->fresh, &options);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_rebuild(calls_env *env) { return tmon_leaderboard_rebuild(env->fresh, env->rest); }

static inline int calls_finish(calls_env *env) { return tmon_session_finish(env->session, TMON_STATUS_FAILED); }
static inline int calls_flush(calls_env *env) { return tmon_session_flush(env->session); }

static inline int calls_session_log_epoch(calls_env *env) {
  double value = 4;
  tmon_epoch row = {.size = sizeof row, .count = 1, .metrics = &env->metric, .values = &value};
  return tmon_session_log_epoch(env->session, env->round, &row);
}

static inline int calls_metric(calls_env *env) {
  tmon_metric metric = 0;
  int result = TMON_OK;
  for (int i = 0; i < 200 && result == TMON_OK; i++) {
    char key[40];
    (void)snprintf(key, sizeof key, "metric %d", i);
    result = tmon_session_metric(&metric, env->session, key, NULL);
  }
  return result;
}

static inline int calls_report(calls_env *env) {
  tmon_progress progress = {.size = sizeof progress, .epoch = env->round, .epochs = 100};
  return tmon_session_report(env->session, &progress);
}

static inline int calls_session_request(calls_env *env) { return tmon_session_request(env->session, TMON_CONTROL_STOP); }
static inline int calls_set_error(calls_env *env) { return tmon_session_set_error(env->session, "why"); }

static inline int calls_start(calls_env *env) {
  tmon_session *session = NULL;
  tmon_session_options options = {
      .size = sizeof options, .no_drainer = true, .config_json = CALLS_CONFIG, .tags_json = "[\"t\"]", .best_metric = "m:max", .ring_bytes = 256 << 10};
  int result = tmon_session_start(&session, env->store, &options);
  ck_assert((result == TMON_OK) == (session != NULL));
  tmon_session_free(session);
  return result;
}

static inline int calls_cursor(calls_env *env) {
  int64_t cursor = 0;
  return tmon_store_change_cursor(&cursor, env->fresh);
}

static inline int calls_changes(calls_env *env) {
  char *text = NULL;
  int result = tmon_store_changes_json(&text, env->fresh, 0);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_rows(calls_env *env) {
  static const char *const names[] = {"training_sessions", "training_metrics", "images"};
  tmon_rows_query query = {.size = sizeof query, .tables = names, .table_count = 3};
  char *text = NULL;
  int result = tmon_store_rows_json(&text, env->fresh, &query);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  return result;
}

static inline int calls_info(calls_env *env) {
  tmon_store_info info;
  return tmon_store_get_info(&info, env->fresh);
}

static inline int calls_store_open(calls_env *env) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder};
  char folder[300];
  /* One that is there, and one that is made anew. */
  int result = tmon_store_open(&store, test_folder, &options);
  tmon_store_free(store);
  store = NULL;
  (void)snprintf(folder, sizeof folder, "%s/new%d", test_folder, env->round);
  if (result == TMON_OK) result = tmon_store_open(&store, folder, &options);
  tmon_store_free(store);
  return result;
}

static inline int calls_recover(calls_env *env) { return tmon_store_recover(env->fresh, 0, NULL); }

#include "unit/track/calls_adds.h"
#include "unit/track/calls_results.h"

static const calls_entry calls_table[] = {
    {"tmon_confusion_add", calls_confusion_add, CALLS_ATOMIC},
    {"tmon_alert_acknowledge", calls_alert_acknowledge, CALLS_ATOMIC},
    {"tmon_alert_add", calls_alert_add, CALLS_ATOMIC},
    {"tmon_alert_conditions_json", calls_alert_conditions_json, CALLS_READS},
    {"tmon_alert_list_json", calls_alert_list_json, CALLS_READS},
    {"tmon_alert_replay_json", calls_alert_replay_json, CALLS_READS | CALLS_MANY},
    {"tmon_alert_rules_json", calls_alert_rules_json, CALLS_READS},
    {"tmon_alert_set_rules", calls_alert_set_rules, CALLS_ATOMIC | CALLS_MANY},
    {"tmon_extract", calls_extract, CALLS_READS | CALLS_MANY},
    {"tmon_extract_reader_next", calls_extract_next, CALLS_READS},
    {"tmon_extract_reader_open", calls_extract_open, CALLS_READS},
    {"tmon_follow_next", calls_follow_next, CALLS_READS},
    {"tmon_follow_open", calls_follow_open, CALLS_READS},
    {"tmon_hardware_info_json", calls_hardware_info, CALLS_READS},
    {"tmon_hardware_json", calls_hardware_json, CALLS_READS},
    {"tmon_image_add", calls_image_add, CALLS_ATOMIC},
    {"tmon_image_list_json", calls_image_list, CALLS_READS},
    {"tmon_image_read", calls_image_read, CALLS_READS},
    {"tmon_compare_json", calls_compare, CALLS_READS},
    {"tmon_leaderboard_json", calls_leaderboard, CALLS_READS},
    {"tmon_leaderboard_rebuild", calls_rebuild, CALLS_ATOMIC},
    {"tmon_log", calls_log, CALLS_DRAINER},
    {"tmon_log_batch", calls_log_batch, CALLS_DRAINER},
    {"tmon_log_series", calls_log_series, CALLS_DRAINER},
    {"tmon_metric_list_next", calls_metric_list_next, CALLS_READS},
    {"tmon_metric_list_open", calls_metric_list_open, CALLS_READS},
    {"tmon_point_reader_next", calls_reader_next, CALLS_READS | CALLS_DIES},
    {"tmon_point_reader_open", calls_reader_open, CALLS_READS},
    {"tmon_record_add_event", calls_add_event, CALLS_ATOMIC},
    {"tmon_record_create", calls_record_create, CALLS_ATOMIC},
    {"tmon_record_delete", calls_record_delete, 0},
    {"tmon_record_epochs_json", calls_epochs_json, CALLS_READS},
    {"tmon_record_events_json", calls_events_json, CALLS_READS},
    {"tmon_record_latest_epoch_json", calls_latest_epoch_json, CALLS_READS},
    {"tmon_record_list_next", calls_record_list_next, CALLS_READS},
    {"tmon_record_list_open", calls_record_list_open, CALLS_READS},
    {"tmon_record_log_epoch", calls_record_log_epoch, CALLS_ATOMIC},
    {"tmon_record_ranks_json", calls_ranks_json, CALLS_READS},
    {"tmon_record_request", calls_record_request, CALLS_ATOMIC},
    {"tmon_record_update", calls_record_update, CALLS_ATOMIC},
    {"tmon_result_add", calls_result_add, CALLS_ATOMIC},
    {"tmon_result_add", calls_result_add_matrix, CALLS_ATOMIC},
    {"tmon_result_list_json", calls_result_list, CALLS_READS},
    {"tmon_series_query", calls_query, CALLS_READS},
    {"tmon_series_tail", calls_tail, CALLS_READS},
    {"tmon_session_finish", calls_finish, CALLS_ENDS},
    {"tmon_session_flush", calls_flush, 0},
    {"tmon_session_log_epoch", calls_session_log_epoch, CALLS_DRAINER},
    {"tmon_session_log_image", calls_log_image, CALLS_READS},
    {"tmon_session_metric", calls_metric, CALLS_READS},
    {"tmon_session_report", calls_report, CALLS_DRAINER},
    {"tmon_session_request", calls_session_request, CALLS_ATOMIC},
    {"tmon_session_set_error", calls_set_error, CALLS_READS},
    {"tmon_session_start", calls_start, CALLS_ATOMIC},
    {"tmon_store_backup", calls_backup, CALLS_MANY},
    {"tmon_store_change_cursor", calls_cursor, CALLS_READS},
    {"tmon_store_changes_json", calls_changes, CALLS_READS},
    {"tmon_store_rows_json", calls_rows, CALLS_READS},
    {"tmon_store_get_info", calls_info, CALLS_READS},
    {"tmon_store_open", calls_store_open, CALLS_MANY},
    {"tmon_store_recover", calls_recover, 0},
};
enum { CALLS_COUNT = sizeof calls_table / sizeof *calls_table };

/* With `loose` the ring holds points that are not committed: a chunk, a new metric, an epoch. */
static inline void calls_begin(calls_env *env, const calls_entry *entry, int round, bool loose) {
  char text[300];
  memset(env, 0, sizeof *env);
  env->round = round;
  env->store = test_store();
  ok(tmon_alert_set_rules(env->store, NULL, CALLS_RULES, true));
  tmon_session_options options = {
      .size = sizeof options, .no_drainer = (entry->how & CALLS_DRAINER) == 0, .config_json = CALLS_CONFIG, .ring_bytes = 256 << 10};
  ok(tmon_session_start(&env->session, env->store, &options));
  (void)snprintf(env->id, sizeof env->id, "%s", tmon_session_id(env->session));
  env->metric = test_metric(env->session, "m");
  if ((entry->how & CALLS_DRAINER) == 0) {
    for (int i = 0; i < CALLS_HISTORY; i++, env->logged++) ok(tmon_log(env->session, env->metric, i, i));
    ok(tmon_session_flush(env->session));
  }
  tmon_record_change change = {.size = sizeof change, .name = "rest", .config_json = CALLS_CONFIG};
  tmon_epoch_value value = {"loss", 1};
  ok(tmon_record_create(env->rest, env->store, &change));
  ok(tmon_record_log_epoch(env->store, env->rest, 1, &value, 1));
  (void)snprintf(
      text, sizeof text, "{\"session_id\":\"%s\",\"class_names\":[\"a\",\"b\"],\"class_groups\":{\"a\":\"g\"},\"matrix\":[[1,2],[0,3]]}", env->rest);
  ok(tmon_result_add(NULL, env->store, TMON_RESULT_CONFUSION, text));
  value = (tmon_epoch_value){"class/x/sensitivity", 0.5}; /* an alert */
  ok(tmon_record_log_epoch(env->store, env->rest, 1, &value, 1));
  ok(tmon_follow_open(&env->follow, env->store, env->id));
  char data[43];
  tmon_image image = calls_picture(env, data);
  ok(tmon_image_add(env->store, env->rest, &image));
  tmon_sha256_text(env->hash, data, image.bytes);
  if ((entry->how & CALLS_DRAINER) == 0) {
    ok(tmon_point_reader_open(&env->reader, env->store, env->id, "m"));
    ok(tmon_metric_list_open(&env->metrics, env->store, env->id));
  }
  ok(tmon_record_list_open(&env->records, env->store, NULL));
  if (loose) {
    double last = 1;
    tmon_metric other = test_metric(env->session, "n");
    tmon_epoch row = {.size = sizeof row, .count = 1, .metrics = &other, .values = &last};
    for (int i = 0; i < CALLS_HISTORY; i++, env->logged++) ok(tmon_log(env->session, env->metric, i, i));
    ok(tmon_log(env->session, other, 1, 1));
    ok(tmon_session_log_image(env->session, &image));
    ok(tmon_session_log_epoch(env->session, 1, &row));
  }
  env->fresh = test_store();
}

static inline void calls_end(calls_env *env) {
  tmon_record_list_free(env->records);
  tmon_metric_list_free(env->metrics);
  tmon_point_reader_free(env->reader);
  tmon_follow_free(env->follow);
  tmon_session_free(env->session);
  tmon_store_free(env->fresh);
  tmon_store_free(env->store);
}

static inline void calls_check_file(const char *folder) {
  char path[400];
  sqlite3 *handle = NULL;
  sqlite3_stmt *statement = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_prepare_v2(handle, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
  ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), "ok");
  sqlite3_finalize(statement);
  sqlite3_close(handle);
}

/* One run with operation `at` failing. Gives how many operations failed. */
static inline size_t calls_once(const calls_entry *entry, const calls_trouble *trouble, size_t at, bool persistent) {
  calls_env env;
  int64_t before = 0;
  int64_t after = 0;
  calls_begin(&env, entry, (int)at, (entry->how & CALLS_DRAINER) == 0);
  ok(tmon_store_change_cursor(&before, env.store));
  trouble->arm(at, persistent);
  int result = entry->run(&env);
  char text[300];
  (void)tmon_error_copy(text, sizeof text);
  size_t failed = trouble->disarm();
  if (!failed) ck_assert_msg(result == TMON_OK || result == TMON_DONE, "%s gave %s without a failure: %s", entry->name, tmon_error_name(result), text);
  else if (result < 0) ck_assert_msg(trouble->allowed(result) && text[0], "%s gave %s at %zu: %s", entry->name, tmon_error_name(result), at, text);
  ok(tmon_store_change_cursor(&after, env.store));
  if ((entry->how & CALLS_READS) || ((entry->how & CALLS_ATOMIC) && result < 0))
    ck_assert_msg(before == after, "%s changed the store at %zu although it gave %s", entry->name, at, tmon_error_name(result));
  if (!(entry->how & CALLS_ENDS)) {
    /* All handles still work: the same call again, a point, a commit. */
    bool dead = (entry->how & CALLS_DIES) && result < 0;
    ck_assert_msg((result = entry->run(&env)) >= 0 || dead, "%s gave %s after the failure at %zu: %s", entry->name, tmon_error_name(result), at,
        tmon_error_message());
    ck_assert_int_eq(calls_log(&env), TMON_OK);
    ok(tmon_session_flush(env.session));
    ck_assert_uint_eq(test_count(env.store, env.id, "m", false), env.logged);
  }
  uint64_t logged = env.logged;
  char id[40];
  memcpy(id, env.id, sizeof id);
  calls_end(&env);
  if ((entry->how & CALLS_READS) && at % 8 != 1) return failed; /* the handles have told already */
  tmon_store *store = test_store();
  if (logged)
    ck_assert_msg(test_count(store, id, "m", false) == logged, "%s at %zu: %llu of %llu points", entry->name, at,
        (unsigned long long)test_count(store, id, "m", false), (unsigned long long)logged);
  ck_assert_int_eq(test_status(store, id), entry->how & CALLS_ENDS ? TMON_STATUS_FAILED : TMON_STATUS_COMPLETED);
  tmon_store_free(store);
  return failed;
}

static inline bool calls_long(void) {
  const char *text = getenv("LONG");
  return text && *text == '1';
}

/* Gives how many runs met a failure. */
static inline size_t calls_loop(const calls_entry *entry, const calls_trouble *trouble, bool persistent) {
  size_t runs = 0;
  size_t stride = trouble->stride * ((entry->how & CALLS_MANY) && !calls_long() ? 7 : 1);
  for (size_t at = 1;; at += stride) {
    if (!calls_once(entry, trouble, at, persistent)) break;
    runs++;
    ck_assert_msg(runs < 5000, "%s does not come to an end", entry->name);
  }
  calls_check_file(test_folder);
  return runs;
}

/* Memory keeps the loops short where there is such a folder; LONG=1 stays on the disk. */
static inline void calls_choose_folder(void) {
  if (!calls_long() && !getenv("TMPDIR") && access("/dev/shm", W_OK | X_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 1);
}
#endif
