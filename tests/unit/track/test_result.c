/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Results: every field comes back, every wrong one is named, upserts, filters, averages. */
#include "unit/track/help.h"

#include "util/json.h"

static char id[40];

static tmon_store *begin(void) {
  tmon_store *store = test_store();
  tmon_record_change change = {.size = sizeof change, .name = "rest", .set_status = true, .status = TMON_STATUS_RUNNING};
  ok(tmon_record_create(id, store, &change));
  return store;
}

/* The text with each '$' replaced by the id of the session; two buffers, so that two may be used at once. */
static const char *with_id(const char *text) {
  static char buffers[2][8192];
  static int turn;
  char *out = buffers[turn ^= 1];
  size_t used = 0;
  for (; *text && used < 8000; text++) {
    if (*text == '$') used += (size_t)snprintf(out + used, 8192 - used, "%s", id);
    else out[used++] = *text;
  }
  out[used] = 0;
  return out;
}

static int64_t add(tmon_store *store, tmon_result_kind kind, const char *json) {
  int64_t number = 0;
  int result = tmon_result_add(&number, store, kind, with_id(json));
  ck_assert_msg(result == TMON_OK, "%s: %s (%s)", json, tmon_error_message(), tmon_error_field() ? tmon_error_field() : "-");
  ck_assert_int_gt(number, 0);
  return number;
}

static tmon_json *list(tmon_store *store, tmon_result_kind kind, const tmon_result_filter *filter) {
  char *text = NULL;
  tmon_json *document = NULL;
  ok(tmon_result_list_json(&text, store, kind, filter));
  ok(tmon_json_parse(&document, text, strlen(text)));
  tmon_text_free(text);
  return document;
}

static const tmon_json *row_at(const tmon_json *document, int index) {
  const tmon_json *row = tmon_json_first(tmon_json_first(document));
  while (index-- > 0) row = tmon_json_next(row);
  return row;
}

static int64_t count_of(const tmon_json *document) {
  int64_t count = -1;
  int64_t rows = 0;
  for (const tmon_json *row = row_at(document, 0); row; row = tmon_json_next(row)) rows++;
  ck_assert(tmon_json_int(tmon_json_get(document, "count"), &count));
  ck_assert_int_eq(count, rows);
  return count;
}

#define TEXT(object, name) tmon_json_text(tmon_json_get(object, name))
#define NUMBER(object, name) tmon_json_number(tmon_json_get(object, name), -999)

static void is(const tmon_json *object, const char *name, const char *expected) {
  char *text = tmon_json_print(tmon_json_get(object, name));
  ck_assert_msg(strcmp(text, expected) == 0, "%s is %s, expected %s", name, text, expected);
  tmon_text_free(text);
}

typedef struct sample {
  tmon_result_kind kind;
  const char *json;
} sample;

/* All columns of each kind, two unknown fields, one given in `extra`. */
static const sample whole[] = {
    {TMON_RESULT_VALIDATION,
        "{\"session_id\":\"$\",\"epoch\":3,\"dataset_split\":\"test\",\"class_name\":\"cat\",\"class_group\":\"pets\",\"images\":10,\"instances\":12,"
        "\"support\":11,\"accuracy\":0.5,\"precision\":0.25,\"recall\":0.75,\"f1_score\":0.375,\"sensitivity\":0.75,\"specificity\":0.9,\"auc_roc\":0.8,"
        "\"map50\":0.6,\"map50_95\":0.4"},
    {TMON_RESULT_BENCHMARK,
        "{\"session_id\":\"$\",\"model_name\":\"n\",\"model_path\":\"/m.pt\",\"device\":\"cpu\",\"batch_size\":1,\"img_size\":640,\"runs\":100,"
        "\"avg_inference_ms\":5.5,\"min_inference_ms\":4,\"max_inference_ms\":9,\"p50_inference_ms\":5,\"p95_inference_ms\":8,\"p99_inference_ms\":8.75,"
        "\"throughput_fps\":181.8,\"memory_mb\":512"},
    {TMON_RESULT_DATASET,
        "{\"name\":\"d\",\"version\":\"1\",\"description\":\"t\",\"path\":\"/d\",\"format\":\"yolo\",\"total_images\":10,\"train_images\":7,\"val_images\":2,"
        "\"test_images\":1,\"num_classes\":2,\"class_names\":[\"a\",\"b\"],\"statistics\":{\"mean\":[0.5,1],\"k\":null}"},
    {TMON_RESULT_TRIAL,
        "{\"session_id\":\"$\",\"experiment_name\":\"e\",\"trial\":4,\"parameters\":{\"lr\":0.1},\"search_space\":{\"lr\":[0.001,1]},\"objective\":\"val_loss\","
        "\"objective_value\":-1.5,\"direction\":\"minimize\",\"status\":\"running\",\"started_at\":\"2025-01-01T00:00:00.000000Z\","
        "\"completed_at\":\"2025-01-01T01:00:00.000000Z\""},
};

