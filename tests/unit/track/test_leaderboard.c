/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Ranking: what is kept beside each epoch and chunk against figures made from the rows themselves; ties, modes, sources, filters; the query plans. */
#include "unit/track/help.h"

#include "store/driver.h"
#include "track/track.h"
#include "util/json.h"

#include <stdarg.h>

/* One value of a statement in the store's database, as a reader outside would see it. */
static double value_of(const char *format, ...) {
  char path[400];
  char sql[600];
  sqlite3 *handle = NULL;
  sqlite3_stmt *statement = NULL;
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(sql, sizeof sql, format, arguments);
  va_end(arguments);
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  (void)sqlite3_busy_timeout(handle, 60000);
  ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(handle));
  double value = NAN;
  if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL) value = sqlite3_column_double(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  return value;
}

static void make(tmon_store *store, char id[37], const char *name, tmon_status status) {
  tmon_record_change change = {.size = sizeof change, .name = name, .model_type = "net", .set_status = true, .status = status};
  ok(tmon_record_create(id, store, &change));
}

static void log_value(tmon_store *store, const char *id, int64_t epoch, const char *key, double value) {
  tmon_epoch_value one = {key, value};
  ok(tmon_record_log_epoch(store, id, epoch, &one, 1));
}

/* The status is that of the end: a write of an epoch sets a pending session to work. */
static void end(tmon_store *store, const char *id) {
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = TMON_STATUS_COMPLETED};
  ok(tmon_record_update(store, id, &change));
}

static tmon_json *rank(tmon_store *store, const tmon_leaderboard_options *options) {
  char *text = NULL;
  tmon_json *document = NULL;
  ok(tmon_leaderboard_json(&text, store, options));
  ok(tmon_json_parse(&document, text, strlen(text)));
  tmon_text_free(text);
  return document;
}

/* "name:rank:value" of each entry, with blanks between. */
static const char *order(tmon_store *store, const tmon_leaderboard_options *options) {
  static char out[2000];
  size_t used = 0;
  tmon_json *document = rank(store, options);
  out[0] = '\0';
  for (const tmon_json *entry = tmon_json_first(tmon_json_get(document, "leaderboard")); entry != NULL; entry = tmon_json_next(entry)) {
    used += (size_t)snprintf(out + used, sizeof out - used, "%s%s:%g:%g", used > 0 ? " " : "", tmon_json_text(tmon_json_get(entry, "session_name")),
        tmon_json_number(tmon_json_get(entry, "rank"), -1), tmon_json_number(tmon_json_get(entry, "value"), NAN));
  }
  tmon_json_free(document);
  return out;
}

/* What a plain program makes of the rows: in order of epoch, only what is there. */
static double smooth(const double *values, size_t count) {
  double sum = 0;
  double mass = 0;
  for (size_t i = 0; i < count; i++) {
    if (!isfinite(values[i])) continue;
    sum = 0.6 * sum + 0.4 * values[i];
    mass = 0.6 * mass + 0.4;
  }
  return sum / mass;
}

#define BEST(column, name) value_of("SELECT " column " FROM metric_bests WHERE name = '%s'", name)

START_TEST(bests_follow_each_epoch) {
  static const double values[] = {3, 1, 1, 5, 2};
  tmon_store *store = test_store();
  char id[37];
  make(store, id, "a", TMON_STATUS_RUNNING);
  for (int i = 0; i < 5; i++) {
    log_value(store, id, i * 10, "train/loss", values[i]);
    log_value(store, id, i * 10, "mine", -values[i]);
  }
  ck_assert_double_eq(BEST("count", "total_loss"), 5);
  ck_assert_double_eq(BEST("lowest", "total_loss"), 1);
  ck_assert_double_eq(BEST("lowest_epoch", "total_loss"), 10);
  ck_assert_double_eq(BEST("highest", "total_loss"), 5);
  ck_assert_double_eq(BEST("highest_epoch", "total_loss"), 30);
  ck_assert_double_eq(BEST("latest", "total_loss"), 2);
  ck_assert_double_eq(BEST("latest_epoch", "total_loss"), 40);
  ck_assert_double_eq_tol(BEST("smoothed", "total_loss"), smooth(values, 5), 1e-12);
  ck_assert_double_eq(BEST("highest", "mine"), -1);
  ck_assert_double_eq(BEST("highest_epoch", "mine"), 10);
  ck_assert_double_eq_tol(BEST("smoothed", "mine"), -smooth(values, 5), 1e-12);
  /* Of the two rows of one transaction the counts agree. */
  ck_assert_double_eq(value_of("SELECT count(*) FROM metric_bests"), 2);
  tmon_store_free(store);
}
END_TEST

