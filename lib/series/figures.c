/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The exact figures of one chunk, packed: a version byte, counts, extents of both axes, then values as eight bytes each.
 *
 * Not a row of cells: that one lies on a grid of powers of two, and a chunk whose steps cross 0 fits no cell of it. Counts, min, max and sum do not depend
 * on the axis, so they stand here once.
 */
#include "series/cell.h"
#include "series/chunk.h"
#include "series/codec.h"
#include "trainmon/error.h"
#include "util/error.h"

#include <string.h>

#define VERSION 1u
#define VALUES 7u

static bool holds(const tmon_bucket *cell) {
  return cell->count > 0 && cell->count <= TMON_CHUNK_POINTS_MAXIMUM && cell->nan_count <= cell->count &&
      cell->inf_count <= cell->count - cell->nan_count && cell->first_x <= cell->last_x;
}

static void put_value(tmon_buffer *out, double value) {
  uint64_t bits;
  uint8_t bytes[8];
  memcpy(&bits, &value, sizeof bits);
  for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(bits >> 8 * i);
  tmon_buffer_append(out, bytes, sizeof bytes);
}

static double get_value(const uint8_t *bytes) {
  uint64_t bits = 0;
  double value;
  for (unsigned i = 0; i < 8; i++) bits |= (uint64_t)bytes[i] << 8 * i;
  memcpy(&value, &bits, sizeof value);
  return value;
}

int tmon_figures_encode(tmon_buffer *out, const tmon_bucket figures[2]) {
  if (out == NULL || figures == NULL || !holds(&figures[0]) || !holds(&figures[1]) || figures[0].count != figures[1].count) {
    return tmon_error_set(TMON_EINVAL, "the figures of a chunk are empty or contradict themselves");
  }
  uint8_t version = VERSION;
  tmon_buffer_append(out, &version, 1);
  tmon_varint_put(out, figures[0].count);
  tmon_varint_put(out, figures[0].nan_count);
  tmon_varint_put(out, figures[0].inf_count);
  for (int axis = 0; axis < 2; axis++) {
    tmon_varint_put(out, tmon_zigzag((uint64_t)figures[axis].first_x));
    tmon_varint_put(out, (uint64_t)figures[axis].last_x - (uint64_t)figures[axis].first_x);
  }
  put_value(out, figures[0].min);
  put_value(out, figures[0].max);
  put_value(out, figures[0].sum);
  for (int axis = 0; axis < 2; axis++) {
    put_value(out, figures[axis].first);
    put_value(out, figures[axis].last);
  }
  return out->error;
}

static int corrupt(void) { return tmon_error_set(TMON_ECORRUPT, "the figures of a chunk contradict themselves"); }

int tmon_figures_decode(tmon_bucket figures[2], const uint8_t *data, size_t size) {
  size_t offset = 1;
  uint64_t counts[3];
  memset(figures, 0, 2 * sizeof *figures);
  if (data == NULL || size == 0 || data[0] != VERSION) return tmon_error_set(TMON_ECORRUPT, "the figures of a chunk must open with version %u", VERSION);
  for (int i = 0; i < 3; i++) {
    if (!tmon_varint_get(data, size, &offset, &counts[i])) return corrupt();
  }
  for (int axis = 0; axis < 2; axis++) {
    uint64_t first;
    uint64_t length;
    if (!tmon_varint_get(data, size, &offset, &first) || !tmon_varint_get(data, size, &offset, &length)) return corrupt();
    figures[axis].first_x = (int64_t)tmon_unzigzag(first);
    figures[axis].last_x = (int64_t)((uint64_t)figures[axis].first_x + length);
    figures[axis].count = counts[0];
    figures[axis].nan_count = counts[1];
    figures[axis].inf_count = counts[2];
    figures[axis].start = figures[axis].first_x;
    figures[axis].end = figures[axis].last_x;
    if (!holds(&figures[axis])) return corrupt();
  }
  if (size - offset != VALUES * 8) return corrupt();
  const uint8_t *values = data + offset;
  for (int axis = 0; axis < 2; axis++) {
    figures[axis].min = get_value(values);
    figures[axis].max = get_value(values + 8);
    figures[axis].sum = get_value(values + 16);
    figures[axis].first = get_value(values + 24 + 16 * axis);
    figures[axis].last = get_value(values + 32 + 16 * axis);
  }
  return TMON_OK;
}
