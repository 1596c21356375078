/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Ring files: made, opened, closed, dropped in a forked child. */
#include "series/ring_private.h"

#include "util/alloc.h"
#include "util/error.h"
#include "util/file.h"
#include "util/text.h"

#include <string.h>

static _Atomic uint64_t last_generation;

static void attach(tmon_ring *ring) {
  uint8_t *data = ring->mapping.data;
  tmon_ring_geometry_of(&ring->geometry, ring->mapping.size);
  ring->header = (tmon_ring_header *)(void *)data;
  ring->lanes = (tmon_ring_lane *)(void *)(data + ring->geometry.lanes_offset);
  ring->bitmap = (_Atomic uint64_t *)(void *)(data + ring->geometry.bitmap_offset);
  ring->dictionary = data + ring->geometry.dictionary_offset;
  ring->blocks = (tmon_ring_block *)(void *)(data + ring->geometry.blocks_offset);
  ring->block_count = ring->geometry.block_count;
}

static tmon_ring *ring_new(void) {
  tmon_ring *ring = tmon_alloc_zero(1, sizeof *ring);
  if (ring == NULL) {
    tmon_error_no_memory();
    return NULL;
  }
  ring->lock.fd = -1;
  atomic_init(&ring->stalled_at, UINT64_MAX);
  return ring;
}

/* Frees memory, mapping and descriptors; touches no lock and no lane. */
static void ring_drop(tmon_ring *ring) {
  if (ring->mapping.data != NULL) tmon_map_close(&ring->mapping);
  tmon_lock_close(&ring->lock);
  tmon_mutex_free(ring->mutex);
  tmon_free(ring->names);
  tmon_free(ring);
}

static void write_header(tmon_ring *ring) {
  tmon_ring_header *header = ring->header;
  const tmon_ring_identity *identity = &ring->identity;
  header->endian = TMON_RING_ENDIAN;
  header->major = TMON_RING_MAJOR;
  header->minor = TMON_RING_MINOR;
  header->header_bytes = TMON_RING_PAGE;
  header->total_bytes = ring->mapping.size;
  header->lane_count = TMON_RING_LANES;
  header->block_bytes = (uint32_t)sizeof(tmon_ring_block);
  header->block_count = ring->block_count;
  header->dictionary_offset = ring->geometry.dictionary_offset;
  header->dictionary_bytes = ring->geometry.dictionary_bytes;
  header->blocks_offset = ring->geometry.blocks_offset;
  memcpy(header->ring, identity->ring, 16);
  memcpy(header->session, identity->session, 16);
  header->pid = identity->process.pid;
  header->start_ticks = identity->process.start_ticks;
  memcpy(header->boot_id, identity->process.boot_id, sizeof identity->process.boot_id);
  memcpy(header->host, identity->process.host, sizeof identity->process.host);
  /* Release, with the acquire in read_header. */
  atomic_store_explicit(&header->magic, TMON_RING_MAGIC, memory_order_release);
}

/* The lock sits on a descriptor of its own, opened by path: make sure that this is the file just made. */
static int take_liveness_lock(tmon_ring *ring, const char *path) {
  int error = tmon_lock_open(&ring->lock, path, false);
  if (error != TMON_OK) return error;
  /* Nobody knows the path yet but who lists the folder; a stranger that tries the lock gets a second to let it go. */
  error = tmon_lock_acquire(&ring->lock, 1000000);
  if (error != TMON_OK) return error;
  uint64_t device = 0;
  uint64_t inode = 0;
  error = tmon_file_identity(path, &device, &inode);
  if (error != TMON_OK) return error;
  if (device != ring->mapping.device || inode != ring->mapping.inode) return tmon_error_set(TMON_EIO, "ring file %s was replaced while it was made", path);
  return TMON_OK;
}

int tmon_ring_create(tmon_ring **out, const char *path, const uint8_t ring_id[16], const uint8_t session[16], size_t bytes, tmon_wake *wake) {
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  if (path == NULL || ring_id == NULL || session == NULL) return tmon_error_set(TMON_EINVAL, "path or id of a ring is NULL");
  if (bytes < TMON_RING_MINIMUM || bytes > TMON_RING_MAXIMUM)
    return tmon_error_set(TMON_EINVAL, "ring of %zu bytes: expected %u to %u", bytes, TMON_RING_MINIMUM, TMON_RING_MAXIMUM);
  bytes = (bytes + TMON_RING_PAGE - 1) / TMON_RING_PAGE * TMON_RING_PAGE;
  bool made = false;
  tmon_ring *ring = ring_new();
  if (ring == NULL) return TMON_ENOMEM;
  int error = tmon_process_self(&ring->identity.process);
  if (error == TMON_OK) error = tmon_mutex_make(&ring->mutex);
  if (error != TMON_OK) goto out;
  error = tmon_map_create(&ring->mapping, path, bytes);
  if (error != TMON_OK) goto out;
  made = true;
  error = take_liveness_lock(ring, path);
  if (error != TMON_OK) goto out;
  attach(ring);
  ring->writable = true;
  ring->wake = wake;
  ring->generation = atomic_fetch_add_explicit(&last_generation, 1, memory_order_relaxed) + 1;
  error = tmon_lane_set_make(ring);
  if (error != TMON_OK) goto out;
  memcpy(ring->identity.ring, ring_id, 16);
  memcpy(ring->identity.session, session, 16);
  ring->identity.device = ring->mapping.device;
  ring->identity.inode = ring->mapping.inode;
  write_header(ring);
  *out = ring;
  ring = NULL;
out:
  if (ring != NULL) {
    ring_drop(ring);
    if (made) (void)tmon_file_remove(path);
  }
  return error;
}

