/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One metric at one instant: a read transaction, and beside it the points that are not in chunks, those still in rings included. */
#ifndef TRAINMON_TRACK_SNAPSHOT_H
#define TRAINMON_TRACK_SNAPSHOT_H
#include "series/ring.h"
#include "track/track.h"

/* What one writer holds of the metric. */
typedef struct tmon_snapshot_writer {
  int64_t writer;
  int64_t attempt;
  int64_t step_end;      /* steps from here on were superseded by a later attempt; INT64_MAX: none */
  int64_t first_step;    /* lowest step of the writer; INT64_MAX: not known */
  uint64_t folded_count; /* points in chunks, with their extents: step, time */
  int64_t low[2];
  int64_t high[2];
  tmon_point *points; /* points in deltas and in the ring, in order of arrival */
  size_t count;
  size_t capacity;
  char *ring_path; /* of a writer that has not closed, else NULL */
} tmon_snapshot_writer;

typedef struct tmon_snapshot {
  tmon_tx *tx;
  int64_t session;
  int64_t metric;                /* 0: the store does not know the metric yet, only a ring does */
  tmon_snapshot_writer *writers; /* ascending by attempt, then age */
  size_t writer_count;
  bool found; /* the metric exists */
} tmon_snapshot;

int tmon_snapshot_open(tmon_snapshot *out, tmon_store *store, const char *session_id, const char *key);
void tmon_snapshot_close(tmon_snapshot *snapshot);
int tmon_positions_read(uint64_t positions[TMON_RING_LANES], tmon_tx *tx, int64_t writer); /* how far each lane is committed (load.c) */
uint32_t tmon_ring_find(const tmon_ring *ring, const char *key);                           /* the id of a name in a ring; 0: not there */
/* The next points of one writer, in order of arrival, borrowed until the next call; TMON_DONE after the last (points.c). */
int tmon_point_reader_run(tmon_point_reader *reader, const tmon_point **run, size_t *count, int64_t *writer);
#endif
