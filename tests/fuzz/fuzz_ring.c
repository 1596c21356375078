/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fuzz target: any bytes as a ring file. Inputs are padded with zeros to the smallest ring, so that a corpus need not carry empty blocks. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "series/ring_format.h"
#include "trainmon/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_words(tmon_ring *ring) {
  tmon_ring_identity identity;
  tmon_progress progress;
  tmon_status status;
  int64_t time;
  tmon_ring_get_identity(&identity, ring);
  (void)tmon_ring_progress(&progress, ring);
  (void)tmon_ring_final(ring, &status, &time);
  (void)tmon_ring_waiting(ring);
  (void)tmon_ring_heartbeat(ring);
  (void)tmon_ring_dropped(ring);
  if (tmon_ring_control(ring) > TMON_CONTROL_STOP) abort();
  double fill = tmon_ring_fill(ring);
  if (!(fill >= 0 && fill <= 1)) abort();
}

static void read_names(tmon_ring *ring) {
  uint32_t count = tmon_ring_metrics(ring);
  char key[256];
  for (uint32_t id = 0; id <= count; id++) (void)tmon_ring_key(key, ring, id);
}

static void read_lane(tmon_ring *ring, unsigned lane, uint64_t position) {
  static tmon_slot slots[200];
  uint64_t before = position;
  bool lapped = false;
  for (;;) {
    size_t count = tmon_ring_read(ring, lane, &position, slots, 200, &lapped);
    if (position < before || position - before < count || (lapped && position != before)) abort();
    for (size_t i = 0; i < count; i++) {
      if (slots[i].metric == 0 || slots[i].kind > TMON_SLOT_EPOCH) abort();
    }
    if (position == before) break;
    before = position;
  }
  tmon_ring_release(ring, lane, position);
  tmon_ring_release(ring, lane, UINT64_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char path[64];
  if (size > 4 * TMON_RING_MINIMUM) return 0;
  const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(path, sizeof path, "%s/trainmon-fuzz-ring-XXXXXX", folder);
  int fd = mkstemp(path);
  if (fd < 0) return 0;
  off_t whole = size < TMON_RING_MINIMUM ? (off_t)TMON_RING_MINIMUM : (off_t)size;
  tmon_ring *ring = NULL;
  if (write(fd, data, size) == (ssize_t)size && ftruncate(fd, whole) == 0 && tmon_ring_open(&ring, path, true) == TMON_OK) {
    read_words(ring);
    read_names(ring);
    for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
      read_lane(ring, lane, tmon_ring_drained(ring, lane));
      read_lane(ring, lane, 0);
    }
  }
  tmon_ring_close(ring);
  close(fd);
  unlink(path);
  return 0;
}
