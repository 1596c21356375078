/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alerts in a store: what the drainer decides is what a replay decides, adoption never alerts twice, and each action happens once, after the commit. */
#include "unit/track/help.h"

#include "util/json.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>

#define ID "11111111-2222-4333-8444-555555555555"

static const char rules[] = "{\"rules\":["
                            "{\"name\":\"high\",\"type\":\"threshold\",\"metric\":\"t\",\"above\":5,\"clear\":3,\"severity\":\"critical\"},"
                            "{\"name\":\"nan\",\"type\":\"nonfinite\",\"metric\":\"*\"},"
                            "{\"name\":\"flat\",\"type\":\"no_improvement\",\"metric\":\"f\",\"points\":3},"
                            "{\"name\":\"up\",\"type\":\"divergence\",\"metric\":\"d\",\"factor\":2},"
                            "{\"name\":\"odd\",\"type\":\"outlier\",\"metric\":\"o\",\"sigmas\":3,\"window\":4},"
                            "{\"name\":\"still\",\"type\":\"stalled\",\"metric\":\"s\",\"seconds\":10},"
                            "{\"name\":\"floor\",\"type\":\"class_floor\",\"class\":\"*\",\"threshold\":0.85}]}";

static const struct series {
  const char *key;
  double values[8];
  int64_t seconds; /* between points */
} series[] = {
    {"t", {1, 6, 4, 6, 2, 7, 4, 4}, 1},
    {"quiet", {1, 2, 3, 4, 5, 6, 7, 8}, 1},
    {"n", {1, NAN, NAN, 2, INFINITY, 1, 1, 1}, 1},
    {"f", {5, 4, 4, 4, 4, 3, 3, 3}, 1},
    {"d", {4, 4, 4, 8, 9, 7, 5.9, 4}, 1},
    {"o", {1, 2, 1, 2, 20, 5, 2, 2}, 1},
    {"s", {1, 1, 1, 1, 1, 1, 1, 1}, 11},
    {"class/DR/sensitivity", {0.9, 0.84, 0.5, 0.9, 0.9, 0.9, 0.9, 0.84}, 1},
};
enum { SERIES = sizeof series / sizeof *series };

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* One line an alert without what only a row has, sorted. */
static char *lines(const char *json) {
  tmon_json *document = NULL;
  char *sorted[500];
  size_t count = 0;
  static char out[2][100000];
  static int turn;
  char *text = out[turn ^= 1];
  size_t used = 0;
  ok(tmon_json_parse(&document, json, strlen(json)));
  for (const tmon_json *item = tmon_json_first(document); item; item = tmon_json_next(item)) {
    char line[1000] = "";
    static const char *const fields[] = {"rule", "type", "severity", "metric", "message", "state", "time", "recovered_at"};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
      const char *value = tmon_json_text(tmon_json_get(item, fields[i]));
      (void)snprintf(line + strlen(line), sizeof line - strlen(line), "%s ", value ? value : "-");
    }
    (void)snprintf(line + strlen(line), sizeof line - strlen(line), "%g %g %g", tmon_json_number(tmon_json_get(item, "step"), -1),
        tmon_json_number(tmon_json_get(item, "value"), -1), tmon_json_number(tmon_json_get(item, "recovered_step"), -1));
    ck_assert_uint_lt(count, 500);
    sorted[count++] = strdup(line);
  }
  qsort(sorted, count, sizeof *sorted, by_text);
  text[0] = 0;
  for (size_t i = 0; i < count; i++) {
    used += (size_t)snprintf(text + used, sizeof out[0] - used, "%s\n", sorted[i]);
    free(sorted[i]);
  }
  tmon_json_free(document);
  return text;
}

static char *live(tmon_store *store, const char *id) {
  char *json = NULL;
  tmon_alert_filter filter = {.size = sizeof filter, .session_id = id, .limit = 1000};
  ok(tmon_alert_list_json(&json, store, &filter));
  char *text = lines(json);
  tmon_text_free(json);
  return text;
}

static char *replay(tmon_store *store, const char *id) {
  char *json = NULL;
  ok(tmon_alert_replay_json(&json, store, id, NULL));
  char *text = lines(json);
  tmon_text_free(json);
  return text;
}

