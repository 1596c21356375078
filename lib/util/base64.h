/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Base64 (RFC 4648, section 4), strict. */
#ifndef TRAINMON_UTIL_BASE64_H
#define TRAINMON_UTIL_BASE64_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMON_BASE64_DECODED_BYTES(length) ((length) / 4 * 3)

/* `out` takes TMON_BASE64_DECODED_BYTES(length) bytes. False: another character, a length or padding that does not fit, or bits that are left over. */
bool tmon_base64_decode(uint8_t *out, size_t *size, const char *text, size_t length);
#endif
