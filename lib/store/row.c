/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Statements: prepared once a connection and found again by the address of their literal; bindings; columns. */
#include "store/driver.h"
#include "util/alloc.h"
#include "util/error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static size_t slot_of(const tmon_connection *connection, const char *sql) {
  uint64_t hash = (uint64_t)(uintptr_t)sql * UINT64_C(0x9E3779B97F4A7C15);
  size_t slot = (size_t)(hash >> 32) & (connection->row_capacity - 1);
  while (connection->rows[slot] && connection->rows[slot]->sql != sql) slot = (slot + 1) & (connection->row_capacity - 1);
  return slot;
}

static int make_room(tmon_connection *connection) {
  if (connection->row_count * 2 < connection->row_capacity) return TMON_OK;
  size_t capacity = connection->row_capacity ? connection->row_capacity * 2 : 64;
  tmon_row **larger = tmon_alloc_zero(capacity, sizeof *larger);
  if (!larger) return tmon_error_no_memory();
  tmon_row **old = connection->rows;
  size_t old_capacity = connection->row_capacity;
  connection->rows = larger;
  connection->row_capacity = capacity;
  for (size_t i = 0; i < old_capacity; i++)
    if (old[i]) larger[slot_of(connection, old[i]->sql)] = old[i];
  tmon_free(old);
  return TMON_OK;
}

static int make_row(tmon_row **out, tmon_connection *connection, const char *sql, unsigned flags) {
  tmon_row *row = tmon_alloc_zero(1, sizeof *row);
  if (!row) return tmon_error_no_memory();
  row->sql = sql;
  int prepared = sqlite3_prepare_v3(connection->handle, sql, -1, flags, &row->statement, NULL);
  if (prepared != SQLITE_OK || !row->statement) {
    int result = prepared == SQLITE_OK ? tmon_error_set(TMON_EINVAL, "the statement is empty")
                                       : tmon_sqlite_error(connection->handle, prepared, "preparing a statement");
    tmon_free(row);
    return result;
  }
  *out = row;
  return TMON_OK;
}

static int add_row(tmon_row **out, tmon_connection *connection, const char *sql) {
  tmon_row *row = NULL;
  int result = make_room(connection);
  if (!result) result = make_row(&row, connection, sql, SQLITE_PREPARE_PERSISTENT);
  if (result) return result;
  connection->rows[slot_of(connection, sql)] = row;
  connection->row_count++;
  *out = row;
  return TMON_OK;
}

int tmon_tx_prepare(tmon_row **out, tmon_tx *tx, const char *sql) {
  tmon_connection *connection = tx->connection;
  tmon_row *row = connection->row_capacity ? connection->rows[slot_of(connection, sql)] : NULL;
  *out = NULL;
  if (tx->error) return tmon_error_set(tx->error, "rolled back: %s", tx->message);
  if (row) {
    tmon_row_reset(row);
  } else {
    int result = add_row(&row, connection, sql);
    if (result) return result;
  }
  row->tx = tx;
  *out = row;
  return TMON_OK;
}

int tmon_tx_prepare_once(tmon_row **out, tmon_tx *tx, const char *sql) {
  *out = NULL;
  if (tx->error) return tmon_error_set(tx->error, "rolled back: %s", tx->message);
  int result = make_row(out, tx->connection, sql, 0);
  if (result) return result;
  (*out)->sql = NULL; /* the caller's text need not last */
  (*out)->tx = tx;
  return TMON_OK;
}

void tmon_row_free(tmon_row *row) {
  if (!row) return;
  sqlite3_finalize(row->statement);
  tmon_free(row);
}

static void note(tmon_row *row, int result) {
  if (result != SQLITE_OK && !row->error) row->error = result;
}

void tmon_bind_int(tmon_row *row, int index, int64_t value) { note(row, sqlite3_bind_int64(row->statement, index, value)); }

void tmon_bind_double(tmon_row *row, int index, double value) {
  note(row, isnan(value) ? sqlite3_bind_null(row->statement, index) : sqlite3_bind_double(row->statement, index, value));
}

void tmon_bind_text(tmon_row *row, int index, const char *text) {
  note(row, text ? sqlite3_bind_text64(row->statement, index, text, strlen(text), SQLITE_STATIC, SQLITE_UTF8) : sqlite3_bind_null(row->statement, index));
}

void tmon_bind_blob(tmon_row *row, int index, const void *data, size_t size) {
  /* An empty blob is no NULL, whatever `data` is. */
  note(row, size ? sqlite3_bind_blob64(row->statement, index, data, size, SQLITE_STATIC) : sqlite3_bind_zeroblob(row->statement, index, 0));
}

void tmon_bind_null(tmon_row *row, int index) { note(row, sqlite3_bind_null(row->statement, index)); }

/* What one statement alone got wrong leaves the transaction as it was; anything else dooms it. */
static bool is_harmless(int code) { return code == TMON_EEXISTS || code == TMON_EINVAL || code == TMON_ELIMIT; }

static int fail(tmon_row *row, int result) {
  tmon_tx *tx = row->tx;
  sqlite3 *handle = tx->connection->handle;
  int code = tmon_sqlite_error(handle, result, tx->write ? "writing to the database" : "reading the database");
  bool ended = sqlite3_get_autocommit(handle);
  sqlite3_reset(row->statement);
  if (ended || !is_harmless(code)) {
    tx->error = code;
    snprintf(tx->message, sizeof tx->message, "%s", tmon_error_message());
  }
  return code;
}

int tmon_row_step(tmon_row *row) {
  tmon_tx *tx = row->tx;
  if (tx->error) return tmon_error_set(tx->error, "rolled back: %s", tx->message);
  if (row->error) return tmon_error_set(tmon_sqlite_code(NULL, row->error), "binding a value: %s", sqlite3_errstr(row->error));
  int result = sqlite3_step(row->statement);
  if (result == SQLITE_ROW) return TMON_OK;
  if (result != SQLITE_DONE) return fail(row, result);
  /* A further step would run the statement again, and an open one would hold its snapshot. */
  sqlite3_reset(row->statement);
  return TMON_DONE;
}

int tmon_row_run(tmon_row *row) {
  int result = TMON_OK;
  while (result == TMON_OK) result = tmon_row_step(row);
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

void tmon_row_reset(tmon_row *row) {
  sqlite3_reset(row->statement);
  sqlite3_clear_bindings(row->statement);
  row->error = SQLITE_OK;
}

bool tmon_row_is_null(tmon_row *row, int column) { return sqlite3_column_type(row->statement, column) == SQLITE_NULL; }

int64_t tmon_row_int(tmon_row *row, int column) { return sqlite3_column_int64(row->statement, column); }

double tmon_row_double(tmon_row *row, int column) { return tmon_row_is_null(row, column) ? (double)NAN : sqlite3_column_double(row->statement, column); }

const char *tmon_row_text(tmon_row *row, int column) { return (const char *)sqlite3_column_text(row->statement, column); }

const void *tmon_row_blob(tmon_row *row, int column, size_t *size) {
  const void *data = sqlite3_column_blob(row->statement, column);
  *size = (size_t)sqlite3_column_bytes(row->statement, column);
  return data;
}
