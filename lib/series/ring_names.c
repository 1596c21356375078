/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The metric dictionary of a ring. The writing process looks names up in a hash table of its own; readers go by number through the file. */
#include "series/ring_private.h"

#include "util/alloc.h"
#include "util/error.h"
#include "util/text.h"

#include <string.h>

/* FNV-1a, 32 bit (Fowler, Noll, Vo): names are short and few, and come from the training program itself. */
static uint32_t hash_of(const char *key, size_t length) {
  uint32_t hash = UINT32_C(2166136261);
  for (size_t i = 0; i < length; i++) hash = (hash ^ (uint8_t)key[i]) * UINT32_C(16777619);
  return hash;
}

static _Atomic uint64_t *entry_of(const tmon_ring *ring, uint32_t id) {
  size_t end = ring->geometry.dictionary_bytes;
  return (_Atomic uint64_t *)(void *)(ring->dictionary + end - (size_t)id * sizeof(uint64_t));
}

/* The place of the key, or the empty one where it belongs. */
static tmon_ring_name *find_name(const tmon_ring *ring, const char *key, size_t length, uint32_t hash) {
  uint32_t mask = ring->name_capacity - 1;
  for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
    tmon_ring_name *name = &ring->names[i];
    if (name->id == 0) return name;
    if (name->hash == hash && name->length == length && memcmp(ring->dictionary + name->offset, key, length) == 0) return name;
  }
}

static int grow_names(tmon_ring *ring) {
  uint32_t count = atomic_load_explicit(&ring->metrics, memory_order_relaxed);
  if (count + 1 <= ring->name_capacity / 2) return TMON_OK;
  uint32_t capacity = ring->name_capacity == 0 ? 64 : ring->name_capacity * 2;
  tmon_ring_name *names = tmon_alloc_zero(capacity, sizeof *names);
  if (names == NULL) return tmon_error_no_memory();
  for (uint32_t i = 0; i < ring->name_capacity; i++) {
    if (ring->names[i].id == 0) continue;
    uint32_t at = ring->names[i].hash & (capacity - 1);
    while (names[at].id != 0) at = (at + 1) & (capacity - 1);
    names[at] = ring->names[i];
  }
  tmon_free(ring->names);
  ring->names = names;
  ring->name_capacity = capacity;
  return TMON_OK;
}

/* Under the mutex. */
static int add_name(tmon_ring *ring, tmon_ring_name *place, const char *key, size_t length, uint32_t hash) {
  uint32_t id = atomic_load_explicit(&ring->metrics, memory_order_relaxed) + 1;
  if (id > TMON_RING_MAX_METRIC || ring->name_bytes + length + (size_t)id * sizeof(uint64_t) > ring->geometry.dictionary_bytes)
    return tmon_error_set(TMON_ELIMIT, "the ring has no room for metric %u, of %zu bytes", id, length);
  *place = (tmon_ring_name){.hash = hash, .id = id, .offset = ring->name_bytes, .length = (uint32_t)length};
  memcpy(ring->dictionary + ring->name_bytes, key, length);
  atomic_store_explicit(entry_of(ring, id), (uint64_t)ring->name_bytes << 16 | length, memory_order_relaxed);
  ring->name_bytes += (uint32_t)length;
  /* Release, with the acquire in tmon_ring_metrics: bytes and entry are there once the count is. */
  atomic_store_explicit(&ring->header->metrics, id, memory_order_release);
  atomic_store_explicit(&ring->metrics, id, memory_order_relaxed);
  return TMON_OK;
}

int tmon_ring_metric(tmon_ring *ring, const char *key, uint32_t *id) {
  if (ring == NULL || id == NULL || ring->generation == 0) return tmon_error_set(TMON_EINVAL, "no ring that this process writes");
  *id = 0;
  if (key == NULL || !tmon_text_is_key(key)) return tmon_error_set(TMON_EINVAL, "metric name is not UTF-8 of 1 to 250 bytes without control characters");
  size_t length = strlen(key);
  uint32_t hash = hash_of(key, length);
  tmon_mutex_lock(ring->mutex);
  int error = grow_names(ring);
  if (error == TMON_OK) {
    tmon_ring_name *place = find_name(ring, key, length, hash);
    if (place->id == 0) error = add_name(ring, place, key, length, hash);
    if (error == TMON_OK) *id = place->id;
  }
  tmon_mutex_unlock(ring->mutex);
  return error;
}

uint32_t tmon_ring_metrics(const tmon_ring *ring) {
  if (ring == NULL) return 0;
  uint32_t count = atomic_load_explicit(&ring->header->metrics, memory_order_acquire);
  size_t room = ring->geometry.dictionary_bytes / (sizeof(uint64_t) + 1); /* a name has at least one byte */
  return count > room ? (uint32_t)room : count;
}

int tmon_ring_key(char out[256], const tmon_ring *ring, uint32_t id) {
  out[0] = '\0';
  uint32_t count = tmon_ring_metrics(ring);
  if (id == 0 || id > count) return tmon_error_set(TMON_ECORRUPT, "metric %u of a ring that has %u", id, count);
  uint64_t entry = atomic_load_explicit(entry_of(ring, id), memory_order_relaxed);
  uint64_t offset = entry >> 16;
  size_t length = entry & 0xffff;
  size_t room = ring->geometry.dictionary_bytes - (size_t)count * sizeof(uint64_t);
  if (length == 0 || length > TMON_RING_KEY_BYTES || offset > room || length > room - offset)
    return tmon_error_set(TMON_ECORRUPT, "name of metric %u: %zu bytes at %llu", id, length, (unsigned long long)offset);
  memcpy(out, ring->dictionary + offset, length);
  out[length] = '\0';
  if (strlen(out) == length && tmon_text_is_key(out)) return TMON_OK;
  out[0] = '\0';
  return tmon_error_set(TMON_ECORRUPT, "name of metric %u is no name", id);
}
