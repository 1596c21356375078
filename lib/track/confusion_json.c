/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Stored confusion matrices as JSON, with the figures that follow from them. */
#include "track/result.h"

enum { ID, SESSION, EPOCH, SPLIT, NAMES, GROUPS, MATRIX, EXTRA, CREATED, UPDATED };

/* A thousand classes are a million counts: snprintf would take half a second for them. */
static void put_count(tmon_buffer *out, uint64_t value, bool comma) {
  char text[24];
  size_t at = sizeof text;
  do text[--at] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  if (comma) text[--at] = ',';
  tmon_buffer_append(out, text + at, sizeof text - at);
}

static void put_matrix(tmon_json_writer *json, const tmon_matrix *matrix) {
  size_t n = matrix->dimension;
  tmon_json_open(json, "matrix", '[');
  for (size_t i = 0; i < n; i++) {
    tmon_json_open(json, NULL, '[');
    for (size_t j = 0; j < n; j++) put_count(json->out, matrix->counts[i * n + j], j > 0);
    tmon_json_close(json, ']');
  }
  tmon_json_close(json, ']');
}

static void put_class(tmon_json_writer *json, const tmon_class_figures *figures) {
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "class_name", figures->name);
  tmon_json_put_text(json, "class_group", figures->group);
  tmon_json_put_int(json, "support", (int64_t)(figures->tp + figures->fn));
  tmon_json_put_int(json, "tp", (int64_t)figures->tp);
  tmon_json_put_int(json, "fp", (int64_t)figures->fp);
  tmon_json_put_int(json, "fn", (int64_t)figures->fn);
  tmon_json_put_int(json, "tn", (int64_t)figures->tn);
  for (int f = 0; f < TMON_FIGURES_OF_MATRIX; f++) tmon_json_put_double(json, tmon_figure_names[f], figures->figures[f]);
  tmon_json_close(json, '}');
}

static int put_figures(tmon_json_writer *json, const tmon_matrix *matrix) {
  tmon_class_figures *figures = NULL;
  tmon_averages averages = {0};
  double accuracy = 0;
  uint64_t total = 0;
  int result = tmon_matrix_figures(&figures, &accuracy, &total, matrix);
  for (size_t i = 0; result == TMON_OK && i < matrix->dimension; i++) {
    result = tmon_averages_add(&averages, "", figures[i].group, (double)(figures[i].tp + figures[i].fn), figures[i].figures);
  }
  if (result == TMON_OK) {
    tmon_json_put_int(json, "total", (int64_t)total);
    tmon_json_put_double(json, "accuracy", accuracy);
    tmon_json_open(json, "per_class", '[');
    for (size_t i = 0; i < matrix->dimension; i++) put_class(json, &figures[i]);
    tmon_json_close(json, ']');
    tmon_json_open(json, "averages", '{');
    tmon_averages_put(json, &averages, "", TMON_FIGURES_OF_MATRIX);
    tmon_json_close(json, '}');
  }
  tmon_averages_free(&averages);
  tmon_free(figures);
  return result;
}

int tmon_confusion_put(tmon_json_writer *json, tmon_row *row, bool no_matrix) {
  tmon_matrix matrix;
  size_t size = 0;
  const void *packed = tmon_row_blob(row, MATRIX, &size);
  int result = tmon_matrix_read(&matrix, tmon_row_text(row, NAMES), tmon_row_text(row, GROUPS), packed, size);
  if (result == TMON_OK) {
    tmon_json_put_int(json, "id", tmon_row_int(row, ID));
    tmon_json_put_text(json, "session_id", tmon_row_text(row, SESSION));
    if (tmon_row_is_null(row, EPOCH)) tmon_json_put_null(json, "epoch");
    else tmon_json_put_int(json, "epoch", tmon_row_int(row, EPOCH));
    tmon_json_put_text(json, "dataset_split", tmon_row_text(row, SPLIT));
    tmon_json_put_raw(json, "class_names", tmon_row_text(row, NAMES));
    tmon_json_put_raw(json, "class_groups", tmon_row_text(row, GROUPS));
    if (!no_matrix) put_matrix(json, &matrix);
    result = put_figures(json, &matrix);
    tmon_json_put_raw(json, "extra", tmon_row_text(row, EXTRA));
    tmon_json_put_text(json, "created_at", tmon_row_text(row, CREATED));
    tmon_json_put_text(json, "updated_at", tmon_row_text(row, UPDATED));
  }
  tmon_matrix_free(&matrix);
  return result;
}
