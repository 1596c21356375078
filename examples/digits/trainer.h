/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The training loop. */
#ifndef DIGITS_TRAINER_H
#define DIGITS_TRAINER_H

#include "dataset.h"
#include "monitor.h"
#include "options.h"

#include <signal.h>

/** How a training ended. */
typedef enum trainer_end {
  TRAINER_COMPLETED,
  TRAINER_STOPPED, /**< someone asked for it on the dashboard */
  TRAINER_SIGNALLED,
  TRAINER_DIVERGED, /**< the loss is no number any more */
  TRAINER_NO_MEMORY
} trainer_end;

/**
 * Trains until the last epoch, a stop, or `*signalled` not 0. `accuracy` receives that of the last finished epoch on the validation images,
 * or -1.
 */
trainer_end trainer_run(double *accuracy, const options *chosen, const dataset *data, monitor *watch, const volatile sig_atomic_t *signalled);

#endif
