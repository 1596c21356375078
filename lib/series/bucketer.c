/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The bucketer: gathers the points and cells of one query into buckets.
 *
 * Buckets lie in one array in the order in which they came up; an open-addressed table of positions finds them by their index on the grid. Points mostly come
 * in order, so the bucket of the last one is tried first and the table is asked once a bucket, not once a point. A sorted array with insertion was
 * rejected: several writers and attempts come one after the other, each from the beginning.
 */
#include "series/cell.h"
#include "series/grid.h"
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/error.h"

#include <stdlib.h>

#define NONE UINT32_MAX
#define SLOTS_FIRST 256u
#define BUCKETS_MAXIMUM ((size_t)1 << 30)

struct tmon_bucketer {
  tmon_axis axis;
  unsigned exponent;
  int64_t from;
  int64_t to;
  tmon_bucket *buckets;
  size_t count;
  size_t last;     /* the bucket used last; valid when count > 0 */
  uint32_t *table; /* position in buckets, or NONE; never more than half full, so that a search ends */
  size_t slots;    /* a power of two, and twice the room of buckets */
};

int tmon_bucketer_make(tmon_bucketer **out, tmon_axis axis, unsigned exponent, int64_t from, int64_t to) {
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out must not be NULL");
  *out = NULL;
  if ((axis != TMON_AXIS_STEP && axis != TMON_AXIS_TIME) || exponent > TMON_GRID_EXPONENT_MAXIMUM)
    return tmon_error_set(TMON_EINVAL, "axis %d or exponent %u is not allowed", (int)axis, exponent);
  tmon_bucketer *bucketer = tmon_alloc_zero(1, sizeof *bucketer);
  if (bucketer == NULL) return tmon_error_no_memory();
  bucketer->axis = axis;
  bucketer->exponent = exponent;
  bucketer->from = from;
  bucketer->to = to;
  *out = bucketer;
  return TMON_OK;
}

void tmon_bucketer_free(tmon_bucketer *bucketer) {
  if (bucketer == NULL) return;
  tmon_free(bucketer->table);
  tmon_free(bucketer->buckets);
  tmon_free(bucketer);
}

/* Fibonacci hashing: neighbouring indices spread over the table. */
static size_t slot_of(const tmon_bucketer *bucketer, int64_t start) {
  uint64_t hash = ((uint64_t)start >> bucketer->exponent) * 0x9e3779b97f4a7c15u;
  return (size_t)(hash >> 32) & (bucketer->slots - 1);
}

static size_t search(const tmon_bucketer *bucketer, int64_t start) {
  size_t slot = slot_of(bucketer, start);
  while (bucketer->table[slot] != NONE && bucketer->buckets[bucketer->table[slot]].start != start) slot = (slot + 1) & (bucketer->slots - 1);
  return slot;
}

static int grow(tmon_bucketer *bucketer) {
  size_t slots = bucketer->slots == 0 ? SLOTS_FIRST : 2 * bucketer->slots;
  if (slots / 2 > BUCKETS_MAXIMUM) return tmon_error_set(TMON_ELIMIT, "a query gives more than %zu buckets", BUCKETS_MAXIMUM);
  tmon_bucket *buckets = tmon_realloc(bucketer->buckets, slots / 2, sizeof *buckets);
  if (buckets == NULL) return tmon_error_no_memory();
  bucketer->buckets = buckets;
  uint32_t *table = tmon_alloc_zero(slots, sizeof *table);
  if (table == NULL) return tmon_error_no_memory();
  tmon_free(bucketer->table);
  bucketer->table = table;
  bucketer->slots = slots;
  for (size_t i = 0; i < slots; i++) table[i] = NONE;
  for (size_t i = 0; i < bucketer->count; i++) table[search(bucketer, buckets[i].start)] = (uint32_t)i;
  return TMON_OK;
}

