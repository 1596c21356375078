/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Transactions and statements, among threads and processes, and what a killed holder of the lock leaves. */
#include "fixture.h"

#include <math.h>
#include <signal.h>

static const char insert_event[] = "INSERT INTO events (time, kind, message) VALUES (?, 'x', ?)";
static const char count_events[] = "SELECT count(*) FROM events";

START_TEST(values_come_back) {
  tmon_db *db = open_db();
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  OK(tmon_tx_begin(&tx, db, true, -1));
  OK(tmon_tx_prepare(&row, tx, "SELECT ?, ?, ?, ?, ?, ?"));
  tmon_bind_int(row, 1, INT64_MIN);
  tmon_bind_double(row, 2, (double)NAN);
  tmon_bind_double(row, 3, -INFINITY);
  tmon_bind_text(row, 4, "é");
  tmon_bind_blob(row, 5, "a\0b", 3);
  tmon_bind_blob(row, 6, NULL, 0);
  OK(tmon_row_step(row));
  size_t size = 9;
  ck_assert(tmon_row_int(row, 0) == INT64_MIN);
  ck_assert(tmon_row_is_null(row, 1) && isnan(tmon_row_double(row, 1)));
  ck_assert(tmon_row_double(row, 2) == -INFINITY);
  ck_assert_str_eq(tmon_row_text(row, 3), "é");
  ck_assert_mem_eq(tmon_row_blob(row, 4, &size), "a\0b", 3);
  ck_assert_uint_eq(size, 3);
  ck_assert(!tmon_row_is_null(row, 5));
  FAILS(TMON_DONE, tmon_row_step(row));
  tmon_bind_int(row, 7, 1);
  FAILS(TMON_EINVAL, tmon_row_step(row));
  tmon_tx_abort(tx);
  tmon_db_close(db);
}
END_TEST

START_TEST(abort_leaves_nothing_and_commit_stays) {
  tmon_db *db = open_db();
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  for (int pass = 0; pass < 2; pass++) {
    OK(tmon_tx_begin(&tx, db, true, -1));
    OK(tmon_tx_prepare(&row, tx, insert_event));
    tmon_bind_int(row, 1, 7);
    OK(tmon_row_run(row));
    ck_assert_int_eq(tmon_tx_changes(tx), 1);
    ck_assert_int_eq(tmon_tx_last_rowid(tx), 1);
    if (pass) OK(tmon_tx_commit(tx));
    else tmon_tx_abort(tx);
    ck_assert_double_eq(read_number(db, count_events), pass);
  }
  tmon_tx_abort(NULL);
  tmon_db_close(db);
}
END_TEST

START_TEST(a_failed_row_leaves_the_transaction) {
  tmon_db *db = open_db();
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  OK(tmon_tx_begin(&tx, db, true, -1));
  OK(tmon_tx_prepare(&row, tx, "INSERT INTO training_sessions (id, session_name) VALUES ('a', 'x')"));
  OK(tmon_row_run(row));
  FAILS(TMON_EEXISTS, tmon_row_run(row));
  OK(tmon_tx_prepare(&row, tx, "UPDATE training_sessions SET status = 'odd'"));
  FAILS(TMON_EINVAL, tmon_row_run(row));
  OK(tmon_tx_prepare(&row, tx, "INSERT INTO training_metrics (session_id, epoch) VALUES ('none', 1)"));
  FAILS(TMON_EINVAL, tmon_row_run(row));
  FAILS(TMON_EINVAL, tmon_tx_prepare(&row, tx, "SELECT nonsense"));
  OK(tmon_tx_commit(tx));
  ck_assert_double_eq(read_number(db, "SELECT count(*) FROM training_sessions"), 1);
  tmon_db_close(db);
}
END_TEST

