/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The metrics of a session with their counts and latest points. */
#include "track/snapshot.h"

#include <stdlib.h>
#include <string.h>

struct tmon_metric_list {
  tmon_metric_info *metrics;
  size_t count;
  size_t capacity;
  size_t next;
};

static void free_key(const char *key) { tmon_free((void *)(uintptr_t)key); }

static int add_key(tmon_metric_list *list, const char *key) {
  for (size_t i = 0; i < list->count; i++) {
    if (strcmp(list->metrics[i].key, key) == 0) return TMON_OK;
  }
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
    tmon_metric_info *grown = tmon_realloc(list->metrics, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    list->metrics = grown;
    list->capacity = capacity;
  }
  char *copy = tmon_strdup(key);
  if (copy == NULL) return tmon_error_no_memory();
  memset(&list->metrics[list->count], 0, sizeof *list->metrics);
  list->metrics[list->count++].key = copy;
  return TMON_OK;
}

static int add_stored(tmon_metric_list *list, tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT key FROM metric_keys WHERE session = ? ORDER BY key");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    if ((result = add_key(list, tmon_row_text(row, 0))) != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int add_from_ring(tmon_metric_list *list, const char *path) {
  tmon_ring *ring = NULL;
  char key[256];
  if (tmon_ring_open(&ring, path, false) != TMON_OK) return TMON_OK; /* ended or out of reach: the store's list is what there is */
  int result = TMON_OK;
  uint32_t count = tmon_ring_metrics(ring);
  for (uint32_t id = 1; result == TMON_OK && id <= count; id++) {
    if (tmon_ring_key(key, ring, id) == TMON_OK) result = add_key(list, key);
  }
  tmon_ring_close(ring);
  return result;
}

static int add_live(tmon_metric_list *list, tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT ring_path FROM writers WHERE session = ? AND closed = 0");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    if ((result = add_from_ring(list, tmon_row_text(row, 0))) != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* A name that only ever carried epoch values has no points and is left out. */
static int fill(tmon_metric_list *list, tmon_store *store, const char *session_id) {
  size_t kept = 0;
  int result = TMON_OK;
  for (size_t i = 0; i < list->count; i++) {
    tmon_metric_info *info = &list->metrics[i];
    tmon_snapshot snapshot;
    size_t one = 1;
    result = tmon_snapshot_open(&snapshot, store, session_id, info->key);
    for (size_t w = 0; result == TMON_OK && w < snapshot.writer_count; w++) info->count += snapshot.writers[w].folded_count + snapshot.writers[w].count;
    if (result == TMON_OK) tmon_snapshot_close(&snapshot);
    if (result == TMON_OK && info->count > 0) result = tmon_series_tail(&info->last, &one, store, session_id, info->key);
    if (result != TMON_OK && result != TMON_ENOTFOUND) break;
    if (result == TMON_OK && info->count > 0) {
      tmon_metric_info moved = *info;
      info->key = NULL;
      free_key(list->metrics[kept].key);
      list->metrics[kept++] = moved;
    }
    result = TMON_OK;
  }
  for (size_t i = kept; result == TMON_OK && i < list->count; i++) free_key(list->metrics[i].key);
  if (result == TMON_OK) list->count = kept;
  return result;
}

static int compare(const void *a, const void *b) { return strcmp(((const tmon_metric_info *)a)->key, ((const tmon_metric_info *)b)->key); }

int tmon_metric_list_open(tmon_metric_list **out, tmon_store *store, const char *session_id) {
  tmon_tx *tx = NULL;
  int64_t session = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result != TMON_OK) return result;
  tmon_metric_list *list = tmon_alloc_zero(1, sizeof *list);
  if (list == NULL) return tmon_error_no_memory();
  result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&session, tx, session_id);
  if (result == TMON_OK) result = add_stored(list, tx, session);
  if (result == TMON_OK) result = add_live(list, tx, session);
  tmon_tx_abort(tx);
  if (result == TMON_OK) result = fill(list, store, session_id);
  if (result == TMON_OK) {
    if (list->count > 0) qsort(list->metrics, list->count, sizeof *list->metrics, compare);
    *out = list;
  } else {
    tmon_metric_list_free(list);
  }
  return result;
}

int tmon_metric_list_next(tmon_metric_list *list, tmon_metric_info *out) {
  if (list == NULL || out == NULL) return tmon_error_set(TMON_EINVAL, "the list or out is NULL");
  if (list->next == list->count) return TMON_DONE;
  *out = list->metrics[list->next++];
  return TMON_OK;
}

void tmon_metric_list_free(tmon_metric_list *list) {
  if (list == NULL) return;
  for (size_t i = 0; i < list->count; i++) free_key(list->metrics[i].key);
  tmon_free(list->metrics);
  tmon_free(list);
}
