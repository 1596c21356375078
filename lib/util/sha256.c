/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* SHA-256 after FIPS 180-4, sections 4.1.2, 5 and 6.2. The names of the variables are those of the standard. */
#include "util/sha256.h"

#include <string.h>

static const uint32_t K[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138,
    0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
    0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f,
    0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static uint32_t load(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

static void take_block(tmon_sha256 *hash, const uint8_t *block) {
  uint32_t w[64];
  uint32_t s[8];
  for (unsigned t = 0; t < 16; t++) w[t] = load(block + 4 * t);
  for (unsigned t = 16; t < 64; t++) {
    uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
    uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  memcpy(s, hash->state, sizeof s);
  for (unsigned t = 0; t < 64; t++) {
    uint32_t t1 = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[t] + w[t];
    uint32_t t2 = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += t1;
    s[0] = t1 + t2;
  }
  for (unsigned i = 0; i < 8; i++) hash->state[i] += s[i];
}

void tmon_sha256_begin(tmon_sha256 *hash) {
  static const uint32_t first[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, first, sizeof first);
  hash->size = 0;
}

void tmon_sha256_add(tmon_sha256 *hash, const void *data, size_t size) {
  const uint8_t *at = data;
  while (size > 0) {
    size_t used = hash->size % sizeof hash->block;
    size_t taken = sizeof hash->block - used;
    if (taken > size) taken = size;
    memcpy(hash->block + used, at, taken);
    if (used + taken == sizeof hash->block) take_block(hash, hash->block);
    hash->size += taken;
    at += taken;
    size -= taken;
  }
}

void tmon_sha256_end(tmon_sha256 *hash, uint8_t out[TMON_SHA256_BYTES]) {
  static const uint8_t padding[64] = {0x80};
  uint64_t bits = hash->size * 8;
  uint8_t length[8];
  for (unsigned i = 0; i < 8; i++) length[i] = (uint8_t)(bits >> (56 - 8 * i));
  size_t used = hash->size % 64;
  tmon_sha256_add(hash, padding, used < 56 ? 56 - used : 120 - used);
  tmon_sha256_add(hash, length, sizeof length);
  for (unsigned i = 0; i < TMON_SHA256_BYTES; i++) out[i] = (uint8_t)(hash->state[i / 4] >> (24 - 8 * (i % 4)));
}

void tmon_sha256_text(char out[TMON_SHA256_TEXT_BYTES], const void *data, size_t size) {
  static const char digits[] = "0123456789abcdef";
  tmon_sha256 hash;
  uint8_t bytes[TMON_SHA256_BYTES];
  tmon_sha256_begin(&hash);
  tmon_sha256_add(&hash, data, size);
  tmon_sha256_end(&hash, bytes);
  for (unsigned i = 0; i < TMON_SHA256_BYTES; i++) {
    out[2 * i] = digits[bytes[i] >> 4];
    out[2 * i + 1] = digits[bytes[i] & 15];
  }
  out[2 * TMON_SHA256_BYTES] = '\0';
}
