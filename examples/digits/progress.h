/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the person at the terminal sees: a moving bar on a terminal, one line an epoch in any case. */
#ifndef DIGITS_PROGRESS_H
#define DIGITS_PROGRESS_H

#include "monitor.h"

#include <stdbool.h>
#include <stddef.h>

/** The state of the display. */
typedef struct progress {
  bool quiet;
  bool bar; /**< standard output is a terminal */
  bool colour;
  size_t epochs;
  size_t batches; /**< an epoch */
  double started;
  double drawn;
} progress;

/** Returns seconds of a clock that never goes back. */
double progress_clock(void);

/** Prepares the display. NO_COLOR in the environment turns colour off. */
void progress_begin(progress *out, bool quiet, size_t epochs, size_t batches);

/**
 * Redraws the bar, at most ten times a second. `epoch` counts from 0, `batch` completed batches; `paused_seconds` of waiting are left out of
 * the estimate.
 */
void progress_draw(progress *of, size_t epoch, size_t batch, double loss, double paused_seconds);

/** Shows that the training waits. */
void progress_paused(progress *of);

/** Prints the line of a finished epoch, which counts from 0. */
void progress_epoch(progress *of, size_t epoch, const epoch_result *result);

/** Removes the bar, so that other text can follow. */
void progress_clear(progress *of);

#endif
