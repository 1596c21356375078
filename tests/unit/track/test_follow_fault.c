/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A follow under failing allocations and a failing disk: across all failures each point comes once, in order of its metric. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/fault.h"
#include "unit/fault_vfs.h"
#include "unit/track/help.h"

#include <sys/syscall.h>
#include <time.h>

enum { METRICS = 6, MEMORY = 0, DISK = 1 };

static tmon_fault fault;
static int64_t next_logged[METRICS];
static int64_t next_found[METRICS];

static _Atomic long ahead; /* seconds that the clock is ahead, so that no test waits for the list of writers to be due */

int clock_gettime(clockid_t clock, struct timespec *out) {
  int result = (int)syscall(SYS_clock_gettime, clock, out);
  if (clock == CLOCK_MONOTONIC) out->tv_sec += atomic_load(&ahead);
  return result;
}

static void arm(int kind, size_t at, bool persistent) {
  if (kind == DISK) {
    fault_vfs_arm(FAULT_ALL, at, persistent, false);
    return;
  }
  atomic_store(&fault.count, 0);
  atomic_store(&fault.failed, 0);
  atomic_store(&fault.persistent, persistent);
  atomic_store(&fault.fail_at, at);
}

static size_t disarm(int kind) {
  if (kind == DISK) return fault_vfs_disarm();
  atomic_store(&fault.fail_at, 0);
  return atomic_load(&fault.failed);
}

/* The steps of a metric count up, so that a lost or doubled point shows. */
static int take(tmon_follow *follow, size_t *total) {
  tmon_follow_point points[40];
  size_t count = 0;
  bool lapped = false;
  int result = tmon_follow_next(follow, points, 40, &count, &lapped);
  ck_assert(!lapped);
  ck_assert(result == TMON_OK || count == 0);
  for (size_t i = 0; i < count; i++) {
    const char *key = tmon_follow_key(follow, points[i].metric);
    ck_assert_ptr_nonnull(key);
    size_t metric = (size_t)(key[0] - 'a');
    ck_assert_uint_lt(metric, METRICS);
    ck_assert_msg(points[i].point.step == next_found[metric], "metric %zu gave step %lld, expected %lld", metric, (long long)points[i].point.step,
        (long long)next_found[metric]);
    next_found[metric]++;
  }
  *total += count;
  return result;
}

static void log_some(tmon_session *session, tmon_metric *metrics, int count) {
  for (int i = 0; i < count; i++) {
    int metric = i % METRICS;
    ok(tmon_log(session, metrics[metric], next_logged[metric]++, 1));
  }
}

static void make_metrics(tmon_session *session, tmon_metric *metrics) {
  for (int i = 0; i < METRICS; i++) {
    char key[2] = {(char)('a' + i), 0};
    metrics[i] = test_metric(session, key);
  }
}

static size_t follow_once(int kind, size_t at, bool persistent, bool hidden) {
  tmon_follow *follow = NULL;
  tmon_metric metrics[METRICS];
  char id[40];
  char path[600];
  size_t total = 0;
  size_t failed = 0;
  memset(next_logged, 0, sizeof next_logged);
  memset(next_found, 0, sizeof next_found);
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  make_metrics(session, metrics);
  DIR *folder = opendir(test_folder);
  for (struct dirent *entry; hidden && (entry = readdir(folder));) {
    /* Out of reach: the follow goes by the deltas. */
    if (strncmp(entry->d_name, "trainmon-", 9) == 0 && strlen(entry->d_name) == 45) {
      (void)snprintf(path, sizeof path, "%s/%s", test_folder, entry->d_name);
      ck_assert_int_eq(unlink(path), 0);
    }
  }
  (void)closedir(folder);
  ok(tmon_follow_open(&follow, store, id));
  for (int round = 0; round < 3; round++) {
    log_some(session, metrics, 5 + round);
    ok(tmon_session_flush(session));
    log_some(session, metrics, hidden ? 0 : 7);
    ahead += round > 0;
    arm(kind, at, persistent);
    for (int i = 0; i < 4; i++) (void)take(follow, &total);
    failed += disarm(kind);
    ahead += hidden; /* committed points come when the list of writers is due */
    for (int i = 0; i < 4; i++) ok(take(follow, &total));
  }
  if (!hidden) {
    /* A second attempt is followed from its beginning. */
    tmon_session_free(session);
    session = test_session(store, id);
    make_metrics(session, metrics);
    log_some(session, metrics, 9);
  }
  ahead++;
  arm(kind, at, persistent);
  for (int i = 0; i < 3; i++) (void)take(follow, &total);
  failed += disarm(kind);
  ahead++;
  for (int i = 0; i < 4; i++) ok(take(follow, &total));
  for (int i = 0; i < METRICS; i++) ck_assert_int_eq(next_found[i], next_logged[i]);
  tmon_follow_free(follow);
  tmon_session_free(session);
  tmon_store_free(store);
  return failed;
}

START_TEST(nothing_is_lost_or_doubled) {
  int kind = _i % 2;
  bool hidden = (_i / 2) % 2;
  bool persistent = (_i / 4) % 2;
  const char *text = getenv("LONG");
  size_t step = text && *text == '1' ? 1 : persistent ? 3 : 1;
  size_t runs = 0;
  fault_vfs_install();
  memset(&fault, 0, sizeof fault);
  tmon_fault_install(&fault);
  for (size_t at = 1 + (size_t)persistent; follow_once(kind, at, persistent, hidden); at += step) runs++;
  ck_assert_int_eq(tmon_allocator_set(NULL), TMON_OK);
  ck_assert_int_eq(atomic_load(&fault.alive), 0);
  if (getenv("SHOW")) fprintf(stderr, "kind %d, hidden %d, persistent %d: %zu\n", kind, hidden, persistent, runs);
  ck_assert_uint_gt(runs, 0);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("follow");
  if (!getenv("TMPDIR") && access("/dev/shm", W_OK | X_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 1);
  tcase_add_loop_test(tests, nothing_is_lost_or_doubled, 0, 8);
  return test_run(suite_create("track/follow_fault"), tests);
}
