/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The layout of the public structures on 64-bit systems: bindings and programs that were built before rely on it. */
#include "trainmon/server.h"
#include "trainmon/trainmon.h"
#include "unit/suite.h"

#include <check.h>

/* Numbers counted by hand from the headers. A change here breaks programs that are already built: only append, and give a `size`d
 * structure its new last member. */
#define LAYOUT(type, bytes, last, offset)                                                                                                                 \
  do {                                                                                                                                                    \
    ck_assert_uint_eq(sizeof(type), bytes);                                                                                                               \
    ck_assert_uint_eq(offsetof(type, last), offset);                                                                                                      \
  } while (0)

START_TEST(test_layout) {
  if (sizeof(void *) != 8) return;
  LAYOUT(tmon_allocator, 32, payload, 24);
  LAYOUT(tmon_store_options, 24, ring_folder, 16);
  LAYOUT(tmon_store_info, 56, read_only, 48);
  LAYOUT(tmon_session_options, 152, hardware_period_ms, 144);
  LAYOUT(tmon_gpu, 136, fan_percent, 128);
  LAYOUT(tmon_hardware, 2368, gpus, 192);
  LAYOUT(tmon_image_box, 48, label, 40);
  LAYOUT(tmon_image, 120, box_count, 112);
  LAYOUT(tmon_image_filter, 56, newest, 48);
  LAYOUT(tmon_metric_options, 4, size, 0);
  LAYOUT(tmon_epoch, 32, values, 24);
  LAYOUT(tmon_progress, 56, fraction, 48);
  LAYOUT(tmon_point, 24, value, 16);
  LAYOUT(tmon_bucket, 96, sum, 88);
  LAYOUT(tmon_series_options, 40, all_attempts, 36);
  LAYOUT(tmon_record_filter, 120, ascending, 116);
  LAYOUT(tmon_record_change, 232, progress, 224);
  LAYOUT(tmon_epoch_value, 16, value, 8);
  LAYOUT(tmon_record, 352, summary_json, 344);
  LAYOUT(tmon_alert_note, 40, step, 32);
  LAYOUT(tmon_leaderboard_options, 64, offset, 56);
  LAYOUT(tmon_compare_options, 32, width, 28);
  LAYOUT(tmon_server_options, 112, frame_origin_count, 104);
}
END_TEST

/* A size comes first in all structures that a caller fills and that may grow. */
START_TEST(test_size_comes_first) {
  ck_assert_uint_eq(offsetof(tmon_store_options, size), 0);
  ck_assert_uint_eq(offsetof(tmon_session_options, size), 0);
  ck_assert_uint_eq(offsetof(tmon_image, size), 0);
  ck_assert_uint_eq(offsetof(tmon_image_filter, size), 0);
  ck_assert_uint_eq(offsetof(tmon_metric_options, size), 0);
  ck_assert_uint_eq(offsetof(tmon_epoch, size), 0);
  ck_assert_uint_eq(offsetof(tmon_progress, size), 0);
  ck_assert_uint_eq(offsetof(tmon_series_options, size), 0);
  ck_assert_uint_eq(offsetof(tmon_record_filter, size), 0);
  ck_assert_uint_eq(offsetof(tmon_alert_note, size), 0);
  ck_assert_uint_eq(offsetof(tmon_record_change, size), 0);
  ck_assert_uint_eq(offsetof(tmon_server_options, size), 0);
  ck_assert_uint_eq(offsetof(tmon_hardware, size), 0);
  ck_assert_uint_eq(offsetof(tmon_leaderboard_options, size), 0);
  ck_assert_uint_eq(offsetof(tmon_compare_options, size), 0);
}
END_TEST

/* These numbers travel in files and over the network. */
START_TEST(test_numbers) {
  ck_assert_int_eq(TMON_EINVAL, -1);
  ck_assert_int_eq(TMON_EDROPPED, -14);
  ck_assert_int_eq(TMON_EACCESS, -17);
  ck_assert_int_eq(TMON_STATUS_RUNNING, 1);
  ck_assert_int_eq(TMON_STATUS_INTERRUPTED, 5);
  ck_assert_int_eq(TMON_CONTROL_STOP, 2);
  ck_assert_int_eq(TMON_AXIS_TIME, 1);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("headers");
  TCase *cases = tcase_create("layout");
  tcase_add_test(cases, test_layout);
  tcase_add_test(cases, test_size_comes_first);
  tcase_add_test(cases, test_numbers);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