START_TEST(a_read_is_a_snapshot_and_can_not_write) {
  tmon_db *db = open_db();
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  OK(tmon_tx_begin(&tx, db, false, -1));
  OK(write_sql(db, "INSERT INTO events (time, kind) VALUES (1, 'x')"));
  OK(tmon_tx_prepare(&row, tx, count_events));
  OK(tmon_row_step(row));
  ck_assert_int_eq(tmon_row_int(row, 0), 0);
  OK(tmon_tx_prepare(&row, tx, "DELETE FROM events"));
  FAILS(TMON_EREADONLY, tmon_row_run(row));
  FAILS(TMON_EREADONLY, tmon_tx_commit(tx));
  ck_assert_double_eq(read_number(db, count_events), 1);
  tmon_db_close(db);
}
END_TEST

static int64_t version_now(tmon_db *db) {
  tmon_tx *tx = NULL;
  OK(tmon_tx_begin(&tx, db, false, -1));
  int64_t version = tmon_tx_data_version(tx);
  OK(tmon_tx_commit(tx));
  return version;
}

START_TEST(data_version_tells_changes) {
  tmon_db *db = open_db();
  int64_t first = version_now(db);
  ck_assert_int_eq(version_now(db), first);
  OK(write_sql(db, "INSERT INTO events (time, kind) VALUES (1, 'x')"));
  int64_t second = version_now(db);
  ck_assert_int_ne(second, first);
  ck_assert_str_eq(shell("INSERT INTO events (time, kind) VALUES (2, 'x')"), "");
  ck_assert_int_ne(version_now(db), second);
  tmon_db_close(db);
}
END_TEST

START_TEST(statements_are_kept) {
  tmon_db *db = open_db();
  tmon_tx *tx = NULL;
  tmon_row *rows[200];
  static char sql[200][40];
  OK(tmon_tx_begin(&tx, db, false, -1));
  for (int i = 0; i < 200; i++) {
    snprintf(sql[i], sizeof sql[i], "SELECT %d", i);
    OK(tmon_tx_prepare(&rows[i], tx, sql[i]));
  }
  for (int i = 0; i < 200; i++) {
    tmon_row *again = NULL;
    OK(tmon_tx_prepare(&again, tx, sql[i]));
    ck_assert_ptr_eq(again, rows[i]);
    OK(tmon_row_step(again));
    ck_assert_int_eq(tmon_row_int(again, 0), i);
  }
  OK(tmon_tx_commit(tx));
  tmon_db_close(db);
}
END_TEST

START_TEST(wait_names_the_thread) {
  tmon_db *db = open_db();
  tmon_tx *tx = NULL;
  tmon_tx *other = NULL;
  OK(tmon_tx_begin(&tx, db, true, -1));
  FAILS(TMON_EBUSY, tmon_tx_begin(&other, db, true, 20000));
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), "another thread"));
  tmon_tx_abort(tx);
  OK(tmon_tx_begin(&other, db, true, 0));
  tmon_tx_abort(other);
  tmon_db_close(db);
}
END_TEST

/* A child that holds the lock in an open transaction until it is killed. */
static pid_t start_holder(void) {
  int ready[2];
  ck_assert_int_eq(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    tmon_db *db = NULL;
    tmon_tx *tx = NULL;
    tmon_row *row = NULL;
    if (tmon_db_open(&db, scratch, false, false, 1000000) || tmon_tx_begin(&tx, db, true, -1) || tmon_tx_prepare(&row, tx, insert_event)) _exit(1);
    tmon_bind_int(row, 1, 13);
    if (tmon_row_run(row) || write(ready[1], "r", 1) != 1) _exit(1);
    for (;;) pause();
  }
  close(ready[1]);
  char byte = 0;
  ck_assert_int_eq(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  return child;
}

START_TEST(killed_holder) {
  pid_t holder = start_holder();
  tmon_db *db = NULL;
  char pid[40];
  snprintf(pid, sizeof pid, "process %d held", (int)holder);
  FAILS(TMON_EBUSY, tmon_db_open(&db, scratch, false, false, 50000));
  ck_assert_msg(strstr(tmon_error_message(), pid), "%s", tmon_error_message());
  OK(tmon_db_open(&db, scratch, true, false, 50000));
  ck_assert_double_eq(read_number(db, count_events), 0);
  tmon_db_close(db);
  kill(holder, SIGKILL);
  waitpid(holder, NULL, 0);
  db = open_db();
  OK(write_sql(db, "INSERT INTO events (time, kind) VALUES (1, 'x')"));
  ck_assert_double_eq(read_number(db, "SELECT sum(time) FROM events"), 1);
  tmon_db_close(db);
  ck_assert_str_eq(shell("PRAGMA integrity_check"), "ok");
}
END_TEST

START_TEST(a_foreign_writer_is_named_so) {
  tmon_db *db = open_db();
  sqlite3 *foreign = NULL;
  char path[120];
  snprintf(path, sizeof path, "%s/trainmon.db", scratch);
  ck_assert_int_eq(sqlite3_open(path, &foreign), SQLITE_OK);
  ck_assert_int_eq(sqlite3_exec(foreign, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
  tmon_tx *tx = NULL;
  FAILS(TMON_EBUSY, tmon_tx_begin(&tx, db, true, 20000));
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), "outside the library"));
  sqlite3_close(foreign);
  OK(tmon_tx_begin(&tx, db, true, 20000));
  tmon_tx_abort(tx);
  tmon_db_close(db);
}
END_TEST

