/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The integer codec: residuals of one of three predictors, bit-packed in blocks.
 *
 * The predictors are the differences of order 0, 1 and 2, in wrap-around arithmetic on uint64_t, so that any int64_t goes in and comes out. Each block
 * of 64 positions holds its smallest residual (the base) and the rest above it in as many bits as the largest needs. Which order is used is decided by
 * the exact size of the result, never by a guess. Bases make a zigzag of the residuals unnecessary: a jittering clock costs the range of its jitter,
 * not twice its largest deviation. Entropy coders were rejected: some per cent smaller on losses, several times slower.
 */
#include "series/codec.h"
#include "trainmon/error.h"
#include "util/error.h"

#include <string.h>

#define ORDERS 3u
#define KIND_FLAT 4u
#define BASE_SAME 0x80u

static int corrupt(void) { return tmon_error_set(TMON_ECORRUPT, "a packed column does not hold what its length and count promise"); }

/* Written byte by byte so that files are the same on every machine; compilers make one store of it. */
static void store64(uint8_t *out, uint64_t v) {
  for (unsigned i = 0; i < 8; i++) out[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t load64(const uint8_t *p) {
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
      (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static unsigned bits_of(uint64_t v) { return v == 0 ? 0u : 64u - (unsigned)__builtin_clzll(v); }

size_t tmon_varint_size(uint64_t value) { return value == 0 ? 1u : (bits_of(value) + 6u) / 7u; }

int tmon_varint_put(tmon_buffer *out, uint64_t value) {
  uint8_t bytes[10];
  size_t n = 0;
  while (value >= 0x80) {
    bytes[n++] = (uint8_t)(value | 0x80);
    value >>= 7;
  }
  bytes[n++] = (uint8_t)value;
  return tmon_buffer_append(out, bytes, n);
}

bool tmon_varint_get(const uint8_t *data, size_t size, size_t *offset, uint64_t *value) {
  uint64_t result = 0;
  size_t at = *offset;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (at >= size) return false;
    uint8_t byte = data[at++];
    if (shift == 63 && byte > 1) return false;
    result |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *offset = at;
      *value = result;
      return true;
    }
  }
  return false;
}

/* The residuals of positions from..to; from >= order. */
static void residuals(uint64_t *out, const int64_t *values, size_t from, size_t to, unsigned order) {
  if (order == 0) {
    for (size_t i = from; i < to; i++) *out++ = (uint64_t)values[i];
  } else if (order == 1) {
    for (size_t i = from; i < to; i++) *out++ = (uint64_t)values[i] - (uint64_t)values[i - 1];
  } else {
    for (size_t i = from; i < to; i++) *out++ = (uint64_t)values[i] - 2 * (uint64_t)values[i - 1] + (uint64_t)values[i - 2];
  }
}

static void range(const uint64_t *r, size_t n, uint64_t *base, unsigned *width) {
  int64_t low = (int64_t)r[0];
  int64_t high = low;
  for (size_t i = 1; i < n; i++) {
    int64_t v = (int64_t)r[i];
    low = v < low ? v : low;
    high = v > high ? v : high;
  }
  *base = (uint64_t)low;
  *width = bits_of((uint64_t)high - (uint64_t)low);
}

static size_t starts_size(const int64_t *values, unsigned order) {
  size_t size = 0;
  if (order >= 1) size += tmon_varint_size(tmon_zigzag((uint64_t)values[0]));
  if (order >= 2) size += tmon_varint_size(tmon_zigzag((uint64_t)values[1] - (uint64_t)values[0]));
  return size;
}

static tmon_int_plan plan_order(const int64_t *values, size_t count, unsigned order) {
  uint64_t r[TMON_CODEC_BLOCK];
  tmon_int_plan plan = {order, true, 0};
  uint64_t previous = 0;
  uint64_t first = 0;
  size_t from = order;
  size_t head = 1 + starts_size(values, order);
  for (size_t to = TMON_CODEC_BLOCK; from < count; to += TMON_CODEC_BLOCK) {
    if (to > count) to = count;
    uint64_t base;
    unsigned width;
    residuals(r, values, from, to, order);
    range(r, to - from, &base, &width);
    if (from == order) first = base;
    if (width != 0 || base != first) plan.flat = false;
    plan.size += 1 + ((to - from) * width + 7) / 8;
    if (base != previous) plan.size += tmon_varint_size(tmon_zigzag(base - previous));
    previous = base;
    from = to;
    if (to == count) break;
  }
  if (plan.flat) plan.size = tmon_varint_size(tmon_zigzag(first));
  plan.size += head;
  return plan;
}

void tmon_int_plan_make(tmon_int_plan *out, const int64_t *values, size_t count) {
  *out = (tmon_int_plan){0, false, 0};
  if (count == 0) return;
  if (count == 1) {
    out->size = (bits_of(tmon_zigzag((uint64_t)values[0])) + 7u) / 8u;
    return;
  }
  for (unsigned order = 0; order < ORDERS && order < count; order++) {
    tmon_int_plan plan = plan_order(values, count, order);
    if (order == 0 || plan.size < out->size) *out = plan;
    if (plan.flat) break; /* a higher order is flat then too and holds one number more */
  }
}

/* `out` has room for 8 bytes more than the block needs. */
static size_t pack(uint8_t *out, const uint64_t *r, size_t n, uint64_t base, unsigned width) {
  uint64_t pending = 0;
  unsigned used = 0;
  size_t at = 0;
  if (width == 0) return 0;
  for (size_t i = 0; i < n; i++) {
    uint64_t v = r[i] - base;
    pending |= v << used;
    used += width;
    if (used >= 64) {
      store64(out + at, pending);
      at += 8;
      used -= 64;
      pending = used == 0 ? 0 : v >> (width - used);
    }
  }
  store64(out + at, pending);
  return (n * width + 7) / 8;
}

static void write_blocks(tmon_buffer *out, const int64_t *values, size_t count, unsigned order) {
  uint64_t r[TMON_CODEC_BLOCK];
  uint8_t bytes[TMON_CODEC_BLOCK * 8 + 8];
  uint64_t previous = 0;
  size_t from = order;
  while (from < count) {
    size_t to = (from / TMON_CODEC_BLOCK + 1) * TMON_CODEC_BLOCK;
    if (to > count) to = count;
    uint64_t base;
    unsigned width;
    residuals(r, values, from, to, order);
    range(r, to - from, &base, &width);
    uint8_t head = (uint8_t)(width | (base == previous ? BASE_SAME : 0u));
    tmon_buffer_append(out, &head, 1);
    if (base != previous) tmon_varint_put(out, tmon_zigzag(base - previous));
    tmon_buffer_append(out, bytes, pack(bytes, r, to - from, base, width));
    previous = base;
    from = to;
  }
}

int tmon_int_write(tmon_buffer *out, const tmon_int_plan *plan, const int64_t *values, size_t count) {
  if (count == 0) return out->error;
  if (count == 1) {
    uint8_t bytes[8];
    store64(bytes, tmon_zigzag((uint64_t)values[0]));
    return tmon_buffer_append(out, bytes, plan->size);
  }
  uint8_t kind = (uint8_t)(plan->order | (plan->flat ? KIND_FLAT : 0u));
  tmon_buffer_append(out, &kind, 1);
  if (plan->order >= 1) tmon_varint_put(out, tmon_zigzag((uint64_t)values[0]));
  if (plan->order >= 2) tmon_varint_put(out, tmon_zigzag((uint64_t)values[1] - (uint64_t)values[0]));
  if (plan->flat) {
    uint64_t r;
    residuals(&r, values, plan->order, plan->order + 1, plan->order);
    tmon_varint_put(out, tmon_zigzag(r));
  } else {
    write_blocks(out, values, count, plan->order);
  }
  return out->error;
}

/* `padded` holds 16 bytes more than the block, so that each value is one load (two when it straddles more than 8 bytes). */
static void unpack(uint64_t *r, size_t n, const uint8_t *padded, uint64_t base, unsigned width) {
  uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
  if (width <= 57) {
    for (size_t i = 0, bit = 0; i < n; i++, bit += width) r[i] = base + ((load64(padded + bit / 8) >> (bit % 8)) & mask);
    return;
  }
  for (size_t i = 0, bit = 0; i < n; i++, bit += width) {
    unsigned shift = (unsigned)(bit % 8);
    uint64_t v = load64(padded + bit / 8) >> shift;
    if (shift != 0) v |= (uint64_t)padded[bit / 8 + 8] << (64 - shift);
    r[i] = base + (v & mask);
  }
}

/* The predictor run backwards; values before `from` are there. */
static void restore(int64_t *values, size_t from, size_t to, const uint64_t *r, size_t r_step, unsigned order) {
  uint64_t x = from > 0 ? (uint64_t)values[from - 1] : 0;
  uint64_t d = from > 1 ? x - (uint64_t)values[from - 2] : 0;
  for (size_t i = from; i < to; i++, r += r_step) {
    if (order == 0) {
      x = *r;
    } else if (order == 1) {
      x += *r;
    } else {
      d += *r;
      x += d;
    }
    values[i] = (int64_t)x;
  }
}

static int read_blocks(int64_t *values, size_t count, unsigned order, const uint8_t *data, size_t size, size_t at) {
  uint64_t r[TMON_CODEC_BLOCK];
  uint8_t padded[TMON_CODEC_BLOCK * 8 + 16] = {0};
  uint64_t base = 0;
  size_t from = order;
  while (from < count) {
    size_t to = (from / TMON_CODEC_BLOCK + 1) * TMON_CODEC_BLOCK;
    if (to > count) to = count;
    if (at >= size) return corrupt();
    unsigned head = data[at++];
    unsigned width = head & 0x7f;
    if (width > 64) return corrupt();
    if ((head & BASE_SAME) == 0) {
      uint64_t step;
      if (!tmon_varint_get(data, size, &at, &step)) return corrupt();
      base += tmon_unzigzag(step);
    }
    size_t bytes = ((to - from) * width + 7) / 8;
    if (bytes > size - at) return corrupt();
    memcpy(padded, data + at, bytes);
    at += bytes;
    unpack(r, to - from, padded, base, width);
    restore(values, from, to, r, 1, order);
    from = to;
  }
  return at == size ? TMON_OK : corrupt();
}

int tmon_int_read(int64_t *values, size_t count, const uint8_t *data, size_t size) {
  if (count == 0) return size == 0 ? TMON_OK : corrupt();
  if (count == 1) {
    uint8_t bytes[8] = {0};
    if (size > sizeof bytes) return corrupt();
    if (size > 0) memcpy(bytes, data, size);
    values[0] = (int64_t)tmon_unzigzag(load64(bytes));
    return TMON_OK;
  }
  if (size == 0) return corrupt();
  unsigned kind = data[0];
  unsigned order = kind & 3u;
  size_t at = 1;
  uint64_t number;
  if (kind > (KIND_FLAT | 3u) || order >= ORDERS || order >= count) return corrupt();
  for (unsigned i = 0; i < order; i++) {
    if (!tmon_varint_get(data, size, &at, &number)) return corrupt();
    values[i] = (int64_t)(tmon_unzigzag(number) + (i == 0 ? 0 : (uint64_t)values[0]));
  }
  if ((kind & KIND_FLAT) == 0) return read_blocks(values, count, order, data, size, at);
  if (!tmon_varint_get(data, size, &at, &number) || at != size) return corrupt();
  number = tmon_unzigzag(number);
  restore(values, order, count, &number, 0, order);
  return TMON_OK;
}

int tmon_codec_column(const uint8_t **column, size_t *column_size, const uint8_t *data, size_t size, size_t *offset) {
  uint64_t length;
  if (!tmon_varint_get(data, size, offset, &length) || length > size - *offset) return corrupt();
  *column = data + *offset;
  *column_size = (size_t)length;
  *offset += (size_t)length;
  return TMON_OK;
}

int tmon_codec_int_encode(tmon_buffer *out, const int64_t *values, size_t count) {
  tmon_int_plan plan;
  tmon_int_plan_make(&plan, values, count);
  tmon_varint_put(out, plan.size);
  return tmon_int_write(out, &plan, values, count);
}

int tmon_codec_int_decode(int64_t *values, size_t count, const uint8_t *data, size_t size, size_t *offset) {
  const uint8_t *column = NULL;
  size_t column_size = 0;
  int rc = tmon_codec_column(&column, &column_size, data, size, offset);
  return rc != TMON_OK ? rc : tmon_int_read(values, count, column, column_size);
}
