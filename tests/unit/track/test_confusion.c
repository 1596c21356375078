/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Confusion matrices: figures against worked examples, both ways in, what follows for validation results, hostile input, damaged rows. */
#include "unit/track/help.h"

#include "util/json.h"

#include <sqlite3.h>
#include <time.h>

static char id[40];

static tmon_store *begin(void) {
  tmon_store *store = test_store();
  tmon_record_change change = {.size = sizeof change, .name = "rest", .set_status = true, .status = TMON_STATUS_RUNNING};
  ok(tmon_record_create(id, store, &change));
  return store;
}

static const char *const names3[] = {"cat", "dog", "bird"};

static int64_t add3(tmon_store *store, int64_t epoch, const uint64_t *counts, const char *const *groups) {
  int64_t number = 0;
  tmon_confusion confusion = {.size = sizeof confusion, .epoch = epoch, .class_count = 3, .class_names = names3, .class_groups = groups, .counts = counts};
  ok(tmon_confusion_add(&number, store, id, &confusion));
  ck_assert_int_gt(number, 0);
  return number;
}

static tmon_json *list(tmon_store *store, tmon_result_kind kind, tmon_result_filter filter) {
  char *text = NULL;
  tmon_json *document = NULL;
  filter.size = sizeof filter;
  filter.session_id = id;
  ok(tmon_result_list_json(&text, store, kind, &filter));
  ok(tmon_json_parse(&document, text, strlen(text)));
  tmon_text_free(text);
  return document;
}

static const tmon_json *at(const tmon_json *array, int index) {
  const tmon_json *item = tmon_json_first(array);
  while (index-- > 0) item = tmon_json_next(item);
  return item;
}

static const tmon_json *row_at(const tmon_json *document, int index) { return at(tmon_json_first(document), index); }

#define GET tmon_json_get
#define NUMBER(object, name) tmon_json_number(tmon_json_get(object, name), -999)
#define NEAR(object, name, expected) ck_assert_double_eq_tol(NUMBER(object, name), expected, 1e-15)
#define IS_NULL(object, name) ck_assert_int_eq(tmon_json_type(tmon_json_get(object, name)), TMON_JSON_NULL)

/* True classes 5 cats, 5 dogs, 10 birds. Worked by hand; tests/contract/test_results.py compares with scikit-learn where that is installed. */
static const uint64_t zoo[] = {3, 2, 0, 1, 4, 0, 2, 0, 8};
static const char *const zoo_groups[] = {"mammal", "mammal", NULL};

