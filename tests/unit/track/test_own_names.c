/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Names that a session declares for its metrics: what is refused, and that rows, rankings, comparisons and alerts follow them, from a ring and without. */
#include "unit/track/help.h"

#include "track/epoch.h"
#include "util/json.h"

#define OWN "{\"lr0\":0.1,\"metric_aliases\":{\"my/iou\":\"map50\",\"loss\":\"val_loss\",\"my/auc\":\"auc_roc.macro\"}}"

static void make(tmon_store *store, char id[37], const char *name, const char *config) {
  tmon_record_change change = {.size = sizeof change, .name = name, .config_json = config, .set_status = true, .status = TMON_STATUS_RUNNING};
  ok(tmon_record_create(id, store, &change));
}

/* The rows of a session, its only row at [0]. */
static tmon_json *row_of(tmon_store *store, const char *id) {
  char *text = NULL;
  tmon_json *row = NULL;
  ok(tmon_record_latest_epoch_json(&text, store, id));
  ok(tmon_json_parse(&row, text, strlen(text)));
  tmon_text_free(text);
  return row;
}

static double number(const tmon_json *object, const char *key) { return tmon_json_number(tmon_json_get(object, key), -1); }

static void is_translated(tmon_store *store, const char *id) {
  tmon_json *row = row_of(store, id);
  const tmon_json *extra = tmon_json_get(row, "extra");
  ck_assert_double_eq(number(row, "map50"), 0.5);
  ck_assert_double_eq(number(row, "val_loss"), 0.25);
  ck_assert_int_eq(tmon_json_type(tmon_json_get(row, "total_loss")), TMON_JSON_NULL);
  ck_assert_double_eq(number(extra, "auc_roc.macro"), 0.75);
  ck_assert_double_eq(number(extra, "other"), 2);
  ck_assert_int_eq(tmon_json_type(tmon_json_get(extra, "my/iou")), TMON_JSON_ABSENT);
  ck_assert_int_eq(tmon_json_type(tmon_json_get(extra, "my/auc")), TMON_JSON_ABSENT);
  tmon_json_free(row);
}

static const struct {
  const char *key;
  double value;
} logged[] = {{"my/iou", 0.5}, {"loss", 0.25}, {"my/auc", 0.75}, {"other", 2}};
enum { LOGGED = sizeof logged / sizeof *logged };

START_TEST(rows_follow_the_names) {
  tmon_store *store = test_store();
  char id[37];
  tmon_epoch_value values[LOGGED];
  for (size_t i = 0; i < LOGGED; i++) values[i] = (tmon_epoch_value){logged[i].key, logged[i].value};
  make(store, id, "rest", OWN);
  ok(tmon_record_log_epoch(store, id, 0, values, LOGGED));
  is_translated(store, id);
  /* Names that are given later count from then on. */
  tmon_record_change change = {.size = sizeof change, .config_json = "{\"metric_aliases\":{\"other\":\"recall\"}}"};
  ok(tmon_record_update(store, id, &change));
  ok(tmon_record_log_epoch(store, id, 1, values, LOGGED));
  tmon_json *row = row_of(store, id);
  ck_assert_double_eq(number(row, "recall"), 2);
  ck_assert_double_eq(number(row, "total_loss"), 0.25);
  ck_assert_double_eq(number(tmon_json_get(row, "extra"), "my/iou"), 0.5);
  tmon_json_free(row);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_ring_follows_them_too) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_metric metrics[LOGGED];
  double values[LOGGED];
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .config_json = OWN, .best_metric = "my/iou:max"};
  ok(tmon_session_start(&session, store, &options));
  for (size_t i = 0; i < LOGGED; i++) {
    ok(tmon_session_metric(&metrics[i], session, logged[i].key, NULL));
    values[i] = logged[i].value;
  }
  tmon_epoch epoch = {sizeof epoch, LOGGED, metrics, values};
  ok(tmon_session_log_epoch(session, 3, &epoch));
  ok(tmon_session_flush(session));
  is_translated(store, tmon_session_id(session));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_record_filter filter = {.size = sizeof filter, .id = tmon_session_id(session)};
  tmon_record_list *list = NULL;
  tmon_record record;
  ok(tmon_record_list_open(&list, store, &filter));
  ok(tmon_record_list_next(list, &record));
  ck_assert_str_eq(record.best_metric, "map50:max");
  ck_assert_int_eq(record.best_epoch, 3);
  tmon_record_list_free(list);
  /* Resumed, it keeps its configuration, and what its names mean. */
  char id[37];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  tmon_session_free(session);
  test_settle(store);
  tmon_record_change change = {.size = sizeof change, .best_metric = "loss:min"};
  ok(tmon_record_update(store, id, &change));
  ok(tmon_record_list_open(&list, store, &(tmon_record_filter){.size = sizeof filter, .id = id}));
  ok(tmon_record_list_next(list, &record));
  ck_assert_str_eq(record.best_metric, "val_loss:min");
  tmon_record_list_free(list);
  options = (tmon_session_options){.size = sizeof options, .id = id, .no_drainer = true, .config_json = "{}", .best_metric = "my/iou:min"};
  ok(tmon_session_start(&session, store, &options));
  ok(tmon_record_list_open(&list, store, &(tmon_record_filter){.size = sizeof filter, .id = id}));
  ok(tmon_record_list_next(list, &record));
  ck_assert_str_eq(record.best_metric, "map50:min");
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* "name:value:source" of each entry. */
static void is_order(tmon_store *store, const char *metric, const char *expected) {
  char out[500] = "";
  char *text = NULL;
  tmon_json *document = NULL;
  tmon_leaderboard_options options = {.size = sizeof options, .metric = metric, .any_status = true, .direction = TMON_DIRECTION_HIGHER};
  ok(tmon_leaderboard_json(&text, store, &options));
  ok(tmon_json_parse(&document, text, strlen(text)));
  for (const tmon_json *entry = tmon_json_first(tmon_json_get(document, "leaderboard")); entry != NULL; entry = tmon_json_next(entry)) {
    (void)snprintf(out + strlen(out), sizeof out - strlen(out), "%s:%g:%s ", tmon_json_text(tmon_json_get(entry, "session_name")), number(entry, "value"),
        tmon_json_text(tmon_json_get(entry, "source")));
  }
  ck_assert_msg(strcmp(out, expected) == 0, "%s: %s", metric, out);
  tmon_json_free(document);
  tmon_text_free(text);
}

