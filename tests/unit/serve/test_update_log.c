/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The shared log, its cursors, and the names of metrics. */
#include "serve/aliases.h"
#include "serve/update_log.h"

#include "util/alloc.h"
#include "util/own_names.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static tmon_update_log updates;

static void add(const char *session, bool data, size_t size) {
  char *text = tmon_alloc_zero(size + 1, 1);
  memset(text, 'x', size);
  tmon_update_log_add(&updates, session, data, text, size);
}

START_TEST(a_client_gets_what_comes_after_it) {
  const tmon_update *update = NULL;
  add("a", true, 10);
  tmon_cursor cursor = tmon_update_log_end(&updates);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_NOTHING);
  add("b", true, 10);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_MESSAGE);
  ck_assert_str_eq(update->session, "b");
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_NOTHING);
  tmon_update_log_clear(&updates);
}
END_TEST

START_TEST(a_slow_client_gets_one_resync_a_session_and_every_ending) {
  const tmon_update *update = NULL;
  tmon_cursor cursor = tmon_update_log_end(&updates);
  int resyncs = 0;
  int endings = 0;
  for (int i = 0; i < 300; i++) {
    add(i % 2 == 0 ? "a" : "b", true, 10);
  }
  add("b", false, 10);
  for (;;) {
    tmon_step step = tmon_update_log_step(&updates, &cursor, &update);
    if (step == TMON_STEP_NOTHING) {
      break;
    }
    resyncs += step == TMON_STEP_RESYNC;
    endings += step == TMON_STEP_MESSAGE;
  }
  ck_assert_int_eq(resyncs, 2);
  ck_assert_int_eq(endings, 1);
  add("a", true, 10);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_MESSAGE);
  tmon_update_log_clear(&updates);
}
END_TEST

START_TEST(some_messages_are_for_some) {
  const tmon_update *update = NULL;
  tmon_update_readers readers = {.bits = {[1] = UINT64_C(1) << 6}};
  tmon_cursor cursor = tmon_update_log_end(&updates);
  char *text = tmon_alloc_zero(2, 1);
  tmon_update_log_add_for(&updates, &readers, text, 1);
  add("a", true, 10);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_MESSAGE);
  ck_assert(update->addressed && update->readers.bits[1] == UINT64_C(1) << 6);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_MESSAGE);
  ck_assert(!update->addressed);
  tmon_update_log_clear(&updates);
}
END_TEST

START_TEST(bytes_count_as_lag_too) {
  const tmon_update *update = NULL;
  tmon_cursor cursor = tmon_update_log_end(&updates);
  add("a", true, 700000);
  add("a", true, 700000);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_RESYNC);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_NOTHING);
  tmon_update_log_clear(&updates);
}
END_TEST

START_TEST(the_log_is_bounded) {
  const tmon_update *update = NULL;
  tmon_cursor cursor = tmon_update_log_end(&updates);
  for (int i = 0; i < 3 * TMON_UPDATE_LOG_ITEMS; i++) {
    add("a", true, 10);
  }
  ck_assert_uint_le(updates.next - updates.first, TMON_UPDATE_LOG_ITEMS);
  ck_assert_int_eq(tmon_update_log_step(&updates, &cursor, &update), TMON_STEP_LOST);
  for (int i = 0; i < 20; i++) {
    add("a", true, 1 << 20);
  }
  ck_assert_uint_le(updates.next - updates.first, TMON_UPDATE_LOG_BYTES >> 20);
  tmon_update_log_clear(&updates);
}
END_TEST

START_TEST(names_fill_fields) {
  tmon_latest latest;
  tmon_point point = {1, 100, 0.5};
  ck_assert_int_eq(tmon_alias_field("Train/Loss"), TMON_FIELD_LOSS_TRAIN);
  ck_assert_int_eq(tmon_alias_field("val_loss"), TMON_FIELD_LOSS_VAL);
  ck_assert_int_eq(tmon_alias_field("lr"), TMON_FIELD_LEARNING_RATE);
  ck_assert_int_eq(tmon_alias_field("my_loss"), TMON_FIELD_NONE);
  tmon_latest_init(&latest);
  ck_assert(isnan(latest.value[TMON_FIELD_LOSS_TRAIN]));
  tmon_latest_set(&latest, "loss", &point);
  point = (tmon_point){2, 50, 9.0};
  tmon_latest_set(&latest, "train_loss", &point);
  ck_assert_double_eq(latest.value[TMON_FIELD_LOSS_TRAIN], 0.5);
  tmon_latest_set(&latest, "per_class/RAO", &point);
  tmon_latest_set(&latest, "per_class/RVO", &point);
  point = (tmon_point){3, 60, 1.0};
  tmon_latest_set(&latest, "per_class/RAO", &point);
  ck_assert_uint_eq(latest.class_count, 2);
  ck_assert_str_eq(latest.classes[0].name, "RAO");
  ck_assert_double_eq(latest.classes[0].value, 1.0);
  tmon_latest_free(&latest);
}
END_TEST