static size_t count_of(const char *text, const char *what) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, what)); at++) count++;
  return count;
}

static int64_t now_us(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void log_at(tmon_session *session, const char *key, int64_t step, int64_t time, double value) {
  tmon_metric metric = test_metric(session, key);
  ok(tmon_log_series(session, metric, &step, &time, &value, 1));
}

static void log_all(tmon_session *session, size_t from, size_t to) {
  int64_t start = now_us() - (int64_t)200 * 1000000;
  for (size_t i = from; i < to; i++)
    for (size_t j = 0; j < SERIES; j++) log_at(session, series[j].key, (int64_t)i, start + (int64_t)i * series[j].seconds * 1000000, series[j].values[i]);
}

static void check_all(const char *text) {
  ck_assert_uint_eq(count_of(text, "high threshold critical t t "), 2);
  ck_assert_ptr_nonnull(strstr(text, "high threshold critical t t is 6, above 5 "));
  ck_assert_ptr_nonnull(strstr(text, " 1 6 4\n")); /* fired at step 1, over at step 4 */
  ck_assert_uint_eq(count_of(text, "nan nonfinite warning n "), 2);
  ck_assert_uint_eq(count_of(text, "nan "), 3);
  ck_assert_uint_eq(count_of(text, "flat "), 1);
  ck_assert_uint_eq(count_of(text, "up "), 1);
  ck_assert_uint_eq(count_of(text, "odd "), 1);
  ck_assert_uint_eq(count_of(text, "still stalled"), 8); /* seven gaps, and the end that no point follows */
  ck_assert_uint_eq(count_of(text, "floor class_floor warning"), 2);
  ck_assert_uint_eq(count_of(text, "floor class_floor critical"), 1);
  ck_assert_uint_eq(count_of(text, " fired "), 3); /* high, floor and still are open */
  ck_assert_ptr_null(strstr(text, "quiet"));
}

/* Flushed in one piece, after each point, with the store opened anew in between: the same alerts, and those of a replay. */
START_TEST(live_and_replay_agree) {
  tmon_store *store = test_store();
  ok(tmon_alert_set_rules(store, NULL, rules, true));
  tmon_session *session = test_session(store, ID);
  size_t step = _i == 0 ? 8 : _i == 1 ? 1 : 3;
  for (size_t from = 0; from < 8; from += step) {
    log_all(session, from, from + step < 8 ? from + step : 8);
    if (_i < 2) ok(tmon_session_flush(session));
  }
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  ok(tmon_store_recover(store, 0, NULL)); /* on a slow machine the end may not be through in its 60 ms */
  char *made = live(store, ID);
  check_all(made);
  ck_assert_str_eq(made, replay(store, ID));
  tmon_store_free(store);
}
END_TEST

START_TEST(a_drainer_thread_agrees_too) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = ID};
  ok(tmon_alert_set_rules(store, NULL, rules, true));
  ok(tmon_session_start(&session, store, &options));
  for (size_t from = 0; from < 8; from++) {
    log_all(session, from, from + 1);
    usleep(200000);
  }
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  test_settle(store);
  check_all(live(store, ID));
  ck_assert_str_eq(live(store, ID), replay(store, ID));
  tmon_store_free(store);
}
END_TEST

/* Killed before, between and after commits; adopted, and adopted again. */
START_TEST(adoption_never_alerts_twice) {
  pid_t child = fork();
  ck_assert_int_ge(child, 0);
  if (child == 0) {
    tmon_store *store = test_store();
    ok(tmon_alert_set_rules(store, NULL, rules, true));
    tmon_session *session = test_session(store, ID);
    log_all(session, 0, (size_t)_i);
    ok(tmon_session_flush(session));
    log_all(session, (size_t)_i, 8);
    (void)raise(SIGKILL);
  }
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  tmon_store *store = test_store();
  ck_assert_int_eq(test_status(store, ID), TMON_STATUS_INTERRUPTED);
  char first[100000];
  (void)snprintf(first, sizeof first, "%s", live(store, ID));
  check_all(first);
  ck_assert_str_eq(first, replay(store, ID));
  ok(tmon_store_recover(store, 0, NULL));
  tmon_store_free(store);
  store = test_store();
  ck_assert_str_eq(first, live(store, ID));
  tmon_store_free(store);
}
END_TEST