static void log_points(tmon_store *store, char id[37], const char *name, const char *config) {
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .name = name, .config_json = config};
  ok(tmon_session_start(&session, store, &options));
  for (size_t i = 0; i < LOGGED; i++) {
    tmon_metric metric = 0;
    ok(tmon_session_metric(&metric, session, logged[i].key, NULL));
    ok(tmon_log(session, metric, 1, logged[i].value));
  }
  ok(tmon_session_flush(session));
  (void)snprintf(id, 37, "%s", tmon_session_id(session));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  test_settle(store); /* points rank when they are folded */
}

START_TEST(rankings_follow_them) {
  tmon_store *store = test_store();
  char id[3][37];
  tmon_epoch_value values[] = {{"my/iou", 0.625}};
  log_points(store, id[0], "own", OWN);
  log_points(store, id[1], "plain", "{}");
  make(store, id[2], "rows", OWN);
  ok(tmon_record_log_epoch(store, id[2], 0, values, 1));
  is_order(store, "map50", "rows:0.625:epochs own:0.5:series ");
  is_order(store, "mAP50", "rows:0.625:epochs own:0.5:series ");
  is_order(store, "my/iou", "rows:0.625:epochs own:0.5:series plain:0.5:series ");
  is_order(store, "val_loss", "own:0.25:series ");
  is_order(store, "train/loss", "plain:0.25:series "); /* what the one calls loss is the loss of validation */
  is_order(store, "auc_roc.macro", "own:0.75:series ");
  tmon_store_free(store);
}
END_TEST

START_TEST(comparisons_follow_them) {
  tmon_store *store = test_store();
  char id[2][37];
  char *text = NULL;
  tmon_json *document = NULL;
  tmon_epoch_value values[] = {{"map50", 0.625}, {"val_loss", 1}};
  log_points(store, id[0], "own", OWN);
  make(store, id[1], "rows", "{}");
  ok(tmon_record_log_epoch(store, id[1], 0, values, 2));
  const char *ids[] = {id[0], id[1]};
  ok(tmon_compare_json(&text, store, ids, 2, NULL));
  ok(tmon_json_parse(&document, text, strlen(text)));
  const char *const expected[] = {"map50", "val_loss"};
  const tmon_json *key = tmon_json_first(tmon_json_get(tmon_json_get(document, "series"), "keys"));
  for (size_t i = 0; i < 2; i++, key = tmon_json_next(key)) {
    const tmon_json *session = tmon_json_first(tmon_json_get(key, "sessions"));
    ck_assert_str_eq(tmon_json_text(tmon_json_get(key, "key")), expected[i]);
    ck_assert_double_eq(tmon_json_number(tmon_json_first(tmon_json_get(session, "last")), -1), i == 0 ? 0.5 : 0.25);
    ck_assert_str_eq(tmon_json_text(tmon_json_get(tmon_json_next(session), "source")), "epochs");
  }
  ck_assert_ptr_null(key);
  tmon_json_free(document);
  tmon_text_free(text);
  tmon_store_free(store);
}
END_TEST

