/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the files about results share: transactions on a session, confusion matrices. */
#ifndef TRAINMON_TRACK_RESULT_H
#define TRAINMON_TRACK_RESULT_H
#include "track/averages.h"
#include "track/result_table.h"

#define TMON_RESULT_BYTES_MAXIMUM (64u << 20)

int tmon_result_begin(tmon_tx **tx, tmon_store *store, const char *session_id); /* a write; the session (NULL: none) is there and counts as alive */
int tmon_result_end(tmon_tx *tx, int result);                                   /* commits, or rolls back when `result` is an error */

/* confusion.c: `confusion` is checked before (tmon_confusion_check). `session_id` is there. */
int tmon_confusion_check(const tmon_confusion *confusion);
int tmon_confusion_write(int64_t *id, tmon_store *store, const char *session_id, const tmon_confusion *confusion, const char *extra);
/* confusion_read.c: from JSON, writing it. */
int tmon_confusion_add_json(int64_t *id, tmon_store *store, const char *text, size_t length);

/* confusion_figures.c: a matrix as it was read from its row. */
typedef struct tmon_matrix {
  size_t dimension;
  uint64_t *counts;
  tmon_json *names;  /* array of `dimension` texts */
  tmon_json *groups; /* array of `dimension` texts and nulls, or NULL */
} tmon_matrix;
typedef struct tmon_class_figures {
  const char *name;
  const char *group; /* NULL: none */
  uint64_t tp, fp, fn, tn;
  double figures[TMON_FIGURES]; /* NaN: 0/0, or not to be told from a matrix */
} tmon_class_figures;
int tmon_matrix_read(tmon_matrix *out, const char *names, const char *groups, const void *packed, size_t size); /* TMON_ECORRUPT */
void tmon_matrix_free(tmon_matrix *matrix);
/* Figures of each class (tmon_free), the share of the diagonal (NaN when all is 0) and the sum of all counts. */
int tmon_matrix_figures(tmon_class_figures **out, double *accuracy, uint64_t *total, const tmon_matrix *matrix);

/* confusion_json.c, result_derived.c: the rows of a list. */
int tmon_confusion_put(tmon_json_writer *json, tmon_row *row, bool no_matrix); /* the members of a selected row of confusion_matrices */
typedef struct tmon_page {
  int64_t offset; /* rows still to be skipped */
  int64_t limit;  /* rows that still fit */
  int64_t count;  /* written */
} tmon_page;
bool tmon_page_takes(tmon_page *page); /* steps to the next row; true when it is to be written */
/* Validation results of a session, given ones and those that follow from a matrix. `averages` NULL: none are wanted. */
int tmon_validation_put(tmon_json_writer *json, tmon_tx *tx, const tmon_result_filter *filter, tmon_page *page, tmon_averages *averages);
int tmon_result_latest(int64_t *epoch, tmon_tx *tx, const tmon_result_filter *filter, bool validation); /* -1: there are rows of no epoch only, or none */
#endif