START_TEST(every_field_comes_back) {
  const sample *one = &whole[_i];
  tmon_store *store = begin();
  char text[4096];
  (void)snprintf(text, sizeof text, "%s,\"mine\":[1,{\"b\":true}],\"note\":\"x\",\"extra\":{\"more\":2}}", with_id(one->json));
  int64_t number = add(store, one->kind, text);
  tmon_json *given = NULL;
  ok(tmon_json_parse(&given, text, strlen(text)));
  tmon_json *listed = list(store, one->kind, NULL);
  ck_assert_int_eq(count_of(listed), 1);
  const tmon_json *row = row_at(listed, 0);
  ck_assert_double_eq(NUMBER(row, "id"), (double)number);
  for (const tmon_json *item = tmon_json_first(given); item; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    char *expected = tmon_json_print(item);
    if (strcmp(key, "mine") == 0 || strcmp(key, "note") == 0) is(tmon_json_get(row, "extra"), key, expected);
    else if (strcmp(key, "extra") != 0) is(row, key, expected);
    tmon_text_free(expected);
  }
  is(row, "extra", "{\"mine\":[1,{\"b\":true}],\"note\":\"x\",\"more\":2}");
  ck_assert_ptr_nonnull(TEXT(row, "created_at"));
  tmon_json_free(listed);
  tmon_json_free(given);
  tmon_store_free(store);
}
END_TEST

static const struct {
  tmon_result_kind kind;
  const char *json;
  const char *field; /* NULL: none */
  int code;
} wrong_fields[] = {
    {TMON_RESULT_VALIDATION, "{\"epoch\":1}", "session_id", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"x\"}", "session_id", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":7}", "session_id", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"00000000-0000-4000-8000-000000000000\"}", "session_id", TMON_ENOTFOUND},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":1.5}", "epoch", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":-1}", "epoch", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"precision\":\"NaN\"}", "precision", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"precision\":1.01}", "precision", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"precision\":1e999}", "precision", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"recall\":true}", "recall", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"recall\":NaN}", NULL, TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"recall\":0.1,\"recall\":0.2}", "recall", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"f1\":0.1,\"f1_score\":0.2}", "f1_score", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"mine\":1e999}", "mine", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"mine\":[{\"a\":-1e999}]}", "mine", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"mine\":1,\"extra\":{\"mine\":2}}", "extra.mine", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"extra\":[]}", "extra", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"mine\":[{\"a\":1,\"a\":2}]}", "a", TMON_EINVAL},
    {TMON_RESULT_TRIAL, "{\"experiment_name\":\"e\",\"parameters\":{\"b\":{\"a\":1,\"a\":2}}}", "a", TMON_EINVAL},
    {TMON_RESULT_DATASET, "{\"name\":\"n\",\"mine\":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}", "mine", TMON_EINVAL},
    {TMON_RESULT_CONFUSION, "{\"session_id\":\"$\",\"class_names\":[\"x\"],\"matrix\":[[1]],\"mine\":{\"a\":1,\"a\":2}}", "a", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"class_name\":\"\"}", "class_name", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"class_name\":\"a\\nb\"}", "class_name", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"class_name\":5}", "class_name", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "[]", NULL, TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{", NULL, TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"results\":[]}", "results", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"results\":{}}", "results", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"results\":[1]}", "results[0]", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"recall\":1,\"results\":[{}]}", "recall", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"results\":[{\"class_name\":\"a\"},{\"class_name\":\"b\",\"recall\":2}]}", "results[1].recall",
        TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"results\":[{\"class_name\":\"a\"},{\"class\":\"a\"}]}", "results[1].class_name", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"results\":[{\"class_name\":\"a\"},{\"class\":\"b\",\"epoch\":1}]}", "results[1].epoch", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, "{\"results\":[{\"class_name\":\"a\"}]}", "results[0].session_id", TMON_EINVAL},
    {TMON_RESULT_BENCHMARK, "{\"runs\":0}", "runs", TMON_EINVAL},
    {TMON_RESULT_BENCHMARK, "{\"avg_inference_ms\":-1}", "avg_inference_ms", TMON_EINVAL},
    {TMON_RESULT_BENCHMARK, "{\"session_id\":\"00000000-0000-4000-8000-000000000000\"}", "session_id", TMON_ENOTFOUND},
    {TMON_RESULT_DATASET, "{}", "name", TMON_EINVAL},
    {TMON_RESULT_DATASET, "{\"name\":\"d\",\"class_names\":[\"a\",1]}", "class_names", TMON_EINVAL},
    {TMON_RESULT_DATASET, "{\"name\":\"d\",\"class_names\":\"a\"}", "class_names", TMON_EINVAL},
    {TMON_RESULT_DATASET, "{\"name\":\"d\",\"statistics\":[]}", "statistics", TMON_EINVAL},
    {TMON_RESULT_DATASET, "{\"name\":\"d\",\"statistics\":{\"a\":1,\"a\":2}}", "statistics.a", TMON_EINVAL},
    {TMON_RESULT_TRIAL, "{\"experiment_name\":\"e\",\"direction\":\"up\"}", "direction", TMON_EINVAL},
    {TMON_RESULT_TRIAL, "{\"experiment_name\":\"e\",\"status\":\"done\"}", "status", TMON_EINVAL},
    {TMON_RESULT_TRIAL, "{\"experiment_name\":\"e\",\"started_at\":\"yesterday\"}", "started_at", TMON_EINVAL},
    {TMON_RESULT_TRIAL, "{\"trial\":1}", "experiment_name", TMON_EINVAL},
    {(tmon_result_kind)5, "{}", "kind", TMON_EINVAL},
};

