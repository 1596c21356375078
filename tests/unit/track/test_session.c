/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A session from start to finish: options, resuming, limits, control, status, and what a forked child may do. */
#include "unit/track/help.h"
#include "util/clock.h"
#include "util/os.h"

#include <signal.h>
#include <sys/wait.h>

/* Starts a session whose last attempt ends just now. A start waits five seconds for such an end; on a disk that takes longer it says so, after having waited. */
static void start_after_end(tmon_session **session, tmon_store *store, const tmon_session_options *options) {
  int result = TMON_EEXISTS;
  for (int i = 0; i < 10 && result == TMON_EEXISTS; i++) {
    int64_t begun = tmon_clock_monotonic_us();
    result = tmon_session_start(session, store, options);
    if (result == TMON_EEXISTS) ck_assert_int_ge(tmon_clock_monotonic_us() - begun, 5000000);
  }
  ok(result);
}

START_TEST(start_checks_its_options) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  static char long_text[4200];
  memset(long_text, 'a', sizeof long_text - 1);
#define BAD(...)                                                                                                                                          \
  do {                                                                                                                                                    \
    tmon_session_options options = {.size = sizeof options, __VA_ARGS__};                                                                                 \
    expect(TMON_EINVAL, tmon_session_start(&session, store, &options));                                                                                   \
    ck_assert_ptr_null(session);                                                                                                                          \
  } while (0)
  BAD(.id = "x");
  BAD(.name = "\xff");
  BAD(.name = long_text);
  BAD(.config_json = "[]");
  BAD(.config_json = "{");
  BAD(.hardware_json = "1");
  BAD(.epochs = -1);
  BAD(.learning_rate = NAN);
  BAD(.ring_bytes = 1000);
  BAD(.ring_bytes = (size_t)2 << 30);
  expect(TMON_EINVAL, tmon_session_start(NULL, store, NULL));
  expect(TMON_EINVAL, tmon_session_start(&session, NULL, NULL));
  long_text[4096] = '\0';
  tmon_session_options options = {.size = sizeof options, .name = long_text, .config_json = "{\"lr\":1}", .epochs = 7, .ring_bytes = 256 << 10};
  ok(tmon_session_start(&session, store, &options));
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, tmon_session_id(session));
  ck_assert_str_eq(record.name, long_text);
  ck_assert_str_eq(record.config_json, "{\"lr\":1}");
  ck_assert_int_eq(record.epochs, 7);
  ck_assert_int_eq(record.attempts, 1);
  ck_assert(record.live && isnan(record.learning_rate));
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(resume_supersedes) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_session *second = NULL;
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  tmon_session_options options = {.size = sizeof options, .id = id, .no_drainer = true};
  expect(TMON_EEXISTS, tmon_session_start(&second, store, &options));
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < 100; i++) ok(tmon_log(session, metric, i, i));
  ok(tmon_session_finish(session, TMON_STATUS_FAILED));
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_FAILED);
  tmon_session_free(session);
  session = test_session(store, id);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING);
  /* Another metric hides the old points as well: the attempt began at its step. */
  ok(tmon_log(session, test_metric(session, "other"), 60, 1));
  ck_assert_uint_eq(test_count(store, id, "m", false), 60);
  ck_assert_uint_eq(test_count(store, id, "m", true), 100);
  ok(tmon_session_flush(session));
  metric = test_metric(session, "m");
  for (int i = 60; i < 70; i++) ok(tmon_log(session, metric, i, -i));
  ck_assert_uint_eq(test_count(store, id, "m", false), 70);
  ck_assert_uint_eq(test_count(store, id, "m", true), 110);
  tmon_session_free(session);
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_int_eq(record.attempts, 2);
  ck_assert_int_eq(record.status, TMON_STATUS_COMPLETED);
  tmon_record_list_free(list);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_dead_trainer_can_be_resumed_at_once) {
  const char *id = "01234567-89ab-4def-8123-456789abcdef";
  int tubes[2];
  char word = 0;
  ck_assert_int_eq(pipe(tubes), 0);
  pid_t child = fork();
  if (child == 0) {
    tmon_session *session = test_session(test_store(), id);
    ok(tmon_log(session, test_metric(session, "m"), 1, 1));
    if (write(tubes[1], "1", 1) == 1) (void)pause();
    _exit(0);
  }
  ck_assert_int_eq(read(tubes[0], &word, 1), 1);
  tmon_store *store = test_store(); /* while it lives, so that opening does not adopt it */
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  tmon_session *session = test_session(store, id);
  ck_assert_uint_eq(test_count(store, id, "m", false), 1);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(after_finish_nothing_is_allowed) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  double value = 1;
  int64_t step = 1;
  tmon_progress progress = {.size = sizeof progress};
  tmon_epoch row = {.size = sizeof row};
  expect(TMON_EINVAL, tmon_session_finish(session, TMON_STATUS_RUNNING));
  expect(TMON_EINVAL, tmon_session_finish(session, TMON_STATUS_INTERRUPTED));
  expect(TMON_EINVAL, tmon_session_finish(NULL, TMON_STATUS_COMPLETED));
  ok(tmon_session_set_error(session, "out of memory"));
  expect(TMON_EINVAL, tmon_session_set_error(session, "\xff"));
  ok(tmon_session_finish(session, TMON_STATUS_CANCELLED));
  expect(TMON_ESTATE, tmon_session_finish(session, TMON_STATUS_COMPLETED));
  expect(TMON_ESTATE, tmon_log(session, metric, 1, 1));
  expect(TMON_ESTATE, tmon_log_batch(session, 1, &metric, &value, 1));
  expect(TMON_ESTATE, tmon_log_series(session, metric, &step, NULL, &value, 1));
  expect(TMON_ESTATE, tmon_session_log_epoch(session, 1, &row));
  expect(TMON_ESTATE, tmon_session_metric(&metric, session, "n", NULL));
  expect(TMON_ESTATE, tmon_session_report(session, &progress));
  expect(TMON_ESTATE, tmon_session_request(session, TMON_CONTROL_STOP));
  expect(TMON_ESTATE, tmon_session_flush(session));
  expect(TMON_ESTATE, tmon_session_set_error(session, NULL));
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_RUN);
  ck_assert_uint_eq(tmon_session_dropped(session), 0);
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, tmon_session_id(session));
  ck_assert_str_eq(record.error_text, "out of memory");
  ck_assert_int_eq(record.status, TMON_STATUS_CANCELLED);
  ck_assert(!record.live && record.completed_at > 0);
  tmon_record_list_free(list);
  tmon_store_free(store); /* before its session: the order is free */
  tmon_session_free(session);
  tmon_session_free(NULL);
  ck_assert_str_eq(tmon_session_id(NULL), "");
}
END_TEST

