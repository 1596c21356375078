/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * log FOLDER THREADS: nanoseconds of one tmon_log, beside the floor: one clock_gettime and a 32-byte store into as much memory.
 *
 * Bursts of floor and log alternate, so that a change of the processor's clock rate meets both; the median burst counts. A burst fits half
 * a ring and the flush between bursts is not timed. With more threads than cores the wall clock would time the scheduler: each
 * thread's own processor time is taken.
 */
#include "common.h"

#include <pthread.h>
#include <time.h>

#define ROUNDS 60
#define MOST_THREADS 16

typedef struct slot {
  int64_t words[4];
} slot;

typedef struct worker {
  pthread_t thread;
  tmon_session *session;
  tmon_metric metric;
  pthread_barrier_t *barrier;
  int64_t number;
  int64_t burst;
  double floor[ROUNDS];
  double log[ROUNDS];
} worker;

static slot slots[BENCH_BURST];

static double floor_burst(slot *at, int64_t burst) {
  double begin = bench_thread_seconds();
  for (int64_t i = 0; i < burst; i++) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    volatile slot *s = &at[i];
    s->words[0] = i;
    s->words[1] = t.tv_sec;
    s->words[2] = t.tv_nsec;
    s->words[3] = i;
  }
  return (bench_thread_seconds() - begin) / (double)burst * 1e9;
}

static double log_burst(worker *w, int round) {
  double begin = bench_thread_seconds();
  int bad = 0;
  for (int64_t i = 0; i < w->burst; i++) bad |= tmon_log(w->session, w->metric, (int64_t)round * w->burst + i, 0.25 * (double)i);
  double ns = (bench_thread_seconds() - begin) / (double)w->burst * 1e9;
  bench_check(bad, "log");
  return ns;
}

static void *work(void *argument) {
  worker *w = argument;
  slot *own = slots + (size_t)w->number * (size_t)w->burst;
  for (int round = 0; round < ROUNDS; round++) {
    pthread_barrier_wait(w->barrier);
    w->floor[round] = floor_burst(own, w->burst);
    pthread_barrier_wait(w->barrier);
    w->log[round] = log_burst(w, round);
    pthread_barrier_wait(w->barrier);
  }
  return NULL;
}

int bench_log(char **arguments) {
  static worker workers[MOST_THREADS];
  static double floors[MOST_THREADS], logs[MOST_THREADS];
  static const char *const keys[MOST_THREADS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"};
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  pthread_barrier_t barrier;
  bench_open(&store, &session, arguments[0]);
  int64_t threads = bench_number(arguments[1]);
  if (threads < 1 || threads > MOST_THREADS) bench_die("1 to 16 threads");
  pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
  for (int64_t i = 0; i < threads; i++) {
    worker *w = &workers[i];
    w->session = session;
    w->number = i;
    w->barrier = &barrier;
    w->burst = BENCH_BURST / threads;
    bench_check(tmon_session_metric(&w->metric, session, keys[i], NULL), "metric");
    if (pthread_create(&w->thread, NULL, work, w) != 0) bench_die("no thread");
  }
  for (int round = 0; round < ROUNDS; round++) {
    for (int phase = 0; phase < 3; phase++) pthread_barrier_wait(&barrier);
    bench_check(tmon_session_flush(session), "flush");
  }
  for (int64_t i = 0; i < threads; i++) {
    pthread_join(workers[i].thread, NULL);
    floors[i] = bench_median(workers[i].floor, ROUNDS);
    logs[i] = bench_median(workers[i].log, ROUNDS);
  }
  bench_print("floor", bench_median(floors, (size_t)threads));
  bench_print("log", bench_median(logs, (size_t)threads));
  bench_close(store, session);
  pthread_barrier_destroy(&barrier);
  return 0;
}
