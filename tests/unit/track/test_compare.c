/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Comparison: what differs, figures side by side, series on one grid; hostile configurations; errors. */
#include "unit/track/help.h"

#include "util/buffer.h"
#include "util/json.h"

static void make(tmon_store *store, char id[37], const char *config) {
  tmon_record_change change = {.size = sizeof change, .name = "s", .config_json = config, .batch_size = 16, .set_status = true};
  change.status = TMON_STATUS_RUNNING;
  ok(tmon_record_create(id, store, &change));
}

static tmon_json *compare(tmon_store *store, const char *const *ids, size_t count, const tmon_compare_options *options) {
  char *text = NULL;
  tmon_json *document = NULL;
  ok(tmon_compare_json(&text, store, ids, count, options));
  ok(tmon_json_parse(&document, text, strlen(text)));
  tmon_text_free(text);
  return document;
}

static const tmon_json *item(const tmon_json *array, size_t index) {
  const tmon_json *found = tmon_json_first(array);
  while (found != NULL && index-- > 0) found = tmon_json_next(found);
  return found;
}

/* The member of an array of objects whose `field` reads `value`. */
static const tmon_json *named(const tmon_json *array, const char *field, const char *value) {
  for (const tmon_json *found = tmon_json_first(array); found != NULL; found = tmon_json_next(found)) {
    const char *text = tmon_json_text(tmon_json_get(found, field));
    if (text != NULL && strcmp(text, value) == 0) return found;
  }
  return NULL;
}

static void is_json(const tmon_json *value, const char *expected) {
  char *text = tmon_json_print(value);
  ck_assert_str_eq(text == NULL ? "" : text, expected);
  tmon_text_free(text);
}

START_TEST(config_differences) {
  tmon_store *store = test_store();
  char id[3][37];
  make(store, id[0], "{\"lr\":0.1,\"optimizer\":{\"name\":\"adam\",\"betas\":[0.9,0.99]},\"only\":null,\"a key\":1,\"empty\":{}}");
  make(store, id[1], "{\"optimizer\":{\"betas\":[0.9,0.999],\"name\":\"adam\"},\"lr\":0.10,\"a key\":1,\"empty\":{}}");
  make(store, id[2], "{\"lr\":0.1,\"optimizer\":{\"name\":\"sgd\",\"betas\":[0.9]},\"a key\":1.0,\"empty\":{}}");
  const char *ids[] = {id[0], id[1], id[2]};
  tmon_json *document = compare(store, ids, 3, NULL);
  const tmon_json *config = tmon_json_get(document, "config");
  const tmon_json *same = tmon_json_get(config, "same");
  const tmon_json *different = tmon_json_get(config, "different");
  is_json(same,
      "[{\"path\":\"[\\\"a key\\\"]\",\"value\":1},{\"path\":\"empty\",\"value\":{}},{\"path\":\"lr\",\"value\":0.1},"
      "{\"path\":\"optimizer.betas[0]\",\"value\":0.9}]");
  is_json(different,
      "[{\"path\":\"only\",\"values\":[null,null,null],\"absent\":[false,true,true]},"
      "{\"path\":\"optimizer.betas[1]\",\"values\":[0.99,0.999,null],\"absent\":[false,false,true]},"
      "{\"path\":\"optimizer.name\",\"values\":[\"adam\",\"adam\",\"sgd\"],\"absent\":[false,false,false]}]");
  ck_assert(!tmon_json_bool(tmon_json_get(config, "truncated"), true));
  is_json(tmon_json_get(tmon_json_get(document, "settings"), "same"), "[{\"path\":\"batch_size\",\"value\":16}]");
  ck_assert_str_eq(tmon_json_text(tmon_json_get(item(tmon_json_get(document, "sessions"), 1), "session_id")), id[1]);
  tmon_json_free(document);
  tmon_store_free(store);
}
END_TEST

