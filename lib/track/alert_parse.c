/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alert rules out of JSON. Each field is checked, one that no rule of its type has is refused: a typing error must not make a rule that never fires. */
#include "track/alert_rule.h"

#include "util/alloc.h"
#include "util/error.h"
#include "util/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ARGUMENT_BYTES = 4096, SECONDS_MOST = 366 * 86400, POINTS_MOST = 1000000000 };

/* The fields of a type beside those of all. */
static const char *const own_fields[] = {
    [TMON_ALERT_THRESHOLD] = " above below clear hold hold_seconds metric ",
    [TMON_ALERT_NONFINITE] = " hold hold_seconds metric ",
    [TMON_ALERT_NO_IMPROVEMENT] = " points min_delta mode metric ",
    [TMON_ALERT_DIVERGENCE] = " factor hold hold_seconds metric ",
    [TMON_ALERT_OUTLIER] = " sigmas window hold hold_seconds metric ",
    [TMON_ALERT_STALLED] = " seconds metric ",
    [TMON_ALERT_CLASS_FLOOR] = " class threshold margin clear hold hold_seconds ",
};

typedef struct reading {
  const tmon_json *object;
  size_t index;
  int result; /* the first error */
} reading;

static void refuse(reading *in, const char *field, const char *expected) {
  char path[80];
  if (in->result != TMON_OK) return;
  (void)snprintf(path, sizeof path, "rules[%zu].%.40s", in->index, field);
  in->result = tmon_error_set_field(TMON_EINVAL, path, "%s must be %s", path, expected);
}

static const char *read_text(reading *in, const char *field, size_t most, bool needed) {
  const tmon_json *value = tmon_json_get(in->object, field);
  const char *text = tmon_json_text(value);
  if (tmon_json_type(value) == TMON_JSON_ABSENT && !needed) return NULL;
  if (text == NULL || *text == '\0' || strnlen(text, most + 1) > most || !tmon_text_is_utf8(text, strlen(text))) {
    char expected[60];
    (void)snprintf(expected, sizeof expected, "text of 1 to %zu bytes", most);
    refuse(in, field, expected);
    return NULL;
  }
  for (const char *at = text; *at != '\0'; at++) {
    if ((unsigned char)*at < 0x20 || *at == 0x7f) {
      refuse(in, field, "text without control characters");
      return NULL;
    }
  }
  return text;
}

static double read_number(reading *in, const char *field, double low, double high, double otherwise) {
  const tmon_json *value = tmon_json_get(in->object, field);
  if (tmon_json_type(value) == TMON_JSON_ABSENT && !isnan(otherwise)) return otherwise;
  double number = tmon_json_type(value) == TMON_JSON_NUMBER ? tmon_json_number(value, (double)NAN) : (double)NAN;
  if (!isfinite(number) || number < low || number > high) {
    char expected[100];
    if (low <= -1e300) (void)snprintf(expected, sizeof expected, "a number");
    else (void)snprintf(expected, sizeof expected, "a number from %g to %g", low, high);
    refuse(in, field, expected);
    return 0;
  }
  return number;
}

static uint32_t read_count(reading *in, const char *field, int64_t low, int64_t high, int64_t otherwise) {
  const tmon_json *value = tmon_json_get(in->object, field);
  int64_t number = otherwise;
  if (tmon_json_type(value) == TMON_JSON_ABSENT && otherwise >= 0) return (uint32_t)otherwise;
  if (!tmon_json_int(value, &number) || number < low || number > high) {
    char expected[80];
    (void)snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)low, (long long)high);
    refuse(in, field, expected);
    return (uint32_t)low;
  }
  return (uint32_t)number;
}

static bool has(const reading *in, const char *field) { return tmon_json_type(tmon_json_get(in->object, field)) != TMON_JSON_ABSENT; }

/* The index of `text` in a list of names; refuses what is not there. */
static unsigned choose(reading *in, const char *field, const char *text, const char *const *names, unsigned count, const char *expected) {
  for (unsigned i = 0; text != NULL && i < count; i++) {
    if (strcmp(text, names[i]) == 0) return i;
  }
  refuse(in, field, expected);
  return 0;
}

static void check_fields(reading *in, tmon_alert_type type) {
  static const char common[] = " name type severity actions command ";
  for (const tmon_json *item = tmon_json_first(in->object); item != NULL && in->result == TMON_OK; item = tmon_json_next(item)) {
    char padded[40];
    const char *key = tmon_json_key(item);
    if (*key == '\0' || strlen(key) > sizeof padded - 3 || strchr(key, ' ') != NULL) {
      refuse(in, "", "an object of known fields");
      return;
    }
    (void)snprintf(padded, sizeof padded, " %s ", key);
    if (strstr(common, padded) == NULL && strstr(own_fields[type], padded) == NULL) refuse(in, key, "absent: this type of rule does not have it");
    else if (tmon_json_get(in->object, key) != item) refuse(in, key, "said once");
  }
}

