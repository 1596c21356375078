/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: threads and mutexes. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/os.h"
#include "util/text.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

enum { NAME_BYTES = 16, MUTEX_TRY_US = 200 };

struct tmon_thread {
  pthread_t handle;
  void (*body)(void *argument);
  void *argument;
  char name[NAME_BYTES];
  pthread_mutex_t mutex;
  pthread_cond_t end;
  bool ended; /* guarded by mutex, as is left */
  bool left;
};

struct tmon_mutex {
  pthread_mutex_t handle;
};

static struct timespec deadline_after(int64_t timeout_us) {
  /* About a century: longer waits would overflow and mean the same. */
  const int64_t longest = INT64_C(3000000000000000);
  int64_t end = tmon_clock_monotonic_us() + (timeout_us < 0 ? 0 : timeout_us < longest ? timeout_us : longest);
  return (struct timespec){.tv_sec = (time_t)(end / 1000000), .tv_nsec = (long)(end % 1000000) * 1000};
}

static void dispose(tmon_thread *thread) {
  pthread_mutex_destroy(&thread->mutex);
  pthread_cond_destroy(&thread->end);
  tmon_free(thread);
}

static void *run(void *argument) {
  tmon_thread *thread = argument;
  if (thread->name[0]) (void)pthread_setname_np(pthread_self(), thread->name);
  thread->body(thread->argument);
  pthread_mutex_lock(&thread->mutex);
  thread->ended = true;
  bool left = thread->left;
  pthread_cond_broadcast(&thread->end);
  pthread_mutex_unlock(&thread->mutex);
  if (left) dispose(thread);
  return NULL;
}

/* The condition waits by the monotonic clock: the wall clock may jump. */
static int prepare(tmon_thread *thread) {
  pthread_condattr_t attributes;
  int failure = pthread_condattr_init(&attributes);
  if (failure) return failure;
  failure = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  if (!failure) failure = pthread_cond_init(&thread->end, &attributes);
  pthread_condattr_destroy(&attributes);
  if (failure) return failure;
  failure = pthread_mutex_init(&thread->mutex, NULL);
  if (failure) pthread_cond_destroy(&thread->end);
  return failure;
}

int tmon_thread_start(tmon_thread **out, const char *name, void (*body)(void *argument), void *argument) {
  *out = NULL;
  tmon_thread *thread = tmon_alloc_zero(1, sizeof *thread);
  if (!thread) return tmon_error_no_memory();
  thread->body = body;
  thread->argument = argument;
  (void)tmon_text_copy(thread->name, sizeof thread->name, name);
  int failure = prepare(thread);
  if (failure) {
    tmon_free(thread);
    return tmon_error_set_os(failure, "a thread can't be prepared");
  }
  /* A thread inherits the mask of its maker: blocked here first, so that no signal of the host ever runs on it. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failure = pthread_create(&thread->handle, NULL, run, thread);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (failure) {
    dispose(thread);
    return tmon_error_set_os(failure, "a thread can't be started");
  }
  *out = thread;
  return TMON_OK;
}

bool tmon_thread_join(tmon_thread *thread, int64_t timeout_us) {
  if (!thread) return true;
  if (pthread_equal(pthread_self(), thread->handle)) return false;
  struct timespec deadline = deadline_after(timeout_us);
  int failure = 0;
  pthread_mutex_lock(&thread->mutex);
  while (!thread->ended && failure != ETIMEDOUT)
    failure = timeout_us < 0 ? pthread_cond_wait(&thread->end, &thread->mutex) : pthread_cond_timedwait(&thread->end, &thread->mutex, &deadline);
  bool ended = thread->ended;
  pthread_mutex_unlock(&thread->mutex);
  if (!ended) return false;
  pthread_join(thread->handle, NULL);
  dispose(thread);
  return true;
}

void tmon_thread_leave(tmon_thread *thread) {
  if (!thread) return;
  pthread_mutex_lock(&thread->mutex);
  pthread_detach(thread->handle);
  bool ended = thread->ended;
  thread->left = true;
  pthread_mutex_unlock(&thread->mutex);
  if (ended) dispose(thread);
}

void tmon_thread_forget(tmon_thread *thread) { tmon_free(thread); }

int tmon_mutex_make(tmon_mutex **out) {
  *out = NULL;
  tmon_mutex *mutex = tmon_alloc(sizeof *mutex);
  if (!mutex) return tmon_error_no_memory();
  int failure = pthread_mutex_init(&mutex->handle, NULL);
  if (failure) {
    tmon_free(mutex);
    return tmon_error_set_os(failure, "a mutex can't be made");
  }
  *out = mutex;
  return TMON_OK;
}

void tmon_mutex_lock(tmon_mutex *mutex) { pthread_mutex_lock(&mutex->handle); }

bool tmon_mutex_try_lock_for(tmon_mutex *mutex, int64_t timeout_us) {
  /* Asked for again and again: pthread_mutex_timedlock goes by the wall clock, which may jump, and the thread sanitizer of GCC 12 does not see
   * pthread_mutex_clocklock. */
  int64_t start = tmon_clock_monotonic_us();
  while (pthread_mutex_trylock(&mutex->handle) != 0) {
    int64_t left = timeout_us - (tmon_clock_monotonic_us() - start);
    if (left <= 0) return false;
    tmon_clock_sleep_us(left < MUTEX_TRY_US ? left : MUTEX_TRY_US);
  }
  return true;
}

void tmon_mutex_unlock(tmon_mutex *mutex) { pthread_mutex_unlock(&mutex->handle); }

void tmon_mutex_free(tmon_mutex *mutex) {
  if (!mutex) return;
  pthread_mutex_destroy(&mutex->handle);
  tmon_free(mutex);
}
