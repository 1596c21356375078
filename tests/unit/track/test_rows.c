/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* tmon_store_rows_json: what is told of changed rows, how often, and what is left out. */
#include "unit/track/image.h"
#include "util/json.h"

static const char *const every[] = {"training_sessions", "training_metrics", "validation_results", "confusion_matrices", "model_benchmarks",
    "training_datasets", "hyperparameter_runs", "alerts", "images"};

static tmon_json *read_rows(tmon_store *store, int64_t *cursor, int64_t *image, int64_t limit) {
  tmon_rows_query query = {.size = sizeof query, .tables = every, .table_count = 9, .after = *cursor, .after_image = *image, .limit = limit};
  tmon_json *reply = NULL;
  char *text = NULL;
  ok(tmon_store_rows_json(&text, store, &query));
  ok(tmon_json_parse(&reply, text, strlen(text)));
  tmon_text_free(text);
  ck_assert(tmon_json_int(tmon_json_get(reply, "cursor"), cursor) && tmon_json_int(tmon_json_get(reply, "image_cursor"), image));
  return reply;
}

static const tmon_json *expect_change(const tmon_json *change, const char *table, const char *op) {
  ck_assert_ptr_nonnull(change);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(change, "table")), table);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(change, "eventType")), op);
  return change;
}

START_TEST(a_row_is_told_once_as_it_is) {
  tmon_store *store = test_store();
  tmon_record_change change = {.size = sizeof change, .name = "one", .config_json = "{\"a\": [1]}"};
  tmon_epoch_value value = {"loss", 1};
  char id[37];
  int64_t cursor = 0;
  int64_t image = -1;
  int64_t epoch = 0;
  ok(tmon_record_create(id, store, &change));
  tmon_json *reply = read_rows(store, &cursor, &image, 0);
  const tmon_json *is = expect_change(tmon_json_first(tmon_json_get(reply, "changes")), "training_sessions", "INSERT");
  ck_assert_str_eq(tmon_json_text(tmon_json_get(tmon_json_get(is, "new"), "id")), id);
  ck_assert_ptr_nonnull(tmon_json_first(tmon_json_get(tmon_json_get(tmon_json_get(is, "new"), "config"), "a")));
  ck_assert_ptr_null(tmon_json_first(tmon_json_get(is, "old")));
  ck_assert_ptr_null(tmon_json_next(is));
  tmon_json_free(reply);
  for (int i = 0; i < 5; i++) {
    value.value = i;
    ok(tmon_record_log_epoch(store, id, 3, &value, 1));
  }
  reply = read_rows(store, &cursor, &image, 0);
  is = tmon_json_first(tmon_json_get(reply, "changes"));
  while (is != NULL && strcmp(tmon_json_text(tmon_json_get(is, "table")), "training_metrics") != 0) is = tmon_json_next(is);
  is = tmon_json_get(expect_change(is, "training_metrics", "INSERT"), "new");
  ck_assert(tmon_json_int(tmon_json_get(is, "epoch"), &epoch) && epoch == 3);
  ck_assert(tmon_json_number(tmon_json_get(is, "total_loss"), 0) > 3.9);
  tmon_json_free(reply);
  reply = read_rows(store, &cursor, &image, 0);
  ck_assert_ptr_null(tmon_json_first(tmon_json_get(reply, "changes")));
  tmon_json_free(reply);
  ok(tmon_record_update(store, id, &(tmon_record_change){.size = sizeof change, .set_status = true, .status = TMON_STATUS_COMPLETED}));
  ok(tmon_record_delete(store, id));
  reply = read_rows(store, &cursor, &image, 0);
  bool seen = false;
  for (is = tmon_json_first(tmon_json_get(reply, "changes")); is != NULL; is = tmon_json_next(is)) {
    ck_assert_str_eq(tmon_json_text(tmon_json_get(is, "eventType")), "DELETE");
    ck_assert_ptr_null(tmon_json_first(tmon_json_get(is, "new")));
    const char *old = tmon_json_text(tmon_json_get(tmon_json_get(is, "old"), "id"));
    seen = seen || (old != NULL && strcmp(old, id) == 0);
  }
  ck_assert(seen);
  tmon_json_free(reply);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_call_ends_between_any_two) {
  tmon_store *store = test_store();
  int64_t cursor = 0;
  int64_t image = -1;
  int found = 0;
  bool more = true;
  run_sql("INSERT INTO training_datasets (name) VALUES ('a'), ('b'), ('c'), ('d'), ('e')");
  run_sql("UPDATE training_datasets SET description = name");
  for (int i = 0; i < 10 && more; i++) {
    tmon_json *reply = read_rows(store, &cursor, &image, 2);
    int count = 0;
    for (const tmon_json *is = tmon_json_first(tmon_json_get(reply, "changes")); is != NULL; is = tmon_json_next(is), count++) {
      found += strcmp(tmon_json_text(tmon_json_get(is, "eventType")), "INSERT") == 0;
      ck_assert_str_eq(
          tmon_json_text(tmon_json_get(tmon_json_get(is, "new"), "description")), tmon_json_text(tmon_json_get(tmon_json_get(is, "new"), "name")));
    }
    ck_assert_int_le(count, 2);
    more = tmon_json_bool(tmon_json_get(reply, "more"), true);
    tmon_json_free(reply);
  }
  ck_assert(!more);
  ck_assert_int_eq(found, 5); /* the first telling of each is that it is new */
  tmon_store_free(store);
}
END_TEST

