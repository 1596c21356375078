/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* For each writer, by attempt and age: its chunks, then the deltas that are not in chunks. The order of tmon_point_reader, without what is still in rings.
 * All statements run while the one that asks is running, hence in its transaction: one state of the store. */
#include "sqlext/scan.h"

#include "series/chunk.h"
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/json.h"

#include <string.h>

SQLITE_EXTENSION_INIT3

/* Called by tmon_allocator_set, which nobody can call here: there is no JSON in this module. */
void tmon_json_allocator_changed(bool custom) { (void)custom; }

static int fail(tmon_scan *scan, int code, char **message) {
  if (*message == NULL) *message = sqlite3_mprintf("trainmon_points: %s", sqlite3_errmsg(scan->db));
  return code;
}

static int prepare(tmon_scan *scan, sqlite3_stmt **out, const char *sql, char **message) {
  int code = sqlite3_prepare_v2(scan->db, sql, -1, out, NULL);
  return code == SQLITE_OK ? SQLITE_OK : fail(scan, code, message);
}

/* SQLITE_ROW with the number in the first column, SQLITE_DONE, or an error. */
static int find(tmon_scan *scan, sqlite3_int64 *out, sqlite3_int64 *count, const char *sql, sqlite3_int64 of, const char *text, char **message) {
  sqlite3_stmt *statement = NULL;
  int code = prepare(scan, &statement, sql, message);
  if (code != SQLITE_OK) return code;
  sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
  if (sqlite3_bind_parameter_count(statement) > 1) sqlite3_bind_int64(statement, 2, of);
  code = sqlite3_step(statement);
  if (code == SQLITE_ROW) {
    *out = sqlite3_column_int64(statement, 0);
    *count = sqlite3_column_int64(statement, 1);
  } else if (code != SQLITE_DONE) {
    code = fail(scan, code, message);
  }
  sqlite3_finalize(statement);
  return code;
}

static int find_session(tmon_scan *scan, const char *session, char **message) {
  sqlite3_int64 count = 0;
  int code = find(scan, &scan->session, &count, "SELECT key, 1 FROM main.training_sessions WHERE id = ?1", 0, session, message);
  if (code == SQLITE_DONE)
    code = find(scan, &scan->session, &count, "SELECT min(key), count(*) FROM main.training_sessions WHERE session_name = ?1", 0, session, message);
  if (code != SQLITE_ROW) return code;
  if (count == 1) return SQLITE_OK;
  *message = count == 0 ? sqlite3_mprintf("trainmon_points: there is no session \"%s\"", session)
                        : sqlite3_mprintf("trainmon_points: %lld sessions are named \"%s\"; use the id", count, session);
  return SQLITE_ERROR;
}

int tmon_scan_open(tmon_scan *scan, sqlite3 *db, const char *session, const char *key, sqlite3_int64 from, sqlite3_int64 to, char **message) {
  sqlite3_int64 count = 0;
  *scan = (tmon_scan){.db = db, .stage = TMON_SCAN_END, .from = from, .to = to};
  int code = find_session(scan, session, message);
  if (code != SQLITE_OK) return code;
  code = find(scan, &scan->metric, &count, "SELECT id, 1 FROM main.metric_keys WHERE key = ?1 AND session = ?2", scan->session, key, message);
  if (code == SQLITE_DONE) return SQLITE_OK; /* no such metric, no rows: so that a join over all sessions goes through */
  if (code != SQLITE_ROW) return code;
  code = prepare(scan, &scan->writers, "SELECT id, attempt FROM main.writers WHERE session = ?1 ORDER BY attempt, id", message);
  if (code == SQLITE_OK) {
    code = prepare(scan, &scan->chunks,
        "SELECT data, seq FROM main.chunks WHERE metric = ?1 AND writer = ?2 AND max_step >= ?3 AND min_step <= ?4 ORDER BY seq", message);
  }
  if (code == SQLITE_OK) {
    code = prepare(scan, &scan->deltas,
        "SELECT data, seq FROM main.deltas WHERE writer = ?2"
        " AND seq > coalesce((SELECT seq FROM main.folded WHERE metric = ?1 AND writer = ?2), 0) ORDER BY seq",
        message);
  }
  if (code != SQLITE_OK) return code;
  sqlite3_bind_int64(scan->writers, 1, scan->session);
  sqlite3_bind_int64(scan->chunks, 1, scan->metric);
  sqlite3_bind_int64(scan->chunks, 3, from);
  sqlite3_bind_int64(scan->chunks, 4, to);
  sqlite3_bind_int64(scan->deltas, 1, scan->metric);
  scan->stage = TMON_SCAN_WRITERS;
  return tmon_scan_next(scan, message);
}