START_TEST(wrong_fields_are_named) {
  tmon_store *store = begin();
  int64_t before = 0;
  int64_t after = 0;
  ok(tmon_store_change_cursor(&before, store));
  for (size_t i = 0; i < sizeof wrong_fields / sizeof *wrong_fields; i++) {
    int64_t number = 9;
    int result = tmon_result_add(&number, store, wrong_fields[i].kind, with_id(wrong_fields[i].json));
    const char *field = tmon_error_field();
    bool named = wrong_fields[i].field ? field && strcmp(field, wrong_fields[i].field) == 0 : field == NULL;
    ck_assert_msg(result == wrong_fields[i].code && named && number == 0, "%s gave %s, field %s: %s", wrong_fields[i].json, tmon_error_name(result),
        field ? field : "-", tmon_error_message());
  }
  ok(tmon_store_change_cursor(&after, store));
  ck_assert_int_eq(before, after);
  tmon_store_free(store);
}
END_TEST

START_TEST(messages_say_what_was_expected) {
  static const char *const wrong[][2] = {
      {"{\"experiment_name\":\"e\",\"direction\":\"up\"}", "direction is \"up\", expected minimize or maximize"},
      {"{\"experiment_name\":\"e\",\"status\":\"done\"}", "status is \"done\", expected pending, running, completed, failed, cancelled or interrupted"},
      {"{\"experiment_name\":\"e\",\"trial\":-1}", "trial is -1, expected 0 or more"},
  };
  tmon_store *store = begin();
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_TRIAL, wrong[i][0]));
    ck_assert_str_eq(tmon_error_message(), wrong[i][1]);
  }
  tmon_store_free(store);
}
END_TEST

