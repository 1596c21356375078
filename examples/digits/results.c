/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the trainer tells libtrainmon of its classes and of its speed. */
#define _POSIX_C_SOURCE 200809L
#include "results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CLASS_BYTES 200 /* of one class in JSON */
#define HEAD_BYTES 200

/* A class's row and column of the matrix. */
typedef struct tally {
  uint64_t right;
  uint64_t row;
  uint64_t column;
  uint64_t all;
} tally;

static tally tally_of(const confusion *matrix, size_t label) {
  tally of = {.right = matrix->counts[label * matrix->classes + label]};
  for (size_t i = 0; i < matrix->classes; i++) {
    of.row += matrix->counts[label * matrix->classes + i];
    of.column += matrix->counts[i * matrix->classes + label];
  }
  for (size_t i = 0; i < matrix->classes * matrix->classes; i++) of.all += matrix->counts[i];
  return of;
}

/* ,"name":part/whole; nothing where there is nothing to divide by. */
static int write_ratio(char *out, size_t size, const char *name, uint64_t part, uint64_t whole) {
  return whole == 0 ? snprintf(out, size, "%s", "") : snprintf(out, size, ",\"%s\":%.9g", name, (double)part / (double)whole);
}

static int write_class(char *out, size_t size, const confusion *matrix, size_t label) {
  tally of = tally_of(matrix, label);
  int used = snprintf(out, size, "%s{\"class_name\":\"%zu\",\"support\":%" PRIu64, label == 0 ? "" : ",", label, of.row);
  used += write_ratio(out + used, size - (size_t)used, "precision", of.right, of.column);
  used += write_ratio(out + used, size - (size_t)used, "sensitivity", of.right, of.row);
  used += write_ratio(out + used, size - (size_t)used, "specificity", of.all + of.right - of.row - of.column, of.all - of.row);
  used += write_ratio(out + used, size - (size_t)used, "f1_score", 2 * of.right, of.row + of.column);
  return used + snprintf(out + used, size - (size_t)used, "}");
}

static void log_classes(monitor *to, int64_t epoch, const confusion *matrix) {
  size_t size = HEAD_BYTES + CLASS_BYTES * matrix->classes;
  char *json = malloc(size);
  if (json == NULL) return;
  int used = snprintf(json, size, "{\"session_id\":\"%s\",\"epoch\":%" PRId64 ",\"results\":[", tmon_session_id(to->session), epoch);
  for (size_t label = 0; label < matrix->classes; label++) used += write_class(json + used, size - (size_t)used, matrix, label);
  (void)snprintf(json + used, size - (size_t)used, "]}");
  monitor_check(to, tmon_result_add(NULL, to->store, TMON_RESULT_VALIDATION, json), "the figures of the classes were not recorded");
  free(json);
}

static void log_matrix(monitor *to, int64_t epoch, const confusion *matrix) {
  char digits[RESULTS_CLASSES][4];
  const char *names[RESULTS_CLASSES];
  for (size_t label = 0; label < matrix->classes; label++) {
    (void)snprintf(digits[label], sizeof(digits[label]), "%u", (unsigned)label & 0xFFu);
    names[label] = digits[label];
  }
  const tmon_confusion row = {.size = sizeof(row), .epoch = epoch, .class_count = matrix->classes, .class_names = names, .counts = matrix->counts};
  monitor_check(to, tmon_confusion_add(NULL, to->store, tmon_session_id(to->session), &row), "the confusion matrix was not recorded");
}

/* The figures first: a matrix without them would be judged by the alert rules in their place. */
void results_epoch(monitor *to, int64_t epoch, const confusion *matrix) {
  if (to->session == NULL || matrix->classes > RESULTS_CLASSES) return;
  log_classes(to, epoch, matrix);
  log_matrix(to, epoch, matrix);
}

static int by_size(const void *a, const void *b) {
  double first = *(const double *)a;
  double second = *(const double *)b;
  return (first > second) - (first < second);
}

void results_benchmark(monitor *to, double *seconds, size_t runs, size_t batch, size_t parameters) {
  char json[700];
  double sum = 0;
  if (to->session == NULL || runs == 0) return;
  qsort(seconds, runs, sizeof(*seconds), by_size);
  for (size_t i = 0; i < runs; i++) sum += seconds[i];
  (void)snprintf(json, sizeof(json),
      "{\"session_id\":\"%s\",\"model_name\":\"multilayer perceptron\",\"device\":\"cpu\",\"batch_size\":%zu,\"runs\":%zu,\"avg_inference_ms\":%.9g,"
      "\"min_inference_ms\":%.9g,\"max_inference_ms\":%.9g,\"p50_inference_ms\":%.9g,\"p95_inference_ms\":%.9g,\"p99_inference_ms\":%.9g,"
      "\"throughput_fps\":%.9g,\"memory_mb\":%.9g,\"parameters\":%zu}",
      tmon_session_id(to->session), batch, runs, sum / (double)runs * 1e3, seconds[0] * 1e3, seconds[runs - 1] * 1e3, seconds[(runs - 1) / 2] * 1e3,
      seconds[(runs - 1) * 95 / 100] * 1e3, seconds[(runs - 1) * 99 / 100] * 1e3, (double)(batch * runs) / (sum > 0 ? sum : 1e-9),
      (double)(parameters * sizeof(float)) / 1e6, parameters);
  monitor_check(to, tmon_result_add(NULL, to->store, TMON_RESULT_BENCHMARK, json), "the speed was not recorded");
}
