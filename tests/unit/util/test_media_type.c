/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Types by first bytes: heads as the standards write them, every cut of them, and what must be refused. */
#include "util/media_type.h"
#include "unit/suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

typedef struct sample {
  const char *type;
  uint32_t width;
  uint32_t height;
  const char *data;
  size_t size;
} sample;

#define HEAD(text) text, sizeof text - 1
static const sample samples[] = {
    {"image/png", 300, 200, HEAD("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\x01\x2C\0\0\0\xC8\x08\x02\0\0\0\xAA\xBB\xCC\xDD")},
    {"image/gif", 5, 258, HEAD("GIF89a\x05\0\x02\x01\x80\0\0")},
    {"image/gif", 5, 2, HEAD("GIF87a\x05\0\x02\0\x80\0\0")},
    {"image/bmp", 3, 2, HEAD("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x03\0\0\0\x02\0\0\0\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
    {"image/bmp", 3, 2,
        HEAD("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x03\0\0\0\xFE\xFF\xFF\xFF\x01\0\x18\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0")},
    {"image/webp", 16, 8, HEAD("RIFF\x1A\0\0\0WEBPVP8L\x0D\0\0\0\x2F\x0F\xC0\x01\0")},
    {"image/webp", 1000, 2, HEAD("RIFF\x1A\0\0\0WEBPVP8X\x0A\0\0\0\0\0\0\0\xE7\x03\0\x01\0\0")},
    {"image/webp", 64, 32, HEAD("RIFF\x1A\0\0\0WEBPVP8 \x0E\0\0\0\x10\0\0\x9D\x01\x2A\x40\0\x20\0")},
    {"image/jpeg", 640, 480, HEAD("\xFF\xD8\xFF\xE0\0\x04JF\xFF\xFF\xC2\0\x11\x08\x01\xE0\x02\x80\x03")},
};

static const char *type_of(const char *data, size_t size, uint32_t *width, uint32_t *height) {
  /* A copy of the exact size: a sanitizer sees a byte beyond. */
  char *exact = malloc(size + (size == 0));
  memcpy(exact, data, size);
  const char *type = tmon_media_type(width, height, exact, size);
  free(exact);
  return type;
}

START_TEST(heads_are_read) {
  uint32_t width = 0;
  uint32_t height = 0;
  const char *type = type_of(samples[_i].data, samples[_i].size, &width, &height);
  ck_assert_ptr_nonnull(type);
  ck_assert_str_eq(type, samples[_i].type);
  ck_assert_uint_eq(width, samples[_i].width);
  ck_assert_uint_eq(height, samples[_i].height);
}
END_TEST

START_TEST(a_cut_head_is_refused) {
  uint32_t width = 0;
  uint32_t height = 0;

  for (size_t size = 0; size < samples[_i].size; size++) ck_assert_msg(!type_of(samples[_i].data, size, &width, &height), "%zu bytes were enough", size);
}
END_TEST

START_TEST(what_is_no_picture) {
  static const sample bad[] = {
      {NULL, 0, 0, HEAD("<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")},
      {NULL, 0, 0, HEAD("<!DOCTYPE html><script>alert(1)</script>")},
      {NULL, 0, 0, HEAD("%PDF-1.7                                ")},
      {NULL, 0, 0, HEAD("RIFF\x1A\0\0\0WAVEfmt \x0D\0\0\0\x2F\x0F\xC0\x01\0\0\0\0\0")},
      {NULL, 0, 0, HEAD("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\0\0\0\0\xC8\x08\x02\0\0\0\xAA\xBB\xCC\xDD")},         /* no width */
      {NULL, 0, 0, HEAD("\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\x7F\xFF\xFF\xFF\0\0\0\xC8\x08\x02\0\0\0\xAA\xBB\xCC\xDD")}, /* a bomb */
      {NULL, 0, 0, HEAD("\xFF\xD8\xFF\xE0\0\x00\xFF\xC0\0\x11\x08\x01\xE0\x02\x80")},                                /* a segment of no length */
      {NULL, 0, 0, HEAD("\xFF\xD8\xFF\xDA\0\x02\xFF\xC0\0\x11\x08\x01\xE0\x02\x80")},                                /* pixels before the frame */
      {NULL, 0, 0, HEAD("\xFF\xD8\xFF\xC4\0\x02\xFF\xD9")},
      {NULL, 0, 0, HEAD("BMW is a car, and this is a text that begins like a picture")},
  };
  uint32_t width = 1;
  uint32_t height = 1;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!type_of(bad[i].data, bad[i].size, &width, &height), "sample %zu was taken", i);
  ck_assert_ptr_null(tmon_media_type(&width, &height, NULL, 9));
}
END_TEST

/* Every byte of every head in every value, and runs of padding: it ends, and reads nothing beyond. */
START_TEST(changed_heads_do_no_harm) {
  char data[128];
  for (size_t at = 0; at < samples[_i].size; at++) {
    for (unsigned value = 0; value < 256; value++) {
      uint32_t width = 0;
      uint32_t height = 0;
      memcpy(data, samples[_i].data, samples[_i].size);
      data[at] = (char)value;
      const char *type = type_of(data, samples[_i].size, &width, &height);
      ck_assert((type != NULL) == (width > 0 && height > 0));
      ck_assert(width <= TMON_MEDIA_SIDE_MAXIMUM && height <= TMON_MEDIA_SIDE_MAXIMUM);
    }
  }
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/media_type");
  TCase *tests = tcase_create("media_type");
  int count = (int)(sizeof samples / sizeof *samples);
  tcase_add_loop_test(tests, heads_are_read, 0, count);
  tcase_add_loop_test(tests, a_cut_head_is_refused, 0, count);
  tcase_add_test(tests, what_is_no_picture);
  tcase_add_loop_test(tests, changed_heads_do_no_harm, 0, count);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
