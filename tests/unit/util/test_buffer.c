/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of the growing buffer. */
#define _POSIX_C_SOURCE 200809L
#include "unit/fault.h"
#include "help.h"
#include "util/alloc.h"
#include "util/buffer.h"

#include <string.h>

START_TEST(appends_stay_text) {
  tmon_buffer buffer;
  tmon_buffer_init(&buffer, 1000);
  for (int i = 0; i < 100; i++) ck_assert_int_eq(tmon_buffer_append_format(&buffer, "%d,", i % 10), TMON_OK);
  ck_assert_uint_eq(buffer.size, 200);
  ck_assert_uint_eq(strlen((char *)buffer.data), 200);
  ck_assert_int_eq(memcmp(buffer.data, "0,1,2,3,4,5,6,7,8,9,0,", 22), 0);
  tmon_buffer_clear(&buffer);
  ck_assert_str_eq((char *)buffer.data, "");
  tmon_buffer_append_text(&buffer, "x");
  tmon_buffer_append(&buffer, "\0y", 2);
  ck_assert_uint_eq(buffer.size, 3);
  ck_assert_int_eq(memcmp(buffer.data, "x\0y", 4), 0);
  tmon_buffer_free(&buffer);
  ck_assert_ptr_null(buffer.data);
  ck_assert_uint_eq(buffer.maximum, 1000);
}
END_TEST

START_TEST(the_limit_is_exact_and_sticks) {
  tmon_buffer buffer;
  tmon_buffer_init(&buffer, 10);
  ck_assert_int_eq(tmon_buffer_append_text(&buffer, "123456789"), TMON_OK);
  ck_assert_int_eq(tmon_buffer_append_text(&buffer, "0"), TMON_OK);
  ck_assert_int_eq(tmon_buffer_append_text(&buffer, ""), TMON_OK);
  ck_assert_int_eq(tmon_buffer_append_text(&buffer, "1"), TMON_ELIMIT);
  ck_assert_str_eq((char *)buffer.data, "1234567890");
  ck_assert_int_eq(tmon_buffer_append_text(&buffer, ""), TMON_ELIMIT);
  ck_assert_ptr_null(tmon_buffer_take(&buffer));
  tmon_buffer_clear(&buffer);
  ck_assert_int_eq(tmon_buffer_append_format(&buffer, "%s", "1234567890"), TMON_OK);
  ck_assert_int_eq(tmon_buffer_append_format(&buffer, "%s", "1"), TMON_ELIMIT);
  ck_assert_str_eq((char *)buffer.data, "1234567890");
  tmon_buffer_free(&buffer);
}
END_TEST

START_TEST(huge_requests_do_not_overflow) {
  tmon_buffer buffer;
  tmon_buffer_init(&buffer, SIZE_MAX);
  tmon_buffer_append_text(&buffer, "abc");
  ck_assert_int_eq(tmon_buffer_reserve(&buffer, SIZE_MAX - 1), TMON_ELIMIT);
  tmon_buffer_free(&buffer);
}
END_TEST

START_TEST(take_gives_the_memory_away) {
  tmon_buffer buffer;
  tmon_buffer_init(&buffer, 100);
  char *empty = tmon_buffer_take(&buffer);
  ck_assert_str_eq(empty, "");
  tmon_free(empty);
  tmon_buffer_append_text(&buffer, "mine");
  char *text = tmon_buffer_take(&buffer);
  ck_assert_uint_eq(buffer.size, 0);
  ck_assert_ptr_null(buffer.data);
  ck_assert_str_eq(text, "mine");
  tmon_free(text);
}
END_TEST

static int fill(void *argument) {
  tmon_buffer buffer;
  (void)argument;
  tmon_buffer_init(&buffer, 100000);
  for (int i = 0; i < 500; i++) tmon_buffer_append_format(&buffer, "%d", i);
  tmon_buffer_append_text(&buffer, "end");
  int result = buffer.error;
  if (!result) ck_assert_uint_eq(buffer.size, 10 + 180 + 1200 + 3);
  tmon_buffer_free(&buffer);
  return result;
}

START_TEST(out_of_memory_sticks) { tmon_fault_loop(fill, NULL); }
END_TEST

int main(void) {
  Suite *suite = suite_create("util/buffer");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, appends_stay_text);
  tcase_add_test(tests, the_limit_is_exact_and_sticks);
  tcase_add_test(tests, huge_requests_do_not_overflow);
  tcase_add_test(tests, take_gives_the_memory_away);
  tcase_add_test(tests, out_of_memory_sticks);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
