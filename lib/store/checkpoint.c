/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* When the WAL goes into the database: only here, and only under the store's lock. */
#include "store/driver.h"

static int note_frames(void *payload, sqlite3 *handle, const char *name, int frames) {
  (void)handle;
  (void)name;
  tmon_connection *connection = payload;
  connection->wal_frames = frames;
  return SQLITE_OK;
}

void tmon_checkpoint_watch(tmon_connection *connection) { sqlite3_wal_hook(connection->handle, note_frames, connection); }

/* PASSIVE waits for no reader: what a reader still needs stays for a later commit. A failure costs only a longer WAL, the commit stands. */
void tmon_checkpoint_after_commit(tmon_connection *connection) {
  if ((int64_t)connection->wal_frames * TMON_PAGE_BYTES <= TMON_CHECKPOINT_BYTES) return;
  int frames = 0;
  int moved = 0;
  sqlite3_wal_checkpoint_v2(connection->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &moved);
  connection->wal_frames = 0;
}

/* With the lock held the checkpoint of sqlite3_close is allowed: it runs only when no other connection exists, and then also removes the WAL,
 * so that a store at rest is one file that can be copied, or read from a folder that can't be written. */
void tmon_checkpoint_and_close(tmon_connection *connection) {
  sqlite3_busy_timeout(connection->handle, 0);
  sqlite3_wal_checkpoint_v2(connection->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  sqlite3_db_config(connection->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  tmon_connection_close(connection);
}