START_TEST(overwritten_and_late_epochs_count_once) {
  tmon_store *store = test_store();
  char id[37];
  make(store, id, "a", TMON_STATUS_RUNNING);
  for (int i = 0; i < 4; i++) log_value(store, id, i, "val_loss", i == 1 ? 0.5 : 1 + i);
  for (int i = 0; i < 4; i++) log_value(store, id, i, "mine", i);
  log_value(store, id, 1, "val/loss", 9); /* the best goes */
  log_value(store, id, -0, "mine", 7);
  double after[] = {1, 9, 3, 4};
  double mine[] = {7, 1, 2, 3};
  ck_assert_double_eq(BEST("lowest", "val_loss"), 1);
  ck_assert_double_eq(BEST("lowest_epoch", "val_loss"), 0);
  ck_assert_double_eq(BEST("highest", "val_loss"), 9);
  ck_assert_double_eq(BEST("count", "val_loss"), 4);
  ck_assert_double_eq_tol(BEST("smoothed", "val_loss"), smooth(after, 4), 1e-12);
  ck_assert_double_eq(BEST("highest", "mine"), 7);
  ck_assert_double_eq(BEST("latest", "mine"), 3);
  ck_assert_double_eq_tol(BEST("smoothed", "mine"), smooth(mine, 4), 1e-12);
  /* An epoch between others takes its place in the order. */
  log_value(store, id, 10, "late", 1);
  log_value(store, id, 5, "late", 2);
  double late[] = {2, 1};
  ck_assert_double_eq(BEST("latest_epoch", "late"), 10);
  ck_assert_double_eq_tol(BEST("smoothed", "late"), smooth(late, 2), 1e-12);
  tmon_store_free(store);
}
END_TEST

START_TEST(nonfinite_values_are_no_best) {
  static const double values[] = {2, NAN, 1, INFINITY};
  tmon_store *store = test_store();
  char id[37];
  make(store, id, "a", TMON_STATUS_COMPLETED);
  for (int i = 0; i < 4; i++) {
    log_value(store, id, i, "val_loss", values[i]);
    log_value(store, id, i, "mine", values[i]);
  }
  for (int round = 0; round < 2; round++) {
    const char *const names[] = {"val_loss", "mine"};
    for (int i = 0; i < 2; i++) {
      ck_assert_double_eq(BEST("count", names[i]), 2);
      ck_assert_double_eq(BEST("highest", names[i]), 2);
      ck_assert_double_eq(BEST("latest_epoch", names[i]), 3);
      ck_assert(isnan(BEST("latest", names[i])));
      ck_assert_double_eq_tol(BEST("smoothed", names[i]), smooth(values, 4), 1e-12);
    }
    /* Made anew from the rows it is the same. */
    ok(tmon_leaderboard_rebuild(store, round == 0 ? id : NULL));
  }
  tmon_leaderboard_options options = {.size = sizeof options, .metric = "val_loss", .mode = TMON_RANK_LAST};
  ck_assert_str_eq(order(store, &options), "");
  options.mode = TMON_RANK_BEST;
  ck_assert_str_eq(order(store, &options), "a:1:1");
  tmon_store_free(store);
}
END_TEST

