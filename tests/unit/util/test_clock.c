/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of clocks, randomness and ids. */
#define _POSIX_C_SOURCE 200809L
#include "help.h"
#include "util/clock.h"
#include "util/error.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

static int64_t fixed_time(void) { return 1736937045123456; }

START_TEST(clocks_run) {
  int64_t earliest = (int64_t)time(NULL);
  int64_t now = tmon_clock_now_us() / 1000000;
  int64_t latest = (int64_t)time(NULL);
  ck_assert(now >= earliest && now <= latest + 1); /* time() may be a tick behind */
  int64_t before = tmon_clock_monotonic_us();
  tmon_clock_sleep_us(20000);
  tmon_clock_sleep_us(-5);
  int64_t slept = tmon_clock_monotonic_us() - before;
  ck_assert_int_ge(slept, 20000);
  ck_assert_int_lt(slept, 15000000); /* 20 s would be milliseconds for microseconds */
}
END_TEST

START_TEST(the_wall_clock_can_be_replaced) {
  tmon_clock_replace(fixed_time);
  ck_assert_int_eq(tmon_clock_now_us(), 1736937045123456);
  tmon_clock_replace(NULL);
  ck_assert_int_ne(tmon_clock_now_us(), 1736937045123456);
}
END_TEST

START_TEST(random_bytes_differ) {
  unsigned char first[64] = {0};
  unsigned char second[64] = {0};
  ck_assert_int_eq(tmon_random_bytes(first, 63), TMON_OK);
  ck_assert_int_eq(tmon_random_bytes(second, 63), TMON_OK);
  ck_assert_int_ne(memcmp(first, second, 63), 0);
  ck_assert_uint_eq(first[63], 0);
}
END_TEST

START_TEST(made_ids_are_uuids_of_version_4) {
  char id[TMON_ID_BYTES];
  char other[TMON_ID_BYTES];
  for (int i = 0; i < 100; i++) {
    ck_assert_int_eq(tmon_id_make(id), TMON_OK);
    ck_assert_uint_eq(strlen(id), 36);
    ck_assert_int_eq(tmon_id_is_valid(id), 1);
    ck_assert_int_eq(id[14], '4');
    ck_assert(strchr("89ab", id[19]) != NULL);
    for (int at = 0; at < 36; at++) ck_assert(!isupper((unsigned char)id[at]));
  }
  tmon_id_make(other);
  ck_assert_str_ne(id, other);
}
END_TEST

START_TEST(ids_are_read_and_written) {
  uint8_t id[16];
  char text[TMON_ID_BYTES];
  static const uint8_t expected[16] = {0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40, 0x00};
  ck_assert_int_eq(tmon_id_parse(id, "123E4567-e89b-12d3-a456-426614174000"), TMON_OK);
  ck_assert_int_eq(memcmp(id, expected, 16), 0);
  tmon_id_format(text, expected);
  ck_assert_str_eq(text, "123e4567-e89b-12d3-a456-426614174000");
}
END_TEST

START_TEST(what_is_no_id) {
  static const char *const bad[] = {"", "123e4567", "123e4567-e89b-12d3-a456-42661417400", "123e4567-e89b-12d3-a456-4266141740000",
      "123e4567e89b12d3a456426614174000", "g23e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456_426614174000",
      "../../../../../../../../../../../../etc"};
  uint8_t id[16];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ck_assert_int_eq(tmon_id_is_valid(bad[i]), 0);
    ck_assert_int_eq(tmon_id_parse(id, bad[i]), TMON_EINVAL);
  }
  ck_assert_int_eq(tmon_id_is_valid(NULL), 0);
  ck_assert_int_eq(tmon_id_parse(id, NULL), TMON_EINVAL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/clock");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, clocks_run);
  tcase_add_test(tests, the_wall_clock_can_be_replaced);
  tcase_add_test(tests, random_bytes_differ);
  tcase_add_test(tests, made_ids_are_uuids_of_version_4);
  tcase_add_test(tests, ids_are_read_and_written);
  tcase_add_test(tests, what_is_no_id);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
