/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A store of an older version: what it holds stays, and it becomes what a new one is. */
#include "fixture.h"

/* All names, and all columns of the tables. */
#define SHAPE                                                                                                                                                \
  "SELECT group_concat(line, '; ') FROM (SELECT type || ' ' || name AS line FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' UNION ALL"                     \
  " SELECT s.name || '.' || c.name || ' ' || c.type || c.cid || c.[notnull] || coalesce(c.dflt_value, '') FROM sqlite_schema s, pragma_table_info(s.name) c" \
  " WHERE s.type = 'table' ORDER BY 1)"

static void make_old(void) {
  char command[600];
  int size = snprintf(command, sizeof command,
      "sqlite3 -bail '%s/trainmon.db' 'PRAGMA page_size = 16384' 'PRAGMA auto_vacuum = INCREMENTAL' '.read %s/tests/unit/store/schema_1000.sql'"
      " 'PRAGMA application_id = 0x746D6F6E' 'PRAGMA user_version = 1000' 'PRAGMA journal_mode = wal' >'%s/out'",
      scratch, TMON_TEST_SOURCE, scratch);
  ck_assert_int_lt(size, (int)sizeof command);
  ck_assert_int_eq(system(command), 0);
}

START_TEST(an_older_store_becomes_a_new_one) {
  tmon_db *db = NULL;
  make_old();
  ck_assert_str_eq(
      shell(
          "INSERT INTO training_sessions (id, session_name, key) VALUES ('a', 'old', 7); INSERT INTO alerts (id, session, rule, type, metric, position, step, message,"
          " time, revision, fired_revision) VALUES (3, 7, 'r', 'threshold', 'm', 1, 5, 'high', 9, 1, 1), (8, 7, 'r', 'threshold', 'm', 2, 6, 'high', 9, 2, 2);"
          " DELETE FROM alerts WHERE id = 8"),
      "");
  FAILS(TMON_EVERSION, tmon_db_open(&db, scratch, true, true, 0));
  ck_assert_str_eq(shell("PRAGMA user_version"), "1000");
  char *feed = strdup(shell("SELECT count(*), max(seq) FROM changes"));
  db = open_db();
  ck_assert_int_eq(tmon_db_schema_version(db), TMON_SCHEMA_VERSION);
  ck_assert_str_eq(shell("SELECT count(*), max(seq) FROM changes"), feed);
  free(feed);
  OK(write_sql(db, "UPDATE training_sessions SET summary = '{}'"));
  OK(write_sql(db,
      "INSERT INTO alerts (session, rule, type, metric, position, message, time, revision, fired_revision) SELECT 7, 'n', 'note', '', 1, 'note', 9, 3, 3"));
  tmon_db_close(db);
  ck_assert_str_eq(shell("SELECT id, session_name, key, summary FROM training_sessions; SELECT id, rule, step, message FROM alerts ORDER BY id"),
      "a|old|7|{}\n3|r|5|high\n9|n||note");
  ck_assert_str_eq(shell("SELECT table_name, op FROM changes ORDER BY seq DESC LIMIT 2"), "alerts|INSERT\ntraining_sessions|UPDATE");
  ck_assert_str_eq(shell("PRAGMA user_version; PRAGMA integrity_check; PRAGMA foreign_key_check"), "1001\nok");
  char *shape = strdup(shell(SHAPE));
  OK(tmon_db_open(&db, scratch, true, true, 0));
  tmon_db_close(db);
  drop_scratch();
  make_scratch();
  tmon_db_close(open_db());
  ck_assert_str_eq(shape, shell(SHAPE));
  free(shape);
}
END_TEST

/* The column came before the number. */
START_TEST(the_number_alone_is_behind) {
  tmon_db *db = NULL;
  tmon_db_close(open_db());
  shell("INSERT INTO training_sessions (session_name, summary) VALUES ('a', '{}'); PRAGMA user_version = 1000");
  OK(tmon_db_open(&db, scratch, true, true, 0));
  ck_assert_int_eq((int)read_number(db, "SELECT count(*) FROM training_sessions WHERE summary = '{}'"), 1);
  tmon_db_close(db);
  tmon_db_close(open_db());
  ck_assert_str_eq(shell("PRAGMA user_version; SELECT summary FROM training_sessions"), "1001\n{}");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("migrate");
  TCase *cases = tcase_create("migrate");
  tcase_add_checked_fixture(cases, make_scratch, drop_scratch);
  tcase_add_test(cases, an_older_store_becomes_a_new_one);
  tcase_add_test(cases, the_number_alone_is_behind);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
