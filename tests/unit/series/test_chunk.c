/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of chunks: the bytes of a small one, sizes promised by the design, every cut and flip of a bit. */
#include "faults.h"
#include "series/chunk.h"
#include "trainmon/error.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>
#include <string.h>

static tmon_buffer out;
static tmon_point points[TMON_CHUNK_POINTS_MAXIMUM + 1];
static tmon_point back[TMON_CHUNK_POINTS_MAXIMUM];

static void setup(void) { tmon_buffer_init(&out, 1 << 24); }
static void teardown(void) { tmon_buffer_free(&out); }

static void fill_losses(size_t count) {
  uint64_t state = 5;
  for (size_t i = 0; i < count; i++) {
    points[i].step = 100000 + (int64_t)i;
    points[i].time = 1763735000000000 + 10000 * (int64_t)i + (int64_t)(test_random(&state) % 101) - 50;
    points[i].value = (float)(0.28 + 0.04 * test_uniform(&state));
  }
}

static void check_round_trip(size_t count) {
  size_t got = 0;
  tmon_buffer_clear(&out);
  ck_assert_int_eq(tmon_chunk_encode(&out, points, count), TMON_OK);
  ck_assert_int_eq(tmon_chunk_count(&got, out.data, out.size), TMON_OK);
  ck_assert_uint_eq(got, count);
  memset(back, 0xee, count * sizeof *back);
  ck_assert_int_eq(tmon_chunk_decode(back, count, &got, out.data, out.size), TMON_OK);
  ck_assert_uint_eq(got, count);
  ck_assert_int_eq(memcmp(back, points, count * sizeof *back), 0);
}

START_TEST(bytes_of_one_point) {
  static const uint8_t expected[] = {1, 1, 1, 2, 0, 2, 0, 2}; /* version, count, step 1, time 0, value 1 in decimal */
  points[0] = (tmon_point){1, 0, 1.0};
  check_round_trip(1);
  ck_assert_uint_eq(out.size, sizeof expected);
  ck_assert_mem_eq(out.data, expected, sizeof expected);
}
END_TEST

START_TEST(one_point_is_small) {
  points[0] = (tmon_point){8000000, 1763735000000000, 0.1234567890123456789};
  check_round_trip(1);
  ck_assert_uint_le(out.size, 24);
}
END_TEST

START_TEST(losses_take_five_bytes) {
  fill_losses(TMON_CHUNK_POINTS);
  check_round_trip(TMON_CHUNK_POINTS);
  ck_assert_uint_le(out.size, 5 * TMON_CHUNK_POINTS);
}
END_TEST

START_TEST(any_count) {
  static const size_t counts[] = {1, 2, 3, 63, 64, 65, 66, 128, 129, 1023, 1024, 1025, TMON_CHUNK_POINTS_MAXIMUM};
  fill_losses(TMON_CHUNK_POINTS_MAXIMUM);
  check_round_trip(counts[_i]);
}
END_TEST

START_TEST(extremes) {
  static const int64_t numbers[] = {INT64_MIN, INT64_MAX, 0, -1, 1, INT64_MIN + 1, INT64_MAX - 1};
  static const double values[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 5e-324, 1.7976931348623157e308};
  for (size_t i = 0; i < 343; i++) points[i] = (tmon_point){numbers[i % 7], numbers[i / 7 % 7], values[i / 49]};
  for (size_t count = 1; count <= 343; count += 19) check_round_trip(count);
}
END_TEST

