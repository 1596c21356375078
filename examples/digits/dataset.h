/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Labelled grey images for training and validation. */
#ifndef DIGITS_DATASET_H
#define DIGITS_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATASET_ERROR_SIZE 4608 /* room for a path of 4,096 bytes */

/** Images of one size, one byte a pixel (0 is background, 255 full), with a class each. */
typedef struct image_set {
  uint8_t *pixels; /**< count * rows * columns */
  uint8_t *labels; /**< count */
  size_t count;
  size_t rows;
  size_t columns;
} image_set;

/** A data set that is split into two parts. */
typedef struct dataset {
  const char *name; /**< static text */
  image_set train;
  image_set validation;
  size_t classes;
} dataset;

/**
 * Reads a data set: a CSV file of the UCI digits (64 pixels of 0..16, then the class), split 80/20 in a fixed order, or a folder of IDX files
 * as MNIST and Fashion-MNIST have them. On false `error` (DATASET_ERROR_SIZE bytes) says why. Free it with dataset_free.
 */
bool dataset_read(dataset *out, const char *path, char *error);

/** Frees the images. */
void dataset_free(dataset *data);

/** Frees the images of one set and empties it. */
void image_set_free(image_set *set);

#endif
