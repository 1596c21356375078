/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Packed counts: a version byte, the dimension, then the cells row by row as variable-length numbers.
 *
 * A good classifier's matrix is a diagonal in zeros, so zeros come as runs: a 0, then the length of the run. Every other count stands as it is (LEB128:
 * seven bits a byte). 28 classes take about 150 bytes, a thousand classes a few thousand. A run is as long as it can be, so that a matrix has one form.
 * Rejected: a general compressor (a dependency, for bytes that are few already), pairs of place and count (longer where many cells are filled).
 */
#include "series/counts.h"

#include "series/codec.h"
#include "trainmon/error.h"
#include "util/error.h"

#include <string.h>

#define VERSION 1u

static int corrupt(const char *what) { return tmon_error_set(TMON_ECORRUPT, "packed counts: %s", what); }

int tmon_counts_encode(tmon_buffer *out, const uint64_t *counts, size_t dimension) {
  uint8_t version = VERSION;
  if (out == NULL || counts == NULL) return tmon_error_set(TMON_EINVAL, "out and counts must not be NULL");
  if (dimension == 0 || dimension > TMON_COUNTS_DIMENSION_MAXIMUM) {
    return tmon_error_set(TMON_EINVAL, "a matrix of %zu rows, expected 1 to %d", dimension, TMON_COUNTS_DIMENSION_MAXIMUM);
  }
  size_t cells = dimension * dimension;
  tmon_buffer_append(out, &version, 1);
  tmon_varint_put(out, dimension);
  for (size_t at = 0; at < cells && out->error == TMON_OK;) {
    size_t end = at;
    while (end < cells && counts[end] == 0) end++;
    if (end > at) {
      tmon_varint_put(out, 0);
      tmon_varint_put(out, end - at);
      at = end;
    } else {
      tmon_varint_put(out, counts[at++]);
    }
  }
  return out->error == TMON_OK ? TMON_OK : tmon_error_set(out->error, "a packed matrix of %zu rows does not fit", dimension);
}

static int read_head(size_t *dimension, size_t *offset, const uint8_t *data, size_t size) {
  uint64_t claimed = 0;
  *offset = 1;
  if (data == NULL || size == 0) return corrupt("no bytes");
  if (data[0] != VERSION) return corrupt("unknown version");
  if (!tmon_varint_get(data, size, offset, &claimed)) return corrupt("the head ends early");
  if (claimed == 0 || claimed > TMON_COUNTS_DIMENSION_MAXIMUM) return corrupt("the dimension is not within 1 to 1,000");
  *dimension = (size_t)claimed;
  return TMON_OK;
}

int tmon_counts_dimension(size_t *out, const uint8_t *data, size_t size) {
  size_t offset = 0;
  return read_head(out, &offset, data, size);
}

int tmon_counts_decode(uint64_t *counts, size_t dimension, const uint8_t *data, size_t size) {
  size_t claimed = 0;
  size_t offset = 0;
  bool after_run = false;
  int result = read_head(&claimed, &offset, data, size);
  if (result != TMON_OK) return result;
  if (claimed != dimension) return corrupt("the dimension is not the one expected");
  size_t cells = dimension * dimension;
  for (size_t at = 0; at < cells;) {
    uint64_t number = 0;
    if (!tmon_varint_get(data, size, &offset, &number)) return corrupt("the cells end early");
    if (number != 0) {
      counts[at++] = number;
      after_run = false;
      continue;
    }
    if (!tmon_varint_get(data, size, &offset, &number)) return corrupt("a run of zeros ends early");
    if (number == 0 || number > cells - at || after_run) return corrupt("a run of zeros has no possible length");
    memset(counts + at, 0, (size_t)number * sizeof *counts);
    at += (size_t)number;
    after_run = true;
  }
  return offset == size ? TMON_OK : corrupt("bytes are left over");
}
