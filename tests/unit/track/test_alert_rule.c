/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alert rules on their own: what each type fires on, what it leaves alone, when it recovers; what the parser refuses and which field it names. */
#include "track/alert_rule.h"
#include "unit/track/help.h"

/* Judges the values in turn, a second apart, and says of each: '.' nothing, 'F' fires, 'R' recovers, 'X' recovers and fires anew, 'S' fires and recovers at once. */
static void judge(char *out, const char *rule_text, const double *values, const int64_t *times, size_t count, bool repack) {
  tmon_alert_rules rules;
  tmon_alert_state state;
  tmon_alert_place place = {1, 0, 0};
  ok(tmon_alert_rules_parse(&rules, rule_text, strlen(rule_text)));
  ok(tmon_alert_state_init(&state, &rules.rule[0]));
  for (size_t i = 0; i < count; i++) {
    tmon_alert_decision said;
    tmon_point point = {.step = (int64_t)i, .time = times != NULL ? times[i] : (int64_t)i * 1000000, .value = values[i]};
    tmon_alert_judge(&said, &rules.rule[0], &state, &point, &place);
    out[i] = said.fires && said.recovers ? (said.recovers_first ? 'X' : 'S') : said.fires ? 'F' : said.recovers ? 'R' : '.';
    if (repack) {
      /* As a drainer that takes over in between. */
      tmon_buffer packed;
      tmon_buffer_init(&packed, 1 << 20);
      ok(tmon_alert_state_pack(&packed, &rules.rule[0], &state));
      tmon_alert_state_free(&state);
      ok(tmon_alert_state_init(&state, &rules.rule[0]));
      ok(tmon_alert_state_unpack(&state, &rules.rule[0], packed.data, packed.size));
      tmon_buffer_free(&packed);
    }
  }
  out[count] = '\0';
  tmon_alert_state_free(&state);
  tmon_alert_rules_free(&rules);
}

static const struct {
  const char *rule;
  double values[16];
  const char *said; /* one letter a value */
} cases[] = {
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":5}]", {1, 5, 6, 7, 5, 6}, "..F.RF"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":5}]", {1, 5, 4.9, -7, NAN}, "....."},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":5}]", {1, INFINITY, NAN, -INFINITY}, ".F.R"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":5,\"clear\":3}]", {6, 4, 6, 4, 3, 4}, "F...R."},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"below\":5,\"clear\":6}]", {6, 4, 5.5, 4, 6, 4}, ".F..RF"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":5,\"hold\":3}]", {6, 6, 5, 6, 6, 6, 1}, ".....FR"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":5,\"hold_seconds\":2}]", {6, 6, 5, 6, 6, 6, 1}, ".....FR"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\"}]", {1, NAN, INFINITY, 2, -INFINITY, 0}, ".F.RFR"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\"}]", {1, 1e308, -1e308, 0}, "...."},
    {"[{\"name\":\"a\",\"type\":\"no_improvement\",\"metric\":\"m\",\"points\":3}]", {5, 4, 4, 4, 4, 4, 3, 3}, "....F.R."},
    {"[{\"name\":\"a\",\"type\":\"no_improvement\",\"metric\":\"m\",\"points\":3}]", {5, 4, 4, 4, 3, NAN, 3, 3}, "........"},
    {"[{\"name\":\"a\",\"type\":\"no_improvement\",\"metric\":\"m\",\"points\":2,\"mode\":\"max\",\"min_delta\":0.5}]", {1, 1.4, 1.5, 1.6, 0, 1},
        "..FR.F"},
    {"[{\"name\":\"a\",\"type\":\"divergence\",\"metric\":\"m\",\"factor\":2}]", {4, 4, 4, 8, 9, 7, 5.9, 4}, "....F.R."},
    {"[{\"name\":\"a\",\"type\":\"divergence\",\"metric\":\"m\",\"factor\":2}]", {4, 3, 2, 3, 2, 3, 2}, "......."},
    {"[{\"name\":\"a\",\"type\":\"outlier\",\"metric\":\"m\",\"sigmas\":3,\"window\":4}]", {1, 2, 1, 2, 20, 5, 2}, "....FR."},
    {"[{\"name\":\"a\",\"type\":\"outlier\",\"metric\":\"m\",\"sigmas\":3,\"window\":4}]", {1, 2, 1, 2, 3, 0, 2}, "......."},
    {"[{\"name\":\"a\",\"type\":\"class_floor\",\"class\":\"DR\",\"threshold\":0.85}]", {0.9, 0.83, 0.84, 0.829, 0.9, 0.5, 0.85}, ".F.XRFR"},
    {"[{\"name\":\"a\",\"type\":\"class_floor\",\"class\":\"DR\",\"threshold\":0.85}]", {0.85, 0.9, 1, NAN}, "...."},
    {"[{\"name\":\"a\",\"type\":\"class_floor\",\"class\":\"DR\",\"threshold\":0.85,\"clear\":0.9}]", {0.8, 0.86, 0.89, 0.9}, "F..R"},
};

