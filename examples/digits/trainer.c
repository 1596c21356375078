/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The training loop: shuffled batches, a cosine learning rate, validation after each epoch. */
#include "trainer.h"

#include "network.h"
#include "progress.h"
#include "random.h"
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REPORT_BATCHES 16
#define RATE_FLOOR 0.01

typedef struct trainer {
  const options *chosen;
  const dataset *data;
  monitor *watch;
  const volatile sig_atomic_t *signalled;
  network *net;
  network_real *images; /* one batch */
  uint8_t *labels;
  size_t *order;
  confusion matrix; /* of the latest validation */
  size_t batch;
  size_t batches;
  size_t pixels;
  progress shown;
  double paused_seconds;
  int64_t step; /* completed steps */
  int64_t seen; /* images */
} trainer;

static bool prepare(trainer *self) {
  const image_set *train = &self->data->train;
  self->pixels = train->rows * train->columns;
  self->batch = self->chosen->batch < train->count ? self->chosen->batch : train->count;
  self->batches = (train->count + self->batch - 1) / self->batch;
  network_shape shape = {.inputs = self->pixels, .hidden_count = self->chosen->hidden_count, .classes = self->data->classes, .batch = self->batch};
  for (size_t i = 0; i < shape.hidden_count; i++) shape.hidden[i] = self->chosen->hidden[i];
  self->net = network_create(&shape, self->chosen->seed);
  self->images = calloc(self->batch, self->pixels * sizeof(*self->images));
  self->labels = calloc(self->batch, 1);
  self->matrix = (confusion){.counts = calloc(shape.classes * shape.classes, sizeof(uint64_t)), .classes = shape.classes};
  self->order = calloc(train->count, sizeof(*self->order));
  if (self->net == NULL || self->images == NULL || self->labels == NULL || self->order == NULL || self->matrix.counts == NULL) return false;
  for (size_t i = 0; i < train->count; i++) self->order[i] = i;
  progress_begin(&self->shown, self->chosen->quiet, self->chosen->epochs, self->batches);
  return true;
}

static void release(trainer *self) {
  free(self->matrix.counts);
  free(self->order);
  free(self->labels);
  free(self->images);
  network_free(self->net);
}

/* Copies the images `from`, `from` + 1, … of the order (NULL: as they stand) into the batch; returns how many there were. */
static size_t fill_batch(trainer *self, const image_set *set, const size_t *order, size_t from) {
  size_t count = set->count - from < self->batch ? set->count - from : self->batch;
  for (size_t i = 0; i < count; i++) {
    size_t chosen = order != NULL ? order[from + i] : from + i;
    const uint8_t *pixels = set->pixels + chosen * self->pixels;
    for (size_t p = 0; p < self->pixels; p++) self->images[i * self->pixels + p] = (network_real)pixels[p] / 255;
    self->labels[i] = set->labels[chosen];
  }
  return count;
}

/* Loshchilov and Hutter (2017) without restarts: large steps first, small ones to settle. */
static double rate_now(const trainer *self) {
  double total = (double)self->batches * (double)self->chosen->epochs;
  double wave = 0.5 * (1 + cos(3.14159265358979323846 * (double)self->step / total));
  return self->chosen->rate * (RATE_FLOOR + (1 - RATE_FLOOR) * wave);
}

static void report(trainer *self, size_t epoch, size_t batch) {
  const tmon_progress now = {.size = sizeof(now),
      .epoch = (int64_t)epoch,
      .epochs = (int64_t)self->chosen->epochs,
      .batch = (int64_t)batch,
      .batches = (int64_t)self->batches,
      .images = self->seen};
  monitor_progress(self->watch, &now);
}

/* What signals and people want before the next batch. */
static trainer_end obey(trainer *self) {
  tmon_control wanted = monitor_control(self->watch);
  if (wanted == TMON_CONTROL_PAUSE && *self->signalled == 0) {
    double since = progress_clock();
    progress_paused(&self->shown);
    wanted = monitor_wait(self->watch, self->signalled);
    progress_clear(&self->shown);
    self->paused_seconds += progress_clock() - since;
  }
  if (*self->signalled != 0) return TRAINER_SIGNALLED;
  return wanted == TMON_CONTROL_STOP ? TRAINER_STOPPED : TRAINER_COMPLETED;
}

/* The first image of the batch that was just computed. */
static void show(trainer *self, size_t epoch, size_t index) {
  const image_set *train = &self->data->train;
  monitor_view view = {.pixels = train->pixels + index * self->pixels,
      .rows = train->rows,
      .columns = train->columns,
      .step = self->step,
      .epoch = (int64_t)epoch + 1,
      .label = train->labels[index]};
  view.prediction = network_prediction(self->net, 0, &view.probability);
  monitor_show(self->watch, &view);
}

