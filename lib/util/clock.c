/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Clocks. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "util/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <time.h>

typedef int64_t (*clock_function)(void);
static _Atomic(clock_function) replacement;

static int64_t read_clock(clockid_t clock) {
  struct timespec now;
  if (clock_gettime(clock, &now) != 0) return 0;
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t tmon_clock_now_us(void) {
  /* Acquire pairs with the release in tmon_clock_replace: what the test prepared is seen. */
  clock_function replaced = atomic_load_explicit(&replacement, memory_order_acquire);
  return replaced ? replaced() : read_clock(CLOCK_REALTIME);
}

int64_t tmon_clock_monotonic_us(void) { return read_clock(CLOCK_MONOTONIC); }

void tmon_clock_sleep_us(int64_t duration_us) {
  if (duration_us <= 0) return;
  struct timespec left = {.tv_sec = (time_t)(duration_us / 1000000), .tv_nsec = (long)(duration_us % 1000000) * 1000};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
    ;
}

void tmon_clock_replace(int64_t (*now_us)(void)) { atomic_store_explicit(&replacement, now_us, memory_order_release); }
