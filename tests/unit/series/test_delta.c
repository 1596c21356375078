/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of deltas: reading in order, finding one metric, directories that lie. */
#include "faults.h"
#include "series/chunk.h"
#include "trainmon/error.h"
#include "unit/suite.h"

#include <check.h>
#include <string.h>

#define METRICS 200

static tmon_buffer out;
static tmon_point points[METRICS * 3];
static tmon_delta_group groups[METRICS];

/* Metric 7 i has 1 to 3 points whose value names it. */
static void setup(void) {
  tmon_buffer_init(&out, 1 << 20);
  for (size_t i = 0; i < METRICS; i++) {
    for (size_t j = 0; j < 3; j++) points[3 * i + j] = (tmon_point){(int64_t)j, 1763735000000000 + (int64_t)j, (double)(7 * i)};
    groups[i] = (tmon_delta_group){7 * (int64_t)i, &points[3 * i], i % 3 + 1};
  }
}
static void teardown(void) { tmon_buffer_free(&out); }

START_TEST(reads_in_order) {
  tmon_delta_reader reader;
  tmon_delta_entry entry;
  tmon_point back[3];
  size_t got;
  ck_assert_int_eq(tmon_delta_encode(&out, groups, METRICS), TMON_OK);
  ck_assert_int_eq(tmon_delta_open(&reader, out.data, out.size), TMON_OK);
  for (size_t i = 0; i < METRICS; i++) {
    ck_assert_int_eq(tmon_delta_next(&reader, &entry), TMON_OK);
    ck_assert_int_eq(entry.metric, 7 * (int64_t)i);
    ck_assert_uint_eq(entry.count, i % 3 + 1);
    ck_assert_int_eq(tmon_chunk_decode(back, 3, &got, entry.chunk, entry.size), TMON_OK);
    ck_assert_uint_eq(got, entry.count);
    ck_assert_mem_eq(back, &points[3 * i], got * sizeof *back);
  }
  ck_assert_int_eq(tmon_delta_next(&reader, &entry), TMON_DONE);
  ck_assert_int_eq(tmon_delta_next(&reader, &entry), TMON_DONE);
}
END_TEST

START_TEST(finds_one) {
  tmon_delta_entry entry;
  tmon_point back[3];
  size_t got;
  ck_assert_int_eq(tmon_delta_encode(&out, groups, METRICS), TMON_OK);
  for (int64_t metric = -1; metric < 7 * METRICS + 3; metric++) {
    bool there = metric >= 0 && metric % 7 == 0 && metric < 7 * METRICS;
    ck_assert_int_eq(tmon_delta_find(out.data, out.size, metric, &entry), there ? TMON_OK : TMON_DONE);
    if (!there) continue;
    ck_assert_int_eq(tmon_chunk_decode(back, 3, &got, entry.chunk, entry.size), TMON_OK);
    ck_assert_double_eq(back[0].value, (double)metric);
  }
}
END_TEST

START_TEST(empty_and_extreme) {
  tmon_delta_reader reader;
  tmon_delta_entry entry;
  ck_assert_int_eq(tmon_delta_encode(&out, NULL, 0), TMON_OK);
  ck_assert_int_eq(tmon_delta_open(&reader, out.data, out.size), TMON_OK);
  ck_assert_int_eq(tmon_delta_next(&reader, &entry), TMON_DONE);
  tmon_buffer_clear(&out);
  groups[1].metric = INT64_MAX;
  ck_assert_int_eq(tmon_delta_encode(&out, groups, 2), TMON_OK);
  ck_assert_int_eq(tmon_delta_find(out.data, out.size, INT64_MAX, &entry), TMON_OK);
  ck_assert_uint_eq(entry.count, 2);
}
END_TEST

