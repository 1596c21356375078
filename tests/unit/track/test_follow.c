/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A live follow: each point once and in order while another thread logs, a lap that is told, a session that is resumed. */
#include "unit/track/help.h"

#include <pthread.h>

enum { POINTS = 20000 };

static void *log_all(void *argument) {
  tmon_session *session = argument;
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < POINTS; i++) ok(tmon_log(session, metric, i, i));
  return NULL;
}

START_TEST(each_point_once_while_another_thread_logs) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_follow *follow = NULL;
  static tmon_follow_point points[512];
  pthread_t thread;
  size_t count = 0;
  bool lapped = false;
  int64_t next = 0;
  ok(tmon_follow_open(&follow, store, tmon_session_id(session)));
  ck_assert_int_eq(pthread_create(&thread, NULL, log_all, session), 0);
  while (next < POINTS) {
    ok(tmon_follow_next(follow, points, 512, &count, &lapped));
    ck_assert(!lapped);
    for (size_t i = 0; i < count; i++) ck_assert_int_eq(points[i].point.step, next++);
    if (count > 0) ck_assert_str_eq(tmon_follow_key(follow, points[0].metric), "m");
  }
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_ptr_null(tmon_follow_key(follow, 7));
  expect(TMON_EINVAL, tmon_follow_next(follow, NULL, 1, &count, &lapped));
  tmon_follow_free(follow);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(lap_is_told_and_resume_is_followed) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_follow *follow = NULL;
  tmon_follow_point points[64];
  size_t count = 0;
  bool lapped = false;
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  ok(tmon_follow_open(&follow, store, id));
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < 400000; i++) /* several times the ring */
    ok(tmon_log(session, metric, i, i));
  ok(tmon_follow_next(follow, points, 64, &count, &lapped));
  ck_assert(lapped);
  tmon_session_free(session);
  session = test_session(store, id);
  ok(tmon_log(session, test_metric(session, "n"), 5, 6));
  bool found = false;
  for (int i = 0; i < 3000 && !found; i++) {
    (void)usleep(10000);
    ok(tmon_follow_next(follow, points, 64, &count, &lapped));
    for (size_t k = 0; k < count; k++) found = found || strcmp(tmon_follow_key(follow, points[k].metric), "n") == 0;
  }
  ck_assert(found);
  tmon_session_free(session);
  tmon_follow_free(follow);
  tmon_store_free(store);
}
END_TEST

/* Points of one follow, taken until `upto` came; each must be the next. */
static void take_until(tmon_follow *follow, int64_t *next, int64_t upto) {
  tmon_follow_point points[700];
  for (int i = 0; i < 4000 && *next < upto; i++) {
    size_t count = 0;
    bool lapped = true;
    ok(tmon_follow_next(follow, points, 700, &count, &lapped));
    ck_assert(!lapped);
    for (size_t k = 0; k < count; k++) ck_assert_int_eq(points[k].point.step, (*next)++);
    if (count == 0) (void)usleep(10000);
  }
  ck_assert_int_eq(*next, upto);
}

static void log_some(tmon_session *session, tmon_metric metric, int64_t *step, int count) {
  for (int i = 0; i < count; i++, (*step)++) ok(tmon_log(session, metric, *step, 0));
  ok(tmon_session_flush(session));
}

START_TEST(out_of_reach_gets_every_point) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_follow *follow = NULL;
  tmon_metric metric = test_metric(session, "m");
  char command[400];
  char id[40];
  int64_t step = 0;
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  log_some(session, metric, &step, 1500); /* before the follow: a chunk and a delta */
  (void)snprintf(command, sizeof command, "sqlite3 %s/trainmon.db \"UPDATE writers SET ring_path = '/nowhere' || ring_path\"", test_folder);
  ck_assert_int_eq(system(command), 0);
  ok(tmon_follow_open(&follow, store, id));
  int64_t next = step;
  log_some(session, metric, &step, 10000); /* long runs: chunks at once */
  log_some(session, metric, &step, 100);
  take_until(follow, &next, step);
  for (int i = 0; i < 30; i++) log_some(session, metric, &step, 100); /* deltas, folded between two looks */
  take_until(follow, &next, step);
  log_some(session, metric, &step, 50);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED)); /* folds all that is left, and closes */
  tmon_session_free(session);
  take_until(follow, &next, step);
  /* Where the end had no time to close, it is left to adoption, which has to find the ring. */
  (void)test_ask("UPDATE writers SET ring_path = substr(ring_path, 9)");
  test_settle(store);
  /* An attempt that came and went between two looks. */
  session = test_session(store, id);
  log_some(session, test_metric(session, "m"), &step, 3000);
  tmon_session_free(session);
  take_until(follow, &next, step);
  tmon_follow_free(follow);
  tmon_store_free(store);
}
END_TEST

enum { LAPPED_POINTS = 600000 };
static _Atomic bool logged;

static void *log_far(void *argument) {
  tmon_session *session = argument;
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < LAPPED_POINTS; i++) ok(tmon_log(session, metric, i, i));
  logged = true;
  return NULL;
}

START_TEST(what_a_lap_misses_lies_behind_the_call) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_follow *follow = NULL;
  static tmon_follow_point points[8192];
  pthread_t thread;
  uint64_t state = 7;
  int64_t last = -1;
  bool missed = true;
  ok(tmon_follow_open(&follow, store, tmon_session_id(session)));
  ck_assert_int_eq(pthread_create(&thread, NULL, log_far, session), 0);
  for (bool over = false; !over;) {
    size_t count = 0;
    bool all = logged;
    bool lapped = false;
    ok(tmon_follow_next(follow, points, 1 + (size_t)(test_random(&state) % 8192), &count, &lapped));
    for (size_t i = 0; i < count; i++) {
      ck_assert_msg(points[i].point.step > last && (missed || points[i].point.step == last + 1), "%lld after %lld", (long long)points[i].point.step,
          (long long)last);
      last = points[i].point.step;
      missed = false;
    }
    missed = missed || lapped;
    if (test_random(&state) % 16 == 0) (void)usleep(2000);
    over = all && count == 0 && !lapped;
  }
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert(last == LAPPED_POINTS - 1 || missed);
  tmon_follow_free(follow);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("follow");
  tcase_add_test(tests, each_point_once_while_another_thread_logs);
  tcase_add_test(tests, lap_is_told_and_resume_is_followed);
  tcase_add_test(tests, out_of_reach_gets_every_point);
  tcase_add_test(tests, what_a_lap_misses_lies_behind_the_call);
  return test_run(suite_create("track/follow"), tests);
}
