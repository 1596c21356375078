/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reproducible random numbers. */
#include "random.h"

#include <math.h>

uint64_t random_bits(random_state *state) {
  uint64_t mixed = (state->value += UINT64_C(0x9E3779B97F4A7C15));
  mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94D049BB133111EB);
  return mixed ^ (mixed >> 31);
}

double random_unit(random_state *state) { return (double)(random_bits(state) >> 11) * 0x1.0p-53; }

/* Box and Muller's transform; the second number of the pair is not kept, so that the state stays one word. */
double random_normal(random_state *state) {
  const double pi = 3.14159265358979323846;
  double radius = sqrt(-2.0 * log(1.0 - random_unit(state)));
  return radius * cos(2.0 * pi * random_unit(state));
}

void random_shuffle(random_state *state, size_t *order, size_t count) {
  for (size_t left = count; left > 1; left--) {
    /* The modulo's bias is below 2^-40 for any number of images that fits into memory. */
    size_t chosen = (size_t)(random_bits(state) % left);
    size_t kept = order[left - 1];
    order[left - 1] = order[chosen];
    order[chosen] = kept;
  }
}
