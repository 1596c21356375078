/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One SQLite connection: how it is opened and set, and how it ends. */
#include "store/driver.h"
#include "util/alloc.h"
#include "util/error.h"

#include <string.h>

/* None of these reads or writes the file. */
static const char settings[] =
    "PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA mmap_size = 0; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;";

/* The path as a file: URI, so that "immutable" can be said; everything that may mean something in a URI is escaped. */
static int make_uri(tmon_buffer *out, const char *path, tmon_access access) {
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  tmon_buffer_append_text(out, "file:");
  for (const char *at = path; *at; at++) {
    if (strchr(plain, *at)) tmon_buffer_append(out, at, 1);
    else tmon_buffer_append_format(out, "%%%02X", (unsigned)(unsigned char)*at);
  }
  if (access == TMON_ACCESS_IMMUTABLE) tmon_buffer_append_text(out, "?immutable=1");
  else if (access == TMON_ACCESS_READ) tmon_buffer_append_text(out, "?mode=ro");
  return out->error ? tmon_error_no_memory() : TMON_OK;
}

static int set_up(tmon_connection *connection, const tmon_db *db, bool write) {
  sqlite3 *handle = connection->handle;
  /* A checkpoint on close would run outside the store's lock. */
  sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
  sqlite3_wal_autocheckpoint(handle, 0);
  sqlite3_busy_timeout(handle, (int)(db->lock_timeout_us / 1000));
  int result = tmon_connection_run(connection, settings, "setting up the connection");
  int prepared = result ? SQLITE_OK : sqlite3_prepare_v3(handle, "ROLLBACK", -1, SQLITE_PREPARE_PERSISTENT, &connection->rollback, NULL);
  if (prepared != SQLITE_OK) result = tmon_sqlite_error(handle, prepared, "setting up the connection");
  if (!result && !write) result = tmon_connection_run(connection, "PRAGMA query_only = ON", "setting up the connection");
  if (!result && write) tmon_checkpoint_watch(connection);
  return result;
}

int tmon_connection_open(tmon_connection **out, const tmon_db *db, bool write) {
  *out = NULL;
  if (!sqlite3_threadsafe()) return tmon_error_set(TMON_EUNSUPPORTED, "the SQLite library was built without threads");
  tmon_buffer uri;
  tmon_buffer_init(&uri, 65536);
  int result = make_uri(&uri, db->path, db->access);
  tmon_connection *connection = result ? NULL : tmon_alloc_zero(1, sizeof *connection);
  if (!connection) {
    result = tmon_error_no_memory();
    goto out;
  }
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
  flags |= db->access == TMON_ACCESS_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  if (write) flags |= SQLITE_OPEN_CREATE;
  int opened = sqlite3_open_v2((const char *)uri.data, &connection->handle, flags, NULL);
  if (opened != SQLITE_OK) {
    result = tmon_sqlite_error(connection->handle, opened, "opening trainmon.db");
    goto out;
  }
  sqlite3_extended_result_codes(connection->handle, 1);
  result = set_up(connection, db, write);
out:
  tmon_buffer_free(&uri);
  if (result) {
    tmon_connection_close(connection);
    connection = NULL;
  }
  *out = connection;
  return result;
}

void tmon_connection_close(tmon_connection *connection) {
  if (!connection) return;
  for (size_t i = 0; i < connection->row_capacity; i++) {
    if (!connection->rows[i]) continue;
    sqlite3_finalize(connection->rows[i]->statement);
    tmon_free(connection->rows[i]);
  }
  tmon_free(connection->rows);
  sqlite3_finalize(connection->rollback);
  sqlite3_close_v2(connection->handle);
  tmon_free(connection);
}

void tmon_connection_reset(tmon_connection *connection) {
  for (size_t i = 0; i < connection->row_capacity; i++)
    if (connection->rows[i]) tmon_row_reset(connection->rows[i]);
}

int tmon_connection_run(tmon_connection *connection, const char *sql, const char *doing) {
  int result = sqlite3_exec(connection->handle, sql, NULL, NULL, NULL);
  return result == SQLITE_OK ? TMON_OK : tmon_sqlite_error(connection->handle, result, doing);
}

int tmon_connection_int(int64_t *out, tmon_connection *connection, const char *sql, const char *doing) {
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2(connection->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  if (result == SQLITE_ROW) {
    *out = sqlite3_column_int64(statement, 0);
    result = SQLITE_OK;
  } else if (result == SQLITE_DONE) {
    *out = 0;
    result = SQLITE_OK;
  }
  int code = result == SQLITE_OK ? TMON_OK : tmon_sqlite_error(connection->handle, result, doing);
  sqlite3_finalize(statement);
  return code;
}