/* Lengths, depth and numbers of fields that are too large. */
START_TEST(too_much_is_refused) {
  static char text[2 << 20];
  tmon_store *store = begin();
  size_t used = (size_t)snprintf(text, sizeof text, "{\"name\":\"d\",\"long\":\"");
  memset(text + used, 'x', 70000);
  memcpy(text + used + 70000, "\"}", 3);
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_DATASET, text));
  ck_assert_str_eq(tmon_error_field(), "long");
  used = (size_t)snprintf(text, sizeof text, "{\"name\":\"d\"");
  for (int i = 0; i < 300; i++) used += (size_t)snprintf(text + used, sizeof text - used, ",\"f%d\":1", i);
  (void)snprintf(text + used, sizeof text - used, "}");
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_DATASET, text));
  ck_assert_str_eq(tmon_error_field(), "f255");
  memset(text, ' ', (1 << 20) + 1);
  text[(1 << 20) + 1] = 0;
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_DATASET, text));
  used = (size_t)snprintf(text, sizeof text, "{\"name\":\"d\",\"class_names\":[");
  for (int i = 0; i < 1001; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%s\"c%d\"", i ? "," : "", i);
  (void)snprintf(text + used, sizeof text - used, "]}");
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_DATASET, text));
  ck_assert_str_eq(tmon_error_field(), "class_names");
  used = (size_t)snprintf(text, sizeof text, "{\"session_id\":\"%s\",\"results\":[", id);
  for (int i = 0; i < 1025; i++) used += (size_t)snprintf(text + used, sizeof text - used, "%s{\"class_name\":\"c%d\"}", i ? "," : "", i);
  (void)snprintf(text + used, sizeof text - used, "]}");
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_VALIDATION, text));
  ck_assert_str_eq(tmon_error_field(), "results");
  memset(text, 0, sizeof text);
  used = (size_t)snprintf(text, sizeof text, "{\"name\":\"d\",\"deep\":");
  memset(text + used, '[', 70);
  memset(text + used + 70, ']', 70);
  text[used + 140] = '}';
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_DATASET, text));
  expect(TMON_EINVAL, tmon_result_add(NULL, store, TMON_RESULT_DATASET, NULL));
  expect(TMON_EINVAL, tmon_result_add(NULL, NULL, TMON_RESULT_DATASET, "{}"));
  expect(TMON_EINVAL, tmon_result_list_json(NULL, store, TMON_RESULT_DATASET, NULL));
  tmon_store_free(store);
}
END_TEST

START_TEST(a_second_call_overwrites_what_it_names) {
  tmon_store *store = begin();
  int64_t first =
      add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":1,\"class_name\":\"a\",\"precision\":0.5,\"recall\":0.25,\"x\":1,\"y\":1}");
  int64_t again =
      add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":1,\"split\":\"val\",\"class\":\"a\",\"recall\":0.75,\"y\":2,\"x\":null}");
  ck_assert_int_eq(first, again);
  /* Without epoch and class is a row of its own, and overwritten too. */
  first = add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"accuracy\":0.5}");
  ck_assert_int_ne(first, again);
  ck_assert_int_eq(add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"accuracy\":0.75}"), first);
  ck_assert_int_ne(add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":0,\"accuracy\":0.75}"), first);
  tmon_result_filter filter = {.size = sizeof filter, .id = again};
  tmon_json *listed = list(store, TMON_RESULT_VALIDATION, &filter);
  const tmon_json *row = row_at(listed, 0);
  ck_assert_double_eq(NUMBER(row, "precision"), 0.5);
  ck_assert_double_eq(NUMBER(row, "recall"), 0.75);
  is(row, "extra", "{\"y\":2}");
  is(row, "derived", "false");
  tmon_json_free(listed);
  /* A trial: pending, then with its value completed. */
  first = add(store, TMON_RESULT_TRIAL, "{\"experiment_name\":\"e\",\"trial\":1,\"parameters\":{\"lr\":1}}");
  ck_assert_int_eq(add(store, TMON_RESULT_TRIAL, "{\"experiment_name\":\"e\",\"trial\":1,\"objective_value\":2}"), first);
  ck_assert_int_ne(add(store, TMON_RESULT_TRIAL, "{\"experiment_name\":\"e\"}"), first);
  filter.id = first;
  listed = list(store, TMON_RESULT_TRIAL, &filter);
  is(row_at(listed, 0), "parameters", "{\"lr\":1}");
  is(row_at(listed, 0), "status", "\"completed\"");
  tmon_json_free(listed);
  add(store, TMON_RESULT_DATASET, "{\"name\":\"d\"}");
  add(store, TMON_RESULT_DATASET, "{\"name\":\"d\",\"version\":\"2\"}");
  expect(TMON_EEXISTS, tmon_result_add(NULL, store, TMON_RESULT_DATASET, "{\"name\":\"d\",\"version\":\"\"}"));
  ck_assert_str_eq(tmon_error_field(), "name");
  tmon_store_free(store);
}
END_TEST

