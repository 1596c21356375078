/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Judging: (rule, state, point) gives nothing, fires or recovers. Constant work a point (an outlier's window is summed anew once a round, which keeps rounding from
 * piling up: still constant on average). A value that is not finite concerns `nonfinite` alone; the others pass it over.
 * Mean and squares of the window: B. P. Welford, Technometrics 4 (1962) 419, with the value that leaves taken out by the same formula reversed.
 * The smoothed value is the debiased exponential mean s / (1 - w^n), s = w s + (1 - w) v, w = 0.6 (Kingma & Ba 2015, section 3).
 */
#include "track/alert_rule.h"

#include "util/alloc.h"
#include "util/error.h"

#include <math.h>
#include <string.h>

#define SMOOTHING 0.6
#define OUTLIER_BEGINS 20 /* values before an outlier is told, where the window is not smaller */
#define ROUNDING 1e-12    /* a floor of 0.85 less a margin of 0.02 is meant to let 0.83 through */

static const char *const type_names[] = {"threshold", "nonfinite", "no_improvement", "divergence", "outlier", "stalled", "class_floor"};
static const char *const severity_names[] = {"info", "warning", "critical"};

const char *tmon_alert_type_name(tmon_alert_type type) { return type_names[type]; }
const char *tmon_alert_severity_name(tmon_alert_severity severity) { return severity_names[severity]; }

int tmon_alert_check_severity(const char *name) {
  if (name == NULL) return TMON_OK;
  for (size_t i = 0; i < sizeof severity_names / sizeof *severity_names; i++) {
    if (strcmp(name, severity_names[i]) == 0) return TMON_OK;
  }
  return tmon_error_set_field(TMON_EINVAL, "severity", "severity is \"%.40s\", expected info, warning or critical", name);
}

/* Linear but for the latest star, which is the only one that is ever tried again. */
bool tmon_alert_matches(const char *pattern, const char *text) {
  const char *star = NULL;
  const char *again = NULL;
  while (*text != '\0') {
    if (*pattern == '*') {
      star = pattern++;
      again = text;
    } else if (*pattern == *text) {
      pattern++;
      text++;
    } else if (star != NULL) {
      pattern = star + 1;
      text = ++again;
    } else {
      return false;
    }
  }
  while (*pattern == '*') pattern++;
  return *pattern == '\0';
}

int tmon_alert_state_init(tmon_alert_state *state, const tmon_alert_rule *rule) {
  memset(state, 0, sizeof *state);
  state->weight = 1;
  if (rule->type != TMON_ALERT_OUTLIER) return TMON_OK;
  state->window = tmon_alloc_zero(rule->points, sizeof *state->window);
  return state->window == NULL ? tmon_error_no_memory() : TMON_OK;
}

void tmon_alert_state_free(tmon_alert_state *state) {
  tmon_free(state->window);
  state->window = NULL;
}

/* Whether the condition is true, and whether what was told is over: both false between the two bounds. */
typedef struct verdict {
  bool wrong;
  bool over;
} verdict;

static verdict judge_threshold(tmon_alert_decision *out, const tmon_alert_rule *rule, double value) {
  out->threshold = rule->bound;
  if (rule->higher) return (verdict){value > rule->bound, value <= rule->clear};
  return (verdict){value < rule->bound, value >= rule->clear};
}

static verdict judge_improvement(tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, double value) {
  bool better = !state->begun || (rule->higher ? value > state->best + rule->amount : value < state->best - rule->amount);
  state->begun = true;
  if (better) state->best = value;
  if (better) state->count = 0;
  else if (state->count < UINT32_MAX) state->count++;
  out->threshold = state->best;
  return (verdict){state->count >= rule->points, better};
}

static verdict judge_divergence(tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, double value) {
  verdict said = {false, false};
  if (state->begun) {
    double excess = (rule->amount - 1) * fabs(state->best);
    out->threshold = state->best + excess;
    said.wrong = value > out->threshold;
    said.over = value < state->best + excess / 2 || value <= state->best;
  }
  state->smoothed = SMOOTHING * state->smoothed + (1 - SMOOTHING) * value;
  state->weight *= SMOOTHING;
  double smoothed = state->smoothed / (1 - state->weight);
  if (!state->begun || smoothed < state->best) state->best = smoothed;
  state->begun = true;
  return said;
}

static void sum_window(tmon_alert_state *state) {
  state->best = 0;
  state->smoothed = 0;
  for (uint32_t i = 0; i < state->count; i++) {
    double distance = state->window[i] - state->best;
    state->best += distance / (double)(i + 1);
    state->smoothed += distance * (state->window[i] - state->best);
  }
}

