/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of cells: exact figures, merging, exponents, packed rows. */
#include "faults.h"
#include "series/cell.h"
#include "trainmon/error.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>
#include <string.h>

static tmon_buffer out;

static void setup(void) { tmon_buffer_init(&out, 1 << 20); }
static void teardown(void) { tmon_buffer_free(&out); }

START_TEST(clear_and_add) {
  tmon_bucket cell = {.start = 8, .end = 16};
  tmon_cell_clear(&cell);
  ck_assert_uint_eq(cell.count, 0);
  ck_assert(isnan(cell.min) && isnan(cell.max) && isnan(cell.sum));
  tmon_cell_add(&cell, 10, NAN);
  tmon_cell_add(&cell, 9, 5.0);
  tmon_cell_add(&cell, 12, -1.0);
  tmon_cell_add(&cell, 12, 2.0);      /* the same x later: becomes last */
  tmon_cell_add(&cell, 9, 7.0);       /* the same x later: does not become first */
  tmon_cell_add(&cell, 11, INFINITY); /* behind last: neither */
  ck_assert_int_eq(cell.start, 8);
  ck_assert_int_eq(cell.end, 16);
  ck_assert_uint_eq(cell.count, 6);
  ck_assert_uint_eq(cell.nan_count, 1);
  ck_assert_uint_eq(cell.inf_count, 1);
  ck_assert_int_eq(cell.first_x, 9);
  ck_assert_int_eq(cell.last_x, 12);
  ck_assert_double_eq(cell.first, 5.0);
  ck_assert_double_eq(cell.last, 2.0);
  ck_assert_double_eq(cell.min, -1.0);
  ck_assert_double_eq(cell.max, 7.0);
  ck_assert_double_eq(cell.sum, 13.0);
}
END_TEST

START_TEST(only_missing_numbers) {
  tmon_bucket cell = {0};
  tmon_bucket later = {0};
  tmon_cell_clear(&cell);
  tmon_cell_clear(&later);
  tmon_cell_add(&cell, 0, -INFINITY);
  tmon_cell_add(&cell, 1, NAN);
  ck_assert(isnan(cell.min) && isnan(cell.max) && isnan(cell.sum) && isnan(cell.last));
  ck_assert(isinf(cell.first));
  tmon_cell_add(&later, 2, 3.0);
  tmon_cell_merge(&cell, &later);
  ck_assert_double_eq(cell.min, 3.0);
  ck_assert_double_eq(cell.sum, 3.0);
  ck_assert_uint_eq(cell.count, 3);
}
END_TEST

/* However points are split, merging gives what adding one by one gives. Small integers, so that sums are exact. */
START_TEST(merge_equals_add) {
  uint64_t state = (uint64_t)_i;
  tmon_bucket whole = {0};
  tmon_bucket merged = {0};
  tmon_bucket part = {0};
  tmon_cell_clear(&whole);
  tmon_cell_clear(&merged);
  tmon_cell_clear(&part);
  for (int i = 0; i < 60; i++) {
    int64_t x = (int64_t)(test_random(&state) % 10) - 5;
    double value = (double)(test_random(&state) % 9) - 4;
    if (test_random(&state) % 5 == 0) value = test_random(&state) % 2 ? NAN : INFINITY;
    tmon_cell_add(&whole, x, value);
    tmon_cell_add(&part, x, value);
    if (test_random(&state) % 4 == 0) {
      tmon_cell_merge(&merged, &part);
      tmon_cell_clear(&part);
    }
  }
  tmon_cell_merge(&merged, &part);
  ck_assert_mem_eq(&merged, &whole, sizeof whole);
}
END_TEST

START_TEST(exponents) {
  ck_assert_uint_eq(tmon_cell_exponent(0, 0, 1000), 0);
  ck_assert_uint_eq(tmon_cell_exponent(0, 999, 1000), 0);
  ck_assert_uint_eq(tmon_cell_exponent(0, 1000, 1000), 1);
  ck_assert_uint_eq(tmon_cell_exponent(0, 9999999, 1000), 14);
  ck_assert_uint_eq(tmon_cell_exponent(-8, 7, 2), 3);
  ck_assert_uint_eq(tmon_cell_exponent(-1, 0, 1), 63); /* no grid holds both in one cell */
  ck_assert_uint_eq(tmon_cell_exponent(INT64_MIN, INT64_MAX, 2), 63);
  ck_assert_uint_eq(tmon_cell_exponent(INT64_MIN, INT64_MAX, 1000), 55);
  ck_assert_uint_eq(tmon_cell_exponent(5, 4, 1), 0);
  ck_assert_uint_eq(tmon_cell_exponent(0, 4, 0), 63);
}
END_TEST

