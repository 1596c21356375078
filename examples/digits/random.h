/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reproducible random numbers: the same seed gives the same training on every machine. */
#ifndef DIGITS_RANDOM_H
#define DIGITS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** The state of a generator (SplitMix64 by Steele, Lea and Flood, 2014). Any value is a good seed. */
typedef struct random_state {
  uint64_t value;
} random_state;

/** Returns 64 random bits. */
uint64_t random_bits(random_state *state);

/** Returns a number in [0, 1). */
double random_unit(random_state *state);

/** Returns a number of the normal distribution with mean 0 and variance 1. */
double random_normal(random_state *state);

/** Puts the `count` entries of `order` into a random order. */
void random_shuffle(random_state *state, size_t *order, size_t count);

#endif
