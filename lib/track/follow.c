/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Following a session: its rings are kept mapped and read from a cursor a lane, which never disturbs the writer. The list of writers is read again twice a
 * second, so that a resumed session is followed on. A writer whose ring is out of reach is followed through its committed deltas.
 */
#include "series/chunk.h"
#include "series/ring.h"
#include "track/track.h"

#include <string.h>

#define REFRESH_US 500000
#define SLOTS_AT_ONCE 1024

typedef struct source {
  int64_t writer;
  tmon_ring *ring;                      /* NULL: out of reach */
  uint64_t positions[TMON_RING_LANES];
  int64_t seq;                          /* last delta taken, when out of reach */
  uint32_t *metrics;                    /* ring id - 1 to number of this follow + 1 */
  uint32_t metric_count;
  bool open;                            /* seen at the last refresh */
} source;

struct tmon_follow {
  tmon_store *store;
  char id[TMON_ID_BYTES];
  int64_t session;
  int64_t refreshed;
  source *sources;
  size_t source_count;
  char **keys;
  uint32_t key_count;
  tmon_slot slots[SLOTS_AT_ONCE];
  tmon_point *decoded;
};

static int number_of_key(tmon_follow *follow, const char *key, uint32_t *out) {
  for (uint32_t i = 0; i < follow->key_count; i++) {
    if (strcmp(follow->keys[i], key) == 0) {
      *out = i;
      return TMON_OK;
    }
  }
  char **grown = tmon_realloc(follow->keys, (size_t)follow->key_count + 1, sizeof *grown);
  if (grown == NULL) return tmon_error_no_memory();
  follow->keys = grown;
  grown[follow->key_count] = tmon_strdup(key);
  if (grown[follow->key_count] == NULL) return tmon_error_no_memory();
  *out = follow->key_count++;
  return TMON_OK;
}

/* The number of a ring's metric, learned at first sight. */
static int number_of_metric(tmon_follow *follow, source *from, uint32_t id, uint32_t *out) {
  if (id > from->metric_count) {
    uint32_t count = tmon_ring_metrics(from->ring);
    if (id > count) return tmon_error_set(TMON_ECORRUPT, "a slot names metric %u of %u", id, count);
    uint32_t *grown = tmon_realloc(from->metrics, count, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    memset(grown + from->metric_count, 0, (count - from->metric_count) * sizeof *grown);
    from->metrics = grown;
    from->metric_count = count;
  }
  if (id == 0) return tmon_error_set(TMON_ECORRUPT, "a slot names metric 0");
  if (from->metrics[id - 1] == 0) {
    char key[256];
    uint32_t number = 0;
    int result = tmon_ring_key(key, from->ring, id);
    if (result == TMON_OK) result = number_of_key(follow, key, &number);
    if (result != TMON_OK) return result;
    from->metrics[id - 1] = number + 1;
  }
  *out = from->metrics[id - 1] - 1;
  return TMON_OK;
}

static void drop_source(source *from) {
  tmon_ring_close(from->ring);
  tmon_free(from->metrics);
}

/* A writer that was there when the follow began is read from now on; one that came later from its beginning. */
static int add_source(tmon_follow *follow, int64_t writer, int64_t next_seq, const char *path, bool from_now) {
  source *grown = tmon_realloc(follow->sources, follow->source_count + 1, sizeof *grown);
  if (grown == NULL) return tmon_error_no_memory();
  follow->sources = grown;
  source *added = &grown[follow->source_count];
  memset(added, 0, sizeof *added);
  added->writer = writer;
  added->open = true;
  added->seq = from_now ? next_seq - 1 : 0;
  int result = path == NULL ? TMON_ENOTFOUND : tmon_ring_open(&added->ring, path, false);
  if (result == TMON_ENOMEM) return result; /* no reason to take it for out of reach */
  follow->source_count++;
  if (result != TMON_OK) {
    added->ring = NULL;
    return TMON_OK;
  }
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    added->positions[lane] = from_now ? tmon_ring_tail(added->ring, lane) : tmon_ring_drained(added->ring, lane);
  }
  return TMON_OK;
}

