/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Each public call with each operation of SQLite on the disk failing, and each of its allocations: errors, no lost point, a whole database. */
#include "unit/fault_vfs.h"
#include "unit/track/calls.h"

static unsigned which;
static bool full;

static void arm(size_t at, bool persistent) { fault_vfs_arm(which, at, persistent, full); }

static bool io_allowed(int code) { return code == TMON_EIO || code == TMON_EFULL || code == TMON_ENOTFOUND; }
static bool memory_allowed(int code) { return code == TMON_ENOMEM; }

START_TEST(each_operation_of_a_call_may_fail) {
  const calls_entry *entry = &calls_table[_i / 2];
  fault_vfs_install();
  which = FAULT_ALL;
  full = _i % 2;
  calls_trouble trouble = {arm, fault_vfs_disarm, io_allowed, calls_long() ? 1 : full ? 11 : 4};
  size_t runs = calls_loop(entry, &trouble, _i % 2);
  if (getenv("SHOW")) fprintf(stderr, "%s %zu\n", entry->name, runs);
}
END_TEST

START_TEST(each_allocation_of_sqlite_may_fail) {
  const calls_entry *entry = &calls_table[_i];
  fault_vfs_install();
  which = FAULT_MEMORY;
  calls_trouble trouble = {arm, fault_vfs_disarm, memory_allowed, calls_long() ? 1 : 797};
  size_t runs = calls_loop(entry, &trouble, true);
  if (getenv("SHOW")) fprintf(stderr, "%s %zu\n", entry->name, runs);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("calls");
  calls_choose_folder();
  tcase_add_loop_test(tests, each_operation_of_a_call_may_fail, 0, 2 * CALLS_COUNT);
  tcase_add_loop_test(tests, each_allocation_of_sqlite_may_fail, 0, CALLS_COUNT);
  return test_run(suite_create("track/io_fault"), tests);
}
