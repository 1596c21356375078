/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Lowest, highest, latest and smoothed value of a metric of a session, kept beside what is written so that ranking reads no series. */
#ifndef TRAINMON_TRACK_BESTS_H
#define TRAINMON_TRACK_BESTS_H
#include "track/drain.h"

#define TMON_SMOOTHING 0.6 /* weight of what was before */

/* Values in order of epoch, or of arrival; `at` is epoch or step. All zero: none yet. */
typedef struct tmon_best {
  bool any;
  int64_t count; /* finite values */
  double lowest; /* the earliest of equals; as highest, means nothing while count is 0 */
  int64_t lowest_at;
  double highest;
  int64_t highest_at;
  double latest; /* of the highest `at`; NaN when that was not finite */
  int64_t latest_at;
  double sum; /* of the exponential mean, before it is divided by */
  double mass;
} tmon_best;

void tmon_best_add(tmon_best *best, int64_t at, double value);
void tmon_best_add_points(tmon_best *best, const tmon_point *points, size_t count); /* the same for points in order of arrival */
double tmon_best_smoothed(const tmon_best *best);                                   /* the debiased exponential mean; NaN: no finite value */

/* Eight columns: count, lowest, its place, highest, its place, latest, its place, smoothed. */
enum { TMON_BEST_COLUMNS = 8 };
void tmon_best_read(tmon_best *out, tmon_row *row, int column);
void tmon_best_bind(tmon_row *row, int index, const tmon_best *best);

int tmon_bests_read(tmon_best *out, tmon_tx *tx, int64_t session, const char *name); /* all zero: the session has no epoch value of it */
/* After an epoch row was written, in its transaction. */
int tmon_bests_write(tmon_tx *tx, const char *session_id, const tmon_epoch_entry *entries, size_t count);
int tmon_bests_rebuild(tmon_tx *tx, const char *session_id); /* all of one session, from its epoch rows */

/*
 * bests_series.c: of the points of one metric that are in chunks, all writers of the session together. What a later attempt superseded does not count; a best
 * that lies there is left out, and the next best before it is not looked for.
 */
int tmon_bests_series(tmon_best *out, tmon_tx *tx, int64_t session, int64_t metric);

/* leaderboard_name.c: whether a metric of this name is better when it is low. */
bool tmon_metric_is_better_low(const char *name);
#endif