static void read_actions(reading *in, tmon_alert_rule *rule) {
  static const char *const names[] = {"record", "callback", "pause", "stop", "command"};
  static const unsigned bits[] = {0, TMON_ALERT_DO_CALLBACK, TMON_ALERT_DO_PAUSE, TMON_ALERT_DO_STOP, TMON_ALERT_DO_COMMAND};
  const tmon_json *list = tmon_json_get(in->object, "actions");
  if (tmon_json_type(list) == TMON_JSON_ABSENT) return;
  if (tmon_json_type(list) != TMON_JSON_ARRAY) refuse(in, "actions", "an array");
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(list); item != NULL && in->result == TMON_OK; item = tmon_json_next(item)) {
    if (++count > 5) refuse(in, "actions", "at most 5");
    rule->actions |= bits[choose(in, "actions", tmon_json_text(item), names, 5, "of record, callback, pause, stop, command")];
  }
}

static void read_command(reading *in, tmon_alert_rule *rule) {
  const tmon_json *list = tmon_json_get(in->object, "command");
  bool wanted = (rule->actions & TMON_ALERT_DO_COMMAND) != 0;
  if (tmon_json_type(list) == TMON_JSON_ABSENT && !wanted) return;
  if (!wanted) refuse(in, "command", "absent, or one of the actions");
  if (tmon_json_type(list) != TMON_JSON_ARRAY || tmon_json_first(list) == NULL) refuse(in, "command", "an array of the program and its arguments");
  if (in->result != TMON_OK) return;
  rule->command = tmon_alloc_zero(TMON_ALERT_COMMAND + 1, sizeof *rule->command);
  if (rule->command == NULL) in->result = tmon_error_no_memory();
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(list); item != NULL && in->result == TMON_OK; item = tmon_json_next(item)) {
    const char *text = tmon_json_text(item);
    if (count == TMON_ALERT_COMMAND || text == NULL || strlen(text) > ARGUMENT_BYTES || (count == 0 && *text != '/')) {
      refuse(in, "command", "an absolute path and at most 31 arguments, each text of at most 4096 bytes");
    } else {
      rule->command[count] = tmon_strdup(text);
      if (rule->command[count++] == NULL) in->result = tmon_error_no_memory();
    }
  }
}

static void read_threshold(reading *in, tmon_alert_rule *rule) {
  rule->higher = has(in, "above");
  if (rule->higher == has(in, "below")) {
    refuse(in, rule->higher ? "below" : "above", rule->higher ? "absent where above is said" : "said, or below");
    return;
  }
  rule->bound = read_number(in, rule->higher ? "above" : "below", -INFINITY, INFINITY, (double)NAN);
  rule->clear = read_number(in, "clear", -INFINITY, INFINITY, rule->bound);
  if (rule->higher ? rule->clear > rule->bound : rule->clear < rule->bound) refuse(in, "clear", rule->higher ? "at most above" : "at least below");
}

static void read_floor(reading *in, tmon_alert_rule *rule) {
  const char *name = read_text(in, "class", 200, true);
  if (name != NULL) (void)snprintf(rule->metric, sizeof rule->metric, "class/%s/sensitivity", name);
  rule->bound = read_number(in, "threshold", -INFINITY, INFINITY, (double)NAN);
  rule->margin = read_number(in, "margin", 0, 1e300, 0.02);
  rule->clear = read_number(in, "clear", -INFINITY, INFINITY, rule->bound);
  if (rule->clear < rule->bound) refuse(in, "clear", "at least the threshold");
}

static void read_own(reading *in, tmon_alert_rule *rule) {
  static const char *const modes[] = {"min", "max"};
  switch (rule->type) {
  case TMON_ALERT_THRESHOLD: read_threshold(in, rule); break;
  case TMON_ALERT_NONFINITE: break;
  case TMON_ALERT_NO_IMPROVEMENT:
    rule->points = read_count(in, "points", 1, POINTS_MOST, -1);
    rule->amount = read_number(in, "min_delta", 0, 1e300, 0);
    rule->higher = has(in, "mode") && choose(in, "mode", tmon_json_text(tmon_json_get(in->object, "mode")), modes, 2, "min or max") == 1;
    break;
  case TMON_ALERT_DIVERGENCE: rule->amount = read_number(in, "factor", 1, 1e300, 2); break;
  case TMON_ALERT_OUTLIER:
    rule->amount = read_number(in, "sigmas", 0, 1e300, 4);
    rule->points = read_count(in, "window", 2, TMON_ALERT_WINDOW, 100);
    break;
  case TMON_ALERT_STALLED: rule->stall_us = (int64_t)(read_number(in, "seconds", 0.001, SECONDS_MOST, (double)NAN) * 1e6); break;
  case TMON_ALERT_CLASS_FLOOR: read_floor(in, rule); break;
  }
}

