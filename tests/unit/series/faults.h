/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* An allocator that fails the Nth request and counts what is alive, and a fixed pseudo-random sequence. */
#ifndef TRAINMON_TESTS_SERIES_FAULTS_H
#define TRAINMON_TESTS_SERIES_FAULTS_H
#include "trainmon/allocator.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct faults {
  long until;      /* requests before the one that fails */
  bool persistent; /* all later ones fail as well */
  long alive;
} faults;

static inline bool faults_hit(faults *f) {
  long n = f->until--;
  return n == 0 || (n < 0 && f->persistent);
}
static inline void *faults_allocate(size_t size, void *payload) {
  faults *f = payload;
  if (faults_hit(f)) return NULL;
  f->alive++;
  return malloc(size);
}
static inline void *faults_resize(void *memory, size_t size, void *payload) {
  faults *f = payload;
  if (faults_hit(f)) return NULL;
  if (memory == NULL) f->alive++;
  return realloc(memory, size);
}
static inline void faults_release(void *memory, void *payload) {
  faults *f = payload;
  if (memory != NULL) f->alive--;
  free(memory);
}

static inline uint64_t test_random(uint64_t *state) { /* splitmix64 */
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static inline double test_uniform(uint64_t *state) { return (double)(test_random(state) >> 11) / 9007199254740992.0; }
#endif
