/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The arguments of the program. */
#ifndef DIGITS_OPTIONS_H
#define DIGITS_OPTIONS_H

#include "network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** What to train and how. */
typedef struct options {
  const char *data; /**< CSV file or folder of IDX files */
  const char *store;
  const char *name; /**< NULL: let the library choose */
  size_t epochs;
  size_t batch;
  size_t hidden[NETWORK_HIDDEN_MAX];
  size_t hidden_count;
  size_t copies;
  uint64_t seed;
  double rate;
  double momentum;
  bool quiet;
  bool help;
} options;

/** Fills `out` from the arguments, of which texts are borrowed. False after a message on standard error. */
bool options_parse(options *out, int argc, char **argv);

/** Prints the help. */
void options_help(FILE *to);

#endif
