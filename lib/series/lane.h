/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which lane is the calling thread's. */
#ifndef TRAINMON_SERIES_LANE_H
#define TRAINMON_SERIES_LANE_H
#include "series/ring_private.h"

/* The lane that this thread used last. Lanes that are shared are never cached. */
typedef struct tmon_lane_cache {
  uint64_t generation; /* of the ring; 0: nothing cached */
  tmon_lane *lane;
} tmon_lane_cache;

/* Initial-exec: 16 bytes of the static TLS that glibc keeps free for libraries loaded later, and no call in the hot path. */
#if defined(__GLIBC__)
extern _Thread_local tmon_lane_cache tmon_lane_cached __attribute__((tls_model("initial-exec"), visibility("hidden")));
#else
extern _Thread_local tmon_lane_cache tmon_lane_cached __attribute__((visibility("hidden")));
#endif

/* The lane of this thread in this ring, taken at the first call; the shared one when all others are taken or memory is short. Never NULL. */
tmon_lane *tmon_lane_find(tmon_ring *ring);
#endif
