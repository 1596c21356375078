/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the files of this room share: the SQLite side of a database. The only header that sees sqlite3.h.
 *
 * A connection is used by one thread at a time: the writer under write_mutex and the store's lock, a reader by the transaction that took it
 * from the pool. So SQLite's own mutexes are off (SQLITE_OPEN_NOMUTEX). Nothing here ever opens trainmon.db by itself: closing such a
 * descriptor would drop the POSIX locks of all SQLite connections in the process. SQLite takes its memory from its own allocator: the host program
 * may use the same shared library, so its configuration is not ours to set. */
#ifndef TRAINMON_STORE_DRIVER_H
#define TRAINMON_STORE_DRIVER_H
#include "store/store.h"

#include <sqlite3.h>
#include <stdatomic.h>

#define TMON_APPLICATION_ID 0x746D6F6E /* "tmon" */
#define TMON_SCHEMA_VERSION 1001       /* user_version: major * 1000 + minor. A newer minor only adds, and is opened */
#define TMON_PAGE_BYTES 16384
#define TMON_CHECKPOINT_BYTES (4 << 20)
#define TMON_POOL_READERS 8 /* idle reading connections that are kept */

extern const char tmon_sql_schema[];      /* schema.sql */
extern const char tmon_sql_schema_1001[]; /* schema_1001.sql */

struct tmon_row {
  sqlite3_stmt *statement;
  const char *sql; /* the literal: its address is the key */
  tmon_tx *tx;     /* the transaction that prepared it last */
  int error;       /* first failed binding, a SQLite code */
};

typedef struct tmon_connection {
  sqlite3 *handle;
  sqlite3_stmt *rollback; /* prepared: without memory a transaction must still end */
  tmon_row **rows;        /* open addressing by the address of the literal; capacity is 0 or a power of two */
  size_t row_count;
  size_t row_capacity;
  int wal_frames; /* as of the latest commit of this connection */
  int64_t data_version;
  int64_t stamp; /* what tmon_tx_data_version told last */
  struct tmon_connection *next;
} tmon_connection;

struct tmon_tx {
  tmon_db *db;
  tmon_connection *connection;
  bool write;
  int error; /* set: rolled back or doomed; every further step returns it */
  char message[200];
};

typedef enum tmon_access { TMON_ACCESS_WRITE, TMON_ACCESS_READ, TMON_ACCESS_IMMUTABLE } tmon_access;

typedef struct tmon_opened tmon_opened;

struct tmon_db {
  char *folder;
  char *path;      /* of trainmon.db */
  char *lock_path; /* of trainmon.lock; NULL when read-only */
  uint64_t device; /* of trainmon.db as it was opened */
  uint64_t inode;
  tmon_access access;
  const char *journal;
  int64_t schema_version;
  int64_t lock_timeout_us;
  int64_t pid;             /* of the process that opened it */
  tmon_opened *opened;     /* NULL until the file is open */
  tmon_mutex *write_mutex; /* guards writer, write_tx and lock; taken before the store's lock */
  tmon_lock lock;
  tmon_connection *writer; /* NULL when read-only */
  tmon_tx write_tx;
  tmon_mutex *pool_mutex; /* guards idle and idle_count */
  tmon_connection *idle;
  size_t idle_count;
  _Atomic int64_t stamp; /* relaxed: a source of distinct numbers only */
};

/* sqlite_error.c */
int tmon_sqlite_code(sqlite3 *handle, int result);                     /* a SQLite result as a tmon_error */
int tmon_sqlite_error(sqlite3 *handle, int result, const char *doing); /* the same with its text */
#ifdef __clang_analyzer__
/* As in util/error.h: a reported error is not TMON_OK. */
#define tmon_sqlite_error(handle, result, doing) (tmon_sqlite_error((handle), (result), (doing)), TMON_EIO)
#endif

/* connection.c */
int tmon_connection_open(tmon_connection **out, const tmon_db *db, bool write);
void tmon_connection_close(tmon_connection *connection); /* NULL is fine; no checkpoint */
void tmon_connection_reset(tmon_connection *connection); /* all statements */
int tmon_connection_run(tmon_connection *connection, const char *sql, const char *doing);
int tmon_connection_int(int64_t *out, tmon_connection *connection, const char *sql, const char *doing);

/* forked.c */
int tmon_opened_check(const char *path); /* TMON_EFORKED: open in the process that forked this one */
int tmon_opened_note(tmon_opened **out, const char *path);
void tmon_opened_strike(tmon_opened *opened); /* after the last connection is closed; NULL is fine */

/* lock.c: mutex of the process, then the lock of the store */
int tmon_db_lock(tmon_db *db, int64_t timeout_us);
void tmon_db_unlock(tmon_db *db);

/* db.c: TMON_ENOTFOUND when the database was deleted, moved or replaced since it was opened */
int tmon_db_check_place(const tmon_db *db);

/* checkpoint.c: all with the lock held */
void tmon_checkpoint_watch(tmon_connection *connection);
void tmon_checkpoint_after_commit(tmon_connection *connection);
void tmon_checkpoint_and_close(tmon_connection *connection);

/* migrate.c: with the lock held */
typedef struct tmon_migration {
  int64_t from;
  int64_t to;
  const char *sql;
  const char *done; /* a query that gives 1 where the step has been made without the number; NULL: none can have been */
} tmon_migration;
int tmon_schema_check(int64_t *version, tmon_connection *connection, const char *path);        /* reads only; version 0: empty */
int tmon_schema_check_columns(int64_t version, tmon_connection *connection, const char *path); /* TMON_EVERSION: only after a migration can it be read */
int tmon_schema_migrate(tmon_connection *connection, const tmon_migration *steps, size_t count, int64_t from, int64_t to);
int tmon_schema_prepare(tmon_db *db, bool network);
#endif
