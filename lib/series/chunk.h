/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Chunks: packed points of one metric and writer in order of arrival; and deltas: one tick of all metrics. */
#ifndef TRAINMON_SERIES_CHUNK_H
#define TRAINMON_SERIES_CHUNK_H
#include "trainmon/series.h"
#include "util/buffer.h"

#define TMON_CHUNK_POINTS 1024          /* the usual size */
#define TMON_CHUNK_POINTS_MAXIMUM 65536 /* what a decoder accepts */

int tmon_chunk_encode(tmon_buffer *out, const tmon_point *points, size_t count);
int tmon_chunk_count(size_t *count, const uint8_t *data, size_t size); /* without decoding; checked against the maximum */
int tmon_chunk_decode(tmon_point *points, size_t capacity, size_t *count, const uint8_t *data, size_t size); /* TMON_ECORRUPT on anything odd */

/* A delta: directory of (metric, points, bytes) and a small chunk each, metrics ascending. */
typedef struct tmon_delta_group {
  int64_t metric;
  const tmon_point *points;
  size_t count;
} tmon_delta_group;
int tmon_delta_encode(tmon_buffer *out, const tmon_delta_group *groups, size_t count); /* a group of more than the maximum is TMON_EINVAL */
typedef struct tmon_delta_reader {
  const uint8_t *data;
  size_t size;
  size_t directory;
  size_t body;
  size_t left;
  int64_t metric;
} tmon_delta_reader;
typedef struct tmon_delta_entry {
  int64_t metric;
  size_t count;
  const uint8_t *chunk;
  size_t size;
} tmon_delta_entry;
int tmon_delta_open(tmon_delta_reader *out, const uint8_t *data, size_t size);
int tmon_delta_next(tmon_delta_reader *reader, tmon_delta_entry *out);                        /* TMON_OK, TMON_DONE or TMON_ECORRUPT */
int tmon_delta_find(const uint8_t *data, size_t size, int64_t metric, tmon_delta_entry *out); /* TMON_DONE: not in it */
#endif
