/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Clocks, made-up trainings and error ends for the measurements. */
#include "common.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double read_clock(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double bench_seconds(void) { return read_clock(CLOCK_MONOTONIC); }

double bench_thread_seconds(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

int64_t bench_now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

double bench_random(void) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (double)(state >> 11) / 9007199254740992.0;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

double bench_median(double *values, size_t count) {
  qsort(values, count, sizeof *values, compare);
  return values[count / 2];
}

void bench_point(bench_kind kind, int64_t i, int64_t *time, double *value) {
  static int64_t clock_us = 1700000000000000;
  double x = (double)i;
  clock_us += 9800 + (int64_t)(400.0 * bench_random() * bench_random());
  *time = clock_us;
  switch (kind) {
  case BENCH_LOSS: *value = (double)(float)(2.5 * exp(-x / 3e5) + 0.1 + 0.05 * (bench_random() + bench_random() - 1.0)); break;
  case BENCH_RATE: *value = (double)(float)(0.5e-3 * (1.0 + cos(3.14159265358979 * fmod(x, 1e6) / 1e6))); break;
  case BENCH_ACCURACY: *value = floor((0.95 - 0.6 * exp(-x / 2e5) + 0.02 * bench_random()) * 1e4 + 0.5) / 1e4; break;
  case BENCH_CONSTANT: *value = 32.0; break;
  default: bench_die("unknown kind of series");
  }
}

void bench_die(const char *what) {
  fprintf(stderr, "trainmon-bench: %s\n", what);
  exit(1);
}

void bench_check(int code, const char *what) {
  if (code == TMON_OK) return;
  fprintf(stderr, "trainmon-bench: %s: %s: %s\n", what, tmon_error_name(code), tmon_error_message());
  exit(1);
}

int64_t bench_number(const char *text) {
  char *end = NULL;
  long long number = strtoll(text == NULL ? "" : text, &end, 10);
  if (text == NULL || end == text || *end != '\0' || number < 0) bench_die("expected a number of 0 or more");
  return number;
}

void bench_print(const char *key, double value) {
  printf("%s %.9g\n", key, value);
  fflush(stdout);
}

void bench_open(tmon_store **store, tmon_session **session, const char *folder) {
  if (folder == NULL) bench_die("which folder?");
  tmon_session_options options = {.size = sizeof options, .no_drainer = true};
  bench_check(tmon_store_open(store, folder, NULL), "open");
  bench_check(tmon_session_start(session, *store, &options), "start");
}

void bench_close(tmon_store *store, tmon_session *session) {
  bench_check(tmon_session_flush(session), "flush");
  if (tmon_session_dropped(session) != 0) bench_die("points were dropped: the figures would mean nothing");
  bench_check(tmon_session_finish(session, TMON_STATUS_COMPLETED), "finish");
  tmon_session_free(session);
  tmon_store_free(store);
}
