/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Draining: takes the slots of one ring over into the store, exactly once. Used by the drainer thread, by flush and by adoption. */
#ifndef TRAINMON_TRACK_DRAIN_H
#define TRAINMON_TRACK_DRAIN_H
#include "series/chunk.h"
#include "series/ring.h"
#include "track/alert_watch.h"
#include "track/track.h"

/* One metric of the writer, by ring id - 1. */
typedef struct tmon_drain_metric {
  int64_t row;      /* metric_keys.id; 0: not registered yet */
  int64_t folded;   /* deltas up to this seq are in chunks already */
  uint32_t pending; /* points in deltas after it */
  uint32_t chunks;  /* chunks that no summary of level 1 covers yet */
} tmon_drain_metric;

/* A delta row that is still in the store. `live` counts the points that are not folded. */
typedef struct tmon_drain_delta {
  int64_t seq;
  size_t points;
  size_t live;
} tmon_drain_delta;

/* The state mirrors the store; `stale` says that it must be loaded again, as after a failed transaction. One thread at a time. */
typedef struct tmon_drain {
  tmon_db *db;
  tmon_ring *ring;
  int64_t writer;
  int64_t session;
  char session_id[TMON_ID_BYTES];
  bool stale;
  bool follows; /* a rank above 0: progress and epoch rows are those of rank 0 */
  int64_t next_seq;
  uint64_t positions[TMON_RING_LANES];
  tmon_drain_metric *metrics;
  size_t metric_count;
  tmon_drain_delta *deltas;
  size_t delta_count;
  size_t delta_capacity;
  size_t merged;          /* rows left by the last merge of deltas */
  int64_t first_step;     /* lowest step so far; INT64_MAX: no point yet */
  tmon_progress progress; /* as last written */
  int64_t beat;           /* monotonic time of the last heartbeat in the store */
  int64_t dropped;
  tmon_slot *slots;
  size_t slot_capacity;
  tmon_point *points;
  size_t point_capacity;
  tmon_alerts alerts;
  /* Brings older points into lane 0 of the ring; false: not all of them had room. NULL: there are none. */
  bool (*take)(void *payload);
  void *payload;
  int64_t until; /* the writer has ended then: no point comes after it; 0: it lives */
} tmon_drain;

#define TMON_DRAIN_SLOTS 65536 /* taken in one transaction at most */
#define TMON_BEAT_US 10000000  /* with nothing to commit, the store hears of a living writer this often; tmon_writer_is_gone allows three of them */

void tmon_drain_init(tmon_drain *drain, tmon_db *db, tmon_ring *ring, int64_t writer, int64_t session, const char *session_id);
void tmon_drain_free(tmon_drain *drain);
int tmon_drain_load(tmon_drain *drain, tmon_tx *tx);
/* Commits what is in the ring now, in transactions of TMON_DRAIN_SLOTS. `timeout_us` bounds the wait for locks (< 0: the store's own). */
int tmon_drain_run(tmon_drain *drain, int64_t timeout_us, int64_t deadline_us);
int tmon_drain_reserve_metrics(tmon_drain *drain, size_t count);
int tmon_drain_add_delta(tmon_drain *drain, int64_t seq, size_t points, size_t live);

/* fold.c: deltas to chunks, chunks to summaries. */
int tmon_fold_add_chunk(tmon_drain *drain, tmon_tx *tx, tmon_drain_metric *metric, int64_t seq, const tmon_point *points, size_t count);
int tmon_fold_run(tmon_drain *drain, int64_t timeout_us, uint32_t threshold);          /* folds the metrics that have at least so many pending points */
int tmon_summary_write(tmon_drain *drain, tmon_tx *tx, int64_t metric_row, int level); /* of the latest 64 below it */

/* alert_drain.c */
int tmon_alerts_drain(
    tmon_drain *drain, tmon_tx *tx, uint64_t *positions, size_t *count); /* judges the slots of a commit; lessens it where that takes long */
int tmon_alerts_stall(tmon_drain *drain, int64_t timeout_us);            /* judges that no point came, in a transaction of its own */

/* epoch.c */
typedef struct tmon_epoch_entry {
  int64_t epoch;
  const char *key;
  double value;
} tmon_epoch_entry;
int tmon_epoch_write(tmon_tx *tx, const char *session_id, const tmon_epoch_entry *entries, size_t count); /* of one epoch */
#endif