START_TEST(figures_of_a_worked_example) {
  tmon_store *store = begin();
  add3(store, 4, zoo, zoo_groups);
  tmon_json *listed = list(store, TMON_RESULT_CONFUSION, (tmon_result_filter){0});
  const tmon_json *row = row_at(listed, 0);
  NEAR(row, "epoch", 4);
  NEAR(row, "total", 20);
  NEAR(row, "accuracy", 15.0 / 20);
  const tmon_json *cat = at(GET(row, "per_class"), 0);
  const tmon_json *bird = at(GET(row, "per_class"), 2);
  ck_assert_str_eq(tmon_json_text(GET(cat, "class_group")), "mammal");
  IS_NULL(bird, "class_group");
  NEAR(cat, "support", 5);
  NEAR(cat, "tp", 3);
  NEAR(cat, "fp", 3);
  NEAR(cat, "fn", 2);
  NEAR(cat, "tn", 12);
  NEAR(cat, "precision", 3.0 / 6);
  NEAR(cat, "recall", 3.0 / 5);
  NEAR(cat, "sensitivity", 3.0 / 5);
  NEAR(cat, "specificity", 12.0 / 15);
  NEAR(cat, "f1_score", 6.0 / 11);
  NEAR(bird, "precision", 1);
  NEAR(bird, "recall", 0.8);
  NEAR(bird, "f1_score", 16.0 / 18);
  const tmon_json *averages = GET(row, "averages");
  NEAR(averages, "classes", 3);
  NEAR(averages, "support", 20);
  NEAR(GET(averages, "macro"), "precision", (3.0 / 6 + 4.0 / 6 + 1) / 3);
  NEAR(GET(averages, "macro"), "recall", (0.6 + 0.8 + 0.8) / 3);
  NEAR(GET(averages, "macro"), "specificity", (12.0 / 15 + 13.0 / 15 + 1) / 3);
  NEAR(GET(averages, "weighted"), "precision", (5 * 3.0 / 6 + 5 * 4.0 / 6 + 10) / 20);
  NEAR(GET(averages, "weighted"), "f1_score", (5 * 6.0 / 11 + 5 * 8.0 / 11 + 10 * 16.0 / 18) / 20);
  const tmon_json *mammals = GET(GET(averages, "groups"), "mammal");
  NEAR(mammals, "classes", 2);
  NEAR(mammals, "support", 10);
  NEAR(GET(mammals, "macro"), "recall", 0.7);
  char *matrix = tmon_json_print(GET(row, "matrix"));
  ck_assert_str_eq(matrix, "[[3,2,0],[1,4,0],[2,0,8]]");
  tmon_text_free(matrix);
  tmon_json_free(listed);
  listed = list(store, TMON_RESULT_CONFUSION, (tmon_result_filter){.no_matrix = true});
  ck_assert_ptr_null(GET(row_at(listed, 0), "matrix"));
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

/* A class that did not occur and was not called: 0/0 is null and stays out of the averages. */
START_TEST(undefined_is_null) {
  static const uint64_t counts[] = {4, 0, 0, 1, 0, 0, 0, 0, 0};
  static const uint64_t nothing[9];
  tmon_store *store = begin();
  add3(store, 1, counts, NULL);
  tmon_json *listed = list(store, TMON_RESULT_CONFUSION, (tmon_result_filter){0});
  const tmon_json *row = row_at(listed, 0);
  const tmon_json *dog = at(GET(row, "per_class"), 1);
  const tmon_json *bird = at(GET(row, "per_class"), 2);
  IS_NULL(dog, "precision");
  NEAR(dog, "recall", 0);
  NEAR(dog, "f1_score", 0);
  IS_NULL(bird, "precision");
  IS_NULL(bird, "recall");
  IS_NULL(bird, "f1_score");
  NEAR(bird, "specificity", 1);
  NEAR(GET(GET(row, "averages"), "macro"), "precision", 0.8);
  NEAR(GET(GET(row, "averages"), "macro"), "recall", 0.5);
  NEAR(GET(GET(row, "averages"), "weighted"), "recall", 0.8);
  IS_NULL(row, "class_groups");
  tmon_json_free(listed);
  add3(store, 1, nothing, NULL); /* replaces it */
  listed = list(store, TMON_RESULT_CONFUSION, (tmon_result_filter){0});
  NEAR(listed, "count", 1);
  IS_NULL(row_at(listed, 0), "accuracy");
  IS_NULL(GET(GET(row_at(listed, 0), "averages"), "macro"), "recall");
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

START_TEST(results_follow_from_a_matrix) {
  tmon_store *store = begin();
  char text[300];
  add3(store, 4, zoo, zoo_groups);
  add3(store, 6, zoo, zoo_groups);
  add3(store, -1, zoo, NULL);
  (void)snprintf(text, sizeof text, "{\"session_id\":\"%s\",\"epoch\":5,\"class_name\":\"cat\",\"recall\":0.125}", id);
  ok(tmon_result_add(NULL, store, TMON_RESULT_VALIDATION, text));
  /* By epoch, highest first: 6 (four rows), 5 (given), 4 (four), none (four). */
  tmon_json *listed = list(store, TMON_RESULT_VALIDATION, (tmon_result_filter){0});
  NEAR(listed, "count", 13);
  static const double epochs[] = {6, 6, 6, 6, 5, 4, 4, 4, 4};
  for (int i = 0; i < 13; i++) {
    if (i < 9) NEAR(row_at(listed, i), "epoch", epochs[i]);
    else IS_NULL(row_at(listed, i), "epoch");
    ck_assert_int_eq(tmon_json_bool(GET(row_at(listed, i), "derived"), false), i != 4);
  }
  IS_NULL(row_at(listed, 0), "class_name");
  NEAR(row_at(listed, 0), "accuracy", 0.75);
  NEAR(row_at(listed, 0), "recall", (0.6 + 0.8 + 0.8) / 3);
  ck_assert_str_eq(tmon_json_text(GET(row_at(listed, 1), "class_name")), "cat");
  NEAR(row_at(listed, 1), "support", 5);
  NEAR(row_at(listed, 1), "recall", 0.6);
  IS_NULL(row_at(listed, 1), "auc_roc");
  tmon_json_free(listed);
  /* A page from the third row of epoch 6 on; one behind a whole matrix. */
  listed = list(store, TMON_RESULT_VALIDATION, (tmon_result_filter){.offset = 2, .limit = 4});
  NEAR(listed, "count", 4);
  ck_assert_str_eq(tmon_json_text(GET(row_at(listed, 0), "class_name")), "dog");
  NEAR(row_at(listed, 3), "epoch", 4);
  tmon_json_free(listed);
  listed = list(store, TMON_RESULT_VALIDATION, (tmon_result_filter){.offset = 5, .limit = 1});
  NEAR(row_at(listed, 0), "epoch", 4);
  tmon_json_free(listed);
  listed = list(store, TMON_RESULT_VALIDATION, (tmon_result_filter){.latest = true});
  NEAR(listed, "count", 4);
  NEAR(GET(at(GET(listed, "averages"), 0), "weighted"), "recall", 0.75);
  NEAR(GET(GET(GET(at(GET(listed, "averages"), 0), "groups"), "mammal"), "macro"), "recall", 0.7);
  tmon_json_free(listed);
  listed = list(store, TMON_RESULT_VALIDATION, (tmon_result_filter){.class_name = "dog"});
  NEAR(listed, "count", 3);
  tmon_json_free(listed);
  listed = list(store, TMON_RESULT_VALIDATION, (tmon_result_filter){.by_epoch = true, .epoch = -1});
  NEAR(listed, "count", 4);
  tmon_json_free(listed);
  /* What is given counts more: the matrix of that epoch says nothing any more. */
  (void)snprintf(text, sizeof text, "{\"session_id\":\"%s\",\"epoch\":6,\"class_name\":\"cat\",\"recall\":0.5}", id);
  ok(tmon_result_add(NULL, store, TMON_RESULT_VALIDATION, text));
  listed = list(store, TMON_RESULT_VALIDATION, (tmon_result_filter){.latest = true});
  NEAR(listed, "count", 1);
  NEAR(row_at(listed, 0), "recall", 0.5);
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

static int add_json(tmon_store *store, const char *rest) {
  char text[2000];
  (void)snprintf(text, sizeof text, "{\"session_id\":\"%s\"%s}", id, rest);
  return tmon_result_add(NULL, store, TMON_RESULT_CONFUSION, text);
}

START_TEST(json_is_read_as_it_stands) {
  tmon_store *store = begin();
  ok(add_json(store,
      " , \"a\\\"]\" : \"[}\\\\\" , \"class_names\" : [ \"x\" , \"y\" ] , \"deep\":{\"matrix\":[9]} , \"class_groups\":{\"y\":\"g\"},"
      " \"epoch\":2, \"split\":\"test\", \"matrix\" : [ [ 1.0 , 2 ] ,\n[ 3 , 9007199254740986 ] ] "));
  tmon_json *listed = list(store, TMON_RESULT_CONFUSION, (tmon_result_filter){0});
  const tmon_json *row = row_at(listed, 0);
  char *text = tmon_json_print(row);
  ck_assert_ptr_nonnull(strstr(text, "\"matrix\":[[1,2],[3,9007199254740986]]"));
  ck_assert_ptr_nonnull(strstr(text, "\"class_groups\":[null,\"g\"]"));
  ck_assert_ptr_nonnull(strstr(text, "\"extra\":{\"a\\\"]\":\"[}\\\\\",\"deep\":{\"matrix\":[9]}}"));
  ck_assert_ptr_nonnull(strstr(text, "\"dataset_split\":\"test\""));
  tmon_text_free(text);
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

START_TEST(wrong_json_is_named) {
#define TWO ",\"class_names\":[\"x\",\"y\"]"
  static const char *const cases[][2] = {
      {TWO, "matrix"},
      {TWO ",\"matrix\":null", "matrix"},
      {TWO ",\"matrix\":[]", "matrix"},
      {TWO ",\"matrix\":[[1,2]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,4],[5,6]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,4,5]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,-4]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,4.5]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,4e2]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,\"4\"]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,null]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[[3],4]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,9007199254740993]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,9007199254740992]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,99999999999999999999999999]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"matrix\":[[1,2],[3,4]]", "matrix"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"m\\u0061trix\":[[1,2],[3,4]]", "matrix"},
      {",\"matrix\":[[1]]", "class_names"},
      {",\"class_names\":[],\"matrix\":[[1]]", "class_names"},
      {",\"class_names\":[\"\"],\"matrix\":[[1]]", "class_names"},
      {",\"class_names\":[\"x\",\"x\"],\"matrix\":[[1,2],[3,4]]", "class_names"},
      {",\"class_names\":\"x\",\"matrix\":[[1]]", "class_names"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"class_groups\":[\"g\"]", "class_groups"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"class_groups\":[\"g\",1]", "class_groups"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"class_groups\":{\"z\":\"g\"}", "class_groups"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"class_groups\":\"g\"", "class_groups"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"class_groups\":[\"g\",\"\"]", "class_groups"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"epoch\":\"1\"", "epoch"},
      {TWO ",\"matrix\":[[1,2],[3,4]],\"dataset_split\":\"\"", "dataset_split"},
  };
  tmon_store *store = begin();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int result = add_json(store, cases[i][0]);
    const char *field = tmon_error_field();
    ck_assert_msg(result == TMON_EINVAL && field && strcmp(field, cases[i][1]) == 0, "%s gave %s, field %s: %s", cases[i][0], tmon_error_name(result),
        field ? field : "-", tmon_error_message());
  }
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_CONFUSION, "[]"));
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_CONFUSION, "{\"matrix\":"));
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_CONFUSION, "{}"));
  tmon_json *listed = list(store, TMON_RESULT_CONFUSION, (tmon_result_filter){0});
  NEAR(listed, "count", 0);
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

