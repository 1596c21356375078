/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Type and size of a picture from its header. Hostile input: each reader asks `take` for a range before it touches it, and the walk over JPEG segments moves
 * forward by at least two bytes a step. Types that a browser may run (SVG, HTML, XML, PDF) are not in the list, so they are refused.
 */
#include "util/media_type.h"

#include <stdbool.h>
#include <string.h>

typedef struct bytes {
  const uint8_t *data;
  size_t size;
} bytes;

/* The range of `count` bytes at `at`, or NULL where the data ends before. */
static const uint8_t *take(bytes of, size_t at, size_t count) { return at <= of.size && count <= of.size - at ? of.data + at : NULL; }

static uint32_t big16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
static uint32_t little16(const uint8_t *at) { return (uint32_t)at[1] << 8 | at[0]; }
static uint32_t little24(const uint8_t *at) { return little16(at) | (uint32_t)at[2] << 16; }
static uint32_t big32(const uint8_t *at) { return big16(at) << 16 | big16(at + 2); }
static uint32_t little32(const uint8_t *at) { return little16(at) | little16(at + 2) << 16; }

static bool starts(bytes of, const char *with, size_t count) {
  const uint8_t *at = take(of, 0, count);
  return at != NULL && memcmp(at, with, count) == 0;
}

static bool read_png(bytes of, uint32_t *width, uint32_t *height) {
  const uint8_t *at = take(of, 8, 25); /* IHDR with its checksum comes first, by the standard */
  if (at == NULL || big32(at) != 13 || memcmp(at + 4, "IHDR", 4) != 0) return false;
  *width = big32(at + 8);
  *height = big32(at + 12);
  return true;
}

static bool read_gif(bytes of, uint32_t *width, uint32_t *height) {
  const uint8_t *at = take(of, 6, 7);
  if (at == NULL) return false;
  *width = little16(at);
  *height = little16(at + 2);
  return true;
}

static bool read_bmp(bytes of, uint32_t *width, uint32_t *height) {
  const uint8_t *at = take(of, 0, 26);
  if (at == NULL) return false;
  uint32_t head = little32(at + 14);
  if (head == 12) {
    *width = little16(at + 18);
    *height = little16(at + 20);
    return true;
  }
  if (head < 40 || head > 124 || take(of, 14, head) == NULL) return false;
  *width = little32(at + 18);
  *height = little32(at + 22);
  if (*height > INT32_MAX) *height = 0u - *height; /* negative: the rows run from the top */
  return true;
}

static bool read_webp(bytes of, uint32_t *width, uint32_t *height) {
  const uint8_t *at = take(of, 12, 13);
  if (at == NULL) return false;
  if (memcmp(at, "VP8L", 4) == 0 && at[8] == 0x2F) {
    uint32_t bits = little32(at + 9);
    *width = (bits & 0x3FFF) + 1;
    *height = (bits >> 14 & 0x3FFF) + 1;
    return true;
  }
  if (take(of, 12, 18) == NULL) return false;
  if (memcmp(at, "VP8X", 4) == 0) {
    *width = little24(at + 12) + 1;
    *height = little24(at + 15) + 1;
    return true;
  }
  if (memcmp(at, "VP8 ", 4) == 0 && memcmp(at + 11, "\x9D\x01\x2A", 3) == 0) {
    *width = little16(at + 14) & 0x3FFF;
    *height = little16(at + 16) & 0x3FFF;
    return true;
  }
  return false;
}

/* Start-of-frame markers but for those of the same row that mean something else: DHT, JPG, DAC. */
static bool is_frame(uint8_t marker) { return marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC; }

static bool read_jpeg(bytes of, uint32_t *width, uint32_t *height) {
  size_t at = 2;
  for (;;) {
    const uint8_t *marker = take(of, at, 2);
    if (marker == NULL || marker[0] != 0xFF) return false;
    if (marker[1] == 0xFF) { /* padding */
      at++;
      continue;
    }
    const uint8_t *segment = take(of, at + 2, 2);
    if (segment == NULL || marker[1] == 0xDA || marker[1] == 0xD9 || big16(segment) < 2) return false;
    if (is_frame(marker[1])) {
      segment = take(of, at + 2, 8);
      if (segment == NULL || big16(segment) < 8) return false;
      *height = big16(segment + 3);
      *width = big16(segment + 5);
      return true;
    }
    at += 2 + (size_t)big16(segment);
  }
}

const char *tmon_media_type(uint32_t *width, uint32_t *height, const void *data, size_t size) {
  static const struct {
    const char *magic;
    size_t length;
    const char *type;
    bool (*read)(bytes of, uint32_t *width, uint32_t *height);
  } kinds[] = {
      {"\xFF\xD8\xFF", 3, "image/jpeg", read_jpeg},
      {"\x89PNG\r\n\x1A\n", 8, "image/png", read_png},
      {"RIFF", 4, "image/webp", read_webp},
      {"GIF87a", 6, "image/gif", read_gif},
      {"GIF89a", 6, "image/gif", read_gif},
      {"BM", 2, "image/bmp", read_bmp},
  };
  bytes of = {data, data == NULL ? 0 : size};
  *width = *height = 0;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (!starts(of, kinds[i].magic, kinds[i].length)) continue;
    if (kinds[i].read == read_webp && (take(of, 8, 4) == NULL || memcmp(of.data + 8, "WEBP", 4) != 0)) return NULL;
    bool known = kinds[i].read(of, width, height) && *width > 0 && *height > 0 && *width <= TMON_MEDIA_SIDE_MAXIMUM && *height <= TMON_MEDIA_SIDE_MAXIMUM;
    if (!known) *width = *height = 0;
    return known ? kinds[i].type : NULL;
  }
  return NULL;
}
