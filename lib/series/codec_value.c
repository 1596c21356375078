/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The value codec: doubles become integers in one of three ways and go through the integer codec; every bit comes back.
 *
 * Decimal: v = k / 10^e with one small e for all (accuracies, learning rates, counts). Float32: what a trainer computed in single precision.
 * Float64: all else. The last two map the bits to integers in the order of the numbers, so that neighbours are close. All but the decimal
 * check and division is integer work, because trainers turn on flush-to-zero and a NaN's payload must not pass through the FPU. Rejected: XOR
 * codecs (Gorilla), which spend about as many bits on noise and read slower.
 */
#include "series/codec.h"
#include "trainmon/error.h"
#include "util/error.h"

#include <string.h>

#define DECIMALS 11u
#define CODEC_FLOAT32 16u
#define CODEC_FLOAT64 17u
#define EXACT 9007199254740992.0 /* 2^53 */
#define PROBES 16u

static const double power10[DECIMALS] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10};

static uint64_t bits_from(double v) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

static double from_bits(uint64_t bits) {
  double v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

/* Whether v is k / 10^e to the last bit. The comparison refuses what rounding got wrong, -0 included; NaN and what is too large fail the bound. */
static bool decimal_fits(double v, unsigned e, int64_t *k) {
  double scaled = v * power10[e];
  if (!(scaled > -EXACT && scaled < EXACT)) return false;
  int64_t nearest = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
  if (nearest <= -((int64_t)1 << 53) || nearest >= (int64_t)1 << 53) return false;
  *k = nearest;
  return bits_from((double)nearest / power10[e]) == bits_from(v);
}

/* The smallest exponent for all. If k / 10^e is v, so is 10 k / 10^(e + 1), so a value only ever raises the exponent; those before it are then
 * converted again. A few values are tried first: on noise the answer comes after eleven divisions. */
static bool map_decimal(int64_t *out, const double *values, size_t count, unsigned *exponent) {
  unsigned e = 0;
  int64_t k;
  size_t stride = count / PROBES + 1;
  for (size_t i = 0; i < count; i += stride) {
    while (!decimal_fits(values[i], e, &k)) {
      if (++e == DECIMALS) return false;
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (decimal_fits(values[i], e, &out[i])) continue;
    do {
      if (++e == DECIMALS) return false;
    } while (!decimal_fits(values[i], e, &k));
    for (size_t j = 0; j <= i; j++) {
      if (!decimal_fits(values[j], e, &out[j])) return false;
    }
  }
  *exponent = e;
  return true;
}

/* Negative numbers have their magnitude bits turned, which puts all in order; doing it twice gives the bits back. */
static int32_t order32(uint32_t bits) { return (int32_t)(bits ^ ((0u - (bits >> 31)) & 0x7fffffffu)); }
static int64_t order64(uint64_t bits) { return (int64_t)(bits ^ ((0 - (bits >> 63)) & 0x7fffffffffffffffu)); }
static uint32_t unorder32(int32_t v) { return (uint32_t)order32((uint32_t)v); }
static uint64_t unorder64(int64_t v) { return (uint64_t)order64((uint64_t)v); }

/* Float32's subnormal numbers are refused: below 1.2e-38 nobody trains. */
static bool float32_fits(uint64_t bits, uint32_t *out) {
  if ((bits & 0x1fffffffu) != 0) return false;
  uint32_t sign = (uint32_t)(bits >> 32) & 0x80000000u;
  uint32_t exponent = (uint32_t)(bits >> 52) & 0x7ffu;
  uint32_t fraction = (uint32_t)(bits >> 29) & 0x7fffffu;
  if (exponent == 0) {
    *out = sign;
    return fraction == 0;
  }
  if (exponent == 0x7ff) {
    *out = sign | 0x7f800000u | fraction;
    return true;
  }
  *out = sign | (exponent - 896u) << 23 | fraction;
  return exponent >= 897u && exponent <= 1150u;
}

static bool map_float32(int64_t *out, const double *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    uint32_t bits;
    if (!float32_fits(bits_from(values[i]), &bits)) return false;
    out[i] = order32(bits);
  }
  return true;
}

/* Every pattern of 32 bits has its double, so that hostile bytes give odd numbers at worst. */
static double widen(uint32_t bits) {
  uint64_t sign = (uint64_t)(bits & 0x80000000u) << 32;
  uint32_t exponent = bits >> 23 & 0xffu;
  uint64_t fraction = (uint64_t)(bits & 0x7fffffu) << 29;
  if (exponent == 0) return from_bits(sign | fraction);
  uint64_t wide = exponent == 0xff ? 0x7ffu : (uint64_t)exponent + 896u;
  return from_bits(sign | wide << 52 | fraction);
}

int tmon_codec_value_encode(tmon_buffer *out, const double *values, size_t count, int64_t *scratch) {
  int64_t *other = scratch + count;
  const int64_t *mapped = scratch;
  unsigned codec;
  tmon_int_plan plan;
  tmon_int_plan second;
  bool decimal = map_decimal(scratch, values, count, &codec);
  if (decimal) tmon_int_plan_make(&plan, scratch, count);
  unsigned other_codec = CODEC_FLOAT32;
  if (!map_float32(other, values, count)) {
    other_codec = CODEC_FLOAT64;
    for (size_t i = 0; i < count; i++) other[i] = order64(bits_from(values[i]));
  }
  tmon_int_plan_make(&second, other, count);
  if (!decimal || second.size < plan.size) {
    codec = other_codec;
    mapped = other;
    plan = second;
  }
  uint8_t head = (uint8_t)codec;
  tmon_varint_put(out, plan.size + 1);
  tmon_buffer_append(out, &head, 1);
  return tmon_int_write(out, &plan, mapped, count);
}

static int unmap(double *values, const int64_t *mapped, size_t count, unsigned codec) {
  bool odd = false;
  if (codec == CODEC_FLOAT64) {
    for (size_t i = 0; i < count; i++) values[i] = from_bits(unorder64(mapped[i]));
  } else if (codec == CODEC_FLOAT32) {
    for (size_t i = 0; i < count; i++) {
      odd |= mapped[i] != (int32_t)mapped[i];
      values[i] = widen(unorder32((int32_t)mapped[i]));
    }
  } else {
    double power = power10[codec];
    for (size_t i = 0; i < count; i++) {
      odd |= mapped[i] <= -((int64_t)1 << 53) || mapped[i] >= (int64_t)1 << 53;
      values[i] = (double)mapped[i] / power;
    }
  }
  return odd ? tmon_error_set(TMON_ECORRUPT, "a packed value is outside the range of its codec %u", codec) : TMON_OK;
}

int tmon_codec_value_decode(double *values, size_t count, int64_t *scratch, const uint8_t *data, size_t size, size_t *offset) {
  const uint8_t *column = NULL;
  size_t column_size = 0;
  int rc = tmon_codec_column(&column, &column_size, data, size, offset);
  if (rc != TMON_OK) return rc;
  if (column_size == 0) return tmon_error_set(TMON_ECORRUPT, "a column of values has no codec byte");
  unsigned codec = column[0];
  if (codec >= DECIMALS && codec != CODEC_FLOAT32 && codec != CODEC_FLOAT64) return tmon_error_set(TMON_ECORRUPT, "value codec %u is not known", codec);
  rc = tmon_int_read(scratch, count, column + 1, column_size - 1);
  return rc != TMON_OK ? rc : unmap(values, scratch, count, codec);
}
