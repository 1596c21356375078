/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * A copy of a store that others go on writing: the database as one snapshot shows it, then the pictures that it names and the logs. A copy has no rings: whoever
 * opened it would else take over the points of trainers that feed the store it was made from, so its open sessions are ended there as interrupted.
 */
#include "track/backup.h"
#include "track/image.h"
#include "track/session.h"

#include "util/clock.h"
#include "util/file.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct backup {
  tmon_store *store;
  tmon_backup_callback *callback;
  void *payload;
  int64_t done;
  int64_t total;
  tmon_backup_folders folders;
} backup;

static int tell(backup *run) {
  if (run->callback == NULL || run->callback(run->done, run->total, run->payload) == 0) return TMON_OK;
  return tmon_error_set(TMON_EUSER, "the caller stopped the backup");
}

static int tell_pages(void *payload, int64_t bytes) {
  backup *run = payload;
  run->done = bytes;
  return tell(run);
}

static int copy_database(backup *run, const char *draft) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  char *path = tmon_path_join(draft, "trainmon.db");
  if (path == NULL) return tmon_error_no_memory();
  int result = tmon_tx_begin(&tx, run->store->db, false, -1);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)"
        " + (SELECT coalesce(sum(bytes), 0) FROM (SELECT max(bytes) AS bytes FROM images GROUP BY content_hash))");
  }
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result == TMON_OK) {
    run->total = tmon_row_int(row, 0);
    tmon_row_reset(row);
    result = tmon_tx_copy(tx, path, tell_pages, run);
  }
  tmon_tx_abort(tx);
  tmon_free(path);
  return result;
}

/* Those whose trainers may live, in the store. */
static int end_sessions(tmon_tx *tx) {
  for (;;) {
    tmon_row *row = NULL;
    char id[TMON_ID_BYTES] = "";
    int64_t time = 0;
    int result = tmon_tx_prepare(&row, tx,
        "SELECT s.id, coalesce(max(w.heartbeat_at), 0) FROM training_sessions s JOIN writers w ON w.session = s.key WHERE w.closed = 0"
        " AND s.status IN ('running', 'pending') GROUP BY s.key LIMIT 1");
    if (result == TMON_OK) result = tmon_row_step(row);
    if (result == TMON_OK) {
      (void)tmon_text_copy(id, sizeof id, tmon_row_text(row, 0));
      time = tmon_row_int(row, 1);
      tmon_row_reset(row);
      result = tmon_session_write_status(tx, id, TMON_STATUS_INTERRUPTED, time == 0 ? tmon_clock_now_us() : time, NULL);
    }
    if (result == TMON_DONE) break;
    if (result != TMON_OK) return result;
  }
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "UPDATE writers SET closed = 1 WHERE closed = 0");
  return result == TMON_OK ? tmon_row_run(row) : result;
}

static int forget_picture(tmon_tx *tx, const char *hash) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "DELETE FROM images WHERE content_hash = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, hash);
  return tmon_row_run(row);
}

/* The store may have let go of a picture since the snapshot; then the copy lets go of it too. */
static int copy_pictures(backup *run, tmon_tx *tx) {
  char *hash = tmon_strdup("");
  int result = hash == NULL ? tmon_error_no_memory() : TMON_OK;
  while (result == TMON_OK) {
    tmon_row *row = NULL;
    result = tmon_tx_prepare(
        &row, tx, "SELECT content_hash, max(bytes) FROM images WHERE content_hash > ? GROUP BY content_hash ORDER BY content_hash LIMIT 1");
    if (result != TMON_OK) break;
    tmon_bind_text(row, 1, hash);
    result = tmon_row_step(row);
    if (result != TMON_OK) break;
    char *next = tmon_strdup(tmon_row_text(row, 0));
    run->done += tmon_row_int(row, 1);
    tmon_row_reset(row);
    tmon_free(hash);
    hash = next;
    result = hash == NULL ? tmon_error_no_memory() : tmon_backup_picture(&run->folders, hash);
    if (result == TMON_DONE) result = forget_picture(tx, hash);
    if (result == TMON_OK) result = tell(run);
  }
  tmon_free(hash);
  return result == TMON_DONE ? TMON_OK : result;
}

/* All that makes the copied database a store of its own. */
static int complete(backup *run, const char *draft) {
  tmon_db *copy = NULL;
  tmon_tx *tx = NULL;
  int result = tmon_backup_open(&run->folders, tmon_db_folder(run->store->db), draft);
  if (result == TMON_OK) result = tmon_backup_logs(&run->folders);
  if (result == TMON_OK) result = tmon_db_open(&copy, draft, false, true, 5000000);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, copy, true, -1);
  if (result == TMON_OK) result = end_sessions(tx);
  if (result == TMON_OK) result = copy_pictures(run, tx);
  if (result == TMON_OK) result = tmon_tx_commit(tx);
  else tmon_tx_abort(tx);
  tmon_db_close(copy);
  tmon_backup_close(&run->folders);
  return result;
}

/* The folder's name with an end of its own, in the same file system. */
static int make_draft(char **out, const char *folder) {
  uint32_t number = 0;
  size_t size = strlen(folder) + 16;
  int result = tmon_random_bytes(&number, sizeof number);
  if (result != TMON_OK) return result;
  char *draft = tmon_alloc(size);
  if (draft == NULL) return tmon_error_no_memory();
  (void)snprintf(draft, size, "%s.%08x.part", folder, number);
  *out = draft;
  return tmon_folder_make(draft);
}

static int check_target(char **out, tmon_store *store, const char *folder) {
  const char *own = tmon_db_folder(store->db);
  if (folder == NULL || *folder == '\0') return tmon_error_set_field(TMON_EINVAL, "folder", "the folder of the copy is empty");
  int result = tmon_check_text(folder, TMON_TEXT_MAXIMUM - 16, "folder");
  if (result == TMON_OK) result = tmon_location_folder(out, folder);
  if (result != TMON_OK) return result;
  size_t length = strlen(*out);
  while (length > 1 && (*out)[length - 1] == '/') (*out)[--length] = '\0';
  size_t outer = strlen(own);
  if (strncmp(*out, own, outer) == 0 && ((*out)[outer] == '/' || (*out)[outer] == '\0')) {
    return tmon_error_set_field(TMON_EINVAL, "folder", "%s lies in the store itself", *out);
  }
  return tmon_backup_check(*out);
}

int tmon_store_backup(tmon_store *store, const char *folder, tmon_backup_callback *callback, void *payload) {
  backup run = {.store = store, .callback = callback, .payload = payload, .folders = {-1, -1}};
  char *target = NULL;
  char *draft = NULL;
  size_t adopted = 0;
  int result = tmon_store_check(store);
  if (result != TMON_OK) return result;
  result = check_target(&target, store, folder);
  /* What dead trainers left belongs to what is stored. A store that can't take it over now is still worth a copy. */
  if (result == TMON_OK && !tmon_db_is_read_only(store->db)) result = tmon_store_adopt(store, &adopted);
  if (result == TMON_EBUSY || result == TMON_EFULL) result = TMON_OK;
  if (result == TMON_OK) result = make_draft(&draft, target);
  if (result == TMON_OK) result = copy_database(&run, draft);
  if (result == TMON_OK) result = complete(&run, draft);
  if (result == TMON_OK) result = tmon_backup_place(draft, target);
  if (result != TMON_OK && draft != NULL) tmon_backup_remove(draft);
  tmon_free(draft);
  tmon_free(target);
  return result;
}
