/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* query FOLDER SESSION AXIS: milliseconds to open a store that is there and to get 1,000 buckets (AXIS 0: by step, 1: by time). */
#include "common.h"

int bench_query(char **arguments) {
  tmon_store *store = NULL;
  tmon_series *series = NULL;
  tmon_store_options reading = {.size = sizeof reading, .must_exist = true};
  tmon_series_options options = {.size = sizeof options, .width = 1000};
  if (arguments[0] == NULL || arguments[1] == NULL) bench_die("which folder, which session?");
  options.axis = bench_number(arguments[2]) == 1 ? TMON_AXIS_TIME : TMON_AXIS_STEP;
  double begin = bench_seconds();
  bench_check(tmon_store_open(&store, arguments[0], &reading), "open");
  double opened = bench_seconds();
  bench_check(tmon_series_query(&series, store, arguments[1], "loss", &options), "query");
  double done = bench_seconds();
  size_t count = 0;
  double points = 0;
  const tmon_bucket *buckets = tmon_series_buckets(series, &count);
  for (size_t i = 0; i < count; i++) points += (double)buckets[i].count;
  bench_print("open", (opened - begin) * 1e3);
  bench_print("query", (done - opened) * 1e3);
  bench_print("buckets", (double)count);
  bench_print("points", points);
  tmon_series_free(series);
  tmon_store_free(store);
  return 0;
}
