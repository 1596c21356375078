/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * sessions-fill FOLDER SESSIONS EPOCHS: a store of so many sessions, written straight into the tables; seconds for the rows and for the figures of rankings.
 * sessions-group FOLDER: milliseconds of the plain SQL that a ranking without kept figures would be, once.
 */
#include "common.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_AT_ONCE 50

static sqlite3 *open_database(const char *folder) {
  char path[4096];
  sqlite3 *handle = NULL;
  if (folder == NULL) bench_die("which folder?");
  (void)snprintf(path, sizeof path, "%s/trainmon.db", folder);
  if (sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) bench_die("the database can't be opened");
  return handle;
}

static void execute(sqlite3 *handle, const char *sql) {
  if (sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK) return;
  fprintf(stderr, "trainmon-bench: %s: %s\n", sql, sqlite3_errmsg(handle));
  exit(1);
}

static void execute_with(sqlite3 *handle, const char *sql, int64_t first, int64_t last, int64_t epochs) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(handle, sql, -1, &statement, NULL) != SQLITE_OK) bench_die(sqlite3_errmsg(handle));
  (void)sqlite3_bind_int64(statement, 1, first);
  (void)sqlite3_bind_int64(statement, 2, last);
  (void)sqlite3_bind_int64(statement, 3, epochs);
  if (sqlite3_step(statement) != SQLITE_DONE) bench_die(sqlite3_errmsg(handle));
  sqlite3_finalize(statement);
}

/* Triggers and the indexes of epoch rows go while the rows are written; what they were comes back as the text that makes them again. */
static char *take_away(sqlite3 *handle) {
  sqlite3_stmt *statement = NULL;
  char *drop = sqlite3_mprintf("");
  char *make = sqlite3_mprintf("");
  if (sqlite3_prepare_v2(handle,
          "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND (type = 'trigger' OR (type = 'index' AND tbl_name = 'training_metrics'))",
          -1, &statement, NULL) != SQLITE_OK)
    bench_die(sqlite3_errmsg(handle));
  while (sqlite3_step(statement) == SQLITE_ROW) {
    drop = sqlite3_mprintf("%z DROP %s %s;", drop, sqlite3_column_text(statement, 0), sqlite3_column_text(statement, 1));
    make = sqlite3_mprintf("%z %s;", make, sqlite3_column_text(statement, 2));
  }
  sqlite3_finalize(statement);
  if (drop == NULL || make == NULL) bench_die("no memory");
  execute(handle, drop);
  sqlite3_free(drop);
  return make;
}

#define NOISE(a, b) "((e.n * " a " + s.n * " b ") % 1000 / 1000.0)"

static const char sessions_sql[] =
    "WITH RECURSIVE s(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM s WHERE n < ?2)"
    " INSERT INTO training_sessions (id, key, session_name, model_type, dataset_name, epochs, batch_size, learning_rate, config, status, created_at, started_at,"
    " completed_at, duration_seconds, best_epoch, final_map50_95, final_loss)"
    " SELECT printf('00000000-0000-4000-8000-%012x', n), n, 'run ' || n, 'model ' || (n % 7), 'set ' || (n % 3), ?3, 16 << (n % 3), 0.01,"
    " json_object('optimizer', json_object('name', 'adam', 'lr', n % 10 / 1000.0), 'seed', n), CASE n % 20 WHEN 0 THEN 'failed' WHEN 1 THEN 'cancelled' ELSE 'completed' END,"
    " strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n * 60, 'unixepoch'), strftime('%Y-%m-%dT%H:%M:%fZ', 1700000000 + n * 60, 'unixepoch'),"
    " strftime('%Y-%m-%dT%H:%M:%fZ', 1700003600 + n * 60, 'unixepoch'), 3600.0, ?3 - 1, 0.3 + n * 7919 % 1000 / 2000.0, 0.2 FROM s";

static const char epochs_sql[] =
    "WITH RECURSIVE s(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM s WHERE n < ?2), e(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM e WHERE n + 1 < ?3)"
    " INSERT INTO training_metrics (session_id, epoch, total_loss, precision, recall, map50, map50_95, learning_rate, val_loss, extra, created_at, updated_at)"
    " SELECT printf('00000000-0000-4000-8000-%012x', s.n), e.n, 2.0 / (1 + e.n / 50.0) + " NOISE("7919", "31") ", 0.5 + " NOISE(
        "613", "17") " / 2, 0.5 + " NOISE("127", "71") " / 2, 0.4 + " NOISE("331", "97") " / 2, 0.3 + " NOISE("733",
        "11") " / 2, 0.01 / (1 + e.n), 2.2 / (1 + e.n / 50.0) + " NOISE("911", "13") ", printf('{\"f1\":%.4f}', " NOISE("577",
        "41") "), '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:00.000Z' FROM s CROSS JOIN e";

int bench_sessions_fill(char **arguments) {
  tmon_store *store = NULL;
  const char *folder = arguments[0];
  if (folder == NULL || arguments[1] == NULL) bench_die("which folder, how many sessions?");
  int64_t sessions = bench_number(arguments[1]);
  int64_t epochs = bench_number(arguments[2]);
  bench_check(tmon_store_open(&store, folder, NULL), "open");
  tmon_store_free(store);
  double begin = bench_seconds();
  sqlite3 *handle = open_database(folder);
  execute(handle, "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; PRAGMA cache_size = -262144; PRAGMA temp_store = FILE");
  char *make = take_away(handle);
  for (int64_t first = 1; first <= sessions; first += SESSIONS_AT_ONCE) {
    int64_t last = first + SESSIONS_AT_ONCE - 1 < sessions ? first + SESSIONS_AT_ONCE - 1 : sessions;
    execute(handle, "BEGIN");
    execute_with(handle, sessions_sql, first, last, epochs);
    execute_with(handle, epochs_sql, first, last, epochs);
    execute(handle, "COMMIT");
  }
  execute(handle, make);
  sqlite3_free(make);
  execute(handle, "PRAGMA journal_mode = WAL");
  sqlite3_close(handle);
  double written = bench_seconds();
  bench_check(tmon_store_open(&store, folder, NULL), "open");
  bench_check(tmon_leaderboard_rebuild(store, NULL), "rebuild");
  tmon_store_free(store);
  bench_print("rows", written - begin);
  bench_print("figures", bench_seconds() - written);
  return 0;
}

int bench_sessions_group(char **arguments) {
  sqlite3_stmt *statement = NULL;
  sqlite3 *handle = open_database(arguments[0]);
  double begin = bench_seconds();
  if (sqlite3_prepare_v2(handle,
          "SELECT s.id, max(m.val_loss) AS best FROM training_sessions AS s JOIN training_metrics AS m ON m.session_id = s.id WHERE s.status = 'completed'"
          " GROUP BY s.id ORDER BY best DESC LIMIT 20",
          -1, &statement, NULL) != SQLITE_OK)
    bench_die(sqlite3_errmsg(handle));
  int rows = 0;
  while (sqlite3_step(statement) == SQLITE_ROW) rows++;
  bench_print("group", (bench_seconds() - begin) * 1e3);
  bench_print("rows", rows);
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  return 0;
}
