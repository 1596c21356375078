/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Validation results of a session. Where an epoch and split has a matrix and no results, they are made of the matrix when read: stored twice, they could
 * disagree. Two selections, both from the highest epoch down, are merged; the matrices of a session are few beside its results.
 */
#include "track/result.h"

#include <math.h>
#include <string.h>

/* clang-format off */
static const char matrices_sql[] =
    "SELECT c.epoch, c.dataset_split, c.classes, c.class_names, c.class_groups, c.matrix, c.created_at, c.updated_at FROM confusion_matrices c"
    " WHERE c.session_id = ?1 AND (?2 = 0 OR c.epoch IS ?4) AND (?3 IS NULL OR c.dataset_split = ?3)"
    " AND NOT EXISTS (SELECT 1 FROM validation_results v WHERE v.session_id = c.session_id AND v.epoch IS c.epoch AND v.dataset_split = c.dataset_split)"
    " ORDER BY c.epoch DESC, c.id";
/* clang-format on */
enum { EPOCH, SPLIT, CLASSES, NAMES, GROUPS, MATRIX, CREATED, UPDATED };                                           /* of matrices_sql */
enum { ROW_EPOCH = 2, ROW_SPLIT, ROW_CLASS, ROW_GROUP, ROW_IMAGES, ROW_INSTANCES, ROW_SUPPORT, ROW_FIGURES = 10 }; /* of the rows that were given */

typedef struct merging {
  tmon_json_writer *json;
  const tmon_result_filter *filter;
  tmon_page *page;
  tmon_averages *averages;
  tmon_row *row; /* NULL when it is at its end, and below */
  tmon_row *matrix;
} merging;

bool tmon_page_takes(tmon_page *page) {
  if (page->offset > 0) {
    page->offset--;
    return false;
  }
  if (page->limit == 0) return false;
  page->limit--;
  page->count++;
  return true;
}

static void put_epoch(tmon_json_writer *json, tmon_row *row, int column) {
  if (tmon_row_is_null(row, column)) tmon_json_put_null(json, "epoch");
  else tmon_json_put_int(json, "epoch", tmon_row_int(row, column));
}

static int put_given(merging *walk) {
  tmon_row *row = walk->row;
  double figures[TMON_FIGURES];
  if (tmon_page_takes(walk->page)) {
    tmon_json_open(walk->json, NULL, '{');
    tmon_result_put(walk->json, tmon_result_table_of(TMON_RESULT_VALIDATION), row);
    tmon_json_put_bool(walk->json, "derived", false);
    tmon_json_close(walk->json, '}');
  }
  if (walk->averages == NULL || tmon_row_is_null(row, ROW_CLASS)) return TMON_OK;
  for (int f = 0; f < TMON_FIGURES; f++) figures[f] = tmon_row_double(row, ROW_FIGURES + f);
  double support = tmon_row_double(row, ROW_SUPPORT);
  if (isnan(support)) support = tmon_row_double(row, ROW_INSTANCES);
  return tmon_averages_add(walk->averages, tmon_row_text(row, ROW_SPLIT), tmon_row_text(row, ROW_GROUP), support, figures);
}

/* `name` NULL: all classes. Columns that a matrix knows nothing of are null. */
static void put_derived(merging *walk, const char *name, const char *group, double support, double accuracy, const double *figures) {
  tmon_json_writer *json = walk->json;
  if (!tmon_page_takes(walk->page)) return;
  tmon_json_open(json, NULL, '{');
  tmon_json_put_null(json, "id");
  tmon_json_put_text(json, "session_id", walk->filter->session_id);
  put_epoch(json, walk->matrix, EPOCH);
  tmon_json_put_text(json, "dataset_split", tmon_row_text(walk->matrix, SPLIT));
  tmon_json_put_text(json, "class_name", name);
  tmon_json_put_text(json, "class_group", group);
  tmon_json_put_null(json, "images");
  tmon_json_put_null(json, "instances");
  tmon_json_put_double(json, "support", support);
  tmon_json_put_double(json, "accuracy", accuracy);
  for (int f = 0; f < TMON_FIGURES; f++) tmon_json_put_double(json, tmon_figure_names[f], figures[f]);
  tmon_json_put_raw(json, "extra", "{}");
  tmon_json_put_text(json, "created_at", tmon_row_text(walk->matrix, CREATED));
  tmon_json_put_text(json, "updated_at", tmon_row_text(walk->matrix, UPDATED));
  tmon_json_put_bool(json, "derived", true);
  tmon_json_close(json, '}');
}

static int put_classes(merging *walk, const tmon_class_figures *classes, size_t count, double accuracy, uint64_t total) {
  const char *wanted = walk->filter->class_name;
  const char *split = tmon_row_text(walk->matrix, SPLIT);
  double macro[TMON_FIGURES];
  tmon_averages own = {0};
  int result = TMON_OK;
  for (size_t i = 0; result == TMON_OK && i < count; i++) {
    double support = (double)(classes[i].tp + classes[i].fn);
    result = tmon_averages_add(&own, split, NULL, support, classes[i].figures);
    if (result == TMON_OK && walk->averages != NULL) result = tmon_averages_add(walk->averages, split, classes[i].group, support, classes[i].figures);
  }
  for (int f = 0; f < TMON_FIGURES; f++) macro[f] = tmon_averages_macro(&own, split, f);
  tmon_averages_free(&own);
  if (result != TMON_OK) return result;
  if (wanted == NULL) put_derived(walk, NULL, NULL, (double)total, accuracy, macro);
  for (size_t i = 0; i < count; i++) {
    if (wanted != NULL && strcmp(wanted, classes[i].name) != 0) continue;
    put_derived(walk, classes[i].name, classes[i].group, (double)(classes[i].tp + classes[i].fn), (double)NAN, classes[i].figures);
  }
  return TMON_OK;
}

