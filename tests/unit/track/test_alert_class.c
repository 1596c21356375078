/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Results as points: rows and matrices are judged in the transaction that writes them, and a replay decides the same. */
#include "unit/track/help.h"

#include "util/json.h"

#include <fcntl.h>
#include <pthread.h>

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

typedef struct heard {
  _Atomic int fired;
  _Atomic int recovered;
  _Atomic bool same_thread;
  pthread_t thread;
} heard;

static int hear(const tmon_alert *alert, void *payload) {
  heard *said = payload;
  ck_assert_str_eq(alert->rule, "RAO");
  said->same_thread = pthread_equal(pthread_self(), said->thread) != 0;
  if (alert->recovered) said->recovered++;
  else said->fired++;
  return 0;
}

static const char *read_said(const char *path) {
  static char text[1000];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t got = file < 0 ? 0 : read(file, text, sizeof text - 1);
  if (file >= 0) (void)close(file);
  text[got > 0 ? got : 0] = '\0';
  return text;
}

static void set_command(tmon_store *store, const char *path) {
  char text[2000];
  (void)snprintf(text, sizeof text,
      "[{\"name\":\"RAO\",\"type\":\"class_floor\",\"class\":\"RAO\",\"threshold\":0.99,\"actions\":[\"callback\",\"command\"],\"command\":[\"/bin/sh\",\"-c\","
      "\"test -e /proc/$$/fd/77 && echo inherited >>'%s'; echo $$ >'%s.pid'; echo $TRAINMON_ALERT_RULE $TRAINMON_ALERT_STEP $TRAINMON_ALERT_VALUE $TRAINMON_SESSION_ID >>'%s'\"]},"
      "{\"name\":\"DR\",\"type\":\"class_floor\",\"class\":\"DR\",\"threshold\":0.85}]",
      path, path, path);
  ok(tmon_alert_set_rules(store, ID, text, true));
}

/* A rule has one command at a time, so the next one has to come after the end of this. A child of this process that has ended is a zombie until it is reaped. */
static void await_command(const char *path) {
  char name[320];
  (void)snprintf(name, sizeof name, "%s.pid", path);
  int pid = (int)strtol(read_said(name), NULL, 10);
  ck_assert_int_gt(pid, 1);
  (void)snprintf(name, sizeof name, "/proc/%d/stat", pid);
  for (int i = 0; i < 3000; i++, usleep(20000)) {
    const char *state = strrchr(read_said(name), ')');
    if (state == NULL || strncmp(state, ") Z", 3) == 0) return;
  }
  ck_abort_msg("the command does not end");
}

/* 0: by the drainer, which nothing but the results has started; 1: by who flushes. Fields of one result and of many, and a matrix. */
START_TEST(results_call_back_and_run_a_command) {
  char path[300];
  heard said = {.thread = pthread_self()};
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = ID, .no_drainer = _i == 1};
  (void)snprintf(path, sizeof path, "%s/said", test_folder);
  /* A descriptor that a host program has left open to its children. */
  int null = open("/dev/null", O_RDONLY);
  ck_assert_int_eq(dup2(null, 77), 77);
  ok(tmon_session_start(&session, store, &options));
  set_command(store, path);
  ok(tmon_session_on_alert(session, hear, &said));
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":1,\"results\":[{\"class\":\"RAO\",\"sensitivity\":0.5},{\"class\":\"DR\",\"recall\":0.1}]");
  if (_i == 1) {
    ck_assert_int_eq(said.fired, 0);
    ok(tmon_session_flush(session));
  }
  for (int i = 0; i < 3000 && (said.fired == 0 || *read_said(path) == '\0'); i++) usleep(20000);
  ck_assert_int_eq(said.fired, 1);
  ck_assert_str_eq(read_said(path), "RAO 1 0.5 " ID "\n");
  await_command(path);
  ck_assert_int_eq(said.same_thread, _i == 1);
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":2,\"class\":\"RAO\",\"sensitivity\":1");
  add(store, TMON_RESULT_CONFUSION, "\"epoch\":3,\"classes\":[\"RAO\",\"DR\"],\"matrix\":[[1,3],[0,5]]");
  /* What the drainer has not acted on by now is acted on at the end; without one, the end would give a command no time. */
  if (_i == 1) ok(tmon_session_flush(session));
  else ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  for (int i = 0; i < 3000 && (said.fired < 2 || strstr(read_said(path), "0.25") == NULL); i++) usleep(20000);
  ck_assert_int_eq(said.recovered, 1);
  ck_assert_int_eq(said.fired, 2);
  ck_assert_str_eq(read_said(path), "RAO 1 0.5 " ID "\nRAO 3 0.25 " ID "\n");
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* A session of the store that does not live in this process has nobody here to act; nor has one that has ended. */
START_TEST(no_live_session_no_action) {
  char path[300];
  tmon_store *store = NULL;
  tmon_session *other = NULL;
  heard said = {.thread = pthread_self()};
  tmon_session *session = begin(&store, _i == 1);
  (void)snprintf(path, sizeof path, "%s/said", test_folder);
  set_command(store, path);
  if (_i == 1) {
    ok(tmon_session_on_alert(session, hear, &said));
    ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  }
  ok(tmon_session_start(&other, store, NULL));
  ok(tmon_session_on_alert(other, hear, &said));
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":1,\"class\":\"RAO\",\"sensitivity\":0.5");
  has(agreed(store), "RAO class/RAO/sensitivity critical fired 1 0.5 -9 ");
  ok(tmon_session_flush(other));
  tmon_session_free(other);
  tmon_session_free(session);
  ck_assert_int_eq(said.fired, 0);
  ck_assert_str_eq(read_said(path), "");
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("alert_class");
  tcase_add_loop_test(tests, results_are_points, 0, 2);
  tcase_add_loop_test(tests, a_matrix_is_points_where_no_results_are, 0, 2);
  tcase_add_test(tests, a_floor_stops_the_trainer);
  tcase_add_loop_test(tests, results_call_back_and_run_a_command, 0, 2);
  tcase_add_loop_test(tests, no_live_session_no_action, 0, 2);
  return test_run(suite_create("track/alert_class"), tests);
}
