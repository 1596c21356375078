/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: identity of processes, and what happens at a fork. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os_linux.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/file.h"
#include "util/os.h"
#include "util/text.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HANDLERS_MAXIMUM = 16, PROC_BYTES_MAXIMUM = 4096, START_FIELD = 22 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool watching;              /* written under `once` only */
static _Atomic int64_t cached_pid; /* 0: not cached. Relaxed: a number of its own, no other data hangs on it */

static pthread_mutex_t handlers_mutex = PTHREAD_MUTEX_INITIALIZER;
static void (*handlers[HANDLERS_MAXIMUM])(void); /* guarded by handlers_mutex, which the forking thread holds over the fork */
static size_t handlers_count;

static void before_fork(void) {
  pthread_mutex_lock(&handlers_mutex);
  tmon_lock_before_fork();
}

static void after_fork_in_parent(void) {
  tmon_lock_after_fork(false);
  pthread_mutex_unlock(&handlers_mutex);
}

static void after_fork_in_child(void) {
  atomic_store_explicit(&cached_pid, (int64_t)getpid(), memory_order_relaxed);
  tmon_lock_after_fork(true);
  pthread_mutex_unlock(&handlers_mutex);
  for (size_t i = 0; i < handlers_count; i++) handlers[i]();
}

static void watch_once(void) {
  watching = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0;
  /* Without the handlers a cached number would be wrong in a child: then every call asks the system. */
  if (watching) atomic_store_explicit(&cached_pid, (int64_t)getpid(), memory_order_relaxed);
}

bool tmon_fork_watch(void) {
  pthread_once(&once, watch_once);
  return watching;
}

int64_t tmon_process_id(void) {
  int64_t pid = atomic_load_explicit(&cached_pid, memory_order_relaxed);
  if (pid) return pid;
  (void)tmon_fork_watch();
  return (int64_t)getpid();
}

int tmon_fork_register(void (*child)(void)) {
  if (!child) return tmon_error_set(TMON_EINVAL, "no function to call after a fork");
  if (!tmon_fork_watch()) return tmon_error_no_memory();
  int result = TMON_OK;
  pthread_mutex_lock(&handlers_mutex);
  for (size_t i = 0; i < handlers_count; i++)
    if (handlers[i] == child) goto out;
  if (handlers_count == HANDLERS_MAXIMUM) result = tmon_error_set(TMON_ELIMIT, "more than %d functions to call after a fork", HANDLERS_MAXIMUM);
  else handlers[handlers_count++] = child;
out:
  pthread_mutex_unlock(&handlers_mutex);
  return result;
}

/* The process name in the second field may hold spaces and brackets, so fields are counted from the last bracket. */
static bool start_ticks_of(char *stat_line, int64_t *out) {
  char *at = strrchr(stat_line, ')');
  if (!at) return false;
  for (int field = 2; field < START_FIELD; field++) {
    at = strchr(at, ' ');
    if (!at) return false;
    at++;
  }
  at[strcspn(at, " \n")] = 0;
  return tmon_text_to_int(at, out);
}

static int look(tmon_process *out, int64_t pid, const char *path) {
  char *stat_line = NULL;
  char *boot = NULL;
  *out = (tmon_process){.pid = pid};
  int result = tmon_file_read(&stat_line, NULL, path, PROC_BYTES_MAXIMUM);
  if (result) goto out;
  if (!start_ticks_of(stat_line, &out->start_ticks)) {
    result = tmon_error_set(TMON_EIO, "%s is not in the expected form", path);
    goto out;
  }
  result = tmon_file_read(&boot, NULL, "/proc/sys/kernel/random/boot_id", PROC_BYTES_MAXIMUM);
  if (result) goto out;
  boot[strcspn(boot, "\n")] = 0;
  (void)tmon_text_copy(out->boot_id, sizeof out->boot_id, boot);
  /* POSIX does not say that a name that was cut ends in NUL; the struct was zeroed and its last byte is not given away. */
  if (gethostname(out->host, sizeof out->host - 1) != 0) out->host[0] = 0;
out:
  tmon_free(boot);
  tmon_free(stat_line);
  return result;
}

/* Not by its number: /proc may be of another namespace. */
int tmon_process_self(tmon_process *out) { return look(out, tmon_process_id(), "/proc/self/stat"); }

int tmon_process_look(tmon_process *out, int64_t pid) {
  char path[48];
  (void)snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
  return look(out, pid, path);
}
