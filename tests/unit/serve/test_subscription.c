/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Subscriptions: what is read of a message, what passes a filter, and no memory at any point. */
#include "serve/subscription.h"

#include "trainmon/error.h"
#include "unit/fault.h"
#include "unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tmon_subscription_kind read_text(tmon_subscription *out, const char *text) { return tmon_subscription_read(out, text, strlen(text)); }

static bool row_passes(const char *filter, const char *row_text) {
  char text[400];
  tmon_subscription wanted;
  tmon_json *row = NULL;
  (void)snprintf(
      text, sizeof text, "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"training_datasets\",\"event\":\"UPDATE\",\"filter\":\"%s\"}]}", filter);
  ck_assert_msg(read_text(&wanted, text) == TMON_SUBSCRIPTION_GOOD, "%s: %s", filter, tmon_error_message());
  ck_assert_int_eq(tmon_json_parse(&row, row_text, strlen(row_text)), TMON_OK);
  bool passes = tmon_subscription_wants_row(&wanted, "training_datasets", "UPDATE", row);
  ck_assert(!tmon_subscription_wants_row(&wanted, "training_datasets", "INSERT", row));
  ck_assert(!tmon_subscription_wants_row(&wanted, "alerts", "UPDATE", row));
  tmon_json_free(row);
  tmon_subscription_free(&wanted);
  return passes;
}

START_TEST(filters) {
  const char *row = "{\"id\":7,\"name\":\"a,b\",\"version\":\"\",\"total_images\":null}";
  ck_assert(row_passes("id=eq.7", row) && row_passes("id=eq.7.0", row) && !row_passes("id=eq.70", row) && !row_passes("id=eq.7x", row));
  ck_assert(row_passes("id=in.(1,7)", row) && !row_passes("id=in.(1,70)", row) && row_passes("id=in.(7)", row));
  ck_assert(row_passes("name=in.(\\\"a,b\\\")", row) && !row_passes("name=in.(a,b)", row));
  ck_assert(row_passes("version=eq.", row) && !row_passes("version=neq.", row));
  ck_assert(!row_passes("total_images=eq.0", row) && !row_passes("total_images=neq.0", row));
  ck_assert_msg(row_passes("description=eq.x", row), "a column that is not known lets the row pass");
}
END_TEST

START_TEST(a_message_replaces_what_it_names) {
  tmon_subscription has = {0};
  tmon_subscription said;
  ck_assert_int_eq(read_text(&said, "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"alerts\"}]}"), TMON_SUBSCRIPTION_GOOD);
  tmon_subscription_merge(&has, &said);
  ck_assert(tmon_subscription_wants_table(&has, "alerts") && tmon_subscription_wants_session(&has, "any"));
  ck_assert_int_eq(read_text(&said, "{\"type\":\"subscribe\",\"sessions\":[\"00000000-0000-4000-8000-000000000000\"]}"), TMON_SUBSCRIPTION_GOOD);
  tmon_subscription_merge(&has, &said);
  ck_assert(tmon_subscription_wants_table(&has, "alerts") && !tmon_subscription_wants_session(&has, "any"));
  ck_assert(tmon_subscription_wants_session(&has, "00000000-0000-4000-8000-000000000000"));
  ck_assert_int_eq(read_text(&said, "{\"type\":\"subscribe\",\"sessions\":\"all\",\"tables\":[]}"), TMON_SUBSCRIPTION_GOOD);
  tmon_subscription_merge(&has, &said);
  ck_assert(!tmon_subscription_wants_table(&has, "alerts") && tmon_subscription_wants_session(&has, "any"));
  tmon_subscription_free(&has);
}
END_TEST

START_TEST(other_messages_are_left_alone) {
  static const char *const others[] = {"", "[]", "{}", "{\"type\":\"subscribe\"}", "{\"type\":\"other\",\"tables\":[]}",
      "{\"type\":\"subscribe\",\"sessions\":[1]}", "{\"type\":\"subscribe\",\"sessions\":\"some\"}"};
  static const char *const wrong[] = {"{\"type\":\"subscribe\",\"tables\":null}", "{\"type\":\"subscribe\",\"tables\":[1]}",
      "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"alerts\",\"filter\":1}]}",
      "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"alerts\",\"filter\":\"=eq.1\"}]}",
      "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"alerts\",\"filter\":\"id=in.\"}]}",
      "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"alerts\",\"filter\":\"id=in.()\"}]}",
      "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"alerts\",\"filter\":\"id=in.(1,,2)\"}]}",
      "{\"type\":\"subscribe\",\"tables\":[{\"table\":\"alerts\",\"filter\":\"id=in.(\\\"1\\\"2)\"}]}"};
  tmon_subscription said;
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    ck_assert_msg(read_text(&said, others[i]) == TMON_SUBSCRIPTION_NOT_ONE, "%s", others[i]);
  }
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ck_assert_msg(read_text(&said, wrong[i]) == TMON_SUBSCRIPTION_WRONG, "%s", wrong[i]);
    ck_assert_ptr_nonnull(tmon_error_field());
  }
}
END_TEST

/* What has no memory is wrong or, where even the message could not be read, no subscription; never half of one. */
static int read_all(void *unused) {
  static const char *const text = "{\"type\":\"subscribe\",\"sessions\":[\"00000000-0000-4000-8000-000000000000\"],"
                                  "\"tables\":[{\"table\":\"alerts\",\"filter\":\"id=in.(1,2)\"},{\"table\":\"images\",\"filter\":\"id=gt.4\"}]}";
  tmon_subscription said;
  (void)unused;
  if (read_text(&said, text) != TMON_SUBSCRIPTION_GOOD) {
    ck_assert_ptr_null(said.ids);
    ck_assert_ptr_null(said.wishes);
    return TMON_ENOMEM;
  }
  ck_assert_uint_eq(said.wish_count, 2);
  tmon_subscription_free(&said);
  return TMON_OK;
}

START_TEST(no_memory) { tmon_fault_loop(read_all, NULL); }
END_TEST

int main(void) {
  Suite *suite = suite_create("serve/subscription");
  TCase *tests = tcase_create("all");
  tcase_add_test(tests, filters);
  tcase_add_test(tests, a_message_replaces_what_it_names);
  tcase_add_test(tests, other_messages_are_left_alone);
  tcase_add_test(tests, no_memory);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