START_TEST(odd_rows_and_forgotten_changes) {
  tmon_store *store = test_store();
  int64_t cursor = 0;
  int64_t image = -1;
  run_sql("INSERT INTO training_datasets (name, extra, description) VALUES ('odd', '{not json', 'x'),"
          " ('large', '{}', hex(zeroblob(40000)))");
  run_sql("INSERT INTO changes (table_name, op, row_id) VALUES ('training_datasets', 'DELETE', '9\"}x'), ('no_table', 'INSERT', '1')");
  tmon_json *reply = read_rows(store, &cursor, &image, 0);
  const tmon_json *is = expect_change(tmon_json_first(tmon_json_get(reply, "changes")), "training_datasets", "INSERT");
  ck_assert_str_eq(tmon_json_text(tmon_json_get(tmon_json_get(is, "new"), "extra")), "{not json");
  is = expect_change(tmon_json_next(is), "training_datasets", "INSERT");
  ck_assert(!tmon_json_bool(tmon_json_get(is, "whole"), true));
  ck_assert_ptr_null(tmon_json_get(tmon_json_get(is, "new"), "name"));
  is = expect_change(tmon_json_next(is), "training_datasets", "DELETE");
  ck_assert_ptr_null(tmon_json_next(is));
  tmon_json_free(reply);
  run_sql("DELETE FROM changes WHERE seq < (SELECT max(seq) FROM changes)");
  cursor = 1;
  reply = read_rows(store, &cursor, &image, 0);
  ck_assert(tmon_json_bool(tmon_json_get(reply, "resync"), false));
  ck_assert_ptr_null(tmon_json_first(tmon_json_get(reply, "changes")));
  ck_assert_int_eq(cursor, ask_sql("SELECT max(seq) FROM changes"));
  tmon_json_free(reply);
  tmon_store_free(store);
}
END_TEST

START_TEST(pictures_are_told_when_they_come) {
  tmon_store *store = test_store();
  char id[40];
  char data[64];
  int64_t cursor = 0;
  int64_t image = -1;
  make_rest(id, store);
  tmon_image one = encoded(data, "eye", 1);
  ok(tmon_image_add(store, id, &one));
  tmon_json_free(read_rows(store, &cursor, &image, 0));
  ck_assert_int_eq(image, ask_sql("SELECT max(id) FROM images"));
  one = encoded(data, "eye", 2);
  ok(tmon_image_add(store, id, &one));
  tmon_json *reply = read_rows(store, &cursor, &image, 0);
  const tmon_json *is = tmon_json_first(tmon_json_get(reply, "changes"));
  while (is != NULL && strcmp(tmon_json_text(tmon_json_get(is, "table")), "images") != 0) is = tmon_json_next(is);
  expect_change(is, "images", "INSERT");
  ck_assert_str_eq(tmon_json_text(tmon_json_get(tmon_json_get(is, "new"), "session_id")), id);
  tmon_json_free(reply);
  tmon_store_free(store);
}
END_TEST

/* A column that the schema gains is either told or named here as kept back. */
START_TEST(columns_are_those_of_the_schema) {
  static const char *const kept[] = {"key", "lease_at", "control_at", "matrix", "writer", "lane", "position", "revision", "fired_revision"};
  tmon_store *store = test_store();
  for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
    char sql[200];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s')", every[i]);
    int64_t left = ask_sql(sql);
    for (size_t j = 0; j < sizeof kept / sizeof *kept; j++) {
      (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'", every[i], kept[j]);
      left -= ask_sql(sql);
    }
    for (size_t j = 0; tmon_table_column(every[i], j) != NULL; j++) left--;
    ck_assert_msg(left == 0, "%s: %d columns", every[i], (int)left);
  }
  ck_assert_ptr_null(tmon_table_column("sqlite_master", 0));
  ck_assert_ptr_null(tmon_table_column(NULL, 0));
  tmon_store_free(store);
}
END_TEST

START_TEST(errors) {
  static const char *const wrong[] = {"changes"};
  tmon_store *store = test_store();
  tmon_rows_query query = {.size = sizeof query, .tables = wrong, .table_count = 1};
  char *text = NULL;
  expect(TMON_EINVAL, tmon_store_rows_json(&text, store, &query));
  ck_assert_str_eq(tmon_error_field(), "tables");
  query.tables = every;
  query.limit = 1001;
  expect(TMON_EINVAL, tmon_store_rows_json(&text, store, &query));
  query.limit = 0;
  query.after = -1;
  expect(TMON_EINVAL, tmon_store_rows_json(&text, store, &query));
  expect(TMON_EINVAL, tmon_store_rows_json(&text, store, NULL));
  expect(TMON_EINVAL, tmon_store_rows_json(&text, NULL, &query));
  expect(TMON_EINVAL, tmon_store_rows_json(NULL, store, &query));
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("rows");
  tcase_add_test(tests, a_row_is_told_once_as_it_is);
  tcase_add_test(tests, a_call_ends_between_any_two);
  tcase_add_test(tests, odd_rows_and_forgotten_changes);
  tcase_add_test(tests, pictures_are_told_when_they_come);
  tcase_add_test(tests, columns_are_those_of_the_schema);
  tcase_add_test(tests, errors);
  return test_run(suite_create("track/rows"), tests);
}