/* Random writes of any order, against rows made anew. */
START_TEST(kept_figures_equal_rebuilt_ones) {
  static const char *const names[] = {"loss", "val_loss", "mAP50-95", "mine", "other key", "nonfinite"};
  static const double odd[] = {NAN, INFINITY, -INFINITY};
  tmon_store *store = test_store();
  uint64_t state = (uint64_t)_i + 1;
  char id[37];
  make(store, id, "a", TMON_STATUS_RUNNING);
  for (int i = 0; i < 120; i++) {
    tmon_epoch_value values[3];
    for (int k = 0; k < 3; k++) {
      uint64_t random = test_random(&state);
      values[k] = (tmon_epoch_value){names[random % 6], random % 11 == 0 ? odd[random / 11 % 3] : (double)(random >> 20 & 0xff)};
    }
    ok(tmon_record_log_epoch(store, id, (int64_t)(test_random(&state) % 40), values, 3));
  }
  (void)value_of("CREATE TABLE kept AS SELECT * FROM metric_bests");
  ok(tmon_leaderboard_rebuild(store, NULL));
  ck_assert_double_eq(value_of("SELECT count(*) FROM kept"), value_of("SELECT count(*) FROM metric_bests"));
  ck_assert_double_eq(value_of("SELECT count(*) FROM kept AS k JOIN metric_bests AS b USING (name, session) WHERE k.count <> b.count"
                               " OR k.lowest IS NOT b.lowest OR k.lowest_epoch IS NOT b.lowest_epoch OR k.highest IS NOT b.highest"
                               " OR k.highest_epoch IS NOT b.highest_epoch OR k.latest IS NOT b.latest OR k.latest_epoch IS NOT b.latest_epoch"
                               " OR abs(k.smoothed - b.smoothed) > 1e-9"),
      0);
  /* And SQL finds the same lowest value. */
  ck_assert_double_eq(BEST("lowest", "val_loss"), value_of("SELECT min(val_loss) FROM training_metrics"));
  ck_assert_double_eq(BEST("count", "mine"), value_of("SELECT count(json_extract(extra, '$.mine')) FROM training_metrics"));
  tmon_store_free(store);
}
END_TEST

START_TEST(ties_share_a_rank) {
  static const double values[] = {0.5, 0.75, 0.5, 0.25, 0.75};
  tmon_store *store = test_store();
  tmon_leaderboard_options options = {.size = sizeof options};
  for (int i = 0; i < 5; i++) {
    char id[37];
    char name[2] = {(char)('a' + i), 0};
    make(store, id, name, TMON_STATUS_RUNNING);
    log_value(store, id, 1, "metrics/mAP50-95(B)", values[i]);
    end(store, id);
  }
  ck_assert_str_eq(order(store, NULL), "b:1:0.75 e:1:0.75 a:3:0.5 c:3:0.5 d:5:0.25");
  options.offset = 1;
  options.limit = 2;
  ck_assert_str_eq(order(store, &options), "e:1:0.75 a:3:0.5");
  options.offset = 9;
  ck_assert_str_eq(order(store, &options), "");
  options = (tmon_leaderboard_options){.size = sizeof options, .direction = TMON_DIRECTION_LOWER, .limit = 2};
  ck_assert_str_eq(order(store, &options), "d:1:0.25 a:2:0.5");
  tmon_store_free(store);
}
END_TEST

START_TEST(the_view_has_the_order_of_final) {
  tmon_store *store = test_store();
  tmon_leaderboard_options options = {.size = sizeof options, .mode = TMON_RANK_FINAL, .limit = 50};
  for (int i = 0; i < 12; i++) {
    char id[37];
    char name[16];
    (void)snprintf(name, sizeof name, "n%d", i);
    tmon_record_change change = {.size = sizeof change,
        .name = name,
        .set_status = true,
        .status = i == 5 ? TMON_STATUS_FAILED : TMON_STATUS_COMPLETED,
        .completed_at = 1700000000000000 + (int64_t)(i * 7 % 5) * 1000000,
        .final_map50_95 = 0.1 * (1 + i % 4)};
    ok(tmon_record_create(id, store, &change));
  }
  tmon_json *document = rank(store, &options);
  double place = 0;
  for (const tmon_json *entry = tmon_json_first(tmon_json_get(document, "leaderboard")); entry != NULL; entry = tmon_json_next(entry), place++) {
    ck_assert_double_eq(value_of("SELECT rank FROM models_leaderboard LIMIT 1 OFFSET %d", (int)place), tmon_json_number(tmon_json_get(entry, "rank"), 0));
    ck_assert_double_eq(value_of("SELECT id = '%s' FROM models_leaderboard LIMIT 1 OFFSET %d", tmon_json_text(tmon_json_get(entry, "id")), (int)place), 1);
  }
  ck_assert_double_eq(place, value_of("SELECT count(*) FROM models_leaderboard"));
  ck_assert_double_eq(place, 11);
  tmon_json_free(document);
  tmon_store_free(store);
}
END_TEST

