/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Every bucket of a query against one computed from the points that were logged, while they lie in summaries, chunks, deltas and the ring. */
#include "unit/track/help.h"

typedef struct model {
  tmon_point *points;
  size_t count;
  size_t capacity;
} model;

static int64_t x_of(const tmon_point *point, tmon_axis axis) { return axis == TMON_AXIS_STEP ? point->step : point->time; }

static void add_to_bucket(tmon_bucket *b, int64_t x, double value) {
  uint64_t finite = b->count - b->nan_count - b->inf_count;
  if (b->count == 0 || x < b->first_x) {
    b->first_x = x;
    b->first = value;
  }
  if (b->count == 0 || x >= b->last_x) {
    b->last_x = x;
    b->last = value;
  }
  b->count++;
  if (isnan(value)) {
    b->nan_count++;
  } else if (isinf(value)) {
    b->inf_count++;
  } else {
    b->min = finite == 0 || value < b->min ? value : b->min;
    b->max = finite == 0 || value > b->max ? value : b->max;
    b->sum = finite == 0 ? value : b->sum + value; /* values are whole numbers: exact in any order */
  }
}

static bool same(double a, double b) { return isnan(a) ? isnan(b) : a == b; }

static void compare(const tmon_bucket *got, const tmon_bucket *want, const char *what) {
  bool finite = want->count > want->nan_count + want->inf_count;
  bool equal = got->count == want->count && got->nan_count == want->nan_count && got->inf_count == want->inf_count && got->first_x == want->first_x &&
      got->last_x == want->last_x && same(got->first, want->first) && same(got->last, want->last) && got->start == want->start;
  if (finite) equal = equal && got->min == want->min && got->max == want->max && got->sum == want->sum;
  else equal = equal && isnan(got->min) && isnan(got->max) && isnan(got->sum);
  ck_assert_msg(equal, "%s: bucket at %lld: count %llu/%llu first %lld:%g/%lld:%g last %lld:%g/%lld:%g min %g/%g max %g/%g sum %g/%g", what,
      (long long)want->start, (unsigned long long)got->count, (unsigned long long)want->count, (long long)got->first_x, got->first,
      (long long)want->first_x, want->first, (long long)got->last_x, got->last, (long long)want->last_x, want->last, got->min, want->min, got->max,
      want->max, got->sum, want->sum);
}

static unsigned exponent_of(uint64_t width) {
  unsigned exponent = 0;
  while (width >> exponent > 1) exponent++;
  ck_assert_uint_eq(width, (uint64_t)1 << exponent);
  return exponent;
}

/* `step_end`: points of the first `early` ones from that step on are superseded. */
static void check_query(tmon_store *store, const char *id, const model *all, tmon_series_options options, size_t early, int64_t step_end) {
  tmon_series *series = NULL;
  size_t got_count = 0;
  char what[160];
  options.size = sizeof options;
  ok(tmon_series_query(&series, store, id, "m", &options));
  const tmon_bucket *got = tmon_series_buckets(series, &got_count);
  uint32_t width = options.width ? options.width : 1000;
  unsigned exponent = exponent_of(tmon_series_bucket_width(series));
  (void)snprintf(what, sizeof what, "axis %d, %s %lld to %lld, width %u", (int)options.axis, options.bounded ? "bounded" : "all", (long long)options.from,
      (long long)options.to, width);
  int64_t low = INT64_MAX;
  int64_t high = INT64_MIN;
  for (size_t i = 0; i < all->count; i++) {
    int64_t x = x_of(&all->points[i], options.axis);
    if (i < early && all->points[i].step >= step_end) continue;
    low = x < low ? x : low;
    high = x > high ? x : high;
  }
  if (options.bounded) {
    low = low < options.from ? options.from : low;
    high = high > options.to ? options.to : high;
  }
  if (low > high) {
    ck_assert_uint_eq(got_count, 0);
    tmon_series_free(series);
    return;
  }
  size_t span = (size_t)((high >> exponent) - (low >> exponent)) + 1;
  ck_assert_msg(span <= width, "%s: %zu buckets", what, span);
  /* By time the extent of what superseding leaves is known to the chunk only. */
  if (exponent > 0 && (early == 0 || options.axis == TMON_AXIS_STEP))
    ck_assert_msg(2 * span >= width, "%s: only %zu buckets of 2^%u", what, span, exponent);
  tmon_bucket *want = calloc(span, sizeof *want);
  ck_assert_ptr_nonnull(want);
  for (size_t i = 0; i < all->count; i++) {
    int64_t x = x_of(&all->points[i], options.axis);
    if (x >= low && x <= high && !(i < early && all->points[i].step >= step_end))
      add_to_bucket(&want[(x >> exponent) - (low >> exponent)], x, all->points[i].value);
  }
  size_t next = 0;
  for (size_t i = 0; i < span; i++) {
    if (want[i].count == 0) continue;
    want[i].start = (int64_t)((uint64_t)((low >> exponent) + (int64_t)i) << exponent);
    ck_assert_msg(next < got_count, "%s: bucket at %lld is missing", what, (long long)want[i].start);
    compare(&got[next++], &want[i], what);
  }
  ck_assert_msg(next == got_count, "%s: %zu buckets, expected %zu", what, got_count, next);
  free(want);
  tmon_series_free(series);
}