START_TEST(arguments) {
  groups[3].metric = groups[2].metric;
  ck_assert_int_eq(tmon_delta_encode(&out, groups, METRICS), TMON_EINVAL);
  groups[3].metric = -1;
  ck_assert_int_eq(tmon_delta_encode(&out, &groups[3], 1), TMON_EINVAL);
  groups[4].count = 0;
  ck_assert_int_eq(tmon_delta_encode(&out, &groups[4], 1), TMON_EINVAL);
  groups[4].count = TMON_CHUNK_POINTS_MAXIMUM + 1;
  ck_assert_int_eq(tmon_delta_encode(&out, &groups[4], 1), TMON_EINVAL);
  ck_assert_int_eq(tmon_delta_encode(&out, NULL, 1), TMON_EINVAL);
  ck_assert_uint_eq(out.size, 0);
}
END_TEST

START_TEST(every_cut_is_refused) {
  tmon_delta_reader reader;
  ck_assert_int_eq(tmon_delta_encode(&out, groups, 20), TMON_OK);
  for (size_t size = 0; size < out.size; size++) {
    uint8_t *exact = malloc(size + 1);
    memcpy(exact, out.data, size);
    ck_assert_int_eq(tmon_delta_open(&reader, exact, size), TMON_ECORRUPT);
    free(exact);
  }
  tmon_buffer_append(&out, "", 1);
  ck_assert_int_eq(tmon_delta_open(&reader, out.data, out.size), TMON_ECORRUPT);
}
END_TEST

/* version, groups, bytes of directory, (distance from -1, points, bytes), chunk of one point (test_chunk.c) */
#define CHUNK 1, 1, 1, 2, 0, 2, 0, 2
START_TEST(lying_directories) {
  static const uint8_t good[] = {1, 1, 3, 6, 1, 8, CHUNK};
  static const uint8_t bad[][14] = {{2, 1, 3, 6, 1, 8, CHUNK}, {1, 2, 3, 6, 1, 8, CHUNK}, {1, 0, 3, 6, 1, 8, CHUNK}, {1, 1, 2, 6, 1, 8, CHUNK},
      {1, 1, 4, 6, 1, 8, CHUNK}, {1, 1, 3, 0, 1, 8, CHUNK}, {1, 1, 3, 6, 0, 8, CHUNK}, {1, 1, 3, 6, 1, 7, CHUNK}, {1, 1, 3, 6, 1, 9, CHUNK}};
  tmon_delta_reader reader;
  tmon_delta_entry entry;
  ck_assert_int_eq(tmon_delta_find(good, sizeof good, 5, &entry), TMON_OK);
  ck_assert_int_eq(tmon_delta_open(&reader, good, sizeof good), TMON_OK);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) ck_assert_int_eq(tmon_delta_open(&reader, bad[i], sizeof bad[i]), TMON_ECORRUPT);
  static const uint8_t other_count[] = {1, 1, 3, 6, 2, 8, CHUNK}; /* the directory says 2 points, the chunk 1 */
  ck_assert_int_eq(tmon_delta_open(&reader, other_count, sizeof other_count), TMON_OK);
  ck_assert_int_eq(tmon_delta_next(&reader, &entry), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_delta_find(other_count, sizeof other_count, 5, &entry), TMON_ECORRUPT);
}
END_TEST

START_TEST(memory_faults) {
  faults f = {1000, false, 0};
  tmon_allocator allocator = {faults_allocate, faults_resize, faults_release, &f};
  tmon_buffer buffer;
  ck_assert_int_eq(tmon_allocator_set(&allocator), TMON_OK);
  tmon_buffer_init(&buffer, 1 << 20);
  f.until = _i;
  f.persistent = _i % 2 == 1;
  int rc = tmon_delta_encode(&buffer, groups, METRICS);
  ck_assert(rc == TMON_OK || rc == TMON_ENOMEM);
  if (_i == 0) ck_assert_int_eq(rc, TMON_ENOMEM);
  tmon_buffer_free(&buffer);
  ck_assert_int_eq(f.alive, 0);
  tmon_allocator_set(NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("delta");
  TCase *tcase = tcase_create("delta");
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, reads_in_order);
  tcase_add_test(tcase, finds_one);
  tcase_add_test(tcase, empty_and_extreme);
  tcase_add_test(tcase, arguments);
  tcase_add_test(tcase, every_cut_is_refused);
  tcase_add_test(tcase, lying_directories);
  tcase_add_loop_test(tcase, memory_faults, 0, 20);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
