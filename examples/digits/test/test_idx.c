/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The IDX reader on good files, plain and gzip, and on headers that lie. */
#define _POSIX_C_SOURCE 200809L
#include "idx.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

static char folder[] = "/tmp/digits_idx_XXXXXX";
static char error[DATASET_ERROR_SIZE];
static image_set set;

static const char *path_of(const char *name) {
  static char path[256];
  snprintf(path, sizeof(path), "%s/%s", folder, name);
  return path;
}

static void begin(void) {
  memcpy(folder + sizeof(folder) - 7, "XXXXXX", 6);
  ck_assert_ptr_nonnull(mkdtemp(folder));
  error[0] = '\0';
}

static void end(void) {
  static const char *const names[] = {"file", "train-images-idx3-ubyte", "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) unlink(path_of(names[i]));
  rmdir(folder);
  free(set.pixels);
  free(set.labels);
  set = (image_set){0};
}

static void write_file(const char *name, const void *bytes, size_t size, bool packed) {
  gzFile file = gzopen(path_of(name), packed ? "wb" : "wbT");
  ck_assert_ptr_nonnull(file);
  if (size > 0) ck_assert_int_eq(gzwrite(file, bytes, (unsigned)size), (int)size);
  ck_assert_int_eq(gzclose(file), Z_OK);
}

/* Two images of 1 x 3. */
static const uint8_t good_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};
static const uint8_t good_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};

START_TEST(good_files_are_read) {
  write_file(_i == 0 ? "train-images-idx3-ubyte" : "train-images-idx3-ubyte.gz", good_images, sizeof(good_images), _i == 1);
  write_file("train-labels-idx1-ubyte", good_labels, sizeof(good_labels), false);
  ck_assert_msg(idx_read_pair(&set, folder, "train", error), "%s", error);
  ck_assert_uint_eq(set.count, 2);
  ck_assert_uint_eq(set.rows, 1);
  ck_assert_uint_eq(set.columns, 3);
  ck_assert_mem_eq(set.pixels, good_images + 16, 6);
  ck_assert_mem_eq(set.labels, good_labels + 8, 2);
}
END_TEST

START_TEST(counts_must_agree) {
  const uint8_t three[] = {0, 0, 8, 1, 0, 0, 0, 3, 7, 9, 1};
  write_file("train-images-idx3-ubyte", good_images, sizeof(good_images), false);
  write_file("train-labels-idx1-ubyte", three, sizeof(three), false);
  ck_assert(!idx_read_pair(&set, folder, "train", error));
  ck_assert_ptr_nonnull(strstr(error, "3 labels found, expected 2"));
  ck_assert_ptr_null(set.pixels);
}
END_TEST

START_TEST(a_missing_file_is_named) {
  ck_assert(!idx_read_pair(&set, folder, "train", error));
  ck_assert_ptr_nonnull(strstr(error, "train-images-idx3-ubyte"));
}
END_TEST

static const struct hostile {
  uint8_t bytes[24];
  size_t size;
  const char *says;
} hostile[] = {
    {{0}, 0, "header of 0 bytes"},
    {{0, 0, 8, 3, 0, 0, 0, 2}, 8, "header of 8 bytes"},
    {{0, 0, 8, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}, 22, "starts with 0x00000801"},
    {{0, 0, 13, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}, 22, "starts with 0x00000d03"},
    {{0, 0, 8, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3}, 16, "0 images"},
    {{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3}, 16, "of 0 x 3"},
    /* 65,536 * 65,536 * 16 is 0 in 32 bit and 2^36 in 64 bit */
    {{0, 0, 8, 3, 0, 0, 0, 16, 0, 1, 0, 0, 0, 1, 0, 0}, 16, "of 65536 x 65536"},
    {{0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}, 16, "4294967295 images"},
    {{0, 0, 8, 3, 0, 152, 150, 128, 0, 0, 4, 0, 0, 0, 4, 0}, 16, "2 GiB in all"},
    /* within the limits, but nearly 2 GiB are promised and none are there */
    {{0, 0, 8, 3, 0, 0, 7, 255, 0, 0, 4, 0, 0, 0, 4, 0}, 16, "0 bytes of data found"},
    {{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5}, 21, "5 bytes of data found, expected 6"},
    {{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6, 7}, 23, "more data found"},
};

START_TEST(lying_headers_are_refused) {
  write_file("file", hostile[_i].bytes, hostile[_i].size, false);
  ck_assert(!idx_read_images(&set, path_of("file"), error));
  ck_assert_msg(strstr(error, hostile[_i].says) != NULL, "found \"%s\", expected \"%s\"", error, hostile[_i].says);
  ck_assert_ptr_null(set.pixels);
}
END_TEST

/* Memory follows what is in the file, not what its header promises. */
START_TEST(a_promise_of_two_gigabytes_takes_no_memory) {
  struct rusage usage;
  write_file("file", hostile[9].bytes, hostile[9].size, false);
  ck_assert(!idx_read_images(&set, path_of("file"), error));
  ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
  ck_assert_int_lt(usage.ru_maxrss, 256 * 1024);
}
END_TEST

START_TEST(labels_are_checked_too) {
  const uint8_t many[] = {0, 0, 8, 1, 255, 255, 255, 255, 1};
  const uint8_t few[] = {0, 0, 8, 1, 0, 0, 0, 2, 1};
  write_file("file", many, sizeof(many), false);
  ck_assert(!idx_read_labels(&set, path_of("file"), error));
  ck_assert_ptr_nonnull(strstr(error, "4294967295 labels"));
  write_file("file", few, sizeof(few), false);
  ck_assert(!idx_read_labels(&set, path_of("file"), error));
  ck_assert_ptr_nonnull(strstr(error, "1 bytes of data found, expected 2"));
  ck_assert_ptr_null(set.labels);
}
END_TEST

START_TEST(a_cut_gzip_file_is_refused) {
  uint8_t bytes[512];
  write_file("file", good_images, sizeof(good_images), true);
  FILE *file = fopen(path_of("file"), "rb");
  ck_assert_ptr_nonnull(file);
  size_t size = fread(bytes, 1, sizeof(bytes), file);
  fclose(file);
  for (size_t kept = 0; kept < size; kept++) {
    file = fopen(path_of("file"), "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, kept, file), kept);
    fclose(file);
    ck_assert_msg(!idx_read_images(&set, path_of("file"), error), "%zu of %zu bytes were taken for a whole file", kept, size);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("digits/idx");
  TCase *cases = tcase_create("idx");
  tcase_set_timeout(cases, 60); /* a busy machine may stand still for the 4 s of the default */
  tcase_add_checked_fixture(cases, begin, end);
  tcase_add_loop_test(cases, good_files_are_read, 0, 2);
  tcase_add_test(cases, counts_must_agree);
  tcase_add_test(cases, a_missing_file_is_named);
  tcase_add_loop_test(cases, lying_headers_are_refused, 0, (int)(sizeof(hostile) / sizeof(hostile[0])));
  tcase_add_test(cases, a_promise_of_two_gigabytes_takes_no_memory);
  tcase_add_test(cases, labels_are_checked_too);
  tcase_add_test(cases, a_cut_gzip_file_is_refused);
  suite_add_tcase(suite, cases);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
