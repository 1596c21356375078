/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fault loops: an allocator that fails the Nth allocation, once or from then on, and counts what is alive. */
#ifndef TRAINMON_TESTS_FAULT_H
#define TRAINMON_TESTS_FAULT_H
#include "trainmon/allocator.h"
#include "trainmon/error.h"

#include <check.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

typedef struct tmon_fault {
  _Atomic size_t fail_at;  /* the allocation that fails, counted from 1; 0: none */
  _Atomic bool persistent; /* and all after it */
  _Atomic size_t count;    /* allocations asked for */
  _Atomic size_t failed;   /* of them refused */
  _Atomic long alive;      /* given and not yet released */
} tmon_fault;

static inline bool tmon_fault_due(tmon_fault *fault) {
  size_t number = atomic_fetch_add(&fault->count, 1) + 1;
  bool due = fault->fail_at && (number == fault->fail_at || (fault->persistent && number > fault->fail_at));
  if (due) atomic_fetch_add(&fault->failed, 1);
  return due;
}

static inline void *tmon_fault_allocate(size_t size, void *payload) {
  tmon_fault *fault = payload;
  void *memory = tmon_fault_due(fault) ? NULL : malloc(size);
  if (memory) atomic_fetch_add(&fault->alive, 1);
  return memory;
}

static inline void *tmon_fault_resize(void *memory, size_t size, void *payload) {
  tmon_fault *fault = payload;
  return tmon_fault_due(fault) ? NULL : realloc(memory, size);
}

static inline void tmon_fault_release(void *memory, void *payload) {
  tmon_fault *fault = payload;
  atomic_fetch_sub(&fault->alive, 1);
  free(memory);
}

static inline void tmon_fault_install(tmon_fault *fault) {
  tmon_allocator allocator = {tmon_fault_allocate, tmon_fault_resize, tmon_fault_release, fault};
  ck_assert_int_eq(tmon_allocator_set(&allocator), TMON_OK);
}

/* Who ends something does not wait for its thread for ever: what such a thread holds comes back a little later. */
static inline void tmon_fault_await(tmon_fault *fault) {
  for (int i = 0; i < 3000 && atomic_load(&fault->alive) != 0; i++) (void)nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

/* Runs `body` with the first allocation failing, then the second, and so on until a run meets no failure; first once each, then for good.
 * A run must end in TMON_OK or TMON_ENOMEM, must not end in TMON_ENOMEM without a failure, and must leave nothing alive. */
static inline void tmon_fault_loop(int (*body)(void *argument), void *argument) {
  for (int persistent = 0; persistent < 2; persistent++) {
    size_t failures = 0;
    for (size_t at = 1;; at++) {
      tmon_fault fault = {.fail_at = at, .persistent = persistent != 0};
      tmon_fault_install(&fault);
      int result = body(argument);
      tmon_fault_await(&fault);
      ck_assert_int_eq(tmon_allocator_set(NULL), TMON_OK);
      ck_assert_msg(fault.alive == 0, "%ld pieces leaked when allocation %zu failed", (long)fault.alive, at);
      if (!fault.failed) {
        ck_assert_msg(result == TMON_OK, "%d without a failure: %s", result, tmon_error_message());
        break;
      }
      failures++;
      ck_assert_msg(result == TMON_OK || result == TMON_ENOMEM, "%d when allocation %zu failed: %s", result, at, tmon_error_message());
    }
    ck_assert_msg(failures > 0, "the body allocates nothing, so the loop proves nothing");
  }
}
#endif
