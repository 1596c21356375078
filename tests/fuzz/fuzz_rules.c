/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fuzzes rules and what is kept of them: the first line is JSON, the rest a packed state, then values that are judged by the rules. */
#include "track/alert_rule.h"
#include "util/buffer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const tmon_alert_rule *rule, const uint8_t *data, size_t size) {
  tmon_alert_state state;
  tmon_alert_state again;
  tmon_buffer packed;
  if (tmon_alert_state_init(&state, rule) != 0 || tmon_alert_state_init(&again, rule) != 0) abort();
  (void)tmon_alert_state_unpack(&state, rule, data, size);
  for (size_t i = 0; i + 8 <= size && i < 400; i += 8) {
    tmon_alert_decision said;
    tmon_point point = {.step = (int64_t)i, .time = (int64_t)i * 1000};
    memcpy(&point.value, data + i, 8);
    tmon_alert_judge(&said, rule, &state, &point, &(tmon_alert_place){1, 0, (int64_t)i});
    /* Nothing recovers that is not open, nothing fires twice. */
    if (said.fires && state.firing != !(said.recovers && !said.recovers_first)) abort();
    tmon_alert_wait(&said, rule, &state, point.time);
  }
  /* What the evaluator makes can be packed and read back. */
  tmon_buffer_init(&packed, 1 << 20);
  if (tmon_alert_state_pack(&packed, rule, &state) != 0) abort();
  if (tmon_alert_state_unpack(&again, rule, packed.data, packed.size) == 0 && again.firing != state.firing) abort();
  tmon_buffer_free(&packed);
  tmon_alert_state_free(&again);
  tmon_alert_state_free(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  tmon_alert_rules rules;
  tmon_alert_rules again;
  const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
  size_t length = end != NULL ? (size_t)(end - data) : size;
  if (size == 0 || tmon_alert_rules_parse(&rules, (const char *)data, length) != 0) return 0;
  /* What is stored is read again. */
  if (tmon_alert_rules_parse(&again, rules.json, strlen(rules.json)) != 0 || again.count != rules.count) abort();
  for (size_t i = 0; i < rules.count; i++) {
    (void)tmon_alert_matches(rules.rule[i].metric, rules.rule[i].name);
    if (rules.rule[i].hold == 0 || rules.rule[i].metric[0] == '\0') abort();
    if (end != NULL) judge(&rules.rule[i], end + 1, size - length - 1);
  }
  tmon_alert_rules_free(&again);
  tmon_alert_rules_free(&rules);
  return 0;
}