START_TEST(modes_and_filters) {
  tmon_store *store = test_store();
  char id[3][37];
  static const double values[3][3] = {{9, 1, 5}, {3, 3, 3}, {8, 6, 4}};
  for (int s = 0; s < 3; s++) {
    char name[2] = {(char)('a' + s), 0};
    make(store, id[s], name, TMON_STATUS_RUNNING);
    for (int e = 0; e < 3; e++) log_value(store, id[s], e, "f1", values[s][e]);
    if (s < 2) end(store, id[s]);
  }
  tmon_leaderboard_options options = {.size = sizeof options, .metric = "f1"};
  ck_assert_str_eq(order(store, &options), "a:1:9 b:2:3");
  options.mode = TMON_RANK_LAST;
  options.any_status = true;
  ck_assert_str_eq(order(store, &options), "a:1:5 c:2:4 b:3:3");
  options.any_status = false;
  options.by_status = true;
  options.status = TMON_STATUS_RUNNING;
  ck_assert_str_eq(order(store, &options), "c:1:4");
  options.model_type = "other";
  ck_assert_str_eq(order(store, &options), "");
  options = (tmon_leaderboard_options){.size = sizeof options, .metric = "f1", .mode = TMON_RANK_SMOOTHED, .any_status = true, .model_type = "net"};
  tmon_json *document = rank(store, &options);
  const tmon_json *first = tmon_json_first(tmon_json_get(document, "leaderboard"));
  ck_assert_str_eq(tmon_json_text(tmon_json_get(first, "session_name")), "c");
  ck_assert_double_eq_tol(tmon_json_number(tmon_json_get(first, "value"), 0), smooth(values[2], 3), 1e-12);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(document, "order")), "higher");
  tmon_json_free(document);
  tmon_store_free(store);
}
END_TEST

START_TEST(direction_is_told_from_the_name) {
  static const struct {
    const char *metric;
    const char *order;
  } cases[] = {{"loss.val", "lower"}, {"val/loss", "lower"}, {"perplexity", "lower"}, {"eval_WER", "lower"}, {"wernicke", "higher"},
      {"epoch_time", "lower"}, {"rmse/val", "lower"}, {"map50", "higher"}, {"metrics/mAP50-95(B)", "higher"}, {"accuracy", "higher"},
      {"TopError", "lower"}, {"ms", "lower"}, {"gems", "higher"}};
  tmon_store *store = test_store();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tmon_leaderboard_options options = {.size = sizeof options, .metric = cases[i].metric};
    tmon_json *document = rank(store, &options);
    ck_assert_msg(strcmp(tmon_json_text(tmon_json_get(document, "order")), cases[i].order) == 0, "%s", cases[i].metric);
    tmon_json_free(document);
  }
  tmon_store_free(store);
}
END_TEST

/* 3,000 points under a name of a column, some of them in deltas until the end. */
START_TEST(logged_points_rank_too) {
  tmon_store *store = test_store();
  double values[3000];
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "val/loss");
  for (int i = 0; i < 3000; i++) {
    values[i] = i % 500 == 7 ? (double)NAN : 10 + sin(i) + (i == 1234 ? -5 : 0);
    ok(tmon_log(session, metric, i * 2, values[i]));
    if (i % 700 == 0) ok(tmon_session_flush(session));
  }
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  ok(tmon_store_recover(store, 0, NULL));
  tmon_leaderboard_options options = {.size = sizeof options, .metric = "loss.val"};
  tmon_json *document = rank(store, &options);
  const tmon_json *first = tmon_json_first(tmon_json_get(document, "leaderboard"));
  ck_assert_str_eq(tmon_json_text(tmon_json_get(first, "source")), "series");
  ck_assert_double_eq(tmon_json_number(tmon_json_get(first, "value"), 0), values[1234]);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(first, "step"), 0), 2468);
  tmon_json_free(document);
  options.mode = TMON_RANK_SMOOTHED;
  document = rank(store, &options);
  first = tmon_json_first(tmon_json_get(document, "leaderboard"));
  ck_assert_double_eq_tol(tmon_json_number(tmon_json_get(first, "value"), 0), smooth(values, 3000), 1e-9);
  tmon_json_free(document);
  options.mode = TMON_RANK_LAST;
  document = rank(store, &options);
  first = tmon_json_first(tmon_json_get(document, "leaderboard"));
  ck_assert_double_eq(tmon_json_number(tmon_json_get(first, "value"), 0), values[2999]);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(first, "step"), 0), 5998);
  tmon_json_free(document);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_superseded_best_does_not_count) {
  tmon_store *store = test_store();
  char id[37];
  tmon_session *session = test_session(store, NULL);
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  for (int i = 0; i < 100; i++) ok(tmon_log(session, test_metric(session, "score"), i, i == 80 ? 1000 : i == 10 ? 500 : i));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  test_settle(store);
  tmon_leaderboard_options options = {.size = sizeof options, .metric = "score"};
  ck_assert_str_eq(order(store, &options) + 8, ":1:1000");
  session = test_session(store, id);
  for (int i = 50; i < 70; i++) ok(tmon_log(session, test_metric(session, "score"), i, i));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  test_settle(store);
  ck_assert_str_eq(order(store, &options) + 8, ":1:69");
  options.mode = TMON_RANK_LAST;
  ck_assert_str_eq(order(store, &options) + 8, ":1:69");
  tmon_store_free(store);
}
END_TEST

