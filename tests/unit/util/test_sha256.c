/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* SHA-256 against the examples of FIPS 180-4 and lengths around the block. */
#define _POSIX_C_SOURCE 200809L
#include "util/sha256.h"
#include "unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

START_TEST(examples) {
  char text[TMON_SHA256_TEXT_BYTES];
  tmon_sha256_text(text, "", 0);
  ck_assert_str_eq(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  tmon_sha256_text(text, "abc", 3);
  ck_assert_str_eq(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const char *longer = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  tmon_sha256_text(text, longer, strlen(longer));
  ck_assert_str_eq(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}
END_TEST

/* The answer of coreutils' sha256sum is the witness for every length around one and two blocks. */
START_TEST(lengths) {
  char data[130];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)('a' + i % 26);
  for (size_t size = 0; size <= sizeof data; size++) {
    char name[] = "/tmp/tmon-sha-XXXXXX";
    char command[128];
    char ours[TMON_SHA256_TEXT_BYTES];
    char theirs[TMON_SHA256_TEXT_BYTES] = "";
    int file = mkstemp(name);
    ck_assert_int_ge(file, 0);
    FILE *stream = fdopen(file, "wb");
    ck_assert_uint_eq(fwrite(data, 1, size, stream), size);
    fclose(stream);
    snprintf(command, sizeof command, "sha256sum %s", name);
    FILE *answer = popen(command, "r");
    ck_assert_ptr_nonnull(fgets(theirs, sizeof theirs, answer));
    pclose(answer);
    remove(name);
    tmon_sha256_text(ours, data, size);
    ck_assert_str_eq(ours, theirs);
  }
}
END_TEST

START_TEST(pieces) {
  char data[1000];
  uint8_t whole[TMON_SHA256_BYTES];
  uint8_t parts[TMON_SHA256_BYTES];
  tmon_sha256 hash;
  memset(data, 'x', sizeof data);
  tmon_sha256_begin(&hash);
  tmon_sha256_add(&hash, data, sizeof data);
  tmon_sha256_end(&hash, whole);
  for (size_t piece = 1; piece < 200; piece += 13) {
    tmon_sha256_begin(&hash);
    for (size_t at = 0; at < sizeof data; at += piece) tmon_sha256_add(&hash, data + at, sizeof data - at < piece ? sizeof data - at : piece);
    tmon_sha256_end(&hash, parts);
    ck_assert_mem_eq(parts, whole, sizeof whole);
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("sha256");
  TCase *test = tcase_create("sha256");
  tcase_add_test(test, examples);
  tcase_add_test(test, lengths);
  tcase_add_test(test, pieces);
  suite_add_tcase(suite, test);
  return run_suite(suite);
}