enum { WRITERS = 8, COMMITS = 40 };

static void write_many(int writer) {
  tmon_db *db = NULL;
  if (tmon_db_open(&db, scratch, false, false, 300000000)) _exit(1);
  static char text[20000];
  memset(text, 'a' + writer, sizeof text - 1);
  for (int i = 0; i < COMMITS; i++) {
    tmon_tx *tx = NULL;
    tmon_row *row = NULL;
    if (tmon_tx_begin(&tx, db, true, -1) || tmon_tx_prepare(&row, tx, insert_event)) _exit(2);
    tmon_bind_int(row, 1, writer * 1000 + i);
    tmon_bind_text(row, 2, text);
    if (tmon_row_run(row) || tmon_tx_commit(tx)) _exit(3);
  }
  tmon_db_close(db);
  _exit(0);
}

/* They also race for the creation; together they write more than one checkpoint's worth. */
START_TEST(eight_processes) {
  pid_t children[WRITERS];
  for (int i = 0; i < WRITERS; i++) {
    children[i] = fork();
    if (children[i] == 0) write_many(i);
  }
  for (int i = 0; i < WRITERS; i++) {
    int status = 1;
    waitpid(children[i], &status, 0);
    ck_assert_int_eq(status, 0);
  }
  ck_assert_str_eq(shell("PRAGMA integrity_check; SELECT count(*), count(DISTINCT time) FROM events"), "ok\n320|320");
}
END_TEST

START_TEST(wal_stays_small) {
  tmon_db *db = open_db();
  static char text[200000];
  memset(text, 'x', sizeof text - 1);
  for (int i = 0; i < 150; i++) {
    tmon_tx *tx = NULL;
    tmon_row *row = NULL;
    OK(tmon_tx_begin(&tx, db, true, -1));
    OK(tmon_tx_prepare(&row, tx, insert_event));
    tmon_bind_int(row, 1, i);
    tmon_bind_text(row, 2, text);
    OK(tmon_row_run(row));
    OK(tmon_tx_commit(tx));
  }
  char path[120];
  char command[200];
  snprintf(path, sizeof path, "%s/trainmon.db-wal", scratch);
  snprintf(command, sizeof command, "test $(stat -c %%s '%s') -lt 6000000", path);
  ck_assert_int_eq(system(command), 0);
  tmon_db_close(db);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("tx");
  TCase *cases = tcase_create("tx");
  tcase_add_checked_fixture(cases, make_scratch, drop_scratch);
  tcase_add_test(cases, values_come_back);
  tcase_add_test(cases, abort_leaves_nothing_and_commit_stays);
  tcase_add_test(cases, a_failed_row_leaves_the_transaction);
  tcase_add_test(cases, a_read_is_a_snapshot_and_can_not_write);
  tcase_add_test(cases, data_version_tells_changes);
  tcase_add_test(cases, statements_are_kept);
  tcase_add_test(cases, wait_names_the_thread);
  tcase_add_test(cases, killed_holder);
  tcase_add_test(cases, a_foreign_writer_is_named_so);
  tcase_add_test(cases, eight_processes);
  tcase_add_test(cases, wal_stays_small);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
