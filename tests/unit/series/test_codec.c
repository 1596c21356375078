/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of the integer and value codecs: bytes fixed by hand, every bit back, hostile bytes refused. */
#include "faults.h"
#include "series/codec.h"
#include "trainmon/error.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>
#include <string.h>

#define ROOM 2048

static tmon_buffer out;
static int64_t scratch[2 * ROOM];

static void setup(void) { tmon_buffer_init(&out, 1 << 20); }
static void teardown(void) { tmon_buffer_free(&out); }

static size_t check_ints(const int64_t *values, size_t count) {
  int64_t back[ROOM];
  size_t offset = 0;
  tmon_buffer_clear(&out);
  ck_assert_int_eq(tmon_codec_int_encode(&out, values, count), TMON_OK);
  ck_assert_int_eq(tmon_codec_int_decode(back, count, out.data, out.size, &offset), TMON_OK);
  ck_assert_uint_eq(offset, out.size);
  if (count > 0) ck_assert_mem_eq(back, values, count * sizeof *values);
  return out.size;
}

static size_t check_values(const double *values, size_t count) {
  double back[ROOM];
  size_t offset = 0;
  tmon_buffer_clear(&out);
  ck_assert_int_eq(tmon_codec_value_encode(&out, values, count, scratch), TMON_OK);
  ck_assert_int_eq(tmon_codec_value_decode(back, count, scratch, out.data, out.size, &offset), TMON_OK);
  ck_assert_uint_eq(offset, out.size);
  ck_assert_mem_eq(back, values, count * sizeof *values);
  return out.size;
}

/* The codec byte of a short column: it follows one byte of length. */
static unsigned codec_of(const double *values, size_t count) {
  check_values(values, count);
  return out.data[out.data[0] >= 0x80 ? 2 : 1];
}