static int read_rule(tmon_alert_rule *rule, const tmon_json *object, size_t index) {
  static const char *const types[] = {"threshold", "nonfinite", "no_improvement", "divergence", "outlier", "stalled", "class_floor"};
  static const char *const severities[] = {"info", "warning", "critical"};
  reading in = {object, index, TMON_OK};
  if (tmon_json_type(object) != TMON_JSON_OBJECT) {
    return tmon_error_set_field(TMON_EINVAL, "rules", "rules[%zu] must be an object", index);
  }
  const char *name = read_text(&in, "name", sizeof rule->name - 1, true);
  if (name != NULL) (void)tmon_text_copy(rule->name, sizeof rule->name, name);
  const char *type = read_text(&in, "type", 40, true);
  rule->type = (tmon_alert_type)choose(&in, "type", type, types, 7, "threshold, nonfinite, no_improvement, divergence, outlier, stalled or class_floor");
  if (in.result == TMON_OK) check_fields(&in, rule->type);
  rule->severity = TMON_ALERT_WARNING;
  if (in.result == TMON_OK && has(&in, "severity")) {
    rule->severity =
        (tmon_alert_severity)choose(&in, "severity", tmon_json_text(tmon_json_get(object, "severity")), severities, 3, "info, warning or critical");
  }
  if (in.result == TMON_OK && rule->type != TMON_ALERT_CLASS_FLOOR) {
    const char *metric = read_text(&in, "metric", sizeof rule->metric - 1, true);
    if (metric != NULL) (void)tmon_text_copy(rule->metric, sizeof rule->metric, metric);
  }
  if (in.result == TMON_OK) read_own(&in, rule);
  rule->hold = read_count(&in, "hold", 1, POINTS_MOST, 1);
  rule->hold_us = (int64_t)(read_number(&in, "hold_seconds", 0, SECONDS_MOST, 0) * 1e6);
  if (in.result == TMON_OK) read_actions(&in, rule);
  if (in.result == TMON_OK) read_command(&in, rule);
  return in.result;
}

static int read_all(tmon_alert_rules *out, const tmon_json *list) {
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(list); item != NULL && count <= TMON_ALERT_RULES; item = tmon_json_next(item)) count++;
  if (count > TMON_ALERT_RULES) return tmon_error_set_field(TMON_ELIMIT, "rules", "more than %d rules", TMON_ALERT_RULES);
  out->rule = tmon_alloc_zero(count + 1, sizeof *out->rule);
  out->json = out->rule == NULL ? NULL : tmon_json_print(list);
  if (out->json == NULL) return tmon_error_no_memory();
  for (const tmon_json *item = tmon_json_first(list); item != NULL; item = tmon_json_next(item)) {
    size_t index = out->count++;
    int result = read_rule(&out->rule[index], item, index);
    for (size_t i = 0; result == TMON_OK && i < index; i++) {
      if (strcmp(out->rule[i].name, out->rule[index].name) != 0) continue;
      char field[40];
      (void)snprintf(field, sizeof field, "rules[%zu].name", index);
      result = tmon_error_set_field(TMON_EINVAL, field, "%s \"%s\" is that of another rule", field, out->rule[index].name);
    }
    if (result != TMON_OK) return result;
  }
  return TMON_OK;
}

int tmon_alert_rules_parse(tmon_alert_rules *out, const char *text, size_t length) {
  tmon_json *document = NULL;
  memset(out, 0, sizeof *out);
  if (text == NULL) return tmon_error_set_field(TMON_EINVAL, "rules", "the rules are NULL");
  if (length > TMON_ALERT_RULES_BYTES) {
    return tmon_error_set_field(TMON_ELIMIT, "rules", "rules of %zu bytes are over the limit of %u", length, TMON_ALERT_RULES_BYTES);
  }
  int result = tmon_json_parse(&document, text, length);
  if (result != TMON_OK) return result;
  const tmon_json *list = tmon_json_type(document) == TMON_JSON_OBJECT ? tmon_json_get(document, "rules") : document;
  if (tmon_json_type(list) != TMON_JSON_ARRAY) result = tmon_error_set_field(TMON_EINVAL, "rules", "rules must be an array of objects");
  else result = read_all(out, list);
  tmon_json_free(document);
  if (result != TMON_OK) tmon_alert_rules_free(out);
  return result;
}

void tmon_alert_rules_free(tmon_alert_rules *rules) {
  for (size_t i = 0; i < rules->count; i++) {
    char **command = rules->rule[i].command;
    for (size_t j = 0; command != NULL && command[j] != NULL; j++) tmon_free(command[j]);
    tmon_free(command);
  }
  tmon_free(rules->rule);
  tmon_free(rules->json);
  memset(rules, 0, sizeof *rules);
}

bool tmon_alert_rules_have_command(const tmon_alert_rules *rules) {
  for (size_t i = 0; i < rules->count; i++) {
    if (rules->rule[i].command != NULL) return true;
  }
  return false;
}