START_TEST(each_type_fires_and_recovers) {
  char said[40];
  size_t count = strlen(cases[_i].said);
  judge(said, cases[_i].rule, cases[_i].values, NULL, count, false);
  ck_assert_str_eq(said, cases[_i].said);
  judge(said, cases[_i].rule, cases[_i].values, NULL, count, true);
  ck_assert_str_eq(said, cases[_i].said);
}
END_TEST

START_TEST(a_stall_is_a_gap_in_time) {
  static const char rule[] = "[{\"name\":\"a\",\"type\":\"stalled\",\"metric\":\"m\",\"seconds\":10}]";
  static const double values[5] = {0};
  static const int64_t times[] = {1000000, 11000000, 21000001, 5, 31000001};
  char said[8];
  tmon_alert_rules rules;
  tmon_alert_state state;
  tmon_alert_decision decision;
  tmon_alert_place place = {1, 2, 3};
  tmon_point point = {.step = 7, .time = 5000000, .value = NAN};
  judge(said, rule, values, times, 5, true);
  ck_assert_str_eq(said, "..S..");
  ok(tmon_alert_rules_parse(&rules, rule, strlen(rule)));
  ok(tmon_alert_state_init(&state, &rules.rule[0]));
  tmon_alert_wait(&decision, &rules.rule[0], &state, 99000000);
  ck_assert(!decision.fires); /* nothing has begun */
  tmon_alert_judge(&decision, &rules.rule[0], &state, &point, &place);
  tmon_alert_wait(&decision, &rules.rule[0], &state, 15000000);
  ck_assert(!decision.fires);
  tmon_alert_wait(&decision, &rules.rule[0], &state, 15000001);
  ck_assert(decision.fires && decision.time == 15000000);
  tmon_alert_wait(&decision, &rules.rule[0], &state, 99000000);
  ck_assert(!decision.fires); /* once */
  point.time = 100000000;
  tmon_alert_judge(&decision, &rules.rule[0], &state, &point, &place);
  ck_assert(decision.recovers && !decision.fires);
  tmon_alert_state_free(&state);
  tmon_alert_rules_free(&rules);
}
END_TEST