static int bucket_of(tmon_bucketer *bucketer, int64_t x, tmon_bucket **out) {
  int64_t index = tmon_grid_index(x, bucketer->exponent);
  int64_t start = tmon_grid_start(index, bucketer->exponent);
  if (bucketer->count > 0 && bucketer->buckets[bucketer->last].start == start) {
    *out = &bucketer->buckets[bucketer->last];
    return TMON_OK;
  }
  if (bucketer->count == bucketer->slots / 2) {
    int rc = grow(bucketer);
    if (rc != TMON_OK) return rc;
  }
  size_t slot = search(bucketer, start);
  if (bucketer->table[slot] == NONE) {
    tmon_bucket *fresh = &bucketer->buckets[bucketer->count];
    tmon_cell_clear(fresh);
    fresh->start = start;
    fresh->end = tmon_grid_end(index, bucketer->exponent);
    bucketer->table[slot] = (uint32_t)bucketer->count++;
  }
  bucketer->last = bucketer->table[slot];
  *out = &bucketer->buckets[bucketer->last];
  return TMON_OK;
}

int tmon_bucketer_add_points(tmon_bucketer *bucketer, const tmon_point *points, size_t count) {
  if (bucketer == NULL || (points == NULL && count > 0)) return tmon_error_set(TMON_EINVAL, "bucketer and points must not be NULL");
  for (size_t i = 0; i < count; i++) {
    int64_t x = bucketer->axis == TMON_AXIS_STEP ? points[i].step : points[i].time;
    tmon_bucket *bucket;
    if (x < bucketer->from || x > bucketer->to) continue;
    int rc = bucket_of(bucketer, x, &bucket);
    if (rc != TMON_OK) return rc;
    tmon_cell_add(bucket, x, points[i].value);
  }
  return TMON_OK;
}

int tmon_bucketer_add_cells(tmon_bucketer *bucketer, const tmon_bucket *cells, size_t count) {
  if (bucketer == NULL || (cells == NULL && count > 0)) return tmon_error_set(TMON_EINVAL, "bucketer and cells must not be NULL");
  for (size_t i = 0; i < count; i++) {
    tmon_bucket *bucket;
    if (cells[i].count == 0) continue;
    if (!tmon_bucketer_takes(bucketer, cells[i].first_x, cells[i].last_x))
      return tmon_error_set(TMON_EINVAL, "a cell from %lld to %lld does not fit in one bucket of 2^%u", (long long)cells[i].first_x,
          (long long)cells[i].last_x, bucketer->exponent);
    int rc = bucket_of(bucketer, cells[i].first_x, &bucket);
    if (rc != TMON_OK) return rc;
    tmon_cell_merge(bucket, &cells[i]);
  }
  return TMON_OK;
}

bool tmon_bucketer_takes(const tmon_bucketer *bucketer, int64_t low, int64_t high) {
  return bucketer != NULL && low <= high && low >= bucketer->from && high <= bucketer->to &&
      tmon_grid_index(low, bucketer->exponent) == tmon_grid_index(high, bucketer->exponent);
}

static int compare(const void *left, const void *right) {
  int64_t a = ((const tmon_bucket *)left)->start;
  int64_t b = ((const tmon_bucket *)right)->start;
  return (a > b) - (a < b);
}

int tmon_bucketer_finish(tmon_bucketer *bucketer, tmon_bucket **buckets, size_t *count) {
  if (bucketer == NULL || buckets == NULL || count == NULL) return tmon_error_set(TMON_EINVAL, "bucketer, buckets and count must not be NULL");
  bool ascending = true;
  for (size_t i = 1; i < bucketer->count && ascending; i++) ascending = bucketer->buckets[i - 1].start < bucketer->buckets[i].start;
  /* qsort may allocate behind the allocator hook's back, and most answers need none. */
  if (!ascending) qsort(bucketer->buckets, bucketer->count, sizeof *bucketer->buckets, compare);
  *buckets = bucketer->buckets;
  *count = bucketer->count;
  tmon_free(bucketer->table);
  bucketer->buckets = NULL;
  bucketer->table = NULL;
  bucketer->count = 0;
  bucketer->slots = 0;
  return TMON_OK;
}
