/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * A trainer that forks workers, as DataLoaders do. STORE ID COUNTS MODE:
 *   child   one worker tries all calls of the session, frees session and store, and lives on; the parent logs on until killed
 *   flush   a thread logs and flushes without pause while workers are forked at any instant, some with the session freed; all live until killed
 * The parent says "worker PID" for each.
 */
#include "fault.h"

#include <pthread.h>
#include <signal.h>

static tmon_store *store;
static tmon_session *session;
static tmon_metric metric;
static fault_count *counts;

static void expect(int result, int wanted, const char *call) {
  if (result == wanted) return;
  fprintf(stderr, "%s in a forked child gave %s, expected %s\n", call, tmon_error_name(result), tmon_error_name(wanted));
  _exit(1);
}

/* In the child: every call says TMON_EFORKED, freeing is fine, and its parent's store can't be opened again. */
static void try_calls(const char *path) {
  tmon_metric other = 0;
  tmon_record_list *list = NULL;
  tmon_store *own = NULL;
  tmon_progress progress = {.size = sizeof progress};
  for (int i = 0; i < 1000; i++) expect(tmon_log(session, metric, 1 << 30, 1.0), TMON_EFORKED, "tmon_log");
  expect(tmon_session_metric(&other, session, "child", NULL), TMON_EFORKED, "tmon_session_metric");
  expect(tmon_session_report(session, &progress), TMON_EFORKED, "tmon_session_report");
  expect(tmon_session_flush(session), TMON_EFORKED, "tmon_session_flush");
  expect(tmon_session_finish(session, TMON_STATUS_FAILED), TMON_EFORKED, "tmon_session_finish");
  expect(tmon_record_list_open(&list, store, NULL), TMON_EFORKED, "tmon_record_list_open");
  expect((int)tmon_session_control(session), TMON_CONTROL_RUN, "tmon_session_control");
  tmon_session_free(session);
  tmon_store_free(store);
  expect(tmon_store_open(&own, path, NULL), TMON_EFORKED, "tmon_store_open of its parent's store");
}

static _Noreturn void live_on(void) {
  signal(SIGPIPE, SIG_IGN);
  close(0);
  close(1);
  close(2);
  for (;;) pause();
}

static void log_next(uint64_t *value) {
  int result = tmon_log(session, metric, (int64_t)*value, (double)*value);
  if (result == TMON_OK) {
    atomic_fetch_add(&counts->kept, 1);
    (*value)++;
  } else {
    atomic_fetch_add(result == TMON_EDROPPED ? &counts->dropped : &counts->wrong, 1);
  }
  atomic_fetch_add(&counts->attempts, 1);
}

static void *flush(void *unused) {
  uint64_t value = 0;
  (void)unused;
  for (;;) {
    for (int i = 0; i < 50; i++) log_next(&value);
    if (tmon_session_flush(session) != TMON_OK) fault_die("flush");
  }
  return NULL;
}

static void say_worker(pid_t worker) {
  if (worker < 0) exit(1);
  printf("worker %d\n", (int)worker);
  fflush(stdout);
}

int main(int count, char **arguments) {
  if (count < 5) return 2;
  bool flushing = strcmp(arguments[4], "flush") == 0;
  tmon_session_options options = {.size = sizeof options, .id = arguments[2], .no_drainer = flushing};
  counts = fault_counts(arguments[3]);
  store = fault_open(arguments[1]);
  if (tmon_session_start(&session, store, &options) != TMON_OK) fault_die("start");
  if (tmon_session_metric(&metric, session, "m0", NULL) != TMON_OK) fault_die("metric");
  fault_say("ready");
  if (flushing) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, flush, NULL) != 0) return 1;
    for (int i = 0; i < 6; i++) {
      fault_sleep_us(7000 + 3100 * i);
      pid_t worker = fork();
      if (worker == 0) {
        if (i % 2 == 1) tmon_session_free(session);
        live_on();
      }
      say_worker(worker);
    }
    fault_say("forked");
    for (;;) pause();
  }
  uint64_t value = 0;
  for (int i = 0; i < 1000; i++) log_next(&value);
  if (tmon_session_flush(session) != TMON_OK) fault_die("flush");
  int tubes[2];
  if (pipe(tubes) != 0) return 1;
  pid_t worker = fork();
  if (worker == 0) {
    try_calls(arguments[1]);
    if (write(tubes[1], "1", 1) != 1) _exit(1);
    close(tubes[0]);
    close(tubes[1]);
    live_on();
  }
  close(tubes[1]);
  char word = 0;
  say_worker(worker);
  if (read(tubes[0], &word, 1) != 1) return 1;
  fault_say("forked");
  for (;;) {
    log_next(&value);
    fault_sleep_us(100);
  }
}
