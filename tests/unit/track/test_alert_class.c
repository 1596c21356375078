/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Results as points: rows and matrices are judged in the transaction that writes them, and a replay decides the same. */
#include "unit/track/help.h"

#include "util/json.h"

#define ID "11111111-2222-4333-8444-555555555555"
#define RULES                                                                                                                                             \
  "[{\"name\":\"RAO\",\"type\":\"class_floor\",\"class\":\"RAO\",\"threshold\":0.99},"                                                                    \
  "{\"name\":\"DR\",\"type\":\"class_floor\",\"class\":\"DR\",\"threshold\":0.85},"                                                                       \
  "{\"name\":\"test\",\"type\":\"threshold\",\"metric\":\"class/*/sensitivity@test\",\"below\":0.5}]"

static void add(tmon_store *store, tmon_result_kind kind, const char *fields) {
  char text[1000];
  (void)snprintf(text, sizeof text, "{\"session_id\":\"" ID "\",%s}", fields);
  ok(tmon_result_add(NULL, store, kind, text));
}

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

/* One line an alert, sorted, without what only a row has; takes `json`. */
static void lines(char *out, size_t size, char *json) {
  tmon_json *document = NULL;
  char line[20][300];
  size_t count = 0;
  ok(tmon_json_parse(&document, json, strlen(json)));
  for (const tmon_json *item = tmon_json_first(document); item != NULL; item = tmon_json_next(item)) {
    ck_assert_uint_lt(count, 20);
    (void)snprintf(line[count++], sizeof line[0], "%s %s %s %s %g %g %g %s\n", tmon_json_text(tmon_json_get(item, "rule")),
        tmon_json_text(tmon_json_get(item, "metric")), tmon_json_text(tmon_json_get(item, "severity")), tmon_json_text(tmon_json_get(item, "state")),
        tmon_json_number(tmon_json_get(item, "step"), -9), tmon_json_number(tmon_json_get(item, "value"), -9),
        tmon_json_number(tmon_json_get(item, "recovered_step"), -9), tmon_json_text(tmon_json_get(item, "time")));
  }
  qsort(line, count, sizeof line[0], by_text);
  out[0] = '\0';
  for (size_t i = 0; i < count; i++) (void)snprintf(out + strlen(out), size - strlen(out), "%s", line[i]);
  tmon_json_free(document);
  tmon_text_free(json);
}

static const char *agreed(tmon_store *store) {
  static char live[8000];
  static char again[8000];
  char *json = NULL;
  tmon_alert_filter filter = {.size = sizeof filter, .session_id = ID};
  ok(tmon_alert_list_json(&json, store, &filter));
  lines(live, sizeof live, json);
  ok(tmon_alert_replay_json(&json, store, ID, NULL));
  lines(again, sizeof again, json);
  ck_assert_str_eq(live, again);
  return live;
}

static void has(const char *text, const char *line) { ck_assert_msg(strstr(text, line) != NULL, "no \"%s\" in\n%s", line, text); }

static void check_conditions(tmon_store *store, const char *expected) {
  char *json = NULL;
  ok(tmon_alert_conditions_json(&json, store, ID));
  ck_assert_str_eq(json, expected);
  tmon_text_free(json);
}

/* 0: a session with a ring in this process, 1: one that is fed over REST. */
static tmon_session *begin(tmon_store **store, bool ring) {
  tmon_record_change change = {.size = sizeof change, .id = ID, .name = "rest", .set_status = true, .status = TMON_STATUS_RUNNING};
  char id[37];
  *store = test_store();
  ok(tmon_alert_set_rules(*store, NULL, RULES, false));
  if (ring) return test_session(*store, ID);
  ok(tmon_record_create(id, *store, &change));
  return NULL;
}