/* Epoch values of a ring and of REST, under the names of their rows. */
START_TEST(epoch_values_are_points) {
  static const char text[] = "[{\"name\":\"l\",\"type\":\"threshold\",\"metric\":\"train_loss\",\"above\":5},"
                             "{\"name\":\"x\",\"type\":\"nonfinite\",\"metric\":\"mine*\"},"
                             "{\"name\":\"p\",\"type\":\"threshold\",\"metric\":\"val_loss\",\"above\":5,\"actions\":[\"pause\"]}]";
  tmon_store *store = test_store();
  tmon_record_change change = {.size = sizeof change, .name = "rest"};
  tmon_record record;
  char rest[40];
  ok(tmon_alert_set_rules(store, NULL, text, false));
  ok(tmon_record_create(rest, store, &change));
  tmon_session *session = test_session(store, ID);
  tmon_metric metrics[2] = {test_metric(session, "loss"), test_metric(session, "mine/x")};
  for (int i = 0; i < 4; i++) {
    double values[2] = {i == 1 ? 9 : 1, i == 2 ? (double)NAN : 1};
    tmon_epoch_value same[2] = {{"train/loss", values[0]}, {"mine/x", values[1]}};
    tmon_epoch row = {.size = sizeof row, .count = 2, .metrics = metrics, .values = values};
    ok(tmon_session_log_epoch(session, i, &row));
    ok(tmon_session_flush(session));
    ok(tmon_record_log_epoch(store, rest, i, same, 2));
  }
  const char *ids[] = {ID, rest};
  for (int i = 0; i < 2; i++) {
    char *made = live(store, ids[i]);
    ck_assert_uint_eq(count_of(made, "\n"), 2);
    ck_assert_ptr_nonnull(strstr(made, "l threshold warning total_loss total_loss is 9, above 5 recovered "));
    ck_assert_ptr_nonnull(strstr(made, "x nonfinite warning mine/x mine/x is nan recovered "));
    char *again = replay(store, ids[i]);
    ck_assert_uint_eq(count_of(again, "\n"), 2);
    ck_assert_ptr_nonnull(strstr(again, "l threshold warning total_loss total_loss is 9, above 5 recovered "));
    ck_assert_ptr_nonnull(strstr(again, " 2 -1 3\n")); /* NaN at epoch 2, over at 3 */
  }
  tmon_epoch_value high = {"val_loss", 7};
  ok(tmon_record_update(store, rest, &(tmon_record_change){.size = sizeof change, .set_status = true, .status = TMON_STATUS_RUNNING}));
  ok(tmon_record_log_epoch(store, rest, 9, &high, 1));
  tmon_record_list *list = test_record(&record, store, rest);
  ck_assert_int_eq(record.control, TMON_CONTROL_PAUSE);
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static const char one[] = "[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\"}]";

START_TEST(what_is_refused_changes_nothing) {
  char *json = NULL;
  static const char command[] = "[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"actions\":[\"command\"],\"command\":[\"/bin/true\"]}]";
  tmon_store *store = test_store();
  ok(tmon_alert_rules_json(&json, store, NULL));
  ck_assert_str_eq(json, "[]");
  tmon_text_free(json);
  expect(TMON_EACCESS, tmon_alert_set_rules(store, NULL, command, false));
  ck_assert_str_eq(tmon_error_field(), "command");
  expect(TMON_EINVAL, tmon_alert_set_rules(store, NULL, "[{}]", true));
  expect(TMON_EINVAL, tmon_alert_set_rules(store, NULL, NULL, true));
  expect(TMON_EINVAL, tmon_alert_set_rules(store, "x", one, true));
  expect(TMON_ENOTFOUND, tmon_alert_set_rules(store, ID, one, true));
  expect(TMON_ENOTFOUND, tmon_alert_rules_json(&json, store, ID));
  expect(TMON_ENOTFOUND, tmon_alert_replay_json(&json, store, ID, NULL));
  expect(TMON_ENOTFOUND, tmon_alert_conditions_json(&json, store, ID));
  expect(TMON_ENOTFOUND, tmon_alert_acknowledge(store, 1));
  tmon_alert_filter filter = {.size = sizeof filter, .severity = "bad"};
  expect(TMON_EINVAL, tmon_alert_list_json(&json, store, &filter));
  filter = (tmon_alert_filter){.size = sizeof filter, .limit = 1001};
  expect(TMON_EINVAL, tmon_alert_list_json(&json, store, &filter));
  tmon_store_free(store);
}
END_TEST

START_TEST(rules_are_set_and_read) {
  char *json = NULL;
  tmon_alert_filter filter;
  tmon_store *store = test_store();
  ok(tmon_alert_set_rules(store, NULL, one, false));
  tmon_session *session = test_session(store, ID);
  log_at(session, "m", 1, 1000000, NAN);
  ok(tmon_session_flush(session));
  ok(tmon_alert_set_rules(store, ID, one, false)); /* the same: nothing begins anew */
  ck_assert_uint_eq(count_of(live(store, ID), " fired "), 1);
  ok(tmon_alert_set_rules(store, ID, "{\"rules\":[]}", false));
  ck_assert_uint_eq(count_of(live(store, ID), " recovered "), 1);
  ok(tmon_alert_rules_json(&json, store, ID));
  ck_assert_str_eq(json, "[]");
  tmon_text_free(json);
  log_at(session, "m", 2, 2000000, NAN);
  ok(tmon_session_flush(session));
  ck_assert_uint_eq(count_of(live(store, ID), "\n"), 1);
  /* A live session obeys from the next commit on. */
  ok(tmon_alert_set_rules(store, ID, one, false));
  log_at(session, "m", 3, 3000000, NAN);
  ok(tmon_session_flush(session));
  ck_assert_uint_eq(count_of(live(store, ID), "\n"), 2);
  ok(tmon_alert_acknowledge(store, 2));
  ok(tmon_alert_acknowledge(store, 2));
  filter = (tmon_alert_filter){.size = sizeof filter, .active = true};
  ok(tmon_alert_list_json(&json, store, &filter));
  ck_assert_uint_eq(count_of(json, "\"id\":2"), 1);
  ck_assert_uint_eq(count_of(json, "\"rule\""), 1);
  ck_assert_ptr_null(strstr(json, "\"acknowledged_at\":null"));
  tmon_text_free(json);
  /* The second alone has fired or recovered after the first was closed. */
  tmon_json *list = NULL;
  ok(tmon_alert_list_json(&json, store, NULL));
  ok(tmon_json_parse(&list, json, strlen(json)));
  filter = (tmon_alert_filter){.size = sizeof filter};
  ck_assert(tmon_json_int(tmon_json_get(tmon_json_next(tmon_json_first(list)), "revision"), &filter.changed_since));
  tmon_json_free(list);
  tmon_text_free(json);
  ok(tmon_alert_list_json(&json, store, &filter));
  ck_assert_ptr_nonnull(strstr(json, "\"id\":2"));
  ck_assert_uint_eq(count_of(json, "\"rule\""), 1);
  tmon_text_free(json);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(conditions_are_there_before_values) {
  char *json = NULL;
  tmon_store *store = test_store();
  ok(tmon_alert_set_rules(store, NULL,
      "[{\"name\":\"a\",\"type\":\"class_floor\",\"class\":\"RAO\",\"threshold\":0.99},"
      "{\"name\":\"b\",\"type\":\"class_floor\",\"class\":\"DR\",\"threshold\":0.85}]",
      false));
  tmon_session *session = test_session(store, ID);
  ok(tmon_alert_conditions_json(&json, store, ID));
  ck_assert_str_eq(
      json, "{\"RAO\":{\"sensitivity\":null,\"threshold\":0.99,\"status\":null},\"DR\":{\"sensitivity\":null,\"threshold\":0.85,\"status\":null}}");
  tmon_text_free(json);
  log_at(session, "class/DR/sensitivity", 1, 1000000, 0.84);
  log_at(session, "class/RAO/sensitivity", 1, 1000000, 0.99);
  ok(tmon_session_flush(session));
  ok(tmon_alert_conditions_json(&json, store, ID));
  ck_assert_str_eq(json,
      "{\"RAO\":{\"sensitivity\":0.99,\"threshold\":0.99,\"status\":\"ok\"},\"DR\":{\"sensitivity\":0.84,\"threshold\":0.85,\"status\":\"warning\"}}");
  tmon_text_free(json);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

typedef struct heard {
  _Atomic int fired;
  _Atomic int recovered;
} heard;

static int hear(const tmon_alert *alert, void *payload) {
  heard *said = payload;
  if (alert->recovered) said->recovered++;
  else said->fired++;
  return 0;
}

static bool wait_for_file(const char *path, char *text, size_t size) {
  for (int i = 0; i < 3000; i++, usleep(20000)) {
    int file = open(path, O_RDONLY);
    ssize_t got = file < 0 ? 0 : read(file, text, size - 1);
    if (file >= 0) (void)close(file);
    text[got > 0 ? got : 0] = 0;
    if (strstr(text, "end")) return true;
  }
  return false;
}

START_TEST(actions_follow_the_commit) {
  char text[4000];
  char path[300];
  char over[300];
  char output[2000];
  heard said = {0, 0};
  tmon_session *session = NULL;
  tmon_store *store = test_store();
  (void)snprintf(path, sizeof path, "%s/said", test_folder);
  (void)snprintf(over, sizeof over, "%s/over", test_folder);
  (void)snprintf(text, sizeof text,
      "[{\"name\":\"call\",\"type\":\"nonfinite\",\"metric\":\"c\",\"actions\":[\"callback\"]},"
      "{\"name\":\"quiet\",\"type\":\"nonfinite\",\"metric\":\"c\",\"actions\":[\"record\"]},"
      "{\"name\":\"halt\",\"type\":\"nonfinite\",\"metric\":\"p\",\"actions\":[\"pause\"]},"
      "{\"name\":\"end\",\"type\":\"nonfinite\",\"metric\":\"e\",\"actions\":[\"stop\"]},"
      "{\"name\":\"run; it\",\"type\":\"threshold\",\"above\":5,\"metric\":\"r\",\"actions\":[\"command\"],\"command\":[\"/bin/sh\",\"-c\","
      "\"echo $TRAINMON_ALERT_RULE $TRAINMON_ALERT_METRIC $TRAINMON_ALERT_STEP $TRAINMON_ALERT_VALUE $TRAINMON_SESSION_ID $1 end >>'%s';"
      " i=0; while [ ! -e '%s' ] && [ $i -lt 1000 ]; do sleep 0.05; i=$((i+1)); done\",\"x\",\"a;b\"]}]",
      path, over);
  tmon_session_options options = {.size = sizeof options, .id = ID};
  ok(tmon_session_start(&session, store, &options));
  ok(tmon_alert_set_rules(store, ID, text, true));
  ok(tmon_session_on_alert(session, hear, &said));
  log_at(session, "c", 1, 1000000, NAN);
  log_at(session, "c", 2, 2000000, 1);
  for (int i = 0; i < 3000 && said.recovered == 0; i++) usleep(20000);
  ck_assert_int_eq(said.fired, 1);
  ck_assert_int_eq(said.recovered, 1);
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_RUN);
  log_at(session, "p", 1, 1000000, NAN);
  for (int i = 0; i < 3000 && tmon_session_control(session) != TMON_CONTROL_PAUSE; i++) usleep(20000);
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_PAUSE);
  ok(tmon_session_request(session, TMON_CONTROL_RUN));
  log_at(session, "r", 7, 1000000, 6);
  ok(tmon_session_flush(session));
  ck_assert(wait_for_file(path, output, sizeof output));
  ck_assert_str_eq(output, "run; it r 7 6 " ID " a;b end\n");
  /* One at a time: the first still runs. */
  log_at(session, "r", 8, 2000000, 1);
  log_at(session, "r", 9, 3000000, 6);
  ok(tmon_session_flush(session));
  usleep(300000);
  ck_assert(wait_for_file(path, output, sizeof output));
  ck_assert_uint_eq(count_of(output, "end"), 1);
  FILE *file = fopen(over, "w");
  ck_assert(file != NULL && fclose(file) == 0);
  log_at(session, "e", 1, 1000000, NAN);
  for (int i = 0; i < 3000 && tmon_session_control(session) != TMON_CONTROL_STOP; i++) usleep(20000);
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_STOP);
  ok(tmon_session_finish(session, TMON_STATUS_CANCELLED));
  expect(TMON_ESTATE, tmon_session_on_alert(session, hear, &said));
  tmon_session_free(session);
  tmon_store_free(store);
  ck_assert_int_eq(said.fired, 1);
}
END_TEST

