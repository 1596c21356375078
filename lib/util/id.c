/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Ids: random UUIDs (RFC 9562, version 4) and their text. */
#include "util/clock.h"
#include "util/error.h"

/* Value of a hexadecimal digit, -1 for anything else. */
static int digit_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

static int hyphen_follows(int byte) { return byte == 3 || byte == 5 || byte == 7 || byte == 9; }

static int read_id(uint8_t out[16], const char *text) {
  for (int i = 0; i < 16; i++) {
    int high = digit_value(text[0]);
    int low = high < 0 ? -1 : digit_value(text[1]);
    if (low < 0) return 0;
    out[i] = (uint8_t)(high << 4 | low);
    text += 2;
    if (hyphen_follows(i) && *text++ != '-') return 0;
  }
  return *text == 0;
}

int tmon_id_make(char out[TMON_ID_BYTES]) {
  uint8_t id[16];
  out[0] = 0;
  int result = tmon_random_bytes(id, sizeof id);
  if (result) return result;
  id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
  id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
  tmon_id_format(out, id);
  return TMON_OK;
}

int tmon_id_is_valid(const char *text) {
  uint8_t id[16];
  return text && read_id(id, text);
}

int tmon_id_parse(uint8_t out[16], const char *text) {
  uint8_t id[16];
  if (!text || !read_id(id, text))
    return tmon_error_set(TMON_EINVAL, "'%.40s' is no id, a UUID such as 123e4567-e89b-42d3-a456-426614174000 was expected", text ? text : "");
  for (int i = 0; i < 16; i++) out[i] = id[i];
  return TMON_OK;
}

void tmon_id_format(char out[TMON_ID_BYTES], const uint8_t id[16]) {
  static const char digits[] = "0123456789abcdef";
  for (int i = 0; i < 16; i++) {
    *out++ = digits[id[i] >> 4];
    *out++ = digits[id[i] & 15];
    if (hyphen_follows(i)) *out++ = '-';
  }
  *out = 0;
}
