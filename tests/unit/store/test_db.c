/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Opening: creation, migrations, and the ways in which a folder can be refused. */
#include "fixture.h"
#include "util/alloc.h"

#include <sys/mount.h>
#include <sys/stat.h>

static char *path_of(const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", scratch, name);
  return path;
}

START_TEST(creates_the_documented_file) {
  tmon_db *db = open_db();
  ck_assert_str_eq(tmon_db_journal(db), "wal");
  ck_assert(!tmon_db_is_read_only(db));
  ck_assert_int_eq(tmon_db_schema_version(db), TMON_SCHEMA_VERSION);
  ck_assert_str_eq(tmon_db_folder(db), scratch);
  tmon_db_close(db);
  ck_assert_str_eq(
      shell("PRAGMA page_size; PRAGMA auto_vacuum; PRAGMA application_id; PRAGMA user_version; PRAGMA integrity_check"), "16384\n2\n1953329006\n1001\nok");
}
END_TEST

START_TEST(close_leaves_one_file) {
  tmon_db *db = open_db();
  OK(write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
  ck_assert(tmon_file_exists(path_of("trainmon.db-wal")));
  tmon_db_close(db);
  ck_assert(!tmon_file_exists(path_of("trainmon.db-wal")));
  ck_assert_str_eq(shell("SELECT session_name FROM training_sessions"), "a");
}
END_TEST

START_TEST(missing_store) {
  tmon_db *db = NULL;
  char *folder = path_of("none");
  FAILS(TMON_ENOTFOUND, tmon_db_open(&db, folder, true, false, 0));
  FAILS(TMON_ENOTFOUND, tmon_db_open(&db, folder, false, true, 0));
  ck_assert_ptr_null(db);
  ck_assert(!tmon_file_exists(folder));
  FAILS(TMON_EINVAL, tmon_db_open(&db, "", false, false, 0));
}
END_TEST

static const char other_database[] = "CREATE TABLE t(a); INSERT INTO t VALUES (1)";
static const char newer_store[] = "PRAGMA application_id = 1953329006; PRAGMA user_version = 2000; CREATE TABLE t(a)";

static void refused_untouched(int code) {
  char *before = NULL;
  char *after = NULL;
  size_t before_size = 0;
  size_t after_size = 0;
  OK(tmon_file_read(&before, &before_size, path_of("trainmon.db"), 1 << 20));
  tmon_db *db = NULL;
  FAILS(code, tmon_db_open(&db, scratch, false, false, 1000000));
  ck_assert_ptr_null(db);
  FAILS(code, tmon_db_open(&db, scratch, true, false, 1000000));
  OK(tmon_file_read(&after, &after_size, path_of("trainmon.db"), 1 << 20));
  ck_assert_uint_eq(before_size, after_size);
  ck_assert_mem_eq(before, after, after_size);
  tmon_free(before);
  tmon_free(after);
}

START_TEST(newer_version_is_untouched) {
  shell(newer_store);
  refused_untouched(TMON_EVERSION);
}
END_TEST

START_TEST(other_database_is_untouched) {
  shell(other_database);
  refused_untouched(TMON_ECORRUPT);
}
END_TEST

START_TEST(no_database_is_untouched) {
  char junk[20000];
  memset(junk, 'x', sizeof junk);
  OK(tmon_file_write_atomic(path_of("trainmon.db"), junk, sizeof junk, 0644));
  refused_untouched(TMON_ECORRUPT);
}
END_TEST

START_TEST(newer_minor_is_opened) {
  tmon_db_close(open_db());
  shell("PRAGMA user_version = 1007; ALTER TABLE training_sessions ADD COLUMN later TEXT");
  tmon_db *db = open_db();
  ck_assert_int_eq(tmon_db_schema_version(db), 1007);
  OK(write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
  tmon_db_close(db);
}
END_TEST

START_TEST(major_changes_below_an_open_store) {
  tmon_db *db = open_db();
  shell("PRAGMA user_version = 2000");
  FAILS(TMON_EVERSION, write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
  tmon_db_close(db);
  ck_assert_str_eq(shell("SELECT count(*) FROM training_sessions"), "0");
}
END_TEST

START_TEST(migrations_are_one_transaction) {
  tmon_db *db = open_db();
  const tmon_migration broken[] = {
      {1001, 1002, "CREATE TABLE more(a) STRICT", NULL}, {1002, 1003, "CREATE TABLE later(a INTEGER) STRICT; SELECT nonsense", NULL}};
  ck_assert_int_ne(tmon_schema_migrate(db->writer, broken, 2, 1001, 1003), TMON_OK);
  ck_assert_str_eq(shell("SELECT count(*) FROM sqlite_schema WHERE name IN ('more', 'later'); PRAGMA user_version"), "0\n1001");
  const tmon_migration good[] = {{1001, 1002, "CREATE TABLE more(a INTEGER) STRICT", NULL}, {1002, 1003, "CREATE TABLE later(a INTEGER) STRICT", NULL}};
  FAILS(TMON_EVERSION, tmon_schema_migrate(db->writer, good, 2, 1001, 1004));
  OK(tmon_schema_migrate(db->writer, good, 2, 1001, 1003));
  ck_assert_str_eq(shell("SELECT count(*) FROM sqlite_schema WHERE name IN ('more', 'later'); PRAGMA user_version"), "2\n1003");
  tmon_db_close(db);
}
END_TEST

START_TEST(network_journal) {
  tmon_db *db = open_db();
  OK(tmon_schema_prepare(db, true));
  ck_assert_str_eq(tmon_db_journal(db), "delete");
  OK(write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
  tmon_db_close(db);
  ck_assert_str_eq(shell("PRAGMA journal_mode; SELECT count(*) FROM training_sessions"), "delete\n1");
}
END_TEST

/* In a child without root's rights; exits with 0 when the store reads one session and refuses a write. */
static int read_as_nobody(const char *journal) {
  pid_t child = fork();
  if (child == 0) {
    tmon_db *db = NULL;
    tmon_tx *tx = NULL;
    if (setgid(65534) || setuid(65534)) _exit(10);
    if (tmon_db_open(&db, scratch, false, false, 0)) _exit(11);
    if (!tmon_db_is_read_only(db) || strcmp(tmon_db_journal(db), journal) != 0) _exit(12);
    if (tmon_tx_begin(&tx, db, true, -1) != TMON_EREADONLY) _exit(13);
    int count = (int)read_number(db, "SELECT count(*) FROM training_sessions");
    tmon_db_close(db);
    _exit(count == 1 ? 0 : 14);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

START_TEST(unwritable_folder_at_rest_and_live) {
  if (getuid() != 0) return;
  ck_assert_int_eq(chmod(scratch, 0755), 0);
  /* The writer is a process of its own: a file that is open here could not be opened in a forked reader. */
  int said[2];
  int told[2];
  char word = 0;
  ck_assert(pipe(said) == 0 && pipe(told) == 0);
  pid_t writer = fork();
  if (writer == 0) {
    tmon_db *db = open_db();
    OK(write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
    bool good = write(said[1], "1", 1) == 1 && read(told[0], &word, 1) == 1;
    tmon_db_close(db);
    _exit(good ? 0 : 1);
  }
  ck_assert_int_eq(read(said[0], &word, 1), 1);
  ck_assert_int_eq(read_as_nobody("wal"), 0);
  ck_assert_int_eq(write(told[1], "1", 1), 1);
  int status = -1;
  ck_assert_int_eq(waitpid(writer, &status, 0), writer);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(read_as_nobody("immutable"), 0);
}
END_TEST

START_TEST(unwritable_file_in_a_writable_folder) {
  if (getuid() != 0) return;
  tmon_db *db = open_db();
  OK(write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
  tmon_db_close(db);
  ck_assert_int_eq(chmod(path_of("trainmon.lock"), 0666), 0);
  ck_assert_int_eq(chmod(scratch, 0777), 0);
  ck_assert_int_eq(read_as_nobody("wal"), 0);
}
END_TEST

START_TEST(fork_refuses_and_forgets) {
  tmon_db *db = open_db();
  pid_t child = fork();
  if (child == 0) {
    tmon_tx *tx = NULL;
    int code = tmon_tx_begin(&tx, db, false, 0);
    tmon_db_close(db);
    _exit(code == TMON_EFORKED ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  ck_assert_int_eq(status, 0);
  OK(write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
  tmon_db_close(db);
}
END_TEST

/* On a memory file system of 3 MiB: the write fails, nothing of it stays, and after room is made the same connection writes. */
START_TEST(full_disk) {
  if (getuid() != 0 || mount("tmpfs", scratch, "tmpfs", 0, "size=3m") != 0) return;
  tmon_db *db = open_db();
  FILE *filler = fopen(path_of("filler"), "w");
  static char zeros[65536];
  setvbuf(filler, NULL, _IONBF, 0);
  while (fwrite(zeros, 1, sizeof zeros, filler) == sizeof zeros) continue;
  fclose(filler);
  static const char sql[] = "INSERT INTO events (time, kind, message) VALUES (1, 'x', hex(zeroblob(400000)))";
  FAILS(TMON_EFULL, write_sql(db, sql));
  FAILS(TMON_EFULL, write_sql(db, sql));
  ck_assert_double_eq(read_number(db, "SELECT count(*) FROM events"), 0);
  ck_assert_int_eq(unlink(path_of("filler")), 0);
  OK(write_sql(db, sql));
  ck_assert_double_eq(read_number(db, "SELECT count(*) FROM events"), 1);
  tmon_db_close(db);
  ck_assert_str_eq(shell("PRAGMA integrity_check; SELECT count(*) FROM events"), "ok\n1");
  ck_assert_int_eq(umount(scratch), 0);
}
END_TEST

START_TEST(creation_on_a_full_disk) {
  if (getuid() != 0 || mount("tmpfs", scratch, "tmpfs", 0, "size=500k") != 0) return;
  tmon_db *db = NULL;
  FAILS(TMON_EFULL, tmon_db_open(&db, scratch, false, false, 1000000));
  ck_assert_ptr_null(db);
  ck_assert_int_eq(mount("tmpfs", scratch, "tmpfs", MS_REMOUNT, "size=8m"), 0);
  db = open_db();
  OK(write_sql(db, "INSERT INTO training_sessions (session_name) VALUES ('a')"));
  tmon_db_close(db);
  ck_assert_int_eq(umount(scratch), 0);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("db");
  TCase *cases = tcase_create("db");
  tcase_add_checked_fixture(cases, make_scratch, drop_scratch);
  tcase_add_test(cases, creates_the_documented_file);
  tcase_add_test(cases, close_leaves_one_file);
  tcase_add_test(cases, missing_store);
  tcase_add_test(cases, newer_version_is_untouched);
  tcase_add_test(cases, other_database_is_untouched);
  tcase_add_test(cases, no_database_is_untouched);
  tcase_add_test(cases, newer_minor_is_opened);
  tcase_add_test(cases, major_changes_below_an_open_store);
  tcase_add_test(cases, migrations_are_one_transaction);
  tcase_add_test(cases, network_journal);
  tcase_add_test(cases, unwritable_folder_at_rest_and_live);
  tcase_add_test(cases, unwritable_file_in_a_writable_folder);
  tcase_add_test(cases, fork_refuses_and_forgets);
  tcase_add_test(cases, full_disk);
  tcase_add_test(cases, creation_on_a_full_disk);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
