/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * A training program for the kill tests: each thread logs 0, 1, 2, … to its own metric m0, m1, …, and notes every call that has returned in a file that
 * outlives it. STORE ID COUNTS THREADS BURST PAUSE_US TOTAL KEEP [RING_BYTES]: BURST points at full speed, then a pause; TOTAL 0 means for ever;
 * KEEP "retry" logs a dropped value again, "go" goes on with the next one, "exit" leaves main without finishing the session, "finish" without freeing it,
 * "input" goes on until standard input ends.
 */
#include "fault.h"

#include <pthread.h>

static atomic_bool over;

typedef struct work {
  tmon_session *session;
  fault_count *count;
  uint64_t burst;
  uint64_t total;
  int64_t pause;
  bool retry;
  unsigned index;
} work;

static void *train(void *argument) {
  const work *own = argument;
  char key[16];
  tmon_metric metric = 0;
  uint64_t value = 0;
  snprintf(key, sizeof key, "m%u", own->index);
  if (tmon_session_metric(&metric, own->session, key, NULL) != TMON_OK) fault_die("metric");
  while (!atomic_load_explicit(&over, memory_order_relaxed) && (own->total == 0 || value < own->total)) {
    int result = tmon_log(own->session, metric, (int64_t)value, (double)value);
    /* The partner is another process that reads after our death: program order is all that is needed. */
    if (result == TMON_OK) atomic_fetch_add_explicit(&own->count->kept, 1, memory_order_release);
    else if (result == TMON_EDROPPED) atomic_fetch_add_explicit(&own->count->dropped, 1, memory_order_release);
    else atomic_fetch_add_explicit(&own->count->wrong, 1, memory_order_release);
    atomic_fetch_add_explicit(&own->count->attempts, 1, memory_order_release);
    if (result == TMON_OK || !own->retry) value++;
    if (own->pause > 0 && value % own->burst == 0) fault_sleep_us(own->pause);
  }
  return NULL;
}

int main(int count, char **arguments) {
  if (count < 9) return 2;
  pthread_t threads[FAULT_THREADS];
  work works[FAULT_THREADS];
  unsigned many = (unsigned)strtoul(arguments[4], NULL, 10);
  bool leave = strcmp(arguments[8], "exit") == 0;
  bool finish = strcmp(arguments[8], "finish") == 0;
  tmon_session_options options = {.size = sizeof options, .id = arguments[2], .name = "kill"};
  tmon_session *session = NULL;
  fault_count *counts = fault_counts(arguments[3]);
  if (many < 1 || many > FAULT_THREADS) return 2;
  if (count > 9) options.ring_bytes = strtoul(arguments[9], NULL, 10);
  tmon_store *store = fault_open(arguments[1]);
  if (tmon_session_start(&session, store, &options) != TMON_OK) fault_die("start");
  fault_say("ready");
  for (unsigned i = 0; i < many; i++) {
    works[i] = (work){session, &counts[i], strtoull(arguments[5], NULL, 10), strtoull(arguments[7], NULL, 10), strtoll(arguments[6], NULL, 10),
        strcmp(arguments[8], "retry") == 0, i};
    if (pthread_create(&threads[i], NULL, train, &works[i]) != 0) return 1;
  }
  if (strcmp(arguments[8], "input") == 0) {
    while (getchar() != EOF) {
    }
    atomic_store_explicit(&over, true, memory_order_relaxed);
  }
  for (unsigned i = 0; i < many; i++) pthread_join(threads[i], NULL);
  printf("dropped %llu at %lld\n", (unsigned long long)tmon_session_dropped(session), (long long)fault_now_us());
  fflush(stdout);
  if (leave) return 0;
  if (tmon_session_finish(session, TMON_STATUS_COMPLETED) != TMON_OK) fault_die("finish");
  if (finish) return 0;
  tmon_session_free(session);
  tmon_store_free(store);
  return 0;
}