START_TEST(progress_and_control) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  const char *id = tmon_session_id(session);
  tmon_progress progress = {.size = sizeof progress, .epoch = 1, .epochs = 4, .batch = 5, .batches = 10};
  ok(tmon_session_report(session, &progress));
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_double_eq_tol(record.percent, 37.5, 1e-9);
  tmon_record_list_free(list);
  progress.fraction = 1.5;
  expect(TMON_EINVAL, tmon_session_report(session, &progress));
  progress.fraction = NAN;
  expect(TMON_EINVAL, tmon_session_report(session, &progress));
  progress.fraction = 0;
  progress.batch = -1;
  expect(TMON_EINVAL, tmon_session_report(session, &progress));
  expect(TMON_EINVAL, tmon_session_request(session, (tmon_control)3));
  ok(tmon_session_request(session, TMON_CONTROL_PAUSE));
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_PAUSE);
  ck_assert_int_eq(tmon_session_wait_while_paused(session, 30), TMON_CONTROL_PAUSE);
  list = test_record(&record, store, id);
  ck_assert(record.paused);
  tmon_record_list_free(list);
  ok(tmon_record_request(store, id, TMON_CONTROL_STOP));
  ck_assert_int_eq(tmon_session_wait_while_paused(session, 0), TMON_CONTROL_STOP);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* A session that was made for a trainer to come: its attempt is the first, and what was asked meanwhile reaches the trainer. */