START_TEST(many_results_are_all_or_none) {
  tmon_store *store = begin();
  add(store, TMON_RESULT_VALIDATION,
      "{\"session_id\":\"$\",\"epoch\":2,\"dataset_split\":\"test\",\"results\":[{\"accuracy\":0.5},{\"class_name\":\"a\",\"recall\":1,\"mine\":5},"
      "{\"class_name\":\"b\",\"epoch\":2,\"recall\":0}]}");
  expect(TMON_EINVAL,
      tmon_result_add(NULL, store, TMON_RESULT_VALIDATION,
          with_id("{\"session_id\":\"$\",\"epoch\":3,\"results\":[{\"class_name\":\"a\"},{\"class_name\":\"b\",\"recall\":3}]}")));
  tmon_json *listed = list(store, TMON_RESULT_VALIDATION, NULL);
  ck_assert_int_eq(count_of(listed), 3);
  ck_assert_str_eq(TEXT(row_at(listed, 0), "class_name"), "b");
  ck_assert_str_eq(TEXT(row_at(listed, 1), "dataset_split"), "test");
  ck_assert_double_eq(NUMBER(row_at(listed, 1), "epoch"), 2);
  is(row_at(listed, 1), "extra", "{\"mine\":5}");
  is(row_at(listed, 2), "class_name", "null");
  is(row_at(listed, 2), "recall", "null");
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

static int64_t listed_count(tmon_store *store, tmon_result_kind kind, tmon_result_filter filter) {
  filter.size = sizeof filter;
  tmon_json *listed = list(store, kind, &filter);
  int64_t count = count_of(listed);
  tmon_json_free(listed);
  return count;
}

static const struct {
  tmon_result_kind kind;
  tmon_result_filter filter;
  const char *field;
  int code;
} wrong_filters[] = {
    {TMON_RESULT_DATASET, {.session_id = "x"}, "session_id", TMON_EINVAL},
    {TMON_RESULT_BENCHMARK, {.latest = true}, "latest", TMON_EINVAL},
    {TMON_RESULT_TRIAL, {.name = "x"}, "name", TMON_EINVAL},
    {TMON_RESULT_CONFUSION, {.class_name = "x"}, "class_name", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, {.no_matrix = true}, "no_matrix", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, {.latest = true}, "session_id", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, {.session_id = "x"}, "session_id", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, {.session_id = "00000000-0000-4000-8000-000000000000"}, "session_id", TMON_ENOTFOUND},
    {TMON_RESULT_VALIDATION, {.limit = 1001}, "limit", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, {.offset = -1}, "offset", TMON_EINVAL},
    {TMON_RESULT_VALIDATION, {.class_name = "\xff"}, "class_name", TMON_EINVAL},
};

START_TEST(filters_choose) {
  tmon_store *store = begin();
  for (int epoch = 1; epoch <= 3; epoch++) {
    char text[300];
    (void)snprintf(
        text, sizeof text, "{\"session_id\":\"%s\",\"epoch\":%d,\"results\":[{\"class_name\":\"a\",\"recall\":0.5},{\"class_name\":\"b\"}]}", id, epoch);
    add(store, TMON_RESULT_VALIDATION, text);
  }
  add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":2,\"split\":\"test\",\"class_name\":\"a\"}");
  add(store, TMON_RESULT_BENCHMARK, "{\"session_id\":\"$\",\"model\":\"m\"}");
  add(store, TMON_RESULT_BENCHMARK, "{\"model\":\"n\"}");
  add(store, TMON_RESULT_TRIAL, "{\"experiment\":\"e\",\"trial\":2}");
  add(store, TMON_RESULT_TRIAL, "{\"experiment\":\"e\",\"trial\":1,\"session_id\":\"$\"}");
  add(store, TMON_RESULT_TRIAL, "{\"experiment\":\"f\",\"trial\":1}");
#define CHOOSE(kind, expected, ...) ck_assert_int_eq(listed_count(store, kind, (tmon_result_filter){__VA_ARGS__}), expected)
  CHOOSE(TMON_RESULT_VALIDATION, 7, .session_id = id);
  CHOOSE(TMON_RESULT_VALIDATION, 7, .limit = 1000);
  CHOOSE(TMON_RESULT_VALIDATION, 2, .session_id = id, .latest = true);
  CHOOSE(TMON_RESULT_VALIDATION, 1, .session_id = id, .latest = true, .dataset_split = "test");
  CHOOSE(TMON_RESULT_VALIDATION, 3, .session_id = id, .by_epoch = true, .epoch = 2);
  CHOOSE(TMON_RESULT_VALIDATION, 0, .session_id = id, .by_epoch = true, .epoch = -1);
  CHOOSE(TMON_RESULT_VALIDATION, 4, .session_id = id, .class_name = "a");
  CHOOSE(TMON_RESULT_VALIDATION, 4, .class_name = "a");
  CHOOSE(TMON_RESULT_VALIDATION, 5, .session_id = id, .limit = 5);
  CHOOSE(TMON_RESULT_VALIDATION, 1, .session_id = id, .offset = 6);
  CHOOSE(TMON_RESULT_BENCHMARK, 1, .session_id = id);
  CHOOSE(TMON_RESULT_BENCHMARK, 1, .name = "n");
  CHOOSE(TMON_RESULT_BENCHMARK, 0, .name = "n", .session_id = id);
  CHOOSE(TMON_RESULT_TRIAL, 2, .experiment_name = "e");
  CHOOSE(TMON_RESULT_TRIAL, 1, .experiment_name = "e", .session_id = id);
  CHOOSE(TMON_RESULT_TRIAL, 1, .session_id = id);
  CHOOSE(TMON_RESULT_TRIAL, 3, .offset = 0);
  tmon_json *listed = list(store, TMON_RESULT_TRIAL, &(tmon_result_filter){.size = sizeof(tmon_result_filter), .experiment_name = "e"});
  ck_assert_double_eq(NUMBER(row_at(listed, 0), "trial"), 1);
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

START_TEST(filters_that_do_not_fit_are_named) {
  tmon_store *store = begin();
  for (size_t i = 0; i < sizeof wrong_filters / sizeof *wrong_filters; i++) {
    char *text = NULL;
    tmon_result_filter filter = wrong_filters[i].filter;
    filter.size = sizeof filter;
    expect(wrong_filters[i].code, tmon_result_list_json(&text, store, wrong_filters[i].kind, &filter));
    ck_assert_str_eq(tmon_error_field(), wrong_filters[i].field);
    ck_assert_ptr_null(text);
  }
  tmon_store_free(store);
}
END_TEST

START_TEST(changes_can_be_waited_for) {
  tmon_store *store = begin();
  char *text = NULL;
  tmon_result_filter filter = {.size = sizeof filter, .session_id = id, .latest = true};
  add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":1,\"recall\":0.5}");
  ok(tmon_store_change_cursor(&filter.since, store));
  expect(TMON_DONE, tmon_result_list_json(&text, store, TMON_RESULT_VALIDATION, &filter));
  ck_assert_ptr_null(text);
  add(store, TMON_RESULT_BENCHMARK, "{\"session_id\":\"$\"}");
  expect(TMON_DONE, tmon_result_list_json(&text, store, TMON_RESULT_VALIDATION, &filter));
  add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":1,\"recall\":0.75}");
  ok(tmon_result_list_json(&text, store, TMON_RESULT_VALIDATION, &filter));
  tmon_text_free(text);
  ok(tmon_store_change_cursor(&filter.since, store));
  add(store, TMON_RESULT_CONFUSION, "{\"session_id\":\"$\",\"epoch\":1,\"class_names\":[\"a\"],\"matrix\":[[1]]}");
  ok(tmon_result_list_json(&text, store, TMON_RESULT_VALIDATION, &filter));
  tmon_text_free(text);
  tmon_store_free(store);
}
END_TEST

