/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the trainer tells libtrainmon. */
#define _POSIX_C_SOURCE 200809L
#include "monitor.h"

#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONFIG_BYTES 512
/* How long a pause may hide a Ctrl-C: the library's wait does not end at signals. */
#define WAIT_MS 100
#define VIEW_SECONDS 0.2
#define VIEW_SIDE 64 /* what a smaller image is enlarged to */

static const char *const metric_names[METRIC_COUNT] = {
    [METRIC_TRAIN_LOSS] = "train/loss",
    [METRIC_RATE] = "learning_rate",
    [METRIC_TRAIN_ACCURACY] = "train/accuracy",
    [METRIC_VALIDATION_LOSS] = "val/loss",
    [METRIC_VALIDATION_ACCURACY] = "val/accuracy",
    [METRIC_SECONDS] = "epoch_time_seconds",
};

void monitor_check(monitor *of, int code, const char *what) {
  if (code == TMON_OK || of->warned) return;
  of->warned = true;
  /* A bar may stand in the line. */
  fprintf(stderr, "%strainmon-digits: warning: %s: %s (%s); the training goes on\n", isatty(STDERR_FILENO) == 1 ? "\n" : "", what, tmon_error_message(),
      tmon_error_name(code));
}

/* What every training should be watched for. `val_loss` is the value of the epoch; the points have the name `val/loss`. */
static const char default_rules[] =
    "[{\"name\":\"loss is no number\",\"type\":\"nonfinite\",\"metric\":\"train/loss\",\"severity\":\"critical\"},"
    "{\"name\":\"no improvement\",\"type\":\"no_improvement\",\"metric\":\"val_loss\",\"points\":10,\"min_delta\":0.0001}]";

/* Rules that somebody has set for all sessions of the store are left alone. */
static void set_rules(monitor *to) {
  char *present = NULL;
  const char *id = tmon_session_id(to->session);
  int code = tmon_alert_rules_json(&present, to->store, id);
  if (code == TMON_OK && strcmp(present, "[]") == 0) code = tmon_alert_set_rules(to->store, id, default_rules, false);
  tmon_text_free(present);
  monitor_check(to, code, "the alert rules were not set");
}

static void write_config(char *out, const options *chosen) {
  int used =
      snprintf(out, CONFIG_BYTES, "{\"optimizer\":\"sgd\",\"momentum\":%.9g,\"schedule\":\"cosine\",\"copies\":%zu,\"seed\":%" PRIu64 ",\"hidden\":[",
          chosen->momentum, chosen->copies, chosen->seed);
  for (size_t i = 0; i < chosen->hidden_count; i++)
    used += snprintf(out + used, CONFIG_BYTES - (size_t)used, "%s%zu", i == 0 ? "" : ",", chosen->hidden[i]);
  snprintf(out + used, CONFIG_BYTES - (size_t)used, "]}");
}

void monitor_open(monitor *out, const options *chosen, const dataset *data) {
  char config[CONFIG_BYTES];
  *out = (monitor){0};
  write_config(config, chosen);
  tmon_session_options about = {.size = sizeof(about),
      .name = chosen->name,
      .model_type = "multilayer perceptron",
      .dataset_name = data->name,
      .config_json = config,
      .dataset_size = (int64_t)data->train.count,
      .epochs = (int64_t)chosen->epochs,
      .batch_size = (int64_t)chosen->batch,
      .img_size = (int64_t)data->train.rows,
      .learning_rate = chosen->rate,
      .hardware_period_ms = 1000};
  int code = tmon_store_open(&out->store, chosen->store, NULL);
  if (code == TMON_OK) code = tmon_session_start(&out->session, out->store, &about);
  monitor_check(out, code, "this training is not recorded");
  if (out->session != NULL) set_rules(out);
  for (size_t i = 0; out->session != NULL && i < METRIC_COUNT; i++)
    monitor_check(out, tmon_session_metric(&out->metrics[i], out->session, metric_names[i], NULL), metric_names[i]);
}

