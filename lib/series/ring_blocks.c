/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Blocks of a ring: where they lie, how they are taken and given back. */
#include "series/ring_private.h"

static size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }

bool tmon_ring_geometry_of(tmon_ring_geometry *out, size_t bytes) {
  if (bytes < TMON_RING_MINIMUM || bytes > TMON_RING_MAXIMUM || bytes % TMON_RING_PAGE != 0) return false;
  out->lanes_offset = TMON_RING_PAGE;
  out->bitmap_offset = out->lanes_offset + TMON_RING_LANES * sizeof(tmon_ring_lane);
  /* One bit for every page of the file: more than there are blocks, and it spares a circular sum. */
  out->bitmap_words = (bytes / TMON_RING_PAGE + 63) / 64;
  out->dictionary_offset = round_up(out->bitmap_offset + out->bitmap_words * sizeof(uint64_t), 64);
  out->dictionary_bytes = bytes / 8;
  out->blocks_offset = round_up(out->dictionary_offset + out->dictionary_bytes, TMON_RING_PAGE);
  out->block_count = (uint32_t)((bytes - out->blocks_offset) / sizeof(tmon_ring_block));
  return true;
}

tmon_ring_block *tmon_ring_block_of(const tmon_ring *ring, uint32_t id) { return id - 1u < ring->block_count ? &ring->blocks[id - 1u] : NULL; }

/* The bit that makes `word` a usable one, 64 when it has none free within the ring. */
static unsigned free_bit(const tmon_ring *ring, size_t word, uint64_t bits) {
  for (unsigned bit = 0; bit < 64; bit++) {
    if (word * 64 + bit >= ring->block_count) break;
    if ((bits & UINT64_C(1) << bit) == 0) return bit;
  }
  return 64;
}

static void count_taken(tmon_ring *ring) {
  uint32_t used = atomic_fetch_add_explicit(&ring->header->used, 1, memory_order_relaxed) + 1;
  if (used == ring->block_count / 2 && ring->wake != NULL) tmon_wake_signal(ring->wake);
}

uint32_t tmon_ring_take_block(tmon_ring *ring) {
  size_t words = ((size_t)ring->block_count + 63) / 64;
  size_t first = atomic_load_explicit(&ring->hint, memory_order_relaxed) % words;
  for (size_t i = 0; i < words; i++) {
    size_t word = (first + i) % words;
    uint64_t bits = atomic_load_explicit(&ring->bitmap[word], memory_order_relaxed);
    for (unsigned bit = free_bit(ring, word, bits); bit < 64; bit = free_bit(ring, word, bits)) {
      uint64_t mask = UINT64_C(1) << bit;
      /* Acquire, with the release of give_back: the drainer is done with the block. */
      bits = atomic_fetch_or_explicit(&ring->bitmap[word], mask, memory_order_acquire);
      if ((bits & mask) == 0) {
        atomic_store_explicit(&ring->hint, (uint32_t)word, memory_order_relaxed);
        count_taken(ring);
        return (uint32_t)(word * 64 + bit + 1);
      }
    }
  }
  return 0;
}

static void give_back(tmon_ring *ring, uint32_t id) {
  uint64_t mask = UINT64_C(1) << ((id - 1u) % 64);
  uint64_t bits = atomic_fetch_and_explicit(&ring->bitmap[(id - 1u) / 64], ~mask, memory_order_release);
  if ((bits & mask) != 0) atomic_fetch_sub_explicit(&ring->header->used, 1, memory_order_relaxed);
}

/* Gives the oldest block back when all its slots lie before `position` and another one follows it. */
static bool release_head(tmon_ring *ring, unsigned lane, uint64_t position) {
  tmon_ring_lane *file = &ring->lanes[lane];
  uint32_t id = atomic_load_explicit(&file->head, memory_order_acquire); /* with the producer's first store of head */
  tmon_ring_block *block = tmon_ring_block_of(ring, id);
  if (block == NULL || atomic_load_explicit(&block->owner, memory_order_relaxed) != lane + 1u) return false;
  uint64_t base = atomic_load_explicit(&block->base, memory_order_relaxed);
  uint32_t next = atomic_load_explicit(&block->next, memory_order_acquire); /* with the producer's link */
  if (position < base || position - base < TMON_RING_SLOTS || next == id || tmon_ring_block_of(ring, next) == NULL) return false;
  atomic_store_explicit(&file->head, next, memory_order_release);
  atomic_store_explicit(&block->owner, 0, memory_order_relaxed); /* before the bit: the next owner must not be overwritten */
  /* Threads that wait for a block would take it at once, and lane 0 would have no room as long as they fill the ring. */
  if (lane == 0 && ring->first_kept && ring->spare == 0) ring->spare = id;
  else give_back(ring, id);
  return true;
}

void tmon_ring_release(tmon_ring *ring, unsigned lane, uint64_t position) {
  if (ring == NULL || !ring->writable || lane >= TMON_RING_LANES) return;
  tmon_ring_lane *file = &ring->lanes[lane];
  uint64_t tail = atomic_load_explicit(&file->tail, memory_order_acquire);
  if (position > tail) position = tail;
  bool moved = false;
  if (position > atomic_load_explicit(&file->drained, memory_order_relaxed)) {
    atomic_store_explicit(&file->drained, position, memory_order_release);
    moved = true;
  }
  for (uint32_t i = 0; i < ring->block_count && release_head(ring, lane, position); i++) moved = true;
  /* Release, with the acquire of a waiting producer. */
  if (moved) atomic_fetch_add_explicit(&ring->header->progress, 1, memory_order_release);
}

double tmon_ring_fill(const tmon_ring *ring) {
  if (ring == NULL) return 0;
  double fill = (double)atomic_load_explicit(&ring->header->used, memory_order_relaxed) / (double)ring->block_count;
  return fill > 1 ? 1 : fill;
}
