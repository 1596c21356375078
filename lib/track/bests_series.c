/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The figures of logged points, from what folding has left in `folded`. */
#include "track/bests.h"

#include <math.h>
#include <string.h>

/* Adds one writer's figures. Steps from `end` on were superseded. */
static void merge(tmon_best *into, const tmon_best *one, int64_t end) {
  if (one->count > 0 && one->lowest_at < end && (isnan(into->lowest) || one->lowest <= into->lowest)) {
    into->lowest = one->lowest;
    into->lowest_at = one->lowest_at;
  }
  if (one->count > 0 && one->highest_at < end && (isnan(into->highest) || one->highest >= into->highest)) {
    into->highest = one->highest;
    into->highest_at = one->highest_at;
  }
  if (!one->any || one->latest_at >= end) return;
  if (!into->any || one->latest_at > into->latest_at) {
    into->latest = one->latest;
    into->latest_at = one->latest_at;
    into->sum = one->sum;
    into->mass = one->mass;
  }
  into->any = true;
}

int tmon_bests_series(tmon_best *out, tmon_tx *tx, int64_t session, int64_t metric) {
  tmon_row *row = NULL;
  int64_t attempt = INT64_MAX;
  int64_t end = INT64_MAX;   /* lowest step of the attempts after this one */
  int64_t first = INT64_MAX; /* lowest step of this one and those after it */
  memset(out, 0, sizeof *out);
  out->lowest = out->highest = out->latest = (double)NAN;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT w.attempt, w.first_step, f.finite, f.lowest, f.lowest_step, f.highest, f.highest_step, f.latest, f.latest_step, f.smoothed"
      " FROM writers AS w LEFT JOIN folded AS f ON f.metric = ?2 AND f.writer = w.id WHERE w.session = ?1 ORDER BY w.attempt DESC");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_int(row, 2, metric);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_best one;
    if (tmon_row_int(row, 0) != attempt) end = first;
    attempt = tmon_row_int(row, 0);
    if (!tmon_row_is_null(row, 1) && tmon_row_int(row, 1) < first) first = tmon_row_int(row, 1);
    if (tmon_row_is_null(row, 2)) continue;
    tmon_best_read(&one, row, 2);
    merge(out, &one, end);
    out->count += one.count;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}