START_TEST(who_takes_over_hears_what_was_asked) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_record record;
  char id[37];
  tmon_control asked = (tmon_control)(_i % 3);
  tmon_record_change change = {.size = sizeof change, .name = "waits"};
  ok(tmon_record_create(id, store, &change));
  if (asked != TMON_CONTROL_RUN) ok(tmon_record_request(store, id, asked));
  tmon_session_options options = {.size = sizeof options, .id = id, .no_drainer = _i < 3};
  ok(tmon_session_start(&session, store, &options));
  ck_assert_int_eq(tmon_session_control(session), asked);
  ok(tmon_log(session, test_metric(session, "m"), 1, 1)); /* starts the drainer, which reads the row too */
  if (_i >= 3) tmon_clock_sleep_us(200000);
  ck_assert_int_eq(tmon_session_control(session), asked);
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_int_eq(record.attempts, 1);
  ck_assert_int_eq(record.status, TMON_STATUS_RUNNING);
  ck_assert_int_eq(record.control, asked);
  ck_assert(!record.paused); /* it was asked to wait, and doesn't */
  tmon_record_list_free(list);
  ok(tmon_session_finish(session, TMON_STATUS_CANCELLED));
  tmon_session_free(session);
  /* The next attempt is asked for nothing. */
  start_after_end(&session, store, &options);
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_RUN);
  list = test_record(&record, store, id);
  ck_assert_int_eq(record.attempts, 2);
  ck_assert(!record.paused);
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

#define SAID ",\"optimizer\" : {\"name\": \"adam\"},\"text\": \"a,}\\\"{\" ,\"list\": [1, {\"b\": 2}] "

/* A session that waits, and the trainer that it waits for. */
static tmon_session *take_over(char id[37], tmon_store *store) {
  tmon_session *session = NULL;
  tmon_record_change change = {.size = sizeof change,
      .name = "waits",
      .model_type = "guess",
      .dataset_name = "fundus",
      .notes = "asked for by Ana",
      .tags_json = "[\"nightly\"]",
      .config_json = "{\"recipe\":\"digits\",\"seed\":18446744073709551615,\"optimizer\":{\"name\":\"sgd\",\"momentum\":0.9}}",
      .hardware_json = "{\"node\":\"rack 3\"}",
      .epochs = 50,
      .batch_size = 8,
      .learning_rate = 0.5};
  ok(tmon_record_create(id, store, &change));
  tmon_session_options options = {.size = sizeof options,
      .id = id,
      .no_drainer = true,
      .name = "",
      .model_type = "yolo",
      .batch_size = 16,
      .config_json = " { \"optimizer\" : {\"name\": \"adam\"}, \"text\": \"a,}\\\"{\" , \"list\": [1, {\"b\": 2}] }",
      .hardware_json = "{\"gpu\":\"H200\"}"};
  ok(tmon_session_start(&session, store, &options));
  return session;
}

