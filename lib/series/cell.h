/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Cells: exact figures of the points in one stretch of an axis. A cell is a tmon_bucket whose start and end are its borders. */
#ifndef TRAINMON_SERIES_CELL_H
#define TRAINMON_SERIES_CELL_H
#include "trainmon/series.h"
#include "util/buffer.h"

void tmon_cell_clear(tmon_bucket *cell);                                /* count 0, min, max, sum NaN */
void tmon_cell_add(tmon_bucket *cell, int64_t x, double value);         /* points in order of arrival */
void tmon_cell_merge(tmon_bucket *cell, const tmon_bucket *later);      /* what `later` holds arrived later; borders stay */
unsigned tmon_cell_exponent(int64_t low, int64_t high, uint32_t width); /* smallest e with (high >> e) - (low >> e) < width */

/* A packed row of cells on one axis, columns through the integer and value codecs. Decoding takes hostile bytes. */
#define TMON_CELLS_MAXIMUM 1024
int tmon_cells_encode(tmon_buffer *out, const tmon_bucket *cells, size_t count, unsigned exponent);
int tmon_cells_decode(tmon_bucket *cells, size_t capacity, size_t *count, unsigned *exponent, const uint8_t *data, size_t size);

/* The exact figures of one chunk as one cell an axis (step, time), on no grid: borders are first_x and last_x. Decoding takes hostile bytes. */
int tmon_figures_encode(tmon_buffer *out, const tmon_bucket figures[2]);
int tmon_figures_decode(tmon_bucket figures[2], const uint8_t *data, size_t size);

/* Collects points and cells into buckets of one query: a hash from x >> exponent, grown as needed, sorted at the end. */
typedef struct tmon_bucketer tmon_bucketer;
int tmon_bucketer_make(
    tmon_bucketer **out, tmon_axis axis, unsigned exponent, int64_t from, int64_t to);         /* inclusive borders; INT64_MIN, INT64_MAX: none */
int tmon_bucketer_add_points(tmon_bucketer *bucketer, const tmon_point *points, size_t count); /* those outside the borders are skipped */
int tmon_bucketer_add_cells(tmon_bucketer *bucketer, const tmon_bucket *cells, size_t count);  /* each must fit in one bucket and inside the borders */
bool tmon_bucketer_takes(const tmon_bucketer *bucketer, int64_t low, int64_t high);            /* [low, high] lies in one bucket and inside the borders */
int tmon_bucketer_finish(tmon_bucketer *bucketer, tmon_bucket **buckets, size_t *count);       /* ascending; the caller's (tmon_free) */
void tmon_bucketer_free(tmon_bucketer *bucketer);
#endif
