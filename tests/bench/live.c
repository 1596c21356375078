/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * live FOLDER METRICS PERIOD_MS COUNT [CLASSES]: logs METRICS metrics COUNT times, one batch each PERIOD_MS, with the drainer on. With CLASSES each tenth batch ends an
 * epoch: its row, the figures of each class, their matrix; and each class has a floor that it crosses now and then.
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

enum { CLASSES_MOST = 100, CLASS_BYTES = 160, EPOCH_BATCHES = 10 };
static char json[200 + CLASSES_MOST * CLASS_BYTES];

static void set_floors(tmon_store *store, const char *id, int64_t classes) {
  int used = snprintf(json, sizeof json, "[");
  for (int c = 0; c < classes; c++) {
    used += snprintf(json + used, sizeof json - (size_t)used,
        "%s{\"name\":\"floor %d\",\"type\":\"class_floor\",\"class\":\"class %d\",\"threshold\":0.55}", c == 0 ? "" : ",", c, c);
  }
  snprintf(json + used, sizeof json - (size_t)used, "]");
  bench_check(tmon_alert_set_rules(store, id, json, false), "rules");
}

static void log_epoch(tmon_store *store, tmon_session *session, int64_t epoch, int64_t classes, const tmon_epoch *row) {
  static uint64_t counts[CLASSES_MOST * CLASSES_MOST];
  static char texts[CLASSES_MOST][16];
  const char *names[CLASSES_MOST];
  const char *id = tmon_session_id(session);
  int used = snprintf(json, sizeof json, "{\"session_id\":\"%s\",\"epoch\":%d,\"results\":[", id, (int)epoch);
  for (int c = 0; c < classes; c++) {
    snprintf(texts[c], sizeof texts[c], "class %d", c);
    names[c] = texts[c];
    used += snprintf(json + used, sizeof json - (size_t)used, "%s{\"class_name\":\"%s\",\"precision\":%.4f,\"sensitivity\":%.4f,\"specificity\":%.4f}",
        c == 0 ? "" : ",", texts[c], bench_random(), 0.5 + bench_random() / 2, bench_random());
  }
  snprintf(json + used, sizeof json - (size_t)used, "]}");
  for (int64_t i = 0; i < classes * classes; i++) counts[i] = (uint64_t)(bench_random() * 1000);
  bench_check(tmon_session_log_epoch(session, epoch, row), "epoch");
  bench_check(tmon_result_add(NULL, store, TMON_RESULT_VALIDATION, json), "results");
  tmon_confusion matrix = {.size = sizeof matrix, .epoch = epoch, .class_count = (size_t)classes, .class_names = names, .counts = counts};
  bench_check(tmon_confusion_add(NULL, store, id, &matrix), "matrix");
}

int bench_live(char **arguments) {
  static tmon_metric metrics[1000];
  static double values[1000];
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  bench_check(tmon_store_open(&store, arguments[0], NULL), "open");
  bench_check(tmon_session_start(&session, store, NULL), "start");
  int64_t count = bench_number(arguments[1]), period = bench_number(arguments[2]), batches = bench_number(arguments[3]);
  int64_t classes = arguments[4] == NULL ? 0 : bench_number(arguments[4]);
  if (classes < 0 || classes > CLASSES_MOST) bench_die("0 to 100 classes");
  if (count < 1 || count > 1000) bench_die("1 to 1000 metrics");
  for (int64_t i = 0; i < count; i++) {
    char key[32];
    snprintf(key, sizeof key, "metric/%03d", (int)i);
    bench_check(tmon_session_metric(&metrics[i], session, key, NULL), "metric");
  }
  if (classes > 0) set_floors(store, tmon_session_id(session), classes);
  /* The server finds a new session first; that is not what is timed. */
  pause_until(bench_seconds() + 1.0);
  double next = bench_seconds();
  for (int64_t step = 0; step < batches; step++) {
    for (int64_t i = 0; i < count; i++) values[i] = (double)(float)bench_random();
    bench_check(tmon_log_batch(session, step, metrics, values, (size_t)count), "log");
    const tmon_epoch row = {.size = sizeof row, .count = (uint32_t)count, .metrics = metrics, .values = values};
    if (classes > 0 && (step + 1) % EPOCH_BATCHES == 0) log_epoch(store, session, (step + 1) / EPOCH_BATCHES, classes, &row);
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
