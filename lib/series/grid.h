/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The fixed grid of an axis: cell `index` at `exponent` e holds all x with x >> e == index (rounding down, so for negative x too). */
#ifndef TRAINMON_SERIES_GRID_H
#define TRAINMON_SERIES_GRID_H
#include <stdint.h>

#define TMON_GRID_EXPONENT_MAXIMUM 63u

/* Every compiler we build with shifts negative numbers arithmetically (C leaves it to them); left shifts go through uint64_t, where they are defined. */
static inline int64_t tmon_grid_index(int64_t x, unsigned exponent) { return x >> exponent; }
static inline int64_t tmon_grid_start(int64_t index, unsigned exponent) { return (int64_t)((uint64_t)index << exponent); }

/* The first x behind the cell. The last cell of the axis would end at 2^63: it ends at INT64_MAX instead, and holds that x too. */
static inline int64_t tmon_grid_end(int64_t index, unsigned exponent) {
  if (index == INT64_MAX >> exponent) return INT64_MAX;
  return (int64_t)((uint64_t)(index + 1) << exponent);
}
#endif
