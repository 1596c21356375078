/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A copy of the database as one transaction sees it. */
#include "store/driver.h"
#include "util/error.h"

#define STEP_PAGES 64 /* 1 MiB */

static int run_steps(sqlite3_backup *backup, sqlite3 *to, int64_t page_bytes, tmon_copy_step *step, void *payload) {
  int result = SQLITE_OK;
  while (result == SQLITE_OK) {
    result = sqlite3_backup_step(backup, STEP_PAGES);
    if (result != SQLITE_OK && result != SQLITE_DONE) return tmon_sqlite_error(to, result, "copying the database");
    int told = step(payload, (sqlite3_backup_pagecount(backup) - sqlite3_backup_remaining(backup)) * page_bytes);
    if (told) return told;
  }
  return TMON_OK;
}

/* The open transaction of the source holds its snapshot from step to step, so that SQLite never begins again, however much others write. */
int tmon_tx_copy(tmon_tx *tx, const char *path, tmon_copy_step *step, void *payload) {
  sqlite3 *to = NULL;
  sqlite3_backup *backup = NULL;
  int64_t page_bytes = 0;
  if (tx->error) return tmon_error_set(tx->error, "rolled back: %s", tx->message);
  int result = tmon_connection_int(&page_bytes, tx->connection, "PRAGMA page_size", "copying the database");
  if (result) return result;
  int opened = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
  if (opened != SQLITE_OK) {
    result = tmon_sqlite_error(to, opened, "making the copy of the database");
    goto out;
  }
  sqlite3_extended_result_codes(to, 1);
  backup = sqlite3_backup_init(to, "main", tx->connection->handle, "main");
  if (!backup) {
    result = tmon_sqlite_error(to, sqlite3_errcode(to), "copying the database");
    goto out;
  }
  result = run_steps(backup, to, page_bytes, step, payload);
  /* Its result tells again what the step has told. */
  int finished = sqlite3_backup_finish(backup);
  if (!result && finished != SQLITE_OK) result = tmon_sqlite_error(to, finished, "copying the database");
out:
  sqlite3_close_v2(to);
  return result;
}