static int put_matrix(merging *walk) {
  tmon_matrix matrix;
  tmon_class_figures *classes = NULL;
  double accuracy = 0;
  uint64_t total = 0;
  size_t size = 0;
  int64_t rows = tmon_row_int(walk->matrix, CLASSES) + 1;
  /* One that ends before the page begins is not unpacked. */
  if (walk->averages == NULL && walk->filter->class_name == NULL && rows > 0 && rows <= walk->page->offset) {
    walk->page->offset -= rows;
    return TMON_OK;
  }
  const void *packed = tmon_row_blob(walk->matrix, MATRIX, &size);
  int result = tmon_matrix_read(&matrix, tmon_row_text(walk->matrix, NAMES), tmon_row_text(walk->matrix, GROUPS), packed, size);
  if (result == TMON_OK) result = tmon_matrix_figures(&classes, &accuracy, &total, &matrix);
  if (result == TMON_OK) result = put_classes(walk, classes, matrix.dimension, accuracy, total);
  tmon_free(classes);
  tmon_matrix_free(&matrix);
  return result;
}

/* The next row, or NULL in `*row` at the end. */
static int step(tmon_row **row) {
  int result = tmon_row_step(*row);
  if (result == TMON_DONE) *row = NULL;
  return result == TMON_DONE ? TMON_OK : result;
}

static int64_t epoch_of(tmon_row *row, int column) { return tmon_row_is_null(row, column) ? -1 : tmon_row_int(row, column); }

static int merge(merging *walk) {
  int result = step(&walk->row);
  if (result == TMON_OK) result = step(&walk->matrix);
  while (result == TMON_OK && (walk->row != NULL || walk->matrix != NULL)) {
    /* What does not fit on the page may still count in the averages. */
    if (walk->page->limit == 0 && walk->averages == NULL) break;
    bool given = walk->matrix == NULL || (walk->row != NULL && epoch_of(walk->row, ROW_EPOCH) >= epoch_of(walk->matrix, EPOCH));
    result = given ? put_given(walk) : put_matrix(walk);
    if (result == TMON_OK) result = step(given ? &walk->row : &walk->matrix);
  }
  return result;
}

static void bind_epoch(tmon_row *row, int index, int64_t epoch) {
  if (epoch < 0) tmon_bind_null(row, index);
  else tmon_bind_int(row, index, epoch);
}

int tmon_validation_put(tmon_json_writer *json, tmon_tx *tx, const tmon_result_filter *filter, tmon_page *page, tmon_averages *averages) {
  const tmon_result_table *table = tmon_result_table_of(TMON_RESULT_VALIDATION);
  merging walk = {json, filter, page, averages, NULL, NULL};
  tmon_row *row = NULL;
  tmon_row *matrix = NULL;
  int result = tmon_tx_prepare(&row, tx, filter->by_epoch ? table->select_epoch : table->select_session);
  if (result == TMON_OK) result = tmon_tx_prepare(&matrix, tx, matrices_sql);
  if (result == TMON_OK) {
    tmon_bind_text(row, TMON_BY_KEY, filter->session_id);
    bind_epoch(row, TMON_BY_EPOCH, filter->epoch);
    tmon_bind_text(row, TMON_BY_SPLIT, filter->dataset_split);
    tmon_bind_text(row, TMON_BY_CLASS, filter->class_name);
    tmon_bind_int(row, TMON_BY_LIMIT, -1); /* the page is counted over both selections */
    tmon_bind_int(row, TMON_BY_OFFSET, 0);
    tmon_bind_text(matrix, 1, filter->session_id);
    tmon_bind_int(matrix, 2, filter->by_epoch);
    tmon_bind_text(matrix, 3, filter->dataset_split);
    bind_epoch(matrix, 4, filter->epoch);
    walk.row = row;
    walk.matrix = matrix;
    result = merge(&walk);
  }
  if (row != NULL) tmon_row_reset(row);
  if (matrix != NULL) tmon_row_reset(matrix);
  return result;
}

int tmon_result_latest(int64_t *epoch, tmon_tx *tx, const tmon_result_filter *filter, bool validation) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT max(coalesce((SELECT epoch FROM confusion_matrices WHERE session_id = ?1 AND (?2 IS NULL OR dataset_split = ?2) ORDER BY epoch DESC LIMIT 1), -1),"
      " CASE WHEN ?3 THEN coalesce((SELECT epoch FROM validation_results WHERE session_id = ?1 AND (?2 IS NULL OR dataset_split = ?2)"
      " ORDER BY epoch DESC LIMIT 1), -1) ELSE -1 END)");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, filter->session_id);
  tmon_bind_text(row, 2, filter->dataset_split);
  tmon_bind_int(row, 3, validation);
  result = tmon_row_step(row);
  if (result == TMON_OK) *epoch = tmon_row_int(row, 0);
  tmon_row_reset(row);
  return result;
}
