/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* SHA-256 (FIPS 180-4): names of stored files. Ours, so that a trainer that only logs loads no cryptographic library. */
#ifndef TRAINMON_UTIL_SHA256_H
#define TRAINMON_UTIL_SHA256_H
#include <stddef.h>
#include <stdint.h>

#define TMON_SHA256_BYTES 32
#define TMON_SHA256_TEXT_BYTES 65 /* hexadecimal, lower case, with the final NUL */

typedef struct tmon_sha256 {
  uint32_t state[8];
  uint64_t size; /* bytes taken so far */
  uint8_t block[64];
} tmon_sha256;

void tmon_sha256_begin(tmon_sha256 *hash);
void tmon_sha256_add(tmon_sha256 *hash, const void *data, size_t size);
void tmon_sha256_end(tmon_sha256 *hash, uint8_t out[TMON_SHA256_BYTES]);
void tmon_sha256_text(char out[TMON_SHA256_TEXT_BYTES], const void *data, size_t size);
#endif