static tmon_bucket make_cell(int64_t index, unsigned exponent, uint64_t *state) {
  tmon_bucket cell = {0};
  tmon_cell_clear(&cell);
  cell.start = index * ((int64_t)1 << exponent);
  cell.end = cell.start + ((int64_t)1 << exponent);
  for (int i = 0; i < 20; i++) {
    int64_t x = cell.start + (int64_t)(test_random(state) >> (64 - exponent));
    tmon_cell_add(&cell, x, i == 7 ? NAN : (float)test_uniform(state));
  }
  return cell;
}

START_TEST(rows_come_back) {
  static const size_t counts[] = {0, 1, 2, 64, 65, TMON_CELLS_MAXIMUM};
  static tmon_bucket cells[TMON_CELLS_MAXIMUM];
  static tmon_bucket back[TMON_CELLS_MAXIMUM];
  uint64_t state = 11;
  size_t count = counts[_i];
  size_t got;
  unsigned exponent;
  for (size_t i = 0; i < count; i++) cells[i] = make_cell((int64_t)(2 * i) - 300, 10, &state);
  ck_assert_int_eq(tmon_cells_encode(&out, cells, count, 10), TMON_OK);
  ck_assert_int_eq(tmon_cells_decode(back, TMON_CELLS_MAXIMUM, &got, &exponent, out.data, out.size), TMON_OK);
  ck_assert_uint_eq(got, count);
  ck_assert_uint_eq(exponent, 10);
  if (count > 0) ck_assert_mem_eq(back, cells, count * sizeof *cells);
  if (count > 0) ck_assert_int_eq(tmon_cells_decode(back, count - 1, &got, &exponent, out.data, out.size), TMON_ECORRUPT);
}
END_TEST

START_TEST(rows_at_the_ends_of_the_axis) {
  tmon_bucket cells[2] = {{.start = INT64_MIN, .end = 0}, {.start = 0, .end = INT64_MAX}};
  tmon_bucket back[2];
  size_t got;
  unsigned exponent;
  tmon_cell_clear(&cells[0]);
  tmon_cell_clear(&cells[1]);
  tmon_cell_add(&cells[0], INT64_MIN, 1);
  tmon_cell_add(&cells[0], -1, 2);
  tmon_cell_add(&cells[1], 0, 3);
  tmon_cell_add(&cells[1], INT64_MAX, 4);
  ck_assert_int_eq(tmon_cells_encode(&out, cells, 2, 63), TMON_OK);
  ck_assert_int_eq(tmon_cells_decode(back, 2, &got, &exponent, out.data, out.size), TMON_OK);
  ck_assert_uint_eq(exponent, 63);
  ck_assert_mem_eq(back, cells, sizeof cells);
}
END_TEST

START_TEST(rows_refuse) {
  uint64_t state = 12;
  tmon_bucket good = make_cell(3, 10, &state);
  tmon_bucket bad = good;
  ck_assert_int_eq(tmon_cells_encode(&out, &good, 1, 64), TMON_EINVAL);
  ck_assert_int_eq(tmon_cells_encode(&out, &good, 1, 11), TMON_EINVAL); /* starts between the cells of that grid */
  ck_assert_int_eq(tmon_cells_encode(&out, &good, 1, 3), TMON_EINVAL);  /* its points leave the cell */
  ck_assert_int_eq(tmon_cells_encode(&out, &good, TMON_CELLS_MAXIMUM + 1, 10), TMON_EINVAL);
  bad.count = 0;
  ck_assert_int_eq(tmon_cells_encode(&out, &bad, 1, 10), TMON_EINVAL);
  bad = good;
  bad.nan_count = bad.count + 1;
  ck_assert_int_eq(tmon_cells_encode(&out, &bad, 1, 10), TMON_EINVAL);
  bad = good;
  bad.inf_count = UINT64_MAX;
  ck_assert_int_eq(tmon_cells_encode(&out, &bad, 1, 10), TMON_EINVAL);
  bad = good;
  bad.last_x = bad.first_x - 1;
  ck_assert_int_eq(tmon_cells_encode(&out, &bad, 1, 10), TMON_EINVAL);
  ck_assert_uint_eq(out.size, 0);
}
END_TEST