void monitor_step(monitor *to, int64_t step, double loss, double rate) {
  if (to->session == NULL) return;
  const tmon_metric metrics[] = {to->metrics[METRIC_TRAIN_LOSS], to->metrics[METRIC_RATE]};
  const double values[] = {loss, rate};
  monitor_check(to, tmon_log_batch(to->session, step, metrics, values, 2), "a point was not recorded");
}

void monitor_epoch(monitor *to, int64_t epoch, int64_t step, const epoch_result *result) {
  if (to->session == NULL) return;
  const double values[METRIC_COUNT] = {
      [METRIC_TRAIN_LOSS] = result->train_loss,
      [METRIC_RATE] = result->rate,
      [METRIC_TRAIN_ACCURACY] = result->train_accuracy,
      [METRIC_VALIDATION_LOSS] = result->validation_loss,
      [METRIC_VALIDATION_ACCURACY] = result->validation_accuracy,
      [METRIC_SECONDS] = result->seconds,
  };
  /* Loss and rate have a point at this step already; those that only an epoch knows come after them. */
  monitor_check(to, tmon_log_batch(to->session, step, to->metrics + METRIC_TRAIN_ACCURACY, values + METRIC_TRAIN_ACCURACY, 3), "a point was not recorded");
  const tmon_epoch row = {.size = sizeof(row), .count = METRIC_COUNT, .metrics = to->metrics, .values = values};
  monitor_check(to, tmon_session_log_epoch(to->session, epoch, &row), "an epoch was not recorded");
}

bool monitor_wants_view(monitor *to) {
  double now = progress_clock();
  if (to->session == NULL || now - to->shown < VIEW_SECONDS) return false;
  to->shown = now;
  return true;
}

void monitor_show(monitor *to, const monitor_view *view) {
  char label[24];
  char prediction[24];
  size_t side = view->rows > view->columns ? view->rows : view->columns;
  size_t scale = side >= VIEW_SIDE ? 1 : VIEW_SIDE / side;
  size_t width = view->columns * scale;
  size_t height = view->rows * scale;
  if (to->enlarged == NULL) to->enlarged = malloc(width * height);
  if (to->enlarged == NULL) return;
  for (size_t y = 0; y < height; y++) {
    for (size_t x = 0; x < width; x++) to->enlarged[y * width + x] = view->pixels[y / scale * view->columns + x / scale];
  }
  snprintf(label, sizeof(label), "%zu", view->label);
  snprintf(prediction, sizeof(prediction), "%zu", view->prediction);
  const tmon_image image = {.size = sizeof(image),
      .name = "train",
      .width = (uint32_t)width,
      .height = (uint32_t)height,
      .channels = 1,
      .data = to->enlarged,
      .bytes = width * height,
      .step = view->step,
      .epoch = view->epoch,
      .label = label,
      .prediction = prediction,
      .score = view->probability};
  monitor_check(to, tmon_session_log_image(to->session, &image), "an image was not shown");
}

void monitor_progress(monitor *to, const tmon_progress *now) {
  if (to->session != NULL) monitor_check(to, tmon_session_report(to->session, now), "progress was not recorded");
}

tmon_control monitor_control(const monitor *from) { return from->session == NULL ? TMON_CONTROL_RUN : tmon_session_control(from->session); }

tmon_control monitor_wait(monitor *to, const volatile sig_atomic_t *signalled) {
  tmon_control wanted = monitor_control(to);
  while (wanted == TMON_CONTROL_PAUSE && *signalled == 0) wanted = tmon_session_wait_while_paused(to->session, WAIT_MS);
  return wanted;
}

void monitor_close(monitor *to, tmon_status status, const char *error) {
  if (to->session != NULL) {
    if (error != NULL) monitor_check(to, tmon_session_set_error(to->session, error), "the reason was not recorded");
    monitor_check(to, tmon_session_finish(to->session, status), "the end was not recorded");
    uint64_t dropped = tmon_session_dropped(to->session);
    if (dropped != 0) fprintf(stderr, "trainmon-digits: warning: %" PRIu64 " points were dropped because the store could not keep up\n", dropped);
  }
  tmon_session_free(to->session);
  free(to->enlarged);
  tmon_store_free(to->store);
  *to = (monitor){0};
}
