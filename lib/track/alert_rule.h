/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alert rules: read from JSON, and judged point by point. No clock, no store: the drainer and a replay come to the same decisions. */
#ifndef TRAINMON_TRACK_ALERT_RULE_H
#define TRAINMON_TRACK_ALERT_RULE_H
#include "trainmon/series.h"
#include "util/buffer.h"
#include "util/json.h"

#define TMON_ALERT_RULES 100
#define TMON_ALERT_RULES_BYTES (256u << 10)
#define TMON_ALERT_WINDOW 10000
#define TMON_ALERT_COMMAND 32 /* arguments */

typedef enum tmon_alert_type {
  TMON_ALERT_THRESHOLD,
  TMON_ALERT_NONFINITE,
  TMON_ALERT_NO_IMPROVEMENT,
  TMON_ALERT_DIVERGENCE,
  TMON_ALERT_OUTLIER,
  TMON_ALERT_STALLED,
  TMON_ALERT_CLASS_FLOOR
} tmon_alert_type;

typedef enum tmon_alert_severity { TMON_ALERT_INFO, TMON_ALERT_WARNING, TMON_ALERT_CRITICAL } tmon_alert_severity;

enum { TMON_ALERT_DO_CALLBACK = 1, TMON_ALERT_DO_PAUSE = 2, TMON_ALERT_DO_STOP = 4, TMON_ALERT_DO_COMMAND = 8 };

typedef struct tmon_alert_rule {
  char name[129];
  char metric[257]; /* a pattern: `*` is any run of characters */
  tmon_alert_type type;
  tmon_alert_severity severity;
  unsigned actions;
  uint32_t hold; /* points that the condition must hold, at least 1 */
  int64_t hold_us;
  bool higher;     /* threshold: fires above the bound; no_improvement: higher is better */
  double bound;    /* threshold and class_floor */
  double clear;    /* where it recovers */
  double margin;   /* class_floor: below the bound by at most this is a warning */
  double amount;   /* no_improvement: min_delta; divergence: factor; outlier: sigmas */
  uint32_t points; /* no_improvement: points; outlier: window */
  int64_t stall_us;
  char **command; /* argument vector, NULL at its end; NULL: none */
} tmon_alert_rule;

typedef struct tmon_alert_rules {
  tmon_alert_rule *rule;
  size_t count;
  char *json; /* the array as it was given, compact */
} tmon_alert_rules;

/* An array of rules or {"rules": […]}. TMON_EINVAL names the field at fault. */
int tmon_alert_rules_parse(tmon_alert_rules *out, const char *text, size_t length);
void tmon_alert_rules_free(tmon_alert_rules *rules);
bool tmon_alert_rules_have_command(const tmon_alert_rules *rules);
bool tmon_alert_matches(const char *pattern, const char *text);

const char *tmon_alert_type_name(tmon_alert_type type);
const char *tmon_alert_severity_name(tmon_alert_severity severity);
int tmon_alert_check_severity(const char *name); /* NULL is fine */

typedef enum tmon_alert_status { TMON_ALERT_UNKNOWN, TMON_ALERT_OK, TMON_ALERT_LOW, TMON_ALERT_BELOW } tmon_alert_status;

/* What one rule keeps of one metric. `window` belongs to it (outlier only), `count` of its `points` places are filled. */
typedef struct tmon_alert_state {
  bool firing;
  bool begun;               /* a value that counts has come */
  tmon_alert_status status; /* class_floor */
  uint32_t held;            /* points in a row for which the condition is true */
  int64_t held_since;
  int64_t time; /* stalled: of the latest point, with its place */
  int64_t step;
  int64_t lane;
  int64_t position;
  double best;     /* no_improvement, divergence: the best so far; outlier: mean; class_floor: the latest value */
  double smoothed; /* divergence: the undebiased mean; outlier: sum of squared distances */
  double weight;   /* divergence: weight of what has not been seen */
  uint32_t count;  /* no_improvement: points since the best; outlier: values in the window */
  uint32_t next;   /* outlier: the place of the next value */
  double *window;
} tmon_alert_state;

/* Where a point came from. */
typedef struct tmon_alert_place {
  int64_t writer;
  int64_t lane;
  int64_t position;
} tmon_alert_place;

/* One of the two or both, in the order `first` says. */
typedef struct tmon_alert_decision {
  bool fires;
  bool recovers;
  bool recovers_first;
  tmon_alert_severity severity;
  double threshold; /* what the value was held against; NaN: nothing */
  int64_t time;     /* of the firing */
} tmon_alert_decision;

int tmon_alert_state_init(tmon_alert_state *state, const tmon_alert_rule *rule);
void tmon_alert_state_free(tmon_alert_state *state);
void tmon_alert_judge(
    tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, const tmon_point *point, const tmon_alert_place *place);
/* No point came until `now`: only `stalled` has something to say. */
void tmon_alert_wait(tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, int64_t now);

/* alert_state.c: packed for the store. What is read back is not trusted: TMON_ECORRUPT leaves the state as after init. */
int tmon_alert_state_pack(tmon_buffer *out, const tmon_alert_rule *rule, const tmon_alert_state *state);
int tmon_alert_state_unpack(tmon_alert_state *state, const tmon_alert_rule *rule, const void *data, size_t size);
#endif
