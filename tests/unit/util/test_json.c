/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of JSON: reading, writing, and that both agree. */
#define _POSIX_C_SOURCE 200809L
#include "unit/fault.h"
#include "help.h"
#include "util/alloc.h"
#include "util/json.h"

#include <math.h>
#include <string.h>

static tmon_json *parse(const char *text) {
  tmon_json *document;
  ck_assert_msg(tmon_json_parse(&document, text, strlen(text)) == TMON_OK, "%s: %s", text, tmon_error_message());
  return document;
}

START_TEST(values_are_read) {
  tmon_json *document = parse(" {\"n\":-2.5e1,\"i\":9007199254740992,\"t\":\"a\\n\\u00e9\\ud83d\\ude42\",\"b\":true,\"z\":null,\"a\":[1,2,3],\"N\":1} ");
  int64_t whole = 7;
  ck_assert_double_eq(tmon_json_number(tmon_json_get(document, "n"), 0), -25);
  ck_assert(tmon_json_int(tmon_json_get(document, "i"), &whole));
  ck_assert_int_eq(whole, 9007199254740992);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(document, "t")), "a\n\xc3\xa9\xf0\x9f\x99\x82");
  ck_assert(tmon_json_bool(tmon_json_get(document, "b"), false));
  ck_assert_int_eq(tmon_json_type(tmon_json_get(document, "z")), TMON_JSON_NULL);
  double sum = 0;
  for (const tmon_json *item = tmon_json_first(tmon_json_get(document, "a")); item; item = tmon_json_next(item)) sum += tmon_json_number(item, 100);
  ck_assert_double_eq(sum, 6);
  ck_assert_str_eq(tmon_json_key(tmon_json_first(document)), "n");
  ck_assert_int_eq(tmon_json_type(document), TMON_JSON_OBJECT);
  tmon_json_free(document);
}
END_TEST

START_TEST(absent_values_are_fine) {
  int64_t whole = 7;
  ck_assert_int_eq(tmon_json_type(NULL), TMON_JSON_ABSENT);
  ck_assert_ptr_null(tmon_json_get(NULL, "a"));
  ck_assert_ptr_null(tmon_json_first(NULL));
  ck_assert_ptr_null(tmon_json_next(NULL));
  ck_assert_ptr_null(tmon_json_key(NULL));
  ck_assert_ptr_null(tmon_json_text(NULL));
  ck_assert_double_eq(tmon_json_number(NULL, 3), 3);
  ck_assert(tmon_json_bool(NULL, true));
  ck_assert(!tmon_json_int(NULL, &whole));
  tmon_json_free(NULL);
  tmon_json *document = parse("[1.5,1e300,\"x\"]");
  for (const tmon_json *item = tmon_json_first(document); item; item = tmon_json_next(item)) ck_assert(!tmon_json_int(item, &whole));
  ck_assert_ptr_null(tmon_json_get(document, "a"));
  ck_assert_int_eq(whole, 7);
  tmon_json_free(document);
}
END_TEST

