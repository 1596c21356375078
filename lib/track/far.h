/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Following a writer whose ring is out of reach, through what it commits. */
#ifndef TRAINMON_TRACK_FAR_H
#define TRAINMON_TRACK_FAR_H
#include "track/track.h"

typedef struct tmon_far_metric {
  int64_t row;     /* metric_keys.id */
  uint32_t number; /* of the follow, once a point was given; UINT32_MAX: none yet */
  uint64_t taken;  /* points given, in order of arrival */
  uint64_t folded; /* points in chunks */
  uint64_t passed; /* points in deltas, during one walk */
  int64_t seq;     /* deltas up to it are in chunks */
} tmon_far_metric;

typedef struct tmon_far {
  int64_t session;
  int64_t writer;
  int64_t seen;             /* writers.next_seq when everything was taken last; 0: never */
  tmon_far_metric *metrics; /* ascending by row */
  size_t metric_count;
  tmon_point *decoded;
} tmon_far;

/* Where points go. `more` receives true when there was no room for all. */
typedef struct tmon_far_sink {
  int (*number)(void *payload, const char *key, uint32_t *out);
  void *payload;
  tmon_follow_point *points;
  size_t capacity;
  size_t count;
  bool more;
} tmon_far_sink;

int tmon_far_skip(tmon_far *far, tmon_tx *tx); /* from now on */
int tmon_far_take(tmon_far *far, tmon_tx *tx, tmon_far_sink *sink);
void tmon_far_free(tmon_far *far);
#endif
