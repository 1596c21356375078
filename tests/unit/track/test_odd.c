/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Odd input, end to end: logged, read from the ring, from a delta and from chunks, and looked at in the tables by SQLite itself. */
#include "unit/track/help.h"

#include "util/clock.h"

#include <sqlite3.h>
#include <time.h>

enum { MILLION = 1000000, METRICS = 10000 };

static int64_t sql_int(const char *sql) {
  char path[600];
  sqlite3 *db = NULL;
  sqlite3_stmt *statement = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
  ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
  int64_t value = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return value;
}

/* All points of a metric, by the reader that goes chunk after chunk; the caller frees them. */
static tmon_point *read_all(size_t *count, tmon_store *store, const char *id, const char *key) {
  tmon_point_reader *reader = NULL;
  size_t capacity = 4096;
  size_t got = 0;
  tmon_point *points = malloc(capacity * sizeof *points);
  int result;
  *count = 0;
  ok(tmon_point_reader_open(&reader, store, id, key));
  while ((result = tmon_point_reader_next(reader, points + *count, capacity - *count, &got)) == TMON_OK) {
    *count += got;
    if (*count == capacity) points = realloc(points, (capacity *= 2) * sizeof *points);
    ck_assert_ptr_nonnull(points);
  }
  expect(TMON_DONE, result);
  tmon_point_reader_free(reader);
  return points;
}

static double from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Quiet NaNs with payloads, a negative one, infinities, both zeros, denormals, the ends of the range. */
static const uint64_t odd_bits[] = {0x7ff8000000000000, 0x7ff8dead0000beef, 0xfff8000000000001, 0x7fffffffffffffff, 0x7ff0000000000001, 0x7ff0000000000000,
    0xfff0000000000000, 0x8000000000000000, 0, 1, 0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0xffefffffffffffff,
    0x3ff0000000000000};
static const int64_t odd_steps[] = {5, 5, 5, 3, 3, INT64_MAX, INT64_MIN, 0, INT64_MAX - 1, INT64_MIN + 1, -1, 5, 5, 2, 1, 0};
enum { ODD = sizeof odd_bits / sizeof odd_bits[0] };

static void expect_odd(tmon_store *store, const char *id, size_t repeats) {
  size_t count = 0;
  tmon_point *points = read_all(&count, store, id, "m");
  ck_assert_uint_eq(count, ODD * repeats);
  for (size_t i = 0; i < count; i++) {
    uint64_t bits;
    memcpy(&bits, &points[i].value, sizeof bits);
    ck_assert_msg(bits == odd_bits[i % ODD], "point %zu came back as %016llx", i, (unsigned long long)bits);
    ck_assert_int_eq(points[i].step, odd_steps[i % ODD]);
  }
  free(points);
}

