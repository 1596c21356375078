/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A walk over the committed points of one metric, through the connection of whoever loaded the extension. */
#ifndef TRAINMON_SQLEXT_SCAN_H
#define TRAINMON_SQLEXT_SCAN_H
#include "trainmon/series.h"

#include <sqlite3ext.h>
#include <stdbool.h>

typedef enum tmon_scan_stage { TMON_SCAN_WRITERS, TMON_SCAN_CHUNKS, TMON_SCAN_DELTAS, TMON_SCAN_END } tmon_scan_stage;

/* Zero is a scan that has ended. */
typedef struct tmon_scan {
  sqlite3 *db;
  tmon_scan_stage stage;
  sqlite3_stmt *writers;
  sqlite3_stmt *chunks; /* of the writer at hand; those without a step in from..to are not read */
  sqlite3_stmt *deltas; /* what is not in chunks yet */
  sqlite3_int64 session;
  sqlite3_int64 metric;
  sqlite3_int64 writer;
  sqlite3_int64 attempt;
  sqlite3_int64 from;
  sqlite3_int64 to; /* inclusive */
  tmon_point *points;
  size_t capacity;
  size_t count;
  size_t next; /* the current point, while the scan has not ended */
  sqlite3_int64 number;
} tmon_scan;

/* `session`: id, else name. All give SQLite's codes; `message` receives the reason of an error where SQLite does not know it (sqlite3_free). */
int tmon_scan_open(tmon_scan *scan, sqlite3 *db, const char *session, const char *key, sqlite3_int64 from, sqlite3_int64 to, char **message);
int tmon_scan_next(tmon_scan *scan, char **message);
bool tmon_scan_at_end(const tmon_scan *scan);
void tmon_scan_close(tmon_scan *scan);
#endif
