/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A live follow: each point once and in order while another thread logs, a lap that is told, a session that is resumed. */
#include "unit/track/help.h"

#include <pthread.h>

enum { POINTS = 20000 };

static void *log_all(void *argument)
{
  tmon_session *session = argument;
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < POINTS; i++)
    ok(tmon_log(session, metric, i, i));
  return NULL;
}

START_TEST(each_point_once_while_another_thread_logs)
{
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
    for (size_t i = 0; i < count; i++)
      ck_assert_int_eq(points[i].point.step, next++);
    if (count > 0)
      ck_assert_str_eq(tmon_follow_key(follow, points[0].metric), "m");
  }
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_ptr_null(tmon_follow_key(follow, 7));
  expect(TMON_EINVAL, tmon_follow_next(follow, NULL, 1, &count, &lapped));
  tmon_follow_free(follow);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(lap_is_told_and_resume_is_followed)
{
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
  for (int i = 0; i < 200 && !found; i++) {
    (void)usleep(10000);
    ok(tmon_follow_next(follow, points, 64, &count, &lapped));
    for (size_t k = 0; k < count; k++)
      found = found || strcmp(tmon_follow_key(follow, points[k].metric), "n") == 0;
  }
  ck_assert(found);
  tmon_session_free(session);
  tmon_follow_free(follow);
  tmon_store_free(store);
}
END_TEST

int main(void)
{
  TCase *tests = tcase_create("follow");
  tcase_add_test(tests, each_point_once_while_another_thread_logs);
  tcase_add_test(tests, lap_is_told_and_resume_is_followed);
  return test_run(suite_create("track/follow"), tests);
}
