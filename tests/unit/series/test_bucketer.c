/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of the bucketer: borders, negative and extreme x, growth, cells and points mixed. */
#include "faults.h"
#include "series/cell.h"
#include "trainmon/error.h"
#include "util/alloc.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>

static tmon_bucketer *bucketer;
static tmon_bucket *buckets;
static size_t count;

static void teardown(void) {
  tmon_bucketer_free(bucketer);
  tmon_free(buckets);
  /* Without forks (valgrind) the next test starts with what this one left. */
  bucketer = NULL;
  buckets = NULL;
}

static void make(unsigned exponent, int64_t from, int64_t to) {
  ck_assert_int_eq(tmon_bucketer_make(&bucketer, TMON_AXIS_STEP, exponent, from, to), TMON_OK);
}
static void add(int64_t step, double value) {
  tmon_point point = {step, 0, value};
  ck_assert_int_eq(tmon_bucketer_add_points(bucketer, &point, 1), TMON_OK);
}
static void finish(void) { ck_assert_int_eq(tmon_bucketer_finish(bucketer, &buckets, &count), TMON_OK); }

START_TEST(negative_steps_round_down) {
  make(2, INT64_MIN, INT64_MAX);
  for (int64_t x = 5; x >= -5; x--) add(x, (double)x);
  finish();
  ck_assert_uint_eq(count, 4);
  static const int64_t starts[] = {-8, -4, 0, 4};
  static const uint64_t counts[] = {1, 4, 4, 2};
  for (size_t i = 0; i < 4; i++) {
    ck_assert_int_eq(buckets[i].start, starts[i]);
    ck_assert_int_eq(buckets[i].end, starts[i] + 4);
    ck_assert_uint_eq(buckets[i].count, counts[i]);
  }
  ck_assert_int_eq(buckets[1].first_x, -4);
  ck_assert_int_eq(buckets[1].last_x, -1);
  ck_assert_double_eq(buckets[1].sum, -10.0);
}
END_TEST

START_TEST(ends_of_the_axis) {
  static const unsigned exponents[] = {0, 1, 32, 62, 63};
  make(exponents[_i], INT64_MIN, INT64_MAX);
  add(INT64_MAX, 1);
  add(INT64_MIN, 2);
  finish();
  ck_assert_uint_eq(count, 2);
  ck_assert_int_eq(buckets[0].start, INT64_MIN);
  ck_assert_double_eq(buckets[0].last, 2);
  ck_assert_int_eq(buckets[1].end, INT64_MAX);
  ck_assert_int_eq(buckets[1].last_x, INT64_MAX);
}
END_TEST

START_TEST(borders_are_inclusive) {
  make(3, -2, 9);
  for (int64_t x = -20; x <= 20; x++) add(x, 1);
  finish();
  ck_assert_uint_eq(count, 3);
  ck_assert_uint_eq(buckets[0].count, 2);
  ck_assert_uint_eq(buckets[1].count, 8);
  ck_assert_uint_eq(buckets[2].count, 2);
}
END_TEST

START_TEST(takes) {
  make(3, -2, 21);
  ck_assert(tmon_bucketer_takes(bucketer, 0, 7));
  ck_assert(tmon_bucketer_takes(bucketer, -2, -1));
  ck_assert(!tmon_bucketer_takes(bucketer, -3, -1));
  ck_assert(!tmon_bucketer_takes(bucketer, -1, 0));
  ck_assert(!tmon_bucketer_takes(bucketer, 7, 8));
  ck_assert(!tmon_bucketer_takes(bucketer, 16, 22));
  ck_assert(!tmon_bucketer_takes(bucketer, 5, 4));
  ck_assert(!tmon_bucketer_takes(NULL, 0, 0));
}
END_TEST

START_TEST(time_axis) {
  tmon_point points[2] = {{1, 100, 1}, {2, 50, 2}};
  ck_assert_int_eq(tmon_bucketer_make(&bucketer, TMON_AXIS_TIME, 0, INT64_MIN, INT64_MAX), TMON_OK);
  ck_assert_int_eq(tmon_bucketer_add_points(bucketer, points, 2), TMON_OK);
  finish();
  ck_assert_uint_eq(count, 2);
  ck_assert_int_eq(buckets[0].start, 50);
  ck_assert_double_eq(buckets[0].last, 2);
}
END_TEST

