/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Base64 with one text for each content: no line breaks, padding where it belongs, no bits left over. */
#include "util/base64.h"

/* 0..63, or -1. */
static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

bool tmon_base64_decode(uint8_t *out, size_t *size, const char *text, size_t length) {
  *size = 0;
  if (length % 4 != 0) return false;
  size_t padding = 0;
  if (length > 0 && text[length - 1] == '=') padding = text[length - 2] == '=' ? 2 : 1;
  size_t used = 0;
  for (size_t at = 0; at < length; at += 4) {
    size_t absent = at + 4 == length ? padding : 0;
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; i++) {
      int value = i < 4 - absent ? value_of(text[at + i]) : 0;
      if (value < 0) return false;
      bits = bits << 6 | (uint32_t)value;
    }
    if ((absent == 1 && (bits & 0xFF) != 0) || (absent == 2 && (bits & 0xFFFF) != 0)) return false;
    for (size_t i = 0; i < 3 - absent; i++) out[used++] = (uint8_t)(bits >> (16 - 8 * i));
  }
  *size = used;
  return true;
}
