/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Text: UTF-8, numbers, times. */
#ifndef TRAINMON_UTIL_TEXT_H
#define TRAINMON_UTIL_TEXT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool tmon_text_is_utf8(const char *text, size_t length); /* strict: no surrogates, no overlong forms */
bool tmon_text_is_key(const char *key);                  /* UTF-8, 1..250 bytes, no control characters */
bool tmon_text_to_int(const char *text, int64_t *out);   /* whole text, decimal; false on junk or overflow */
bool tmon_text_to_double(const char *text, double *out); /* whole text, C locale, decimal; false when not finite */
#define TMON_DOUBLE_BYTES 32
void tmon_text_from_double(char out[TMON_DOUBLE_BYTES], double value);       /* shortest of %.15g, %.17g that reads back, C locale; nan, inf, -inf */
size_t tmon_text_next(uint32_t *codepoint, const char *text, size_t length); /* bytes of the first character, 0 when it is not UTF-8 */
bool tmon_text_copy(char *out, size_t size, const char *text);               /* false when it did not fit (then cut at a character) */
#define TMON_ISO_TIME_BYTES 28
void tmon_text_from_time(char out[TMON_ISO_TIME_BYTES], int64_t time_us); /* 2025-01-15T10:30:45.123456Z, fixed width, UTC, years 0..9999 */
bool tmon_text_to_time(const char *text, int64_t *out_us);                /* ISO 8601 with Z or an offset, 0..9 digits of fraction, date alone too */
#endif
