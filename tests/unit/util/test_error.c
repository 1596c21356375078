/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of the last error and of the version. */
#define _POSIX_C_SOURCE 200809L
#include "help.h"
#include "trainmon/version.h"
#include "util/error.h"
#include "util/text.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

START_TEST(test_field) {
  ck_assert_int_eq(tmon_error_set_field(TMON_EINVAL, "epoch", "epoch is %d", -1), TMON_EINVAL);
  ck_assert_str_eq(tmon_error_field(), "epoch");
  ck_assert_str_eq(tmon_error_message(), "epoch is -1");
  (void)tmon_error_set_field(TMON_EINVAL, tmon_error_field(), "%s again", tmon_error_message());
  ck_assert_str_eq(tmon_error_field(), "epoch");
  ck_assert_str_eq(tmon_error_message(), "epoch is -1 again");
  (void)tmon_error_set(TMON_EIO, "something else");
  ck_assert_ptr_null(tmon_error_field());
}
END_TEST

START_TEST(set_stores_text_and_returns_code) {
  ck_assert_str_eq(tmon_error_message(), "");
  ck_assert_int_eq(tmon_error_set(TMON_EINVAL, "step is %d, at least %d was expected", -4, 0), TMON_EINVAL);
  ck_assert_str_eq(tmon_error_message(), "step is -4, at least 0 was expected");
  ck_assert_int_eq(tmon_error_set(TMON_EIO, "again: %s", tmon_error_message()), TMON_EIO);
  ck_assert_str_eq(tmon_error_message(), "again: step is -4, at least 0 was expected");
}
END_TEST

START_TEST(text_is_one_line) {
  tmon_error_set(TMON_EINVAL, "a\nb\tc");
  ck_assert_str_eq(tmon_error_message(), "a b c");
}
END_TEST

START_TEST(long_text_is_cut_at_a_character) {
  char text[700];
  for (size_t i = 0; i + 2 < sizeof text; i += 2) memcpy(text + i, "\xc3\xa9", 2);
  text[698] = 0;
  tmon_error_set(TMON_EINVAL, "%s", text);
  ck_assert_uint_eq(strlen(tmon_error_message()), 510);
  tmon_error_set(TMON_EINVAL, "x%s", text);
  ck_assert_uint_eq(strlen(tmon_error_message()), 511);
  ck_assert(tmon_text_is_utf8(tmon_error_message(), 511));
  tmon_error_set_os(ENOENT, "%s", text);
  ck_assert_uint_eq(strlen(tmon_error_message()), 510);
}
END_TEST

START_TEST(os_errors_map_to_codes) {
  static const struct {
    int os;
    int code;
  } pairs[] = {{ENOSPC, TMON_EFULL}, {EDQUOT, TMON_EFULL}, {EACCES, TMON_EACCESS}, {EPERM, TMON_EACCESS}, {ENOENT, TMON_ENOTFOUND}, {EEXIST, TMON_EEXISTS},
      {EROFS, TMON_EREADONLY}, {ENOMEM, TMON_ENOMEM}, {EBADF, TMON_EIO}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) ck_assert_int_eq(tmon_error_set_os(pairs[i].os, "x"), pairs[i].code);
  tmon_error_set_os(ENOENT, "file '%s'", "a.db");
  ck_assert_str_eq(tmon_error_message(), "file 'a.db': No such file or directory");
}
END_TEST

START_TEST(copy_cuts_and_tells_the_length) {
  char out[6] = "?????";
  tmon_error_set(TMON_EINVAL, "abcd\xc3\xa9z");
  ck_assert_uint_eq(tmon_error_copy(NULL, 10), 7);
  ck_assert_uint_eq(tmon_error_copy(out, 0), 7);
  ck_assert_str_eq(out, "?????");
  ck_assert_uint_eq(tmon_error_copy(out, sizeof out), 7);
  ck_assert_str_eq(out, "abcd");
}
END_TEST

static void *other_thread(void *argument) {
  *(bool *)argument = strcmp(tmon_error_message(), "") == 0;
  tmon_error_set(TMON_EIO, "other");
  return NULL;
}

START_TEST(each_thread_has_its_own) {
  pthread_t thread;
  bool empty = false;
  tmon_error_set(TMON_EIO, "mine");
  ck_assert_int_eq(pthread_create(&thread, NULL, other_thread, &empty), 0);
  pthread_join(thread, NULL);
  ck_assert(empty);
  ck_assert_str_eq(tmon_error_message(), "mine");
}
END_TEST

START_TEST(names) {
  ck_assert_str_eq(tmon_error_name(1), "TMON_DONE");
  ck_assert_str_eq(tmon_error_name(0), "TMON_OK");
  ck_assert_str_eq(tmon_error_name(-17), "TMON_EACCESS");
  ck_assert_str_eq(tmon_error_name(-18), "TMON_EUNKNOWN");
  for (int code = -17; code <= 1; code++) ck_assert_str_ne(tmon_error_name(code), "TMON_EUNKNOWN");
}
END_TEST

START_TEST(version_agrees_with_the_header) {
  char text[32];
  (void)snprintf(text, sizeof text, "%d.%d.%d", TMON_VERSION_MAJOR, TMON_VERSION_MINOR, TMON_VERSION_PATCH);
  ck_assert_str_eq(tmon_version(), text);
  ck_assert_int_eq(tmon_version_number(), TMON_VERSION_MAJOR * 10000 + TMON_VERSION_MINOR * 100 + TMON_VERSION_PATCH);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/error");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, test_field);
  tcase_add_test(tests, set_stores_text_and_returns_code);
  tcase_add_test(tests, text_is_one_line);
  tcase_add_test(tests, long_text_is_cut_at_a_character);
  tcase_add_test(tests, os_errors_map_to_codes);
  tcase_add_test(tests, copy_cuts_and_tells_the_length);
  tcase_add_test(tests, each_thread_has_its_own);
  tcase_add_test(tests, names);
  tcase_add_test(tests, version_agrees_with_the_header);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
