/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The parts of a comparison. */
#ifndef TRAINMON_TRACK_COMPARE_H
#define TRAINMON_TRACK_COMPARE_H
#include "track/bests.h"

#include "util/json.h"

#define TMON_COMPARE_SESSIONS 32
#define TMON_COMPARE_KEYS 64

/* The leaves of one JSON object a session, by path. */
typedef struct tmon_leaf {
  char *path;
  char *value; /* as JSON text */
  size_t session;
  size_t order; /* of arrival: of two equal paths of a session the later counts */
} tmon_leaf;

typedef struct tmon_leaves {
  tmon_leaf *items;
  size_t count;
  size_t capacity;
  bool truncated;
} tmon_leaves;

int tmon_leaves_add(tmon_leaves *leaves, size_t session, const char *path, const char *value);
int tmon_leaves_add_object(tmon_leaves *leaves, size_t session, const char *json); /* what is no JSON counts as {} */
void tmon_leaves_write(tmon_json_writer *json, const char *key, tmon_leaves *leaves, size_t sessions);
void tmon_leaves_free(tmon_leaves *leaves);

/* What one session has of one metric, by the name of its column or its own. */
typedef struct tmon_figure {
  char *name;
  size_t session;
  bool series;
  tmon_best best;
} tmon_figure;

typedef struct tmon_comparison {
  tmon_store *store;
  tmon_tx *tx;
  const char *const *ids;
  size_t count;
  int64_t sessions[TMON_COMPARE_SESSIONS]; /* their numbers */
  tmon_json *own[TMON_COMPARE_SESSIONS];   /* what the names of each session's own mean; NULL: none */
  const char *keys[TMON_COMPARE_KEYS];     /* what was asked for, or what all have; borrowed */
  size_t key_count;
  bool keys_given;
  tmon_axis axis;
  uint32_t width;
  tmon_figure *figures;
  size_t figure_count;
  size_t figure_capacity;
  bool truncated;
} tmon_comparison;

/* compare_metrics.c */
int tmon_compare_gather(tmon_comparison *all); /* fills the figures, and keys that were not given */
void tmon_compare_write_metrics(tmon_json_writer *json, const tmon_comparison *all);
/* The metric of a session under this name or another name of the same, its own ones too; 0: none. `name` receives the name it was logged under (tmon_free). */
int tmon_compare_find_metric(int64_t *metric, char **name, tmon_tx *tx, int64_t session, const tmon_json *own, const char *key);

/* compare_series.c */
int tmon_compare_write_series(tmon_json_writer *json, tmon_comparison *all);
#endif
