/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Text: UTF-8, keys, numbers. Times are in text_time.c. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "util/text.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_BYTES_MAXIMUM = 250 };

size_t tmon_text_next(uint32_t *codepoint, const char *text, size_t length) {
  static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
  const unsigned char *byte = (const unsigned char *)text;
  if (!length) return 0;
  size_t size = byte[0] < 0x80 ? 1 : byte[0] < 0xc2 ? 0 : byte[0] < 0xe0 ? 2 : byte[0] < 0xf0 ? 3 : byte[0] < 0xf5 ? 4 : 0;
  if (!size || size > length) return 0;
  uint32_t value = size == 1 ? byte[0] : byte[0] & (0xffu >> (size + 1));
  for (size_t i = 1; i < size; i++) {
    if ((byte[i] & 0xc0) != 0x80) return 0;
    value = value << 6 | (byte[i] & 0x3fu);
  }
  if (value < least[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
  *codepoint = value;
  return size;
}

bool tmon_text_is_utf8(const char *text, size_t length) {
  uint32_t codepoint;
  while (length) {
    size_t size = tmon_text_next(&codepoint, text, length);
    if (!size) return false;
    text += size;
    length -= size;
  }
  return true;
}

bool tmon_text_is_key(const char *key) {
  if (!key) return false;
  size_t length = strnlen(key, KEY_BYTES_MAXIMUM + 1);
  if (length < 1 || length > KEY_BYTES_MAXIMUM) return false;
  while (length) {
    uint32_t codepoint;
    size_t size = tmon_text_next(&codepoint, key, length);
    if (!size || codepoint < 0x20 || (codepoint >= 0x7f && codepoint <= 0x9f)) return false;
    key += size;
    length -= size;
  }
  return true;
}

bool tmon_text_to_int(const char *text, int64_t *out) {
  if (!text) return false;
  bool negative = *text == '-';
  if (*text == '-' || *text == '+') text++;
  if (!*text) return false;
  /* Counted downwards: the negative range is the larger one. */
  int64_t value = 0;
  for (; *text; text++) {
    if (*text < '0' || *text > '9') return false;
    int digit = *text - '0';
    if (value < (INT64_MIN + digit) / 10) return false;
    value = value * 10 - digit;
  }
  if (!negative && value == INT64_MIN) return false;
  *out = negative ? value : -value;
  return true;
}

/* True for [+-]digits[.digits][e[+-]digits] with at least one digit before or after the point: keeps out what strtod takes beyond that. */
static bool is_decimal(const char *text) {
  static const char digits[] = "0123456789";
  text += *text == '-' || *text == '+';
  size_t whole = strspn(text, digits);
  text += whole;
  size_t fraction = 0;
  if (*text == '.') {
    fraction = strspn(text + 1, digits);
    text += 1 + fraction;
  }
  if (!whole && !fraction) return false;
  if (*text == 'e' || *text == 'E') {
    text++;
    text += *text == '-' || *text == '+';
    size_t exponent = strspn(text, digits);
    if (!exponent) return false;
    text += exponent;
  }
  return *text == 0;
}

/* The thread's locale becomes "C" until uselocale(result); glibc's object for it is static, so this costs no allocation. */
static locale_t enter_plain_locale(locale_t *plain) {
  *plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  return *plain ? uselocale(*plain) : (locale_t)0;
}

static void leave_plain_locale(locale_t plain, locale_t before) {
  if (!plain) return;
  uselocale(before);
  freelocale(plain);
}

bool tmon_text_to_double(const char *text, double *out) {
  if (!text || !is_decimal(text)) return false;
  locale_t plain;
  locale_t before = enter_plain_locale(&plain);
  char *end = NULL;
  double value = strtod(text, &end);
  leave_plain_locale(plain, before);
  if (*end || !isfinite(value)) return false;
  *out = value;
  return true;
}

void tmon_text_from_double(char out[TMON_DOUBLE_BYTES], double value) {
  if (!isfinite(value)) {
    (void)snprintf(out, TMON_DOUBLE_BYTES, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
    return;
  }
  locale_t plain;
  locale_t before = enter_plain_locale(&plain);
  (void)snprintf(out, TMON_DOUBLE_BYTES, "%.15g", value);
  double again = strtod(out, NULL);
  if (again < value || again > value) (void)snprintf(out, TMON_DOUBLE_BYTES, "%.17g", value);
  leave_plain_locale(plain, before);
}

bool tmon_text_copy(char *out, size_t size, const char *text) {
  if (!out || !size) return false;
  size_t length = text ? strnlen(text, size) : 0;
  bool fits = length < size;
  if (!fits) {
    length = size - 1;
    for (int i = 0; i < 3 && length && ((unsigned char)text[length] & 0xc0) == 0x80; i++) length--;
  }
  if (length) memmove(out, text, length);
  out[length] = 0;
  return fits;
}
