/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Which rules watch which metric is found out once a metric; a point then costs one look into a table, and a judgement for each rule that watches it.
 * Epoch values are judged under the name that their row has (the column, or the key in `extra`), so that a replay of the rows finds the same.
 */
#include "track/alert_watch.h"

#include "track/epoch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { UNKNOWN = 0, NOT_WATCHED = 1, WATCHED = 2 };

void tmon_alerts_init(tmon_alerts *alerts) {
  memset(alerts, 0, sizeof *alerts);
  alerts->version = -1;
}

static void free_command(char **command) {
  for (size_t i = 0; command != NULL && command[i] != NULL; i++) tmon_free(command[i]);
  tmon_free(command);
}

void tmon_alert_told_cut(tmon_alert_told *told, size_t count) {
  while (told->count > count) free_command(told->events[--told->count].command);
  if (count > 0) return;
  tmon_free(told->events);
  told->events = NULL;
}

int tmon_alert_told_keep(tmon_alert_told *told, const tmon_alert_event *event) {
  char **command = NULL;
  if (told->count >= TMON_ALERT_EVENTS) return TMON_OK;
  tmon_alert_event *grown = tmon_realloc(told->events, told->count + 1, sizeof *grown);
  if (grown == NULL) return tmon_error_no_memory();
  told->events = grown;
  if (event->command != NULL && !event->recovered) {
    command = tmon_alloc_zero(TMON_ALERT_COMMAND + 1, sizeof *command);
    if (command == NULL) return tmon_error_no_memory();
    for (size_t i = 0; event->command[i] != NULL; i++) {
      command[i] = tmon_strdup(event->command[i]);
      if (command[i] != NULL) continue;
      free_command(command);
      return tmon_error_no_memory();
    }
  }
  grown[told->count] = *event;
  grown[told->count++].command = command;
  return TMON_OK;
}

void tmon_alerts_forget(tmon_alerts *alerts) {
  for (size_t i = 0; i < alerts->count; i++) {
    tmon_alert_state_free(&alerts->watches[i].state);
    tmon_free(alerts->watches[i].metric);
  }
  tmon_free(alerts->watches);
  tmon_free(alerts->first);
  alerts->watches = NULL;
  alerts->first = NULL;
  alerts->count = alerts->capacity = alerts->first_count = 0;
}

void tmon_alerts_reset(tmon_alerts *alerts) {
  tmon_alerts_forget(alerts);
  tmon_alert_rules_free(&alerts->rules);
  tmon_alert_told_cut(&alerts->told, alerts->committed);
  alerts->version = -1;
}

void tmon_alerts_free(tmon_alerts *alerts) {
  tmon_alerts_reset(alerts);
  tmon_alert_told_cut(&alerts->told, 0);
  tmon_json_free(alerts->own);
  tmon_alerts_init(alerts);
}

static int pack_head(uint8_t head[TMON_ALERT_HEAD_BYTES], const tmon_alert_rule *rule, const tmon_alert_state *state) {
  tmon_buffer packed;
  tmon_buffer_init(&packed, 1 << 20);
  int result = tmon_alert_state_pack(&packed, rule, state);
  if (result == TMON_OK) memcpy(head, packed.data, TMON_ALERT_HEAD_BYTES);
  tmon_buffer_free(&packed);
  return result == TMON_OK ? TMON_OK : tmon_error_no_memory();
}