static const struct {
  const char *text;
  const char *field;
} bad[] = {
    {"7", "rules"},
    {"{\"rules\":{}}", "rules"},
    {"[7]", "rules"},
    {"[{}]", "rules[0].name"},
    {"[{\"name\":\"\",\"type\":\"nonfinite\",\"metric\":\"m\"}]", "rules[0].name"},
    {"[{\"name\":\"a\\u0001\",\"type\":\"nonfinite\",\"metric\":\"m\"}]", "rules[0].name"},
    {"[{\"name\":\"a\",\"type\":\"odd\",\"metric\":\"m\"}]", "rules[0].type"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\"}]", "rules[0].metric"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"above\":1}]", "rules[0].above"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"metric\":\"n\"}]", "rules[0].metric"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"severity\":\"bad\"}]", "rules[0].severity"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"severity\":null}]", "rules[0].severity"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"hold\":0}]", "rules[0].hold"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"hold\":1.5}]", "rules[0].hold"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"hold_seconds\":-1}]", "rules[0].hold_seconds"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\"}]", "rules[0].above"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":1,\"below\":0}]", "rules[0].below"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":\"1\"}]", "rules[0].above"},
    {"[{\"name\":\"a\",\"type\":\"threshold\",\"metric\":\"m\",\"above\":1,\"clear\":2}]", "rules[0].clear"},
    {"[{\"name\":\"a\",\"type\":\"outlier\",\"metric\":\"m\",\"window\":10001}]", "rules[0].window"},
    {"[{\"name\":\"a\",\"type\":\"no_improvement\",\"metric\":\"m\"}]", "rules[0].points"},
    {"[{\"name\":\"a\",\"type\":\"no_improvement\",\"metric\":\"m\",\"points\":1,\"mode\":\"up\"}]", "rules[0].mode"},
    {"[{\"name\":\"a\",\"type\":\"stalled\",\"metric\":\"m\"}]", "rules[0].seconds"},
    {"[{\"name\":\"a\",\"type\":\"divergence\",\"metric\":\"m\",\"factor\":0.5}]", "rules[0].factor"},
    {"[{\"name\":\"a\",\"type\":\"class_floor\",\"class\":\"x\"}]", "rules[0].threshold"},
    {"[{\"name\":\"a\",\"type\":\"class_floor\",\"threshold\":1}]", "rules[0].class"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"actions\":\"stop\"}]", "rules[0].actions"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"actions\":[\"shell\"]}]", "rules[0].actions"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"actions\":[\"command\"]}]", "rules[0].command"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"command\":[\"/bin/true\"]}]", "rules[0].command"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\",\"actions\":[\"command\"],\"command\":[\"true\"]}]", "rules[0].command"},
    {"[{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"m\"},{\"name\":\"a\",\"type\":\"nonfinite\",\"metric\":\"n\"}]", "rules[1].name"},
};

START_TEST(what_is_refused_is_named) {
  tmon_alert_rules rules;
  expect(TMON_EINVAL, tmon_alert_rules_parse(&rules, bad[_i].text, strlen(bad[_i].text)));
  ck_assert_ptr_nonnull(tmon_error_field());
  ck_assert_str_eq(tmon_error_field(), bad[_i].field);
  ck_assert_ptr_null(rules.rule);
}
END_TEST

START_TEST(there_are_limits) {
  static char text[400000];
  tmon_alert_rules rules;
  size_t used = 0;
  for (int i = 0; i <= TMON_ALERT_RULES; i++) {
    used += (size_t)snprintf(text + used, sizeof text - used, "%c{\"name\":\"r%d\",\"type\":\"nonfinite\",\"metric\":\"*\"}", i == 0 ? '[' : ',', i);
    if (i != TMON_ALERT_RULES - 1) continue;
    memcpy(text + used, "]", 2);
    ok(tmon_alert_rules_parse(&rules, text, used + 1));
    ck_assert_uint_eq(rules.count, TMON_ALERT_RULES);
    tmon_alert_rules_free(&rules);
  }
  memcpy(text + used, "]", 2);
  expect(TMON_ELIMIT, tmon_alert_rules_parse(&rules, text, used + 1));
  memset(text, ' ', sizeof text);
  expect(TMON_ELIMIT, tmon_alert_rules_parse(&rules, text, sizeof text));
  expect(TMON_EINVAL, tmon_alert_rules_parse(&rules, NULL, 0));
}
END_TEST

START_TEST(patterns) {
  ck_assert(tmon_alert_matches("*", ""));
  ck_assert(tmon_alert_matches("*", "train/loss"));
  ck_assert(tmon_alert_matches("train/*", "train/loss"));
  ck_assert(!tmon_alert_matches("train/*", "val/loss"));
  ck_assert(tmon_alert_matches("*loss", "train/loss/loss"));
  ck_assert(tmon_alert_matches("a*b*c", "axxbxbc"));
  ck_assert(!tmon_alert_matches("a*b*c", "axxbxbcd"));
  ck_assert(!tmon_alert_matches("loss", "los"));
  ck_assert(!tmon_alert_matches("lo", "loss"));
  ck_assert(!tmon_alert_matches("lo?s", "loss"));
}
END_TEST