static bool is_text(char *out, size_t size, const char *text, size_t text_size) {
  memcpy(out, text, size < text_size ? size : text_size);
  out[size - 1] = '\0';
  return tmon_text_is_utf8(out, strlen(out));
}

/* Checks all that the header claims and copies the identity, so that it is not looked at twice. */
static int read_header(tmon_ring *ring, const char *path) {
  const tmon_ring_header *header = ring->header;
  uint64_t magic = atomic_load_explicit(&header->magic, memory_order_acquire);
  if (magic != TMON_RING_MAGIC) return tmon_error_set(TMON_ECORRUPT, "%s is no ring file: magic %016llx", path, (unsigned long long)magic);
  if (header->endian != TMON_RING_ENDIAN) return tmon_error_set(TMON_ECORRUPT, "%s has byte order %08x", path, header->endian);
  if (header->major != TMON_RING_MAJOR) return tmon_error_set(TMON_EVERSION, "%s has ring version %u, expected %u", path, header->major, TMON_RING_MAJOR);
  if (header->header_bytes != TMON_RING_PAGE || header->total_bytes != ring->mapping.size || header->lane_count != TMON_RING_LANES ||
      header->block_bytes != sizeof(tmon_ring_block) || header->block_count != ring->block_count ||
      header->dictionary_offset != ring->geometry.dictionary_offset || header->dictionary_bytes != ring->geometry.dictionary_bytes ||
      header->blocks_offset != ring->geometry.blocks_offset)
    return tmon_error_set(TMON_ECORRUPT, "%s: the header does not describe a ring of %zu bytes", path, ring->mapping.size);
  tmon_ring_identity *identity = &ring->identity;
  memcpy(identity->ring, header->ring, 16);
  memcpy(identity->session, header->session, 16);
  identity->process.pid = header->pid;
  identity->process.start_ticks = header->start_ticks;
  identity->device = ring->mapping.device;
  identity->inode = ring->mapping.inode;
  if (identity->process.pid <= 0 || !is_text(identity->process.boot_id, sizeof identity->process.boot_id, header->boot_id, sizeof header->boot_id) ||
      !is_text(identity->process.host, sizeof identity->process.host, header->host, sizeof header->host))
    return tmon_error_set(TMON_ECORRUPT, "%s: the header names no process", path);
  return TMON_OK;
}

int tmon_ring_open(tmon_ring **out, const char *path, bool writable) {
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  if (path == NULL) return tmon_error_set(TMON_EINVAL, "path of a ring is NULL");
  tmon_ring *ring = ring_new();
  if (ring == NULL) return TMON_ENOMEM;
  int error = tmon_mutex_make(&ring->mutex);
  if (error != TMON_OK) goto out;
  error = tmon_map_open(&ring->mapping, path, writable, TMON_RING_MINIMUM, TMON_RING_MAXIMUM);
  if (error != TMON_OK) goto out;
  if (ring->mapping.size % TMON_RING_PAGE != 0) {
    error = tmon_error_set(TMON_ECORRUPT, "%s has %zu bytes, no multiple of %u", path, ring->mapping.size, TMON_RING_PAGE);
    goto out;
  }
  attach(ring);
  ring->writable = writable;
  error = read_header(ring, path);
  if (error != TMON_OK) goto out;
  *out = ring;
  ring = NULL;
out:
  if (ring != NULL) ring_drop(ring);
  return error;
}

void tmon_ring_close(tmon_ring *ring) {
  if (ring == NULL) return;
  if (ring->set != NULL) tmon_lane_set_close(ring);
  ring_drop(ring);
}

void tmon_ring_forget(tmon_ring *ring) {
  if (ring == NULL) return;
  /* The same as closing: lanes lie in the child's own copy of the memory, the lock's descriptor is closed and never unlocked, and no mutex is taken. */
  tmon_ring_close(ring);
}

bool tmon_ring_is_whole(const tmon_ring *ring) { return ring != NULL && tmon_map_is_whole(&ring->mapping); }

void tmon_ring_let_go(tmon_ring *ring) {
  if (ring != NULL) tmon_lock_close(&ring->lock);
}

int tmon_ring_is_alive(const char *path, bool *alive) {
  if (path == NULL || alive == NULL) return tmon_error_set(TMON_EINVAL, "path or alive is NULL");
  tmon_lock lock = {.fd = -1};
  int error = tmon_lock_open(&lock, path, false);
  if (error != TMON_OK) return error;
  error = tmon_lock_is_held(&lock, alive);
  tmon_lock_close(&lock);
  return error;
}

void tmon_ring_get_identity(tmon_ring_identity *out, const tmon_ring *ring) {
  if (out == NULL) return;
  memset(out, 0, sizeof *out);
  if (ring != NULL) *out = ring->identity;
}
