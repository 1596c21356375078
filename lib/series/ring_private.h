/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The process's side of a ring: what ring*.c and lane*.c share. */
#ifndef TRAINMON_SERIES_RING_PRIVATE_H
#define TRAINMON_SERIES_RING_PRIVATE_H
#include "series/ring_format.h"

/* gcc tells that its thread sanitizer does not model fences. All that they order here is atomic itself, so no false report can come of it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wtsan"
#endif

/* The producer's private view of a lane. Touched by its owner only, `taken` aside: position, end and slot need not be read back from the file. */
typedef struct tmon_lane {
  _Alignas(64) _Atomic uint32_t taken; /* acquire CAS takes, release store returns */
  uint32_t number;
  uint32_t block;       /* id of the last block; 0 before the first */
  uint64_t position;    /* of the next slot */
  uint64_t end;         /* first position that is not in the last block */
  tmon_ring_slot *slot; /* of `position`, while position < end */
  tmon_ring_lane *file;
} tmon_lane;

/* The lanes of one ring, in counted memory of their own: a thread that exits after the ring was closed still has a place to return its lane to. */
typedef struct tmon_lane_set {
  void *memory;
  _Atomic uint32_t references; /* the ring, and each thread that holds a lane */
  _Atomic bool closed;
  uint32_t private_lanes;
  struct tmon_mutex *mutex; /* of the shared lane */
  tmon_lane lanes[TMON_RING_LANES];
} tmon_lane_set;

typedef struct tmon_ring_name {
  uint32_t hash;
  uint32_t id;
  uint32_t offset;
  uint32_t length;
} tmon_ring_name; /* id 0: empty place */

struct tmon_ring {
  uint64_t generation;      /* unique in this process; 0 for a ring that was only opened */
  _Atomic uint32_t metrics; /* ids that may be written; 0 for a ring that was only opened */
  uint32_t block_count;
  tmon_ring_header *header;
  tmon_ring_lane *lanes;
  _Atomic uint64_t *bitmap;
  tmon_ring_block *blocks;
  uint8_t *dictionary;
  tmon_lane_set *set;
  tmon_ring_geometry geometry;
  tmon_mapping mapping;
  tmon_ring_identity identity; /* copied once at open */
  bool writable;
  tmon_lock lock;
  tmon_wake *wake;
  int (*drain)(void *);
  void *payload;
  tmon_mutex *mutex;     /* names and progress reports */
  tmon_ring_name *names; /* open addressing, at most half full */
  uint32_t name_capacity;
  uint32_t name_bytes;
  bool first_kept;             /* lane 0 is for tmon_ring_write_first; it and `spare` are touched by the one who drains */
  uint32_t spare;              /* a block for lane 0 that no other gets; 0: it has it in use */
  uint8_t apart[64];           /* what follows is written by all threads; what stands above is read by each log call */
  _Atomic uint32_t hint;       /* bitmap word to look at first */
  _Atomic uint64_t stalled_at; /* progress at which waiting was given up; UINT64_MAX: never */
  _Atomic int64_t drain_again; /* monotonic time before which a failed drain is not tried again */
};

int tmon_lane_set_make(tmon_ring *ring);
void tmon_lane_set_close(tmon_ring *ring);
/* Gives the id of a free block, 0 when there is none; signals the wake when half of them are taken. */
uint32_t tmon_ring_take_block(tmon_ring *ring);
/* NULL when `id` is none of this ring. */
tmon_ring_block *tmon_ring_block_of(const tmon_ring *ring, uint32_t id);
#endif
