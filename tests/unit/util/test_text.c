/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of text: UTF-8, keys, numbers, times. */
#define _POSIX_C_SOURCE 200809L
#include "help.h"
#include "util/text.h"

#include <locale.h>
#include <math.h>
#include <string.h>

START_TEST(utf8_is_strict) {
  static const char *const good[] = {"", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x99\x82", "\xf4\x8f\xbf\xbf", "\xee\x80\x80"};
  static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
      "\xf5\x80\x80\x80", "\xc3", "\xe2\x82", "\xc3(", "\xff", "abc\xe2\x28\xa1"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) ck_assert_msg(tmon_text_is_utf8(good[i], strlen(good[i])), "good %zu", i);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!tmon_text_is_utf8(bad[i], strlen(bad[i])), "bad %zu", i);
  ck_assert(tmon_text_is_utf8("a\0b", 3));
  ck_assert(!tmon_text_is_utf8("\xe2\x82\xac", 2));
}
END_TEST

START_TEST(keys) {
  char key[252];
  memset(key, 'k', 251);
  key[251] = 0;
  ck_assert(!tmon_text_is_key(key));
  key[250] = 0;
  ck_assert(tmon_text_is_key(key));
  ck_assert(tmon_text_is_key("metrics/mAP50(B)"));
  ck_assert(tmon_text_is_key("pr\xc3\xa9"
                             "cision"));
  ck_assert(!tmon_text_is_key(NULL));
  ck_assert(!tmon_text_is_key(""));
  ck_assert(!tmon_text_is_key("a\nb"));
  ck_assert(!tmon_text_is_key("a\x7f"));
  ck_assert(!tmon_text_is_key("a\xc2\x85"));
  ck_assert(!tmon_text_is_key("\xff"));
}
END_TEST

START_TEST(whole_numbers) {
  static const struct {
    const char *text;
    int64_t value;
  } good[] = {{"0", 0}, {"-0", 0}, {"+7", 7}, {"007", 7}, {"9223372036854775807", INT64_MAX}, {"-9223372036854775808", INT64_MIN}};
  static const char *const bad[] = {
      "", "-", "+", " 1", "1 ", "1.0", "0x10", "1e3", "--1", "9223372036854775808", "-9223372036854775809", "99999999999999999999"};
  int64_t value = 99;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!tmon_text_to_int(bad[i], &value), "%s", bad[i]);
  ck_assert(!tmon_text_to_int(NULL, &value));
  ck_assert_int_eq(value, 99);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ck_assert_msg(tmon_text_to_int(good[i].text, &value), "%s", good[i].text);
    ck_assert_int_eq(value, good[i].value);
  }
}
END_TEST

START_TEST(decimal_numbers) {
  static const struct {
    const char *text;
    double value;
  } good[] = {{"0.5", 0.5}, {"-1e3", -1000}, {".25", 0.25}, {"5.", 5}, {"+2E-2", 0.02}, {"1e-400", 0}};
  static const char *const bad[] = {"", ".", "e5", "1e", "1e+", " 1", "1 ", "0x1p3", "nan", "inf", "1e999", "1,5", "1.5f"};
  double value = 99;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!tmon_text_to_double(bad[i], &value), "%s", bad[i]);
  ck_assert(!tmon_text_to_double(NULL, &value));
  ck_assert_double_eq(value, 99);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ck_assert_msg(tmon_text_to_double(good[i].text, &value), "%s", good[i].text);
    ck_assert_double_eq(value, good[i].value);
  }
}
END_TEST

