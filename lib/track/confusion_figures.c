/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * What a confusion matrix says of each class, taken against the rest. With C[i][j] the number of samples of class i that were called j (scikit-learn's
 * sklearn.metrics.confusion_matrix) and N their number:
 *   tp = C[i][i]   fn = (row i) - tp   fp = (column i) - tp   tn = N - tp - fn - fp   support = tp + fn
 *   precision = tp / (tp + fp)   recall = sensitivity = tp / (tp + fn)   f1 = 2 tp / (2 tp + fp + fn)   (sklearn.metrics.precision_recall_fscore_support)
 *   specificity = tn / (tn + fp)   (Altman and Bland, BMJ 308 (1994) 1552)
 *   accuracy = sum of C[i][i] / N   (sklearn.metrics.accuracy_score)
 * 0/0 is undefined, not 0: NaN here, null in JSON. The counts add up to at most 2^53 (tmon_confusion_check), so no sum is rounded.
 */
#include "track/result.h"

#include "series/counts.h"

#include <math.h>
#include <string.h>

static double ratio(uint64_t part, uint64_t whole) { return whole == 0 ? (double)NAN : (double)part / (double)whole; }

static size_t length_of(const tmon_json *array) {
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(array); item != NULL; item = tmon_json_next(item)) count++;
  return count;
}

/* Rows may have been written from a shell. */
static int parse_names(tmon_json **out, const char *text, size_t dimension, bool nulls) {
  int result = tmon_json_parse(out, text, text == NULL ? 0 : strlen(text));
  if (result == TMON_ENOMEM) return result;
  bool good = result == TMON_OK && tmon_json_type(*out) == TMON_JSON_ARRAY && length_of(*out) == dimension;
  for (const tmon_json *item = good ? tmon_json_first(*out) : NULL; item != NULL; item = tmon_json_next(item)) {
    good = good && (tmon_json_text(item) != NULL || (nulls && tmon_json_type(item) == TMON_JSON_NULL));
  }
  return good ? TMON_OK : tmon_error_set(TMON_ECORRUPT, "the class names or groups of a confusion matrix do not match its %zu rows", dimension);
}

int tmon_matrix_read(tmon_matrix *out, const char *names, const char *groups, const void *packed, size_t size) {
  memset(out, 0, sizeof *out);
  int result = tmon_counts_dimension(&out->dimension, packed, size);
  if (result == TMON_OK) result = parse_names(&out->names, names, out->dimension, false);
  if (result == TMON_OK && groups != NULL) result = parse_names(&out->groups, groups, out->dimension, true);
  if (result != TMON_OK) return result;
  out->counts = tmon_alloc_zero(out->dimension * out->dimension, sizeof *out->counts);
  return out->counts == NULL ? tmon_error_no_memory() : tmon_counts_decode(out->counts, out->dimension, packed, size);
}

void tmon_matrix_free(tmon_matrix *matrix) {
  tmon_free(matrix->counts);
  tmon_json_free(matrix->names);
  tmon_json_free(matrix->groups);
  memset(matrix, 0, sizeof *matrix);
}

static void derive(tmon_class_figures *figures, uint64_t total) {
  uint64_t tp = figures->tp;
  uint64_t fp = figures->fp;
  uint64_t fn = figures->fn;
  figures->tn = total - tp - fp - fn;
  for (int f = 0; f < TMON_FIGURES; f++) figures->figures[f] = NAN;
  figures->figures[TMON_FIGURE_PRECISION] = ratio(tp, tp + fp);
  figures->figures[TMON_FIGURE_RECALL] = figures->figures[TMON_FIGURE_SENSITIVITY] = ratio(tp, tp + fn);
  figures->figures[TMON_FIGURE_F1] = ratio(2 * tp, 2 * tp + fp + fn);
  figures->figures[TMON_FIGURE_SPECIFICITY] = ratio(figures->tn, figures->tn + fp);
}

int tmon_matrix_figures(tmon_class_figures **out, double *accuracy, uint64_t *total, const tmon_matrix *matrix) {
  size_t n = matrix->dimension;
  uint64_t right = 0;
  tmon_class_figures *figures = tmon_alloc_zero(n, sizeof *figures);
  *out = figures;
  *total = 0;
  if (figures == NULL) return tmon_error_no_memory();
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) {
      uint64_t count = matrix->counts[i * n + j];
      /* A row that came from elsewhere may add up to anything. */
      if (count > (UINT64_C(1) << 53) - *total) return tmon_error_set(TMON_ECORRUPT, "the counts of a confusion matrix add up to more than 2^53");
      *total += count;
      if (i == j) {
        figures[i].tp = count;
        right += count;
      } else {
        figures[i].fn += count;
        figures[j].fp += count;
      }
    }
  }
  const tmon_json *name = tmon_json_first(matrix->names);
  const tmon_json *group = tmon_json_first(matrix->groups);
  for (size_t i = 0; i < n; i++, name = tmon_json_next(name), group = tmon_json_next(group)) {
    figures[i].name = tmon_json_text(name);
    figures[i].group = tmon_json_text(group);
    derive(&figures[i], *total);
  }
  *accuracy = ratio(right, *total);
  return TMON_OK;
}