START_TEST(values_and_steps_come_back_bit_by_bit) {
  enum { REPEATS = 300 }; /* 4,500 points: more than one chunk */
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  for (int repeat = 0; repeat < REPEATS; repeat++)
    for (int i = 0; i < ODD; i++) ok(tmon_log(session, metric, odd_steps[i], from_bits(odd_bits[i])));
  expect_odd(store, id, REPEATS); /* in the ring */
  ok(tmon_session_flush(session));
  expect_odd(store, id, REPEATS);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  test_settle(store);
  tmon_store_free(store);
  ck_assert_int_eq(sql_int("SELECT coalesce(sum(count), 0) FROM folded"), ODD * REPEATS); /* at rest, and in chunks */
  store = test_store();
  expect_odd(store, id, REPEATS);
  tmon_series *series = NULL;
  tmon_series_options options = {.size = sizeof options, .bounded = true, .from = 5, .to = 5};
  size_t count = 0;
  ok(tmon_series_query(&series, store, id, "m", &options));
  const tmon_bucket *bucket = tmon_series_buckets(series, &count);
  ck_assert_uint_eq(count, 1);
  ck_assert_uint_eq(bucket->count, 5 * REPEATS);
  ck_assert_uint_eq(bucket->nan_count, 3 * REPEATS);
  ck_assert_uint_eq(bucket->inf_count, 0);
  tmon_series_free(series);
  options = (tmon_series_options){.size = sizeof options, .width = 10};
  ok(tmon_series_query(&series, store, id, "m", &options));
  bucket = tmon_series_buckets(series, &count);
  uint64_t total = 0;
  for (size_t i = 0; i < count; i++) total += bucket[i].count;
  ck_assert_uint_eq(total, ODD * REPEATS);
  ck_assert_int_eq(bucket[0].first_x, INT64_MIN);
  ck_assert_int_eq(bucket[count - 1].last_x, INT64_MAX);
  tmon_series_free(series);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_million_steps_and_a_million_at_one_step) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "steps");
  int64_t *steps = malloc(MILLION * sizeof *steps);
  double *values = malloc(MILLION * sizeof *values);
  tmon_metric *same = malloc(MILLION * sizeof *same);
  ck_assert(steps && values && same);
  for (int i = 0; i < MILLION; i++) {
    steps[i] = i % 3 == 0 ? -i : i;
    values[i] = (double)i / 3;
  }
  ok(tmon_log_series(session, metric, steps, NULL, values, MILLION));
  metric = test_metric(session, "one");
  for (int i = 0; i < MILLION; i++) same[i] = metric;
  ok(tmon_log_batch(session, 42, same, values, MILLION));
  ck_assert_uint_eq(tmon_session_dropped(session), 0);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  for (int round = 0; round < 2; round++) {
    size_t count = 0;
    tmon_point *points = read_all(&count, store, tmon_session_id(session), round ? "one" : "steps");
    ck_assert_uint_eq(count, MILLION);
    for (int i = 0; i < MILLION; i++)
      if (points[i].step != (round ? 42 : steps[i]) || memcmp(&points[i].value, &values[i], sizeof(double)) != 0)
        ck_abort_msg("round %d, point %d: step %lld, value %g", round, i, (long long)points[i].step, points[i].value);
    free(points);
  }
  tmon_series *series = NULL;
  size_t count = 0;
  ok(tmon_series_query(&series, store, tmon_session_id(session), "one", NULL));
  const tmon_bucket *bucket = tmon_series_buckets(series, &count);
  ck_assert_uint_eq(count, 1);
  ck_assert_uint_eq(bucket->count, MILLION);
  ck_assert_double_eq(bucket->max, values[MILLION - 1]);
  ck_assert_double_eq(bucket->last, values[MILLION - 1]); /* of one step the latest to arrive */
  ck_assert_double_eq(bucket->first, 0);
  tmon_series_free(series);
  free(steps);
  free(values);
  free(same);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* All metrics are there once, each with five points, the last of which has its number as value. */
static void expect_listed(tmon_store *store, const char *id) {
  static bool seen[METRICS];
  tmon_metric_list *list = NULL;
  tmon_metric_info info;
  int found = 0;
  memset(seen, 0, sizeof seen);
  ok(tmon_metric_list_open(&list, store, id));
  while (tmon_metric_list_next(list, &info) == TMON_OK) {
    int number = (int)strtol(info.key + strlen("model.layers."), NULL, 10);
    ck_assert(number >= 0 && number < METRICS && !seen[number]);
    seen[number] = true;
    ck_assert_uint_eq(info.count, 5);
    ck_assert_int_eq(info.last.step, 4);
    ck_assert_double_eq(info.last.value, number);
    found++;
  }
  tmon_metric_list_free(list);
  ck_assert_int_eq(found, METRICS);
}

START_TEST(ten_thousand_metrics) {
  static tmon_metric metrics[METRICS];
  static double values[METRICS];
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  int64_t begun = tmon_clock_monotonic_us();
  char name[60];
  for (int i = 0; i < METRICS; i++) {
    (void)snprintf(name, sizeof name, "model.layers.%05d.weight/gradient_norm", i);
    metrics[i] = test_metric(session, name);
    values[i] = i;
  }
  for (int step = 0; step < 5; step++) {
    ok(tmon_log_batch(session, step, metrics, values, METRICS));
    if (step < 3) ok(tmon_session_flush(session));
  }
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  int64_t before = tmon_clock_monotonic_us();
  expect_listed(store, id); /* live: three points of each in deltas, two in the ring */
  int64_t live = tmon_clock_monotonic_us() - before;
  ck_assert_int_lt(live, 30000000); /* a look at all for each one would take minutes */
  ok(tmon_session_flush(session));
  int64_t logged = tmon_clock_monotonic_us();
  (void)tmon_session_finish(session, TMON_STATUS_COMPLETED); /* what 100 ms did not suffice for is folded by the next open */
  tmon_session_free(session);
  tmon_store_free(store);
  store = test_store();
  int64_t folded = tmon_clock_monotonic_us();
  expect_listed(store, id);
  int64_t listed = tmon_clock_monotonic_us();
  for (int i = 0; i < METRICS; i += 997) {
    (void)snprintf(name, sizeof name, "model.layers.%05d.weight/gradient_norm", i);
    ck_assert_uint_eq(test_count(store, id, name, false), 5);
  }
  printf("10,000 metrics, 50,000 points: logged and committed in %lld ms, ended and opened again in %lld ms, listed live in %lld ms, at rest in %lld ms\n",
      (long long)(logged - begun - live) / 1000, (long long)(folded - logged) / 1000, (long long)live / 1000, (long long)(listed - folded) / 1000);
  ck_assert_int_eq(sql_int("SELECT count(DISTINCT key) FROM metric_keys"), METRICS);
  ck_assert_int_eq(sql_int("SELECT count(*) FROM deltas"), 0);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_dictionary_that_is_full_says_so) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .ring_bytes = 256 << 10};
  ok(tmon_session_start(&session, store, &options));
  tmon_metric metric = 0;
  char name[60];
  int made = 0;
  int result;
  while ((snprintf(name, sizeof name, "metric %08d with a long enough name", made), result = tmon_session_metric(&metric, session, name, NULL)) == TMON_OK)
    made++;
  expect(TMON_ELIMIT, result);
  ck_assert_int_gt(made, 500);
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), "no room for metric"));
  metric = test_metric(session, "metric 00000000 with a long enough name"); /* known ones go on */
  ok(tmon_log(session, metric, 1, 1));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static void refuse_key(tmon_session *session, const char *key) {
  tmon_metric metric = 7;
  expect(TMON_EINVAL, tmon_session_metric(&metric, session, key, NULL));
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), "expected UTF-8 of 1 to 250 bytes without control characters"));
}