static void add_to_window(tmon_alert_state *state, uint32_t size, double value) {
  if (state->count == size) {
    double leaving = state->window[state->next];
    double distance = leaving - state->best;
    state->count--;
    state->best = state->count == 0 ? 0 : state->best - distance / (double)state->count;
    state->smoothed -= distance * (leaving - state->best);
  }
  double distance = value - state->best;
  state->count++;
  state->best += distance / (double)state->count;
  state->smoothed += distance * (value - state->best);
  state->window[state->next] = value;
  state->next = (state->next + 1) % size;
  if (state->next == 0) sum_window(state);
}

static verdict judge_outlier(tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, double value) {
  verdict said = {false, false};
  uint32_t needed = rule->points < OUTLIER_BEGINS ? rule->points : OUTLIER_BEGINS;
  if (state->count >= needed && isfinite(state->best) && isfinite(state->smoothed)) {
    double variance = state->smoothed > 0 ? state->smoothed / (double)(state->count - 1) : 0;
    double allowed = rule->amount * sqrt(variance);
    said.wrong = fabs(value - state->best) > allowed;
    said.over = !said.wrong;
    out->threshold = value < state->best ? state->best - allowed : state->best + allowed;
  }
  add_to_window(state, rule->points, value);
  return said;
}

static verdict judge_floor(tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, double value, int64_t time) {
  tmon_alert_status before = state->status;
  state->begun = true;
  state->time = time;
  state->best = value;
  state->status = value >= rule->bound ? TMON_ALERT_OK : rule->bound - value <= rule->margin + ROUNDING ? TMON_ALERT_LOW : TMON_ALERT_BELOW;
  out->threshold = rule->bound;
  if (state->status != TMON_ALERT_OK) out->severity = state->status == TMON_ALERT_LOW ? TMON_ALERT_WARNING : TMON_ALERT_CRITICAL;
  verdict said = {state->status != TMON_ALERT_OK, value >= rule->clear};
  /* An open alert that changes its severity is over, and another one begins. */
  if (state->firing && said.wrong && before != state->status) {
    out->recovers = out->recovers_first = true;
    state->firing = false;
  }
  return said;
}

static void apply(tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, verdict said, int64_t time) {
  if (!said.wrong) {
    state->held = 0;
  } else {
    if (state->held == 0) state->held_since = time;
    if (state->held < rule->hold) state->held++;
    if (!state->firing && state->held >= rule->hold && (rule->hold_us == 0 || time - state->held_since >= rule->hold_us)) {
      out->fires = state->firing = true;
      out->time = time;
    }
  }
  if (said.over && state->firing && !out->fires) {
    out->recovers = true;
    state->firing = false;
  }
}

static void begin(tmon_alert_decision *out, const tmon_alert_rule *rule) {
  memset(out, 0, sizeof *out);
  out->severity = rule->severity;
  out->threshold = (double)NAN;
}

static bool is_late(const tmon_alert_rule *rule, const tmon_alert_state *state, int64_t time) {
  return state->begun && !state->firing && time > state->time && (uint64_t)time - (uint64_t)state->time > (uint64_t)rule->stall_us;
}

void tmon_alert_wait(tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, int64_t now) {
  begin(out, rule);
  if (rule->type != TMON_ALERT_STALLED || !is_late(rule, state, now)) return;
  out->fires = state->firing = true;
  out->threshold = (double)rule->stall_us / 1e6;
  out->time = state->time + rule->stall_us;
}

static void judge_stall(
    tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, const tmon_point *point, const tmon_alert_place *place) {
  tmon_alert_wait(out, rule, state, point->time);
  out->recovers = state->firing;
  state->firing = false;
  /* A time that runs backwards is no sign of life that is older. */
  if (!state->begun || point->time > state->time) state->time = point->time;
  state->begun = true;
  state->step = point->step;
  state->lane = place->lane;
  state->position = place->position;
}

void tmon_alert_judge(
    tmon_alert_decision *out, const tmon_alert_rule *rule, tmon_alert_state *state, const tmon_point *point, const tmon_alert_place *place) {
  verdict said = {false, false};
  begin(out, rule);
  if (rule->type == TMON_ALERT_STALLED) {
    judge_stall(out, rule, state, point, place);
    return;
  }
  bool counts = rule->type == TMON_ALERT_THRESHOLD ? !isnan(point->value) : isfinite(point->value);
  if (!counts && rule->type != TMON_ALERT_NONFINITE) return;
  switch (rule->type) {
  case TMON_ALERT_THRESHOLD: said = judge_threshold(out, rule, point->value); break;
  case TMON_ALERT_NONFINITE: said = (verdict){!counts, counts}; break;
  case TMON_ALERT_NO_IMPROVEMENT: said = judge_improvement(out, rule, state, point->value); break;
  case TMON_ALERT_DIVERGENCE: said = judge_divergence(out, rule, state, point->value); break;
  case TMON_ALERT_OUTLIER: said = judge_outlier(out, rule, state, point->value); break;
  case TMON_ALERT_CLASS_FLOOR: said = judge_floor(out, rule, state, point->value, point->time); break;
  case TMON_ALERT_STALLED: break;
  }
  apply(out, rule, state, said, point->time);
}