static int decode(tmon_scan *scan, const void *data, size_t size) {
  size_t wanted = 0;
  int code = tmon_chunk_count(&wanted, data, size);
  if (code != TMON_OK) return code;
  if (wanted > scan->capacity) {
    tmon_point *grown = tmon_realloc(scan->points, wanted, sizeof *grown);
    if (grown == NULL) return TMON_ENOMEM;
    scan->points = grown;
    scan->capacity = wanted;
  }
  return tmon_chunk_decode(scan->points, scan->capacity, &scan->count, data, size);
}

/* The points of the row at hand of chunks or deltas. */
static int take_row(tmon_scan *scan, sqlite3_stmt *statement, char **message) {
  tmon_delta_entry entry = {0};
  const void *data = sqlite3_column_blob(statement, 0);
  int size = sqlite3_column_bytes(statement, 0);
  int code = TMON_OK;
  scan->count = scan->next = 0;
  if (statement == scan->deltas) {
    code = tmon_delta_find(data, (size_t)size, scan->metric, &entry);
    if (code == TMON_DONE) return SQLITE_OK;
    if (code == TMON_OK) code = decode(scan, entry.chunk, entry.size);
  } else {
    code = decode(scan, data, (size_t)size);
  }
  if (code == TMON_OK) return SQLITE_OK;
  scan->count = 0;
  if (code == TMON_ENOMEM) return SQLITE_NOMEM;
  *message = sqlite3_mprintf("trainmon_points: %s %lld of writer %lld is damaged: %s", statement == scan->deltas ? "delta" : "chunk",
      sqlite3_column_int64(statement, 1), scan->writer, tmon_error_message());
  return SQLITE_CORRUPT_VTAB;
}

static void next_writer(tmon_scan *scan) {
  scan->writer = sqlite3_column_int64(scan->writers, 0);
  scan->attempt = sqlite3_column_int64(scan->writers, 1);
  sqlite3_reset(scan->chunks);
  sqlite3_reset(scan->deltas);
  sqlite3_bind_int64(scan->chunks, 2, scan->writer);
  sqlite3_bind_int64(scan->deltas, 2, scan->writer);
}

static int next_row(tmon_scan *scan, char **message) {
  sqlite3_stmt *statement = scan->stage == TMON_SCAN_WRITERS ? scan->writers : scan->stage == TMON_SCAN_CHUNKS ? scan->chunks : scan->deltas;
  int code = sqlite3_step(statement);
  if (code == SQLITE_ROW && scan->stage != TMON_SCAN_WRITERS) return take_row(scan, statement, message);
  if (code == SQLITE_ROW) next_writer(scan);
  else if (code != SQLITE_DONE) return fail(scan, code, message);
  if (code == SQLITE_ROW) scan->stage = TMON_SCAN_CHUNKS;
  else if (scan->stage == TMON_SCAN_CHUNKS) scan->stage = TMON_SCAN_DELTAS;
  else scan->stage = scan->stage == TMON_SCAN_DELTAS ? TMON_SCAN_WRITERS : TMON_SCAN_END;
  return SQLITE_OK;
}

int tmon_scan_next(tmon_scan *scan, char **message) {
  scan->next += scan->count > 0;
  scan->number++;
  while (scan->stage != TMON_SCAN_END) {
    for (; scan->next < scan->count; scan->next++)
      if (scan->points[scan->next].step >= scan->from && scan->points[scan->next].step <= scan->to) return SQLITE_OK;
    int code = next_row(scan, message);
    if (code != SQLITE_OK) {
      scan->stage = TMON_SCAN_END;
      return code;
    }
  }
  return SQLITE_OK;
}

bool tmon_scan_at_end(const tmon_scan *scan) { return scan->stage == TMON_SCAN_END; }

void tmon_scan_close(tmon_scan *scan) {
  sqlite3_finalize(scan->writers);
  sqlite3_finalize(scan->chunks);
  sqlite3_finalize(scan->deltas);
  tmon_free(scan->points);
  *scan = (tmon_scan){.stage = TMON_SCAN_END};
}