/* What the trainer says wins, what it leaves out stays. */
START_TEST(who_takes_over_says_what_it_knows) {
  tmon_store *store = test_store();
  tmon_record record;
  char id[37];
  tmon_session *session = take_over(id, store);
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_str_eq(record.name, "waits");
  ck_assert_str_eq(record.model_type, "yolo");
  ck_assert_str_eq(record.dataset_name, "fundus");
  ck_assert_str_eq(record.notes, "asked for by Ana");
  ck_assert_str_eq(record.tags_json, "[\"nightly\"]");
  ck_assert_str_eq(record.config_json, "{\"recipe\":\"digits\",\"seed\":18446744073709551615" SAID "}");
  ck_assert_str_eq(record.hardware_json, "{\"node\":\"rack 3\",\"gpu\":\"H200\"}");
  ck_assert_int_eq(record.epochs, 50);
  ck_assert_int_eq(record.batch_size, 16);
  ck_assert_double_eq(record.learning_rate, 0.5);
  tmon_record_list_free(list);
  /* The planned epochs of the session are those of a trainer that does not say. */
  tmon_progress progress = {.size = sizeof progress, .epoch = 25};
  ok(tmon_session_report(session, &progress));
  list = test_record(&record, store, id);
  ck_assert_int_eq(record.progress.epochs, 50);
  ck_assert_double_eq(record.percent, 50);
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(who_resumes_says_what_it_knows) {
  tmon_store *store = test_store();
  tmon_session *joined = NULL;
  tmon_record record;
  char id[37];
  tmon_session *session = take_over(id, store);
  tmon_session_free(session);
  tmon_session_options next = {.size = sizeof next,
      .id = id,
      .no_drainer = true,
      .name = "again",
      .config_json = "{\"seed\":1}",
      .epochs = 60,
      .tags_json = "[\"late\"]",
      .notes = "resumed"};
  ok(tmon_session_start(&session, store, &next));
  /* A rank that joins says nothing of the session. */
  tmon_session_options rank = {.size = sizeof rank, .id = id, .no_drainer = true, .rank = 1, .name = "rank", .config_json = "{\"seed\":2}"};
  ok(tmon_session_start(&joined, store, &rank));
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_int_eq(record.attempts, 2);
  ck_assert_str_eq(record.name, "again");
  ck_assert_str_eq(record.model_type, "yolo");
  ck_assert_str_eq(record.notes, "resumed");
  ck_assert_str_eq(record.tags_json, "[\"late\"]");
  ck_assert_str_eq(record.config_json, "{\"recipe\":\"digits\"" SAID ",\"seed\":1}");
  ck_assert_ptr_nonnull(strstr(record.hardware_json, "\"node\":\"rack 3\""));
  ck_assert_ptr_nonnull(strstr(record.hardware_json, "\"cores\"")); /* it said nothing of the machine, so the machine speaks */
  ck_assert_int_eq(record.epochs, 60);
  ck_assert_int_eq(record.batch_size, 16);
  tmon_record_list_free(list);
  tmon_session_free(joined);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* Each fits, both together do not: nothing has begun then. */
START_TEST(what_is_merged_has_a_limit) {
  enum { HALF = 600000 };
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  char id[37];
  char *text = malloc(HALF + 20);
  ck_assert_ptr_nonnull(text);
  (void)snprintf(text, 20, "{\"a\":\"");
  memset(text + 6, 'x', HALF);
  (void)snprintf(text + 6 + HALF, 3, "\"}");
  tmon_record_change change = {.size = sizeof change, .config_json = text};
  ok(tmon_record_create(id, store, &change));
  text[2] = 'b';
  tmon_session_options options = {.size = sizeof options, .id = id, .no_drainer = true, .config_json = text};
  expect(TMON_EINVAL, tmon_session_start(&session, store, &options));
  ck_assert_str_eq(tmon_error_field(), "config_json");
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_PENDING);
  text[2] = 'a';
  ok(tmon_session_start(&session, store, &options));
  tmon_session_free(session);
  tmon_store_free(store);
  free(text);
}
END_TEST

START_TEST(with_a_drainer_points_arrive_by_themselves) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  ok(tmon_session_start(&session, store, NULL));
  tmon_metric metric = test_metric(session, "m");
  /* A disk that stalls for 100 ms makes points drop: each is told to the caller and counted. */
  uint64_t kept = 0;
  for (int i = 0; i < 300000; i++) kept += tmon_log(session, metric, i, i) == TMON_OK;
  ck_assert_uint_eq(kept + tmon_session_dropped(session), 300000);
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), kept);
  ok(tmon_session_flush(session));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), kept);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* Another process holds the store: finish does not wait for it, the drainer does, and frees what its caller let go. */
