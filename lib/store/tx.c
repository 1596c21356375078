/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Transactions: one writer under the lock, readers from a pool, each a snapshot.
 *
 * SQLite rolls some failures back by itself (full disk, I/O, memory). A statement that ran after that would commit on its own and outside the
 * lock, so the first such failure dooms the transaction: every later step and the commit return it. */
#include "store/driver.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"

#include <inttypes.h>

static int take_reader(tmon_connection **out, tmon_db *db) {
  tmon_mutex_lock(db->pool_mutex);
  tmon_connection *reader = db->idle;
  if (reader) {
    db->idle = reader->next;
    db->idle_count--;
  }
  tmon_mutex_unlock(db->pool_mutex);
  *out = reader;
  return reader ? TMON_OK : tmon_connection_open(out, db, false);
}

static void give_reader(tmon_db *db, tmon_connection *reader, bool sound) {
  tmon_mutex_lock(db->pool_mutex);
  bool kept = sound && db->idle_count < TMON_POOL_READERS;
  if (kept) {
    reader->next = db->idle;
    db->idle = reader;
    db->idle_count++;
  }
  tmon_mutex_unlock(db->pool_mutex);
  if (!kept) tmon_connection_close(reader);
}

static void roll_back(tmon_connection *connection) {
  tmon_connection_reset(connection);
  if (!sqlite3_get_autocommit(connection->handle)) sqlite3_step(connection->rollback);
  sqlite3_reset(connection->rollback);
}

static int milliseconds(int64_t us) {
  int64_t value = us / 1000;
  return value < 1 ? 1 : value > INT32_MAX ? INT32_MAX : (int)value;
}

static int begin_read(tmon_tx **out, tmon_db *db, int64_t timeout_us) {
  int result = tmon_db_check_place(db);
  if (result) return result;
  tmon_tx *tx = tmon_alloc_zero(1, sizeof *tx);
  if (!tx) return tmon_error_no_memory();
  tx->db = db;
  result = take_reader(&tx->connection, db);
  if (result) {
    tmon_free(tx);
    return result;
  }
  sqlite3_busy_timeout(tx->connection->handle, milliseconds(timeout_us));
  result = tmon_connection_run(tx->connection, "BEGIN", "beginning to read");
  /* BEGIN alone takes no snapshot; the first read does. */
  int64_t version = 0;
  if (!result) result = tmon_connection_int(&version, tx->connection, "PRAGMA schema_version", "beginning to read");
  if (result) {
    roll_back(tx->connection);
    give_reader(db, tx->connection, false);
    tmon_free(tx);
    return result;
  }
  *out = tx;
  return TMON_OK;
}

/* Another process may have brought the schema to a newer major version since this one opened it. */
static int check_version(tmon_tx *tx) {
  int64_t version = 0;
  int result = tmon_connection_int(&version, tx->connection, "PRAGMA user_version", "beginning to write");
  if (!result && version / 1000 != tx->db->schema_version / 1000)
    result = tmon_error_set(TMON_EVERSION, "the schema of %s is %" PRId64 " now, expected %" PRId64, tx->db->path, version, tx->db->schema_version);
  return result;
}

static int begin_write(tmon_tx **out, tmon_db *db, int64_t timeout_us) {
  int64_t end = tmon_clock_monotonic_us() + timeout_us;
  int result = tmon_db_check_writable(db);
  if (!result) result = tmon_db_check_place(db);
  if (!result) result = tmon_db_lock(db, timeout_us);
  if (result) return result;
  tmon_tx *tx = &db->write_tx;
  *tx = (tmon_tx){.db = db, .connection = db->writer, .write = true};
  sqlite3_busy_timeout(db->writer->handle, milliseconds(end - tmon_clock_monotonic_us()));
  roll_back(db->writer); /* does nothing, unless the last one could not be ended */
  result = tmon_connection_run(db->writer, "BEGIN IMMEDIATE", "beginning to write");
  if (!result) result = check_version(tx);
  if (result) {
    roll_back(db->writer);
    tmon_db_unlock(db);
    return result;
  }
  *out = tx;
  return TMON_OK;
}

int tmon_tx_begin(tmon_tx **out, tmon_db *db, bool write, int64_t timeout_us) {
  *out = NULL;
  if (db->pid != tmon_process_id()) return tmon_error_set(TMON_EFORKED, "the store was opened by process %" PRId64 ", before the fork", db->pid);
  if (timeout_us < 0) timeout_us = db->lock_timeout_us;
  return write ? begin_write(out, db, timeout_us) : begin_read(out, db, timeout_us);
}

/* In a forked child nothing of SQLite may be touched: the transaction is its parent's. */
static bool is_forked(tmon_tx *tx) {
  if (tx->db->pid == tmon_process_id()) return false;
  if (!tx->write) tmon_free(tx);
  return true;
}

static void end(tmon_tx *tx) {
  tmon_db *db = tx->db;
  if (tx->write) {
    tmon_db_unlock(db);
    return;
  }
  give_reader(db, tx->connection, tx->error == TMON_OK && sqlite3_get_autocommit(tx->connection->handle));
  tmon_free(tx);
}

int tmon_tx_commit(tmon_tx *tx) {
  if (is_forked(tx)) return tmon_error_set(TMON_EFORKED, "the transaction belongs to the parent process");
  int result = tx->error;
  if (result) {
    roll_back(tx->connection);
    tmon_error_set(result, "rolled back: %s", tx->message);
    end(tx);
    return result;
  }
  tmon_connection_reset(tx->connection);
  result = tmon_connection_run(tx->connection, "COMMIT", "committing");
  if (result) roll_back(tx->connection);
  else if (tx->write) {
    tx->connection->stamp = atomic_fetch_add_explicit(&tx->db->stamp, 1, memory_order_relaxed) + 1;
    tmon_checkpoint_after_commit(tx->connection);
  }
  if (result) tx->error = result;
  end(tx);
  return result;
}

void tmon_tx_abort(tmon_tx *tx) {
  if (!tx || is_forked(tx)) return;
  roll_back(tx->connection);
  end(tx);
}

int64_t tmon_tx_last_rowid(tmon_tx *tx) { return sqlite3_last_insert_rowid(tx->connection->handle); }

int64_t tmon_tx_changes(tmon_tx *tx) { return sqlite3_changes(tx->connection->handle); }

/* SQLite's number means something on one connection only, and readers come from a pool. So each connection holds a number that no other
 * holds, renewed when SQLite's changes: an equal number means an equal state, a different one that the state may have changed. */
int64_t tmon_tx_data_version(tmon_tx *tx) {
  tmon_connection *connection = tx->connection;
  int64_t version = 0;
  if (tmon_connection_int(&version, connection, "PRAGMA data_version", "reading data_version")) version = -1;
  if (!connection->stamp || version != connection->data_version || version < 0) {
    connection->data_version = version;
    connection->stamp = atomic_fetch_add_explicit(&tx->db->stamp, 1, memory_order_relaxed) + 1;
  }
  return connection->stamp;
}
