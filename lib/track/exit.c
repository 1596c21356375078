/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions that are still alive when the process exits: their status is left to adoption, their points are safe in the ring; forked children forget them. */
#include "track/session.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_US 60000 /* of the 100 ms that an exit may take */

/* Guarded by `busy`, a spin flag: the list changes a few times in a training. */
static tmon_session *live;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static atomic_bool registered;

static void lock(void) {
  while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) tmon_clock_sleep_us(10);
}

static void unlock(void) { atomic_flag_clear_explicit(&busy, memory_order_release); }

/* At exit a session that nobody finished ends as completed: the program came to its regular end. */
static void finish_all(void) {
  tmon_session *ending = NULL;
  int64_t deadline = tmon_clock_monotonic_us() + EXIT_US;
  for (;;) {
    lock();
    tmon_session *session = live;
    unlock();
    if (session == NULL || session->pid != tmon_process_id()) break;
    if (atomic_load_explicit(&session->finished, memory_order_acquire)) {
      tmon_exit_remove(session);
      continue;
    }
    tmon_session_begin_end(session, TMON_STATUS_COMPLETED); /* takes it off the list, so `next` is free */
    session->next = ending;
    ending = session;
  }
  /* All their drainers are at work: one wait for all of them. */
  for (; ending != NULL; ending = ending->next) tmon_session_await_end(ending, deadline);
}

/*
 * A forked child drops its view of the parent's rings, so that it can't keep a dead parent looking alive. The store's lock is closed by the lock table
 * itself; the store stays as it is, because the child still frees it, once for each session and once for the caller.
 */
static void forget_all(void) {
  for (tmon_session *session = live; session != NULL; session = session->next) {
    tmon_ring_forget(tmon_session_ring(session));
    atomic_store_explicit(&session->ring, NULL, memory_order_relaxed);
    for (tmon_old_ring *old = session->old; old != NULL; old = old->next) {
      tmon_ring_forget(old->ring);
      old->ring = NULL;
    }
  }
  live = NULL;
  atomic_flag_clear(&busy);
}

int tmon_exit_add(tmon_session *session) {
  int result = TMON_OK;
  if (!atomic_exchange(&registered, true)) {
    result = tmon_fork_register(forget_all);
    if (result == TMON_OK && atexit(finish_all) != 0) result = tmon_error_no_memory();
    if (result != TMON_OK) {
      atomic_store(&registered, false);
      return result;
    }
  }
  lock();
  session->next = live;
  live = session;
  unlock();
  return TMON_OK;
}

void tmon_exit_with(tmon_store *store, const char *id, void (*use)(tmon_session *session, void *payload), void *payload) {
  tmon_session *found = NULL;
  lock();
  for (tmon_session *session = live; session != NULL; session = session->next) {
    if (strcmp(session->id, id) != 0 || strcmp(tmon_db_folder(session->store->db), tmon_db_folder(store->db)) != 0) continue;
    if (found == NULL || session->rank < found->rank) found = session;
  }
  if (found != NULL) use(found, payload);
  unlock();
}

void tmon_exit_remove(tmon_session *session) {
  lock();
  for (tmon_session **at = &live; *at != NULL; at = &(*at)->next) {
    if (*at == session) {
      *at = session->next;
      break;
    }
  }
  unlock();
}
