/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The peer: plain SQLite, one row a point, WAL, the same series, the same number of points a transaction, the same `synchronous`.
 * peer-fill FILE KIND POINTS, peer-query FILE AXIS.
 */
#include "common.h"

#include <sqlite3.h>

#define BATCH 20000

static void run(sqlite3 *db, const char *sql) {
  if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) bench_die(sqlite3_errmsg(db));
}

static sqlite3 *open_peer(const char *path) {
  sqlite3 *db = NULL;
  if (path == NULL || sqlite3_open(path, &db) != SQLITE_OK) bench_die("the peer's file can't be opened");
  run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  return db;
}

int bench_peer_fill(char **arguments) {
  sqlite3 *db = open_peer(arguments[0]);
  int64_t kind = bench_number(arguments[1]), points = bench_number(arguments[2]);
  sqlite3_stmt *insert = NULL;
  double inserting = 0;
  static int64_t times[BATCH];
  static double values[BATCH];
  run(db, "CREATE TABLE point (metric INTEGER, step INTEGER, time INTEGER, value REAL)");
  sqlite3_prepare_v2(db, "INSERT INTO point VALUES (1, ?, ?, ?)", -1, &insert, NULL);
  for (int64_t done = 0; done < points; done += BATCH) {
    for (int64_t i = 0; i < BATCH; i++) bench_point((bench_kind)kind, done + i, &times[i], &values[i]);
    double begin = bench_seconds();
    run(db, "BEGIN");
    for (int64_t i = 0; i < BATCH; i++) {
      sqlite3_bind_int64(insert, 1, done + i);
      sqlite3_bind_int64(insert, 2, times[i]);
      sqlite3_bind_double(insert, 3, values[i]);
      if (sqlite3_step(insert) != SQLITE_DONE) bench_die(sqlite3_errmsg(db));
      sqlite3_reset(insert);
    }
    run(db, "COMMIT");
    inserting += bench_seconds() - begin;
  }
  sqlite3_finalize(insert);
  sqlite3_close(db);
  bench_print("rows_per_second", (double)points / inserting);
  return 0;
}

int bench_peer_query(char **arguments) {
  double begin = bench_seconds();
  sqlite3 *db = open_peer(arguments[0]);
  double opened = bench_seconds();
  const char *column = bench_number(arguments[1]) == 1 ? "time" : "step";
  sqlite3_stmt *query = NULL;
  char *sql = sqlite3_mprintf("WITH width(w) AS (SELECT (max(%s) - min(%s)) / 1000 + 1 FROM point) "
                              "SELECT %s / w, count(*), min(value), max(value), sum(value) FROM point, width GROUP BY 1 ORDER BY 1",
      column, column, column);
  int64_t buckets = 0;
  if (sqlite3_prepare_v2(db, sql, -1, &query, NULL) != SQLITE_OK) bench_die(sqlite3_errmsg(db));
  while (sqlite3_step(query) == SQLITE_ROW) buckets++;
  double done = bench_seconds();
  sqlite3_finalize(query);
  sqlite3_free(sql);
  sqlite3_close(db);
  bench_print("open", (opened - begin) * 1e3);
  bench_print("query", (done - opened) * 1e3);
  bench_print("buckets", (double)buckets);
  return 0;
}
