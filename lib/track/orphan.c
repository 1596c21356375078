/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Ring files that no writer row needs: their process was killed after it had made the file and before the row was there, or after the row was closed and
 * before the file was removed. The folder is shared with other stores and other programs, so only a file is removed that has a ring's name, is a regular
 * file of this user, is a minute old, holds a ring of that very name which names this store, and whose liveness lock can be had.
 */
#include "track/session.h"

#include "util/file.h"

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define AGE_S 60
#define EACH_US 60000000 /* the server recovers each second: this look is for once a minute */
#define NAME "trainmon-"

int tmon_store_identity(uint64_t out[2], tmon_store *store) {
  char *path = tmon_path_join(tmon_db_folder(store->db), "trainmon.db");
  int result = path == NULL ? tmon_error_no_memory() : tmon_file_identity(path, &out[0], &out[1]);
  tmon_free(path);
  return result;
}

static bool is_old(const char *path) {
  struct stat status;
  return lstat(path, &status) == 0 && S_ISREG(status.st_mode) && time(NULL) - status.st_mtime > AGE_S;
}

/* The writer's row was closed, or never came: with the ring's lock in hand, none can come any more. */
static int is_needed(bool *needed, tmon_store *store, const char *ring_id) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  *needed = true;
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT 1 FROM writers WHERE ring_id = ? AND closed = 0");
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, ring_id);
    result = tmon_row_step(row);
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  *needed = result != TMON_DONE;
  return result == TMON_DONE ? TMON_OK : result;
}

static bool is_ours(const tmon_ring *ring, const char *ring_id, const uint64_t store[2]) {
  tmon_ring_identity identity;
  uint8_t expected[16];
  tmon_ring_get_identity(&identity, ring);
  return tmon_id_parse(expected, ring_id) == TMON_OK && memcmp(expected, identity.ring, sizeof expected) == 0 && tmon_ring_is_of_store(ring, store);
}

/* Whatever can't be opened, locked or read is not for us. */
static int look_at(tmon_store *store, const uint64_t identity[2], const char *path, const char *ring_id) {
  tmon_lock lock = {-1};
  tmon_ring *ring = NULL;
  bool needed = true;
  int result = TMON_OK;
  if (!is_old(path) || tmon_ring_open(&ring, path, false) != TMON_OK) return TMON_OK;
  if (is_ours(ring, ring_id, identity) && tmon_lock_open(&lock, path, false) == TMON_OK && tmon_lock_acquire(&lock, 0) == TMON_OK) {
    result = is_needed(&needed, store, ring_id);
  }
  if (!needed) result = tmon_file_remove(path);
  tmon_ring_close(ring);
  tmon_lock_close(&lock);
  return result;
}

static int clean_folder(tmon_store *store, const uint64_t identity[2], const char *folder) {
  DIR *directory = opendir(folder);
  const struct dirent *entry = NULL;
  int result = TMON_OK;
  while (directory != NULL && result == TMON_OK && (entry = readdir(directory)) != NULL) {
    const char *ring_id = entry->d_name + sizeof NAME - 1;
    if (strncmp(entry->d_name, NAME, sizeof NAME - 1) != 0 || !tmon_id_is_valid(ring_id)) continue;
    char *path = tmon_path_join(folder, entry->d_name);
    result = path == NULL ? tmon_error_no_memory() : look_at(store, identity, path, ring_id);
    tmon_free(path);
  }
  if (directory != NULL) (void)closedir(directory);
  return result;
}

int tmon_store_clean(tmon_store *store) {
  uint64_t identity[2];
  int64_t now = tmon_clock_monotonic_us();
  int64_t last = atomic_load_explicit(&store->cleaned, memory_order_relaxed);
  if (last != 0 && now - last < EACH_US) return TMON_OK;
  if (!atomic_compare_exchange_strong_explicit(&store->cleaned, &last, now, memory_order_relaxed, memory_order_relaxed)) return TMON_OK;
  const char *folder = tmon_db_folder(store->db);
  int result = tmon_store_identity(identity, store);
  if (result == TMON_OK) result = clean_folder(store, identity, store->ring_folder);
  if (result == TMON_OK && strcmp(folder, store->ring_folder) != 0) result = clean_folder(store, identity, folder);
  return result == TMON_ENOMEM || result == TMON_EBUSY ? result : TMON_OK; /* a file that stays costs some memory, no more */
}