/* The comma of the second locale must not be seen; where no such locale is installed both runs are in "C". */
START_TEST(numbers_as_text) {
  char text[TMON_DOUBLE_BYTES];
  static const char *const locales[] = {"C", "de_DE.UTF-8"};
  static const struct {
    double value;
    const char *text;
  } pairs[] = {{0.1, "0.1"}, {1, "1"}, {0.1 + 0.2, "0.30000000000000004"}, {-2.5, "-2.5"}, {1e300, "1e+300"}, {123456789012.0, "123456789012"},
      {-0.0, "-0"}, {5e-324, "4.94065645841247e-324"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"}};
  for (int round = 0; round < 2; round++) {
    (void)setlocale(LC_ALL, locales[round]);
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
      tmon_text_from_double(text, pairs[i].value);
      ck_assert_str_eq(text, pairs[i].text);
    }
    double value;
    ck_assert(tmon_text_to_double("0.75", &value));
    ck_assert_double_eq(value, 0.75);
  }
}
END_TEST

START_TEST(copies_are_cut_at_characters) {
  char out[5];
  ck_assert(tmon_text_copy(out, sizeof out, "abcd"));
  ck_assert_str_eq(out, "abcd");
  ck_assert(!tmon_text_copy(out, sizeof out, "abcde"));
  ck_assert_str_eq(out, "abcd");
  ck_assert(!tmon_text_copy(out, sizeof out, "ab\xe2\x82\xac"));
  ck_assert_str_eq(out, "ab");
  ck_assert(!tmon_text_copy(out, sizeof out, "a\xe2\x82\xac!"));
  ck_assert_str_eq(out, "a\xe2\x82\xac");
  ck_assert(!tmon_text_copy(out, 0, "a"));
  ck_assert(tmon_text_copy(out, sizeof out, NULL));
  ck_assert_str_eq(out, "");
}
END_TEST

/* Expected numbers come from GNU date. */
START_TEST(times_are_written) {
  char text[TMON_ISO_TIME_BYTES];
  static const struct {
    int64_t time;
    const char *text;
  } pairs[] = {{0, "1970-01-01T00:00:00.000000Z"}, {1736937045123456, "2025-01-15T10:30:45.123456Z"}, {-1, "1969-12-31T23:59:59.999999Z"},
      {951782400000000, "2000-02-29T00:00:00.000000Z"}, {4107542400000000, "2100-03-01T00:00:00.000000Z"},
      {-62167219200000000, "0000-01-01T00:00:00.000000Z"}, {253402300799999999, "9999-12-31T23:59:59.999999Z"}, {INT64_MAX, "9999-12-31T23:59:59.999999Z"},
      {INT64_MIN, "0000-01-01T00:00:00.000000Z"}};
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    tmon_text_from_time(text, pairs[i].time);
    ck_assert_str_eq(text, pairs[i].text);
  }
  for (int64_t day = -719528; day <= 2932896; day += 13) {
    int64_t time;
    tmon_text_from_time(text, day * 86400000000 + 1);
    ck_assert_msg(tmon_text_to_time(text, &time) && time == day * 86400000000 + 1, "%s", text);
  }
}
END_TEST

START_TEST(times_are_read) {
  static const struct {
    const char *text;
    int64_t time;
  } good[] = {{"2025-01-15T10:30:45.123456Z", 1736937045123456}, {"2025-01-15T10:30:45Z", 1736937045000000},
      {"2025-01-15T12:30:45.5+02:00", 1736937045500000}, {"2025-01-15T05:00:45.123456789-0530", 1736937045123456},
      {"2025-01-15 10:30:45z", 1736937045000000}, {"2025-01-15T11:30+01", 1736937000000000}, {"2025-01-15", 1736899200000000},
      {"2016-12-31T23:59:60Z", 1483228800000000}, {"2000-02-29", 951782400000000}};
  static const char *const bad[] = {"", "2025", "2025-1-15", "2025-13-01", "2025-00-01", "2025-02-29", "2100-02-29", "2025-01-32", "2025-01-15T",
      "2025-01-15T10:30:45", "2025-01-15T24:00:00Z", "2025-01-15T10:60:00Z", "2025-01-15T10:30:61Z", "2025-01-15T10:30:45.Z",
      "2025-01-15T10:30:45.1234567890Z", "2025-01-15T10:30:45+24:00", "2025-01-15T10:30:45+1", "2025-01-15T10:30:45+01:", "2025-01-15T10:30:45Zx",
      " 2025-01-15", "2025-01-15x"};
  int64_t time = 99;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!tmon_text_to_time(bad[i], &time), "%s", bad[i]);
  ck_assert(!tmon_text_to_time(NULL, &time));
  ck_assert_int_eq(time, 99);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ck_assert_msg(tmon_text_to_time(good[i].text, &time), "%s", good[i].text);
    ck_assert_msg(time == good[i].time, "%s gave %lld", good[i].text, (long long)time);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/text");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, utf8_is_strict);
  tcase_add_test(tests, keys);
  tcase_add_test(tests, whole_numbers);
  tcase_add_test(tests, decimal_numbers);
  tcase_add_test(tests, numbers_as_text);
  tcase_add_test(tests, copies_are_cut_at_characters);
  tcase_add_test(tests, times_are_written);
  tcase_add_test(tests, times_are_read);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
