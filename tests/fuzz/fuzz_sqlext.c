/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fuzz target of trainmon_points: its arguments, bounds on step, and what the rows of chunks and deltas hold, through SQLite itself.
 *
 * Input: a byte that picks the question and where the bytes go, one that picks types, eight of a bound, a line with the session, a line with the key, then
 * what is stored. The tables are in memory and have no types: a hostile file keeps to none either. */
#include "series/chunk.h"
#include "trainmon/error.h"

#include <sqlite3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int sqlite3_trainmonsqlite_init(sqlite3 *db, char **message, const void *api);

enum { HEAD = 10, SESSION_PARAMETER = 1, KEY_PARAMETER, BOUND_PARAMETER, BLOB = 0, TEXT, NOTHING, NUMBER, METRIC = 1 };

typedef struct text {
  const char *at;
  int length;
} text;

typedef struct input {
  unsigned question;
  bool delta;
  unsigned kind;          /* of what is stored */
  unsigned argument_kind; /* of session and key */
  unsigned bound_kind;
  uint8_t bound[8];
  text session;
  text key;
  text stored;
} input;

/* Twice each: as asked, and so that the bound can't be used to skip anything. */
static const char *const questions[][2] = {
    {"step = ?3", "CAST(step AS INTEGER) = ?3"},
    {"step > ?3", "CAST(step AS INTEGER) > ?3"},
    {"step >= ?3", "CAST(step AS INTEGER) >= ?3"},
    {"step < ?3", "CAST(step AS INTEGER) < ?3"},
    {"step <= ?3", "CAST(step AS INTEGER) <= ?3"},
    {"step IN (?3, 5, -1)", "CAST(step AS INTEGER) IN (?3, 5, -1)"},
    {"step BETWEEN ?3 AND 1000 AND step < 900", "CAST(step AS INTEGER) BETWEEN ?3 AND 1000 AND CAST(step AS INTEGER) < 900"},
    {"step IS ?3", "CAST(step AS INTEGER) IS ?3"},
};

static tmon_point points[TMON_CHUNK_POINTS_MAXIMUM];

static void require(bool truth) {
  if (!truth) abort();
}

static sqlite3 *store(void) {
  static sqlite3 *db;
  if (db != NULL) return db;
  require(sqlite3_auto_extension((void (*)(void))sqlite3_trainmonsqlite_init) == SQLITE_OK);
  require(sqlite3_open(":memory:", &db) == SQLITE_OK);
  require(sqlite3_exec(db,
              "CREATE TABLE training_sessions (id, session_name, key); CREATE TABLE metric_keys (id, session, key);"
              "CREATE TABLE writers (id, session, attempt); CREATE TABLE folded (metric, writer, seq);"
              "CREATE TABLE chunks (metric, writer, seq, min_step, max_step, data); CREATE TABLE deltas (writer, seq, data);"
              "INSERT INTO training_sessions VALUES ('a', 'name', 1), ('b', 'twice', 2), ('c', 'twice', 3);"
              "INSERT INTO metric_keys VALUES (1, 1, 'k'); INSERT INTO writers VALUES (1, 1, 1), (2, 1, 1);",
              NULL, NULL, NULL) == SQLITE_OK);
  return db;
}

static text line(const uint8_t **data, size_t *size) {
  const uint8_t *end = *size > 0 ? memchr(*data, '\n', *size) : NULL;
  size_t length = end != NULL ? (size_t)(end - *data) : *size;
  text out = {(const char *)*data, (int)length};
  *data += length + (end != NULL);
  *size -= length + (end != NULL);
  return out;
}

static input read_input(const uint8_t *data, size_t size) {
  input in = {
      .question = data[0] & 7, .delta = (data[0] & 8) != 0, .kind = data[0] >> 4 & 3, .argument_kind = data[1] & 3, .bound_kind = data[1] >> 2 & 3};
  memcpy(in.bound, data + 2, sizeof in.bound);
  data += HEAD;
  size -= HEAD;
  in.session = line(&data, &size);
  in.key = line(&data, &size);
  in.stored = (text){(const char *)data, (int)size};
  return in;
}

static void bind(sqlite3_stmt *statement, int at, unsigned kind, text value) {
  if (sqlite3_bind_parameter_count(statement) < at) return;
  switch (kind) {
  case TEXT: require(sqlite3_bind_text(statement, at, value.at, value.length, SQLITE_STATIC) == SQLITE_OK); break;
  case BLOB: require(sqlite3_bind_blob(statement, at, value.length > 0 ? value.at : "", value.length, SQLITE_STATIC) == SQLITE_OK); break;
  case NUMBER: require(sqlite3_bind_int(statement, at, value.length) == SQLITE_OK); break;
  default: break; /* NULL */
  }
}