START_TEST(damaged_states_are_refused) {
  static const char text[] =
      "[{\"name\":\"a\",\"type\":\"outlier\",\"metric\":\"m\",\"window\":4},{\"name\":\"b\",\"type\":\"divergence\",\"metric\":\"m\"}]";
  tmon_alert_rules rules;
  ok(tmon_alert_rules_parse(&rules, text, strlen(text)));
  for (size_t r = 0; r < 2; r++) {
    tmon_alert_state state;
    tmon_buffer packed;
    tmon_buffer_init(&packed, 4096);
    ok(tmon_alert_state_init(&state, &rules.rule[r]));
    for (int i = 0; i < 6; i++) {
      tmon_alert_decision said;
      tmon_alert_judge(&said, &rules.rule[r], &state, &(tmon_point){.step = i, .time = i, .value = i}, &(tmon_alert_place){1, 0, i});
    }
    ok(tmon_alert_state_pack(&packed, &rules.rule[r], &state));
    for (size_t size = 0; size < packed.size; size++) expect(TMON_ECORRUPT, tmon_alert_state_unpack(&state, &rules.rule[r], packed.data, size));
    expect(TMON_ECORRUPT, tmon_alert_state_unpack(&state, &rules.rule[1 - r], packed.data, packed.size));
    /* Any byte may lie: it is refused, or judged on without harm (the sanitizers watch). */
    for (size_t i = 0; i < packed.size; i++) {
      tmon_alert_decision said;
      uint8_t kept = packed.data[i];
      packed.data[i] = 0xff;
      if (tmon_alert_state_unpack(&state, &rules.rule[r], packed.data, packed.size) == TMON_OK)
        tmon_alert_judge(&said, &rules.rule[r], &state, &(tmon_point){.step = 9, .time = 9, .value = 9}, &(tmon_alert_place){1, 0, 9});
      packed.data[i] = kept;
    }
    packed.data[0] = 2;
    expect(TMON_ECORRUPT, tmon_alert_state_unpack(&state, &rules.rule[r], packed.data, packed.size));
    tmon_alert_state_free(&state);
    tmon_buffer_free(&packed);
  }
  tmon_alert_rules_free(&rules);
}
END_TEST

/* The running figures stay those of the window: compared with a second pass over it. */
START_TEST(an_outlier_is_told_by_the_window_alone) {
  enum { WINDOW = 50, COUNT = 3000 };
  static double values[COUNT];
  static char said[COUNT + 1];
  uint64_t random = 4;
  bool firing = false;
  for (int i = 0; i < COUNT; i++) values[i] = 1e6 + (double)(test_random(&random) % 1000) / 1000 + (i % 97 == 0 ? 3 : 0);
  judge(said, "[{\"name\":\"a\",\"type\":\"outlier\",\"metric\":\"m\",\"sigmas\":3,\"window\":50}]", values, NULL, COUNT, false);
  for (int i = 20; i < COUNT; i++) {
    double mean = 0;
    double square = 0;
    int from = i > WINDOW ? i - WINDOW : 0;
    for (int j = from; j < i; j++) mean += (values[j] - 1e6) / (i - from);
    for (int j = from; j < i; j++) square += (values[j] - 1e6 - mean) * (values[j] - 1e6 - mean);
    bool outside = fabs(values[i] - 1e6 - mean) > 3 * sqrt(square / (i - from - 1));
    ck_assert_msg(said[i] == (outside && !firing ? 'F' : !outside && firing ? 'R' : '.'), "value %d was called %c", i, said[i]);
    firing = outside;
  }
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("rules");
  tcase_add_loop_test(tests, each_type_fires_and_recovers, 0, sizeof cases / sizeof *cases);
  tcase_add_test(tests, a_stall_is_a_gap_in_time);
  tcase_add_loop_test(tests, what_is_refused_is_named, 0, sizeof bad / sizeof *bad);
  tcase_add_test(tests, there_are_limits);
  tcase_add_test(tests, patterns);
  tcase_add_test(tests, damaged_states_are_refused);
  tcase_add_test(tests, an_outlier_is_told_by_the_window_alone);
  return test_run(suite_create("track/alert_rule"), tests);
}
