/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Taking requests apart. */
#include "serve/request.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static tmon_request request;

static void fresh(void) { memset(&request, 0, sizeof request); }

static void query(const char *text) {
  fresh();
  tmon_request_set_query(&request, text, strlen(text));
}

START_TEST(escapes_are_decoded_once) {
  query("key=train%2Floss&key=a%26b%3Dc&x=%2541&y=a+b&flag");
  ck_assert_ptr_null(request.refused);
  ck_assert_str_eq(tmon_request_parameter(&request, "key", 0), "train/loss");
  ck_assert_str_eq(tmon_request_parameter(&request, "key", 1), "a&b=c");
  ck_assert_ptr_null(tmon_request_parameter(&request, "key", 2));
  ck_assert_str_eq(tmon_request_parameter(&request, "x", 0), "%41");
  ck_assert_str_eq(tmon_request_parameter(&request, "y", 0), "a b");
  ck_assert_str_eq(tmon_request_parameter(&request, "flag", 0), "");
}
END_TEST

START_TEST(junk_is_refused) {
  static const char *const bad[] = {"a=%", "a=%4", "a=%zz", "a=%00", "a=%0a", "a=%ff", "a=%c0%80", "%01=1"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    query(bad[i]);
    ck_assert_msg(request.refused != NULL && request.parameter_count == 0, "%s was taken", bad[i]);
  }
}
END_TEST

START_TEST(too_many_or_too_long_is_refused) {
  char text[3 * TMON_REQUEST_QUERY_BYTES];
  size_t used = 0;
  for (int i = 0; i <= TMON_REQUEST_PARAMETERS; i++) {
    memcpy(text + used, "a=1&", 4);
    used += 4;
  }
  text[used] = '\0';
  query(text);
  ck_assert_str_eq(request.refused, "query");
  memset(text, 'a', TMON_REQUEST_QUERY_BYTES + 10);
  text[TMON_REQUEST_QUERY_BYTES + 10] = '\0';
  query(text);
  ck_assert_str_eq(request.refused, "query");
}
END_TEST

START_TEST(numbers_keep_their_bounds) {
  int64_t value = 0;
  query("a=12&b=-1&c=1x&d=99999999999999999999");
  ck_assert(tmon_request_int(&request, "a", 0, 12, 5, &value) && value == 12);
  ck_assert(tmon_request_int(&request, "none", 0, 12, 5, &value) && value == 5);
  ck_assert(!tmon_request_int(&request, "a", 0, 11, 5, &value));
  ck_assert(!tmon_request_int(&request, "b", 0, 12, 5, &value));
  ck_assert(!tmon_request_int(&request, "c", 0, 12, 5, &value));
  ck_assert(!tmon_request_int(&request, "d", 0, INT64_MAX, 5, &value));
}
END_TEST

START_TEST(cookies_match_whole_names) {
  char value[8];
  fresh();
  strncpy(request.cookie, "xtrainmon_1=no; trainmon_1=yes;trainmon_2=12345678", sizeof request.cookie - 1);
  ck_assert(tmon_request_cookie(&request, "trainmon_1", value, sizeof value));
  ck_assert_str_eq(value, "yes");
  ck_assert(!tmon_request_cookie(&request, "trainmon_2", value, sizeof value));
  ck_assert(!tmon_request_cookie(&request, "trainmon", value, sizeof value));
}
END_TEST

START_TEST(types_and_encodings) {
  static const struct {
    const char *type;
    bool json;
  } types[] = {{"application/json", true}, {"Application/JSON; charset=utf-8", true}, {"application/jsonp", false}, {"text/plain", false}, {"", false}};
  static const struct {
    const char *accept;
    bool gzip;
  } encodings[] = {
      {"gzip, br", true}, {"br, gzip", true}, {"gzip;q=0", false}, {"gzip;q=0.0", false}, {"gzip;q=0.5", true}, {"x-gzip", false}, {"", false}};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
    fresh();
    strncpy(request.content_type, types[i].type, sizeof request.content_type - 1);
    ck_assert_msg(tmon_request_is_json(&request) == types[i].json, "%s", types[i].type);
  }
  for (size_t i = 0; i < sizeof encodings / sizeof encodings[0]; i++) {
    fresh();
    strncpy(request.accept_encoding, encodings[i].accept, sizeof request.accept_encoding - 1);
    ck_assert_msg(tmon_request_accepts_gzip(&request) == encodings[i].gzip, "%s", encodings[i].accept);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("request");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, escapes_are_decoded_once);
  tcase_add_test(tests, junk_is_refused);
  tcase_add_test(tests, too_many_or_too_long_is_refused);
  tcase_add_test(tests, numbers_keep_their_bounds);
  tcase_add_test(tests, cookies_match_whole_names);
  tcase_add_test(tests, types_and_encodings);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
