/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What may be logged: any step, any value, many points, many names, epoch rows. */
#include "unit/track/help.h"

START_TEST(any_step_and_value_comes_back) {
  static const int64_t steps[] = {5, 5, 3, INT64_MAX, INT64_MIN, 0, INT64_MAX - 1, -1, 5};
  static const double values[] = {1, NAN, INFINITY, -INFINITY, -0.0, 5e-324, 1.7976931348623157e308, -1, 2};
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  tmon_point points[20];
  for (int i = 0; i < 9; i++) ok(tmon_log(session, metric, steps[i], values[i]));
  for (int round = 0; round < 3; round++) { /* in the ring, in a delta, in a chunk */
    size_t count = 20;
    ok(tmon_series_tail(points, &count, store, tmon_session_id(session), "m"));
    ck_assert_uint_eq(count, 9);
    for (int i = 0; i < 9; i++)
      ck_assert(points[i].step == steps[i] && (isnan(values[i]) ? isnan(points[i].value) : memcmp(&points[i].value, &values[i], 8) == 0));
    ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 9);
    if (round == 0) ok(tmon_session_flush(session));
    else (void)tmon_session_finish(session, TMON_STATUS_COMPLETED);
  }
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_million_points_at_once) {
  enum { MANY = 1000000 };
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  int64_t *steps = malloc(MANY * sizeof *steps);
  double *values = malloc(MANY * sizeof *values);
  ck_assert(steps && values);
  for (int i = 0; i < MANY; i++) {
    steps[i] = i;
    values[i] = i % 7;
  }
  ok(tmon_log_series(session, test_metric(session, "m"), steps, NULL, values, MANY));
  ok(tmon_log_series(session, 1, NULL, NULL, NULL, 0));
  expect(TMON_EINVAL, tmon_log_series(session, 1, NULL, NULL, values, 1));
  expect(TMON_EINVAL, tmon_log_series(session, 99, steps, NULL, values, 1));
  ck_assert_uint_eq(tmon_session_dropped(session), 0);
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), MANY);
  free(steps);
  free(values);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(two_thousand_metrics) {
  enum { METRICS = 2000 };
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  static tmon_metric metrics[METRICS];
  static double values[METRICS];
  char name[40];
  for (int i = 0; i < METRICS; i++) {
    (void)snprintf(name, sizeof name, "layer.%d/grad", i);
    metrics[i] = test_metric(session, name);
    ck_assert_uint_eq(test_metric(session, name), metrics[i]);
    values[i] = i;
  }
  for (int step = 0; step < 20; step++) {
    ok(tmon_log_batch(session, step, metrics, values, METRICS));
    ok(tmon_session_flush(session));
  }
  expect(TMON_EINVAL, tmon_log_batch(session, 1, NULL, values, 1));
  ok(tmon_log_batch(session, 1, NULL, NULL, 0));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_metric_list *list = NULL;
  tmon_metric_info info;
  int found = 0;
  ok(tmon_metric_list_open(&list, store, tmon_session_id(session)));
  while (tmon_metric_list_next(list, &info) == TMON_OK) {
    found++;
    ck_assert_uint_eq(info.count, 20);
    ck_assert_int_eq(info.last.step, 19);
  }
  ck_assert_int_eq(found, METRICS);
  tmon_metric_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(odd_names) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = 0;
  char longest[252];
  memset(longest, 'k', sizeof longest - 1);
  longest[251] = '\0';
  expect(TMON_EINVAL, tmon_session_metric(&metric, session, longest, NULL));
  longest[250] = '\0';
  expect(TMON_EINVAL, tmon_session_metric(&metric, session, "", NULL));
  expect(TMON_EINVAL, tmon_session_metric(&metric, session, NULL, NULL));
  expect(TMON_EINVAL, tmon_session_metric(&metric, session, "a\nb", NULL));
  expect(TMON_EINVAL, tmon_session_metric(&metric, session, "\xc0\x80", NULL));
  expect(TMON_EINVAL, tmon_session_metric(NULL, session, "a", NULL));
  const char *names[] = {longest, "\"'; --%s\\", "l\xc3\xb6ss \xe2\x82\xac", " ", "nonfinite"};
  for (int i = 0; i < 5; i++) {
    ok(tmon_log(session, test_metric(session, names[i]), i, i));
    if (i == 2) ok(tmon_session_flush(session));
  }
  for (int i = 0; i < 5; i++) ck_assert_uint_eq(test_count(store, tmon_session_id(session), names[i], false), 1);
  expect(TMON_EINVAL, tmon_log(session, 0, 1, 1));
  expect(TMON_EINVAL, tmon_log(session, 6, 1, 1));
  expect(TMON_EINVAL, tmon_log(NULL, 1, 1, 1));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static void expect_epochs(tmon_store *store, const char *id, const char *part, bool there) {
  char *text = NULL;
  ok(tmon_record_epochs_json(&text, store, id, -1));
  ck_assert_msg((strstr(text, part) != NULL) == there, "%s %s in %s", part, there ? "is not" : "is", text);
  tmon_text_free(text);
}

START_TEST(epoch_rows) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  const char *id = tmon_session_id(session);
  tmon_metric metrics[] = {test_metric(session, "train/loss"), test_metric(session, "val/loss"), test_metric(session, "custom \"x\"")};
  double values[] = {0.5, NAN, 2.25};
  tmon_epoch row = {.size = sizeof row, .count = 3, .metrics = metrics, .values = values};
  ok(tmon_session_log_epoch(session, 1, &row));
  ok(tmon_session_flush(session));
  expect_epochs(store, id, "\"total_loss\":0.5", true);
  expect_epochs(store, id, "\"val_loss\":null", true);
  expect_epochs(store, id, "\"custom \\\"x\\\"\":2.25", true);
  expect_epochs(store, id, "\"nonfinite\":{\"val/loss\":\"NaN\"}", true);
  values[0] = INFINITY; /* a second call overwrites what it names, in both directions */
  values[1] = 0.75;
  row.count = 2;
  ok(tmon_session_log_epoch(session, 1, &row));
  ok(tmon_session_flush(session));
  expect_epochs(store, id, "\"total_loss\":null", true);
  expect_epochs(store, id, "\"val_loss\":0.75", true);
  expect_epochs(store, id, "\"custom \\\"x\\\"\":2.25", true);
  expect_epochs(store, id, "\"nonfinite\":{\"train/loss\":\"Infinity\"}", true);
  values[0] = 1.5;
  ok(tmon_session_log_epoch(session, 1, &row));
  ok(tmon_session_log_epoch(session, 2, &row));
  ok(tmon_session_flush(session));
  expect_epochs(store, id, "\"total_loss\":1.5", true);
  expect_epochs(store, id, "nonfinite", false);
  expect_epochs(store, id, "\"epoch\":2", true);
  expect(TMON_EINVAL, tmon_session_log_epoch(session, 1, NULL));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("log");
  tcase_add_test(tests, any_step_and_value_comes_back);
  tcase_add_test(tests, a_million_points_at_once);
  tcase_add_test(tests, two_thousand_metrics);
  tcase_add_test(tests, odd_names);
  tcase_add_test(tests, epoch_rows);
  return test_run(suite_create("track/log"), tests);
}
