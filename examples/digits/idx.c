/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reader of IDX files, plain or gzip. */
/*
 * Files come from elsewhere and are not trusted: every size in the header is checked before it is multiplied, memory grows with what was really
 * read and not with what the header promises, and a file with too few or too many bytes is refused.
 */
#include "idx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAGIC_IMAGES 0x00000803U
#define MAGIC_LABELS 0x00000801U
#define COUNT_MAX 10000000U
#define SIDE_MAX 1024U
#define BYTES_MAX ((uint64_t)2 << 30)
#define FIRST_ROOM ((size_t)1 << 20)
#define PATH_BYTES 4096

static bool read_words(gzFile file, uint32_t *words, size_t count, const char *path, char *error) {
  unsigned char bytes[16];
  unsigned size = (unsigned)(count * 4);
  int got = gzread(file, bytes, size);
  if (got != (int)size) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: header of %d bytes found, expected %u", path, got < 0 ? 0 : got, size);
    return false;
  }
  for (size_t i = 0; i < count; i++)
    words[i] = (uint32_t)bytes[i * 4] << 24 | (uint32_t)bytes[i * 4 + 1] << 16 | (uint32_t)bytes[i * 4 + 2] << 8 | bytes[i * 4 + 3];
  return true;
}

/* Reads exactly `size` bytes and the end of the file. */
static uint8_t *read_body(gzFile file, size_t size, const char *path, char *error) {
  uint8_t *body = NULL;
  size_t have = 0;
  size_t room = 0;
  while (have < size) {
    if (have == room) {
      room = room == 0 ? FIRST_ROOM : room * 2;
      room = room > size ? size : room;
      uint8_t *larger = realloc(body, room);
      if (larger == NULL) {
        snprintf(error, DATASET_ERROR_SIZE, "%s: no memory for %zu bytes", path, room);
        goto fail;
      }
      body = larger;
    }
    size_t piece = room - have < FIRST_ROOM ? room - have : FIRST_ROOM;
    int got = gzread(file, body + have, (unsigned)piece);
    if (got <= 0) {
      snprintf(error, DATASET_ERROR_SIZE, "%s: %zu bytes of data found, expected %zu as its header says", path, have, size);
      goto fail;
    }
    have += (size_t)got;
  }
  /* A gzip file that ends before its checksum reads like a whole one; only gzerror tells. */
  char extra = 0;
  int state = Z_OK;
  int after = gzread(file, &extra, 1);
  gzerror(file, &state);
  if (after != 0 || state != Z_OK) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: %s", path, after > 0 ? "more data found than its header says" : "damaged gzip data");
    goto fail;
  }
  return body;
fail:
  free(body);
  return NULL;
}

static gzFile open_file(const char *path, char *error) {
  errno = 0;
  gzFile file = gzopen(path, "rb");
  if (file == NULL) snprintf(error, DATASET_ERROR_SIZE, "%s: %s", path, errno != 0 ? strerror(errno) : "no memory");
  return file;
}

static bool check_magic(uint32_t found, uint32_t expected, const char *path, char *error) {
  if (found == expected) return true;
  snprintf(error, DATASET_ERROR_SIZE, "%s: starts with 0x%08x, expected 0x%08x", path, (unsigned)found, (unsigned)expected);
  return false;
}

bool idx_read_images(image_set *out, const char *path, char *error) {
  uint32_t head[4];
  bool good = false;
  *out = (image_set){0};
  gzFile file = open_file(path, error);
  if (file == NULL) return false;
  if (!read_words(file, head, 4, path, error) || !check_magic(head[0], MAGIC_IMAGES, path, error)) goto out;
  if (head[1] == 0 || head[1] > COUNT_MAX || head[2] == 0 || head[2] > SIDE_MAX || head[3] == 0 || head[3] > SIDE_MAX ||
      (uint64_t)head[1] * head[2] * head[3] > BYTES_MAX) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: %u images of %u x %u found, expected 1 to %u of at most %u x %u and 2 GiB in all", path, (unsigned)head[1],
        (unsigned)head[2], (unsigned)head[3], COUNT_MAX, SIDE_MAX, SIDE_MAX);
    goto out;
  }
  out->pixels = read_body(file, (size_t)head[1] * head[2] * head[3], path, error);
  good = out->pixels != NULL;
  if (good) {
    out->count = head[1];
    out->rows = head[2];
    out->columns = head[3];
  }
out:
  gzclose(file);
  return good;
}

bool idx_read_labels(image_set *out, const char *path, char *error) {
  uint32_t head[2];
  bool good = false;
  *out = (image_set){0};
  gzFile file = open_file(path, error);
  if (file == NULL) return false;
  if (!read_words(file, head, 2, path, error) || !check_magic(head[0], MAGIC_LABELS, path, error)) goto out;
  if (head[1] == 0 || head[1] > COUNT_MAX) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: %u labels found, expected 1 to %u", path, (unsigned)head[1], COUNT_MAX);
    goto out;
  }
  out->labels = read_body(file, head[1], path, error);
  good = out->labels != NULL;
  out->count = good ? head[1] : 0;
out:
  gzclose(file);
  return good;
}

/* Puts the path of the file that exists into `path`: with ".gz" if that can be opened, else without. */
static bool choose(char *path, const char *folder, const char *part, const char *kind, char *error) {
  static const char *const endings[] = {".gz", ""};
  for (size_t i = 0; i < 2; i++) {
    int length = snprintf(path, PATH_BYTES, "%s/%s-%s%s", folder, part, kind, endings[i]);
    if (length < 0 || length >= PATH_BYTES) {
      snprintf(error, DATASET_ERROR_SIZE, "path of %d bytes found, expected at most %d", length, PATH_BYTES - 1);
      return false;
    }
    FILE *probe = fopen(path, "rb");
    if (probe != NULL) {
      fclose(probe);
      return true;
    }
  }
  snprintf(error, DATASET_ERROR_SIZE, "%s: no readable file, with or without .gz: %s", path, strerror(errno));
  return false;
}

bool idx_read_pair(image_set *out, const char *folder, const char *part, char *error) {
  char path[PATH_BYTES];
  image_set labels = {0};
  *out = (image_set){0};
  if (!choose(path, folder, part, "images-idx3-ubyte", error) || !idx_read_images(out, path, error)) return false;
  if (!choose(path, folder, part, "labels-idx1-ubyte", error) || !idx_read_labels(&labels, path, error)) goto fail;
  if (labels.count != out->count) {
    snprintf(error, DATASET_ERROR_SIZE, "%s: %zu labels found, expected %zu, one an image", path, labels.count, out->count);
    goto fail;
  }
  out->labels = labels.labels;
  return true;
fail:
  free(labels.labels);
  free(out->pixels);
  *out = (image_set){0};
  return false;
}