/* What the library's sampler logs: one number for all cards, and names of the trainer's own still count. */
/* What a session's own name may mean is a field of messages, or one of the columns that no message has. */
START_TEST(own_names_fill_fields) {
  static const char *const columns[] = {"box_loss", "cls_loss", "dfl_loss", "precision", "recall", "map50", "map50_95", "epoch_time_seconds"};
  tmon_latest latest;
  tmon_latest_init(&latest);
  size_t targets = 0;
  for (; tmon_own_names_target(targets) != NULL; targets++) {
    const char *name = tmon_own_names_target(targets);
    bool column = false;
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) column = column || strcmp(columns[i], name) == 0;
    ck_assert_msg((tmon_alias_field(name) == TMON_FIELD_NONE) == column, "%s", name);
  }
  ck_assert_uint_eq(targets, 25);
  ck_assert_int_eq(tmon_latest_field(&latest, "loss"), TMON_FIELD_LOSS_TRAIN);
  tmon_latest_configure(&latest, "{\"metric_aliases\":{\"loss\":\"loss.val\",\"my/f1\":\"f1_score\",\"wrong\":\"no_such\"}}");
  tmon_latest_set(&latest, "loss", &(tmon_point){1, 1, 0.5});
  tmon_latest_set(&latest, "my/f1", &(tmon_point){1, 1, 0.25});
  ck_assert_double_eq(latest.value[TMON_FIELD_LOSS_VAL], 0.5);
  ck_assert_double_eq(latest.value[TMON_FIELD_F1], 0.25);
  ck_assert(isnan(latest.value[TMON_FIELD_LOSS_TRAIN]));
  ck_assert_int_eq(tmon_latest_field(&latest, "wrong"), TMON_FIELD_NONE);
  ck_assert_int_eq(tmon_latest_field(&latest, "Train/Loss"), TMON_FIELD_LOSS_TRAIN);
  tmon_latest_configure(&latest, "{}");
  ck_assert_int_eq(tmon_latest_field(&latest, "loss"), TMON_FIELD_LOSS_TRAIN);
  tmon_latest_free(&latest);
}
END_TEST

START_TEST(samples_fill_system) {
  tmon_latest latest;
  tmon_latest_init(&latest);
  tmon_latest_set(&latest, "system/gpu0/usage_percent", &(tmon_point){1, 100, 40});
  ck_assert_double_eq(latest.value[TMON_FIELD_GPU_USAGE], 40);
  tmon_latest_set(&latest, "system/gpu11/usage_percent", &(tmon_point){1, 100, 80});
  tmon_latest_set(&latest, "system/gpu0/memory_percent", &(tmon_point){1, 100, 10});
  tmon_latest_set(&latest, "system/gpu0/memory_mb", &(tmon_point){1, 100, 1000});
  tmon_latest_set(&latest, "system/gpu1/memory_mb", &(tmon_point){1, 100, 500});
  tmon_latest_set(&latest, "system/gpu0/temperature", &(tmon_point){1, 100, 61});
  tmon_latest_set(&latest, "system/gpu1/temperature", &(tmon_point){1, 100, 55});
  tmon_latest_set(&latest, "system/memory_percent", &(tmon_point){1, 100, 33});
  static const char *const none[] = {"system/gpu16/usage_percent", "system/gpu99/usage_percent", "system/gpu/usage_percent", "system/gpu0x/usage_percent",
      "system/gpu0/usage_percentage", "system/gpu0/power_w", "system/gpu100/usage_percent", "system/rank1/gpu0/usage_percent", "system/gpu0"};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
    tmon_latest_set(&latest, none[i], &(tmon_point){1, 100, 99});
  }
  ck_assert_double_eq(latest.value[TMON_FIELD_GPU_USAGE], 60);
  ck_assert_double_eq(latest.value[TMON_FIELD_GPU_MEMORY], 10);
  ck_assert_double_eq(latest.value[TMON_FIELD_GPU_MEMORY_MB], 1500);
  ck_assert_double_eq(latest.value[TMON_FIELD_GPU_TEMPERATURE], 61);
  ck_assert_double_eq(latest.value[TMON_FIELD_RAM_USAGE], 33);
  tmon_latest_set(&latest, "gpu_usage", &(tmon_point){1, 101, 7});
  tmon_latest_set(&latest, "system/gpu0/temperature", &(tmon_point){2, 101, NAN});
  ck_assert_double_eq(latest.value[TMON_FIELD_GPU_USAGE], 7);
  ck_assert_double_eq(latest.value[TMON_FIELD_GPU_TEMPERATURE], 55);
  tmon_latest_free(&latest);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("update_log");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, a_client_gets_what_comes_after_it);
  tcase_add_test(tests, a_slow_client_gets_one_resync_a_session_and_every_ending);
  tcase_add_test(tests, some_messages_are_for_some);
  tcase_add_test(tests, bytes_count_as_lag_too);
  tcase_add_test(tests, the_log_is_bounded);
  tcase_add_test(tests, names_fill_fields);
  tcase_add_test(tests, own_names_fill_fields);
  tcase_add_test(tests, samples_fill_system);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
