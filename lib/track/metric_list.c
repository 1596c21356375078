/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The metrics of a session with their counts and latest points, in one pass over store and rings: thousands of metrics are usual. */
#include "series/chunk.h"
#include "track/snapshot.h"

#include <stdlib.h>
#include <string.h>

#define ATTEMPTS 8
#define SLOTS_AT_ONCE 4096

/* Where the latest point of a metric was found. */
typedef enum { NOWHERE, IN_CHUNK, KNOWN } found_in;

typedef struct entry {
  tmon_metric_info info;
  int64_t row;    /* in metric_keys; 0: only a ring knows it */
  int64_t folded; /* of the writer at hand: deltas up to this one are in chunks */
  int64_t writer; /* whose newest chunk has the latest point, when found IN_CHUNK */
  found_in found;
} entry;

struct tmon_metric_list {
  entry *entries;
  size_t count;
  size_t capacity;
  size_t next;
};

static void free_key(const char *key) { tmon_free((void *)(uintptr_t)key); }

static int compare(const void *a, const void *b) { return strcmp(((const entry *)a)->info.key, ((const entry *)b)->info.key); }

/* Among the first `count` entries, which are in order. */
static entry *find_key(tmon_metric_list *list, size_t count, const char *key) {
  entry wanted = {.info.key = key};
  return count == 0 ? NULL : bsearch(&wanted, list->entries, count, sizeof wanted, compare);
}

static int add_key(tmon_metric_list *list, const char *key, int64_t row) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
    entry *grown = tmon_realloc(list->entries, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    list->entries = grown;
    list->capacity = capacity;
  }
  char *copy = tmon_strdup(key);
  if (copy == NULL) return tmon_error_no_memory();
  list->entries[list->count++] = (entry){.info.key = copy, .row = row};
  return TMON_OK;
}

static int add_stored(tmon_metric_list *list, tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT key, id FROM metric_keys WHERE session = ? ORDER BY key");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    if ((result = add_key(list, tmon_row_text(row, 0), tmon_row_int(row, 1))) != TMON_OK) break;
  }
  tmon_row_reset(row);
  if (list->count > 0) qsort(list->entries, list->count, sizeof *list->entries, compare);
  return result == TMON_DONE ? TMON_OK : result;
}

/* Adds the names that only the ring knows; the list is in order before and after. */
static int add_from_ring(tmon_metric_list *list, const tmon_ring *ring) {
  char key[256];
  size_t before = list->count;
  uint32_t count = tmon_ring_metrics(ring);
  int result = TMON_OK;
  for (uint32_t id = 1; result == TMON_OK && id <= count; id++) {
    if (tmon_ring_key(key, ring, id) == TMON_OK && find_key(list, before, key) == NULL) result = add_key(list, key, 0);
  }
  if (list->count > before) qsort(list->entries, list->count, sizeof *list->entries, compare);
  return result;
}

static int compare_rows(const void *a, const void *b) {
  int64_t left = (*(entry *const *)a)->row;
  int64_t right = (*(entry *const *)b)->row;
  return (left > right) - (left < right);
}

/* The entries in the order of their rows, for look-ups by row. */
static int index_rows(entry ***out, tmon_metric_list *list) {
  *out = tmon_alloc((list->count + 1) * sizeof **out);
  if (*out == NULL) return tmon_error_no_memory();
  for (size_t i = 0; i < list->count; i++) (*out)[i] = &list->entries[i];
  qsort(*out, list->count, sizeof **out, compare_rows);
  return TMON_OK;
}

static entry *find_row(entry **index, size_t count, int64_t row) {
  entry wanted = {.row = row};
  entry *pointer = &wanted;
  entry **found = count == 0 || row == 0 ? NULL : bsearch(&pointer, index, count, sizeof *index, compare_rows);
  return found == NULL ? NULL : *found;
}