START_TEST(figures_side_by_side) {
  tmon_store *store = test_store();
  static const double values[2][3] = {{3, 1, 2}, {5, 4, 6}};
  char id[2][37];
  for (int s = 0; s < 2; s++) {
    make(store, id[s], NULL);
    for (int e = 0; e < 3; e++) {
      tmon_epoch_value row[] = {{"val/loss", values[s][e]}, {"f1", values[s][e]}, {"one", 1}};
      ok(tmon_record_log_epoch(store, id[s], e, row, s == 0 ? 3 : 2));
    }
  }
  const char *ids[] = {id[0], id[1]};
  tmon_json *document = compare(store, ids, 2, NULL);
  const tmon_json *metrics = tmon_json_get(document, "metrics");
  const tmon_json *loss = tmon_json_get(named(metrics, "name", "val_loss"), "sessions");
  const tmon_json *f1 = tmon_json_get(named(metrics, "name", "f1"), "sessions");
  ck_assert_double_eq(tmon_json_number(tmon_json_get(item(loss, 0), "best"), -1), 1);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(item(loss, 0), "best_at"), -1), 1);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(item(loss, 1), "best"), -1), 4);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(item(loss, 1), "final"), -1), 6);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(item(f1, 0), "best"), -1), 3);
  ck_assert_int_eq(tmon_json_type(item(tmon_json_get(named(metrics, "name", "one"), "sessions"), 1)), TMON_JSON_NULL);
  /* What all have is drawn; epochs are its axis where no points were logged. */
  const tmon_json *keys = tmon_json_get(tmon_json_get(document, "series"), "keys");
  ck_assert_ptr_null(named(keys, "key", "one"));
  const tmon_json *lines = tmon_json_get(named(keys, "key", "val_loss"), "sessions");
  is_json(tmon_json_get(item(lines, 1), "start"), "[0,1,2]");
  is_json(tmon_json_get(item(lines, 1), "mean"), "[5,4,6]");
  ck_assert_str_eq(tmon_json_text(tmon_json_get(item(lines, 1), "source")), "epochs");
  is_json(tmon_json_get(item(tmon_json_get(named(keys, "key", "f1"), "sessions"), 0), "last"), "[3,1,2]");
  tmon_json_free(document);
  tmon_store_free(store);
}
END_TEST

static void log_steps(tmon_store *store, char id[37], const char *key, int64_t first, int64_t step, int count) {
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, key);
  (void)snprintf(id, 37, "%s", tmon_session_id(session));
  for (int i = 0; i < count; i++) {
    ok(tmon_log(session, metric, first + i * step, (double)(first + i * step)));
    if (i % 8192 == 8191) ok(tmon_session_flush(session));
  }
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
}

/* A long and a short run of one metric under two names: each bucket holds what a loop over the steps finds in it. */
START_TEST(series_share_a_grid) {
  tmon_store *store = test_store();
  char id[3][37];
  static const int64_t first[] = {0, 1000, -500}, step[] = {1, 7, 3};
  static const int count[] = {20000, 300, 900};
  log_steps(store, id[0], "train/loss", first[0], step[0], count[0]);
  log_steps(store, id[1], "loss", first[1], step[1], count[1]);
  log_steps(store, id[2], "train_loss", first[2], step[2], count[2]);
  const char *ids[] = {id[0], id[1], id[2]};
  tmon_compare_options options = {.size = sizeof options, .width = 64};
  tmon_json *document = compare(store, ids, 3, &options);
  const tmon_json *keys = tmon_json_get(tmon_json_get(document, "series"), "keys");
  const tmon_json *key = item(keys, 0);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(key, "key")), "total_loss");
  int64_t width = 0;
  ck_assert(tmon_json_int(tmon_json_get(key, "bucket_width"), &width));
  ck_assert_int_eq(width, 512); /* 20,500 steps in at most 64 */
  for (size_t s = 0; s < 3; s++) {
    const tmon_json *line = item(tmon_json_get(key, "sessions"), s);
    const tmon_json *min = tmon_json_first(tmon_json_get(line, "min"));
    const tmon_json *found = tmon_json_first(tmon_json_get(line, "count"));
    int64_t total = 0;
    for (const tmon_json *start = tmon_json_first(tmon_json_get(line, "start")); start != NULL;
         start = tmon_json_next(start), min = tmon_json_next(min), found = tmon_json_next(found)) {
      int64_t from = 0;
      int64_t low = INT64_MAX;
      int64_t expected = 0;
      int64_t points = 0;
      ck_assert(tmon_json_int(start, &from) && tmon_json_int(found, &points));
      ck_assert_int_eq(from % width, 0);
      for (int i = 0; i < count[s]; i++) {
        int64_t x = first[s] + i * step[s];
        if (x < from || x >= from + width) continue;
        expected++;
        if (x < low) low = x;
      }
      ck_assert_int_eq(points, expected);
      ck_assert_double_eq(tmon_json_number(min, NAN), (double)low);
      total += points;
    }
    ck_assert_int_eq(total, count[s]);
  }
  tmon_json_free(document);
  options.axis = TMON_AXIS_TIME;
  document = compare(store, ids, 3, &options);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(tmon_json_get(document, "series"), "axis")), "time");
  tmon_json_free(document);
  tmon_store_free(store);
}
END_TEST

