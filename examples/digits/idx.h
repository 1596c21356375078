/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reader of IDX files, the format of MNIST and Fashion-MNIST. */
#ifndef DIGITS_IDX_H
#define DIGITS_IDX_H

#include "dataset.h"

#include <stdbool.h>

/**
 * Reads the images of one file (header 0x00000803, count, rows, columns as big-endian 32 bit, then a byte a pixel), plain or gzip.
 * `out` receives pixels, count, rows and columns. On false `error` (DATASET_ERROR_SIZE bytes) says why and `out` is empty.
 */
bool idx_read_images(image_set *out, const char *path, char *error);

/** Reads the classes of one file (header 0x00000801, count, then a byte an image) into labels and count; otherwise as idx_read_images. */
bool idx_read_labels(image_set *out, const char *path, char *error);

/** Reads "<part>-images-idx3-ubyte" and "<part>-labels-idx1-ubyte" of a folder, each plain or with ".gz"; their counts must agree. */
bool idx_read_pair(image_set *out, const char *folder, const char *part, char *error);

#endif