START_TEST(a_final_value_alone_ranks) {
  tmon_store *store = test_store();
  char id[37];
  tmon_record_change change = {.size = sizeof change, .name = "a", .set_status = true, .status = TMON_STATUS_COMPLETED, .final_map50_95 = 0.5};
  ok(tmon_record_create(id, store, &change));
  make(store, id, "b", TMON_STATUS_RUNNING);
  log_value(store, id, 4, "map50_95", 0.25);
  end(store, id);
  (void)value_of(
      "INSERT INTO model_benchmarks (session_id, device, avg_inference_ms, created_at) VALUES ('%s', 'old', 9, '2020-01-01T00:00:00.000Z')", id);
  (void)value_of(
      "INSERT INTO model_benchmarks (session_id, device, avg_inference_ms, min_inference_ms, throughput_fps) VALUES ('%s', 'new', 3, 2, 300)", id);
  tmon_json *document = rank(store, NULL);
  const tmon_json *first = tmon_json_first(tmon_json_get(document, "leaderboard"));
  const tmon_json *second = tmon_json_next(first);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(first, "source")), "final");
  ck_assert_int_eq(tmon_json_type(tmon_json_get(first, "avg_inference_ms")), TMON_JSON_NULL);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(second, "source")), "epochs");
  ck_assert_double_eq(tmon_json_number(tmon_json_get(second, "epoch"), 0), 4);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(second, "device")), "new");
  ck_assert_double_eq(tmon_json_number(tmon_json_get(second, "avg_inference_ms"), 0), 3);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(document, "total"), 0), 2);
  tmon_json_free(document);
  tmon_store_free(store);
}
END_TEST

/* Rows from a shell are not seen until the figures are made anew; those of a deleted session go with it. */
START_TEST(rebuild_sees_what_a_shell_wrote) {
  tmon_store *store = test_store();
  char id[37];
  make(store, id, "a", TMON_STATUS_COMPLETED);
  (void)value_of("INSERT INTO training_metrics (session_id, epoch, map50_95, extra) VALUES ('%s', 3, 0.75, '{\"mine\":1,\"text\":\"x\"}')", id);
  (void)value_of("INSERT INTO training_metrics (session_id, epoch, extra) VALUES ('%s', 4, 'no json')", id);
  ck_assert_str_eq(order(store, NULL), "");
  ok(tmon_leaderboard_rebuild(store, NULL));
  ck_assert_str_eq(order(store, NULL), "a:1:0.75");
  (void)value_of("UPDATE training_metrics SET map50_95 = NULL");
  ok(tmon_leaderboard_rebuild(store, id));
  ck_assert_str_eq(order(store, NULL), "");
  ck_assert_double_eq(value_of("SELECT count(*) FROM metric_bests"), 1);
  tmon_store_free(store);
}
END_TEST

