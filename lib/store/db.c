/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A database: opening the folder, the ways in which it can be had, and the end. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "store/driver.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/file.h"

#include <string.h>
#include <sys/stat.h>

static int64_t size_of(const char *path, const char *suffix) {
  tmon_buffer name;
  tmon_buffer_init(&name, 65536);
  tmon_buffer_append_text(&name, path);
  tmon_buffer_append_text(&name, suffix);
  struct stat status;
  int64_t size = !name.error && stat((const char *)name.data, &status) == 0 ? (int64_t)status.st_size : -1;
  tmon_buffer_free(&name);
  return size;
}

static int make_handle(tmon_db **out, const char *folder, int64_t lock_timeout_us) {
  tmon_db *db = tmon_alloc_zero(1, sizeof *db);
  *out = db;
  if (!db) return tmon_error_no_memory();
  db->lock.fd = -1;
  db->pid = tmon_process_id();
  db->lock_timeout_us = lock_timeout_us > 0 ? lock_timeout_us : 0;
  db->journal = "wal";
  int result = tmon_path_absolute(&db->folder, folder);
  if (result) return result;
  db->path = tmon_path_join(db->folder, "trainmon.db");
  if (!db->path) return tmon_error_no_memory();
  result = tmon_mutex_make(&db->write_mutex);
  return result ? result : tmon_mutex_make(&db->pool_mutex);
}

static int look_for(const tmon_db *db, bool create) {
  struct stat status;
  /* SQLite would keep the WAL beside the target, where nothing here looks for it. */
  if (lstat(db->path, &status) == 0 && S_ISLNK(status.st_mode))
    return tmon_error_set(TMON_EINVAL, "%s is a symbolic link, a file was expected: open the folder of its target, or link the folder", db->path);
  if (tmon_file_exists(db->path)) return TMON_OK;
  if (!create) return tmon_error_set(TMON_ENOTFOUND, "there is no store at %s", db->folder);
  return tmon_folder_make(db->folder);
}

static int open_writing(tmon_db *db) {
  db->lock_path = tmon_path_join(db->folder, "trainmon.lock");
  if (!db->lock_path) return tmon_error_no_memory();
  int result = tmon_db_lock(db, db->lock_timeout_us);
  if (result) return result;
  result = tmon_connection_open(&db->writer, db, true);
  if (!result && sqlite3_db_readonly(db->writer->handle, "main") == 1) result = tmon_error_set(TMON_EREADONLY, "%s can't be written", db->path);
  if (!result) result = tmon_schema_prepare(db, tmon_folder_is_network(db->folder));
  tmon_db_unlock(db);
  return result;
}

/* By stat alone: opening the file and closing it again would drop SQLite's locks. Without this check a writer would go on in a file that nobody finds, and
 * its close would remove the WAL of the database that stands there now. */
int tmon_db_check_place(const tmon_db *db) {
  uint64_t device = 0;
  uint64_t inode = 0;
  if (tmon_file_identity(db->path, &device, &inode) == TMON_OK && device == db->device && inode == db->inode) return TMON_OK;
  return tmon_error_set(TMON_ENOTFOUND, "%s was deleted, moved or replaced since it was opened; open the store again", db->path);
}

static int open_reader_checked(tmon_db *db) {
  tmon_connection *reader = NULL;
  int result = tmon_connection_open(&reader, db, false);
  if (!result) result = tmon_schema_check(&db->schema_version, reader, db->path);
  if (!result && db->schema_version == 0) result = tmon_error_set(TMON_ENOTFOUND, "there is no store at %s: the database is empty", db->folder);
  if (!result) result = tmon_schema_check_columns(db->schema_version, reader, db->path);
  if (result) {
    tmon_connection_close(reader);
    return result;
  }
  db->idle = reader;
  db->idle_count = 1;
  return TMON_OK;
}

/* Without a WAL no writer lives, so in a folder where none could be made the file is read as it is. With one, its index must be mapped; where
 * that can't be had and the WAL is empty, the file is whole by itself. */
