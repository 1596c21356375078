/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Macro average: the plain mean over classes. Weighted average: the mean weighted by support. Both as scikit-learn defines them (User guide 3.4.4.9
 * "Multiclass and multilabel classification"; precision_recall_fscore_support with average="macro" and "weighted"). A class whose figure is undefined (0/0) is
 * left out, as with zero_division=nan there: counting it as 0 would punish a class that did not occur.
 */
#include "track/averages.h"

#include "util/alloc.h"
#include "util/error.h"

#include <math.h>
#include <string.h>

const char *const tmon_figure_names[TMON_FIGURES] = {"precision", "recall", "f1_score", "sensitivity", "specificity", "auc_roc", "map50", "map50_95"};

static bool is_same(const char *a, const char *b) { return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0); }

static tmon_average *find(const tmon_averages *averages, const char *split, const char *group) {
  for (size_t i = 0; i < averages->count; i++) {
    if (is_same(averages->entries[i].group, group) && is_same(averages->entries[i].split, split)) return &averages->entries[i];
  }
  return NULL;
}

static tmon_average *find_or_make(tmon_averages *averages, const char *split, const char *group) {
  tmon_average *entry = find(averages, split, group);
  if (entry != NULL) return entry;
  if (averages->count == averages->capacity) {
    size_t capacity = averages->capacity * 2 + 4;
    tmon_average *grown = tmon_realloc(averages->entries, capacity, sizeof *grown);
    if (grown == NULL) return NULL;
    averages->entries = grown;
    averages->capacity = capacity;
  }
  entry = &averages->entries[averages->count];
  memset(entry, 0, sizeof *entry);
  entry->split = tmon_strdup(split);
  entry->group = tmon_strdup(group);
  if (entry->split == NULL || (group != NULL && entry->group == NULL)) {
    tmon_free(entry->split);
    tmon_free(entry->group);
    return NULL;
  }
  averages->count++;
  return entry;
}

static int add(tmon_averages *averages, const char *split, const char *group, double support, const double figures[TMON_FIGURES]) {
  tmon_average *entry = find_or_make(averages, split, group);
  if (entry == NULL) return tmon_error_no_memory();
  entry->classes++;
  entry->support += support;
  for (int f = 0; f < TMON_FIGURES; f++) {
    if (isnan(figures[f])) continue;
    entry->figures[f].count++;
    entry->figures[f].sum += figures[f];
    entry->figures[f].unweighted = entry->figures[f].unweighted || isnan(support);
    entry->figures[f].weighted += support * figures[f];
    entry->figures[f].weight += support;
  }
  return TMON_OK;
}

int tmon_averages_add(tmon_averages *averages, const char *split, const char *group, double support, const double figures[TMON_FIGURES]) {
  int result = add(averages, split, NULL, support, figures);
  return result == TMON_OK && group != NULL ? add(averages, split, group, support, figures) : result;
}

void tmon_averages_free(tmon_averages *averages) {
  for (size_t i = 0; i < averages->count; i++) {
    tmon_free(averages->entries[i].split);
    tmon_free(averages->entries[i].group);
  }
  tmon_free(averages->entries);
  memset(averages, 0, sizeof *averages);
}

static double macro_of(const tmon_average *entry, int figure) {
  return entry->figures[figure].count == 0 ? (double)NAN : entry->figures[figure].sum / (double)entry->figures[figure].count;
}

static double weighted_of(const tmon_average *entry, int figure) {
  bool known = !entry->figures[figure].unweighted && entry->figures[figure].weight > 0;
  return known ? entry->figures[figure].weighted / entry->figures[figure].weight : (double)NAN;
}

double tmon_averages_macro(const tmon_averages *averages, const char *split, int figure) {
  const tmon_average *entry = find(averages, split, NULL);
  return entry == NULL ? (double)NAN : macro_of(entry, figure);
}

static void put_entry(tmon_json_writer *json, const tmon_average *entry, int count) {
  tmon_json_put_int(json, "classes", entry->classes);
  tmon_json_put_double(json, "support", entry->support);
  tmon_json_open(json, "macro", '{');
  for (int f = 0; f < count; f++) tmon_json_put_double(json, tmon_figure_names[f], macro_of(entry, f));
  tmon_json_close(json, '}');
  tmon_json_open(json, "weighted", '{');
  for (int f = 0; f < count; f++) tmon_json_put_double(json, tmon_figure_names[f], weighted_of(entry, f));
  tmon_json_close(json, '}');
}

void tmon_averages_put(tmon_json_writer *json, const tmon_averages *averages, const char *split, int count) {
  const tmon_average *whole = find(averages, split, NULL);
  if (whole == NULL) return;
  put_entry(json, whole, count);
  tmon_json_open(json, "groups", '{');
  for (size_t i = 0; i < averages->count; i++) {
    const tmon_average *entry = &averages->entries[i];
    if (entry->group == NULL || !is_same(entry->split, split)) continue;
    tmon_json_open(json, entry->group, '{');
    put_entry(json, entry, count);
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, '}');
}

void tmon_averages_put_all(tmon_json_writer *json, const char *key, const tmon_averages *averages) {
  tmon_json_open(json, key, '[');
  for (size_t i = 0; i < averages->count; i++) {
    if (averages->entries[i].group != NULL) continue;
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "dataset_split", averages->entries[i].split);
    tmon_averages_put(json, averages, averages->entries[i].split, TMON_FIGURES);
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
}
