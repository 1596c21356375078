/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reading a data set: the CSV of the UCI digits here, IDX folders by idx.c. */
#define _POSIX_C_SOURCE 200809L
#include "dataset.h"

#include "idx.h"
#include "random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIDE 8
#define PIXELS (SIDE * SIDE)
#define PIXEL_MAX 16
#define CLASSES 10
#define ROWS_MAX 1000000
#define LINE_MAX_BYTES 1024
/* The split does not depend on --seed, so that accuracies of different runs can be compared. */
#define SPLIT_SEED 1797
#define TRAIN_PERCENT 80

void image_set_free(image_set *set) {
  free(set->pixels);
  free(set->labels);
  *set = (image_set){0};
}

void dataset_free(dataset *data) {
  image_set_free(&data->train);
  image_set_free(&data->validation);
}

static bool set_allocate(image_set *set, size_t count) {
  set->pixels = calloc(count, PIXELS);
  set->labels = calloc(count, 1);
  set->rows = SIDE;
  set->columns = SIDE;
  set->count = count;
  return set->pixels != NULL && set->labels != NULL;
}

/* Reads "n,n,...,n": exactly PIXELS + 1 whole numbers. Returns the 1-based number of the first bad column, or 0. */
static int parse_line(const char *line, uint8_t *pixels, uint8_t *label) {
  const char *at = line;
  for (int column = 0; column <= PIXELS; column++) {
    unsigned value = 0;
    int digits = 0;
    for (; *at >= '0' && *at <= '9' && digits < 3; at++, digits++) value = value * 10 + (unsigned)(*at - '0');
    bool last = column == PIXELS;
    if (digits == 0 || value > (last ? CLASSES - 1 : PIXEL_MAX) || (last ? *at != '\0' && *at != '\n' && *at != '\r' : *at != ',')) return column + 1;
    at++;
    if (last) *label = (uint8_t)value;
    else pixels[column] = (uint8_t)(value * 255 / PIXEL_MAX);
  }
  return 0;
}

static bool grow(image_set *set, size_t *room) {
  if (set->count < *room) return true;
  size_t wanted = *room == 0 ? 2048 : *room * 2;
  uint8_t *pixels = realloc(set->pixels, wanted * PIXELS);
  if (pixels == NULL) return false;
  set->pixels = pixels;
  uint8_t *labels = realloc(set->labels, wanted);
  if (labels == NULL) return false;
  set->labels = labels;
  *room = wanted;
  return true;
}

static bool read_csv(image_set *all, FILE *file, const char *path, char *error) {
  char line[LINE_MAX_BYTES];
  size_t room = 0;
  while (fgets(line, sizeof(line), file) != NULL) {
    if (all->count >= ROWS_MAX) {
      snprintf(error, DATASET_ERROR_SIZE, "%s: more than %d rows", path, ROWS_MAX);
      return false;
    }
    if (!grow(all, &room)) {
      snprintf(error, DATASET_ERROR_SIZE, "%s: no memory for %zu images", path, all->count);
      return false;
    }
    int column = parse_line(line, all->pixels + all->count * PIXELS, all->labels + all->count);
    if (column != 0) {
      snprintf(error, DATASET_ERROR_SIZE, "%s: line %zu, column %d: expected %d pixels of 0 to %d and a class of 0 to %d", path, all->count + 1, column,
          PIXELS, PIXEL_MAX, CLASSES - 1);
      return false;
    }
    all->count++;
  }
  if (ferror(file) || all->count < 10) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: %zu images found, expected at least 10", path, all->count);
    return false;
  }
  return true;
}

static bool split(dataset *out, const image_set *all, char *error) {
  bool good = false;
  size_t train = all->count * TRAIN_PERCENT / 100;
  size_t *order = calloc(all->count, sizeof(*order));
  if (order == NULL || !set_allocate(&out->train, train) || !set_allocate(&out->validation, all->count - train)) {
    snprintf(error, DATASET_ERROR_SIZE, "no memory for %zu images", all->count);
    goto out;
  }
  for (size_t i = 0; i < all->count; i++) order[i] = i;
  random_state random = {SPLIT_SEED};
  random_shuffle(&random, order, all->count);
  for (size_t i = 0; i < all->count; i++) {
    image_set *to = i < train ? &out->train : &out->validation;
    size_t place = i < train ? i : i - train;
    memcpy(to->pixels + place * PIXELS, all->pixels + order[i] * PIXELS, PIXELS);
    to->labels[place] = all->labels[order[i]];
  }
  good = true;
out:
  free(order);
  return good;
}

static bool read_digits(dataset *out, const char *path, char *error) {
  image_set all = {0};
  bool good = false;
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: %s", path, strerror(errno));
    return false;
  }
  out->name = "UCI digits";
  out->classes = CLASSES;
  good = read_csv(&all, file, path, error) && split(out, &all, error);
  image_set_free(&all);
  fclose(file);
  return good;
}

static bool read_idx(dataset *out, const char *folder, char *error) {
  out->name = "IDX images";
  if (!idx_read_pair(&out->train, folder, "train", error) || !idx_read_pair(&out->validation, folder, "t10k", error)) return false;
  if (out->train.rows != out->validation.rows || out->train.columns != out->validation.columns) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: training images are %zu x %zu, validation images %zu x %zu; expected one size", folder, out->train.rows,
        out->train.columns, out->validation.rows, out->validation.columns);
    return false;
  }
  for (size_t i = 0; i < out->train.count; i++)
    if (out->train.labels[i] >= out->classes) out->classes = (size_t)out->train.labels[i] + 1;
  for (size_t i = 0; i < out->validation.count; i++) {
    if (out->validation.labels[i] >= out->classes) {
      snprintf(error, DATASET_ERROR_SIZE, "%s: validation image %zu has class %u, expected below %zu as in the training images", folder, i,
          (unsigned)out->validation.labels[i], out->classes);
      return false;
    }
  }
  return true;
}

bool dataset_read(dataset *out, const char *path, char *error) {
  struct stat about;
  *out = (dataset){0};
  if (stat(path, &about) != 0) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: %s", path, strerror(errno));
    return false;
  }
  bool good = S_ISDIR(about.st_mode) ? read_idx(out, path, error) : read_digits(out, path, error);
  if (!good) dataset_free(out);
  return good;
}