static int open_reading(tmon_db *db, bool writable) {
  int64_t wal = size_of(db->path, "-wal");
  db->access = !writable && wal < 0 ? TMON_ACCESS_IMMUTABLE : TMON_ACCESS_READ;
  int result = open_reader_checked(db);
  if (result && !writable && wal == 0 && result != TMON_EVERSION && result != TMON_ECORRUPT && result != TMON_ENOMEM) {
    db->access = TMON_ACCESS_IMMUTABLE;
    result = open_reader_checked(db);
  }
  if (db->access == TMON_ACCESS_IMMUTABLE) db->journal = "immutable";
  else if (tmon_folder_is_network(db->folder)) db->journal = "delete";
  return result;
}

int tmon_db_open(tmon_db **out, const char *folder, bool read_only, bool must_exist, int64_t lock_timeout_us) {
  *out = NULL;
  if (!folder || !*folder) return tmon_error_set(TMON_EINVAL, "the folder of the store is empty");
  tmon_db *db = NULL;
  int result = make_handle(&db, folder, lock_timeout_us);
  if (!result) result = look_for(db, !read_only && !must_exist);
  if (!result) result = tmon_opened_check(db->path);
  if (result) goto out;
  bool writable = tmon_folder_is_writable(db->folder);
  bool exists = tmon_file_exists(db->path);
  if (!read_only && !exists && !writable) result = tmon_error_set(TMON_EACCESS, "the folder %s can't be written", db->folder);
  else if (!read_only && writable) result = open_writing(db);
  else result = open_reading(db, writable);
  /* The folder can be written, the file itself can't. */
  if (result == TMON_EREADONLY && !read_only && writable) {
    tmon_connection_close(db->writer);
    db->writer = NULL;
    tmon_lock_close(&db->lock);
    result = open_reading(db, writable);
  }
  if (!result) result = tmon_file_identity(db->path, &db->device, &db->inode);
  if (!result) result = tmon_opened_note(&db->opened, db->path);
out:
  if (result) {
    tmon_db_close(db);
    db = NULL;
  }
  *out = db;
  return result;
}

static void free_memory(tmon_db *db) {
  tmon_free(db->lock_path);
  tmon_free(db->path);
  tmon_free(db->folder);
  tmon_free(db);
}

void tmon_db_close(tmon_db *db) {
  if (!db) return;
  if (db->pid != tmon_process_id()) {
    tmon_db_forget(db);
    return;
  }
  while (db->idle) {
    tmon_connection *reader = db->idle;
    db->idle = reader->next;
    tmon_connection_close(reader);
  }
  /* No wait: at the end of a program a longer WAL is the lesser evil. Nothing of ours is checkpointed when the open failed (version 0). */
  if (db->writer && db->schema_version && tmon_db_check_place(db) == TMON_OK && tmon_db_lock(db, 0) == TMON_OK) {
    tmon_checkpoint_and_close(db->writer);
    tmon_db_unlock(db);
  } else {
    tmon_connection_close(db->writer);
  }
  tmon_opened_strike(db->opened);
  tmon_lock_close(&db->lock);
  tmon_mutex_free(db->pool_mutex);
  tmon_mutex_free(db->write_mutex);
  free_memory(db);
}

/* The mutexes may be held by threads that do not exist here, and SQLite forbids its connections in a child: both stay, a few kilobytes. */
void tmon_db_forget(tmon_db *db) {
  if (!db) return;
  tmon_lock_close(&db->lock);
  free_memory(db);
}

const char *tmon_db_folder(const tmon_db *db) { return db->folder; }

const char *tmon_db_journal(const tmon_db *db) { return db->journal; }

bool tmon_db_is_read_only(const tmon_db *db) { return db->access != TMON_ACCESS_WRITE; }

int tmon_db_check_writable(const tmon_db *db) {
  return tmon_db_is_read_only(db) ? tmon_error_set(TMON_EREADONLY, "the store %s is open read-only", db->folder) : TMON_OK;
}

int64_t tmon_db_schema_version(const tmon_db *db) { return db->schema_version; }
