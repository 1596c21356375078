/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The bytes of a ring file. Private to the ring and its lanes.
 *
 *   header (one page) | lane table | block bitmap | dictionary (1/8 of the file) | blocks of 4096 bytes
 *
 * Where each part lies follows from the size of the mapping alone (tmon_ring_geometry_of); what the header says about it is only compared. Block ids
 * are index + 1, 0 is none. Everything that changes while others look is atomic; docs/design/ring.md has the publish protocol. */
#ifndef TRAINMON_SERIES_RING_FORMAT_H
#define TRAINMON_SERIES_RING_FORMAT_H
#include "series/ring.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMON_RING_MAGIC UINT64_C(0x474e49524e4f4d54) /* "TMONRING" in the file */
#define TMON_RING_ENDIAN UINT32_C(0x01020304)
#define TMON_RING_MAJOR 1u
#define TMON_RING_MINOR 1u /* 1: store and error text; both are 0, "not said", in a ring of minor 0 */
#define TMON_RING_PAGE 4096u
#define TMON_RING_MINIMUM (256u * 1024u)
#define TMON_RING_MAXIMUM (1024u * 1024u * 1024u)
#define TMON_RING_SLOTS 126u           /* of one block */
#define TMON_RING_MAX_METRIC 0xffffffu /* 24 bits of a slot */
#define TMON_RING_KEY_BYTES 250u
#define TMON_RING_SHARED (TMON_RING_LANES - 1)

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "a ring needs lock-free 64-bit atomics");

/* sequence = low 32 bits of position + 1; word = sequence << 32 | kind << 24 | metric. Never 0 once published, because no metric is 0. */
typedef struct tmon_ring_slot {
  _Atomic uint64_t word;
  _Atomic uint64_t time;
  _Atomic uint64_t step;
  _Atomic uint64_t value;
} tmon_ring_slot;

/* Invariant: while `owner` is lane + 1, slot i holds position base + i of that lane. A lane never comes to the same base twice. */
typedef struct tmon_ring_block {
  _Alignas(64) _Atomic uint64_t owner; /* lane + 1; 0: free */
  _Atomic uint64_t base;
  _Atomic uint32_t next; /* id; 0 while this is the last of its lane */
  _Alignas(64) tmon_ring_slot slots[TMON_RING_SLOTS];
} tmon_ring_block;
_Static_assert(sizeof(tmon_ring_block) == TMON_RING_PAGE, "a block is a page");

/* The producer's line, then the drainer's. `head` is set by the producer once, with the lane's first block, and moved by the drainer from then on; the
 * last block of a chain is never given back, so producer and drainer never touch the same link. */
typedef struct tmon_ring_lane {
  _Alignas(64) _Atomic uint64_t tail;    /* published slots */
  _Atomic uint32_t tail_block;           /* id, a short cut for readers */
  _Atomic uint32_t taken;                /* 1 once a thread has used it; told to people, decides nothing */
  _Alignas(64) _Atomic uint64_t drained; /* committed slots */
  _Atomic uint32_t head;                 /* id of the oldest block */
} tmon_ring_lane;
_Static_assert(sizeof(tmon_ring_lane) == 128, "lanes share no cache line");

#define TMON_RING_REPORT_WORDS 6
typedef struct tmon_ring_header {
  _Atomic uint64_t magic; /* stored last: what follows is there once it is */
  uint32_t endian;
  uint32_t major;
  uint32_t minor;
  uint32_t header_bytes;
  uint64_t total_bytes;
  uint32_t lane_count;
  uint32_t block_bytes;
  uint32_t block_count;
  uint32_t reserved;
  uint64_t dictionary_offset;
  uint64_t dictionary_bytes;
  uint64_t blocks_offset;
  uint8_t ring[16];
  uint8_t session[16];
  int64_t pid;
  int64_t start_ticks;
  char boot_id[40];
  char host[72];
  _Alignas(64) _Atomic uint32_t control; /* written by any process */
  _Alignas(64) _Atomic uint64_t heartbeat;
  _Atomic uint32_t waiting;
  _Atomic uint32_t final_status; /* 0: none; stored after final_time */
  _Atomic uint64_t final_time;
  _Alignas(64) _Atomic uint64_t report_sequence; /* 0: none yet; copy sequence & 1 is the latest whole one */
  _Atomic uint64_t report[2][TMON_RING_REPORT_WORDS];
  _Alignas(64) _Atomic uint64_t dropped;
  _Alignas(64) _Atomic uint32_t used;     /* blocks taken */
  _Alignas(64) _Atomic uint64_t progress; /* moves with each release of the drainer */
  _Alignas(64) _Atomic uint32_t metrics;  /* published names */
  _Alignas(64) _Atomic uint64_t store[2]; /* device and inode of the store's database */
  _Atomic uint32_t error_sequence;        /* 0: none yet; copy sequence & 1 is the latest whole one */
  char error[2][TMON_RING_ERROR_BYTES];   /* NUL-terminated; empty: no error */
} tmon_ring_header;
_Static_assert(sizeof(tmon_ring_header) <= TMON_RING_PAGE, "the header is one page");

/* Names grow up from the start of the dictionary; entries, one uint64_t each (offset << 16 | length), grow down from its end. One load gives a reader
 * both, so that a lying file cannot change one after the other was checked. */
typedef struct tmon_ring_geometry {
  size_t lanes_offset;
  size_t bitmap_offset;
  size_t bitmap_words;
  size_t dictionary_offset;
  size_t dictionary_bytes;
  size_t blocks_offset;
  uint32_t block_count;
} tmon_ring_geometry;

/* false unless `bytes` is a size that a ring may have. */
bool tmon_ring_geometry_of(tmon_ring_geometry *out, size_t bytes);
#endif
