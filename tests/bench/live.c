/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * live FOLDER METRICS PERIOD_MS COUNT: logs METRICS metrics COUNT times, one batch each PERIOD_MS, with the drainer on.
 * exit FOLDER FREE: logs as fast as it can for half a second, prints the monotonic clock and ends, with (1) or without (0) freeing session and store.
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void pause_until(double at) {
  double left = at - bench_seconds();
  if (left <= 0) return;
  struct timespec t = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
  nanosleep(&t, NULL);
}

int bench_live(char **arguments) {
  static tmon_metric metrics[1000];
  static double values[1000];
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  bench_check(tmon_store_open(&store, arguments[0], NULL), "open");
  bench_check(tmon_session_start(&session, store, NULL), "start");
  int64_t count = bench_number(arguments[1]), period = bench_number(arguments[2]), batches = bench_number(arguments[3]);
  if (count < 1 || count > 1000) bench_die("1 to 1000 metrics");
  for (int64_t i = 0; i < count; i++) {
    char key[32];
    snprintf(key, sizeof key, "metric/%03d", (int)i);
    bench_check(tmon_session_metric(&metrics[i], session, key, NULL), "metric");
  }
  /* The server finds a new session first; that is not what is timed. */
  pause_until(bench_seconds() + 1.0);
  double next = bench_seconds();
  for (int64_t step = 0; step < batches; step++) {
    for (int64_t i = 0; i < count; i++) values[i] = (double)(float)bench_random();
    bench_check(tmon_log_batch(session, step, metrics, values, (size_t)count), "log");
    next += (double)period / 1e3;
    pause_until(next);
  }
  bench_close(store, session);
  return 0;
}

int bench_exit(char **arguments) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_metric metric = 0;
  bench_check(tmon_store_open(&store, arguments[0], NULL), "open");
  bench_check(tmon_session_start(&session, store, NULL), "start");
  bench_check(tmon_session_metric(&metric, session, "loss", NULL), "metric");
  double begin = bench_seconds();
  for (int64_t i = 0; bench_seconds() - begin < 0.5; i++) (void)tmon_log(session, metric, i, (double)i);
  bench_print("dropped", (double)tmon_session_dropped(session));
  printf("at %.6f\n", bench_seconds());
  fflush(stdout);
  if (bench_number(arguments[1]) == 1) {
    tmon_session_free(session);
    tmon_store_free(store);
  }
  exit(0);
}
