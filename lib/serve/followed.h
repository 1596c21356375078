/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One session that is followed: the points that came since the last update, coalesced by metric. */
#ifndef TRAINMON_SERVE_FOLLOWED_H
#define TRAINMON_SERVE_FOLLOWED_H
#include "serve/aliases.h"
#include "trainmon/record.h"
#include "util/json.h"

typedef struct tmon_pending {
  uint64_t count;  /* 0: nothing came */
  tmon_point last; /* latest to arrive */
  double min;      /* over finite values; NaN when there is none */
  double max;
} tmon_pending;

typedef struct tmon_followed {
  char id[37];
  tmon_follow *follow;
  tmon_latest latest;
  tmon_pending *pending; /* by number of the metric in `follow` */
  uint32_t pending_size;
  bool dirty;      /* something is pending */
  bool lapped;     /* points were missed */
  bool posted;     /* an epoch came over REST */
  bool announced;  /* its start was said, or was before anybody listened */
  bool present;    /* in the list of active sessions of this round */
  int64_t results; /* cursor up to which validation results were taken */
  tmon_status status;
  tmon_control control;
  bool paused;
  tmon_progress progress;
} tmon_followed;

int tmon_followed_open(tmon_followed *out, tmon_store *store, const tmon_record *record);
void tmon_followed_close(tmon_followed *followed);
int tmon_followed_drain(tmon_followed *followed);
void tmon_followed_add(tmon_followed *followed, uint32_t metric, const char *key, const tmon_point *point);
/* Whether what a record says beside points has changed since the last call; keeps it, and what its configuration says of names. */
bool tmon_followed_moved(tmon_followed *followed, const tmon_record *record);
void tmon_followed_put_points(tmon_followed *followed, tmon_json_writer *json); /* and forgets them */
#endif
