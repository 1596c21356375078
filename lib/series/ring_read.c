/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reading lanes. Nothing in the file is believed: ids are checked, chains must have ascending bases, so that every loop ends.
 *
 * A reader takes no part in the life of blocks: it copies and then looks whether the block still was what it had been before. A lane never has the same
 * base twice, so owner and base together name one life of a block. */
#include "series/ring_private.h"

#include <string.h>

uint64_t tmon_ring_tail(const tmon_ring *ring, unsigned lane) {
  /* Acquire, with the release of the producer: all slots before the tail are whole. */
  return ring == NULL || lane >= TMON_RING_LANES ? 0 : atomic_load_explicit(&ring->lanes[lane].tail, memory_order_acquire);
}

uint64_t tmon_ring_drained(const tmon_ring *ring, unsigned lane) {
  return ring == NULL || lane >= TMON_RING_LANES ? 0 : atomic_load_explicit(&ring->lanes[lane].drained, memory_order_acquire);
}

static bool is_block(tmon_ring_block *block, unsigned lane, uint64_t base) {
  return block != NULL && atomic_load_explicit(&block->owner, memory_order_acquire) == lane + 1u &&
      atomic_load_explicit(&block->base, memory_order_acquire) == base;
}

typedef enum { FOUND, GONE, AGAIN } tmon_ring_search;

/* The block that holds `position`. GONE only when the oldest block begins later; AGAIN when the chain moved (or lies). */
static tmon_ring_search find_block(tmon_ring_block **out, uint64_t *out_base, const tmon_ring *ring, unsigned lane, uint64_t position) {
  tmon_ring_lane *file = &ring->lanes[lane];
  tmon_ring_block *block = tmon_ring_block_of(ring, atomic_load_explicit(&file->tail_block, memory_order_acquire));
  for (uint32_t i = 0; i <= ring->block_count; i++) {
    bool shortcut = i == 0;
    if (i == 1) block = tmon_ring_block_of(ring, atomic_load_explicit(&file->head, memory_order_acquire));
    if (block == NULL || atomic_load_explicit(&block->owner, memory_order_acquire) != lane + 1u) {
      if (shortcut) continue;
      return AGAIN;
    }
    uint64_t base = atomic_load_explicit(&block->base, memory_order_relaxed);
    uint32_t next = atomic_load_explicit(&block->next, memory_order_acquire);
    atomic_thread_fence(memory_order_acquire); /* base and next were read before the second look at the owner */
    if (!is_block(block, lane, base)) {
      if (shortcut) continue;
      return AGAIN;
    }
    if (position >= base && position - base < TMON_RING_SLOTS) {
      *out = block;
      *out_base = base;
      return FOUND;
    }
    if (shortcut) continue;
    if (position < base) return i == 1 ? GONE : AGAIN;
    block = tmon_ring_block_of(ring, next);
    if (!is_block(block, lane, base + TMON_RING_SLOTS)) return AGAIN;
  }
  return AGAIN;
}

/* false for a slot that no writer can have left. */
static bool copy_slot(tmon_slot *out, tmon_ring_slot *slot, uint64_t position) {
  uint64_t word = atomic_load_explicit(&slot->word, memory_order_acquire); /* with the producer's release of the word */
  uint64_t time = atomic_load_explicit(&slot->time, memory_order_relaxed);
  uint64_t step = atomic_load_explicit(&slot->step, memory_order_relaxed);
  uint64_t value = atomic_load_explicit(&slot->value, memory_order_relaxed);
  uint32_t kind = (uint32_t)(word >> 24) & 0xffu;
  uint32_t metric = (uint32_t)word & TMON_RING_MAX_METRIC;
  if ((uint32_t)(word >> 32) != (uint32_t)(position + 1) || kind > TMON_SLOT_EPOCH || metric == 0) return false;
  out->metric = metric;
  out->kind = (tmon_slot_kind)kind;
  out->point.time = (int64_t)time;
  out->point.step = (int64_t)step;
  memcpy(&out->point.value, &value, sizeof value);
  return true;
}

/* Copies what one block has from `*position` on. false: the block went to another life meanwhile, nothing counts. */
static bool copy_block(
    tmon_slot *out, size_t *count, size_t capacity, uint64_t *position, tmon_ring_block *block, unsigned lane, uint64_t base, uint64_t tail) {
  uint64_t at = *position;
  size_t copied = 0;
  while (at < tail && at - base < TMON_RING_SLOTS && copied < capacity) {
    if (copy_slot(&out[copied], &block->slots[at - base], at)) copied++;
    at++;
  }
  /* With the producer's fence after it made the block its own: who saw a later payload sees the later owner or base. */
  atomic_thread_fence(memory_order_acquire);
  if (!is_block(block, lane, base)) return false;
  *count = copied;
  *position = at;
  return true;
}

/* Copies from the block at `base` and those that follow it. */
static size_t copy_chain(
    const tmon_ring *ring, unsigned lane, uint64_t *position, tmon_slot *out, size_t capacity, tmon_ring_block *block, uint64_t base, uint64_t tail) {
  size_t copied = 0;
  while (copied < capacity && *position < tail) {
    size_t count = 0;
    uint32_t next = atomic_load_explicit(&block->next, memory_order_acquire);
    if (!copy_block(out + copied, &count, capacity - copied, position, block, lane, base, tail)) break;
    copied += count;
    if (*position - base < TMON_RING_SLOTS) break;
    base += TMON_RING_SLOTS;
    block = tmon_ring_block_of(ring, next);
    if (!is_block(block, lane, base)) break;
  }
  return copied;
}

size_t tmon_ring_read(const tmon_ring *ring, unsigned lane, uint64_t *position, tmon_slot *out, size_t capacity, bool *lapped) {
  *lapped = false;
  uint64_t tail = tmon_ring_tail(ring, lane);
  uint64_t start = *position;
  if (capacity == 0 || start >= tail) return 0;
  for (int attempt = 0; attempt < 64; attempt++) {
    tmon_ring_block *block = NULL;
    uint64_t base = 0;
    tmon_ring_search search = find_block(&block, &base, ring, lane, start);
    if (search == GONE) break;
    if (search == AGAIN) continue;
    size_t copied = copy_chain(ring, lane, position, out, capacity, block, base, tail);
    if (*position != start) return copied;
  }
  *lapped = true;
  return 0;
}
