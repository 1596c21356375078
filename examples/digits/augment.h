/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Slightly shifted and rotated copies of training images. */
#ifndef DIGITS_AUGMENT_H
#define DIGITS_AUGMENT_H

#include "dataset.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Appends `copies` altered copies of every image: turned by at most 10 degrees and shifted by at most a sixteenth of the
 * side, at random from `seed`.
 * 0 changes nothing. On false `error` (DATASET_ERROR_SIZE bytes) says why and the set is as it was.
 */
bool augment(image_set *set, size_t copies, uint64_t seed, char *error);

#endif
