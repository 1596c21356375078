/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Packed matrices: exact bytes, round trips, hostile bytes. */
#include "series/counts.h"
#include "trainmon/error.h"
#include "unit/fault.h"
#include "unit/suite.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAXIMUM TMON_COUNTS_DIMENSION_MAXIMUM

static uint64_t counts[MAXIMUM * MAXIMUM];
static uint64_t back[MAXIMUM * MAXIMUM];

static size_t round_trip(size_t dimension) {
  tmon_buffer out;
  size_t claimed = 0;
  tmon_buffer_init(&out, (size_t)1 << 24);
  ck_assert_int_eq(tmon_counts_encode(&out, counts, dimension), TMON_OK);
  ck_assert_int_eq(tmon_counts_dimension(&claimed, out.data, out.size), TMON_OK);
  ck_assert_uint_eq(claimed, dimension);
  memset(back, 0xa5, sizeof back);
  ck_assert_int_eq(tmon_counts_decode(back, dimension, out.data, out.size), TMON_OK);
  ck_assert_mem_eq(back, counts, dimension * dimension * sizeof *counts);
  size_t size = out.size;
  tmon_buffer_free(&out);
  return size;
}

START_TEST(bytes_are_as_documented) {
  /* version, dimension, 7, run of two zeros, 300 in LEB128 */
  static const uint8_t expected[] = {1, 2, 7, 0, 2, 0xac, 0x02};
  uint64_t small[] = {7, 0, 0, 300};
  tmon_buffer out;
  tmon_buffer_init(&out, 100);
  ck_assert_int_eq(tmon_counts_encode(&out, small, 2), TMON_OK);
  ck_assert_uint_eq(out.size, sizeof expected);
  ck_assert_mem_eq(out.data, expected, sizeof expected);
  tmon_buffer_free(&out);
}
END_TEST

START_TEST(all_sizes_come_back) {
  uint64_t state = 1;
  for (size_t dimension = 1; dimension <= 40; dimension++) {
    for (size_t i = 0; i < dimension * dimension; i++) {
      state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
      counts[i] = state >> 60 < 11 ? 0 : state >> (state & 63);
    }
    (void)round_trip(dimension);
  }
  memset(counts, 0, sizeof counts);
  ck_assert_uint_eq(round_trip(28), 5); /* a run of 784 takes two bytes */
  counts[0] = UINT64_MAX;
  (void)round_trip(1);
}
END_TEST

START_TEST(a_thousand_classes_are_small) {
  memset(counts, 0, sizeof counts);
  for (size_t i = 0; i < MAXIMUM; i++) {
    counts[i * MAXIMUM + i] = 90 + i % 17;
    counts[i * MAXIMUM + (i * 7 + 3) % MAXIMUM] = 5;
  }
  clock_t begin = clock();
  size_t size = round_trip(MAXIMUM);
  if (getenv("SHOW")) fprintf(stderr, "1,000 classes: %zu bytes, both ways in %.2f ms\n", size, (double)(clock() - begin) * 1e3 / CLOCKS_PER_SEC);
  ck_assert_uint_lt(size, 10000);
}
END_TEST

START_TEST(every_cut_is_refused) {
  tmon_buffer out;
  for (size_t i = 0; i < 25; i++) counts[i] = i % 3 == 0 ? i * 1000 : 0;
  tmon_buffer_init(&out, 1000);
  ck_assert_int_eq(tmon_counts_encode(&out, counts, 5), TMON_OK);
  for (size_t size = 0; size < out.size; size++) {
    uint8_t *cut = malloc(size + 1); /* exact, for the address sanitizer */
    ck_assert_ptr_nonnull(cut);
    memcpy(cut, out.data, size);
    ck_assert_int_eq(tmon_counts_decode(back, 5, cut, size), TMON_ECORRUPT);
    free(cut);
  }
  tmon_buffer_append(&out, "", 1);
  ck_assert_int_eq(tmon_counts_decode(back, 5, out.data, out.size), TMON_ECORRUPT);
  tmon_buffer_free(&out);
}
END_TEST

START_TEST(hostile_bytes_are_refused) {
  static const struct {
    const char *bytes;
    size_t size;
    bool head; /* the head is refused already, before any memory is asked for */
  } cases[] = {
      {"", 0, true},
      {"\0\1\1", 3, true},
      {"\2\1\1", 3, true},
      {"\1\0", 2, true},
      {"\1\xe9\7\0\1", 5, true},                              /* 1,001 */
      {"\1\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 11, true}, /* 2^64 - 1 */
      {"\1\x80", 2, true},
      {"\1\2\0\0", 4, false},       /* a run of none */
      {"\1\2\0\5", 4, false},       /* a run past the end */
      {"\1\2\0\2\0\2", 6, false},   /* two runs that are one */
      {"\1\2\1\1\1\1\1", 7, false}, /* a cell too many */
      {"\1\2\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\1", 14, false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t dimension = 0;
    const uint8_t *data = (const uint8_t *)cases[i].bytes;
    ck_assert_msg((tmon_counts_dimension(&dimension, data, cases[i].size) == TMON_ECORRUPT) == cases[i].head, "case %zu", i);
    ck_assert_int_eq(tmon_counts_decode(back, 2, data, cases[i].size), TMON_ECORRUPT);
  }
  ck_assert_int_eq(tmon_counts_dimension(&(size_t){0}, NULL, 0), TMON_ECORRUPT);
}
END_TEST

START_TEST(wrong_sizes_are_refused) {
  tmon_buffer out;
  tmon_buffer_init(&out, 8);
  for (size_t i = 0; i < 16; i++) counts[i] = 1;
  ck_assert_int_eq(tmon_counts_encode(&out, counts, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_counts_encode(&out, counts, MAXIMUM + 1), TMON_EINVAL);
  ck_assert_int_eq(tmon_counts_encode(&out, NULL, 1), TMON_EINVAL);
  ck_assert_int_eq(tmon_counts_encode(&out, counts, 4), TMON_ELIMIT);
  tmon_buffer_free(&out);
}
END_TEST

static int encode_with_failures(void *argument) {
  tmon_buffer out;
  (void)argument;
  tmon_buffer_init(&out, 1000);
  int result = tmon_counts_encode(&out, counts, 5);
  tmon_buffer_free(&out);
  return result;
}

START_TEST(memory_may_fail) {
  for (size_t i = 0; i < 25; i++) counts[i] = i + 1000;
  tmon_fault_loop(encode_with_failures, NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("series/counts");
  TCase *tests = tcase_create("counts");
  tcase_add_test(tests, bytes_are_as_documented);
  tcase_add_test(tests, all_sizes_come_back);
  tcase_add_test(tests, a_thousand_classes_are_small);
  tcase_add_test(tests, every_cut_is_refused);
  tcase_add_test(tests, hostile_bytes_are_refused);
  tcase_add_test(tests, wrong_sizes_are_refused);
  tcase_add_test(tests, memory_may_fail);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
