/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Every call that allocates, with each of its allocations failing: a clean error, nothing leaked, and a store that still opens. */
#include "unit/fault.h"
#include "unit/track/help.h"

static char session_id[40];

/* What the loops read: a session with chunks, deltas and an epoch row. */
static void make_history(void) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  (void)snprintf(session_id, sizeof session_id, "%s", tmon_session_id(session));
  for (int i = 0; i < 3000; i++) ok(tmon_log(session, metric, i, i));
  tmon_session_free(session);
  tmon_store_free(store);
}

static int open_store(tmon_store **store) {
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder};
  return tmon_store_open(store, test_folder, &options);
}

static int train(void *argument) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_metric metric = 0;
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .config_json = "{\"a\":[1]}"};
  (void)argument;
  int result = open_store(&store);
  if (result == TMON_OK) result = tmon_session_start(&session, store, &options);
  if (result == TMON_OK) result = tmon_session_metric(&metric, session, "m", NULL);
  for (int i = 0; i < 1500 && result == TMON_OK; i++) result = tmon_log(session, metric, i, i);
  double value = NAN;
  tmon_epoch row = {.size = sizeof row, .count = 1, .metrics = &metric, .values = &value};
  if (result == TMON_OK) result = tmon_session_log_epoch(session, 1, &row);
  if (result == TMON_OK) result = tmon_session_set_error(session, "e");
  if (result == TMON_OK) result = tmon_session_flush(session);
  tmon_session_free(session);
  tmon_store_free(store);
  return result;
}

static int read_back(void *argument) {
  tmon_store *store = NULL;
  tmon_series *series = NULL;
  tmon_point_reader *reader = NULL;
  tmon_metric_list *metrics = NULL;
  tmon_record_list *records = NULL;
  tmon_follow *follow = NULL;
  char *text = NULL;
  tmon_point points[10];
  size_t count = 10;
  (void)argument;
  int result = open_store(&store);
  if (result == TMON_OK) result = tmon_series_query(&series, store, session_id, "m", NULL);
  if (result == TMON_OK) result = tmon_series_tail(points, &count, store, session_id, "m");
  if (result == TMON_OK) result = tmon_point_reader_open(&reader, store, session_id, "m");
  if (result == TMON_OK) result = tmon_point_reader_next(reader, points, 10, &count);
  if (result == TMON_OK) result = tmon_metric_list_open(&metrics, store, session_id);
  if (result == TMON_OK) result = tmon_record_list_open(&records, store, NULL);
  if (result == TMON_OK) result = tmon_record_epochs_json(&text, store, session_id, -1);
  if (result == TMON_OK) result = tmon_follow_open(&follow, store, session_id);
  tmon_follow_free(follow);
  tmon_text_free(text);
  tmon_record_list_free(records);
  tmon_metric_list_free(metrics);
  tmon_point_reader_free(reader);
  tmon_series_free(series);
  tmon_store_free(store);
  return result;
}

static int write_rest(void *argument) {
  tmon_store *store = NULL;
  char id[37];
  tmon_record_change change = {.size = sizeof change, .name = "x", .config_json = "{}"};
  tmon_epoch_value values[] = {{"loss", 1}, {"mine", NAN}};
  (void)argument;
  int result = open_store(&store);
  if (result == TMON_OK) result = tmon_record_create(id, store, &change);
  if (result == TMON_OK) result = tmon_record_log_epoch(store, id, 1, values, 2);
  if (result == TMON_OK) result = tmon_record_update(store, id, &change);
  if (result == TMON_OK) result = tmon_record_request(store, id, TMON_CONTROL_STOP);
  if (result == TMON_OK) result = tmon_store_recover(store, 0, NULL);
  tmon_store_free(store);
  return result;
}

START_TEST(each_allocation_may_fail) {
  int (*bodies[])(void *) = {train, read_back, write_rest};
  make_history();
  tmon_fault_loop(bodies[_i], NULL);
  tmon_store *store = test_store();
  ck_assert_uint_eq(test_count(store, session_id, "m", false), 3000);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("fault");
  tcase_add_loop_test(tests, each_allocation_may_fail, 0, 3);
  return test_run(suite_create("track/fault"), tests);
}
