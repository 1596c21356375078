/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the trainer tells libtrainmon. No failure in here ever stops the training. */
#ifndef DIGITS_MONITOR_H
#define DIGITS_MONITOR_H

#include "dataset.h"
#include "options.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <trainmon/trainmon.h>

/** The figures of one finished epoch. */
typedef struct epoch_result {
  double train_loss;
  double train_accuracy;
  double validation_loss;
  double validation_accuracy;
  double rate;
  double seconds;
} epoch_result;

enum { METRIC_TRAIN_LOSS, METRIC_RATE, METRIC_TRAIN_ACCURACY, METRIC_VALIDATION_LOSS, METRIC_VALIDATION_ACCURACY, METRIC_SECONDS, METRIC_COUNT };

/** One image that was just analysed. */
typedef struct monitor_view {
  const uint8_t *pixels; /**< one byte each, rows from the top */
  size_t rows;
  size_t columns;
  int64_t step;
  int64_t epoch; /**< counted from 1 */
  size_t label;
  size_t prediction;
  double probability;
} monitor_view;

/** A session, or none when it could not be started: then all calls do nothing. */
typedef struct monitor {
  tmon_store *store;
  tmon_session *session;
  tmon_metric metrics[METRIC_COUNT];
  uint8_t *enlarged; /**< the image that is shown */
  double shown;      /**< when one was shown last, seconds of a clock that never goes back */
  bool warned;
} monitor;

/** Warns when `code` is an error, once: a full disk would else fill the terminal with one line a step. `what` says what was not done. */
void monitor_check(monitor *of, int code, const char *what);

/** Opens the store and starts the session; a warning on standard error when that fails. */
void monitor_open(monitor *out, const options *chosen, const dataset *data);

/** Logs loss and learning rate of one step. */
void monitor_step(monitor *to, int64_t step, double loss, double rate);

/** Logs the end of an epoch (counted from 1): points at the step, and the epoch's row. */
void monitor_epoch(monitor *to, int64_t epoch, int64_t step, const epoch_result *result);

/** Tells whether it is time to show an image again: about five times a second, however fast the steps are. */
bool monitor_wants_view(monitor *to);

/** Shows an image, enlarged to be seen. */
void monitor_show(monitor *to, const monitor_view *view);

/** Reports progress: completed epochs of all, completed batches of the running one of all, images seen so far. */
void monitor_progress(monitor *to, const tmon_progress *progress);

/** Returns what people want: one atomic load. */
tmon_control monitor_control(const monitor *from);

/** Blocks while the session is paused and no signal came, and returns what is wanted then. */
tmon_control monitor_wait(monitor *to, const volatile sig_atomic_t *signalled);

/** Ends the session with this status and closes the store. `error` may be NULL. */
void monitor_close(monitor *to, tmon_status status, const char *error);

#endif