/* A stall is told by the clock, without a point. */
START_TEST(a_stall_is_told_while_it_lasts) {
  tmon_session *session = NULL;
  tmon_store *store = test_store();
  tmon_session_options options = {.size = sizeof options, .id = ID};
  ok(tmon_alert_set_rules(store, NULL, "[{\"name\":\"still\",\"type\":\"stalled\",\"metric\":\"m\",\"seconds\":1}]", false));
  ok(tmon_session_start(&session, store, &options));
  log_at(session, "m", 1, now_us(), 1);
  for (int i = 0; i < 1200 && !strstr(live(store, ID), "still"); i++) usleep(50000);
  ck_assert_ptr_nonnull(strstr(live(store, ID), "still stalled warning m m has no point for 1 seconds fired "));
  log_at(session, "m", 2, now_us(), 1);
  ok(tmon_session_flush(session));
  ck_assert_ptr_nonnull(strstr(live(store, ID), " recovered "));
  tmon_session_free(session);
  test_settle(store); /* from here on no clock tells of a further stall, after the second point, between the two looks */
  ck_assert_str_eq(live(store, ID), replay(store, ID));
  tmon_store_free(store);
}
END_TEST

/* A rule that fires at every second point ends transactions early; no alert and no point is left out or told twice. */
START_TEST(a_rule_that_fires_all_the_time_is_judged_in_pieces) {
  enum { POINTS = 20000 };
  tmon_store *store = test_store();
  ok(tmon_alert_set_rules(store, NULL, rules, true));
  tmon_session *session = test_session(store, ID);
  tmon_metric metric = test_metric(session, "t");
  for (int64_t i = 0; i < POINTS; i++) {
    int64_t time = now_us();
    double value = i % 2 == 0 ? 6 : 1;
    ok(tmon_log_series(session, metric, &i, &time, &value, 1));
  }
  ok(tmon_session_flush(session));
  ck_assert_uint_eq(tmon_session_dropped(session), 0);
  ck_assert_uint_eq(test_count(store, ID, "t", false), POINTS);
  ck_assert_int_eq(test_ask("SELECT count(*) FROM alerts WHERE rule = 'high' AND step % 2 = 0 AND recovered_step = step + 1"), POINTS / 2);
  ck_assert_int_eq(test_ask("SELECT count(*) FROM alerts"), POINTS / 2);
  ck_assert_int_ge(test_ask("SELECT next_seq FROM writers"), 3);
  char *json = NULL;
  ok(tmon_alert_replay_json(&json, store, ID, NULL));
  ck_assert_uint_eq(count_of(json, "\"recovered_step\""), POINTS / 2);
  tmon_text_free(json);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("alert");
  tcase_add_loop_test(tests, live_and_replay_agree, 0, 3);
  tcase_add_test(tests, a_rule_that_fires_all_the_time_is_judged_in_pieces);
  tcase_add_test(tests, a_drainer_thread_agrees_too);
  tcase_add_loop_test(tests, adoption_never_alerts_twice, 0, 9);
  tcase_add_test(tests, epoch_values_are_points);
  tcase_add_test(tests, what_is_refused_changes_nothing);
  tcase_add_test(tests, rules_are_set_and_read);
  tcase_add_test(tests, conditions_are_there_before_values);
  tcase_add_test(tests, actions_follow_the_commit);
  tcase_add_test(tests, a_stall_is_told_while_it_lasts);
  return test_run(suite_create("track/alert"), tests);
}