START_TEST(what_is_not_json) {
  static const struct {
    const char *text;
    size_t at;
  } bad[] = {{"", 0}, {"  ", 2}, {"{", 1}, {"[1,]", 3}, {"{\"a\":1,}", 7}, {"{\"a\" 1}", 5}, {"[1 2]", 3}, {"01", 2}, {"1.", 2}, {"-", 1}, {"+1", 0},
      {"1e", 2}, {"nul", 0}, {"true false", 5}, {"\"a", 2}, {"\"\x01\"", 1}, {"\"\\x\"", 2}, {"\"\\u12g4\"", 5}, {"\"\\ud800\"", 7}, {"\"\\udc00\"", 7},
      {"\"\\u0000\"", 7}, {"\"\xff\"", 1}, {"[}", 1}, {"{]", 1}, {"]", 0}, {"{1:2}", 1}, {"'a'", 0}, {"NaN", 0}, {"\xef\xbb\xbf{}", 0}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    tmon_json *document;
    char place[40];
    ck_assert_msg(tmon_json_parse(&document, bad[i].text, strlen(bad[i].text)) == TMON_EINVAL, "%s", bad[i].text);
    ck_assert_ptr_null(document);
    (void)snprintf(place, sizeof place, " at byte %zu", bad[i].at);
    const char *message = tmon_error_message();
    ck_assert_msg(strlen(message) > strlen(place) && strcmp(message + strlen(message) - strlen(place), place) == 0, "%s: %s", bad[i].text, message);
  }
  tmon_json *document;
  ck_assert_int_eq(tmon_json_parse(&document, NULL, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_json_parse(&document, "1\0", 2), TMON_EINVAL);
}
END_TEST

START_TEST(depth_is_at_most_64) {
  char text[140];
  for (size_t depth = 64; depth <= 65; depth++) {
    tmon_json *document;
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    ck_assert_int_eq(tmon_json_parse(&document, text, 2 * depth), depth == 64 ? TMON_OK : TMON_EINVAL);
    tmon_json_free(document);
  }
  tmon_json *flat = parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\",{},{},[]]");
  tmon_json_free(flat);
}
END_TEST

START_TEST(the_length_is_obeyed) {
  tmon_json *document;
  ck_assert_int_eq(tmon_json_parse(&document, "12345", 2), TMON_OK);
  ck_assert_double_eq(tmon_json_number(document, 0), 12);
  tmon_json_free(document);
  ck_assert_int_eq(tmon_json_parse(&document, "true", 3), TMON_EINVAL);
}
END_TEST

START_TEST(long_numbers) {
  char digits[65];
  tmon_json *document;
  memset(digits, '1', 64);
  ck_assert_int_eq(tmon_json_parse(&document, digits, 63), TMON_OK);
  tmon_json_free(document);
  ck_assert_int_eq(tmon_json_parse(&document, digits, 64), TMON_EINVAL);
}
END_TEST

static int write_all(tmon_buffer *out) {
  tmon_json_writer writer;
  tmon_json_begin(&writer, out);
  tmon_json_open(&writer, NULL, '{');
  tmon_json_put_text(&writer, "text", "q\"b\\n\n\x01\x7f\xc3\xa9 bad:\xff.");
  tmon_json_put_text(&writer, "no\"ne", NULL);
  tmon_json_open(&writer, "list", '[');
  tmon_json_put_int(&writer, NULL, INT64_MIN);
  tmon_json_put_double(&writer, NULL, 0.1);
  tmon_json_put_double(&writer, NULL, NAN);
  tmon_json_put_double(&writer, NULL, INFINITY);
  tmon_json_open(&writer, NULL, '{');
  tmon_json_close(&writer, '}');
  tmon_json_put_bool(&writer, NULL, false);
  tmon_json_close(&writer, ']');
  tmon_json_put_raw(&writer, "raw", "[1]");
  tmon_json_put_raw(&writer, "absent", NULL);
  tmon_json_close(&writer, '}');
  return out->error;
}

static const char expected[] =
    "{\"text\":\"q\\\"b\\\\n\\n\\u0001\x7f\xc3\xa9 bad:\xef\xbf\xbd.\",\"no\\\"ne\":null,\"list\":[-9223372036854775808,0.1,null,null,{},false],"
    "\"raw\":[1],\"absent\":null}";

START_TEST(values_are_written) {
  tmon_buffer out;
  tmon_buffer_init(&out, 1000);
  ck_assert_int_eq(write_all(&out), TMON_OK);
  ck_assert_str_eq((char *)out.data, expected);
  ck_assert_int_eq(tmon_json_check((char *)out.data, out.size), TMON_OK);
  tmon_buffer_free(&out);
  tmon_buffer_init(&out, 20);
  ck_assert_int_eq(write_all(&out), TMON_ELIMIT);
  tmon_buffer_free(&out);
}
END_TEST

