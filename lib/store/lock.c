/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One writer at a time: a mutex among the threads of this process, then the store's lock among processes.
 *
 * SQLite's own locks would do for correctness of a single write, but a writer that resets the WAL while another process checkpoints can lose
 * committed pages in SQLite before 3.51.3. The lock keeps the two apart, its wait is bounded, and who waits in vain learns who holds it. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "store/driver.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOLDER_BYTES = 21 }; /* fixed width, so that one write replaces what stood there */

static int64_t read_holder(const tmon_lock *lock) {
  char text[HOLDER_BYTES + 1] = {0};
  if (pread(lock->fd, text, HOLDER_BYTES, 0) <= 0) return 0;
  text[strcspn(text, " \n")] = 0;
  int64_t pid = 0;
  return tmon_text_to_int(text, &pid) ? pid : 0;
}

/* Only information: on a full disk the lock holds without it. Rewritten only when another process held it last, to keep the file clean. */
static void write_holder(const tmon_lock *lock, int64_t pid) {
  if (read_holder(lock) == pid) return;
  char text[HOLDER_BYTES + 1];
  snprintf(text, sizeof text, "%-*" PRId64 "\n", HOLDER_BYTES - 1, pid);
  if (pwrite(lock->fd, text, HOLDER_BYTES, 0) != HOLDER_BYTES) return;
}

static bool is_current(const tmon_db *db) {
  struct stat held;
  struct stat there;
  return db->lock.fd >= 0 && fstat(db->lock.fd, &held) == 0 && stat(db->lock_path, &there) == 0 && held.st_ino == there.st_ino &&
      held.st_dev == there.st_dev;
}

/* Somebody may delete or replace the lock file. A lock on a file that no longer has the name would exclude nobody, so the name decides: looked at after
 * the lock is had, and again on the new file. */
static int take_file_lock(tmon_db *db, int64_t end) {
  for (;;) {
    int result = is_current(db) ? TMON_OK : TMON_DONE;
    if (result == TMON_DONE) {
      tmon_lock_close(&db->lock);
      result = tmon_lock_open(&db->lock, db->lock_path, true);
    }
    int64_t left = end - tmon_clock_monotonic_us();
    if (!result) result = tmon_lock_acquire(&db->lock, left > 0 ? left : 0);
    if (result || is_current(db)) return result;
  }
}

int tmon_db_lock(tmon_db *db, int64_t timeout_us) {
  int64_t end = tmon_clock_monotonic_us() + timeout_us;
  if (!tmon_mutex_try_lock_for(db->write_mutex, timeout_us))
    return tmon_error_set(TMON_EBUSY, "another thread of this process (%" PRId64 ") held the store's lock for %" PRId64 " ms", db->pid, timeout_us / 1000);
  int result = take_file_lock(db, end);
  if (!result) {
    write_holder(&db->lock, db->pid);
    return TMON_OK;
  }
  if (result == TMON_EBUSY) {
    int64_t holder = read_holder(&db->lock);
    tmon_error_set(TMON_EBUSY, "process %" PRId64 " held the lock %s/trainmon.lock for %" PRId64 " ms", holder, db->folder, timeout_us / 1000);
  }
  tmon_mutex_unlock(db->write_mutex);
  return result;
}

void tmon_db_unlock(tmon_db *db) {
  tmon_lock_release(&db->lock);
  tmon_mutex_unlock(db->write_mutex);
}
