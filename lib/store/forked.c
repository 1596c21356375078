/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which database files this process, or one that forked it, has open.
 *
 * SQLite keeps one entry for each open file in static memory, with the locks that the process holds on it. A forked child has a copy of the entry but
 * none of the locks (POSIX locks are not inherited): a connection that it opens on the same file finds them "held" and never asks the system. It would
 * read a WAL that others reset, and lose its own when the parent closes. Closing the inherited connections first is no way out: that rolls back, in
 * memory that is shared with the parent. So a file that was open at the fork is refused in the child. */
#include "store/driver.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"

#include <inttypes.h>

struct tmon_opened {
  uint64_t device;
  uint64_t inode;
  int64_t pid;
  tmon_opened *next;
};

/* Guarded by `busy`. A child keeps the entries of its parent for ever: SQLite's are there for ever too. */
static tmon_opened *opened;
static atomic_flag busy = ATOMIC_FLAG_INIT;

static void lock(void) {
  while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) tmon_clock_sleep_us(10);
}

static void unlock(void) { atomic_flag_clear_explicit(&busy, memory_order_release); }

/* The thread that held it does not exist in the child; each change of the list is one store, so it is whole. */
static void unlock_in_child(void) { atomic_flag_clear(&busy); }

int tmon_opened_check(const char *path) {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t parent = 0;
  if (tmon_file_identity(path, &device, &inode) != TMON_OK) return TMON_OK; /* not there yet */
  lock();
  for (const tmon_opened *at = opened; at; at = at->next)
    if (at->device == device && at->inode == inode && at->pid != tmon_process_id()) parent = at->pid;
  unlock();
  if (!parent) return TMON_OK;
  return tmon_error_set(TMON_EFORKED,
      "process %" PRId64 " had %s open when it forked this one, which so can't open it safely: start this process with exec or spawn,"
      " or close the store before the fork",
      parent, path);
}

int tmon_opened_note(tmon_opened **out, const char *path) {
  *out = NULL;
  int result = tmon_fork_register(unlock_in_child);
  tmon_opened *note = result ? NULL : tmon_alloc_zero(1, sizeof *note);
  if (!note) return result ? result : tmon_error_no_memory();
  note->pid = tmon_process_id();
  result = tmon_file_identity(path, &note->device, &note->inode);
  if (result) {
    tmon_free(note);
    return result;
  }
  lock();
  note->next = opened;
  opened = note;
  unlock();
  *out = note;
  return TMON_OK;
}

void tmon_opened_strike(tmon_opened *note) {
  if (!note) return;
  lock();
  for (tmon_opened **at = &opened; *at; at = &(*at)->next) {
    if (*at == note) {
      *at = note->next;
      break;
    }
  }
  unlock();
  tmon_free(note);
}