/* Worked by hand: recalls 0.5, 1, 0.25 of supports 10, 30, 60. */
START_TEST(averages_over_given_classes) {
  tmon_store *store = begin();
  add(store, TMON_RESULT_VALIDATION,
      "{\"session_id\":\"$\",\"epoch\":1,\"results\":[{\"accuracy\":0.1,\"recall\":0.9},"
      "{\"class_name\":\"a\",\"class_group\":\"x\",\"support\":10,\"recall\":0.5,\"auc\":0.75},"
      "{\"class_name\":\"b\",\"class_group\":\"x\",\"support\":30,\"recall\":1,\"auc\":0.5},"
      "{\"class_name\":\"c\",\"class_group\":\"y\",\"instances\":60,\"recall\":0.25}]}");
  tmon_result_filter filter = {.size = sizeof filter, .session_id = id, .latest = true, .limit = 1};
  tmon_json *listed = list(store, TMON_RESULT_VALIDATION, &filter);
  ck_assert_int_eq(count_of(listed), 1); /* the page does not cut the averages */
  const tmon_json *averages = tmon_json_first(tmon_json_get(listed, "averages"));
  ck_assert_str_eq(TEXT(averages, "dataset_split"), "val");
  ck_assert_double_eq(NUMBER(averages, "classes"), 3);
  ck_assert_double_eq(NUMBER(averages, "support"), 100);
  ck_assert_double_eq_tol(NUMBER(tmon_json_get(averages, "macro"), "recall"), 1.75 / 3, 1e-15);
  ck_assert_double_eq_tol(NUMBER(tmon_json_get(averages, "weighted"), "recall"), (5 + 30 + 15) / 100.0, 1e-15);
  ck_assert_double_eq_tol(NUMBER(tmon_json_get(averages, "macro"), "auc_roc"), 0.625, 1e-15);
  ck_assert_double_eq_tol(NUMBER(tmon_json_get(averages, "weighted"), "auc_roc"), (7.5 + 15) / 40, 1e-15);
  is(tmon_json_get(averages, "macro"), "map50", "null");
  const tmon_json *group = tmon_json_get(tmon_json_get(averages, "groups"), "x");
  ck_assert_double_eq_tol(NUMBER(tmon_json_get(group, "weighted"), "recall"), 35.0 / 40, 1e-15);
  ck_assert_double_eq(NUMBER(tmon_json_get(tmon_json_get(tmon_json_get(averages, "groups"), "y"), "macro"), "recall"), 0.25);
  tmon_json_free(listed);
  /* A class without support: the weighted average is not known, the plain one is. */
  add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"epoch\":1,\"class_name\":\"d\",\"recall\":0.25}");
  listed = list(store, TMON_RESULT_VALIDATION, &filter);
  averages = tmon_json_first(tmon_json_get(listed, "averages"));
  is(tmon_json_get(averages, "weighted"), "recall", "null");
  ck_assert_double_eq(NUMBER(tmon_json_get(averages, "macro"), "recall"), 0.5);
  is(averages, "support", "null");
  tmon_json_free(listed);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_write_is_a_sign_of_life) {
  tmon_store *store = begin();
  tmon_record record;
  tmon_record_list_free(test_record(&record, store, id));
  int64_t before = record.heartbeat_at;
  usleep(2000);
  ok(tmon_store_recover(store, 1, NULL)); /* silent for more than a microsecond */
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_INTERRUPTED);
  add(store, TMON_RESULT_VALIDATION, "{\"session_id\":\"$\",\"recall\":1}");
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING);
  tmon_record_list_free(test_record(&record, store, id));
  ck_assert_int_gt(record.heartbeat_at, before);
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = TMON_STATUS_COMPLETED};
  ok(tmon_record_update(store, id, &change));
  add(store, TMON_RESULT_BENCHMARK, "{\"session_id\":\"$\"}");
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_COMPLETED);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("result");
  tcase_add_loop_test(tests, every_field_comes_back, 0, sizeof whole / sizeof *whole);
  tcase_add_test(tests, wrong_fields_are_named);
  tcase_add_test(tests, messages_say_what_was_expected);
  tcase_add_test(tests, too_much_is_refused);
  tcase_add_test(tests, a_second_call_overwrites_what_it_names);
  tcase_add_test(tests, many_results_are_all_or_none);
  tcase_add_test(tests, filters_choose);
  tcase_add_test(tests, filters_that_do_not_fit_are_named);
  tcase_add_test(tests, changes_can_be_waited_for);
  tcase_add_test(tests, averages_over_given_classes);
  tcase_add_test(tests, a_write_is_a_sign_of_life);
  return test_run(suite_create("track/result"), tests);
}
