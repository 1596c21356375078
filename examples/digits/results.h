/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the trainer tells libtrainmon of its classes and of its speed: rows beside the points, written between epochs because each waits for the store. */
#ifndef DIGITS_RESULTS_H
#define DIGITS_RESULTS_H

#include "monitor.h"

#define RESULTS_CLASSES 256 /* as many as a label of one byte can say */
#define RESULTS_RUNS 100

/** How often each class was taken for each: `counts` has `classes` rows, one a true class, of `classes` counts. */
typedef struct confusion {
  uint64_t *counts;
  size_t classes;
} confusion;

/** Logs figures of each class and the matrix they come from. Epochs count from 1. */
void results_epoch(monitor *to, int64_t epoch, const confusion *matrix);

/** Logs how long batches of `batch` images took; sorts `seconds`. `parameters` is how many the network has. */
void results_benchmark(monitor *to, double *seconds, size_t runs, size_t batch, size_t parameters);

#endif
