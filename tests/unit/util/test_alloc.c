/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of allocation. */
#define _POSIX_C_SOURCE 200809L
#include "unit/fault.h"
#include "help.h"
#include "util/alloc.h"

#include <stdint.h>
#include <string.h>

START_TEST(overflow_and_zero) {
  ck_assert_ptr_null(tmon_alloc_zero(SIZE_MAX / 2, 3));
  ck_assert_ptr_null(tmon_realloc(NULL, SIZE_MAX / 2, 3));
  void *empty = tmon_alloc(0);
  ck_assert_ptr_nonnull(empty);
  empty = tmon_realloc(empty, 0, 8);
  ck_assert_ptr_nonnull(empty);
  tmon_free(empty);
  tmon_free(NULL);
  unsigned char *zeroes = tmon_alloc_zero(3, 5);
  for (int i = 0; i < 15; i++) ck_assert_uint_eq(zeroes[i], 0);
  tmon_free(zeroes);
}
END_TEST

START_TEST(text_copies) {
  ck_assert_ptr_null(tmon_strdup(NULL));
  ck_assert_ptr_null(tmon_strndup(NULL, 3));
  char *copy = tmon_strdup("abc");
  ck_assert_str_eq(copy, "abc");
  tmon_free(copy);
  copy = tmon_strndup("abcdef", 2);
  ck_assert_str_eq(copy, "ab");
  tmon_free(copy);
  copy = tmon_strndup("ab", 100);
  ck_assert_str_eq(copy, "ab");
  tmon_free(copy);
}
END_TEST

START_TEST(the_hosts_allocator_is_used) {
  tmon_fault fault = {.fail_at = 3};
  tmon_fault_install(&fault);
  char *first = tmon_strdup("a");
  char *second = tmon_alloc_zero(2, 4);
  ck_assert_ptr_nonnull(first);
  ck_assert_ptr_nonnull(second);
  ck_assert_int_eq(fault.alive, 2);
  ck_assert_ptr_null(tmon_alloc(1));
  tmon_free(first);
  tmon_free(second);
  ck_assert_int_eq(fault.alive, 0);
  ck_assert_uint_eq(fault.count, 3);
  ck_assert_int_eq(tmon_allocator_set(NULL), TMON_OK);
  tmon_free(tmon_alloc(1));
  ck_assert_uint_eq(fault.count, 3);
}
END_TEST

START_TEST(an_incomplete_allocator_is_refused) {
  tmon_allocator allocator = {tmon_fault_allocate, NULL, tmon_fault_release, NULL};
  ck_assert_int_eq(tmon_allocator_set(&allocator), TMON_EINVAL);
  ck_assert(strstr(tmon_error_message(), "resize") != NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/alloc");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, overflow_and_zero);
  tcase_add_test(tests, text_copies);
  tcase_add_test(tests, the_hosts_allocator_is_used);
  tcase_add_test(tests, an_incomplete_allocator_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
