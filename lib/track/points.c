/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Points as they were logged: the latest ones, and all of them in order of arrival. */
#include "track/snapshot.h"

#include "series/chunk.h"

#include <string.h>

#define TAIL_MAXIMUM 100000

/* Reads whole chunks from the newest back until `wanted` points are there; fills `points` from its end and returns how many came. */
static int read_newest_chunks(const tmon_snapshot *snapshot, const tmon_snapshot_writer *writer, tmon_point *points, size_t wanted, size_t *got) {
  tmon_row *row = NULL;
  tmon_point *decoded = tmon_alloc(2 * TMON_CHUNK_POINTS * sizeof *decoded);
  int result = decoded == NULL ? tmon_error_no_memory()
                               : tmon_tx_prepare(&row, snapshot->tx, "SELECT data FROM chunks WHERE metric = ? AND writer = ? ORDER BY seq DESC");
  *got = 0;
  if (result != TMON_OK) goto out;
  tmon_bind_int(row, 1, snapshot->metric);
  tmon_bind_int(row, 2, writer->writer);
  while (*got < wanted && (result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    size_t count = 0;
    const void *data = tmon_row_blob(row, 0, &size);
    result = tmon_chunk_decode(decoded, 2 * TMON_CHUNK_POINTS, &count, data, size);
    if (result != TMON_OK) break;
    size_t taken = count < wanted - *got ? count : wanted - *got;
    memcpy(points + wanted - *got - taken, decoded + count - taken, taken * sizeof *points);
    *got += taken;
  }
  tmon_row_reset(row);
out:
  tmon_free(decoded);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_series_tail(tmon_point *points, size_t *count, tmon_store *store, const char *session_id, const char *key) {
  tmon_snapshot snapshot;
  size_t got = 0;
  if (count == NULL) return tmon_error_set(TMON_EINVAL, "count is NULL");
  size_t wanted = *count;
  *count = 0;
  if (points == NULL || wanted == 0 || wanted > TAIL_MAXIMUM)
    return tmon_error_set(TMON_EINVAL, "room for %zu points, expected 1 to %d", wanted, TAIL_MAXIMUM);
  int result = tmon_snapshot_open(&snapshot, store, session_id, key);
  if (result != TMON_OK) return result;
  /* From the last writer back; each fills the room before what is there already. */
  for (size_t i = snapshot.writer_count; result == TMON_OK && i-- > 0 && got < wanted;) {
    const tmon_snapshot_writer *writer = &snapshot.writers[i];
    size_t taken = writer->count < wanted - got ? writer->count : wanted - got;
    if (taken > 0) memcpy(points + wanted - got - taken, writer->points + writer->count - taken, taken * sizeof *points);
    got += taken;
    if (got == wanted || writer->folded_count == 0) continue;
    result = read_newest_chunks(&snapshot, writer, points, wanted - got, &taken);
    got += taken;
  }
  tmon_snapshot_close(&snapshot);
  if (result != TMON_OK) return result;
  memmove(points, points + wanted - got, got * sizeof *points);
  *count = got;
  return TMON_OK;
}

struct tmon_point_reader {
  tmon_store *store;
  tmon_snapshot snapshot;
  size_t writer; /* the one being read */
  int64_t seq;   /* of its last chunk read */
  bool chunks_done;
  tmon_point *points; /* of the chunk being read */
  size_t count;
  size_t next;
  size_t loose; /* next of the points outside chunks */
};

int tmon_point_reader_open(tmon_point_reader **out, tmon_store *store, const char *session_id, const char *key) {
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  tmon_point_reader *reader = tmon_alloc_zero(1, sizeof *reader);
  if (reader == NULL) return tmon_error_no_memory();
  reader->points = tmon_alloc(2 * TMON_CHUNK_POINTS * sizeof *reader->points);
  int result = reader->points == NULL ? tmon_error_no_memory() : tmon_snapshot_open(&reader->snapshot, store, session_id, key);
  if (result == TMON_OK) {
    reader->store = tmon_store_hold(store);
    *out = reader;
  } else {
    tmon_point_reader_free(reader);
  }
  return result;
}

static int next_chunk(tmon_point_reader *reader, const tmon_snapshot_writer *writer) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, reader->snapshot.tx, "SELECT seq, data FROM chunks WHERE metric = ? AND writer = ? AND seq > ? ORDER BY seq LIMIT 1");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, reader->snapshot.metric);
  tmon_bind_int(row, 2, writer->writer);
  tmon_bind_int(row, 3, reader->seq);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    size_t size = 0;
    const void *data = tmon_row_blob(row, 1, &size);
    reader->seq = tmon_row_int(row, 0);
    reader->next = 0;
    result = tmon_chunk_decode(reader->points, 2 * TMON_CHUNK_POINTS, &reader->count, data, size);
  }
  tmon_row_reset(row);
  return result;
}

/* Makes the next run of points available; TMON_DONE after the last writer. */
static int next_run(tmon_point_reader *reader, const tmon_point **run, size_t *count) {
  while (reader->writer < reader->snapshot.writer_count) {
    const tmon_snapshot_writer *writer = &reader->snapshot.writers[reader->writer];
    if (reader->next < reader->count) {
      *run = reader->points + reader->next;
      *count = reader->count - reader->next;
      return TMON_OK;
    }
    if (!reader->chunks_done && writer->folded_count > 0) {
      int result = next_chunk(reader, writer);
      if (result == TMON_OK) continue;
      if (result != TMON_DONE) return result;
    }
    reader->chunks_done = true;
    if (reader->loose < writer->count) {
      *run = writer->points + reader->loose;
      *count = writer->count - reader->loose;
      return TMON_OK;
    }
    reader->writer++;
    reader->seq = 0;
    reader->loose = 0;
    reader->chunks_done = false;
  }
  return TMON_DONE;
}

int tmon_point_reader_run(tmon_point_reader *reader, const tmon_point **run, size_t *count, int64_t *writer) {
  int result = next_run(reader, run, count);
  if (result != TMON_OK) return result;
  *writer = reader->snapshot.writers[reader->writer].writer;
  if (reader->next < reader->count) reader->next += *count;
  else reader->loose += *count;
  return TMON_OK;
}

int tmon_point_reader_next(tmon_point_reader *reader, tmon_point *points, size_t capacity, size_t *count) {
  if (reader == NULL || points == NULL || count == NULL || capacity == 0) return tmon_error_set(TMON_EINVAL, "an argument is NULL or the capacity 0");
  *count = 0;
  while (*count < capacity) {
    const tmon_point *run = NULL;
    size_t available = 0;
    int result = next_run(reader, &run, &available);
    if (result == TMON_DONE) break;
    if (result != TMON_OK) return result;
    size_t taken = available < capacity - *count ? available : capacity - *count;
    memcpy(points + *count, run, taken * sizeof *points);
    *count += taken;
    if (reader->next < reader->count) reader->next += taken;
    else reader->loose += taken;
  }
  return *count == 0 ? TMON_DONE : TMON_OK;
}

void tmon_point_reader_free(tmon_point_reader *reader) {
  if (reader == NULL) return;
  tmon_snapshot_close(&reader->snapshot);
  if (reader->store != NULL) tmon_store_drop(reader->store);
  tmon_free(reader->points);
  tmon_free(reader);
}
