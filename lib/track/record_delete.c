/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Deleting a session. The rows below it are taken away first, in transactions of a few ten milliseconds, so that no trainer waits for the lock; the session's
 * own row goes last, and with it whatever is left. A deletion that is cut short leaves a session with a part of its rows: it is deleted by asking again.
 * The rings of dead writers are locked meanwhile, so that nobody adopts them, and removed at the end, as is the output of a recipe. Files of pictures go with the next recover.
 */
#include "track/session.h"

#include "util/file.h"

#include <stdio.h>
#include <string.h>

#define LEASE_US 600000000
#define SLOW_US 40000
#define FAST_US 15000
#define ROWS_FIRST 32
#define ROWS_MOST 4096
#define PAUSE_US 1000 /* those who wait for the lock ask for it now and then */

typedef struct dead_ring {
  struct dead_ring *next;
  tmon_lock lock;
  char *path;
} dead_ring;

/* Big tables first, children before what they point at. ?1 is the id of the session, ?2 its key, ?3 how many rows. */
#define WRITERS "(SELECT id FROM writers WHERE session = ?2)"
#define ROWS(table, condition) "DELETE FROM " table " WHERE rowid IN (SELECT rowid FROM " table " WHERE " condition " AND ?1 = ?1 AND ?2 = ?2 LIMIT ?3)"
static const char *const statements[] = {
    ROWS("chunks", "writer IN " WRITERS),
    ROWS("summaries", "writer IN " WRITERS),
    ROWS("deltas", "writer IN " WRITERS),
    ROWS("training_metrics", "session_id = ?1"),
    ROWS("validation_results", "session_id = ?1"),
    ROWS("confusion_matrices", "session_id = ?1"),
    ROWS("model_benchmarks", "session_id = ?1"),
    ROWS("hyperparameter_runs", "session_id = ?1"),
    ROWS("images", "session = ?2"),
    ROWS("alerts", "session = ?2"),
    ROWS("events", "session = ?2"),
    ROWS("metric_keys", "session = ?2"),
    ROWS("writers", "session = ?2"),
};

static void free_rings(dead_ring *rings, bool remove) {
  while (rings != NULL) {
    dead_ring *next = rings->next;
    if (remove && rings->path != NULL) (void)tmon_file_remove(rings->path);
    tmon_lock_close(&rings->lock);
    tmon_free(rings->path);
    tmon_free(rings);
    rings = next;
  }
}

static int refuse(const char *id) { return tmon_error_set(TMON_ESTATE, "session %s is live: stop it before it is deleted", id); }

/* An open writer: its ring's lock tells whether it lives; out of reach, its last sign of life. */
static int look_at_writer(dead_ring **rings, tmon_row *row, const tmon_process *self, const char *id) {
  const char *path = tmon_row_text(row, 0);
  const char *host = tmon_row_text(row, 1);
  bool fresh = tmon_clock_now_us() - tmon_row_int(row, 2) <= LEASE_US;
  if (host == NULL || strcmp(host, self->host) != 0) return fresh ? refuse(id) : TMON_OK;
  if (path == NULL) return TMON_OK;
  dead_ring *ring = tmon_alloc_zero(1, sizeof *ring);
  if (ring == NULL) return tmon_error_no_memory();
  ring->lock = (tmon_lock){-1};
  ring->next = *rings;
  *rings = ring;
  int result = tmon_lock_open(&ring->lock, path, false);
  if (result == TMON_ENOTFOUND) return tmon_writer_is_gone(tmon_row_int(row, 2), tmon_clock_now_us()) ? TMON_OK : refuse(id);
  if (result == TMON_OK) result = tmon_lock_acquire(&ring->lock, 0);
  if (result == TMON_EBUSY) return refuse(id);
  if (result != TMON_OK) return fresh ? result : TMON_OK;
  ring->path = tmon_strdup(path);
  return ring->path == NULL ? tmon_error_no_memory() : TMON_OK;
}

