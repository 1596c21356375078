/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A square matrix of counts, packed: what a confusion matrix is stored as. */
#ifndef TRAINMON_SERIES_COUNTS_H
#define TRAINMON_SERIES_COUNTS_H
#include "util/buffer.h"

#define TMON_COUNTS_DIMENSION_MAXIMUM 1000

/* Appends dimension * dimension counts, row by row. TMON_EINVAL for a dimension outside 1..1,000. */
int tmon_counts_encode(tmon_buffer *out, const uint64_t *counts, size_t dimension);
/* The dimension that the head claims, within its bounds; reads the head alone, so that memory is asked for only after it. TMON_ECORRUPT. */
int tmon_counts_dimension(size_t *out, const uint8_t *data, size_t size);
/* Fills dimension * dimension counts. TMON_ECORRUPT unless the bytes hold exactly such a matrix. */
int tmon_counts_decode(uint64_t *counts, size_t dimension, const uint8_t *data, size_t size);
#endif