/* Many buckets in a scattered order; each must come once and ascending, with all its points. */
START_TEST(grows) {
  enum { N = 20000 };
  make(4, INT64_MIN, INT64_MAX);
  for (int64_t i = 0; i < N; i++) add((i * 7919 % N - N / 2) * 16 + i % 16, 1);
  for (int64_t i = 0; i < N; i++) add((i - N / 2) * 16, 2);
  finish();
  ck_assert_uint_eq(count, N);
  for (int64_t i = 0; i < N; i++) {
    ck_assert_int_eq(buckets[i].start, (i - N / 2) * 16);
    ck_assert_uint_eq(buckets[i].count, 2);
    ck_assert_double_eq(buckets[i].sum, 3);
  }
}
END_TEST

START_TEST(cells_and_points) {
  tmon_bucket cells[2] = {{.start = 0, .end = 4}, {.start = 4, .end = 8}};
  tmon_cell_clear(&cells[0]);
  tmon_cell_clear(&cells[1]);
  tmon_cell_add(&cells[1], 6, -4);
  make(3, INT64_MIN, INT64_MAX);
  add(6, 1);
  ck_assert_int_eq(tmon_bucketer_add_cells(bucketer, cells, 2), TMON_OK); /* the first is empty and adds nothing */
  add(3, 9);
  finish();
  ck_assert_uint_eq(count, 1);
  ck_assert_int_eq(buckets[0].end, 8);
  ck_assert_uint_eq(buckets[0].count, 3);
  ck_assert_double_eq(buckets[0].first, 9);
  ck_assert_double_eq(buckets[0].last, -4);
  ck_assert_double_eq(buckets[0].max, 9);
}
END_TEST

START_TEST(arguments) {
  tmon_bucketer *none = NULL;
  tmon_bucket cell = {.start = 0, .end = 16};
  ck_assert_int_eq(tmon_bucketer_make(NULL, TMON_AXIS_STEP, 0, 0, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_bucketer_make(&none, TMON_AXIS_STEP, 64, 0, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_bucketer_make(&none, (tmon_axis)2, 0, 0, 0), TMON_EINVAL);
  ck_assert_ptr_null(none);
  make(3, INT64_MIN, INT64_MAX);
  tmon_cell_clear(&cell);
  tmon_cell_add(&cell, 7, 1);
  tmon_cell_add(&cell, 8, 1);
  ck_assert_int_eq(tmon_bucketer_add_cells(bucketer, &cell, 1), TMON_EINVAL);
  ck_assert_int_eq(tmon_bucketer_add_points(bucketer, NULL, 1), TMON_EINVAL);
  finish();
  ck_assert_uint_eq(count, 0);
  tmon_bucketer_free(NULL);
}
END_TEST

START_TEST(memory_faults) {
  faults f = {_i, false, 0};
  tmon_allocator allocator = {faults_allocate, faults_resize, faults_release, &f};
  tmon_bucketer *made = NULL;
  ck_assert_int_eq(tmon_allocator_set(&allocator), TMON_OK);
  int rc = tmon_bucketer_make(&made, TMON_AXIS_STEP, 0, INT64_MIN, INT64_MAX);
  uint64_t taken = 0;
  for (int64_t x = 0; x < 1000 && made != NULL; x++) {
    tmon_point point = {x, 0, 1};
    int added = tmon_bucketer_add_points(made, &point, 1);
    if (added == TMON_OK) taken++;
    else rc = added;
  }
  ck_assert_int_eq(rc, _i < 9 ? TMON_ENOMEM : TMON_OK); /* itself, and four times buckets and table */
  if (made != NULL) {
    tmon_bucket *got;
    size_t n;
    ck_assert_int_eq(tmon_bucketer_finish(made, &got, &n), TMON_OK);
    ck_assert_uint_eq(n, taken); /* a failed add takes nothing, and later ones go on */
    tmon_free(got);
  }
  tmon_bucketer_free(made);
  ck_assert_int_eq(f.alive, 0);
  tmon_allocator_set(NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("bucketer");
  TCase *tcase = tcase_create("bucketer");
  tcase_add_checked_fixture(tcase, NULL, teardown);
  tcase_add_test(tcase, negative_steps_round_down);
  tcase_add_loop_test(tcase, ends_of_the_axis, 0, 5);
  tcase_add_test(tcase, borders_are_inclusive);
  tcase_add_test(tcase, takes);
  tcase_add_test(tcase, time_axis);
  tcase_add_test(tcase, grows);
  tcase_add_test(tcase, cells_and_points);
  tcase_add_test(tcase, arguments);
  tcase_add_loop_test(tcase, memory_faults, 0, 12);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
