/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fuzz target of packed matrices: what decodes must encode and come back the same. */
#include "series/counts.h"
#include "trainmon/error.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int truth) {
  if (!truth) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  size_t dimension = 0;
  tmon_buffer out;
  if (tmon_counts_dimension(&dimension, data, size) != TMON_OK) return 0;
  require(dimension >= 1 && dimension <= TMON_COUNTS_DIMENSION_MAXIMUM);
  /* Exactly as large as the head says: the address sanitizer sees a write past the end. */
  size_t bytes = dimension * dimension * sizeof(uint64_t);
  uint64_t *counts = malloc(bytes);
  uint64_t *again = malloc(bytes);
  require(counts != NULL && again != NULL);
  if (tmon_counts_decode(counts, dimension, data, size) == TMON_OK) {
    tmon_buffer_init(&out, (size_t)1 << 24);
    require(tmon_counts_encode(&out, counts, dimension) == TMON_OK);
    require(out.size <= size); /* the encoder writes the shortest form */
    require(tmon_counts_decode(again, dimension, out.data, out.size) == TMON_OK);
    require(memcmp(counts, again, bytes) == 0);
    tmon_buffer_free(&out);
  }
  free(counts);
  free(again);
  return 0;
}
