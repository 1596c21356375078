/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Deltas: a version byte, the number of groups, the directory's length, the directory, then the groups' chunks one after the other.
 *
 * The directory stands apart from the chunks, so that looking for one metric among a thousand reads some kilobytes and skips the rest.
 * Metrics are stored as distances, each at least 1: a directory can only ascend, and no metric comes twice.
 */
#include "series/chunk.h"
#include "series/codec.h"
#include "trainmon/error.h"
#include "util/error.h"

#include <string.h>

#define VERSION 1u
#define ENTRY_BYTES_MINIMUM 3u

static int corrupt(void) { return tmon_error_set(TMON_ECORRUPT, "the directory of a delta does not match its bytes"); }

static int check_groups(const tmon_delta_group *groups, size_t count) {
  int64_t previous = -1;
  if (groups == NULL && count > 0) return tmon_error_set(TMON_EINVAL, "groups must not be NULL");
  for (size_t i = 0; i < count; i++) {
    if (groups[i].metric <= previous)
      return tmon_error_set(
          TMON_EINVAL, "metric %lld follows %lld in a delta: they must ascend from 0 on", (long long)groups[i].metric, (long long)previous);
    if (groups[i].points == NULL || groups[i].count == 0 || groups[i].count > TMON_CHUNK_POINTS_MAXIMUM)
      return tmon_error_set(TMON_EINVAL, "a group of a delta holds 1 to %d points, not %zu", TMON_CHUNK_POINTS_MAXIMUM, groups[i].count);
    previous = groups[i].metric;
  }
  return TMON_OK;
}

int tmon_delta_encode(tmon_buffer *out, const tmon_delta_group *groups, size_t count) {
  tmon_buffer directory;
  tmon_buffer body;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out must not be NULL");
  int rc = check_groups(groups, count);
  if (rc != TMON_OK) return rc;
  tmon_buffer_init(&directory, out->maximum);
  tmon_buffer_init(&body, out->maximum);
  int64_t previous = -1;
  for (size_t i = 0; i < count; i++) {
    size_t before = body.size;
    rc = tmon_chunk_encode(&body, groups[i].points, groups[i].count);
    if (rc != TMON_OK) goto out;
    tmon_varint_put(&directory, (uint64_t)groups[i].metric - (uint64_t)previous);
    tmon_varint_put(&directory, groups[i].count);
    rc = tmon_varint_put(&directory, body.size - before);
    if (rc != TMON_OK) goto out;
    previous = groups[i].metric;
  }
  uint8_t version = VERSION;
  tmon_buffer_append(out, &version, 1);
  tmon_varint_put(out, count);
  tmon_varint_put(out, directory.size);
  if (directory.size > 0) tmon_buffer_append(out, directory.data, directory.size);
  if (body.size > 0) tmon_buffer_append(out, body.data, body.size);
  rc = out->error;
out:
  tmon_buffer_free(&body);
  tmon_buffer_free(&directory);
  return rc;
}

static int read_head(tmon_delta_reader *out, const uint8_t *data, size_t size) {
  uint64_t count;
  uint64_t length;
  size_t offset = 1;
  if (data == NULL || size == 0) return tmon_error_set(TMON_ECORRUPT, "a delta is empty");
  if (data[0] != VERSION) return tmon_error_set(TMON_ECORRUPT, "a delta has version %u, expected %u", (unsigned)data[0], VERSION);
  if (!tmon_varint_get(data, size, &offset, &count) || !tmon_varint_get(data, size, &offset, &length)) return corrupt();
  if (length > size - offset || count > length / ENTRY_BYTES_MINIMUM) return corrupt();
  *out = (tmon_delta_reader){data, size, offset, offset + (size_t)length, (size_t)count, -1};
  return TMON_OK;
}

/* The directory's end is not kept (it is where the first chunk begins, and `body` moves on), so this reads at most up to `body`, which is safe;
 * that the directory really ends where its length says is checked once, when a delta is opened. */
static int read_entry(tmon_delta_reader *reader, tmon_delta_entry *out) {
  uint64_t distance;
  uint64_t points;
  uint64_t bytes;
  if (!tmon_varint_get(reader->data, reader->body, &reader->directory, &distance) ||
      !tmon_varint_get(reader->data, reader->body, &reader->directory, &points) ||
      !tmon_varint_get(reader->data, reader->body, &reader->directory, &bytes))
    return corrupt();
  /* Unsigned, so that from -1, before the first metric, a distance of up to 2^63 is allowed and none leads past INT64_MAX. */
  if (distance == 0 || distance > (uint64_t)INT64_MAX - (uint64_t)reader->metric) return corrupt();
  if (points == 0 || points > TMON_CHUNK_POINTS_MAXIMUM || bytes > reader->size - reader->body) return corrupt();
  reader->metric = (int64_t)((uint64_t)reader->metric + distance);
  *out = (tmon_delta_entry){reader->metric, (size_t)points, reader->data + reader->body, (size_t)bytes};
  reader->body += (size_t)bytes;
  reader->left--;
  return TMON_OK;
}

static int check_entry(const tmon_delta_entry *entry) {
  size_t count;
  int rc = tmon_chunk_count(&count, entry->chunk, entry->size);
  if (rc != TMON_OK) return rc;
  return count == entry->count ? TMON_OK : corrupt();
}

int tmon_delta_open(tmon_delta_reader *out, const uint8_t *data, size_t size) {
  tmon_delta_reader walk;
  tmon_delta_entry entry;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out must not be NULL");
  memset(out, 0, sizeof *out);
  int rc = read_head(&walk, data, size);
  if (rc != TMON_OK) return rc;
  tmon_delta_reader start = walk;
  while (walk.left > 0) {
    rc = read_entry(&walk, &entry);
    if (rc != TMON_OK) return rc;
  }
  if (walk.directory != start.body || walk.body != size) return corrupt();
  *out = start;
  return TMON_OK;
}

int tmon_delta_next(tmon_delta_reader *reader, tmon_delta_entry *out) {
  if (reader == NULL || out == NULL) return tmon_error_set(TMON_EINVAL, "reader and out must not be NULL");
  if (reader->left == 0) return TMON_DONE;
  int rc = read_entry(reader, out);
  return rc != TMON_OK ? rc : check_entry(out);
}

/* One pass that ends at the metric or behind where it would be; what comes after it is not checked. */
int tmon_delta_find(const uint8_t *data, size_t size, int64_t metric, tmon_delta_entry *out) {
  tmon_delta_reader reader;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out must not be NULL");
  int rc = read_head(&reader, data, size);
  if (rc != TMON_OK) return rc;
  while (reader.left > 0) {
    rc = read_entry(&reader, out);
    if (rc != TMON_OK) return rc;
    if (out->metric == metric) return check_entry(out);
    if (out->metric > metric) return TMON_DONE;
  }
  return TMON_DONE;
}
