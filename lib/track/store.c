/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The open store: opening with adoption, and its lifetime. */
#include "track/session.h"

#include "util/file.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A name that ends in ".db" means the folder of that name without the suffix. */
int tmon_location_folder(char **out, const char *location) {
  char *folder = NULL;
  size_t length = strlen(location);
  if (length > 3 && strcmp(location + length - 3, ".db") == 0) length -= 3;
  char *plain = tmon_strndup(location, length);
  int result = plain == NULL ? tmon_error_no_memory() : tmon_path_absolute(&folder, plain);
  tmon_free(plain);
  *out = folder;
  return result;
}

/* The first of the usual places where files can be made; the store's own folder at last. */
static char *choose_ring_folder(const char *store_folder) {
  const char *places[] = {"/dev/shm", getenv("XDG_RUNTIME_DIR")};
  for (size_t i = 0; i < 2; i++) {
    if (places[i] != NULL && places[i][0] == '/' && tmon_folder_is_writable(places[i])) return tmon_strdup(places[i]);
  }
  return tmon_strdup(store_folder);
}

int tmon_store_open(tmon_store **out, const char *location, const tmon_store_options *options) {
  tmon_store_options chosen;
  tmon_store *store = NULL;
  char *folder = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  if (location == NULL || *location == '\0') return tmon_error_set(TMON_EINVAL, "the location of the store is empty, expected a folder");
  if (strncmp(location, "postgres", 8) == 0 && strstr(location, "://") != NULL) {
    return tmon_error_set(TMON_EUNSUPPORTED, "the store \"%.200s\" is a PostgreSQL address; only folders are supported", location);
  }
  int result = tmon_options_copy(&chosen, sizeof chosen, options, "tmon_store_options");
  if (result == TMON_OK) result = tmon_check_text(location, TMON_TEXT_MAXIMUM, "the location of the store");
  if (result == TMON_OK) result = tmon_check_text(chosen.ring_folder, TMON_TEXT_MAXIMUM, "the ring folder");
  if (result == TMON_OK) result = tmon_location_folder(&folder, location);
  if (result != TMON_OK) goto out;
  store = tmon_alloc_zero(1, sizeof *store);
  if (store == NULL) {
    result = tmon_error_no_memory();
    goto out;
  }
  atomic_init(&store->references, 1);
  store->pid = tmon_process_id();
  int64_t timeout = (int64_t)(chosen.lock_timeout_ms == 0 ? 5000 : chosen.lock_timeout_ms) * 1000;
  result = tmon_db_open(&store->db, folder, chosen.read_only, chosen.must_exist, timeout);
  if (result != TMON_OK) goto out;
  store->ring_folder_given = chosen.ring_folder != NULL;
  /* The path is told to other processes and must outlive a chdir. */
  if (chosen.ring_folder != NULL) result = tmon_path_absolute(&store->ring_folder, chosen.ring_folder);
  else if ((store->ring_folder = choose_ring_folder(folder)) == NULL) result = tmon_error_no_memory();
  if (result == TMON_OK && !tmon_db_is_read_only(store->db)) {
    size_t adopted = 0;
    result = tmon_store_adopt(store, &adopted);
    if (result == TMON_EBUSY || result == TMON_EFULL) result = TMON_OK; /* the store is usable; the next open or recover tries again */
  }
out:
  if (result == TMON_OK) *out = store;
  else if (store != NULL) tmon_store_drop(store);
  tmon_free(folder);
  return result;
}

void tmon_store_drop(tmon_store *store) {
  if (atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) != 1) return;
  if (store->pid == tmon_process_id()) tmon_db_close(store->db);
  else tmon_db_forget(store->db);
  tmon_free(store->ring_folder);
  tmon_free(store);
}

void tmon_store_free(tmon_store *store) {
  if (store != NULL) tmon_store_drop(store);
}

int tmon_store_get_info(tmon_store_info *out, tmon_store *store) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  memset(out, 0, sizeof *out);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result != TMON_OK) return result;
  result = tmon_tx_prepare(
      &row, tx, "SELECT (SELECT count(*) FROM training_sessions), (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)");
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result == TMON_OK) {
    *out = (tmon_store_info){tmon_db_folder(store->db), store->ring_folder, tmon_db_journal(store->db), tmon_db_schema_version(store->db),
        tmon_row_int(row, 0), tmon_row_int(row, 1), tmon_db_is_read_only(store->db)};
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return result;
}

static int expire_rest(tmon_store *store, int64_t lease_us, size_t *expired) {
  int64_t now = tmon_clock_now_us();
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK)
    result = tmon_tx_prepare(&row, tx, "SELECT 1 FROM training_sessions WHERE rest = 1 AND status = 'running' AND lease_at < ? LIMIT 1");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, now - lease_us);
    result = tmon_row_step(row);
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  if (result != TMON_OK) return result == TMON_DONE ? TMON_OK : result;
  tx = NULL;
  result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "INSERT INTO events (session, time, kind, level, message) SELECT key, ?2, 'interrupted', 'warning', 'silent for longer than the lease'"
        " FROM training_sessions WHERE rest = 1 AND status = 'running' AND lease_at < ?1");
  }
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, now - lease_us);
    tmon_bind_int(row, 2, now);
    result = tmon_row_run(row);
  }
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx, "UPDATE training_sessions SET status = 'interrupted' WHERE rest = 1 AND status = 'running' AND lease_at < ?");
  }
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, now - lease_us);
    result = tmon_row_run(row);
  }
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  *expired += (size_t)tmon_tx_changes(tx);
  return tmon_tx_commit(tx);
}

int tmon_store_recover(tmon_store *store, int64_t rest_lease_us, size_t *adopted) {
  size_t changed = 0;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result != TMON_OK) return result;
  if (rest_lease_us < 0) return tmon_error_set(TMON_EINVAL, "the lease is %lld, expected 0 or more", (long long)rest_lease_us);
  result = tmon_store_adopt(store, &changed);
  if (result == TMON_OK) result = expire_rest(store, rest_lease_us == 0 ? 600000000 : rest_lease_us, &changed);
  if (result == TMON_OK) result = tmon_pictures_clean(store);
  if (adopted != NULL) *adopted = changed;
  return result;
}
