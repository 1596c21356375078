/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The summary of a session: kept as it was given, of live sessions too, and told as a change of the row. */
#include "unit/track/help.h"

#include <sqlite3.h>

#define ID "11111111-2222-4333-8444-555555555555"

static void expect_summary(tmon_store *store, const char *id, const char *expected) {
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  if (expected) ck_assert_str_eq(record.summary_json, expected);
  else ck_assert_ptr_null(record.summary_json);
  tmon_record_list_free(list);
}

static int say(tmon_store *store, const char *id, const char *summary) {
  tmon_record_change change = {.size = sizeof change, .summary_json = summary};
  return tmon_record_update(store, id, &change);
}

START_TEST(a_summary_is_kept_as_given) {
  static char large[(1 << 20) + 2];
  char id[37];
  tmon_store *store = test_store();
  tmon_record_change change = {.size = sizeof change, .summary_json = "{\"n\": 12345678901234567890, \"x\": 1.10}"};
  ok(tmon_record_create(id, store, &change));
  expect_summary(store, id, change.summary_json);
  change = (tmon_record_change){.size = sizeof change, .notes = "n"};
  ok(tmon_record_update(store, id, &change));
  expect_summary(store, id, "{\"n\": 12345678901234567890, \"x\": 1.10}");
  ok(say(store, id, "{\"b\":{}}"));
  expect_summary(store, id, "{\"b\":{}}");
  const char *wrong[] = {"", "[]", "1", "{", "{\"a\":\"\xff\"}", large};
  memset(large, ' ', sizeof large - 1);
  large[0] = '{';
  large[1 << 20] = '}'; /* a byte too long */
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    expect(TMON_EINVAL, say(store, id, wrong[i]));
    ck_assert_str_eq(tmon_error_field(), "summary");
  }
  expect_summary(store, id, "{\"b\":{}}");
  memcpy(large, "{\"a\":1", 6);
  large[(1 << 20) - 1] = '}';
  large[1 << 20] = '\0';
  ok(say(store, id, large));
  expect_summary(store, id, large);
  ok(say(store, id, " { \n } "));
  expect_summary(store, id, NULL);
  change = (tmon_record_change){.size = sizeof change, .summary_json = "{}"};
  ok(tmon_record_create(id, store, &change));
  expect_summary(store, id, NULL);
  tmon_store_free(store);
}
END_TEST

/* A caller that was built against the structure as it was before. */
START_TEST(an_older_change_says_none) {
  char id[37];
  tmon_store *store = test_store();
  tmon_record_change change = {.size = offsetof(tmon_record_change, summary_json), .notes = "n", .summary_json = "not looked at"};
  ok(tmon_record_create(id, store, &change));
  expect_summary(store, id, NULL);
  tmon_store_free(store);
}
END_TEST

static int64_t lease_of(const char *id) {
  char path[300];
  sqlite3 *handle = NULL;
  sqlite3_stmt *statement = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_prepare_v2(handle, "SELECT coalesce(lease_at, 0) FROM training_sessions WHERE id = ?", -1, &statement, NULL), SQLITE_OK);
  sqlite3_bind_text(statement, 1, id, -1, SQLITE_STATIC);
  ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
  int64_t lease = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  return lease;
}

/* Whoever says what a training with a ring is about says nothing of its trainer's life; for one without a ring it is the trainer who speaks. */
START_TEST(a_live_session_takes_summary_and_config) {
  char rest[37];
  char *text = NULL;
  int64_t cursor = 0;
  const char *tables[] = {"training_sessions"};
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  int64_t lease = lease_of(ID);
  tmon_record_change change = {.size = sizeof change, .config_json = "{\"lr\":0.1}", .summary_json = "{\"loss\":0.5}"};
  ok(tmon_store_change_cursor(&cursor, store));
  ok(tmon_record_update(store, ID, &change));
  expect_summary(store, ID, "{\"loss\":0.5}");
  ck_assert_int_eq(lease_of(ID), lease);
  tmon_rows_query query = {.size = sizeof query, .tables = tables, .table_count = 1, .after = cursor};
  ok(tmon_store_rows_json(&text, store, &query));
  ck_assert_ptr_nonnull(strstr(text, "\"summary\":{\"loss\":0.5}"));
  tmon_text_free(text);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  ok(say(store, ID, "{\"loss\":0.25}"));
  expect_summary(store, ID, "{\"loss\":0.25}");
  ck_assert_int_eq(test_status(store, ID), TMON_STATUS_COMPLETED);
  tmon_session_free(session);
  ok(tmon_record_create(rest, store, &(tmon_record_change){.size = sizeof change, .set_status = true, .status = TMON_STATUS_RUNNING}));
  lease = lease_of(rest);
  (void)usleep(1000);
  ok(say(store, rest, "{\"loss\":1}"));
  ck_assert_int_gt(lease_of(rest), lease);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("record_summary");
  tcase_add_test(tests, a_summary_is_kept_as_given);
  tcase_add_test(tests, an_older_change_says_none);
  tcase_add_test(tests, a_live_session_takes_summary_and_config);
  return test_run(suite_create("track/record_summary"), tests);
}
