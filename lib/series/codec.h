/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Columns: arrays of int64 and of doubles packed without loss. docs/design/codecs.md describes the bytes. */
#ifndef TRAINMON_SERIES_CODEC_H
#define TRAINMON_SERIES_CODEC_H
#include "util/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TMON_CODEC_BLOCK 64u /* values that share a width and a base; a full block of width w is exactly 8 w bytes */

/* Small magnitudes of either sign become small unsigned numbers. Both work for every 64-bit pattern. */
static inline uint64_t tmon_zigzag(uint64_t value) { return (value << 1) ^ (0 - (value >> 63)); }
static inline uint64_t tmon_unzigzag(uint64_t value) { return (value >> 1) ^ (0 - (value & 1)); }

size_t tmon_varint_size(uint64_t value); /* 1..10 */
int tmon_varint_put(tmon_buffer *out, uint64_t value);
/* Reads at `*offset` and moves it; false when the bytes end too early or hold more than 64 bits. */
bool tmon_varint_get(const uint8_t *data, size_t size, size_t *offset, uint64_t *value);

/* How an array of integers will be packed, and into how many bytes exactly. */
typedef struct tmon_int_plan {
  unsigned order; /* 0: the values, 1: their differences, 2: the differences of those */
  bool flat;      /* all residuals are equal and stand there once */
  size_t size;
} tmon_int_plan;

void tmon_int_plan_make(tmon_int_plan *out, const int64_t *values, size_t count);
int tmon_int_write(tmon_buffer *out, const tmon_int_plan *plan, const int64_t *values, size_t count); /* exactly plan->size bytes */
int tmon_int_read(int64_t *values, size_t count, const uint8_t *data, size_t size);                   /* uses all bytes or gives TMON_ECORRUPT */

/* Columns: a byte length, then that many bytes. Decoding takes hostile bytes; `*offset` moves behind the column. */
int tmon_codec_int_encode(tmon_buffer *out, const int64_t *values, size_t count);
int tmon_codec_int_decode(int64_t *values, size_t count, const uint8_t *data, size_t size, size_t *offset);
int tmon_codec_value_encode(tmon_buffer *out, const double *values, size_t count, int64_t *scratch);                           /* scratch: 2 * count */
int tmon_codec_value_decode(double *values, size_t count, int64_t *scratch, const uint8_t *data, size_t size, size_t *offset); /* scratch: count */

/* The bytes of the column at `*offset`, which moves behind it. */
int tmon_codec_column(const uint8_t **column, size_t *column_size, const uint8_t *data, size_t size, size_t *offset);
#endif
