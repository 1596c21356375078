/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* trainmon_points('session', 'key'): the packed points of a store as rows, for the sqlite3 shell and any program with SQLite. Only committed points: rings are
 * no part of the database. Everything of SQLite goes through the table of functions that the loading program hands over. */
#include "sqlext/scan.h"

#include "util/text.h"

#include <math.h>
#include <string.h>

SQLITE_EXTENSION_INIT1

enum { STEP, VALUE, TIME, TIME_US, ATTEMPT, WRITER, SESSION, KEY };
enum { HAS_SESSION = 1, HAS_KEY = 2, BOUNDS = 16 };

typedef struct points_table {
  sqlite3_vtab base;
  sqlite3 *db;
  bool *walking; /* of the connection: a walk asks the store's tables at this moment */
} points_table;

typedef struct points_cursor {
  sqlite3_vtab_cursor base;
  tmon_scan scan;
  sqlite3_value *arguments[2];
} points_cursor;

static int connect(sqlite3 *db, void *walking, int count, const char *const *arguments, sqlite3_vtab **out, char **message) {
  (void)count, (void)arguments, (void)message;
  int code = sqlite3_declare_vtab(
      db, "CREATE TABLE x (step INTEGER, value REAL, time TEXT, time_us INTEGER, attempt INTEGER, writer INTEGER, session TEXT HIDDEN, key TEXT HIDDEN)");
  if (code != SQLITE_OK) return code;
  points_table *table = sqlite3_malloc(sizeof *table);
  if (table == NULL) return SQLITE_NOMEM;
  memset(table, 0, sizeof *table);
  table->db = db;
  table->walking = walking;
  *out = &table->base;
  return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *base) {
  sqlite3_free(base);
  return SQLITE_OK;
}

/* The letter of a bound on step, 0: none that skips anything. */
static char letter(int op) {
  switch (op) {
  case SQLITE_INDEX_CONSTRAINT_EQ: return '=';
  case SQLITE_INDEX_CONSTRAINT_GT: return '>';
  case SQLITE_INDEX_CONSTRAINT_GE: return 'g';
  case SQLITE_INDEX_CONSTRAINT_LT: return '<';
  case SQLITE_INDEX_CONSTRAINT_LE: return 'l';
  default: return 0;
  }
}

/* idxStr says what each argument of `filter` is: s session, k key, else a bound on step. SQLite checks the bounds again, so they may be coarse. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *info) {
  char plan[BOUNDS + 3] = "";
  int used = 0;
  (void)base;
  info->estimatedCost = 1e6;
  info->estimatedRows = 1000000;
  for (int i = 0; i < info->nConstraint && used < BOUNDS + 2; i++) {
    const struct sqlite3_index_constraint *one = &info->aConstraint[i];
    bool argument = (one->iColumn == SESSION || one->iColumn == KEY) && one->op == SQLITE_INDEX_CONSTRAINT_EQ;
    int bit = one->iColumn == SESSION ? HAS_SESSION : HAS_KEY;
    if (argument && !one->usable) return SQLITE_CONSTRAINT; /* another order of the join gives it */
    if (argument && (info->idxNum & bit) == 0) {
      info->idxNum |= bit;
      plan[used++] = bit == HAS_SESSION ? 's' : 'k';
      info->aConstraintUsage[i].omit = 1;
    } else if (one->iColumn == STEP && one->usable && letter(one->op) != 0 && used < BOUNDS) {
      plan[used++] = letter(one->op);
      info->estimatedCost /= one->op == SQLITE_INDEX_CONSTRAINT_EQ ? 1000 : 4;
      info->estimatedRows /= one->op == SQLITE_INDEX_CONSTRAINT_EQ ? 1000 : 4;
    } else {
      continue;
    }
    info->aConstraintUsage[i].argvIndex = used;
  }
  info->idxStr = sqlite3_mprintf("%s", plan);
  info->needToFreeIdxStr = 1;
  return info->idxStr == NULL ? SQLITE_NOMEM : SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out) {
  (void)base;
  points_cursor *cursor = sqlite3_malloc(sizeof *cursor);
  if (cursor == NULL) return SQLITE_NOMEM;
  memset(cursor, 0, sizeof *cursor);
  cursor->scan.stage = TMON_SCAN_END;
  *out = &cursor->base;
  return SQLITE_OK;
}

static void clear(points_cursor *cursor) {
  tmon_scan_close(&cursor->scan);
  for (int i = 0; i < 2; i++) {
    sqlite3_value_free(cursor->arguments[i]);
    cursor->arguments[i] = NULL;
  }
}

static int close_cursor(sqlite3_vtab_cursor *base) {
  clear((points_cursor *)base);
  sqlite3_free(base);
  return SQLITE_OK;
}

/* Whole numbers, and others rounded outwards. False: it bounds nothing here. */
static bool bound(sqlite3_value *value, sqlite3_int64 *low, sqlite3_int64 *high) {
  if (sqlite3_value_type(value) == SQLITE_INTEGER) {
    *low = *high = sqlite3_value_int64(value);
    return true;
  }
  double number = sqlite3_value_double(value);
  if (sqlite3_value_type(value) != SQLITE_FLOAT || !(fabs(number) < 9e18)) return false;
  *low = (sqlite3_int64)floor(number);
  *high = (sqlite3_int64)ceil(number);
  return true;
}

