/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Rare, wide rows beside the points: validation results, confusion matrices, benchmarks, data sets, hyper-parameter runs. */
#ifndef TRAINMON_RESULT_H
#define TRAINMON_RESULT_H

#include "export.h"
#include "store.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a row is about. The fields of each kind are in docs/reference/results.md. */
typedef enum tmon_result_kind {
  TMON_RESULT_VALIDATION = 0, /**< precision, recall and their like of a class, or of all classes, in an epoch and a split */
  TMON_RESULT_CONFUSION = 1,  /**< a confusion matrix of an epoch and a split */
  TMON_RESULT_BENCHMARK = 2,  /**< how fast a model runs */
  TMON_RESULT_DATASET = 3,    /**< what a data set holds */
  TMON_RESULT_TRIAL = 4       /**< one trial of a search for hyper-parameters */
} tmon_result_kind;

/**
 * Writes a row, given as a JSON object; the call returns when it is in the store, so it belongs between epochs, not between steps.
 * `id` receives the row's number; NULL is fine. `json` is UTF-8, at most 1 MiB, for TMON_RESULT_CONFUSION 8 MiB; unknown fields are kept in `extra` (64 KiB).
 * A validation result of the same session, epoch, split and class, a matrix of the same session, epoch and split, and a trial of the same
 * experiment and number are overwritten. {"results": [...]} writes up to 1,024 validation results of one epoch and split, all or none.
 * A session that is fed over REST counts as alive after it. Any thread.
 * TMON_EINVAL: a field is missing, twice there, of the wrong type or out of its bounds; tmon_error_field() names it. TMON_ENOTFOUND: no such session.
 * TMON_EEXISTS: a data set of this name and version is there. TMON_ELIMIT, TMON_EREADONLY, TMON_EBUSY, TMON_EFULL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_result_add(int64_t *id, tmon_store *store, tmon_result_kind kind, const char *json);

/** Which rows to list. All zero means the newest 100; `size` is sizeof(tmon_result_filter). A filter that the kind does not have is TMON_EINVAL. */
typedef struct tmon_result_filter {
  uint32_t size;
  int64_t id;                  /**< only this row; 0: any */
  const char *session_id;      /**< rows of this session; not for data sets */
  bool by_epoch;               /**< when true, only those of `epoch`; needs session_id; validation results and matrices */
  int64_t epoch;               /**< -1: those of no epoch */
  bool latest;                 /**< only those of the highest epoch that has any; needs session_id; validation results and matrices */
  const char *dataset_split;   /**< validation results and matrices */
  const char *class_name;      /**< validation results */
  const char *experiment_name; /**< hyper-parameter runs */
  const char *name;            /**< of a data set, or of a benchmark's model */
  bool no_matrix;              /**< leaves the counts out and gives the figures alone; matrices */
  int64_t since;               /**< a number of tmon_store_change_cursor: TMON_DONE when no row of the kind (and no matrix) changed after it; 0: any */
  int64_t limit;               /**< 0 means 100; at most 1,000 */
  int64_t offset;
} tmon_result_filter;

/**
 * Reads rows as JSON text: {"KIND": [rows], "count": how many}, KIND being validation_results, confusion_matrices, benchmarks, datasets or hyperparameter_runs;
 * newest first, of a session the highest epoch first, of an experiment by number of trial. What was not said is null.
 * Matrices carry per-class figures and macro and weighted averages, for each class group too. Where a session's epoch and split has a matrix but no
 * validation results, they are made of the matrix and marked "derived"; of one epoch (`by_epoch`, `latest`) there are "averages" over the classes of each split.
 * A figure that would be 0/0 is null. `filter` NULL: the newest 100. `out` receives the text; free it with tmon_text_free. Any thread.
 * TMON_DONE: see `since`. TMON_ELIMIT: over 64 MiB of text. TMON_EINVAL, TMON_ENOTFOUND (the session), TMON_ECORRUPT, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_result_list_json(char **out, tmon_store *store, tmon_result_kind kind, const tmon_result_filter *filter);

#ifdef __cplusplus
}
#endif
#endif
