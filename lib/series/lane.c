/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The hot path: one producer appends to the last block of its lane. docs/design/ring.md has the protocol. */
#include "series/lane.h"

#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"

#include <string.h>

#define NAP_US 100
#define PATIENCE_US 100000

static inline int append(tmon_lane *lane, uint64_t head, int64_t step, int64_t time, double value) {
  tmon_ring_slot *slot = lane->slot;
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  atomic_store_explicit(&slot->word, 0, memory_order_relaxed);
  /* With the acquire fence of copy_block: who sees a word of the payload sees the slot invalid, and the block as ours. */
  atomic_thread_fence(memory_order_release);
  atomic_store_explicit(&slot->time, (uint64_t)time, memory_order_relaxed);
  atomic_store_explicit(&slot->step, (uint64_t)step, memory_order_relaxed);
  atomic_store_explicit(&slot->value, bits, memory_order_relaxed);
  lane->position++;
  lane->slot = slot + 1;
  atomic_store_explicit(&slot->word, (uint64_t)(uint32_t)lane->position << 32 | head, memory_order_release); /* with copy_slot */
  /* Release, with tmon_ring_tail: from here on the point survives this process. */
  atomic_store_explicit(&lane->file->tail, lane->position, memory_order_release);
  return TMON_OK;
}

/* No block is free: waits for the drainer as long as it makes progress. 0: it made none for PATIENCE_US, now or earlier. */
static uint32_t wait_for_block(tmon_ring *ring) {
  /* Acquire, with the release of tmon_ring_release. */
  uint64_t seen = atomic_load_explicit(&ring->header->progress, memory_order_acquire);
  if (atomic_load_explicit(&ring->stalled_at, memory_order_relaxed) == seen) return 0;
  if (ring->wake != NULL) tmon_wake_signal(ring->wake);
  int64_t start = tmon_clock_monotonic_us();
  for (;;) {
    tmon_clock_sleep_us(NAP_US);
    uint32_t id = tmon_ring_take_block(ring);
    if (id != 0) return id;
    int64_t now = tmon_clock_monotonic_us();
    uint64_t progress = atomic_load_explicit(&ring->header->progress, memory_order_acquire);
    if (progress != seen) {
      seen = progress;
      start = tmon_clock_monotonic_us(); /* `now` may be long ago, where this thread had to stand still */
    } else if (now - start >= PATIENCE_US) {
      atomic_store_explicit(&ring->stalled_at, seen, memory_order_relaxed);
      return 0;
    }
  }
}

/* no_drainer: the caller drains. After a failure points are dropped for a while, instead of a try with each one. */
static uint32_t drain_for_block(tmon_ring *ring) {
  int64_t now = tmon_clock_monotonic_us();
  if (now < atomic_load_explicit(&ring->drain_again, memory_order_relaxed)) return 0;
  int error = ring->drain(ring->payload);
  uint32_t id = tmon_ring_take_block(ring);
  if (error != TMON_OK && id == 0) atomic_store_explicit(&ring->drain_again, tmon_clock_monotonic_us() + PATIENCE_US, memory_order_relaxed);
  return id;
}

/* Puts a block at the end of the lane's chain. */
static void link_block(tmon_ring *ring, tmon_lane *lane, uint32_t id) {
  tmon_ring_block *block = tmon_ring_block_of(ring, id);
  atomic_store_explicit(&block->base, lane->position, memory_order_relaxed);
  atomic_store_explicit(&block->next, 0, memory_order_relaxed);
  /* Release, with the readers' acquire: owner says that base and next are of this life. */
  atomic_store_explicit(&block->owner, lane->number + 1u, memory_order_release);
  tmon_ring_block *last = tmon_ring_block_of(ring, lane->block);
  /* Release, with the drainer's and readers' acquire of the link. From here on the drainer may give `last` back. */
  if (last != NULL) {
    atomic_store_explicit(&last->next, id, memory_order_release);
  } else {
    atomic_store_explicit(&lane->file->head, id, memory_order_release);
  }
  atomic_store_explicit(&lane->file->tail_block, id, memory_order_release);
  lane->block = id;
  lane->slot = block->slots;
  lane->end = lane->position + TMON_RING_SLOTS;
}

/* Puts a free block at the end of the lane's chain. false: there is none. */
static bool extend(tmon_ring *ring, tmon_lane *lane) {
  uint32_t id = tmon_ring_take_block(ring);
  if (id == 0) id = ring->drain != NULL ? drain_for_block(ring) : wait_for_block(ring);
  if (id == 0) return false;
  link_block(ring, lane, id);
  return true;
}

size_t tmon_ring_first_room(tmon_ring *ring) {
  tmon_lane *lane = &ring->set->lanes[0];
  if (lane->position == lane->end) {
    uint32_t id = tmon_ring_take_block(ring);
    if (id == 0) {
      id = ring->spare;
      ring->spare = 0;
    }
    if (id != 0) link_block(ring, lane, id);
  }
  return (size_t)(lane->end - lane->position);
}

void tmon_ring_write_first(tmon_ring *ring, const tmon_slot *slot) {
  uint64_t head = (uint64_t)slot->kind << 24 | slot->metric;
  (void)append(&ring->set->lanes[0], head, slot->point.step, slot->point.time, slot->point.value);
}

static int append_extending(tmon_ring *ring, tmon_lane *lane, uint64_t head, int64_t step, int64_t time, double value) {
  if (lane->position != lane->end || extend(ring, lane)) return append(lane, head, step, time, value);
  uint64_t dropped = atomic_fetch_add_explicit(&ring->header->dropped, 1, memory_order_relaxed) + 1;
  const char *why = ring->drain != NULL ? "draining it has failed" : "nothing was drained for 100 ms";
  return tmon_error_set(TMON_EDROPPED, "the ring is full and %s: %llu points dropped", why, (unsigned long long)dropped);
}

/* Never inlined: its saved registers would cost the hot path a nanosecond. */
__attribute__((noinline, cold)) static int write_slowly(tmon_ring *ring, uint64_t head, int64_t step, int64_t time, double value) {
  tmon_lane *lane = tmon_lane_find(ring);
  if (lane->number != TMON_RING_SHARED) return append_extending(ring, lane, head, step, time, value);
  tmon_mutex_lock(ring->set->mutex);
  int error = append_extending(ring, lane, head, step, time, value);
  tmon_mutex_unlock(ring->set->mutex);
  return error;
}

__attribute__((noinline, cold)) static int refuse(const tmon_ring *ring, tmon_slot_kind kind, uint32_t metric) {
  if (ring == NULL) return tmon_error_set(TMON_EINVAL, "ring is NULL");
  return tmon_error_set(TMON_EINVAL, "metric %u, kind %d: no such metric of this ring", metric, (int)kind);
}

int tmon_ring_write(tmon_ring *ring, tmon_slot_kind kind, uint32_t metric, int64_t step, int64_t time, double value) {
  if (ring == NULL || metric - 1u >= atomic_load_explicit(&ring->metrics, memory_order_relaxed) || (uint32_t)kind > TMON_SLOT_EPOCH)
    return refuse(ring, kind, metric);
  uint64_t head = (uint64_t)kind << 24 | metric;
  const tmon_lane_cache *cache = &tmon_lane_cached;
  if (cache->generation == ring->generation && cache->lane->position != cache->lane->end) return append(cache->lane, head, step, time, value);
  return write_slowly(ring, head, step, time, value);
}

void tmon_ring_set_drained_by_caller(tmon_ring *ring, int (*drain)(void *), void *payload) {
  if (ring == NULL) return;
  ring->drain = drain;
  ring->payload = payload;
}