START_TEST(wrong_structs_are_named) {
  tmon_store *store = begin();
  static const char *const twice[] = {"a", "b", "a"};
  static const char *const empty[] = {"a", "", "c"};
  uint64_t large[9] = {UINT64_MAX, UINT64_MAX};
  const tmon_confusion good = {.size = sizeof good, .class_count = 3, .class_names = names3, .counts = zoo};
  const struct {
    tmon_confusion change;
    const char *field;
  } cases[] = {
      {{.size = sizeof good, .class_count = 0, .class_names = names3, .counts = zoo}, "class_names"},
      {{.size = sizeof good, .class_count = 1001, .class_names = names3, .counts = zoo}, "class_names"},
      {{.size = sizeof good, .class_count = 3, .class_names = NULL, .counts = zoo}, "class_names"},
      {{.size = sizeof good, .class_count = 3, .class_names = twice, .counts = zoo}, "class_names"},
      {{.size = sizeof good, .class_count = 3, .class_names = empty, .counts = zoo}, "class_names"},
      {{.size = sizeof good, .class_count = 3, .class_names = names3, .class_groups = empty, .counts = zoo}, "class_groups"},
      {{.size = sizeof good, .class_count = 3, .class_names = names3, .counts = NULL}, "matrix"},
      {{.size = sizeof good, .class_count = 3, .class_names = names3, .counts = large}, "matrix"},
      {{.size = sizeof good, .class_count = 3, .class_names = names3, .counts = zoo, .epoch = -2}, "epoch"},
      {{.size = sizeof good, .class_count = 3, .class_names = names3, .counts = zoo, .dataset_split = ""}, "dataset_split"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    expect(TMON_EINVAL, tmon_confusion_add(NULL, store, id, &cases[i].change));
    ck_assert_str_eq(tmon_error_field(), cases[i].field);
  }
  expect(TMON_EINVAL, tmon_confusion_add(NULL, store, id, NULL));
  expect(TMON_EINVAL, tmon_confusion_add(NULL, store, "x", &good));
  ck_assert_str_eq(tmon_error_field(), "session_id");
  expect(TMON_ENOTFOUND, tmon_confusion_add(NULL, store, "00000000-0000-4000-8000-000000000000", &good));
  ck_assert_str_eq(tmon_error_field(), "session_id");
  ok(tmon_confusion_add(NULL, store, id, &good));
  tmon_store_free(store);
}
END_TEST

/* What a shell or a broken disk may leave in a row is an error, not a crash. */
START_TEST(damaged_rows_are_told) {
  static const char *const damage[] = {
      "matrix = x'0203'",
      "matrix = x'01e807'",
      "matrix = x'0102010101'",
      "matrix = x''",
      "class_names = '[]'",
      "class_names = '['",
      "class_names = '[1,2,3]'",
      "class_groups = '{}'",
      "class_groups = '[\"a\"]'",
      "matrix = x'0103ffffffffffffffff7f0008'",
  };
  tmon_store *store = begin();
  char path[400];
  sqlite3 *handle = NULL;
  add3(store, 1, zoo, zoo_groups);
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open(path, &handle), SQLITE_OK);
  for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
    char sql[300];
    char *text = NULL;
    tmon_result_filter filter = {.size = sizeof filter, .session_id = id};
    add3(store, 1, zoo, zoo_groups);
    (void)snprintf(sql, sizeof sql, "UPDATE confusion_matrices SET %s", damage[i]);
    ck_assert_int_eq(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    expect(TMON_ECORRUPT, tmon_result_list_json(&text, store, TMON_RESULT_CONFUSION, &filter));
    expect(TMON_ECORRUPT, tmon_result_list_json(&text, store, TMON_RESULT_VALIDATION, &filter));
    ck_assert_ptr_null(text);
  }
  sqlite3_close(handle);
  tmon_store_free(store);
}
END_TEST

