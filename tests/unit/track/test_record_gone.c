/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A session that has something of everything, deleted: no row of any table of the schema names it, no file is left, and no deletion has to scan a table. */
#include "unit/track/image.h"

#include <sys/stat.h>

#define ID "11111111-2222-4333-8444-555555555555"

static sqlite3 *handle;

static void open_database(void) {
  char path[400];
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
}

static sqlite3_stmt *ask(const char *sql) {
  sqlite3_stmt *row = NULL;
  ck_assert_msg(sqlite3_prepare_v2(handle, sql, -1, &row, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(handle));
  return row;
}

static const char *text_of(sqlite3_stmt *row, int column) { return (const char *)sqlite3_column_text(row, column); }

/* How many rows of a table say the session's id anywhere, or its number in a column `session`. `changes` is looked at by itself. */
static int naming(const char *table, int key) {
  char sql[4000];
  sqlite3_stmt *columns = ask("SELECT name FROM pragma_table_info(?1)");
  sqlite3_bind_text(columns, 1, table, -1, SQLITE_STATIC);
  (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM \"%s\" WHERE 0", table);
  while (sqlite3_step(columns) == SQLITE_ROW) {
    const char *name = text_of(columns, 0);
    (void)snprintf(sql + strlen(sql), sizeof sql - strlen(sql), " OR instr(\"%s\", '" ID "') > 0", name);
    if (strcmp(name, "session") == 0) (void)snprintf(sql + strlen(sql), sizeof sql - strlen(sql), " OR session = %d", key);
  }
  sqlite3_finalize(columns);
  ck_assert_uint_lt(strlen(sql), sizeof sql - 1);
  sqlite3_stmt *count = ask(sql);
  ck_assert_int_eq(sqlite3_step(count), SQLITE_ROW);
  int rows = sqlite3_column_int(count, 0);
  sqlite3_finalize(count);
  return rows;
}

/* The names of tables that name the session, each followed by a space. */
static void who_names(char *out, size_t size, int key) {
  out[0] = '\0';
  open_database();
  sqlite3_stmt *tables =
      ask("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name <> 'changes' ORDER BY name");
  while (sqlite3_step(tables) == SQLITE_ROW) {
    if (naming(text_of(tables, 0), key) > 0) (void)snprintf(out + strlen(out), size - strlen(out), "%s ", text_of(tables, 0));
  }
  sqlite3_finalize(tables);
  sqlite3_close(handle);
}

static void add(tmon_store *store, tmon_result_kind kind, const char *fields) {
  char text[500];
  (void)snprintf(text, sizeof text, "{\"session_id\":\"" ID "\",%s}", fields);
  ok(tmon_result_add(NULL, store, kind, text));
}

static void write_output(void) {
  char path[400];
  (void)snprintf(path, sizeof path, "%s/logs", test_folder);
  (void)mkdir(path, 0700);
  for (int i = 0; i < 2; i++) {
    (void)snprintf(path, sizeof path, "%s/logs/session-" ID ".%s", test_folder, i == 0 ? "log" : "run");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    (void)fputs("done\n", file);
    (void)fclose(file);
  }
}

static bool has_output(void) {
  char path[400];
  (void)snprintf(path, sizeof path, "%s/logs/session-" ID ".log", test_folder);
  bool log = access(path, F_OK) == 0;
  (void)snprintf(path, sizeof path, "%s/logs/session-" ID ".run", test_folder);
  ck_assert_int_eq(access(path, F_OK) == 0, log);
  return log;
}

/* Points in deltas and in chunks, epochs, an alert of a point and one of a class, and a row of each kind of result. */
static void make_all(tmon_store *store) {
  char picture[64];
  double value = 9;
  ok(tmon_alert_set_rules(store, NULL,
      "[{\"name\":\"high\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":5},{\"name\":\"floor\",\"type\":\"class_floor\",\"class\":\"*\",\"threshold\":0.9}]",
      false));
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = ID, .no_drainer = true, .images_kept = 1};
  ok(tmon_session_start(&session, store, &options));
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < 20000; i++) ok(tmon_log(session, metric, i, i));
  ok(tmon_session_flush(session));
  tmon_epoch row = {.size = sizeof row, .count = 1, .metrics = &metric, .values = &value};
  for (int i = 0; i < 3; i++) ok(tmon_session_log_epoch(session, i, &row));
  for (int i = 0; i < 65; i++) { /* one more than there is room for: what was dropped has a row too */
    tmon_image image = encoded(picture, "train", i);
    ok(tmon_session_log_image(session, &image));
  }
  ok(tmon_session_flush(session));
  add(store, TMON_RESULT_VALIDATION, "\"epoch\":1,\"class\":\"DR\",\"sensitivity\":0.5");
  add(store, TMON_RESULT_CONFUSION, "\"epoch\":2,\"classes\":[\"DR\",\"x\"],\"matrix\":[[1,3],[5,0]]");
  add(store, TMON_RESULT_BENCHMARK, "\"avg_inference_ms\":3");
  add(store, TMON_RESULT_TRIAL, "\"experiment\":\"e\",\"objective_value\":3");
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  ok(tmon_store_recover(store, 0, NULL));
}

