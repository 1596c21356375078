/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One cell: adding points, merging later cells, choosing the grid of a query.
 *
 * What must stay true: whichever way points are spread over cells, merging these in order of arrival gives the figures that adding the points one by
 * one gives (the sum up to rounding). So ties of x are decided by arrival alone: the earliest is `first`, the latest is `last`.
 */
#include "series/cell.h"
#include "series/grid.h"

#include <math.h>

void tmon_cell_clear(tmon_bucket *cell) {
  cell->first_x = 0;
  cell->last_x = 0;
  cell->count = 0;
  cell->nan_count = 0;
  cell->inf_count = 0;
  cell->first = NAN;
  cell->last = NAN;
  cell->min = NAN;
  cell->max = NAN;
  cell->sum = NAN;
}

static uint64_t finite_count(const tmon_bucket *cell) { return cell->count - cell->nan_count - cell->inf_count; }

void tmon_cell_add(tmon_bucket *cell, int64_t x, double value) {
  if (cell->count == 0 || x < cell->first_x) {
    cell->first_x = x;
    cell->first = value;
  }
  if (cell->count == 0 || x >= cell->last_x) {
    cell->last_x = x;
    cell->last = value;
  }
  if (isnan(value)) {
    cell->nan_count++;
  } else if (isinf(value)) {
    cell->inf_count++;
  } else if (finite_count(cell) == 0) {
    cell->min = value;
    cell->max = value;
    cell->sum = value;
  } else {
    if (value < cell->min) cell->min = value;
    if (value > cell->max) cell->max = value;
    cell->sum += value;
  }
  cell->count++;
}

void tmon_cell_merge(tmon_bucket *cell, const tmon_bucket *later) {
  if (later->count == 0) return;
  if (cell->count == 0 || later->first_x < cell->first_x) {
    cell->first_x = later->first_x;
    cell->first = later->first;
  }
  if (cell->count == 0 || later->last_x >= cell->last_x) {
    cell->last_x = later->last_x;
    cell->last = later->last;
  }
  if (finite_count(cell) == 0) {
    cell->min = later->min;
    cell->max = later->max;
    cell->sum = later->sum;
  } else if (finite_count(later) > 0) {
    if (later->min < cell->min) cell->min = later->min;
    if (later->max > cell->max) cell->max = later->max;
    cell->sum += later->sum;
  }
  cell->count += later->count;
  cell->nan_count += later->nan_count;
  cell->inf_count += later->inf_count;
}

/* A range that crosses 0 never fits one cell: for width 0 and 1 the answer is then the coarsest grid there is, of two cells. */
unsigned tmon_cell_exponent(int64_t low, int64_t high, uint32_t width) {
  unsigned exponent = 0;
  if (high <= low) return 0;
  while (exponent < TMON_GRID_EXPONENT_MAXIMUM && (uint64_t)tmon_grid_index(high, exponent) - (uint64_t)tmon_grid_index(low, exponent) >= width)
    exponent++;
  return exponent;
}
