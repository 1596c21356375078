/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Handing lanes to threads and taking them back.
 *
 * A thread keeps a list of the lanes it holds, one for each ring it logs to, and returns them when it exits. The lanes live in counted memory that the
 * ring and those threads share, so neither has to know whether the other still exists, and no registry or lock is needed. Rejected: lanes taken
 * by a CAS in the file, because a thread that exits in a forked child would return a lane of its parent. */
#include "series/lane.h"

#include "util/alloc.h"
#include "util/error.h"

/* The one place outside util that needs POSIX threads: the destructor of a key is the only hook at the exit of a thread that is not ours. */
#include <pthread.h>

typedef struct tmon_lane_hold {
  struct tmon_lane_hold *next;
  tmon_lane_set *set;
  tmon_lane *lane;
} tmon_lane_hold;

_Thread_local tmon_lane_cache tmon_lane_cached;
static _Thread_local tmon_lane_hold *holds;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;

static void set_unref(tmon_lane_set *set) {
  /* Acquire and release: the last one sees all that the others did to the set. */
  if (atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel) != 1) return;
  tmon_mutex_free(set->mutex);
  tmon_free(set->memory);
}

static void hold_free(tmon_lane_hold *hold) {
  /* Release, with the acquire in take_lane: the next owner goes on where this one stood. */
  if (hold->lane->number != TMON_RING_SHARED) atomic_store_explicit(&hold->lane->taken, 0, memory_order_release);
  set_unref(hold->set);
  tmon_free(hold);
}

static void thread_exits(void *unused) {
  (void)unused;
  tmon_lane_cached = (tmon_lane_cache){0};
  while (holds != NULL) {
    tmon_lane_hold *hold = holds;
    holds = hold->next;
    hold_free(hold);
  }
}

static void make_key(void) { key_made = pthread_key_create(&key, thread_exits) == 0; }

/* Drops what this thread holds of rings that are closed. */
static void prune(void) {
  tmon_lane_hold **link = &holds;
  while (*link != NULL) {
    tmon_lane_hold *hold = *link;
    if (atomic_load_explicit(&hold->set->closed, memory_order_relaxed)) {
      *link = hold->next;
      hold_free(hold);
    } else {
      link = &hold->next;
    }
  }
}

static tmon_lane *take_lane(tmon_lane_set *set) {
  for (uint32_t i = 0; i < set->private_lanes; i++) {
    uint32_t expected = 0;
    tmon_lane *lane = &set->lanes[i];
    if (atomic_load_explicit(&lane->taken, memory_order_relaxed) != 0) continue;
    /* Acquire, with the release in hold_free. */
    if (atomic_compare_exchange_strong_explicit(&lane->taken, &expected, 1, memory_order_acquire, memory_order_relaxed)) return lane;
  }
  return &set->lanes[TMON_RING_SHARED];
}

/* Makes this thread a holder; the shared lane, unrecorded, where that fails. */
static tmon_lane *hold_lane(tmon_lane_set *set) {
  tmon_lane *shared = &set->lanes[TMON_RING_SHARED];
  if (pthread_once(&key_once, make_key) != 0 || !key_made || pthread_setspecific(key, &holds) != 0) return shared;
  tmon_lane_hold *hold = tmon_alloc(sizeof *hold);
  if (hold == NULL) return shared;
  *hold = (tmon_lane_hold){.next = holds, .set = set, .lane = take_lane(set)};
  atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
  atomic_store_explicit(&hold->lane->file->taken, 1, memory_order_relaxed);
  holds = hold;
  return hold->lane;
}

tmon_lane *tmon_lane_find(tmon_ring *ring) {
  tmon_lane *lane = NULL;
  for (tmon_lane_hold *hold = holds; hold != NULL && lane == NULL; hold = hold->next) {
    if (hold->set == ring->set) lane = hold->lane;
  }
  if (lane == NULL) {
    prune();
    lane = hold_lane(ring->set);
  }
  if (lane->number != TMON_RING_SHARED) tmon_lane_cached = (tmon_lane_cache){.generation = ring->generation, .lane = lane};
  return lane;
}

int tmon_lane_set_make(tmon_ring *ring) {
  void *memory = tmon_alloc_zero(1, sizeof(tmon_lane_set) + 64);
  if (memory == NULL) return tmon_error_no_memory();
  tmon_lane_set *set = (tmon_lane_set *)(void *)(((uintptr_t)memory + 63) & ~(uintptr_t)63);
  int error = tmon_mutex_make(&set->mutex);
  if (error != TMON_OK) {
    tmon_free(memory);
    return error;
  }
  set->memory = memory;
  atomic_init(&set->references, 1);
  /* Each lane keeps its last block for good, so few blocks mean few lanes: idle ones may hold an eighth of the ring, not more. */
  uint32_t lanes = ring->block_count / 8;
  set->private_lanes = lanes < TMON_RING_SHARED ? lanes : TMON_RING_SHARED;
  for (uint32_t i = 0; i < TMON_RING_LANES; i++) {
    set->lanes[i].number = i;
    set->lanes[i].file = &ring->lanes[i];
  }
  ring->set = set;
  return TMON_OK;
}

void tmon_ring_keep_first(tmon_ring *ring) {
  atomic_store_explicit(&ring->set->lanes[0].taken, 1, memory_order_relaxed);
  atomic_store_explicit(&ring->lanes[0].taken, 1, memory_order_relaxed);
  /* With a block from the start and a spare one there is always one that can be given back. */
  (void)tmon_ring_first_room(ring);
  ring->spare = tmon_ring_take_block(ring);
  ring->first_kept = true;
}

void tmon_lane_set_close(tmon_ring *ring) {
  tmon_lane_set *set = ring->set;
  atomic_store_explicit(&set->closed, true, memory_order_relaxed);
  if (tmon_lane_cached.generation == ring->generation) tmon_lane_cached = (tmon_lane_cache){0};
  prune();
  set_unref(set);
  ring->set = NULL;
}
