/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Hardware figures as metrics of a session. */
#ifndef TRAINMON_TRACK_HARDWARE_H
#define TRAINMON_TRACK_HARDWARE_H
#include "series/ring.h"
#include "trainmon/session.h"

#define TMON_HARDWARE_PREFIX "system/"

/* One session's place with the sampler thread of the process (hardware_feed.c). */
typedef struct tmon_hardware_feed tmon_hardware_feed;
/* Starts the thread where it does not run yet. `folder` is copied. */
int tmon_hardware_feed_make(tmon_hardware_feed **out, uint32_t period_ms, uint32_t rank, const char *folder);
void tmon_hardware_feed_begin(tmon_hardware_feed *feed, tmon_session *session, int64_t step); /* the first sample has the step after `step` */
/* After it no point comes. The last one stops the thread; waits for a sample under way, not for sensors. NULL is fine, so is a second call. */
void tmon_hardware_feed_end(tmon_hardware_feed *feed);
void tmon_hardware_feed_free(tmon_hardware_feed *feed); /* ended before, or in a forked child */

/* Metrics "system/…" count samples, not training steps: their steps neither hide points of earlier attempts nor are hidden. */
bool tmon_hardware_is_key(const char *key);
bool tmon_hardware_is_metric(const tmon_ring *ring, uint32_t metric);
/* The step of the latest sample that the store has of this session and rank; 0: none. */
int64_t tmon_hardware_last_step(tmon_store *store, const char *id, uint32_t rank);
#endif
