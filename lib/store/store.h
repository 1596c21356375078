/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The database of a store: connection, lock, transactions, and the rows that the rooms above read and write. */
#ifndef TRAINMON_STORE_STORE_H
#define TRAINMON_STORE_STORE_H
#include "trainmon/record.h"
#include "util/buffer.h"
#include "util/os.h"

/* One open database: one writing connection behind a mutex and the store's lock, and a pool of reading ones. Not usable in a forked child. */
typedef struct tmon_db tmon_db;
int tmon_db_open(tmon_db **out, const char *folder, bool read_only, bool must_exist, int64_t lock_timeout_us);
void tmon_db_close(tmon_db *db);
void tmon_db_forget(tmon_db *db); /* in a forked child: plain close of the lock's descriptor, no SQLite call */
const char *tmon_db_folder(const tmon_db *db);
const char *tmon_db_journal(const tmon_db *db);
bool tmon_db_is_read_only(const tmon_db *db);
int tmon_db_check_writable(const tmon_db *db); /* TMON_EREADONLY */
int64_t tmon_db_schema_version(const tmon_db *db);

/* A transaction: statements run inside it. A write transaction holds the store's lock; a read one is a snapshot. */
typedef struct tmon_tx tmon_tx;
int tmon_tx_begin(tmon_tx **out, tmon_db *db, bool write, int64_t timeout_us); /* timeout: wait for mutex and lock; < 0: the db's own. TMON_EBUSY */
int tmon_tx_commit(tmon_tx *tx);                                               /* frees it in any case; an error means rolled back */
void tmon_tx_abort(tmon_tx *tx);                                               /* NULL is fine */

/* Writes what the transaction sees into a new database at `path`, in pieces; `step` is told how many bytes are done, and ends it by anything but TMON_OK. */
typedef int tmon_copy_step(void *payload, int64_t bytes);
int tmon_tx_copy(tmon_tx *tx, const char *path, tmon_copy_step *step, void *payload);

/* A statement: prepared once a connection and kept (keyed by the address of `sql`, a literal). */
typedef struct tmon_row tmon_row;
int tmon_tx_prepare(tmon_row **out, tmon_tx *tx, const char *sql);      /* resets and clears bindings; not nested with itself */
int tmon_tx_prepare_once(tmon_row **out, tmon_tx *tx, const char *sql); /* text made at run time: not kept; tmon_row_free before the transaction ends */
void tmon_row_free(tmon_row *row);                                      /* of tmon_tx_prepare_once; NULL is fine */
void tmon_bind_int(tmon_row *row, int index, int64_t value);            /* index from 1; errors stick and come out of step */
void tmon_bind_double(tmon_row *row, int index, double value);          /* NaN binds NULL */
void tmon_bind_text(tmon_row *row, int index, const char *text);        /* NULL binds NULL; borrowed until the step */
void tmon_bind_blob(tmon_row *row, int index, const void *data, size_t size);
void tmon_bind_null(tmon_row *row, int index);
int tmon_row_step(tmon_row *row); /* TMON_OK: a row; TMON_DONE; or an error */
int tmon_row_run(tmon_row *row);  /* steps to the end, then resets: TMON_OK or an error */
void tmon_row_reset(tmon_row *row);
bool tmon_row_is_null(tmon_row *row, int column); /* column from 0 */
int64_t tmon_row_int(tmon_row *row, int column);
double tmon_row_double(tmon_row *row, int column);    /* NULL reads NaN */
const char *tmon_row_text(tmon_row *row, int column); /* NULL reads NULL; until the next step */
const void *tmon_row_blob(tmon_row *row, int column, size_t *size);
int64_t tmon_tx_last_rowid(tmon_tx *tx);
int64_t tmon_tx_changes(tmon_tx *tx);
int64_t tmon_tx_data_version(tmon_tx *tx); /* PRAGMA data_version */
#endif