int tmon_alerts_find(tmon_alert_watch **out, tmon_alerts *alerts, uint32_t rule, int64_t writer, const char *metric) {
  *out = NULL;
  for (size_t i = 0; i < alerts->count; i++) {
    tmon_alert_watch *watch = &alerts->watches[i];
    if (watch->rule != rule || watch->writer != writer || strcmp(watch->metric, metric) != 0) continue;
    *out = watch;
    return TMON_OK;
  }
  if (alerts->count == TMON_ALERT_WATCHES) return TMON_OK;
  if (alerts->count == alerts->capacity) {
    size_t capacity = alerts->capacity == 0 ? 16 : alerts->capacity * 2;
    tmon_alert_watch *grown = tmon_realloc(alerts->watches, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    alerts->watches = grown;
    alerts->capacity = capacity;
  }
  tmon_alert_watch *watch = &alerts->watches[alerts->count];
  memset(watch, 0, sizeof *watch);
  watch->rule = rule;
  watch->writer = writer;
  watch->metric = tmon_strdup(metric);
  int result = watch->metric == NULL ? tmon_error_no_memory() : tmon_alert_state_init(&watch->state, &alerts->rules.rule[rule]);
  if (result == TMON_OK) result = pack_head(watch->saved, &alerts->rules.rule[rule], &watch->state);
  if (result != TMON_OK) {
    tmon_alert_state_free(&watch->state);
    tmon_free(watch->metric);
    return result;
  }
  alerts->count++;
  *out = watch;
  return TMON_OK;
}

static void describe(tmon_alert_event *event, const tmon_alert_rule *rule) {
  char value[TMON_DOUBLE_BYTES];
  char bound[TMON_DOUBLE_BYTES];
  char *out = event->message;
  size_t size = sizeof event->message;
  tmon_text_from_double(value, event->value);
  tmon_text_from_double(bound, event->threshold);
  if (event->recovered) {
    (void)snprintf(out, size, "%s has recovered: %s", event->metric, rule->type == TMON_ALERT_STALLED ? "a point came" : value);
    return;
  }
  switch (rule->type) {
  case TMON_ALERT_THRESHOLD: (void)snprintf(out, size, "%s is %s, %s %s", event->metric, value, rule->higher ? "above" : "below", bound); break;
  case TMON_ALERT_NONFINITE: (void)snprintf(out, size, "%s is %s", event->metric, value); break;
  case TMON_ALERT_NO_IMPROVEMENT: (void)snprintf(out, size, "%s has not become better than %s for %u points", event->metric, bound, rule->points); break;
  case TMON_ALERT_DIVERGENCE: (void)snprintf(out, size, "%s diverges: %s is over %s", event->metric, value, bound); break;
  case TMON_ALERT_OUTLIER: (void)snprintf(out, size, "%s is %s, an outlier beyond %s", event->metric, value, bound); break;
  case TMON_ALERT_STALLED: (void)snprintf(out, size, "%s has no point for %s seconds", event->metric, bound); break;
  case TMON_ALERT_CLASS_FLOOR: (void)snprintf(out, size, "%s is %s, below %s", event->metric, value, bound); break;
  }
}

static int tell(tmon_alerts *alerts, const tmon_alert_watch *watch, const tmon_alert_decision *said, bool recovered, const tmon_point *point,
    const tmon_alert_place *place) {
  const tmon_alert_rule *rule = &alerts->rules.rule[watch->rule];
  tmon_alert_event event = {.recovered = recovered,
      .type = rule->type,
      .severity = said->severity,
      .actions = rule->actions,
      .step = point->step,
      .value = point->value,
      .threshold = said->threshold,
      .time = recovered ? point->time : said->time,
      .command = rule->command};
  (void)tmon_text_copy(event.rule, sizeof event.rule, rule->name);
  (void)tmon_text_copy(event.metric, sizeof event.metric, watch->metric);
  describe(&event, rule);
  return alerts->tell(alerts->payload, &event, place);
}

static int judge(tmon_alerts *alerts, tmon_alert_watch *watch, const tmon_point *point, const tmon_alert_place *place) {
  const tmon_alert_rule *rule = &alerts->rules.rule[watch->rule];
  tmon_alert_decision said;
  bool late = rule->type == TMON_ALERT_STALLED && watch->state.begun;
  tmon_alert_place last = {place->writer, watch->state.lane, watch->state.position};
  tmon_point before = {.step = watch->state.step, .time = watch->state.time, .value = (double)NAN};
  tmon_alert_judge(&said, rule, &watch->state, point, place);
  watch->touched = true;
  int result = TMON_OK;
  if (said.recovers && said.recovers_first) result = tell(alerts, watch, &said, true, point, place);
  /* A stall is an alert of the point before it. */
  if (result == TMON_OK && said.fires) result = tell(alerts, watch, &said, false, late ? &before : point, late ? &last : place);
  if (result == TMON_OK && said.recovers && !said.recovers_first) result = tell(alerts, watch, &said, true, point, place);
  return result;
}

/* Finds out who watches a metric that is seen for the first time. */
static int look(tmon_alerts *alerts, size_t number, const char *key, int64_t writer) {
  uint32_t first = NOT_WATCHED;
  /* From the last rule back, so that the chain is in the order of the rules. */
  for (size_t i = alerts->rules.count; i-- > 0;) {
    tmon_alert_watch *watch = NULL;
    if (!tmon_alert_matches(alerts->rules.rule[i].metric, key)) continue;
    int result = tmon_alerts_find(&watch, alerts, (uint32_t)i, writer, key);
    if (result != TMON_OK) return result;
    if (watch == NULL) continue;
    watch->next = first == NOT_WATCHED ? 0 : first - WATCHED + 1;
    first = (uint32_t)(watch - alerts->watches) + WATCHED;
  }
  alerts->first[number] = first;
  return TMON_OK;
}

int tmon_alerts_point(tmon_alerts *alerts, size_t number, const char *key, const tmon_point *point, const tmon_alert_place *place) {
  if (number >= alerts->first_count) {
    size_t count = number + 64;
    uint32_t *grown = tmon_realloc(alerts->first, count, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    memset(grown + alerts->first_count, 0, (count - alerts->first_count) * sizeof *grown);
    alerts->first = grown;
    alerts->first_count = count;
  }
  int result = alerts->first[number] == UNKNOWN ? look(alerts, number, key, place->writer) : TMON_OK;
  if (result != TMON_OK || alerts->first[number] < WATCHED) return result;
  for (size_t at = alerts->first[number] - WATCHED + 1; result == TMON_OK && at != 0; at = alerts->watches[at - 1].next) {
    result = judge(alerts, &alerts->watches[at - 1], point, place);
  }
  return result;
}

/* The name of the row, or one of the names that fill its column. */
static bool watches_row(const tmon_alert_rule *rule, const tmon_json *own, const char *name) {
  const char *alias = NULL;
  tmon_epoch_names names = {0};
  if (tmon_alert_matches(rule->metric, name)) return true;
  while ((alias = tmon_epoch_next_name(&names, own, name)) != NULL) {
    if (tmon_alert_matches(rule->metric, alias)) return true;
  }
  return false;
}

int tmon_alerts_epoch(tmon_alerts *alerts, const char *key, const tmon_point *point, const tmon_alert_place *place) {
  const char *name = tmon_epoch_name(tmon_own_name(alerts->own, key));
  for (size_t i = 0; i < alerts->rules.count; i++) {
    tmon_alert_watch *watch = NULL;
    if (!watches_row(&alerts->rules.rule[i], alerts->own, name)) continue;
    int result = tmon_alerts_find(&watch, alerts, (uint32_t)i, place->writer, name);
    if (result == TMON_OK && watch != NULL) result = judge(alerts, watch, point, place);
    if (result != TMON_OK) return result;
  }
  return TMON_OK;
}

bool tmon_alerts_are_late(const tmon_alerts *alerts, int64_t now) {
  for (size_t i = 0; i < alerts->count; i++) {
    const tmon_alert_watch *watch = &alerts->watches[i];
    const tmon_alert_rule *rule = &alerts->rules.rule[watch->rule];
    if (rule->type == TMON_ALERT_STALLED && watch->state.begun && !watch->state.firing && now - watch->state.time > rule->stall_us) return true;
  }
  return false;
}

int tmon_alerts_wait(tmon_alerts *alerts, int64_t now) {
  for (size_t i = 0; i < alerts->count; i++) {
    tmon_alert_decision said;
    tmon_alert_watch *watch = &alerts->watches[i];
    tmon_alert_place place = {watch->writer, watch->state.lane, watch->state.position};
    tmon_point last = {.step = watch->state.step, .time = watch->state.time, .value = (double)NAN};
    tmon_alert_wait(&said, &alerts->rules.rule[watch->rule], &watch->state, now);
    if (!said.fires) continue;
    watch->touched = true;
    int result = tell(alerts, watch, &said, false, &last, &place);
    if (result != TMON_OK) return result;
  }
  return TMON_OK;
}
