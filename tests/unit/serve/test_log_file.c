/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Log files: bursts, escapes, and what is left out. Setting aside and odd files are in tests/contract/test_access.py. */
#include "serve/log_file.h"

#include "util/alloc.h"
#include "util/file.h"
#include "unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

START_TEST(what_a_client_sent_stays_in_its_field) {
  char out[32];
  tmon_log_file_escape(out, sizeof out, "/a b\"c\\d\n\xc3\xa4");
  ck_assert_str_eq(out, "/a\\x20b\\x22c\\x5cd\\x0a\\xc3\\xa4");
  tmon_log_file_escape(out, 9, "ab\n\n\n");
  ck_assert_str_eq(out, "ab\\x0a");
  tmon_log_file_escape(out, 1, "ab");
  ck_assert_str_eq(out, "");
}
END_TEST

START_TEST(a_burst_is_cut_and_counted) {
  char folder[] = "/tmp/trainmon-log-XXXXXX";
  tmon_log_file log;
  char *text = NULL;
  size_t size = 0;
  ck_assert_ptr_nonnull(mkdtemp(folder));
  ck_assert_int_eq(tmon_log_file_open(&log, folder, "test.log"), 0);
  for (int i = 0; i < 5000; i++) {
    tmon_log_file_line(&log, "line %d", i);
  }
  ck_assert(log.left_out > 2000 && log.left_out < 4500 && log.gathered.size <= TMON_LOG_FILE_GATHERED);
  unsigned long long left_out = log.left_out;
  tmon_log_file_flush(&log, TMON_LOG_FILE_PERIOD_US - 1, false);
  ck_assert_uint_gt(log.gathered.size, 0); /* not due yet */
  tmon_log_file_flush(&log, TMON_LOG_FILE_PERIOD_US, false);
  ck_assert_uint_eq(log.gathered.size, 0);
  tmon_log_file_line(&log, "after %s", "it");
  char path[64];
  (void)snprintf(path, sizeof path, "%s/logs/test.log", folder);
  tmon_log_file_close(&log);
  ck_assert_int_eq(tmon_file_read(&text, &size, path, 1 << 20), 0);
  char counted[64];
  (void)snprintf(counted, sizeof counted, "Z left_out lines=%llu\n", left_out);
  ck_assert_ptr_nonnull(strstr(text, counted));
  ck_assert_ptr_nonnull(strstr(text, "Z line 0\n"));
  ck_assert_str_eq(text + size - strlen("after it\n"), "after it\n");
  tmon_free(text);
  ck_assert_int_eq(unlink(path), 0);
  (void)snprintf(path, sizeof path, "%s/logs", folder);
  ck_assert_int_eq(rmdir(path) | rmdir(folder), 0);
}
END_TEST

START_TEST(a_log_of_nothing) {
  tmon_log_file log;
  ck_assert_int_eq(tmon_log_file_open(&log, NULL, "test.log"), 0);
  tmon_log_file_line(&log, "line");
  ck_assert_uint_eq(log.gathered.size, 0);
  tmon_log_file_close(&log);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("serve/log_file");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, what_a_client_sent_stays_in_its_field);
  tcase_add_test(tests, a_burst_is_cut_and_counted);
  tcase_add_test(tests, a_log_of_nothing);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
