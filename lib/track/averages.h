/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Macro and weighted averages over classes, of all and of each class group. */
#ifndef TRAINMON_TRACK_AVERAGES_H
#define TRAINMON_TRACK_AVERAGES_H
#include "util/json.h"

/* The first TMON_FIGURES_OF_MATRIX can be told from a confusion matrix. */
enum {
  TMON_FIGURE_PRECISION,
  TMON_FIGURE_RECALL,
  TMON_FIGURE_F1,
  TMON_FIGURE_SENSITIVITY,
  TMON_FIGURE_SPECIFICITY,
  TMON_FIGURES_OF_MATRIX,
  TMON_FIGURE_AUC = TMON_FIGURES_OF_MATRIX,
  TMON_FIGURE_MAP50,
  TMON_FIGURE_MAP50_95,
  TMON_FIGURES
};
extern const char *const tmon_figure_names[TMON_FIGURES]; /* the columns of validation_results, in their order */

typedef struct tmon_average {
  char *split;
  char *group; /* NULL: all classes of the split */
  int64_t classes;
  double support; /* NaN: not known of each class */
  struct {
    int64_t count;
    double sum;
    double weighted;
    double weight;
    bool unweighted; /* a class has the figure but no support */
  } figures[TMON_FIGURES];
} tmon_average;

typedef struct tmon_averages {
  tmon_average *entries;
  size_t count;
  size_t capacity;
} tmon_averages;

/* One class; a NaN figure is left out of its averages. `support` NaN: not known. */
int tmon_averages_add(tmon_averages *averages, const char *split, const char *group, double support, const double figures[TMON_FIGURES]);
void tmon_averages_free(tmon_averages *averages);
/* "classes", "support", "macro", "weighted" and "groups" of one split, `count` figures each; nothing where it has no classes. */
void tmon_averages_put(tmon_json_writer *json, const tmon_averages *averages, const char *split, int count);
/* An array of those of all splits. */
void tmon_averages_put_all(tmon_json_writer *json, const char *key, const tmon_averages *averages);
double tmon_averages_macro(const tmon_averages *averages, const char *split, int figure); /* NaN: none */
#endif