static int refresh(tmon_follow *follow, bool from_now) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  for (size_t i = 0; i < follow->source_count; i++) follow->sources[i].open = false;
  int result = tmon_tx_begin(&tx, follow->store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT id, next_seq, ring_path FROM writers WHERE session = ? AND closed = 0 ORDER BY id");
  if (result != TMON_OK) goto out;
  tmon_bind_int(row, 1, follow->session);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    source *known = NULL;
    int64_t writer = tmon_row_int(row, 0);
    for (size_t i = 0; i < follow->source_count; i++) {
      if (follow->sources[i].writer == writer) known = &follow->sources[i];
    }
    if (known != NULL) known->open = true;
    else if ((result = add_source(follow, writer, tmon_row_int(row, 1), tmon_row_text(row, 2), from_now)) != TMON_OK) break;
  }
  tmon_row_reset(row);
out:
  tmon_tx_abort(tx);
  if (result == TMON_DONE) {
    follow->refreshed = tmon_clock_monotonic_us();
    return TMON_OK;
  }
  /* Not seen is not closed: a source dropped now would be read again from its beginning. */
  for (size_t i = 0; i < follow->source_count; i++) follow->sources[i].open = true;
  return result;
}

static int take_ring(tmon_follow *follow, source *from, tmon_follow_point *points, size_t capacity, size_t *count, bool *lapped) {
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    uint64_t tail = tmon_ring_tail(from->ring, lane);
    while (from->positions[lane] < tail && *count < capacity) {
      bool missed = false;
      size_t wanted = capacity - *count < SLOTS_AT_ONCE ? capacity - *count : SLOTS_AT_ONCE;
      if (wanted > tail - from->positions[lane]) wanted = (size_t)(tail - from->positions[lane]);
      size_t taken = tmon_ring_read(from->ring, lane, &from->positions[lane], follow->slots, wanted, &missed);
      if (missed) {
        *lapped = true;
        from->positions[lane] = tail;
        break;
      }
      if (taken == 0) break;
      for (size_t i = 0; i < taken; i++) {
        uint32_t number = 0;
        if (follow->slots[i].kind != TMON_SLOT_POINT) continue;
        int result = number_of_metric(follow, from, follow->slots[i].metric, &number);
        if (result != TMON_OK) {
          from->positions[lane] -= taken - i; /* the next call goes on at this slot */
          return result;
        }
        points[(*count)++] = (tmon_follow_point){number, follow->slots[i].point};
      }
    }
  }
  return TMON_OK;
}

/* The file was truncated below us: from here on what is committed later. What was not taken yet counts as missed. */
static int leave_ring(tmon_follow *follow, source *from) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  tmon_ring_close(from->ring);
  from->ring = NULL;
  int result = tmon_tx_begin(&tx, follow->store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT next_seq - 1 FROM writers WHERE id = ?");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, from->writer);
    result = tmon_row_step(row);
    if (result == TMON_OK) from->seq = tmon_row_int(row, 0);
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return result == TMON_DONE ? TMON_OK : result;
}

