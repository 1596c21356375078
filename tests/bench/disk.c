/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * disk FOLDER KIND POINTS: fills a store with one series of KIND (0 loss, 1 learning rate, 2 accuracy, 3 constant).
 * write FOLDER METRICS SECONDS: METRICS metrics at 10 points a second each, one flush a second of data as the drainer would do it, as fast
 * as it goes; prints what the kernel was given to write to disk.
 */
#include "common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 20000

static void fill(tmon_session *session, bench_kind kind, int64_t points) {
  static int64_t steps[BATCH], times[BATCH];
  static double values[BATCH];
  tmon_metric metric = 0;
  bench_check(tmon_session_metric(&metric, session, "loss", NULL), "metric");
  for (int64_t done = 0; done < points;) {
    size_t count = points - done < BATCH ? (size_t)(points - done) : BATCH;
    for (size_t i = 0; i < count; i++) {
      steps[i] = done + (int64_t)i;
      bench_point(kind, steps[i], &times[i], &values[i]);
    }
    bench_check(tmon_log_series(session, metric, steps, times, values, count), "log");
    bench_check(tmon_session_flush(session), "flush");
    done += (int64_t)count;
  }
}

int bench_disk(char **arguments) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  bench_open(&store, &session, arguments[0]);
  int64_t kind = bench_number(arguments[1]), points = bench_number(arguments[2]);
  double begin = bench_seconds();
  printf("session %s\n", tmon_session_id(session));
  if (points > 0) fill(session, (bench_kind)kind, points);
  bench_close(store, session);
  bench_print("seconds", bench_seconds() - begin);
  return 0;
}

int bench_fill(char **arguments) { return bench_disk(arguments); }

static double written(void) {
  char line[128];
  FILE *file = fopen("/proc/self/io", "r");
  double bytes = -1;
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strncmp(line, "write_bytes: ", 13) == 0) bytes = strtod(line + 13, NULL);
  if (file == NULL || bytes < 0) bench_die("/proc/self/io can't be read");
  fclose(file);
  return bytes;
}

int bench_write(char **arguments) {
  static tmon_metric metrics[1000];
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  bench_open(&store, &session, arguments[0]);
  int64_t count = bench_number(arguments[1]), seconds = bench_number(arguments[2]), time = 0;
  if (count < 1 || count > 1000) bench_die("1 to 1000 metrics");
  for (int64_t i = 0; i < count; i++) {
    char key[32];
    snprintf(key, sizeof key, "metric/%03d", (int)i);
    bench_check(tmon_session_metric(&metrics[i], session, key, NULL), "metric");
  }
  double before = written();
  for (int64_t step = 0; step < seconds * 10; step++) {
    int64_t base = 1700000000000000 + step * 100000 + (int64_t)(2000.0 * bench_random());
    for (int64_t i = 0; i < count; i++) {
      double value = 0;
      int64_t at = base + i / 4;
      bench_point(BENCH_LOSS, step * 100, &time, &value);
      bench_check(tmon_log_series(session, metrics[i], &step, &at, &value, 1), "log");
    }
    if (step % 10 == 9) bench_check(tmon_session_flush(session), "flush");
  }
  bench_close(store, session);
  bench_print("written", written() - before);
  return 0;
}
