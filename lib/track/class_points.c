/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Class figures as points: class/NAME/sensitivity (class/NAME/sensitivity@SPLIT for splits other than val), step = epoch. They are read from the rows of the results, by
 * who has just written one and by a replay alike, and stored nowhere else: a second copy could disagree. A matrix speaks only where no results were given.
 */
#include "track/alert_watch.h"
#include "track/result.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A class whose name would not fit into the name of a metric is passed over. */
static int tell(tmon_class_taker *take, void *payload, const char *name, const char *split, const tmon_point *point) {
  char key[257]; /* as the metric of a rule */
  bool plain = split == NULL || strcmp(split, "val") == 0;
  int length = snprintf(key, sizeof key, "class/%s/sensitivity%s%s", name, plain ? "" : "@", plain ? "" : split);
  return length < 0 || (size_t)length >= sizeof key ? TMON_OK : take(payload, key, point);
}

static tmon_point point_of(tmon_row *row, int epoch, int time) {
  tmon_point point = {.step = tmon_row_is_null(row, epoch) ? -1 : tmon_row_int(row, epoch), .time = 0, .value = (double)NAN};
  const char *text = tmon_row_text(row, time);
  if (text == NULL || !tmon_text_to_time(text, &point.time)) point.time = tmon_clock_now_us();
  return point;
}

int tmon_class_points_of_result(tmon_tx *tx, int64_t id, tmon_class_taker *take, void *payload) {
  tmon_row *row = NULL;
  /* Recall is the same by definition. */
  int result = tmon_tx_prepare(&row, tx,
      "SELECT epoch, dataset_split, class_name, coalesce(sensitivity, recall), updated_at FROM validation_results WHERE id = ? AND class_name IS NOT NULL"
      " AND coalesce(sensitivity, recall) IS NOT NULL");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, id);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    tmon_point point = point_of(row, 0, 4);
    point.value = tmon_row_double(row, 3);
    result = tell(take, payload, tmon_row_text(row, 2), tmon_row_text(row, 1), &point);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int take_matrix(tmon_row *row, tmon_class_taker *take, void *payload) {
  tmon_matrix matrix;
  tmon_class_figures *classes = NULL;
  tmon_point point = point_of(row, 0, 5);
  double accuracy = 0;
  uint64_t total = 0;
  size_t size = 0;
  const void *packed = tmon_row_blob(row, 4, &size);
  int result = tmon_matrix_read(&matrix, tmon_row_text(row, 2), NULL, packed, size);
  if (result == TMON_OK) result = tmon_matrix_figures(&classes, &accuracy, &total, &matrix);
  for (size_t i = 0; result == TMON_OK && i < matrix.dimension; i++) {
    point.value = classes[i].figures[TMON_FIGURE_SENSITIVITY];
    if (!isnan(point.value)) result = tell(take, payload, classes[i].name, tmon_row_text(row, 1), &point);
  }
  tmon_free(classes);
  tmon_matrix_free(&matrix);
  return result;
}

int tmon_class_points_of_matrix(tmon_tx *tx, int64_t id, tmon_class_taker *take, void *payload) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT epoch, dataset_split, class_names, NULL, matrix, updated_at FROM confusion_matrices c WHERE id = ? AND NOT EXISTS"
      " (SELECT 1 FROM validation_results v WHERE v.session_id = c.session_id AND v.epoch IS c.epoch AND v.dataset_split = c.dataset_split)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, id);
  result = tmon_row_step(row);
  if (result == TMON_OK) result = take_matrix(row, take, payload);
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_class_points_all(tmon_tx *tx, const char *session_id, tmon_class_taker *take, void *payload) {
  tmon_row *row = NULL;
  /* Only the ids are put in order: matrices would make a sorter of gigabytes. */
  int result = tmon_tx_prepare(&row, tx,
      "SELECT 0, id, coalesce(epoch, 9223372036854775807) AS place FROM validation_results WHERE session_id = ?1 AND class_name IS NOT NULL"
      " UNION ALL SELECT 1, id, coalesce(epoch, 9223372036854775807) FROM confusion_matrices WHERE session_id = ?1 ORDER BY place, 1, 2");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, session_id);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    int64_t id = tmon_row_int(row, 1);
    result = tmon_row_int(row, 0) == 0 ? tmon_class_points_of_result(tx, id, take, payload) : tmon_class_points_of_matrix(tx, id, take, payload);
    if (result != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}
