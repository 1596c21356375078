/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Following a session: its rings are kept mapped and read from a cursor a lane, which never disturbs the writer. The list of writers is read again twice a
 * second, so that a resumed session is followed on. A writer whose ring is out of reach is followed through what it commits.
 */
#include "series/ring.h"
#include "track/far.h"

#include <string.h>

#define REFRESH_US 500000
#define SLOTS_AT_ONCE 1024

typedef struct source {
  int64_t writer;
  tmon_ring *ring; /* NULL: out of reach */
  uint64_t positions[TMON_RING_LANES];
  tmon_far far;      /* used when out of reach */
  bool more;         /* what is committed did not fit into the last call */
  uint32_t *metrics; /* ring id - 1 to number of this follow + 1 */
  uint32_t metric_count;
  bool open; /* seen at the last refresh */
} source;

struct tmon_follow {
  tmon_store *store;
  char id[TMON_ID_BYTES];
  int64_t session;
  int64_t refreshed;
  int64_t latest; /* newest writer seen */
  source *sources;
  size_t source_count;
  char **keys;
  uint32_t key_count;
  tmon_slot slots[SLOTS_AT_ONCE];
};

static int number_of_key(void *payload, const char *key, uint32_t *out) {
  tmon_follow *follow = payload;
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
  tmon_far_free(&from->far);
  tmon_free(from->metrics);
}

/* A writer that was there when the follow began is read from now on; one that came later from its beginning, which may be gone: that is a lap. */
static int add_source(tmon_follow *follow, tmon_tx *tx, int64_t writer, const char *path, bool from_now) {
  source *grown = tmon_realloc(follow->sources, follow->source_count + 1, sizeof *grown);
  if (grown == NULL) return tmon_error_no_memory();
  follow->sources = grown;
  source *added = &grown[follow->source_count];
  memset(added, 0, sizeof *added);
  added->writer = writer;
  added->far.session = follow->session;
  added->far.writer = writer;
  int result = path == NULL ? TMON_ENOTFOUND : tmon_ring_open(&added->ring, path, false);
  if (result == TMON_ENOMEM) return result; /* no reason to take it for out of reach */
  follow->source_count++;
  if (result != TMON_OK) {
    added->ring = NULL;
    return from_now ? tmon_far_skip(&added->far, tx) : TMON_OK;
  }
  for (unsigned lane = 0; from_now && lane < TMON_RING_LANES; lane++) added->positions[lane] = tmon_ring_tail(added->ring, lane);
  return TMON_OK;
}

static source *find_source(tmon_follow *follow, int64_t writer) {
  for (size_t i = 0; i < follow->source_count; i++) {
    if (follow->sources[i].writer == writer) return &follow->sources[i];
  }
  return NULL;
}

/* Open writers, and those that came and went since the last look: they are in the store. */
static int list_sources(tmon_follow *follow, tmon_tx *tx, bool from_now) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT id, ring_path, closed FROM writers WHERE session = ?1 AND (closed = 0 OR id > ?2) ORDER BY id");
  if (result != TMON_OK) return result;
  for (size_t i = 0; i < follow->source_count; i++) follow->sources[i].open = false;
  tmon_bind_int(row, 1, follow->session);
  tmon_bind_int(row, 2, follow->latest);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    int64_t writer = tmon_row_int(row, 0);
    bool open = tmon_row_int(row, 2) == 0;
    if (find_source(follow, writer) == NULL && (open || !from_now)) {
      result = add_source(follow, tx, writer, open ? tmon_row_text(row, 1) : NULL, from_now);
      if (result != TMON_OK) break;
    }
    source *listed = find_source(follow, writer);
    if (listed != NULL) listed->open = open;
    if (writer > follow->latest) follow->latest = writer;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int refresh(tmon_follow *follow, bool from_now) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, follow->store->db, false, -1);
  if (result == TMON_OK) result = list_sources(follow, tx, from_now);
  tmon_tx_abort(tx);
  if (result == TMON_OK) follow->refreshed = tmon_clock_monotonic_us();
  /* Not seen is not closed: a source dropped now would be read again from its beginning. */
  for (size_t i = 0; result != TMON_OK && i < follow->source_count; i++) follow->sources[i].open = true;
  return result;
}

/*
 * After a lap nothing more is taken from the lane in this call: the missing points lie between those of this call and those of the next, so that a caller who
 * reads them with a query when told finds them there.
 */
static int take_ring(tmon_follow *follow, source *from, tmon_follow_point *points, size_t capacity, size_t *count, bool *lapped) {
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    uint64_t tail = tmon_ring_tail(from->ring, lane);
    while (from->positions[lane] < tail && *count < capacity) {
      bool missed = false;
      size_t wanted = capacity - *count < SLOTS_AT_ONCE ? capacity - *count : SLOTS_AT_ONCE;
      if (wanted > tail - from->positions[lane]) wanted = (size_t)(tail - from->positions[lane]);
      uint64_t before = from->positions[lane];
      size_t taken = tmon_ring_read(from->ring, lane, &from->positions[lane], follow->slots, wanted, &missed);
      if (missed) {
        *lapped = true;
        from->positions[lane] = tail;
        break;
      }
      if (from->positions[lane] == before) break;
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
  tmon_ring_close(from->ring);
  from->ring = NULL;
  int result = tmon_tx_begin(&tx, follow->store->db, false, -1);
  if (result == TMON_OK) result = tmon_far_skip(&from->far, tx);
  tmon_tx_abort(tx);
  return result;
}

static int take_far(tmon_follow *follow, source *from, tmon_follow_point *points, size_t capacity, size_t *count) {
  tmon_tx *tx = NULL;
  tmon_far_sink sink = {number_of_key, follow, points, capacity, *count, false};
  int result = tmon_tx_begin(&tx, follow->store->db, false, -1);
  if (result == TMON_OK) result = tmon_far_take(&from->far, tx, &sink);
  tmon_tx_abort(tx);
  *count = sink.count;
  from->more = sink.more || result != TMON_OK;
  return result;
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
    else if (result == TMON_OK && (due || from->more)) result = take_far(follow, from, points, capacity, count);
    /* The mapping of an ended writer held its last points although the file is gone. */
    if (result == TMON_OK && !from->open && !from->more && *count < capacity) drop_source(from);
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
  tmon_store_drop(follow->store);
  tmon_free(follow);
}