static void bind_bound(sqlite3_stmt *statement, const input *in) {
  sqlite3_int64 whole;
  double real;
  if (sqlite3_bind_parameter_count(statement) < BOUND_PARAMETER) return;
  memcpy(&whole, in->bound, sizeof whole);
  memcpy(&real, in->bound, sizeof real);
  if (in->bound_kind == NUMBER) require(sqlite3_bind_int64(statement, BOUND_PARAMETER, whole) == SQLITE_OK);
  else if (in->bound_kind == BLOB) require(sqlite3_bind_double(statement, BOUND_PARAMETER, real) == SQLITE_OK);
  else bind(statement, BOUND_PARAMETER, in->bound_kind, (text){(const char *)in->bound, sizeof in->bound});
}

static void put(const input *in) {
  sqlite3_stmt *statement = NULL;
  const char *sql =
      in->delta ? "INSERT INTO deltas VALUES (1, 1, ?1)" : "INSERT INTO chunks VALUES (1, 1, 1, -9223372036854775808, 9223372036854775807, ?1)";
  require(sqlite3_exec(store(), "DELETE FROM chunks; DELETE FROM deltas", NULL, NULL, NULL) == SQLITE_OK);
  require(sqlite3_prepare_v2(store(), sql, -1, &statement, NULL) == SQLITE_OK);
  bind(statement, 1, in->kind, in->stored);
  require(sqlite3_step(statement) == SQLITE_DONE);
  sqlite3_finalize(statement);
}

/* The code of the question, its rows in `count`, and what its last row says in `figures`. */
static int ask(const input *in, const char *where, sqlite3_int64 *count, double *figures) {
  sqlite3_stmt *statement = NULL;
  char *sql = sqlite3_mprintf(where == NULL ? "SELECT * , rowid, session, key FROM trainmon_points(?1, ?2)%s"
                                            : "SELECT count(*), total(step), total(time_us) FROM trainmon_points(?1, ?2) WHERE %s",
      where == NULL ? "" : where);
  require(sql != NULL && sqlite3_prepare_v2(store(), sql, -1, &statement, NULL) == SQLITE_OK);
  sqlite3_free(sql);
  unsigned kind = in->argument_kind == BLOB ? TEXT : in->argument_kind == TEXT ? BLOB : in->argument_kind; /* text when nothing else is said */
  bind(statement, SESSION_PARAMETER, kind, in->session);
  bind(statement, KEY_PARAMETER, kind, in->key);
  bind_bound(statement, in);
  int code;
  *count = 0;
  while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    (*count)++;
    for (int i = 0; i < sqlite3_column_count(statement); i++) (void)sqlite3_column_text(statement, i);
    for (int i = 0; figures != NULL && i < 3; i++) figures[i] = sqlite3_column_double(statement, i);
  }
  sqlite3_finalize(statement);
  return code;
}

static bool is(text value, const char *wanted) { return (size_t)value.length == strlen(wanted) && memcmp(value.at, wanted, (size_t)value.length) == 0; }

/* What is stored is that many rows, or an error: as the decoders say that the library itself uses. */
static void compare(const input *in, int code, sqlite3_int64 count) {
  size_t wanted = 0;
  tmon_delta_entry entry = {.chunk = (const uint8_t *)in->stored.at, .size = (size_t)in->stored.length};
  int found = in->delta ? tmon_delta_find((const uint8_t *)in->stored.at, (size_t)in->stored.length, METRIC, &entry) : TMON_OK;
  if (found == TMON_OK) found = tmon_chunk_decode(points, TMON_CHUNK_POINTS_MAXIMUM, &wanted, entry.chunk, entry.size);
  require(found == TMON_OK || found == TMON_DONE ? code == SQLITE_DONE && count == (sqlite3_int64)wanted
                                                 : code == SQLITE_CORRUPT_VTAB || code == SQLITE_CORRUPT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  sqlite3_int64 count = 0;
  double figures[2][3] = {0};
  if (size < HEAD) return 0;
  input in = read_input(data, size);
  put(&in);
  int code = ask(&in, NULL, &count, NULL);
  if (in.argument_kind == BLOB && in.kind == BLOB && (is(in.session, "a") || is(in.session, "name")) && is(in.key, "k")) compare(&in, code, count);
  /* A bound skips only what it excludes. */
  if (ask(&in, questions[in.question][1], &count, figures[1]) == SQLITE_DONE) {
    require(ask(&in, questions[in.question][0], &count, figures[0]) == SQLITE_DONE);
    require(memcmp(figures[0], figures[1], sizeof figures[0]) == 0);
  } else {
    (void)ask(&in, questions[in.question][0], &count, figures[0]);
  }
  return 0;
}