START_TEST(errors_name_the_field) {
  static const char unknown[] = "01234567-89ab-4def-8123-456789abcdef";
  tmon_store *store = test_store();
  char *text = (char *)1;
  const struct {
    tmon_leaderboard_options options;
    const char *field;
  } cases[] = {
      {{.size = sizeof cases[0].options, .metric = ""}, "metric"},
      {{.size = sizeof cases[0].options, .metric = "a\nb"}, "metric"},
      {{.size = sizeof cases[0].options, .limit = 51}, "limit"},
      {{.size = sizeof cases[0].options, .limit = -1}, "limit"},
      {{.size = sizeof cases[0].options, .offset = -1}, "offset"},
      {{.size = sizeof cases[0].options, .mode = (tmon_rank_mode)4}, "mode"},
      {{.size = sizeof cases[0].options, .direction = (tmon_direction)3}, "direction"},
      {{.size = sizeof cases[0].options, .by_status = true, .status = (tmon_status)6}, "status"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    expect(TMON_EINVAL, tmon_leaderboard_json(&text, store, &cases[i].options));
    ck_assert_ptr_null(text);
    ck_assert_str_eq(tmon_error_field(), cases[i].field);
  }
  expect(TMON_EINVAL, tmon_leaderboard_json(NULL, store, NULL));
  expect(TMON_EINVAL, tmon_leaderboard_json(&text, NULL, NULL));
  expect(TMON_EINVAL, tmon_leaderboard_rebuild(store, "x"));
  expect(TMON_ENOTFOUND, tmon_leaderboard_rebuild(store, unknown));
  tmon_store_options reading = {.size = sizeof reading, .read_only = true};
  tmon_store *other = NULL;
  ok(tmon_store_open(&other, test_folder, &reading));
  expect(TMON_EREADONLY, tmon_leaderboard_rebuild(other, NULL));
  tmon_store_free(other);
  tmon_store_free(store);
}
END_TEST

/* Everything that the reading calls have prepared, as SQLite runs it: no table is read from end to end. */
static size_t check_plans(tmon_store *store, sqlite3 *handle) {
  size_t seen = 0;
  for (const tmon_connection *connection = store->db->idle; connection != NULL; connection = connection->next) {
    for (size_t i = 0; i < connection->row_capacity; i++) {
      sqlite3_stmt *plan = NULL;
      if (connection->rows[i] == NULL) continue;
      char *sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", connection->rows[i]->sql);
      ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &plan, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(handle));
      seen += strstr(sql, "training_metrics") != NULL || strstr(sql, "training_sessions") != NULL || strstr(sql, "metric_bests") != NULL;
      while (sqlite3_step(plan) == SQLITE_ROW) {
        const char *step = (const char *)sqlite3_column_text(plan, 3);
        bool scans = strncmp(step, "SCAN ", 5) == 0 && strstr(step, "COVERING INDEX") == NULL && strstr(step, "VIRTUAL TABLE") == NULL;
        ck_assert_msg(!scans && strstr(step, "TEMP B-TREE") == NULL, "%s: %s", sql, step);
      }
      sqlite3_finalize(plan);
      sqlite3_free(sql);
    }
  }
  return seen;
}

START_TEST(no_statement_scans) {
  tmon_store *store = test_store();
  sqlite3 *handle = NULL;
  char path[400];
  char id[2][37];
  char *text = NULL;
  for (int i = 0; i < 2; i++) {
    make(store, id[i], "a", TMON_STATUS_RUNNING);
    log_value(store, id[i], 1, "mAP50-95", 1);
    log_value(store, id[i], 1, "mine", 1);
    end(store, id[i]);
  }
  tmon_leaderboard_options options = {.size = sizeof options, .metric = "val_loss", .any_status = true};
  const char *ids[] = {id[0], id[1]};
  tmon_store_free(store);
  tmon_store_options reading = {.size = sizeof reading, .read_only = true}; /* adopts nothing */
  ok(tmon_store_open(&store, test_folder, &reading));
  tmon_json_free(rank(store, NULL));
  tmon_json_free(rank(store, &options));
  ok(tmon_compare_json(&text, store, ids, 2, NULL));
  tmon_text_free(text);
  ok(tmon_record_epochs_json(&text, store, id[0], -1));
  tmon_text_free(text);
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  ck_assert_uint_ge(check_plans(store, handle), 8);
  sqlite3_close(handle);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("leaderboard");
  tcase_add_test(tests, bests_follow_each_epoch);
  tcase_add_test(tests, overwritten_and_late_epochs_count_once);
  tcase_add_test(tests, nonfinite_values_are_no_best);
  tcase_add_loop_test(tests, kept_figures_equal_rebuilt_ones, 0, 3);
  tcase_add_test(tests, ties_share_a_rank);
  tcase_add_test(tests, the_view_has_the_order_of_final);
  tcase_add_test(tests, modes_and_filters);
  tcase_add_test(tests, direction_is_told_from_the_name);
  tcase_add_test(tests, logged_points_rank_too);
  tcase_add_test(tests, a_superseded_best_does_not_count);
  tcase_add_test(tests, a_final_value_alone_ranks);
  tcase_add_test(tests, rebuild_sees_what_a_shell_wrote);
  tcase_add_test(tests, errors_name_the_field);
  tcase_add_test(tests, no_statement_scans);
  return test_run(suite_create("track/leaderboard"), tests);
}
