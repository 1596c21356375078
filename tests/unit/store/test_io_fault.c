/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Each operation of SQLite on the disk fails, and each of its allocations and ours: what was confirmed stays, the handle and the file stay whole. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/fault.h"
#include "unit/fault_vfs.h"
#include "unit/store/fixture.h"

static bool is_long(void) {
  const char *text = getenv("LONG");
  return text && *text == '1';
}

/* Memory keeps the loops short where there is such a folder: they sync thousands of times. */
static void make_quick_scratch(void) {
  bool quick = !is_long() && access("/dev/shm", W_OK | X_OK) == 0;
  (void)snprintf(scratch, sizeof scratch, "%s/trainmon-store-XXXXXX", quick ? "/dev/shm" : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static void check_error(int result) {
  ck_assert_msg(result == TMON_OK || result == TMON_EIO || result == TMON_EFULL || result == TMON_ENOMEM || result == TMON_ENOTFOUND, "%s: %s",
      tmon_error_name(result), tmon_error_message());
  ck_assert(result == TMON_OK || tmon_error_message()[0]);
}

static int read_count(tmon_db *db, int64_t *count) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int result = tmon_tx_begin(&tx, db, false, -1);
  if (result) return result;
  result = tmon_tx_prepare(&row, tx, "SELECT count(*), sum(length(data)) FROM fault");
  if (!result) result = tmon_row_step(row);
  if (!result) *count = tmon_row_int(row, 0);
  if (result) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
}

static const char *const add_sql = "INSERT INTO fault (data) VALUES (randomblob(20000))";

/* On an open handle: an insert and a read with failures, then the same without. */
static size_t write_once(unsigned which, size_t at, bool persistent, bool full, int64_t *confirmed) {
  tmon_db *db = open_db();
  int64_t count = 0;
  /* From the same state each time, else reads would grow with the runs. The rows of the run before were confirmed. */
  OK(read_count(db, &count));
  ck_assert_int_eq(count, *confirmed);
  OK(write_sql(db, "DELETE FROM fault"));
  tmon_db_close(db);
  *confirmed = 0;
  db = open_db();
  fault_vfs_arm(which, at, persistent, full);
  int written = write_sql(db, add_sql);
  check_error(written);
  check_error(read_count(db, &count));
  size_t failed = fault_vfs_disarm();
  *confirmed += written == TMON_OK;
  OK(read_count(db, &count));
  ck_assert_int_eq(count, *confirmed);
  OK(write_sql(db, add_sql));
  ++*confirmed;
  OK(read_count(db, &count));
  ck_assert_int_eq(count, *confirmed);
  fault_vfs_arm(which, at, persistent, full);
  tmon_db_close(db);
  failed += fault_vfs_disarm();
  return failed;
}

START_TEST(writing) {
  bool persistent = _i & 1;
  bool full = _i & 2;
  unsigned which = _i & 4 ? FAULT_MEMORY : FAULT_ALL;
  int64_t confirmed = 0;
  size_t runs = 0;
  fault_vfs_install();
  tmon_db *db = open_db();
  OK(write_sql(db, "CREATE TABLE fault (id INTEGER PRIMARY KEY, data BLOB)"));
  tmon_db_close(db);
  for (size_t at = 1; write_once(which, at, persistent, full, &confirmed); at += is_long() ? 1 : which == FAULT_MEMORY ? 211 : 1) runs++;
  ck_assert_uint_gt(runs, 5);
  if (getenv("SHOW")) fprintf(stderr, "writing %u: %zu\n", which, runs);
  ck_assert_str_eq(shell("PRAGMA integrity_check"), "ok");
  ck_assert_int_eq(strtoll(shell("SELECT count(*) FROM fault"), NULL, 10), confirmed);
}
END_TEST

/* The first opening, which makes the database. */
START_TEST(making) {
  bool persistent = _i & 1;
  unsigned which = _i & 2 ? FAULT_MEMORY : FAULT_ALL;
  size_t runs = 0;
  size_t step = is_long() ? 1 : which == FAULT_MEMORY ? 397 : 11;
  fault_vfs_install();
  for (size_t at = 1;; at += step, runs++) {
    tmon_db *db = NULL;
    fault_vfs_arm(which, at, persistent, runs % 2);
    int result = tmon_db_open(&db, scratch, false, false, 5000000);
    check_error(result);
    ck_assert((result == TMON_OK) == (db != NULL));
    tmon_db_close(db);
    size_t failed = fault_vfs_disarm();
    db = open_db();
    ck_assert_int_eq((int)read_number(db, "SELECT count(*) FROM training_sessions"), 0);
    ck_assert_int_eq((int)tmon_db_schema_version(db), TMON_SCHEMA_VERSION);
    tmon_db_close(db);
    ck_assert_str_eq(shell("PRAGMA integrity_check"), "ok");
    drop_scratch();
    make_quick_scratch();
    if (!failed) break;
  }
  ck_assert_uint_gt(runs, 5);
  if (getenv("SHOW")) fprintf(stderr, "making %u: %zu\n", which, runs);
}
END_TEST

static int use_all(void *unused) {
  tmon_db *db = NULL;
  int64_t count = 0;
  (void)unused;
  int result = tmon_db_open(&db, scratch, false, false, 5000000);
  if (!result) result = write_sql(db, "INSERT INTO fault (data) VALUES ('x')");
  if (!result) result = read_count(db, &count);
  tmon_db_close(db);
  if (result) return result;
  result = tmon_db_open(&db, scratch, true, true, 5000000);
  if (!result) result = read_count(db, &count);
  tmon_db_close(db);
  return result;
}

START_TEST(own_allocations) {
  fault_vfs_install();
  tmon_db *db = open_db();
  OK(write_sql(db, "CREATE TABLE fault (id INTEGER PRIMARY KEY, data BLOB)"));
  tmon_db_close(db);
  tmon_fault_loop(use_all, NULL);
  ck_assert_str_eq(shell("PRAGMA integrity_check"), "ok");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("store/io_fault");
  TCase *tests = tcase_create("faults");
  tcase_add_checked_fixture(tests, make_quick_scratch, drop_scratch);
  tcase_add_loop_test(tests, writing, 0, 6);
  tcase_add_loop_test(tests, making, 0, 4);
  tcase_add_test(tests, own_allocations);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