static void check_many(tmon_store *store, const char *id, const model *all, uint64_t *random, int rounds, size_t early, int64_t step_end) {
  static const uint32_t widths[] = {0, 2, 3, 7, 100, 333, 1000, 5000, 100000};
  for (int round = 0; round < rounds; round++) {
    tmon_series_options options = {.axis = (tmon_axis)(round & 1), .width = widths[test_random(random) % 9]};
    const tmon_point *a = &all->points[test_random(random) % all->count];
    const tmon_point *b = &all->points[test_random(random) % all->count];
    int64_t from = x_of(a, options.axis);
    int64_t to = x_of(b, options.axis);
    options.bounded = round >= 4;
    options.from = from < to ? from : to;
    options.to = from < to ? to : from;
    options.all_attempts = early == 0;
    check_query(store, id, all, options, early, step_end);
  }
}

/* Steps rise slowly, so that they repeat over borders of chunks and summaries, and go back now and then; so do times. */
static void make_points(model *all, size_t count, uint64_t *random, int64_t step, int64_t slow) {
  int64_t time = 1700000000000000 + (int64_t)all->count;
  if (all->count + count > all->capacity) {
    all->capacity = all->count + count;
    all->points = realloc(all->points, all->capacity * sizeof *all->points);
    ck_assert_ptr_nonnull(all->points);
  }
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = test_random(random);
    tmon_point *point = &all->points[all->count++];
    point->step = step + (int64_t)i / slow - (bits % 1000 == 0 ? 2 : 0);
    time += (int64_t)(bits % 5) - (bits % 97 == 0 ? 40 : 0) + (bits % 5000 == 1 ? 300000 : 0);
    point->time = time;
    point->value = (double)((int64_t)(bits >> 20) % 2001 - 1000);
    if (bits % 501 == 0) point->value = NAN;
    else if (bits % 503 == 0) point->value = bits & 1024 ? INFINITY : -INFINITY;
  }
}

static void log_points(tmon_session *session, tmon_metric metric, const model *all, size_t from) {
  enum { AT_ONCE = 4096 };
  static int64_t steps[AT_ONCE];
  static int64_t times[AT_ONCE];
  static double values[AT_ONCE];
  while (from < all->count) {
    size_t count = all->count - from < AT_ONCE ? all->count - from : AT_ONCE;
    for (size_t i = 0; i < count; i++) {
      steps[i] = all->points[from + i].step;
      times[i] = all->points[from + i].time;
      values[i] = all->points[from + i].value;
    }
    ok(tmon_log_series(session, metric, steps, times, values, count));
    from += count;
  }
}

