/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Following one session and coalescing its points. */
#include "serve/followed.h"

#include "trainmon/error.h"
#include "trainmon/series.h"
#include "util/alloc.h"
#include "util/text.h"

#include <math.h>
#include <string.h>

enum { TAKE = 1024, ROUNDS = 256, METRICS = 1 << 20 };

/* What was logged before the follow began fills the fields of messages too. */
static void seed(tmon_followed *followed, tmon_store *store) {
  tmon_metric_list *metrics = NULL;
  tmon_metric_info info;
  if (tmon_metric_list_open(&metrics, store, followed->id) == TMON_OK) {
    while (tmon_metric_list_next(metrics, &info) == TMON_OK) {
      if (info.count > 0) {
        tmon_latest_set(&followed->latest, info.key, &info.last);
      }
    }
  }
  tmon_metric_list_free(metrics);
}

int tmon_followed_open(tmon_followed *out, tmon_store *store, const tmon_record *record) {
  memset(out, 0, sizeof *out);
  (void)tmon_text_copy(out->id, sizeof out->id, record->id);
  tmon_latest_init(&out->latest);
  tmon_latest_configure(&out->latest, record->config_json);
  int code = tmon_follow_open(&out->follow, store, record->id);
  if (code == TMON_OK) {
    seed(out, store);
  }
  return code;
}

void tmon_followed_close(tmon_followed *followed) {
  tmon_follow_free(followed->follow);
  tmon_latest_free(&followed->latest);
  tmon_free(followed->pending);
  followed->follow = NULL;
  followed->pending = NULL;
  followed->pending_size = 0;
}

void tmon_followed_add(tmon_followed *followed, uint32_t metric, const char *key, const tmon_point *point) {
  if (key == NULL || metric >= METRICS) {
    return;
  }
  if (metric >= followed->pending_size) {
    uint32_t size = metric + 64;
    tmon_pending *grown = tmon_realloc(followed->pending, size, sizeof *grown);
    if (grown == NULL) {
      followed->lapped = true;
      return;
    }
    memset(grown + followed->pending_size, 0, (size - followed->pending_size) * sizeof *grown);
    followed->pending = grown;
    followed->pending_size = size;
  }
  tmon_pending *pending = &followed->pending[metric];
  if (pending->count++ == 0) {
    pending->min = pending->max = (double)NAN;
  }
  pending->last = *point;
  if (isfinite(point->value)) {
    pending->min = isnan(pending->min) || point->value < pending->min ? point->value : pending->min;
    pending->max = isnan(pending->max) || point->value > pending->max ? point->value : pending->max;
  }
  followed->dirty = true;
}

int tmon_followed_drain(tmon_followed *followed) {
  tmon_follow_point points[TAKE];
  size_t count = TAKE;
  int code = TMON_OK;
  for (int round = 0; round < ROUNDS && count == TAKE && code == TMON_OK; round++) {
    bool lapped = false;
    count = 0;
    code = tmon_follow_next(followed->follow, points, TAKE, &count, &lapped);
    followed->lapped = followed->lapped || lapped;
    for (size_t i = 0; code == TMON_OK && i < count; i++) {
      tmon_followed_add(followed, points[i].metric, tmon_follow_key(followed->follow, points[i].metric), &points[i].point);
    }
  }
  return code;
}

bool tmon_followed_moved(tmon_followed *followed, const tmon_record *record) {
  const tmon_progress *was = &followed->progress;
  const tmon_progress *is = &record->progress;
  bool moved = followed->status != record->status || followed->control != record->control || followed->paused != record->paused ||
      was->epoch != is->epoch || was->epochs != is->epochs || was->batch != is->batch || was->batches != is->batches || was->images != is->images ||
      was->fraction < is->fraction || was->fraction > is->fraction;
  tmon_latest_configure(&followed->latest, record->config_json);
  followed->status = record->status;
  followed->control = record->control;
  followed->paused = record->paused;
  followed->progress = *is;
  return moved;
}

void tmon_followed_put_points(tmon_followed *followed, tmon_json_writer *json) {
  tmon_json_open(json, "points", '{');
  for (uint32_t i = 0; i < followed->pending_size; i++) {
    tmon_pending *pending = &followed->pending[i];
    if (pending->count == 0) {
      continue;
    }
    const char *key = tmon_follow_key(followed->follow, i);
    tmon_json_open(json, key != NULL ? key : "", '{');
    tmon_json_put_int(json, "step", pending->last.step);
    tmon_json_put_int(json, "time", pending->last.time);
    tmon_json_put_double(json, "value", pending->last.value);
    tmon_json_put_int(json, "count", (int64_t)pending->count);
    tmon_json_put_double(json, "min", pending->min);
    tmon_json_put_double(json, "max", pending->max);
    tmon_json_close(json, '}');
    if (key != NULL) {
      tmon_latest_set(&followed->latest, key, &pending->last);
    }
    pending->count = 0;
  }
  tmon_json_close(json, '}');
  followed->dirty = false;
}