static int count_folded(tmon_metric_list *list, entry **index, tmon_tx *tx, int64_t writer) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT metric, seq, count FROM folded WHERE writer = ?");
  if (result != TMON_OK) return result;
  for (size_t i = 0; i < list->count; i++) list->entries[i].folded = 0;
  tmon_bind_int(row, 1, writer);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    entry *found = find_row(index, list->count, tmon_row_int(row, 0));
    if (found == NULL) continue;
    found->folded = tmon_row_int(row, 1);
    if (tmon_row_int(row, 2) <= 0) continue;
    found->info.count += (uint64_t)tmon_row_int(row, 2);
    found->writer = writer;
    found->found = IN_CHUNK;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int take_last(entry *found, const void *data, size_t size, tmon_point *points) {
  size_t count = 0;
  int result = tmon_chunk_decode(points, TMON_CHUNK_POINTS_MAXIMUM, &count, data, size);
  if (result == TMON_OK && count > 0) {
    found->info.last = points[count - 1];
    found->found = KNOWN;
  }
  return result;
}

static int count_deltas(tmon_metric_list *list, entry **index, tmon_tx *tx, int64_t writer, tmon_point *points) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT seq, data FROM deltas WHERE writer = ? ORDER BY seq");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, writer);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    tmon_delta_reader reader;
    tmon_delta_entry part;
    int64_t seq = tmon_row_int(row, 0);
    const void *data = tmon_row_blob(row, 1, &size);
    result = tmon_delta_open(&reader, data, size);
    while (result == TMON_OK && (result = tmon_delta_next(&reader, &part)) == TMON_OK) {
      entry *found = find_row(index, list->count, part.metric);
      if (found == NULL || seq <= found->folded || part.count == 0) continue;
      found->info.count += part.count;
      result = take_last(found, part.chunk, part.size, points);
    }
    if (result != TMON_DONE) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* One pass over what is not committed, for all metrics; `again` receives true when the transaction is too old for the ring. */
static int count_ring(tmon_metric_list *list, const tmon_ring *ring, const uint64_t *positions, tmon_slot *slots, bool *again) {
  char key[256];
  uint32_t known = tmon_ring_metrics(ring);
  entry **entries = tmon_alloc_zero((size_t)known + 1, sizeof *entries);
  if (entries == NULL) return tmon_error_no_memory();
  for (uint32_t id = 1; id <= known; id++) {
    if (tmon_ring_key(key, ring, id) == TMON_OK) entries[id] = find_key(list, list->count, key);
  }
  for (unsigned lane = 0; !*again && lane < TMON_RING_LANES; lane++) {
    uint64_t position = positions[lane];
    uint64_t tail = tmon_ring_tail(ring, lane);
    while (position < tail) {
      size_t wanted = tail - position < SLOTS_AT_ONCE ? (size_t)(tail - position) : SLOTS_AT_ONCE;
      size_t count = tmon_ring_read(ring, lane, &position, slots, wanted, again);
      if (*again || count == 0) break;
      for (size_t i = 0; i < count; i++) {
        if (slots[i].kind != TMON_SLOT_POINT || slots[i].metric > known || entries[slots[i].metric] == NULL) continue;
        entry *found = entries[slots[i].metric];
        found->info.count++;
        found->info.last = slots[i].point;
        found->found = KNOWN;
      }
    }
  }
  tmon_free(entries);
  return TMON_OK;
}

static int read_writer_ring(tmon_metric_list *list, tmon_tx *tx, int64_t writer, const char *path, bool *again) {
  uint64_t positions[TMON_RING_LANES];
  tmon_ring *ring = NULL;
  tmon_slot *slots = NULL;
  if (tmon_ring_open(&ring, path, false) != TMON_OK) {
    *again = true; /* ended since the transaction began, or out of reach */
    return TMON_OK;
  }
  int result = tmon_positions_read(positions, tx, writer);
  if (result == TMON_OK) result = add_from_ring(list, ring);
  slots = tmon_alloc(SLOTS_AT_ONCE * sizeof *slots);
  if (result == TMON_OK) result = slots == NULL ? tmon_error_no_memory() : count_ring(list, ring, positions, slots, again);
  tmon_free(slots);
  tmon_ring_close(ring);
  return result;
}

