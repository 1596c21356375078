/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Base64: the vectors of RFC 4648, and texts that are not base64. */
#include "util/base64.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static bool decode(char out[64], const char *text) {
  size_t size = 0;
  /* As large as promised and not more: a sanitizer sees a byte beyond. */
  size_t room = TMON_BASE64_DECODED_BYTES(strlen(text));
  uint8_t *exact = malloc(room + (room == 0));
  bool good = tmon_base64_decode(exact, &size, text, strlen(text));
  memcpy(out, exact, size);
  out[size] = '\0';
  free(exact);
  return good;
}

START_TEST(the_vectors_of_the_standard) {
  static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"}, {"\xFB\xFF\xBF", "+/+/"}};
  char out[64];
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    ck_assert(decode(out, pairs[i][1]));
    ck_assert_str_eq(out, pairs[i][0]);
  }
}
END_TEST

START_TEST(what_is_no_base64) {
  static const char *const bad[] = {"Z", "Zg", "Zg=", "Zg=a", "=", "====", "Z===", "Zm9v=", "Zm 9", "Zm9v\n", "Zm-_",
      "Zg==Zg==", "Zh==", "Zm9=", "Zm9v Zg=",
      "\xC3\xA4"
      "ab"};
  char out[64];
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!decode(out, bad[i]), "'%s' was taken", bad[i]);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/base64");
  TCase *tests = tcase_create("base64");
  tcase_add_test(tests, the_vectors_of_the_standard);
  tcase_add_test(tests, what_is_no_base64);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