static void check_order(tmon_store *store, const char *id, const model *all) {
  tmon_point_reader *reader = NULL;
  static tmon_point read[777];
  size_t at = 0;
  size_t count = 0;
  int result;
  ok(tmon_point_reader_open(&reader, store, id, "m"));
  while ((result = tmon_point_reader_next(reader, read, 777, &count)) == TMON_OK) {
    for (size_t i = 0; i < count; i++, at++) {
      ck_assert_uint_lt(at, all->count);
      ck_assert_msg(read[i].step == all->points[at].step && read[i].time == all->points[at].time && same(read[i].value, all->points[at].value),
          "point %zu is not the one logged", at);
    }
  }
  expect(TMON_DONE, result);
  ck_assert_uint_eq(at, all->count);
  expect(TMON_DONE, tmon_point_reader_next(reader, read, 777, &count));
  tmon_point_reader_free(reader);
  static const size_t sizes[] = {1, 5, 1000, 3000, 100000};
  tmon_point *tail = malloc(100000 * sizeof *tail);
  for (size_t s = 0; s < 5; s++) {
    count = sizes[s];
    ok(tmon_series_tail(tail, &count, store, id, "m"));
    ck_assert_uint_eq(count, sizes[s] < all->count ? sizes[s] : all->count);
    for (size_t i = 0; i < count; i++)
      ck_assert(tail[i].time == all->points[all->count - count + i].time && same(tail[i].value, all->points[all->count - count + i].value));
  }
  free(tail);
}

static void run_layers(size_t bulk, int64_t slow, uint64_t seed, int rounds) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  const char *id = tmon_session_id(session);
  tmon_metric metric = test_metric(session, "m");
  tmon_metric other = test_metric(session, "other");
  uint64_t random = seed;
  model all = {NULL, 0, 0};
  make_points(&all, bulk, &random, -100, slow);
  log_points(session, metric, &all, 0);
  ok(tmon_session_flush(session));
  check_many(store, id, &all, &random, rounds, 0, 0);
  for (int i = 0; i < 40; i++) { /* deltas, of which some get folded */
    size_t from = all.count;
    make_points(&all, 1 + test_random(&random) % 120, &random, all.points[all.count - 1].step, slow);
    log_points(session, metric, &all, from);
    ok(tmon_log(session, other, i, i));
    ok(tmon_session_flush(session));
  }
  check_many(store, id, &all, &random, rounds, 0, 0);
  size_t from = all.count;
  make_points(&all, 500, &random, all.points[from - 1].step, slow);
  log_points(session, metric, &all, from); /* stay in the ring */
  check_many(store, id, &all, &random, rounds, 0, 0);
  check_order(store, id, &all);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  check_many(store, id, &all, &random, rounds, 0, 0);
  check_order(store, id, &all);
  tmon_session_free(session);
  tmon_store_free(store);
  free(all.points);
}