static int read_writer(tmon_metric_list *list, tmon_tx *tx, int64_t writer, const char *path, tmon_point *points, bool *again) {
  entry **index = NULL;
  int result = index_rows(&index, list);
  if (result == TMON_OK) result = count_folded(list, index, tx, writer);
  if (result == TMON_OK) result = count_deltas(list, index, tx, writer, points);
  tmon_free(index);
  if (result == TMON_OK && path != NULL) result = read_writer_ring(list, tx, writer, path, again);
  return result;
}

static int read_newest_chunk(entry *found, tmon_tx *tx, tmon_point *points) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT data FROM chunks WHERE metric = ? AND writer = ? ORDER BY seq DESC LIMIT 1");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, found->row);
  tmon_bind_int(row, 2, found->writer);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    size_t size = 0;
    const void *data = tmon_row_blob(row, 0, &size);
    result = take_last(found, data, size, points);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int read_all(tmon_metric_list *list, tmon_tx *tx, const char *session_id, tmon_point *points, bool *again) {
  tmon_row *row = NULL;
  int64_t session = 0;
  int result = tmon_session_key(&session, tx, session_id);
  if (result == TMON_OK) result = add_stored(list, tx, session);
  if (result == TMON_OK)
    result = tmon_tx_prepare(&row, tx, "SELECT id, CASE closed WHEN 0 THEN ring_path END FROM writers WHERE session = ? ORDER BY attempt, id");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    if ((result = read_writer(list, tx, tmon_row_int(row, 0), tmon_row_text(row, 1), points, again)) != TMON_OK) break;
  }
  tmon_row_reset(row);
  if (result == TMON_DONE) result = TMON_OK;
  for (size_t i = 0; result == TMON_OK && i < list->count; i++) {
    if (list->entries[i].found == IN_CHUNK) result = read_newest_chunk(&list->entries[i], tx, points);
  }
  return result;
}

static void clear(tmon_metric_list *list) {
  for (size_t i = 0; i < list->count; i++) free_key(list->entries[i].info.key);
  list->count = 0;
}

/* A name that only ever carried epoch values has no points and is left out. */
static void drop_empty(tmon_metric_list *list) {
  size_t kept = 0;
  for (size_t i = 0; i < list->count; i++) {
    if (list->entries[i].info.count > 0) list->entries[kept++] = list->entries[i];
    else free_key(list->entries[i].info.key);
  }
  list->count = kept;
}

int tmon_metric_list_open(tmon_metric_list **out, tmon_store *store, const char *session_id) {
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result != TMON_OK) return result;
  tmon_metric_list *list = tmon_alloc_zero(1, sizeof *list);
  tmon_point *points = tmon_alloc(TMON_CHUNK_POINTS_MAXIMUM * sizeof *points);
  if (list == NULL || points == NULL) result = tmon_error_no_memory();
  bool again = result == TMON_OK;
  for (int attempt = 0; result == TMON_OK && again && attempt < ATTEMPTS; attempt++) {
    tmon_tx *tx = NULL;
    if (attempt >= 2) tmon_clock_sleep_us(1000);
    again = false;
    clear(list);
    result = tmon_tx_begin(&tx, store->db, false, -1);
    if (result == TMON_OK) result = read_all(list, tx, session_id, points, &again);
    tmon_tx_abort(tx);
  }
  tmon_free(points);
  if (result == TMON_OK) {
    drop_empty(list);
    *out = list;
  } else {
    tmon_metric_list_free(list);
  }
  return result;
}

int tmon_metric_list_next(tmon_metric_list *list, tmon_metric_info *out) {
  if (list == NULL || out == NULL) return tmon_error_set(TMON_EINVAL, "the list or out is NULL");
  if (list->next == list->count) return TMON_DONE;
  *out = list->entries[list->next++].info;
  return TMON_OK;
}

void tmon_metric_list_free(tmon_metric_list *list) {
  if (list == NULL) return;
  clear(list);
  tmon_free(list->entries);
  tmon_free(list);
}