static double from_bits(uint64_t bits) {
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

START_TEST(zigzag_orders_by_magnitude) {
  ck_assert_uint_eq(tmon_zigzag(0), 0);
  ck_assert_uint_eq(tmon_zigzag((uint64_t)-1), 1);
  ck_assert_uint_eq(tmon_zigzag(1), 2);
  ck_assert_uint_eq(tmon_zigzag((uint64_t)INT64_MIN), UINT64_MAX);
  ck_assert_uint_eq(tmon_unzigzag(UINT64_MAX), (uint64_t)INT64_MIN);
  ck_assert_uint_eq(tmon_unzigzag(UINT64_MAX - 1), (uint64_t)INT64_MAX);
}
END_TEST

START_TEST(varint_bytes) {
  static const uint8_t three_hundred[] = {0xac, 0x02};
  uint64_t value;
  size_t offset = 0;
  tmon_varint_put(&out, 300);
  ck_assert_uint_eq(out.size, 2);
  ck_assert_mem_eq(out.data, three_hundred, 2);
  ck_assert_uint_eq(tmon_varint_size(127), 1);
  ck_assert_uint_eq(tmon_varint_size(128), 2);
  ck_assert_uint_eq(tmon_varint_size(UINT64_MAX), 10);
  tmon_buffer_clear(&out);
  tmon_varint_put(&out, UINT64_MAX);
  ck_assert_uint_eq(out.size, 10);
  ck_assert(tmon_varint_get(out.data, out.size, &offset, &value));
  ck_assert_uint_eq(value, UINT64_MAX);
  ck_assert_uint_eq(offset, 10);
}
END_TEST

START_TEST(varint_refuses) {
  static const uint8_t too_large[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
  static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
  uint64_t value;
  for (size_t size = 0; size <= sizeof too_large; size++) {
    size_t offset = 0;
    ck_assert(!tmon_varint_get(too_large, size, &offset, &value));
    ck_assert_uint_eq(offset, 0);
  }
  size_t offset = 0;
  ck_assert(!tmon_varint_get(endless, sizeof endless, &offset, &value));
}
END_TEST

START_TEST(int_bytes) {
  static const int64_t even[] = {10, 12, 14, 16};
  static const uint8_t even_bytes[] = {3, 0x05, 20, 4};
  static const int64_t mixed[] = {0, 3, 1, 2};
  static const uint8_t mixed_bytes[] = {3, 0x00, 0x82, 0x9c};
  static const int64_t one[] = {-3};
  static const uint8_t one_bytes[] = {1, 5};
  check_ints(even, 4);
  ck_assert_uint_eq(out.size, sizeof even_bytes);
  ck_assert_mem_eq(out.data, even_bytes, sizeof even_bytes);
  check_ints(mixed, 4);
  ck_assert_uint_eq(out.size, sizeof mixed_bytes);
  ck_assert_mem_eq(out.data, mixed_bytes, sizeof mixed_bytes);
  check_ints(one, 1);
  ck_assert_uint_eq(out.size, sizeof one_bytes);
  ck_assert_mem_eq(out.data, one_bytes, sizeof one_bytes);
  ck_assert_uint_eq(check_ints(one, 0), 1);
}
END_TEST

START_TEST(int_regular_is_small) {
  int64_t values[ROOM];
  for (size_t i = 0; i < ROOM; i++) values[i] = -77;
  ck_assert_uint_le(check_ints(values, ROOM), 5);
  for (size_t i = 0; i < ROOM; i++) values[i] = INT64_MAX - 5 + (int64_t)0;
  ck_assert_uint_le(check_ints(values, ROOM), 13);
  for (size_t i = 0; i < ROOM; i++) values[i] = 1000 + 50 * (int64_t)i;
  ck_assert_uint_le(check_ints(values, ROOM), 6);
  for (size_t i = 0; i < ROOM; i++) values[i] = (int64_t)(i * i);
  ck_assert_uint_le(check_ints(values, ROOM), 6);
}
END_TEST

/* Each width 0..64, about each of several centres, in counts around the block borders. */
START_TEST(int_round_trip) {
  static const size_t counts[] = {1, 2, 3, 4, 63, 64, 65, 66, 127, 128, 129, 300};
  static const int64_t centres[] = {0, -1, INT64_MIN, INT64_MAX, 1763735000000000};
  int64_t values[300];
  uint64_t state = (uint64_t)_i + 1;
  for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
    for (size_t m = 0; m < sizeof centres / sizeof centres[0]; m++) {
      for (size_t i = 0; i < counts[c]; i++) {
        uint64_t noise = _i == 0 ? 0 : test_random(&state) >> (64 - _i);
        values[i] = (int64_t)((uint64_t)centres[m] + noise);
      }
      size_t size = check_ints(values, counts[c]);
      /* never worse than the values as they are, plus a head a block and the kind and length */
      ck_assert_uint_le(size, counts[c] * 8 + (counts[c] / 64 + 1) * 11 + 3);
    }
  }
}
END_TEST

START_TEST(int_plan_is_exact) {
  int64_t values[300];
  uint64_t state = 42;
  for (int round = 0; round < 300; round++) {
    size_t count = test_random(&state) % 300 + 1;
    unsigned shift = (unsigned)(test_random(&state) % 64);
    int64_t x = 0;
    for (size_t i = 0; i < count; i++) {
      x = (int64_t)((uint64_t)x + (test_random(&state) >> shift));
      values[i] = round % 2 == 0 ? x : (int64_t)(test_random(&state) >> shift);
    }
    tmon_int_plan plan;
    tmon_int_plan_make(&plan, values, count);
    tmon_buffer_clear(&out);
    ck_assert_int_eq(tmon_int_write(&out, &plan, values, count), TMON_OK);
    ck_assert_uint_eq(out.size, plan.size);
  }
}
END_TEST

START_TEST(int_refuses_every_cut) {
  int64_t values[130];
  int64_t back[130];
  uint64_t state = 9;
  for (size_t i = 0; i < 130; i++) values[i] = (int64_t)(test_random(&state) >> 40);
  check_ints(values, 130);
  for (size_t size = 0; size < out.size; size++) {
    uint8_t *exact = malloc(size + 1); /* its own block, so that the sanitizer sees a read too far */
    size_t offset = 0;
    memcpy(exact, out.data, size);
    ck_assert_int_eq(tmon_codec_int_decode(back, 130, exact, size, &offset), TMON_ECORRUPT);
    free(exact);
  }
}
END_TEST

START_TEST(int_refuses_odd_bytes) {
  static const uint8_t order_three[] = {3, 0x03, 0, 0};
  static const uint8_t high_kind[] = {3, 0x0c, 0, 0};
  static const uint8_t order_of_count[] = {4, 0x06, 0, 0, 0};
  static const uint8_t wide[] = {2, 0x00, 0xc1};
  static const uint8_t trailing[] = {4, 0x05, 20, 4, 0};
  static const uint8_t nine[] = {9, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  int64_t back[4];
  size_t offset = 0;
  ck_assert_int_eq(tmon_codec_int_decode(back, 4, order_three, sizeof order_three, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_int_decode(back, 4, high_kind, sizeof high_kind, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_int_decode(back, 2, order_of_count, sizeof order_of_count, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_int_decode(back, 4, wide, sizeof wide, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_int_decode(back, 4, trailing, sizeof trailing, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_int_decode(back, 1, nine, sizeof nine, &offset), TMON_ECORRUPT);
}
END_TEST

START_TEST(value_picks_codec) {
  static const double percent[] = {0.95, 0.9512, 0.1, -0.25, 3};
  static const double counts[] = {1, 2, 3, 4503599627370496.0};
  static const double noise[] = {0.1234567890123456789, 0.7182818284590452, 0.1415926535897932};
  double single[200];
  uint64_t state = 3;
  for (size_t i = 0; i < 200; i++) single[i] = (float)(0.28 + 0.04 * test_uniform(&state));
  ck_assert_uint_eq(codec_of(percent, 5), 4); /* four decimals */
  ck_assert_uint_eq(codec_of(counts, 4), 0);
  ck_assert_uint_eq(codec_of(single, 200), 16);
  ck_assert_uint_eq(codec_of(noise, 3), 17);
  ck_assert_uint_le(check_values(single, 200), 200 * 3);
}
END_TEST

/* One value at a time and all together, for the codecs choose by the whole column. */
START_TEST(value_bits_survive) {
  static const uint64_t patterns[] = {0, 0x8000000000000000u, 1, 0x8000000000000001u, 0x000fffffffffffffu, 0x0010000000000000u, 0x7fefffffffffffffu,
      0xffefffffffffffffu, 0x7ff0000000000000u, 0xfff0000000000000u, 0x7ff8000000000000u, 0xfff8000000000000u, 0x7ff0000000000001u, 0x7ff0000020000000u,
      0xfff4000000000000u, 0x7fffffffffffffffu, 0xffffffffffffffffu, 0x3810000000000000u, 0x380fffffe0000000u, 0x36a0000000000000u, 0x47efffffe0000000u,
      0x47f0000000000000u, 0x4340000000000000u, 0x433fffffffffffffu, 0xc33fffffffffffffu, 0x3fb999999999999au, 0x3ff0000000000000u, 0x3ff0000000000001u};
  const size_t count = sizeof patterns / sizeof patterns[0];
  double all[64];
  for (size_t i = 0; i < count; i++) {
    double pair[2] = {0.5, from_bits(patterns[i])};
    all[i] = pair[1];
    check_values(&all[i], 1);
    check_values(pair, 2);
    pair[0] = all[i];
    check_values(pair, 2);
  }
  check_values(all, count);
}
END_TEST

/* A NaN among single precision values must not cost the column its codec. */
START_TEST(value_nan_stays_float32) {
  static const double values[] = {0.30000001192092896, NAN, INFINITY, -INFINITY, -0.0, 0.125};
  ck_assert_uint_eq(codec_of(values, 6), 16);
}
END_TEST

START_TEST(value_late_digit_raises_exponent) {
  double values[500];
  for (size_t i = 0; i < 500; i++) values[i] = (double)(i % 10);
  values[499] = 0.00000125;
  check_values(values, 500);
  values[499] = 1e-300;
  check_values(values, 500);
  values[499] = -0.0;
  check_values(values, 500);
  values[0] = 9e15; /* fits only with few decimals: a raise must not overflow it */
  values[499] = 0.5;
  check_values(values, 500);
}
END_TEST

START_TEST(value_random_bits) {
  double values[200];
  uint64_t state = 77;
  for (int round = 0; round < 200; round++) {
    uint64_t mask = UINT64_MAX << (test_random(&state) % 64);
    for (size_t i = 0; i < 200; i++) values[i] = from_bits(test_random(&state) & mask);
    check_values(values, 200);
  }
}
END_TEST

START_TEST(value_refuses_odd_bytes) {
  static const uint8_t none[] = {0};
  static const uint8_t unknown[] = {2, 11, 2};
  static const uint8_t wide_float[] = {9, 16, 0, 0, 0, 0, 0, 0, 0, 1};
  static const uint8_t wide_decimal[] = {9, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  double back;
  size_t offset = 0;
  ck_assert_int_eq(tmon_codec_value_decode(&back, 1, scratch, none, sizeof none, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_value_decode(&back, 1, scratch, unknown, sizeof unknown, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_value_decode(&back, 1, scratch, wide_float, sizeof wide_float, &offset), TMON_ECORRUPT);
  offset = 0;
  ck_assert_int_eq(tmon_codec_value_decode(&back, 1, scratch, wide_decimal, sizeof wide_decimal, &offset), TMON_ECORRUPT);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("codec");
  TCase *tcase = tcase_create("codec");
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, zigzag_orders_by_magnitude);
  tcase_add_test(tcase, varint_bytes);
  tcase_add_test(tcase, varint_refuses);
  tcase_add_test(tcase, int_bytes);
  tcase_add_test(tcase, int_regular_is_small);
  tcase_add_loop_test(tcase, int_round_trip, 0, 65);
  tcase_add_test(tcase, int_plan_is_exact);
  tcase_add_test(tcase, int_refuses_every_cut);
  tcase_add_test(tcase, int_refuses_odd_bytes);
  tcase_add_test(tcase, value_picks_codec);
  tcase_add_test(tcase, value_bits_survive);
  tcase_add_test(tcase, value_nan_stays_float32);
  tcase_add_test(tcase, value_late_digit_raises_exponent);
  tcase_add_test(tcase, value_random_bits);
  tcase_add_test(tcase, value_refuses_odd_bytes);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