static trainer_end train_epoch(trainer *self, size_t epoch, epoch_result *result) {
  const image_set *train = &self->data->train;
  size_t right = 0;
  for (size_t batch = 0; batch < self->batches; batch++) {
    trainer_end wanted = obey(self);
    if (wanted != TRAINER_COMPLETED) return wanted;
    size_t correct = 0;
    size_t count = fill_batch(self, train, self->order, batch * self->batch);
    double loss = network_gradient(self->net, self->images, self->labels, count, &correct);
    result->rate = rate_now(self);
    self->step++;
    self->seen += (int64_t)count;
    monitor_step(self->watch, self->step, loss, result->rate);
    if (!isfinite(loss)) return TRAINER_DIVERGED;
    if (monitor_wants_view(self->watch)) show(self, epoch, self->order[batch * self->batch]);
    network_update(self->net, result->rate, self->chosen->momentum);
    right += correct;
    result->train_loss += loss * (double)count / (double)train->count;
    if ((batch + 1) % REPORT_BATCHES == 0) report(self, epoch, batch + 1);
    progress_draw(&self->shown, epoch, batch + 1, loss, self->paused_seconds);
  }
  result->train_accuracy = (double)right / (double)train->count;
  return TRAINER_COMPLETED;
}

static void validate(trainer *self, epoch_result *result) {
  const image_set *set = &self->data->validation;
  size_t right = 0;
  size_t classes = self->matrix.classes;
  memset(self->matrix.counts, 0, classes * classes * sizeof(*self->matrix.counts));
  for (size_t from = 0; from < set->count && *self->signalled == 0; from += self->batch) {
    size_t correct = 0;
    size_t count = fill_batch(self, set, NULL, from);
    result->validation_loss += network_evaluate(self->net, self->images, self->labels, count, &correct) * (double)count / (double)set->count;
    for (size_t i = 0; i < count; i++) {
      double probability = 0;
      self->matrix.counts[self->labels[i] * classes + network_prediction(self->net, i, &probability)]++;
    }
    right += correct;
  }
  result->validation_accuracy = (double)right / (double)set->count;
}

/* How fast the finished network is: the first batch of the validation images, again and again, after one run that warms up. */
static void benchmark(trainer *self) {
  double seconds[RESULTS_RUNS];
  size_t correct = 0;
  size_t runs = 0;
  size_t parameters = 0;
  size_t count = fill_batch(self, &self->data->validation, NULL, 0);
  (void)network_parameters(self->net, &parameters);
  (void)network_evaluate(self->net, self->images, self->labels, count, &correct);
  while (runs < RESULTS_RUNS && *self->signalled == 0) {
    double since = progress_clock();
    (void)network_evaluate(self->net, self->images, self->labels, count, &correct);
    seconds[runs++] = progress_clock() - since;
  }
  results_benchmark(self->watch, seconds, runs, count, parameters);
}

trainer_end trainer_run(double *accuracy, const options *chosen, const dataset *data, monitor *watch, const volatile sig_atomic_t *signalled) {
  trainer self = {.chosen = chosen, .data = data, .watch = watch, .signalled = signalled};
  random_state random = {chosen->seed ^ UINT64_C(0x5EED)};
  trainer_end end = TRAINER_NO_MEMORY;
  *accuracy = -1;
  if (!prepare(&self)) goto out;
  end = TRAINER_COMPLETED;
  for (size_t epoch = 0; epoch < chosen->epochs; epoch++) {
    epoch_result result = {0};
    double paused_before = self.paused_seconds;
    double since = progress_clock();
    random_shuffle(&random, self.order, data->train.count);
    end = train_epoch(&self, epoch, &result);
    if (end == TRAINER_COMPLETED) {
      validate(&self, &result);
      /* A validation that a signal cut short has no figures. */
      if (*signalled != 0) end = TRAINER_SIGNALLED;
    }
    if (end != TRAINER_COMPLETED) break;
    result.seconds = progress_clock() - since - (self.paused_seconds - paused_before);
    monitor_epoch(watch, (int64_t)epoch + 1, self.step, &result);
    results_epoch(watch, (int64_t)epoch + 1, &self.matrix);
    report(&self, epoch + 1, 0);
    progress_epoch(&self.shown, epoch, &result);
    *accuracy = result.validation_accuracy;
  }
  progress_clear(&self.shown);
  if (end == TRAINER_COMPLETED) benchmark(&self);
out:
  release(&self);
  return end;
}