START_TEST(an_end_that_takes_long_keeps_nobody) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = "01234567-89ab-4def-8123-456789abcdef"};
  tmon_store_options patient = {.size = sizeof patient, .ring_folder = test_folder, .lock_timeout_ms = 60000};
  int tube[2];
  int back[2];
  char word;
  ok(tmon_store_open(&store, test_folder, &patient));
  ok(tmon_session_start(&session, store, &options));
  ok(tmon_log(session, test_metric(session, "m"), 1, 1));
  ck_assert_int_eq(pipe(tube), 0);
  ck_assert_int_eq(pipe(back), 0);
  pid_t child = fork();
  if (child == 0) {
    char path[600];
    tmon_lock lock;
    (void)snprintf(path, sizeof path, "%s/trainmon.lock", test_folder);
    bool held = tmon_lock_open(&lock, path, false) == TMON_OK && tmon_lock_acquire(&lock, 5000000) == TMON_OK;
    held = write(tube[1], held ? "1" : "0", 1) == 1 && held;
    held = read(back[0], &word, 1) == 1 && held;
    tmon_clock_sleep_us(500000);
    _exit(held ? 0 : 1);
  }
  ck_assert_int_eq(read(tube[0], &word, 1), 1);
  ck_assert_int_eq(word, '1');
  int64_t begun = tmon_clock_monotonic_us();
  ok(tmon_session_finish(session, TMON_STATUS_FAILED));
  tmon_session_free(session);
  ck_assert_int_lt(tmon_clock_monotonic_us() - begun, 30000000); /* who waits for the lock has it after 60 s at the earliest */
  tmon_record record;                                            /* what the store can't have yet, the ring says */
  tmon_record_list *list = test_record(&record, store, options.id);
  ck_assert_int_eq(record.status, TMON_STATUS_FAILED);
  ck_assert(record.completed_at > 0 && record.duration_seconds >= 0);
  tmon_record_list_free(list);
  ck_assert_int_eq(write(back[1], "1", 1), 1);
  /* The next attempt waits for the end of this one. */
  start_after_end(&session, store, &options);
  ck_assert_uint_eq(test_count(store, options.id, "m", true), 1);
  tmon_session_free(session);
  tmon_store_free(store);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(forked_child_touches_nothing) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_session *other = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  tmon_store_info info;
  pid_t child = fork();
  if (child == 0) {
    bool right = tmon_log(session, metric, 1, 1) == TMON_EFORKED && tmon_session_flush(session) == TMON_EFORKED &&
        tmon_session_finish(session, TMON_STATUS_FAILED) == TMON_EFORKED && tmon_store_get_info(&info, store) == TMON_EFORKED;
    tmon_session_free(session);
    tmon_session_free(other);
    tmon_store_free(store);
    _exit(right ? 0 : 1);
  }
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  ok(tmon_log(session, metric, 2, 2));
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 1);
  tmon_session_free(session);
  tmon_session_free(other);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("session");
  tcase_add_test(tests, start_checks_its_options);
  tcase_add_test(tests, resume_supersedes);
  tcase_add_test(tests, a_dead_trainer_can_be_resumed_at_once);
  tcase_add_test(tests, after_finish_nothing_is_allowed);
  tcase_add_test(tests, progress_and_control);
  tcase_add_loop_test(tests, who_takes_over_hears_what_was_asked, 0, 6);
  tcase_add_test(tests, who_takes_over_says_what_it_knows);
  tcase_add_test(tests, who_resumes_says_what_it_knows);
  tcase_add_test(tests, what_is_merged_has_a_limit);
  tcase_add_test(tests, with_a_drainer_points_arrive_by_themselves);
  tcase_add_test(tests, an_end_that_takes_long_keeps_nobody);
  tcase_add_test(tests, forked_child_touches_nothing);
  return test_run(suite_create("track/session"), tests);
}