START_TEST(rows_refuse_cuts_and_survive_flips) {
  tmon_bucket cells[10];
  tmon_bucket back[10];
  uint64_t state = 13;
  size_t got;
  unsigned exponent;
  for (int64_t i = 0; i < 10; i++) cells[i] = make_cell(i, 10, &state);
  ck_assert_int_eq(tmon_cells_encode(&out, cells, 10, 10), TMON_OK);
  for (size_t size = 0; size < out.size; size++) {
    uint8_t *exact = malloc(size + 1);
    memcpy(exact, out.data, size);
    ck_assert_int_eq(tmon_cells_decode(back, 10, &got, &exponent, exact, size), TMON_ECORRUPT);
    free(exact);
  }
  for (size_t bit = 0; bit < out.size * 8; bit++) {
    out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    int rc = tmon_cells_decode(back, 10, &got, &exponent, out.data, out.size);
    ck_assert(rc == TMON_OK || rc == TMON_ECORRUPT);
    for (size_t i = 0; i < got; i++) ck_assert(back[i].count > 0 && back[i].first_x >= back[i].start && back[i].first_x <= back[i].last_x);
    out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
}
END_TEST

START_TEST(memory_faults) {
  uint64_t state = 14;
  tmon_bucket cell = make_cell(1, 10, &state);
  tmon_bucket back;
  size_t got;
  unsigned exponent;
  tmon_buffer buffer;
  faults f = {1000, false, 0};
  tmon_allocator allocator = {faults_allocate, faults_resize, faults_release, &f};
  ck_assert_int_eq(tmon_allocator_set(&allocator), TMON_OK);
  tmon_buffer_init(&buffer, 1 << 20);
  ck_assert_int_eq(tmon_cells_encode(&buffer, &cell, 1, 10), TMON_OK);
  f.until = _i;
  f.persistent = true;
  ck_assert_int_eq(tmon_cells_decode(&back, 1, &got, &exponent, buffer.data, buffer.size), _i < 2 ? TMON_ENOMEM : TMON_OK);
  f.until = 1000;
  tmon_buffer_free(&buffer);
  f.until = _i;
  ck_assert_int_eq(tmon_cells_encode(&buffer, &cell, 1, 10), _i < 3 ? TMON_ENOMEM : buffer.error);
  tmon_buffer_free(&buffer);
  ck_assert_int_eq(f.alive, 0);
  tmon_allocator_set(NULL);
}
END_TEST

START_TEST(figures_come_back_and_hostile_ones_do_not) {
  tmon_bucket figures[2];
  tmon_bucket back[2];
  static const double values[] = {1.5, -0.0, NAN, INFINITY, -3};
  memset(figures, 0, sizeof figures);
  for (int axis = 0; axis < 2; axis++) {
    tmon_cell_clear(&figures[axis]);
    for (int64_t i = 0; i < 5; i++)
      tmon_cell_add(&figures[axis], axis == 0 ? (i == 0 ? INT64_MIN : i == 4 ? INT64_MAX : i) : -i, values[i]); /* crosses 0: no cell of a grid holds it */
    figures[axis].start = figures[axis].first_x;
    figures[axis].end = figures[axis].last_x;
  }
  ck_assert_int_eq(tmon_figures_encode(&out, figures), TMON_OK);
  ck_assert_int_eq(out.data[0], 1);
  ck_assert_int_eq(tmon_figures_decode(back, out.data, out.size), TMON_OK);
  ck_assert_mem_eq(back, figures, sizeof back);
  for (size_t size = 0; size < out.size; size++) ck_assert_int_eq(tmon_figures_decode(back, out.data, size), TMON_ECORRUPT);
  for (size_t at = 0; at < out.size; at++) { /* any byte: an error, or figures that hold */
    for (int bit = 0; bit < 8; bit++) {
      out.data[at] ^= (uint8_t)(1 << bit);
      if (tmon_figures_decode(back, out.data, out.size) == TMON_OK)
        ck_assert(back[0].count > 0 && back[0].first_x <= back[0].last_x && back[1].first_x <= back[1].last_x &&
            back[0].nan_count + back[0].inf_count <= back[0].count);
      out.data[at] ^= (uint8_t)(1 << bit);
    }
  }
  figures[0].count = 0;
  ck_assert_int_eq(tmon_figures_encode(&out, figures), TMON_EINVAL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("cell");
  TCase *tcase = tcase_create("cell");
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, clear_and_add);
  tcase_add_test(tcase, only_missing_numbers);
  tcase_add_loop_test(tcase, merge_equals_add, 0, 50);
  tcase_add_test(tcase, exponents);
  tcase_add_loop_test(tcase, rows_come_back, 0, 6);
  tcase_add_test(tcase, rows_at_the_ends_of_the_axis);
  tcase_add_test(tcase, rows_refuse);
  tcase_add_test(tcase, rows_refuse_cuts_and_survive_flips);
  tcase_add_test(tcase, figures_come_back_and_hostile_ones_do_not);
  tcase_add_loop_test(tcase, memory_faults, 0, 4);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