/* `key` receives the session's number. */
static int check_dead(dead_ring **rings, tmon_tx *tx, const char *id, int64_t *key) {
  tmon_process self;
  tmon_row *row = NULL;
  int result = tmon_process_self(&self);
  if (result == TMON_OK) result = tmon_session_key(key, tx, id);
  if (result == TMON_OK)
    result = tmon_tx_prepare(&row, tx, "SELECT 1 FROM training_sessions WHERE key = ?1 AND rest = 1 AND status = 'running' AND lease_at > ?2");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, *key);
  tmon_bind_int(row, 2, tmon_clock_now_us() - LEASE_US);
  result = tmon_row_step(row);
  tmon_row_reset(row);
  if (result != TMON_DONE) return result == TMON_OK ? refuse(id) : result;
  result = tmon_tx_prepare(&row, tx, "SELECT ring_path, host, heartbeat_at FROM writers WHERE session = ? AND closed = 0");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, *key);
  while ((result = tmon_row_step(row)) == TMON_OK && (result = look_at_writer(rings, row, &self, id)) == TMON_OK) {
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int run(tmon_tx *tx, const char *sql, const char *id, int64_t key, int64_t rows) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, sql);
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  tmon_bind_int(row, 2, key);
  tmon_bind_int(row, 3, rows);
  return tmon_row_run(row);
}

/* The writers are closed, so that nobody adopts them; the best epoch of a session that goes need not be found again with each of its rows. */
static int begin(dead_ring **rings, tmon_store *store, const char *id, int64_t *key) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result == TMON_OK) result = check_dead(rings, tx, id, key);
  if (result == TMON_OK) result = run(tx, "UPDATE writers SET closed = 1 WHERE session = ?2 AND closed = 0 AND ?1 = ?1 AND ?3 = ?3", id, *key, 0);
  if (result == TMON_OK)
    result = run(tx, "UPDATE training_sessions SET best_metric = NULL WHERE key = ?2 AND best_metric IS NOT NULL AND ?1 = ?1 AND ?3 = ?3", id, *key, 0);
  if (result == TMON_OK) return tmon_tx_commit(tx);
  tmon_tx_abort(tx);
  return result;
}

/* Somebody may have resumed the session between two transactions. */
static int check_still_dead(tmon_tx *tx, const char *id, int64_t key) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT 1 FROM writers WHERE session = ? AND closed = 0");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, key);
  result = tmon_row_step(row);
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result == TMON_OK ? refuse(id) : result;
}

/* One transaction of at most `rows` rows; `deleted` receives how many there were. */
static int delete_some(tmon_store *store, const char *sql, const char *id, int64_t key, int64_t rows, int64_t *deleted) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result == TMON_OK) result = check_still_dead(tx, id, key);
  if (result == TMON_OK) result = run(tx, sql, id, key, rows);
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  *deleted = tmon_tx_changes(tx);
  return tmon_tx_commit(tx);
}

static int delete_rows(tmon_store *store, const char *id, int64_t key) {
  int64_t rows = ROWS_FIRST;
  for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
    int64_t deleted = 0;
    do {
      int64_t begun = tmon_clock_monotonic_us();
      int result = delete_some(store, statements[i], id, key, rows, &deleted);
      if (result != TMON_OK) return result;
      int64_t taken = tmon_clock_monotonic_us() - begun;
      bool more = deleted >= rows;
      if (taken > SLOW_US && rows > 1) rows /= 2;
      else if (taken < FAST_US && rows < ROWS_MOST) rows *= 2;
      if (!more) break;
      tmon_clock_sleep_us(PAUSE_US);
    } while (deleted > 0);
    if (rows > ROWS_FIRST) rows = ROWS_FIRST; /* rows of the next table may be much larger */
  }
  return TMON_OK;
}

/* What a recipe's training printed, and what was noted of its process. The session is gone already: a file that can't be removed now is nobody's loss. */
static void remove_output(tmon_store *store, const char *id) {
  static const char *const suffixes[] = {"log", "run"};
  char name[64];
  char *folder = tmon_path_join(tmon_db_folder(store->db), "logs");
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    (void)snprintf(name, sizeof name, "session-%s.%s", id, suffixes[i]);
    char *path = folder == NULL ? NULL : tmon_path_join(folder, name);
    if (path != NULL) (void)tmon_file_remove(path);
    tmon_free(path);
  }
  tmon_free(folder);
}

int tmon_record_delete(tmon_store *store, const char *id) {
  dead_ring *rings = NULL;
  int64_t key = 0;
  int64_t deleted = 0;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(id);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result == TMON_OK) result = begin(&rings, store, id, &key);
  if (result == TMON_OK) result = delete_rows(store, id, key);
  if (result == TMON_OK) result = delete_some(store, "DELETE FROM training_sessions WHERE id = ?1 AND key = ?2 AND ?3 = ?3", id, key, 1, &deleted);
  if (result == TMON_OK) remove_output(store, id);
  free_rings(rings, result == TMON_OK);
  return result;
}