static int take_entry(tmon_follow *follow, tmon_tx *tx, const tmon_delta_entry *entry, tmon_follow_point *points, size_t capacity, size_t *count, bool *lapped) {
  tmon_row *row = NULL;
  uint32_t number = 0;
  size_t decoded = 0;
  if (entry->count > capacity - *count || entry->count > TMON_CHUNK_POINTS_MAXIMUM) {
    *lapped = true;
    return TMON_OK;
  }
  int result = tmon_tx_prepare(&row, tx, "SELECT key FROM metric_keys WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, entry->metric);
  result = tmon_row_step(row);
  if (result == TMON_OK) result = number_of_key(follow, tmon_row_text(row, 0), &number);
  tmon_row_reset(row);
  if (result == TMON_OK && follow->decoded == NULL) {
    follow->decoded = tmon_alloc(TMON_CHUNK_POINTS_MAXIMUM * sizeof *follow->decoded);
    if (follow->decoded == NULL) result = tmon_error_no_memory();
  }
  if (result == TMON_OK) result = tmon_chunk_decode(follow->decoded, TMON_CHUNK_POINTS_MAXIMUM, &decoded, entry->chunk, entry->size);
  for (size_t i = 0; result == TMON_OK && i < decoded; i++) points[(*count)++] = (tmon_follow_point){number, follow->decoded[i]};
  return result == TMON_DONE ? TMON_OK : result;
}

static int take_deltas(tmon_follow *follow, source *from, tmon_follow_point *points, size_t capacity, size_t *count, bool *lapped) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int result = tmon_tx_begin(&tx, follow->store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT seq, data FROM deltas WHERE writer = ? AND seq > ? ORDER BY seq");
  if (result != TMON_OK) goto out;
  tmon_bind_int(row, 1, from->writer);
  tmon_bind_int(row, 2, from->seq);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    const void *data = tmon_row_blob(row, 1, &size);
    tmon_delta_reader reader;
    tmon_delta_entry entry;
    size_t before = *count;
    result = tmon_delta_open(&reader, data, size);
    while (result == TMON_OK && (result = tmon_delta_next(&reader, &entry)) == TMON_OK) {
      result = take_entry(follow, tx, &entry, points, capacity, count, lapped);
    }
    if (result != TMON_DONE) {
      *count = before; /* a delta is taken whole or, at the next call, again */
      break;
    }
    from->seq = tmon_row_int(row, 0);
  }
  tmon_row_reset(row);
out:
  tmon_tx_abort(tx);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_follow_open(tmon_follow **out, tmon_store *store, const char *session_id) {
  tmon_tx *tx = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result != TMON_OK) return result;
  tmon_follow *follow = tmon_alloc_zero(1, sizeof *follow);
  if (follow == NULL) return tmon_error_no_memory();
  follow->store = tmon_store_hold(store);
  (void)tmon_text_copy(follow->id, sizeof follow->id, session_id);
  result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&follow->session, tx, session_id);
  tmon_tx_abort(tx);
  if (result == TMON_OK) result = refresh(follow, true);
  if (result == TMON_OK) *out = follow;
  else tmon_follow_free(follow);
  return result;
}

int tmon_follow_next(tmon_follow *follow, tmon_follow_point *points, size_t capacity, size_t *count, bool *lapped) {
  bool missed = false;
  if (follow == NULL || points == NULL || count == NULL || capacity == 0) return tmon_error_set(TMON_EINVAL, "an argument is NULL or the capacity 0");
  *count = 0;
  int result = tmon_store_check(follow->store);
  bool due = tmon_clock_monotonic_us() - follow->refreshed >= REFRESH_US;
  if (result == TMON_OK && due) result = refresh(follow, false);
  size_t kept = 0;
  for (size_t i = 0; i < follow->source_count; i++) {
    source *from = &follow->sources[i];
    if (result == TMON_OK && from->ring != NULL && !tmon_ring_is_whole(from->ring)) {
      result = leave_ring(follow, from);
      missed = true;
    }
    if (result == TMON_OK && from->ring != NULL) result = take_ring(follow, from, points, capacity, count, &missed);
    else if (result == TMON_OK && due) result = take_deltas(follow, from, points, capacity, count, &missed);
    bool taken = from->ring != NULL || due;
    if (result == TMON_OK && taken && !from->open && *count < capacity) drop_source(from); /* its mapping held the last points although the file is gone */
    else follow->sources[kept++] = *from;
  }
  follow->source_count = kept;
  if (lapped != NULL) *lapped = missed;
  return *count > 0 ? TMON_OK : result; /* what was taken must not be lost; the next call meets the error */
}

const char *tmon_follow_key(const tmon_follow *follow, uint32_t metric) {
  return follow == NULL || metric >= follow->key_count ? NULL : follow->keys[metric];
}

void tmon_follow_free(tmon_follow *follow) {
  if (follow == NULL) return;
  for (size_t i = 0; i < follow->source_count; i++) drop_source(&follow->sources[i]);
  for (uint32_t i = 0; i < follow->key_count; i++) tmon_free(follow->keys[i]);
  tmon_free(follow->sources);
  tmon_free(follow->keys);
  tmon_free(follow->decoded);
  tmon_store_drop(follow->store);
  tmon_free(follow);
}