START_TEST(print_gives_what_was_read) {
  static const char text[] = "{\"a\":[1,0.30000000000000004,-2.5e-10,true,false,null,\"x\\n\"],\"b\":{\"c\":{}}}";
  tmon_json *document = parse(text);
  char *printed = tmon_json_print(document);
  ck_assert_str_eq(printed, text);
  tmon_free(printed);
  printed = tmon_json_print(tmon_json_get(document, "b"));
  ck_assert_str_eq(printed, "{\"c\":{}}");
  tmon_free(printed);
  tmon_json_free(document);
}
END_TEST

static void check_merge(const char *below, const char *above, const char *wanted) {
  char *merged = NULL;
  ck_assert_int_eq(tmon_json_merge(&merged, below, above, 100), TMON_OK);
  ck_assert_str_eq(merged, wanted);
  tmon_free(merged);
}

START_TEST(members_are_merged) {
  char *merged = NULL;
  check_merge("{\"a\":1,\"b\":2}", "{\"b\":{},\"c\":[1,2]}", "{\"a\":1,\"b\":{},\"c\":[1,2]}");
  check_merge("{\"\\u0061\":1, \"b\" : \"}\\\\\" }", "{\"a\":null}", "{\"b\" : \"}\\\\\" ,\"a\":null}"); /* names count, not how they are written */
  check_merge("{\"a\":18446744073709551615}", "{}", "{\"a\":18446744073709551615}");
  check_merge("{}", " {} ", "{}");
  check_merge(NULL, "{\"a\":1}", "{\"a\":1}");
  check_merge("[{\"a\":1}]", "{\"b\":1}", "{\"b\":1}");
  check_merge("no JSON", "{\"b\":1}", "{\"b\":1}");
  ck_assert_int_eq(tmon_json_merge(&merged, "{\"a\":1}", "{\"b\":1}", 12), TMON_ELIMIT);
  ck_assert_ptr_null(merged);
  ck_assert_int_eq(tmon_json_merge(&merged, "{}", "{", 12), TMON_EINVAL);
}
END_TEST

static int merge(void *argument) {
  char *merged = NULL;
  (void)argument;
  int result = tmon_json_merge(&merged, "{\"a\":1,\"b\":[]}", "{\"b\":2,\"c\":3}", 100);
  tmon_free(merged);
  return result;
}

START_TEST(merging_out_of_memory_is_clean) { tmon_fault_loop(merge, NULL); }
END_TEST

static int round_trip(void *argument) {
  tmon_buffer out;
  tmon_json *document = NULL;
  char *printed = NULL;
  (void)argument;
  tmon_buffer_init(&out, 10000);
  int result = write_all(&out);
  if (!result) result = tmon_json_parse(&document, (char *)out.data, out.size);
  if (!result) {
    printed = tmon_json_print(document);
    result = printed ? TMON_OK : TMON_ENOMEM;
  }
  tmon_free(printed);
  tmon_json_free(document);
  tmon_buffer_free(&out);
  return result;
}

START_TEST(out_of_memory_is_clean) { tmon_fault_loop(round_trip, NULL); }
END_TEST

int main(void) {
  Suite *suite = suite_create("util/json");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, values_are_read);
  tcase_add_test(tests, absent_values_are_fine);
  tcase_add_test(tests, what_is_not_json);
  tcase_add_test(tests, depth_is_at_most_64);
  tcase_add_test(tests, the_length_is_obeyed);
  tcase_add_test(tests, long_numbers);
  tcase_add_test(tests, values_are_written);
  tcase_add_test(tests, print_gives_what_was_read);
  tcase_add_test(tests, members_are_merged);
  tcase_add_test(tests, out_of_memory_is_clean);
  tcase_add_test(tests, merging_out_of_memory_is_clean);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