START_TEST(odd_keys) {
  char longest[300];
  memset(longest, 'k', sizeof longest);
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  static const size_t too_long[] = {251, 255, 256, 299};
  for (size_t i = 0; i < 4; i++) {
    longest[too_long[i]] = 0;
    refuse_key(session, longest);
    longest[too_long[i]] = 'k';
  }
  longest[250] = 0;
  /* Nothing, broken and overlong UTF-8, a surrogate, beyond Unicode, control characters of one and of two bytes. */
  static const char *refused[] = {
      "", "\xff", "a\x80", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\nb", "a\rb", "a\tb", "\x1b[31m", "\x7f", "\x01"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) refuse_key(session, refused[i]);
  /* Quotes of SQL, JSON, HTML and the shell, an emoji, right to left, blanks around and alone, look-alikes that stay two keys. */
  const char *kept[] = {longest, "'; DROP TABLE chunks; --", "\"quoted\"", "back\\slash", "<script>alert(1)</script>", "$(reboot) `x` %s %n",
      "\xf0\x9f\x9a\x80 loss", "\xd7\x9e\xd7\x93\xd7\x93/\xd8\xae\xd8\xb3\xd8\xa7\xd8\xb1\xd8\xa9", " leading", "trailing ", "trailing", " ", "a/b/../c",
      "\xc3\xa9", "e\xcc\x81", "Loss", "loss", "null", "__proto__", "a,b;c=d&e"};
  size_t kept_count = sizeof kept / sizeof *kept;
  for (size_t i = 0; i < kept_count; i++) ok(tmon_log(session, test_metric(session, kept[i]), (int64_t)i, (double)i));
  ok(tmon_log(session, test_metric(session, "loss\0 what follows a NUL is not seen"), 99, 16)); /* C text ends there: the same as "loss" */
  for (int round = 0; round < 2; round++) {
    for (size_t i = 0; i < kept_count; i++) {
      tmon_point points[4];
      size_t count = 4;
      ok(tmon_series_tail(points, &count, store, tmon_session_id(session), kept[i]));
      ck_assert_uint_eq(count, strcmp(kept[i], "loss") == 0 ? 2 : 1);
      ck_assert_double_eq(points[0].value, (double)i);
    }
    ok(tmon_session_flush(session));
  }
  ck_assert_int_eq(sql_int("SELECT count(*) FROM metric_keys"), (int64_t)kept_count);
  ck_assert_int_eq(sql_int("SELECT count(*) FROM metric_keys WHERE key = '''; DROP TABLE chunks; --'"), 1);
  ck_assert_int_eq(sql_int("SELECT max(length(CAST(key AS BLOB))) FROM metric_keys"), 250);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static int64_t jumped_to;
static int64_t jumped_clock(void) { return jumped_to; }
#define YEAR_US (INT64_C(365) * 86400 * 1000000)

static uint64_t count_at(tmon_store *store, const char *id, int64_t from, int64_t to) {
  tmon_series *series = NULL;
  tmon_series_options options = {.size = sizeof options, .axis = TMON_AXIS_TIME, .bounded = true, .from = from, .to = to};
  size_t count = 0;
  uint64_t total = 0;
  ok(tmon_series_query(&series, store, id, "m", &options));
  const tmon_bucket *buckets = tmon_series_buckets(series, &count);
  for (size_t i = 0; i < count; i++) total += buckets[i].count;
  tmon_series_free(series);
  return total;
}

START_TEST(the_clock_jumps_by_a_year) {
  tmon_store *store = test_store();
  int64_t start = tmon_clock_now_us();
  static const int64_t jumps[] = {0, -YEAR_US, YEAR_US, 0};
  jumped_to = start;
  tmon_clock_replace(jumped_clock);
  tmon_session *session = test_session(store, NULL);
  const char *id = tmon_session_id(session);
  tmon_metric metric = test_metric(session, "m");
  tmon_record record;
  for (int i = 0; i < 4; i++) {
    jumped_to = start + jumps[i] + i;
    for (int step = 0; step < 100; step++) ok(tmon_log(session, metric, i * 100 + step, step));
    ok(tmon_session_flush(session));
    size_t adopted = 9;
    ok(tmon_store_recover(store, 0, &adopted)); /* the living trainer is left alone wherever the clock stands */
    ck_assert_uint_eq(adopted, 0);
    tmon_progress progress = {.size = sizeof progress, .epoch = 1, .epochs = 4};
    ok(tmon_session_report(session, &progress));
    tmon_record_list *list = test_record(&record, store, id);
    ck_assert_int_eq(record.status, TMON_STATUS_RUNNING);
    ck_assert_double_ge(record.duration_seconds, 0);
    ck_assert_double_ge(record.eta_seconds, 0);
    tmon_record_list_free(list);
  }
  jumped_to = start - YEAR_US;
  (void)tmon_session_finish(session, TMON_STATUS_COMPLETED); /* ends before it began, says the clock */
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_int_eq(record.status, TMON_STATUS_COMPLETED);
  ck_assert_int_lt(record.completed_at, record.started_at);
  ck_assert_double_ge(record.duration_seconds, 0);
  tmon_record_list_free(list);
  size_t count = 0;
  tmon_point *points = read_all(&count, store, id, "m");
  ck_assert_uint_eq(count, 400);
  for (size_t i = 0; i < count; i++) { /* order of arrival, steps untouched, times as the clock said */
    ck_assert_int_eq(points[i].step, (int64_t)i);
    ck_assert_int_eq(points[i].time, start + jumps[i / 100] + (int64_t)(i / 100));
  }
  free(points);
  ck_assert_uint_eq(count_at(store, id, start - YEAR_US, start - YEAR_US + 1000), 100);
  ck_assert_uint_eq(count_at(store, id, start, start + 1000), 200);
  ck_assert_uint_eq(count_at(store, id, start + YEAR_US, start + YEAR_US + 1000), 100);
  ck_assert_uint_eq(test_count(store, id, "m", false), 400);
  tmon_clock_replace(NULL);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(times_given_by_the_caller) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  static const int64_t steps[] = {1, 2, 3, 4, 5};
  static const int64_t times[] = {INT64_MAX, INT64_MIN, 0, -1, 253402300800000000}; /* the last one is the year 10000 */
  static const double values[] = {1, 2, 3, 4, 5};
  ok(tmon_log_series(session, test_metric(session, "m"), steps, times, values, 5));
  for (int round = 0; round < 2; round++) {
    size_t count = 0;
    tmon_point *points = read_all(&count, store, tmon_session_id(session), "m");
    ck_assert_uint_eq(count, 5);
    for (int i = 0; i < 5; i++) ck_assert(points[i].time == times[i] && points[i].step == steps[i]);
    free(points);
    ck_assert_uint_eq(count_at(store, tmon_session_id(session), INT64_MIN, INT64_MAX), 5);
    ck_assert_uint_eq(count_at(store, tmon_session_id(session), INT64_MAX, INT64_MAX), 1);
    (void)tmon_session_finish(session, TMON_STATUS_COMPLETED);
  }
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("odd");
  tcase_add_test(tests, values_and_steps_come_back_bit_by_bit);
  tcase_add_test(tests, a_million_steps_and_a_million_at_one_step);
  tcase_add_test(tests, ten_thousand_metrics);
  tcase_add_test(tests, a_dictionary_that_is_full_says_so);
  tcase_add_test(tests, odd_keys);
  tcase_add_test(tests, the_clock_jumps_by_a_year);
  tcase_add_test(tests, times_given_by_the_caller);
  return test_run(suite_create("track/odd"), tests);
}