START_TEST(results_are_points) {
  tmon_store *store = NULL;
  tmon_session *session = begin(&store, _i == 0);
  add(store, TMON_RESULT_VALIDATION,
      "\"epoch\":1,\"results\":[{\"class\":\"RAO\",\"sensitivity\":0.5},{\"class\":\"DR\",\"recall\":0.84},{\"sensitivity\":0.1},{\"class\":\"AMD\",\"sensitivity\":0}]");
  check_conditions(store,
      "{\"RAO\":{\"sensitivity\":0.5,\"threshold\":0.99,\"status\":\"critical\"},\"DR\":{\"sensitivity\":0.84,\"threshold\":0.85,\"status\":\"warning\"}}");
  const char *text = agreed(store);
  has(text, "RAO class/RAO/sensitivity critical fired 1 0.5 -9 ");
  has(text, "DR class/DR/sensitivity warning fired 1 0.84 -9 ");
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":2,\"class\":\"RAO\",\"sensitivity\":0.995,\"recall\":0.2");
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":2,\"class\":\"DR\",\"split\":\"train\",\"sensitivity\":1");
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":2,\"class\":\"DR\",\"split\":\"test\",\"sensitivity\":0.4");
  text = agreed(store);
  has(text, "RAO class/RAO/sensitivity critical recovered 1 0.5 2 ");
  has(text, "DR class/DR/sensitivity warning fired 1 0.84 -9 "); /* another split is another series */
  has(text, "test class/DR/sensitivity@test warning fired 2 0.4 -9 ");
  add(store, TMON_RESULT_VALIDATION, "\"class\":\"RAO\",\"sensitivity\":0.3");
  has(agreed(store), "RAO class/RAO/sensitivity critical fired -1 0.3 -9 ");
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* RAO: 1 of 4 found, DR: all. The second time there are results, and the matrix says nothing more. */
START_TEST(a_matrix_is_points_where_no_results_are) {
  tmon_store *store = NULL;
  tmon_session *session = begin(&store, _i == 0);
  static const char *const names[] = {"RAO", "DR", "none"};
  static const uint64_t counts[] = {1, 3, 0, 0, 5, 0, 0, 0, 0};
  tmon_confusion matrix = {.size = sizeof matrix, .epoch = 1, .class_count = 3, .class_names = names, .counts = counts};
  ok(tmon_confusion_add(NULL, store, ID, &matrix));
  has(agreed(store), "RAO class/RAO/sensitivity critical fired 1 0.25 -9 ");
  check_conditions(store,
      "{\"RAO\":{\"sensitivity\":0.25,\"threshold\":0.99,\"status\":\"critical\"},\"DR\":{\"sensitivity\":1,\"threshold\":0.85,\"status\":\"ok\"}}");
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":2,\"class\":\"RAO\",\"sensitivity\":1");
  add(store, TMON_RESULT_CONFUSION, "\"epoch\":2,\"classes\":[\"RAO\",\"DR\"],\"matrix\":[[1,3],[5,0]]");
  const char *text = agreed(store);
  has(text, "RAO class/RAO/sensitivity critical recovered 1 0.25 2 ");
  ck_assert_ptr_null(strstr(text, "DR class"));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* Many firings have a place of their own each; a stop reaches a trainer that has a ring, without a drainer. */
START_TEST(a_floor_stops_the_trainer) {
  tmon_store *store = NULL;
  tmon_session *session = begin(&store, true);
  char fields[100];
  ok(tmon_alert_set_rules(store, ID, "[{\"name\":\"RAO\",\"type\":\"class_floor\",\"class\":\"RAO\",\"threshold\":0.99,\"actions\":[\"stop\"]}]", false));
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":0,\"class\":\"RAO\",\"sensitivity\":1");
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_RUN);
  for (int epoch = 1; epoch < 9; epoch++) {
    (void)snprintf(fields, sizeof fields, "\"epoch\":%d,\"class\":\"RAO\",\"sensitivity\":%d", epoch, epoch % 2 == 0);
    add(store, TMON_RESULT_VALIDATION, fields);
  }
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_STOP);
  has(agreed(store), "RAO class/RAO/sensitivity critical recovered 7 0 8 ");
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("alert_class");
  tcase_add_loop_test(tests, results_are_points, 0, 2);
  tcase_add_loop_test(tests, a_matrix_is_points_where_no_results_are, 0, 2);
  tcase_add_test(tests, a_floor_stops_the_trainer);
  return test_run(suite_create("track/alert_class"), tests);
}
