/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: exclusive OFD locks.
 *
 * An OFD lock belongs to the open file description, which a forked child shares: while a child keeps its copy of the descriptor, the lock
 * outlives the parent, and a killed trainer with living workers would look alive. So each lock's descriptor is noted in a table, and the fork
 * handler closes them in the child: plain close, since an unlock would unlock the parent. Opening and noting happen under one mutex that the
 * fork handler takes too, so that no fork falls between them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os_linux.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/os.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

enum { FIRST_TRY_US = 100, LAST_TRY_US = 5000 };

static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
static int *table; /* guarded by table_mutex: descriptors of open locks, in no order */
static size_t table_count;
static size_t table_capacity;

void tmon_lock_before_fork(void) { pthread_mutex_lock(&table_mutex); }

void tmon_lock_after_fork(bool child) {
  if (child) {
    for (size_t i = 0; i < table_count; i++) close(table[i]);
    table_count = 0;
  }
  pthread_mutex_unlock(&table_mutex);
}

static bool note_has_room(void) {
  if (table_count < table_capacity) return true;
  size_t capacity = table_capacity ? table_capacity * 2 : 8;
  int *larger = tmon_realloc(table, capacity, sizeof *table);
  if (!larger) return false;
  table = larger;
  table_capacity = capacity;
  return true;
}

/* False when the descriptor is not in the table: a fork handler has closed it already. */
static bool strike(int fd) {
  for (size_t i = 0; i < table_count; i++) {
    if (table[i] != fd) continue;
    table[i] = table[--table_count];
    if (!table_count) {
      tmon_free(table);
      table = NULL;
      table_capacity = 0;
    }
    return true;
  }
  return false;
}

int tmon_lock_open(tmon_lock *lock, const char *path, bool create) {
  lock->fd = -1;
  if (!tmon_fork_watch()) return tmon_error_no_memory();
  int result = TMON_OK;
  pthread_mutex_lock(&table_mutex);
  if (!note_has_room()) {
    result = tmon_error_no_memory();
    goto out;
  }
  int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (create ? O_CREAT : 0), 0666);
  if (fd < 0) {
    result = tmon_error_set_os(errno, "lock file '%s' can't be opened", path);
    goto out;
  }
  table[table_count++] = fd;
  lock->fd = fd;
out:
  pthread_mutex_unlock(&table_mutex);
  return result;
}

static int set_lock(int fd, short type) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET};
  int result;
  do result = fcntl(fd, F_OFD_SETLK, &range);
  while (result != 0 && errno == EINTR);
  return result;
}

int tmon_lock_acquire(tmon_lock *lock, int64_t timeout_us) {
  if (lock->fd < 0) return tmon_error_set(TMON_ESTATE, "the lock is not open");
  int64_t start = tmon_clock_monotonic_us();
  /* F_OFD_SETLKW can't be bounded without signals, so the lock is asked for again and again, less and less often. */
  for (int64_t pause = FIRST_TRY_US;; pause = pause * 2 < LAST_TRY_US ? pause * 2 : LAST_TRY_US) {
    if (set_lock(lock->fd, F_WRLCK) == 0) return TMON_OK;
    if (errno != EAGAIN && errno != EACCES) return tmon_error_set_os(errno, "the lock can't be taken");
    int64_t passed = tmon_clock_monotonic_us() - start;
    if (passed >= timeout_us)
      return tmon_error_set(
          TMON_EBUSY, "another process holds the lock and did not release it within %lld ms", (long long)(timeout_us > 0 ? timeout_us / 1000 : 0));
    tmon_clock_sleep_us(pause < timeout_us - passed ? pause : timeout_us - passed);
  }
}

int tmon_lock_is_held(const tmon_lock *lock, bool *held) {
  *held = false;
  if (lock->fd < 0) return tmon_error_set(TMON_ESTATE, "the lock is not open");
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  if (fcntl(lock->fd, F_OFD_GETLK, &range) != 0) return tmon_error_set_os(errno, "the lock can't be looked at");
  *held = range.l_type != F_UNLCK;
  return TMON_OK;
}

void tmon_lock_release(tmon_lock *lock) {
  if (lock->fd >= 0) (void)set_lock(lock->fd, F_UNLCK);
}

void tmon_lock_close(tmon_lock *lock) {
  if (lock->fd < 0) return;
  pthread_mutex_lock(&table_mutex);
  if (strike(lock->fd)) close(lock->fd);
  pthread_mutex_unlock(&table_mutex);
  lock->fd = -1;
}
