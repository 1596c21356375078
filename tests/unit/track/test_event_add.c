/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Events that a program adds: read with the others, told to followers, kept up to a number. */
#include "unit/track/help.h"

#include "util/json.h"

#include <sqlite3.h>

#define ID "11111111-2222-4333-8444-555555555555"

static tmon_json *events(tmon_store *store, int64_t limit) {
  char *text = NULL;
  tmon_json *list = NULL;
  ok(tmon_record_events_json(&text, store, ID, limit));
  ok(tmon_json_parse(&list, text, strlen(text)));
  tmon_text_free(text);
  return list;
}

static const char *text_of(const tmon_json *event, const char *key) { return tmon_json_text(tmon_json_get(event, key)); }

/* Behind "started" of the live session, in order, also after its end. */
START_TEST(an_event_is_read_with_the_others) {
  int64_t step = 0;
  int64_t before = 0;
  int64_t after = 0;
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  ok(tmon_store_change_cursor(&before, store));
  ok(tmon_record_add_event(store, ID, "checkpoint", "saved – später", "{\"path\": \"last.pt\", \"bytes\": 12}", 40));
  ok(tmon_store_change_cursor(&after, store));
  ck_assert_int_gt(after, before);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  test_settle(store);
  ok(tmon_record_add_event(store, ID, "uploaded_2", NULL, NULL, INT64_MIN));
  ck_assert_int_eq(test_status(store, ID), TMON_STATUS_COMPLETED);
  tmon_json *list = events(store, 0);
  const tmon_json *event = tmon_json_first(list);
  ck_assert_str_eq(text_of(event, "kind"), "started");
  event = tmon_json_next(event);
  ck_assert_str_eq(text_of(event, "kind"), "checkpoint");
  ck_assert_str_eq(text_of(event, "level"), "info");
  ck_assert_str_eq(text_of(event, "message"), "saved – später");
  ck_assert_str_eq(text_of(tmon_json_get(event, "data"), "path"), "last.pt");
  ck_assert(tmon_json_int(tmon_json_get(event, "step"), &step) && step == 40);
  event = tmon_json_next(event);
  ck_assert_str_eq(text_of(event, "kind"), "completed");
  event = tmon_json_next(event);
  ck_assert_str_eq(text_of(event, "kind"), "uploaded_2");
  ck_assert_int_eq(tmon_json_type(tmon_json_get(event, "message")), TMON_JSON_NULL);
  ck_assert_int_eq(tmon_json_type(tmon_json_get(event, "step")), TMON_JSON_NULL);
  ck_assert_ptr_null(tmon_json_first(tmon_json_get(event, "data")));
  ck_assert_ptr_null(tmon_json_next(event));
  tmon_json_free(list);
  tmon_store_free(store);
}
END_TEST

START_TEST(what_is_refused_changes_nothing) {
  static char large[65600];
  int64_t before = 0;
  int64_t after = 0;
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  memset(large, 'x', sizeof large - 1);
  memcpy(large, "{\"a\":\"", 6);
  ok(tmon_store_change_cursor(&before, store));
  const struct {
    const char *kind;
    const char *message;
    const char *data;
    const char *field;
  } wrong[] = {{NULL, NULL, NULL, "kind"}, {"", NULL, NULL, "kind"}, {"Checkpoint", NULL, NULL, "kind"}, {"a b", NULL, NULL, "kind"},
      {"a23456789012345678901234567890123", NULL, NULL, "kind"}, {"started", NULL, NULL, "kind"}, {"interrupted", NULL, NULL, "kind"},
      {"running", NULL, NULL, "kind"}, {"k", "\xff", NULL, "message"}, {"k", large, NULL, "message"}, {"k", NULL, "[1]", "data"}, {"k", NULL, "{", "data"},
      {"k", NULL, "", "data"}, {"k", NULL, large, "data"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    expect(TMON_EINVAL, tmon_record_add_event(store, ID, wrong[i].kind, wrong[i].message, wrong[i].data, 1));
    ck_assert_str_eq(tmon_error_field(), wrong[i].field);
  }
  expect(TMON_EINVAL, tmon_record_add_event(NULL, ID, "k", NULL, NULL, 1));
  expect(TMON_EINVAL, tmon_record_add_event(store, NULL, "k", NULL, NULL, 1));
  expect(TMON_ENOTFOUND, tmon_record_add_event(store, "99999999-2222-4333-8444-555555555555", "k", NULL, NULL, 1));
  ok(tmon_store_change_cursor(&after, store));
  ck_assert_int_eq(after, before);
  /* What is just allowed. */
  memcpy(large + 65536 - 2, "\"}", 3);
  ok(tmon_record_add_event(store, ID, "a2345678901234567890123456789012", NULL, large, 1));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static int64_t count_rows(const char *where) {
  char path[300];
  char sql[200];
  sqlite3 *handle = NULL;
  sqlite3_stmt *statement = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM events WHERE %s", where);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
  int64_t count = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(handle);
  return count;
}

/* The oldest of the program's go, the library's stay. The rows before the last ones are put in by SQL: a commit each would take long. */
START_TEST(the_latest_are_kept) {
  char path[300];
  sqlite3 *handle = NULL;
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_exec(handle,
                       "INSERT INTO events (session, time, kind, step) WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 10254)"
                       " SELECT 1, i, 'checkpoint', i FROM n",
                       NULL, NULL, NULL),
      SQLITE_OK);
  sqlite3_close(handle);
  ck_assert_int_eq(count_rows("1"), 10255);
  ok(tmon_record_add_event(store, ID, "checkpoint", NULL, NULL, 10255));
  ck_assert_int_eq(count_rows("kind = 'checkpoint'"), 10000);
  ck_assert_int_eq(count_rows("kind = 'checkpoint' AND step > 255"), 10000);
  ck_assert_int_eq(count_rows("kind = 'started'"), 1);
  ok(tmon_record_add_event(store, ID, "other", NULL, NULL, 1));
  ck_assert_int_eq(count_rows("kind IN ('checkpoint', 'other')"), 10001);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("event_add");
  tcase_add_test(tests, an_event_is_read_with_the_others);
  tcase_add_test(tests, what_is_refused_changes_nothing);
  tcase_add_test(tests, the_latest_are_kept);
  return test_run(suite_create("track/event_add"), tests);
}
