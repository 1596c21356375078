/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the tests of this room share: a folder of their own, a store in it, a session, a pseudo-random sequence. */
#ifndef TRAINMON_TESTS_TRACK_HELP_H
#define TRAINMON_TESTS_TRACK_HELP_H
#include "trainmon/trainmon.h"
#include "unit/suite.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ok(call) expect(TMON_OK, call)
#define expect(code, call) expect_code((code), (call), #call, __FILE__, __LINE__)

static inline void expect_code(int code, int result, const char *call, const char *file, int line) {
  if (result != code)
    ck_abort_msg("%s:%d: %s gave %s, expected %s: %s", file, line, call, tmon_error_name(result), tmon_error_name(code), tmon_error_message());
}

static char test_folder[256];

static inline void test_setup(void) {
  const char *base = getenv("TMPDIR");
  (void)snprintf(test_folder, sizeof test_folder, "%s/trainmon-XXXXXX", base && *base ? base : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(test_folder));
}

/* Folders of a test are at most two deep. */
static inline void test_remove(const char *folder) {
  DIR *directory = opendir(folder);
  struct dirent *entry;
  while (directory && (entry = readdir(directory))) {
    char path[600];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= sizeof path) continue;
    if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlink(path) != 0) test_remove(path);
  }
  if (directory) closedir(directory);
  (void)rmdir(folder);
}

static inline void test_teardown(void) { test_remove(test_folder); }

/* A drainer that commits several times in a row, on a disk that takes seconds for each, leaves the lock for an instant only. */
static uint32_t test_lock_ms = 60000;

static inline tmon_store *test_store(void) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder, .lock_timeout_ms = test_lock_ms};
  ok(tmon_store_open(&store, test_folder, &options));
  return store;
}

/* Without a drainer: what is committed is what the test flushes. */
static inline tmon_session *test_session(tmon_store *store, const char *id) {
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = id, .no_drainer = true};
  ok(tmon_session_start(&session, store, &options));
  return session;
}

static inline tmon_metric test_metric(tmon_session *session, const char *key) {
  tmon_metric metric = 0;
  ok(tmon_session_metric(&metric, session, key, NULL));
  return metric;
}

/* One session's record; its texts live until the list is freed. */
static inline tmon_record_list *test_record(tmon_record *out, tmon_store *store, const char *id) {
  tmon_record_list *list = NULL;
  tmon_record_filter filter = {.size = sizeof filter, .id = id};
  ok(tmon_record_list_open(&list, store, &filter));
  ok(tmon_record_list_next(list, out));
  return list;
}

static inline tmon_status test_status(tmon_store *store, const char *id) {
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  tmon_record_list_free(list);
  return record.status;
}

static inline uint64_t test_count(tmon_store *store, const char *id, const char *key, bool all_attempts) {
  tmon_series *series = NULL;
  tmon_series_options options = {.size = sizeof options, .all_attempts = all_attempts};
  size_t count = 0;
  uint64_t total = 0;
  ok(tmon_series_query(&series, store, id, key, &options));
  const tmon_bucket *buckets = tmon_series_buckets(series, &count);
  for (size_t i = 0; i < count; i++) total += buckets[i].count;
  tmon_series_free(series);
  return total;
}

/* The first number of what the database says to `sql`, 0 where it gives no row. A drainer may hold the lock meanwhile. */
static inline int64_t test_ask(const char *sql) {
  char path[600];
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 60000);
  ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
  int code = sqlite3_step(statement);
  ck_assert_msg(code == SQLITE_ROW || code == SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(db));
  int64_t value = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return value;
}

/* What an end had no time for is done by its thread or by adoption: waits until no writer is open. */
static inline void test_settle(tmon_store *store) {
  for (int i = 0; i < 1200; i++) {
    int result = tmon_store_recover(store, 0, NULL);
    if (result != TMON_EBUSY) ok(result);
    if (test_ask("SELECT count(*) FROM writers WHERE closed = 0") == 0) return;
    (void)usleep(50000);
  }
  ck_abort_msg("a session does not come to its end");
}

static inline uint64_t test_random(uint64_t *state) /* splitmix64 */
{
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline int test_run(Suite *suite, TCase *tests) {
  tcase_add_checked_fixture(tests, test_setup, test_teardown);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
#endif
