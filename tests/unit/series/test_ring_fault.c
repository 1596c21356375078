/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Making, opening and naming in a ring while allocations and system calls fail: no file is left behind, no descriptor, no memory. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/fault.h"
#include "unit/suite.h"
#include "unit/fault_files.h"

#include "series/ring.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static char folder[256];
static char path[300];
static const uint8_t id[16] = {1, 2, 3};

static void setup(void) {
  const char *base = getenv("TMPDIR");
  (void)snprintf(folder, sizeof folder, "%s/trainmon-ring-XXXXXX", base && *base ? base : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  (void)snprintf(path, sizeof path, "%s/ring", folder);
}

static void teardown(void) {
  (void)unlink(path);
  ck_assert_int_eq(rmdir(folder), 0);
}

static size_t count_open(void) {
  size_t count = 0;
  DIR *all = opendir("/proc/self/fd");
  while (all && readdir(all)) count++;
  if (all) (void)closedir(all);
  return count;
}

/* Makes a ring, writes to it, reads it through a second handle. Gives the first error. */
static int use_ring(void *unused) {
  tmon_ring *ring = NULL;
  tmon_ring *other = NULL;
  uint32_t metric = 0;
  uint64_t position = 0;
  tmon_slot slots[4];
  bool lapped = false;
  bool alive = false;
  (void)unused;
  (void)unlink(path);
  int result = tmon_ring_create(&ring, path, id, id, 256u << 10, NULL);
  ck_assert((result == TMON_OK) == (ring != NULL));
  if (result != TMON_OK) {
    ck_assert_msg(access(path, F_OK) != 0, "a ring that could not be made left its file behind");
    return result;
  }
  for (int i = 0; result == TMON_OK && i < 100; i++) {
    char key[30];
    (void)snprintf(key, sizeof key, "metric %d", i);
    result = tmon_ring_metric(ring, key, &metric);
    if (result == TMON_OK) ck_assert_uint_eq(metric, (uint32_t)i + 1);
  }
  if (result == TMON_OK) result = tmon_ring_write(ring, TMON_SLOT_POINT, metric, 1, 2, 3);
  if (result == TMON_OK) result = tmon_ring_open(&other, path, false);
  ck_assert((result == TMON_OK) == (other != NULL));
  if (result == TMON_OK) result = tmon_ring_is_alive(path, &alive);
  if (result == TMON_OK) {
    ck_assert(alive);
    size_t found = 0;
    for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
      position = 0;
      found += tmon_ring_read(other, lane, &position, slots, 4, &lapped);
    }
    ck_assert_uint_eq(found, 1);
  }
  tmon_ring_close(other);
  tmon_ring_close(ring);
  return result;
}

START_TEST(each_allocation_may_fail) { tmon_fault_loop(use_ring, NULL); }
END_TEST

/* A name that could not be noted is not half there: it gets the same number at the next try. */
START_TEST(a_name_is_whole_or_not_there) {
  tmon_fault fault = {0};
  tmon_ring *ring = NULL;
  tmon_fault_install(&fault);
  ck_assert_int_eq(tmon_ring_create(&ring, path, id, id, 256u << 10, NULL), TMON_OK);
  for (uint32_t i = 1; i <= 500; i++) {
    char key[30];
    char found[256];
    uint32_t metric = 0;
    (void)snprintf(key, sizeof key, "metric %u", i);
    atomic_store(&fault.count, 0);
    atomic_store(&fault.fail_at, 1);
    int result = tmon_ring_metric(ring, key, &metric);
    atomic_store(&fault.fail_at, 0);
    ck_assert(result == TMON_OK || result == TMON_ENOMEM);
    ck_assert_uint_eq(tmon_ring_metrics(ring), result == TMON_OK ? i : i - 1);
    ck_assert_int_eq(tmon_ring_metric(ring, key, &metric), TMON_OK);
    ck_assert_uint_eq(metric, i);
    ck_assert_int_eq(tmon_ring_key(found, ring, i), TMON_OK);
    ck_assert_str_eq(found, key);
  }
  ck_assert_uint_gt(atomic_load(&fault.failed), 0);
  tmon_ring_close(ring);
  ck_assert_int_eq(tmon_allocator_set(NULL), TMON_OK);
  ck_assert_int_eq(atomic_load(&fault.alive), 0);
}
END_TEST

static const struct {
  int number;
  int code;
} numbers[] = {
    {ENOSPC, TMON_EFULL},
    {EMFILE, TMON_EIO},
    {EACCES, TMON_EACCESS},
    {EIO, TMON_EIO},
    {EINTR, TMON_EIO},
    {ENOMEM, TMON_ENOMEM},
};

START_TEST(each_system_call_may_fail) {
  int number = numbers[_i / 2].number;
  bool persistent = _i % 2;
  size_t runs = 0;
  /* For ever interrupted would be for ever retried. */
  if (number == EINTR && persistent) return;
  size_t before = count_open();
  for (size_t at = 1;; at++) {
    fault_files_arm(at, persistent, number);
    int result = use_ring(NULL);
    size_t failed = fault_files_disarm();
    ck_assert_uint_eq(count_open(), before);
    if (!failed) {
      ck_assert_int_eq(result, TMON_OK);
      break;
    }
    runs++;
    ck_assert_uint_lt(runs, 1000);
    /* A lock that EACCES refuses is one that another holds, as POSIX says. */
    bool held = number == EACCES && result == TMON_EBUSY;
    ck_assert_msg(result == TMON_OK || result == numbers[_i / 2].code || held, "call %zu, errno %d: %s, %s", at, number, tmon_error_name(result),
        tmon_error_message());
    ck_assert(result == TMON_OK || tmon_error_message()[0]);
    ck_assert_int_eq(use_ring(NULL), TMON_OK);
  }
  ck_assert_uint_gt(runs, 5);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("series/ring_fault");
  TCase *tests = tcase_create("ring");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, each_allocation_may_fail);
  tcase_add_test(tests, a_name_is_whole_or_not_there);
  tcase_add_loop_test(tests, each_system_call_may_fail, 0, 2 * (int)(sizeof numbers / sizeof *numbers));
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