static double milliseconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* As large as allowed, by both ways in. SHOW=1 prints times and sizes. */
START_TEST(sizes) {
  size_t count = _i == 0 ? 28 : 1000;
  tmon_store *store = begin();
  uint64_t *counts = calloc(count * count, sizeof *counts);
  char(*texts)[16] = calloc(count, sizeof *texts);
  const char **names = calloc(count, sizeof *names);
  char *json = malloc(count * count * 4 + count * 20 + 400);
  size_t used = (size_t)snprintf(json, 400, "{\"session_id\":\"%s\",\"epoch\":2,\"matrix\":[", id);
  for (size_t i = 0; i < count; i++) {
    counts[i * count + i] = 90;
    counts[i * count + (i * 7 + 3) % count] += 10;
    names[i] = texts[i];
    (void)snprintf(texts[i], sizeof texts[i], "class%zu", i);
    for (size_t j = 0; j < count; j++) {
      used += (size_t)snprintf(json + used, 30, "%s%llu%s",
          j       ? ","
              : i ? ",["
                  : "[",
          (unsigned long long)counts[i * count + j], j + 1 == count ? "]" : "");
    }
  }
  used += (size_t)snprintf(json + used, 30, "],\"class_names\":[");
  for (size_t i = 0; i < count; i++) used += (size_t)snprintf(json + used, 30, "%s\"%s\"", i ? "," : "", names[i]);
  used += (size_t)snprintf(json + used, 3, "]}");
  tmon_confusion confusion = {.size = sizeof confusion, .epoch = 1, .class_count = count, .class_names = names, .counts = counts};
  double begun = milliseconds();
  ok(tmon_confusion_add(NULL, store, id, &confusion));
  double typed = milliseconds();
  ok(tmon_result_add(NULL, store, TMON_RESULT_CONFUSION, json));
  double parsed = milliseconds();
  tmon_result_filter filter = {.size = sizeof filter, .session_id = id, .by_epoch = true, .epoch = 1};
  char *whole[2];
  ok(tmon_result_list_json(&whole[0], store, TMON_RESULT_CONFUSION, &filter));
  double listed = milliseconds();
  filter.epoch = 2;
  ok(tmon_result_list_json(&whole[1], store, TMON_RESULT_CONFUSION, &filter));
  if (getenv("SHOW")) {
    (void)fprintf(stderr, "%zu classes: struct in %.1f ms, %zu bytes of JSON in %.1f ms, %zu bytes out in %.1f ms\n", count, typed - begun, used,
        parsed - typed, strlen(whole[0]), listed - parsed);
  }
  const char *first = strstr(whole[0], "\"class_names\"");
  const char *second = strstr(whole[1], "\"class_names\"");
  ck_assert_ptr_nonnull(first);
  ck_assert_ptr_nonnull(second);
  size_t same = (size_t)(strstr(first, "\"extra\"") - first);
  ck_assert_mem_eq(first, second, same);
  tmon_text_free(whole[0]);
  tmon_text_free(whole[1]);
  free(json);
  free(names);
  free(texts);
  free(counts);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("confusion");
  tcase_add_test(tests, figures_of_a_worked_example);
  tcase_add_test(tests, undefined_is_null);
  tcase_add_test(tests, results_follow_from_a_matrix);
  tcase_add_test(tests, json_is_read_as_it_stands);
  tcase_add_test(tests, wrong_json_is_named);
  tcase_add_test(tests, wrong_structs_are_named);
  tcase_add_test(tests, damaged_rows_are_told);
  tcase_add_loop_test(tests, sizes, 0, 2);
  return test_run(suite_create("track/confusion"), tests);
}