/* Bulks of the loop below; under a sanitizer the smaller ones only. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROUNDS 2
#else
#define ROUNDS 5
#endif

START_TEST(layers_match_brute_force) {
  static const size_t bulks[] = {1, 700, 1500, 40000, 330000};
  static const int64_t slows[] = {1, 3, 5, 7, 5000};
  run_layers(bulks[_i], slows[_i], (uint64_t)_i + 1, _i == 4 ? 30 : 40);
  if (_i == 4) run_layers(bulks[_i], 1, 99, 20);
}
END_TEST

#if ROUNDS > 2
START_TEST(second_level_matches_brute_force) { run_layers(4400000, 3000, 7, 5); }
END_TEST
#endif

START_TEST(many_small_flushes_merge_deltas) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  tmon_metric fast = test_metric(session, "fast");
  uint64_t random = 5;
  model all = {NULL, 0, 0};
  for (int i = 0; i < 1200; i++) {
    size_t from = all.count;
    make_points(&all, 1, &random, i, 1);
    log_points(session, metric, &all, from);
    for (int k = 0; k < 5; k++) ok(tmon_log(session, fast, i * 5 + k, 1));
    ok(tmon_session_flush(session));
    if (i % 300 == 299) check_many(store, tmon_session_id(session), &all, &random, 6, 0, 0);
  }
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "fast", false), 6000);
  check_order(store, tmon_session_id(session), &all);
  tmon_session_free(session);
  tmon_store_free(store);
  free(all.points);
}
END_TEST

START_TEST(superseded_points_are_left_out) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  char id[40];
  uint64_t random = 11;
  model all = {NULL, 0, 0};
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  make_points(&all, 200000, &random, 0, 1);
  log_points(session, test_metric(session, "m"), &all, 0);
  tmon_session_free(session);
  session = test_session(store, id);
  size_t early = all.count;
  make_points(&all, 3000, &random, 100000, 1);
  int64_t end = INT64_MAX;
  for (size_t i = early; i < all.count; i++) end = all.points[i].step < end ? all.points[i].step : end;
  log_points(session, test_metric(session, "m"), &all, early);
  check_many(store, id, &all, &random, 40, early, end); /* the second attempt lies in the ring alone */
  check_many(store, id, &all, &random, 20, 0, 0);
  ok(tmon_session_flush(session));
  check_many(store, id, &all, &random, 40, early, end);
  check_order(store, id, &all);
  tmon_session_free(session);
  check_many(store, id, &all, &random, 40, early, end);
  check_many(store, id, &all, &random, 20, 0, 0);
  tmon_store_free(store);
  free(all.points);
}
END_TEST

START_TEST(bad_arguments) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  const char *id = tmon_session_id(session);
  tmon_series *series = NULL;
  tmon_point point;
  size_t count = 1;
  ok(tmon_log(session, test_metric(session, "m"), 1, 1));
  tmon_series_options options = {.size = sizeof options, .width = 100001};
  expect(TMON_EINVAL, tmon_series_query(&series, store, id, "m", &options));
  ck_assert_ptr_null(series);
  options = (tmon_series_options){.size = sizeof options, .bounded = true, .from = 2, .to = 1};
  expect(TMON_EINVAL, tmon_series_query(&series, store, id, "m", &options));
  options = (tmon_series_options){.size = sizeof options, .axis = (tmon_axis)2};
  expect(TMON_EINVAL, tmon_series_query(&series, store, id, "m", &options));
  expect(TMON_EINVAL, tmon_series_query(NULL, store, id, "m", NULL));
  expect(TMON_EINVAL, tmon_series_query(&series, NULL, id, "m", NULL));
  expect(TMON_EINVAL, tmon_series_query(&series, store, "no", "m", NULL));
  expect(TMON_EINVAL, tmon_series_query(&series, store, id, NULL, NULL));
  expect(TMON_ENOTFOUND, tmon_series_query(&series, store, id, "n", NULL));
  expect(TMON_ENOTFOUND, tmon_series_query(&series, store, "01234567-89ab-4def-8123-456789abcdef", "m", NULL));
  expect(TMON_EINVAL, tmon_series_tail(NULL, &count, store, id, "m"));
  count = 0;
  expect(TMON_EINVAL, tmon_series_tail(&point, &count, store, id, "m"));
  ck_assert_ptr_null(tmon_series_buckets(NULL, &count));
  ck_assert_uint_eq(tmon_series_bucket_width(NULL), 0);
  tmon_point_reader *reader = NULL;
  expect(TMON_ENOTFOUND, tmon_point_reader_open(&reader, store, id, "n"));
  ck_assert_ptr_null(reader);
  expect(TMON_EINVAL, tmon_point_reader_next(NULL, &point, 1, &count));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("query");
  tcase_add_loop_test(tests, layers_match_brute_force, 0, ROUNDS);
#if ROUNDS > 2
  /* 4.4 million points: under a sanitizer it takes minutes and runs no code that the loops above do not. */
  tcase_add_test(tests, second_level_matches_brute_force);
#endif
  tcase_add_test(tests, many_small_flushes_merge_deltas);
  tcase_add_test(tests, superseded_points_are_left_out);
  tcase_add_test(tests, bad_arguments);
  return test_run(suite_create("track/query"), tests);
}