START_TEST(no_row_and_no_file_is_left) {
  char names[1000];
  size_t odd = 0;
  tmon_store *store = test_store();
  char child[37];
  make_all(store);
  write_output();
  tmon_record_change change = {.size = sizeof change, .parent_id = ID};
  ok(tmon_record_create(child, store, &change));
  int key = (int)ask_sql("SELECT key FROM training_sessions WHERE id = '" ID "'");
  who_names(names, sizeof names, key);
  /* All tables that can name one do, so that the check below is one. */
  ck_assert_str_eq(names,
      "alert_rules alert_states alerts confusion_matrices events hyperparameter_runs image_sessions images metric_bests metric_keys model_benchmarks"
      " training_metrics training_sessions validation_results writers ");
  ck_assert_int_gt(ask_sql("SELECT count(*) FROM chunks"), 0);
  ck_assert_uint_eq(count_files(&odd), 1);
  ok(tmon_record_delete(store, ID));
  who_names(names, sizeof names, key);
  ck_assert_str_eq(names, "");
  /* Rows below those that name a session: an orphan would be found here. */
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM pragma_foreign_key_check"), 0);
  ck_assert_int_eq(ask_sql("SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM summaries) + (SELECT count(*) FROM deltas)"
                           " + (SELECT count(*) FROM folded) + (SELECT count(*) FROM lane_positions)"),
      0);
  /* Followers of changes are told, and nothing comes after. */
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM changes WHERE row_id = '" ID "' AND table_name <> 'training_sessions'"), 0);
  ck_assert_int_eq(ask_sql("SELECT op = 'DELETE' FROM changes WHERE row_id = '" ID "' ORDER BY seq DESC LIMIT 1"), 1);
  ck_assert(!has_output());
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_uint_eq(count_files(&odd), 0);
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images_removed"), 0);
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM training_sessions"), 1);
  clean_up(store);
}
END_TEST

/* Each column that names a session, or a row that goes with one, is found by an index. */
START_TEST(no_deletion_scans) {
  tmon_store *store = test_store();
  int columns = 0;
  open_database();
  sqlite3_stmt *keys =
      ask("SELECT s.name, c.name FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table' AND (c.name IN ('session', 'session_id')"
          " OR EXISTS (SELECT 1 FROM pragma_foreign_key_list(s.name) f WHERE f.\"from\" = c.name))");
  while (sqlite3_step(keys) == SQLITE_ROW) {
    char sql[300];
    const char *table = text_of(keys, 0);
    const char *column = text_of(keys, 1);
    (void)snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN SELECT 1 FROM \"%s\" WHERE \"%s\" = ?1", table, column);
    sqlite3_stmt *plan = ask(sql);
    while (sqlite3_step(plan) == SQLITE_ROW) ck_assert_msg(strncmp(text_of(plan, 3), "SEARCH", 6) == 0, "%s.%s: %s", table, column, text_of(plan, 3));
    sqlite3_finalize(plan);
    columns++;
  }
  sqlite3_finalize(keys);
  sqlite3_close(handle);
  ck_assert_int_ge(columns, 20);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("record_gone");
  tcase_add_test(tests, no_row_and_no_file_is_left);
  tcase_add_test(tests, no_deletion_scans);
  return test_run(suite_create("track/record_gone"), tests);
}
