/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* drain FOLDER METRICS ROUNDS: points a second of tmon_session_flush, in bursts of half a ring spread over METRICS metrics. */
#include "common.h"

#include <stdio.h>

int bench_drain(char **arguments) {
  static tmon_metric metrics[1000];
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  bench_open(&store, &session, arguments[0]);
  int64_t count = bench_number(arguments[1]), rounds = bench_number(arguments[2]), step = 0;
  if (count < 1 || count > 1000) bench_die("1 to 1000 metrics");
  for (int64_t i = 0; i < count; i++) {
    char key[32];
    snprintf(key, sizeof key, "metric/%03d", (int)i);
    bench_check(tmon_session_metric(&metrics[i], session, key, NULL), "metric");
  }
  double wall = 0, processor = 0;
  for (int64_t round = 0; round < rounds; round++) {
    for (int64_t i = 0; i < BENCH_BURST; i++) {
      if (i % count == 0) step++;
      double value = (double)(float)(1.0 + bench_random());
      bench_check(tmon_log(session, metrics[i % count], step, value), "log");
    }
    double begin = bench_seconds(), begin_processor = bench_thread_seconds();
    bench_check(tmon_session_flush(session), "flush");
    wall += bench_seconds() - begin;
    processor += bench_thread_seconds() - begin_processor;
  }
  double points = (double)rounds * BENCH_BURST;
  bench_print("points_per_second", points / wall);
  bench_print("points_per_cpu_second", points / processor);
  bench_close(store, session);
  return 0;
}