START_TEST(arguments) {
  size_t got;
  fill_losses(2);
  ck_assert_int_eq(tmon_chunk_encode(&out, points, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_chunk_encode(&out, NULL, 1), TMON_EINVAL);
  ck_assert_int_eq(tmon_chunk_encode(NULL, points, 1), TMON_EINVAL);
  ck_assert_int_eq(tmon_chunk_encode(&out, points, TMON_CHUNK_POINTS_MAXIMUM + 1), TMON_EINVAL);
  ck_assert_uint_eq(out.size, 0);
  check_round_trip(2);
  ck_assert_int_eq(tmon_chunk_decode(back, 1, &got, out.data, out.size), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_chunk_decode(NULL, 1, &got, out.data, out.size), TMON_EINVAL);
  ck_assert_int_eq(tmon_chunk_decode(back, 1, &got, NULL, 0), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_chunk_count(&got, out.data, 1), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_chunk_count(NULL, out.data, out.size), TMON_EINVAL);
}
END_TEST

START_TEST(hostile_heads) {
  static const uint8_t newer[] = {2, 1, 1, 2, 0, 2, 0, 2};
  static const uint8_t nothing[] = {1, 0, 0, 0, 0};
  static const uint8_t many[] = {1, 0x81, 0x80, 0x04}; /* 65537 */
  size_t got;
  ck_assert_int_eq(tmon_chunk_decode(back, 8, &got, newer, sizeof newer), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_chunk_decode(back, 8, &got, nothing, sizeof nothing), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_chunk_count(&got, many, sizeof many), TMON_ECORRUPT);
}
END_TEST

START_TEST(every_cut_and_tail_is_refused) {
  size_t got;
  fill_losses(200);
  check_round_trip(200);
  for (size_t size = 0; size < out.size; size++) {
    uint8_t *exact = malloc(size + 1);
    memcpy(exact, out.data, size);
    ck_assert_int_eq(tmon_chunk_decode(back, 200, &got, exact, size), TMON_ECORRUPT);
    ck_assert_uint_eq(got, 0);
    free(exact);
  }
  tmon_buffer_append(&out, "", 1);
  ck_assert_int_eq(tmon_chunk_decode(back, 200, &got, out.data, out.size), TMON_ECORRUPT);
}
END_TEST

/* A flipped bit may give other numbers (the store has checksums for that), never another outcome than these two. */
START_TEST(every_flip_is_survived) {
  size_t got;
  fill_losses(100);
  check_round_trip(100);
  for (size_t bit = 0; bit < out.size * 8; bit++) {
    out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    int rc = tmon_chunk_decode(back, 100, &got, out.data, out.size);
    ck_assert(rc == TMON_OK || rc == TMON_ECORRUPT);
    out.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
}
END_TEST

/* _i is the request that fails: 12 are more than either call makes. */
START_TEST(memory_faults) {
  for (int persistent = 0; persistent < 2; persistent++) {
    faults f = {1000, false, 0};
    tmon_allocator allocator = {faults_allocate, faults_resize, faults_release, &f};
    ck_assert_int_eq(tmon_allocator_set(&allocator), TMON_OK);
    tmon_buffer buffer;
    size_t got;
    tmon_buffer_init(&buffer, 1 << 20);
    fill_losses(300);
    f.until = _i;
    f.persistent = persistent == 1;
    int rc = tmon_chunk_encode(&buffer, points, 300);
    ck_assert(rc == TMON_OK || rc == TMON_ENOMEM);
    if (_i == 0) ck_assert_int_eq(rc, TMON_ENOMEM);
    f.until = 1000;
    if (rc == TMON_OK) {
      f.until = _i;
      rc = tmon_chunk_decode(back, 300, &got, buffer.data, buffer.size);
      ck_assert_int_eq(rc, _i < 2 ? TMON_ENOMEM : TMON_OK);
    }
    tmon_buffer_free(&buffer);
    ck_assert_int_eq(f.alive, 0);
    tmon_allocator_set(NULL);
  }
}
END_TEST

START_TEST(full_buffer_is_reported) {
  tmon_buffer tiny;
  tmon_buffer_init(&tiny, 100);
  fill_losses(300);
  ck_assert_int_eq(tmon_chunk_encode(&tiny, points, 300), TMON_ELIMIT);
  tmon_buffer_free(&tiny);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("chunk");
  TCase *tcase = tcase_create("chunk");
  tcase_add_checked_fixture(tcase, setup, teardown);
  tcase_add_test(tcase, bytes_of_one_point);
  tcase_add_test(tcase, one_point_is_small);
  tcase_add_test(tcase, losses_take_five_bytes);
  tcase_add_loop_test(tcase, any_count, 0, 13);
  tcase_add_test(tcase, extremes);
  tcase_add_test(tcase, arguments);
  tcase_add_test(tcase, hostile_heads);
  tcase_add_test(tcase, every_cut_and_tail_is_refused);
  tcase_add_test(tcase, every_flip_is_survived);
  tcase_add_loop_test(tcase, memory_faults, 0, 12);
  tcase_add_test(tcase, full_buffer_is_reported);
  suite_add_tcase(suite, tcase);
  return run_suite(suite);
}