static void narrow(char op, sqlite3_value *value, sqlite3_int64 *from, sqlite3_int64 *to) {
  sqlite3_int64 low = 0;
  sqlite3_int64 high = 0;
  if (!bound(value, &low, &high)) return;
  if (strchr("=>g", op) != NULL && low > *from) *from = low;
  if (strchr("=<l", op) != NULL && high < *to) *to = high;
}

static void say(sqlite3_vtab *table, char *message) {
  sqlite3_free(table->zErrMsg);
  table->zErrMsg = message;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *letters, int count, sqlite3_value **values) {
  points_cursor *cursor = (points_cursor *)base;
  points_table *table = (points_table *)base->pVtab;
  sqlite3_int64 from = INT64_MIN;
  sqlite3_int64 to = INT64_MAX;
  clear(cursor);
  if (plan != (HAS_SESSION | HAS_KEY)) {
    say(&table->base, sqlite3_mprintf("trainmon_points needs a session (id or name) and a key: trainmon_points('session', 'train/loss')"));
    return SQLITE_ERROR;
  }
  /* A view in the place of a table, which asks trainmon_points in turn, would go on until the stack ends. */
  if (*table->walking) {
    say(&table->base, sqlite3_mprintf("the store asks trainmon_points for what trainmon_points reads"));
    return SQLITE_ERROR;
  }
  for (int i = 0; i < count; i++) {
    if (letters[i] != 's' && letters[i] != 'k') {
      narrow(letters[i], values[i], &from, &to);
      continue;
    }
    sqlite3_value **argument = &cursor->arguments[letters[i] == 'k'];
    if ((*argument = sqlite3_value_dup(values[i])) == NULL) return SQLITE_NOMEM;
  }
  const char *session = (const char *)sqlite3_value_text(cursor->arguments[0]);
  const char *key = (const char *)sqlite3_value_text(cursor->arguments[1]);
  if (session == NULL || key == NULL) return SQLITE_OK; /* NULL equals nothing */
  char *message = NULL;
  *table->walking = true;
  int code = tmon_scan_open(&cursor->scan, table->db, session, key, from, to, &message);
  *table->walking = false;
  if (message != NULL) say(&table->base, message);
  return code;
}

static int next(sqlite3_vtab_cursor *base) {
  points_cursor *cursor = (points_cursor *)base;
  bool *walking = ((points_table *)base->pVtab)->walking;
  char *message = NULL;
  *walking = true;
  int code = tmon_scan_next(&cursor->scan, &message);
  *walking = false;
  if (message != NULL) say(base->pVtab, message);
  return code;
}

static int at_end(sqlite3_vtab_cursor *base) { return tmon_scan_at_end(&((points_cursor *)base)->scan); }

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index) {
  const points_cursor *cursor = (const points_cursor *)base;
  const tmon_scan *scan = &cursor->scan;
  const tmon_point *point = &scan->points[scan->next];
  char time[TMON_ISO_TIME_BYTES];
  switch (index) {
  case STEP: sqlite3_result_int64(context, point->step); break;
  case VALUE: sqlite3_result_double(context, point->value); break; /* NaN becomes NULL */
  case TIME:
    tmon_text_from_time(time, point->time);
    sqlite3_result_text(context, time, -1, SQLITE_TRANSIENT);
    break;
  case TIME_US: sqlite3_result_int64(context, point->time); break;
  case ATTEMPT: sqlite3_result_int64(context, scan->attempt); break;
  case WRITER: sqlite3_result_int64(context, scan->writer); break;
  default: sqlite3_result_value(context, cursor->arguments[index == KEY]); break;
  }
  return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out) {
  *out = ((points_cursor *)base)->scan.number;
  return SQLITE_OK;
}

/* No xCreate: the table is there without CREATE VIRTUAL TABLE, and no database can hold one. */
static sqlite3_module module = {.xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = at_end,
    .xColumn = column,
    .xRowid = rowid};

int sqlite3_trainmonsqlite_init(sqlite3 *db, char **message, const sqlite3_api_routines *api);

__attribute__((visibility("default"))) int sqlite3_trainmonsqlite_init(sqlite3 *db, char **message, const sqlite3_api_routines *api) {
  SQLITE_EXTENSION_INIT2(api)
  if (sqlite3_libversion_number() < 3037000) {
    *message = sqlite3_mprintf("trainmon_sqlite needs SQLite 3.37, this is %s", sqlite3_libversion());
    return SQLITE_ERROR;
  }
  bool *walking = sqlite3_malloc(sizeof *walking);
  if (walking == NULL) return SQLITE_NOMEM;
  *walking = false;
  return sqlite3_create_module_v2(db, "trainmon_points", &module, walking, sqlite3_free); /* frees it also when it fails */
}