/* 400,000 leaves, and paths of a megabyte: cut, said, and answered. */
START_TEST(hostile_configurations) {
  tmon_store *store = test_store();
  tmon_buffer wide;
  tmon_buffer deep;
  char id[2][37];
  tmon_buffer_init(&wide, 1 << 20);
  tmon_buffer_init(&deep, 1 << 20);
  tmon_buffer_append_text(&wide, "{\"a\":[0");
  for (int i = 0; i < 400000; i++) tmon_buffer_append_text(&wide, ",1");
  tmon_buffer_append_text(&wide, "]}");
  for (int i = 0; i < 60; i++) {
    tmon_buffer_append_text(&deep, "{\"");
    for (int k = 0; k < 1000; k++) tmon_buffer_append_text(&deep, "k");
    tmon_buffer_append_text(&deep, "\":");
  }
  tmon_buffer_append_text(&deep, "1");
  for (int i = 0; i < 60; i++) tmon_buffer_append_text(&deep, "}");
  make(store, id[0], (const char *)wide.data);
  make(store, id[1], (const char *)deep.data);
  const char *ids[] = {id[0], id[1]};
  tmon_json *document = compare(store, ids, 2, NULL);
  ck_assert(tmon_json_bool(tmon_json_get(tmon_json_get(document, "config"), "truncated"), false));
  size_t leaves = 0;
  for (const tmon_json *one = tmon_json_first(tmon_json_get(tmon_json_get(document, "config"), "different")); one; one = tmon_json_next(one)) leaves++;
  ck_assert_uint_eq(leaves, 10000);
  tmon_json_free(document);
  tmon_buffer_free(&wide);
  tmon_buffer_free(&deep);
  tmon_store_free(store);
}
END_TEST

START_TEST(errors_name_the_field) {
  static const char unknown[] = "01234567-89ab-4def-8123-456789abcdef";
  tmon_store *store = test_store();
  char id[2][37];
  char *text = NULL;
  const char *many[40];
  const char *keys[70];
  make(store, id[0], NULL);
  make(store, id[1], NULL);
  const char *ids[] = {id[0], id[1]};
  const char *twice[] = {id[0], id[0]};
  const char *missing[] = {id[0], unknown};
  const char *bad[] = {id[0], "x"};
  for (int i = 0; i < 40; i++) many[i] = id[0];
  for (int i = 0; i < 70; i++) keys[i] = "k";
  const struct {
    int code;
    const char *const *ids;
    size_t count;
    tmon_compare_options options;
    const char *field;
  } cases[] = {
      {TMON_ENOTFOUND, missing, 2, {.size = sizeof cases[0].options}, "session_id"},
      {TMON_EINVAL, twice, 2, {.size = sizeof cases[0].options}, "session_id"},
      {TMON_EINVAL, bad, 2, {.size = sizeof cases[0].options}, "session_id"},
      {TMON_EINVAL, ids, 1, {.size = sizeof cases[0].options}, "session_id"},
      {TMON_EINVAL, NULL, 2, {.size = sizeof cases[0].options}, "session_id"},
      {TMON_EINVAL, many, 33, {.size = sizeof cases[0].options}, "session_id"},
      {TMON_EINVAL, ids, 2, {.size = sizeof cases[0].options, .key_count = 65, .keys = keys}, "key"},
      {TMON_EINVAL, ids, 2, {.size = sizeof cases[0].options, .key_count = 1, .keys = NULL}, "key"},
      {TMON_EINVAL, ids, 2, {.size = sizeof cases[0].options, .key_count = 1, .keys = (const char *const[]){"a\n"}}, "key"},
      {TMON_EINVAL, ids, 2, {.size = sizeof cases[0].options, .width = 2001}, "width"},
      {TMON_EINVAL, ids, 2, {.size = sizeof cases[0].options, .axis = (tmon_axis)2}, "axis"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    expect(cases[i].code, tmon_compare_json(&text, store, cases[i].ids, cases[i].count, &cases[i].options));
    ck_assert_ptr_null(text);
    ck_assert_str_eq(tmon_error_field(), cases[i].field);
  }
  expect(TMON_EINVAL, tmon_compare_json(NULL, store, ids, 2, NULL));
  expect(TMON_EINVAL, tmon_compare_json(&text, NULL, ids, 2, NULL));
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("compare");
  tcase_add_test(tests, config_differences);
  tcase_add_test(tests, figures_side_by_side);
  tcase_add_test(tests, series_share_a_grid);
  tcase_add_test(tests, hostile_configurations);
  tcase_add_test(tests, errors_name_the_field);
  return test_run(suite_create("track/compare"), tests);
}