START_TEST(alerts_follow_them) {
  static const char rules[] = "{\"rules\":[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"my/iou\",\"below\":0.6},"
                              "{\"name\":\"b\",\"type\":\"threshold\",\"metric\":\"map50\",\"below\":0.6},"
                              "{\"name\":\"c\",\"type\":\"threshold\",\"metric\":\"train/loss\",\"above\":0}]}";
  tmon_store *store = test_store();
  char id[37];
  char *text = NULL;
  tmon_json *document = NULL;
  tmon_epoch_value values[] = {{"my/iou", 0.5}, {"loss", 0.25}};
  make(store, id, "s", OWN);
  ok(tmon_alert_set_rules(store, id, rules, false));
  ok(tmon_record_log_epoch(store, id, 0, values, 2));
  for (int replay = 0; replay < 2; replay++) {
    tmon_alert_filter filter = {.size = sizeof filter, .session_id = id};
    bool seen[3] = {false, false, false};
    ok(replay ? tmon_alert_replay_json(&text, store, id, NULL) : tmon_alert_list_json(&text, store, &filter));
    ok(tmon_json_parse(&document, text, strlen(text)));
    for (const tmon_json *alert = tmon_json_first(document); alert != NULL; alert = tmon_json_next(alert)) {
      seen[tmon_json_text(tmon_json_get(alert, "rule"))[0] - 'a'] = true;
      ck_assert_str_eq(tmon_json_text(tmon_json_get(alert, "metric")), "map50");
    }
    ck_assert(seen[0] && seen[1] && !seen[2]); /* what it calls loss is no loss of training */
    tmon_json_free(document);
    tmon_text_free(text);
  }
  tmon_store_free(store);
}
END_TEST

START_TEST(wrong_names_are_refused) {
  static const char *const wrong[] = {"[]", "null", "\"map50\"", "{\"a\":1}", "{\"a\":null}", "{\"a\":\"no_such\"}", "{\"a\":\"loss\"}",
      "{\"\":\"map50\"}", "{\"a\\n\":\"map50\"}", "{\"map50\":\"recall\"}", "{\"nonfinite\":\"recall\"}"};
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  char id[37];
  char config[4000];
  make(store, id, "s", "{\"metric\\u005faliases\":{\"a\":\"recall\"}}");
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    (void)snprintf(config, sizeof config, "{\"metric_aliases\":%s}", wrong[i]);
    tmon_record_change change = {.size = sizeof change, .config_json = config};
    tmon_session_options options = {.size = sizeof options, .config_json = config};
    expect(TMON_EINVAL, tmon_record_update(store, id, &change));
    ck_assert_str_eq(tmon_error_field(), "config.metric_aliases");
    expect(TMON_EINVAL, tmon_session_start(&session, store, &options));
    ck_assert_str_eq(tmon_error_field(), "config.metric_aliases");
  }
  for (int count = 64; count <= 65; count++) {
    size_t used = (size_t)snprintf(config, sizeof config, "{\"metric_aliases\":{");
    for (int i = 0; i < count; i++) used += (size_t)snprintf(config + used, sizeof config - used, "%s\"n%d\":\"recall\"", i > 0 ? "," : "", i);
    (void)snprintf(config + used, sizeof config - used, "}}");
    tmon_record_change change = {.size = sizeof change, .config_json = config};
    expect(count == 64 ? TMON_OK : TMON_EINVAL, tmon_record_update(store, id, &change));
  }
  tmon_store_free(store);
}
END_TEST

/* A target fills a column; or it is a field of messages, which the test of the server checks. Its own name is no alias of another column. */
START_TEST(targets_are_columns) {
  size_t columns = 0;
  for (size_t i = 0; tmon_own_names_target(i) != NULL; i++) {
    const char *name = tmon_epoch_name(tmon_own_names_target(i));
    for (int column = 0; column < TMON_EPOCH_COLUMNS; column++) columns += strcmp(tmon_epoch_columns[column], tmon_own_names_target(i)) == 0;
    ck_assert_str_eq(tmon_epoch_name(name), name);
  }
  ck_assert_uint_eq(columns, TMON_EPOCH_COLUMNS);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("own_names");
  tcase_add_test(tests, rows_follow_the_names);
  tcase_add_test(tests, a_ring_follows_them_too);
  tcase_add_test(tests, rankings_follow_them);
  tcase_add_test(tests, comparisons_follow_them);
  tcase_add_test(tests, alerts_follow_them);
  tcase_add_test(tests, wrong_names_are_refused);
  tcase_add_test(tests, targets_are_columns);
  return test_run(suite_create("track/own_names"), tests);
}
