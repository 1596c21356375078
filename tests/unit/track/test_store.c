/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Opening stores of every kind, what is known of them, and recovery. */
#include "unit/track/help.h"

#include <sqlite3.h>
#include <signal.h>
#include <sys/wait.h>

static void path_of(char out[600], const char *name) { (void)snprintf(out, 600, "%s/%s", test_folder, name); }

START_TEST(opens_creates_and_takes_the_db_suffix) {
  char path[600];
  tmon_store *store = NULL;
  tmon_store_info info;
  path_of(path, "a/b.db");
  ok(tmon_store_open(&store, path, NULL));
  path_of(path, "a/b");
  ok(tmon_store_get_info(&info, store));
  ck_assert_str_eq(info.path, path);
  ck_assert_str_eq(info.journal, "wal");
  ck_assert_int_eq(info.sessions, 0);
  ck_assert_int_gt(info.schema_version, 0);
  ck_assert_int_gt(info.database_bytes, 0);
  ck_assert(!info.read_only);
  tmon_session_free(test_session(store, NULL));
  ok(tmon_store_get_info(&info, store));
  ck_assert_int_eq(info.sessions, 1);
  tmon_store_free(store);
  tmon_store_options options = {.size = sizeof options, .must_exist = true};
  ok(tmon_store_open(&store, path, &options));
  tmon_store_free(store);
  tmon_store_free(NULL);
}
END_TEST

START_TEST(errors) {
  char path[600];
  tmon_store *store = (tmon_store *)path;
  tmon_store_info info;
  tmon_store_options options = {.size = sizeof options, .must_exist = true};
  path_of(path, "none");
  expect(TMON_ENOTFOUND, tmon_store_open(&store, path, &options));
  ck_assert_ptr_null(store);
  options = (tmon_store_options){.size = sizeof options, .read_only = true};
  expect(TMON_ENOTFOUND, tmon_store_open(&store, path, &options));
  ck_assert_int_ne(access(path, F_OK), 0);
  options.size = sizeof options + 8;
  expect(TMON_EINVAL, tmon_store_open(&store, path, &options));
  expect(TMON_EINVAL, tmon_store_open(NULL, path, NULL));
  expect(TMON_EINVAL, tmon_store_open(&store, "", NULL));
  expect(TMON_EINVAL, tmon_store_open(&store, NULL, NULL));
  expect(TMON_EINVAL, tmon_store_open(&store, "/tmp/\xff", NULL));
  expect(TMON_EUNSUPPORTED, tmon_store_open(&store, "postgresql://host/x", NULL));
  expect(TMON_EINVAL, tmon_store_get_info(&info, NULL));
  expect(TMON_EINVAL, tmon_store_recover(NULL, 0, NULL));
}
END_TEST

static void run_sql(const char *sql) {
  char path[600];
  sqlite3 *db = NULL;
  path_of(path, "trainmon.db");
  ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
  ck_assert_int_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
}

START_TEST(corrupt_and_foreign_and_newer) {
  char path[600];
  tmon_store *store = NULL;
  path_of(path, "trainmon.db");
  FILE *file = fopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  for (int i = 0; i < 5000; i++) (void)fputs("junk", file);
  ck_assert_int_eq(fclose(file), 0);
  expect(TMON_ECORRUPT, tmon_store_open(&store, test_folder, NULL));
  ck_assert_ptr_null(store);
  ck_assert_int_eq(unlink(path), 0);
  run_sql("CREATE TABLE mine (x)");
  expect(TMON_ECORRUPT, tmon_store_open(&store, test_folder, NULL));
  ck_assert_int_eq(unlink(path), 0);
  tmon_store_free(test_store());
  run_sql("PRAGMA user_version = 99000");
  expect(TMON_EVERSION, tmon_store_open(&store, test_folder, NULL));
  tmon_store_options options = {.size = sizeof options, .read_only = true};
  expect(TMON_EVERSION, tmon_store_open(&store, test_folder, &options));
  ck_assert_ptr_null(store);
}
END_TEST

START_TEST(read_only_refuses_each_write) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  char id[40];
  int64_t cursor = 0;
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  ok(tmon_log(session, test_metric(session, "m"), 1, 2));
  tmon_session_free(session);
  tmon_store_free(store);
  tmon_store_options options = {.size = sizeof options, .read_only = true};
  ok(tmon_store_open(&store, test_folder, &options));
  tmon_store_info info;
  ok(tmon_store_get_info(&info, store));
  ck_assert(info.read_only);
  tmon_record_change change = {.size = sizeof change, .name = "x"};
  tmon_epoch_value value = {"loss", 1};
  expect(TMON_EREADONLY, tmon_session_start(&session, store, NULL));
  expect(TMON_EREADONLY, tmon_store_recover(store, 0, NULL));
  expect(TMON_EREADONLY, tmon_record_create(id, store, &change));
  (void)snprintf(id, sizeof id, "01234567-89ab-4def-8123-456789abcdef");
  expect(TMON_EREADONLY, tmon_record_update(store, id, &change));
  expect(TMON_EREADONLY, tmon_record_log_epoch(store, id, 1, &value, 1));
  expect(TMON_EREADONLY, tmon_record_request(store, id, TMON_CONTROL_STOP));
  ok(tmon_store_change_cursor(&cursor, store));
  tmon_store_free(store);
}
END_TEST

START_TEST(recover_adopts_a_killed_trainer) {
  char id[40] = "01234567-89ab-4def-8123-456789abcdef";
  size_t adopted = 9;
  int tubes[2];
  char word = 0;
  ck_assert_int_eq(pipe(tubes), 0);
  pid_t child = fork();
  if (child == 0) {
    tmon_store *mine = test_store();
    tmon_session *session = test_session(mine, id);
    tmon_metric metric = test_metric(session, "m");
    for (int i = 0; i < 5000; i++) ok(tmon_log(session, metric, i, i));
    if (write(tubes[1], "1", 1) == 1) (void)pause();
    _exit(7);
  }
  ck_assert_int_eq(read(tubes[0], &word, 1), 1);
  tmon_store *store = test_store();
  ok(tmon_store_recover(store, 0, &adopted));
  ck_assert_uint_eq(adopted, 0);
  expect(TMON_EINVAL, tmon_store_recover(store, -1, &adopted));
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  ok(tmon_store_recover(store, 0, &adopted));
  ck_assert_uint_eq(adopted, 1);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_INTERRUPTED);
  ck_assert_uint_eq(test_count(store, id, "m", false), 5000);
  ok(tmon_store_recover(store, 0, &adopted));
  ck_assert_uint_eq(adopted, 0);
  tmon_store_free(store);
}
END_TEST

START_TEST(folder_of_another_stays_untouched) {
  char path[600];
  tmon_store *store = NULL;
  path_of(path, "file");
  FILE *file = fopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  (void)fclose(file);
  ck_assert_int_lt(tmon_store_open(&store, path, NULL), 0);
  ck_assert_ptr_null(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("store");
  tcase_add_test(tests, opens_creates_and_takes_the_db_suffix);
  tcase_add_test(tests, errors);
  tcase_add_test(tests, corrupt_and_foreign_and_newer);
  tcase_add_test(tests, read_only_refuses_each_write);
  tcase_add_test(tests, recover_adopts_a_killed_trainer);
  tcase_add_test(tests, folder_of_another_stays_untouched);
  return test_run(suite_create("track/store"), tests);
}
