/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the programs of the kill tests share: the counts that outlive a killed trainer, and small helpers. */
#ifndef FAULT_H
#define FAULT_H
#include "trainmon/trainmon.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FAULT_THREADS 8

/* One logging thread, on a cache line of its own. The driver reads it as eight 64-bit words. */
typedef struct fault_count {
  _Atomic uint64_t attempts; /* calls that have returned */
  _Atomic uint64_t kept;     /* of them TMON_OK */
  _Atomic uint64_t dropped;  /* of them TMON_EDROPPED */
  _Atomic uint64_t wrong;    /* of them anything else */
  uint64_t unused[4];
} fault_count;

static inline void fault_die(const char *what) {
  fprintf(stderr, "%s: %s\n", what, tmon_error_message());
  exit(1);
}

static inline fault_count *fault_counts(const char *path) {
  int file = open(path, O_RDWR | O_CREAT, 0600);
  if (file < 0 || ftruncate(file, FAULT_THREADS * (off_t)sizeof(fault_count)) != 0) exit(1);
  void *map = mmap(NULL, FAULT_THREADS * sizeof(fault_count), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (map == MAP_FAILED) exit(1);
  return map;
}

static inline int64_t fault_now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline void fault_sleep_us(int64_t time) {
  struct timespec nap = {time / 1000000, time % 1000000 * 1000};
  nanosleep(&nap, NULL);
}

static inline void fault_say(const char *word) {
  puts(word);
  fflush(stdout);
}

/* Patient: who writes without a pause, on a disk that takes long for it, leaves the lock for some microseconds only. */
static inline tmon_store *fault_open(const char *path) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .lock_timeout_ms = 60000};
  if (tmon_store_open(&store, path, &options) != TMON_OK) fault_die("open");
  return store;
}
#endif
