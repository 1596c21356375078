/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Shifted and rotated copies of training images. */
#include "augment.h"

#include "random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANGLE_MAX_DEGREES 10.0
#define SHIFT_MAX_PART (1.0 / 16.0)
#define BYTES_MAX ((size_t)4 << 30)

static double pixel_at(const image_set *set, const uint8_t *image, long row, long column) {
  if (row < 0 || column < 0 || row >= (long)set->rows || column >= (long)set->columns) return 0;
  return image[(size_t)row * set->columns + (size_t)column];
}

static uint8_t between_pixels(const image_set *set, const uint8_t *image, double row, double column) {
  double row_floor = floor(row);
  double column_floor = floor(column);
  double down = row - row_floor;
  double right = column - column_floor;
  long r = (long)row_floor;
  long c = (long)column_floor;
  double top = pixel_at(set, image, r, c) * (1 - right) + pixel_at(set, image, r, c + 1) * right;
  double bottom = pixel_at(set, image, r + 1, c) * (1 - right) + pixel_at(set, image, r + 1, c + 1) * right;
  return (uint8_t)lround(top * (1 - down) + bottom * down);
}

/* Each new pixel looks up where it comes from, so that the copy has no holes. */
static void alter(const image_set *set, const uint8_t *from, uint8_t *to, random_state *random) {
  double angle = (2 * random_unit(random) - 1) * ANGLE_MAX_DEGREES * 3.14159265358979323846 / 180;
  double shift_row = (2 * random_unit(random) - 1) * SHIFT_MAX_PART * (double)set->rows;
  double shift_column = (2 * random_unit(random) - 1) * SHIFT_MAX_PART * (double)set->columns;
  double middle_row = ((double)set->rows - 1) / 2;
  double middle_column = ((double)set->columns - 1) / 2;
  for (size_t r = 0; r < set->rows; r++) {
    for (size_t c = 0; c < set->columns; c++) {
      double y = (double)r - middle_row - shift_row;
      double x = (double)c - middle_column - shift_column;
      to[r * set->columns + c] = between_pixels(set, from, middle_row + y * cos(angle) - x * sin(angle), middle_column + y * sin(angle) + x * cos(angle));
    }
  }
}

bool augment(image_set *set, size_t copies, uint64_t seed, char *error) {
  size_t size = set->rows * set->columns;
  size_t originals = set->count;
  if (copies == 0 || originals == 0) return true;
  if (copies >= BYTES_MAX / size / originals) {
    snprintf(error, DATASET_ERROR_SIZE, "--copies %zu: %zu images of %zu bytes each would need more than 4 GiB", copies, originals, size);
    return false;
  }
  size_t total = originals * (copies + 1);
  uint8_t *pixels = realloc(set->pixels, total * size);
  if (pixels != NULL) set->pixels = pixels;
  uint8_t *labels = realloc(set->labels, total);
  if (labels != NULL) set->labels = labels;
  if (pixels == NULL || labels == NULL) {
    snprintf(error, DATASET_ERROR_SIZE, "--copies %zu: no memory for %zu images", copies, total);
    return false;
  }
  random_state random = {seed};
  for (size_t i = originals; i < total; i++) {
    alter(set, set->pixels + (i % originals) * size, set->pixels + i * size, &random);
    set->labels[i] = set->labels[i % originals];
  }
  set->count = total;
  return true;
}
