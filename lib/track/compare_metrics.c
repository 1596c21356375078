/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Final and best values of all metrics of the sessions that are compared, from the figures that are kept beside rows and chunks. */
#include "track/compare.h"

#include "track/epoch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of each kind and session; beyond it the answer says that it is truncated. */
#define METRICS_MAXIMUM 1000

/* `name` is that of a row or column. */
static bool is_wanted(const tmon_comparison *all, size_t session, const char *name) {
  for (size_t i = 0; i < all->key_count; i++) {
    if (strcmp(tmon_epoch_name_in(all->own[session], all->keys[i]), name) == 0) return true;
  }
  return !all->keys_given;
}

static int add_figure(tmon_comparison *all, size_t session, bool series, const char *name, const tmon_best *best) {
  if (all->figure_count == all->figure_capacity) {
    size_t capacity = all->figure_capacity == 0 ? 64 : all->figure_capacity * 2;
    tmon_figure *grown = tmon_realloc(all->figures, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    all->figures = grown;
    all->figure_capacity = capacity;
  }
  char *copy = tmon_strdup(name);
  if (copy == NULL) return tmon_error_no_memory();
  all->figures[all->figure_count++] = (tmon_figure){copy, session, series, *best};
  return TMON_OK;
}

static int gather_epochs(tmon_comparison *all, size_t session) {
  tmon_row *row = NULL;
  int found = 0;
  int result = tmon_tx_prepare(&row, all->tx,
      "SELECT name, count, lowest, lowest_epoch, highest, highest_epoch, latest, latest_epoch, smoothed FROM metric_bests WHERE session = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, all->sessions[session]);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_best best;
    if (found++ == METRICS_MAXIMUM) {
      all->truncated = true;
      result = TMON_DONE;
      break;
    }
    const char *name = tmon_epoch_name(tmon_row_text(row, 0));
    if (!is_wanted(all, session, name)) continue;
    tmon_best_read(&best, row, 1);
    if ((result = add_figure(all, session, false, name, &best)) != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int gather_series(tmon_comparison *all, size_t session) {
  tmon_row *row = NULL;
  int found = 0;
  int result = tmon_tx_prepare(&row, all->tx, "SELECT id, key FROM metric_keys WHERE session = ? ORDER BY key");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, all->sessions[session]);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_best best;
    const char *name = tmon_epoch_name(tmon_own_name(all->own[session], tmon_row_text(row, 1)));
    if (!is_wanted(all, session, name)) continue;
    if (found++ == METRICS_MAXIMUM) {
      all->truncated = true;
      result = TMON_DONE;
      break;
    }
    result = tmon_bests_series(&best, all->tx, all->sessions[session], tmon_row_int(row, 0));
    if (result == TMON_OK) result = add_figure(all, session, true, name, &best);
    if (result != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* Of one name and session the epoch rows come first. */
static int compare_figures(const void *a, const void *b) {
  const tmon_figure *left = a;
  const tmon_figure *right = b;
  int order = strcmp(left->name, right->name);
  if (order != 0) return order;
  if (left->session != right->session) return left->session < right->session ? -1 : 1;
  return (int)left->series - (int)right->series;
}

static size_t take_name(const tmon_comparison *all, size_t from, const tmon_figure *out[TMON_COMPARE_SESSIONS], size_t *sessions) {
  size_t end = from;
  memset(out, 0, TMON_COMPARE_SESSIONS * sizeof *out);
  *sessions = 0;
  for (; end < all->figure_count && strcmp(all->figures[end].name, all->figures[from].name) == 0; end++) {
    const tmon_figure *figure = &all->figures[end];
    if (out[figure->session] != NULL) continue;
    out[figure->session] = figure;
    (*sessions)++;
  }
  return end;
}

int tmon_compare_gather(tmon_comparison *all) {
  const tmon_figure *found[TMON_COMPARE_SESSIONS];
  size_t sessions = 0;
  int result = TMON_OK;
  for (size_t i = 0; i < all->count && result == TMON_OK; i++) {
    result = gather_epochs(all, i);
    if (result == TMON_OK) result = gather_series(all, i);
  }
  if (result != TMON_OK) return result;
  if (all->figure_count > 1) qsort(all->figures, all->figure_count, sizeof *all->figures, compare_figures);
  for (size_t i = 0; !all->keys_given && i < all->figure_count && all->key_count < TMON_COMPARE_KEYS;) {
    const char *name = all->figures[i].name;
    i = take_name(all, i, found, &sessions);
    if (sessions == all->count) all->keys[all->key_count++] = name;
  }
  return TMON_OK;
}

static void put_place(tmon_json_writer *json, const char *key, bool known, int64_t at) {
  if (known) tmon_json_put_int(json, key, at);
  else tmon_json_put_null(json, key);
}

static void write_figure(tmon_json_writer *json, const tmon_figure *figure, bool low) {
  if (figure == NULL) {
    tmon_json_put_null(json, NULL);
    return;
  }
  const tmon_best *best = &figure->best;
  double value = best->count == 0 ? (double)NAN : low ? best->lowest : best->highest;
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "source", figure->series ? "series" : "epochs");
  tmon_json_put_int(json, "count", best->count);
  tmon_json_put_double(json, "best", value);
  put_place(json, "best_at", isfinite(value) != 0, low ? best->lowest_at : best->highest_at);
  tmon_json_put_double(json, "final", best->any ? best->latest : (double)NAN);
  put_place(json, "final_at", best->any, best->latest_at);
  tmon_json_put_double(json, "smoothed", best->mass > 0 ? best->sum / best->mass : (double)NAN);
  tmon_json_close(json, '}');
}

void tmon_compare_write_metrics(tmon_json_writer *json, const tmon_comparison *all) {
  const tmon_figure *found[TMON_COMPARE_SESSIONS];
  size_t sessions = 0;
  tmon_json_open(json, "metrics", '[');
  for (size_t i = 0; i < all->figure_count;) {
    const char *name = all->figures[i].name;
    bool low = tmon_metric_is_better_low(name);
    i = take_name(all, i, found, &sessions);
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "name", name);
    tmon_json_put_text(json, "order", low ? "lower" : "higher");
    tmon_json_open(json, "sessions", '[');
    for (size_t s = 0; s < all->count; s++) write_figure(json, found[s], low);
    tmon_json_close(json, ']');
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
  tmon_json_put_bool(json, "metrics_truncated", all->truncated);
}

static int find_exact(int64_t *metric, tmon_tx *tx, int64_t session, const char *key) {
  tmon_row *row = NULL;
  *metric = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT id FROM metric_keys WHERE session = ? AND key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_text(row, 2, key);
  result = tmon_row_step(row);
  if (result == TMON_OK) *metric = tmon_row_int(row, 0);
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_compare_find_metric(int64_t *metric, char **name, tmon_tx *tx, int64_t session, const tmon_json *own, const char *key) {
  tmon_epoch_names names = {0};
  const char *found = NULL;
  int result = TMON_OK;
  *metric = 0;
  *name = NULL;
  while (result == TMON_OK && *metric == 0 && (found = tmon_epoch_next_name(&names, own, key)) != NULL) {
    result = find_exact(metric, tx, session, found);
  }
  if (result != TMON_OK || *metric == 0) return result;
  *name = tmon_strdup(found);
  return *name == NULL ? tmon_error_no_memory() : TMON_OK;
}
