/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The points of one metric and writer have a fixed order of arrival: those in chunks first, then those in deltas. Folding and merging move points from
 * deltas to chunks, or long runs go into chunks at once, but the n-th point stays the n-th. So the follow counts what it has given of each metric and goes on
 * there; which delta a point came in does not matter.
 */
#include "track/far.h"

#include "series/chunk.h"

#include <string.h>

static tmon_far_metric *find(const tmon_far *far, int64_t row, size_t *at) {
  size_t low = 0;
  size_t high = far->metric_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (far->metrics[middle].row < row) low = middle + 1;
    else high = middle;
  }
  *at = low;
  return low < far->metric_count && far->metrics[low].row == row ? &far->metrics[low] : NULL;
}

static int find_or_add(tmon_far *far, int64_t row, tmon_far_metric **out) {
  size_t at = 0;
  *out = find(far, row, &at);
  if (*out != NULL) return TMON_OK;
  tmon_far_metric *grown = tmon_realloc(far->metrics, far->metric_count + 1, sizeof *grown);
  if (grown == NULL) return tmon_error_no_memory();
  far->metrics = grown;
  memmove(grown + at + 1, grown + at, (far->metric_count - at) * sizeof *grown);
  far->metric_count++;
  grown[at] = (tmon_far_metric){.row = row, .number = UINT32_MAX};
  *out = &grown[at];
  return TMON_OK;
}

static int load_metrics(tmon_far *far, tmon_tx *tx) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT k.id, coalesce(f.count, 0), coalesce(f.seq, 0) FROM metric_keys k LEFT JOIN folded f ON f.metric = k.id AND f.writer = ?2"
      " WHERE k.session = ?1 ORDER BY k.id");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, far->session);
  tmon_bind_int(row, 2, far->writer);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_far_metric *metric = NULL;
    if ((result = find_or_add(far, tmon_row_int(row, 0), &metric)) != TMON_OK) break;
    metric->folded = (uint64_t)tmon_row_int(row, 1);
    metric->seq = tmon_row_int(row, 2);
    metric->passed = 0;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int number_of(tmon_far_metric *metric, tmon_tx *tx, tmon_far_sink *sink) {
  tmon_row *row = NULL;
  if (metric->number != UINT32_MAX) return TMON_OK;
  int result = tmon_tx_prepare(&row, tx, "SELECT key FROM metric_keys WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric->row);
  result = tmon_row_step(row);
  if (result == TMON_OK) result = sink->number(sink->payload, tmon_row_text(row, 0), &metric->number);
  tmon_row_reset(row);
  return result == TMON_DONE ? tmon_error_set(TMON_ECORRUPT, "metric %lld has no name", (long long)metric->row) : result;
}

/* Gives the points of one packed run whose first is the `index`-th of the metric, as far as they are new and there is room. */
static int give(tmon_far *far, tmon_far_metric *metric, tmon_tx *tx, tmon_far_sink *sink, uint64_t index, const void *data, size_t size) {
  size_t count = 0;
  int result = tmon_chunk_decode(far->decoded, TMON_CHUNK_POINTS_MAXIMUM, &count, data, size);
  if (result != TMON_OK || index > metric->taken || index + count <= metric->taken) return result;
  result = number_of(metric, tx, sink);
  for (size_t i = (size_t)(metric->taken - index); result == TMON_OK && i < count && sink->count < sink->capacity; i++) {
    sink->points[sink->count++] = (tmon_follow_point){metric->number, far->decoded[i]};
    metric->taken++;
  }
  if (metric->taken < index + count) sink->more = true;
  return result;
}

/* From the newest chunk back to the one that holds the first point wanted. */
static int find_chunk(const tmon_far *far, const tmon_far_metric *metric, tmon_tx *tx, int64_t *seq, uint64_t *index) {
  tmon_row *row = NULL;
  *index = metric->folded;
  *seq = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT seq, count FROM chunks WHERE metric = ? AND writer = ? ORDER BY seq DESC");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric->row);
  tmon_bind_int(row, 2, far->writer);
  while (*index > metric->taken && (result = tmon_row_step(row)) == TMON_OK) {
    uint64_t count = (uint64_t)tmon_row_int(row, 1);
    if (count > *index) {
      result = tmon_error_set(TMON_ECORRUPT, "the chunks of metric %lld hold more points than were folded", (long long)metric->row);
      break;
    }
    *index -= count;
    *seq = tmon_row_int(row, 0);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int take_chunks(tmon_far *far, tmon_far_metric *metric, tmon_tx *tx, tmon_far_sink *sink) {
  tmon_row *row = NULL;
  int64_t seq = 0;
  uint64_t index = 0;
  int result = find_chunk(far, metric, tx, &seq, &index);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT count, data FROM chunks WHERE metric = ? AND writer = ? AND seq >= ? ORDER BY seq");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, metric->row);
  tmon_bind_int(row, 2, far->writer);
  tmon_bind_int(row, 3, seq);
  while (!sink->more && (result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    const void *data = tmon_row_blob(row, 1, &size);
    if ((result = give(far, metric, tx, sink, index, data, size)) != TMON_OK) break;
    index += (uint64_t)tmon_row_int(row, 0);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* Without a sink the points only count as taken. */
static int walk_deltas(tmon_far *far, tmon_tx *tx, tmon_far_sink *sink) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT seq, data FROM deltas WHERE writer = ? ORDER BY seq");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, far->writer);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    size_t size = 0;
    size_t at = 0;
    const void *data = tmon_row_blob(row, 1, &size);
    int64_t seq = tmon_row_int(row, 0);
    tmon_delta_reader reader;
    tmon_delta_entry entry;
    result = tmon_delta_open(&reader, data, size);
    while (result == TMON_OK && (result = tmon_delta_next(&reader, &entry)) == TMON_OK) {
      tmon_far_metric *metric = find(far, entry.metric, &at);
      if (metric == NULL || seq <= metric->seq) continue;
      uint64_t index = metric->folded + metric->passed;
      metric->passed += entry.count;
      if (sink == NULL) metric->taken = index + entry.count;
      else if (index + entry.count > metric->taken) result = give(far, metric, tx, sink, index, entry.chunk, entry.size);
    }
    if (result != TMON_DONE) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int read_next_seq(const tmon_far *far, tmon_tx *tx, int64_t *out) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT next_seq FROM writers WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, far->writer);
  result = tmon_row_step(row);
  *out = result == TMON_OK ? tmon_row_int(row, 0) : 0;
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result; /* a deleted session has nothing more to give */
}

int tmon_far_skip(tmon_far *far, tmon_tx *tx) {
  int64_t next = 0;
  int result = read_next_seq(far, tx, &next);
  if (result == TMON_OK) result = load_metrics(far, tx);
  for (size_t i = 0; i < far->metric_count; i++) far->metrics[i].taken = far->metrics[i].folded;
  if (result == TMON_OK) result = walk_deltas(far, tx, NULL);
  if (result == TMON_OK) far->seen = next;
  return result;
}

int tmon_far_take(tmon_far *far, tmon_tx *tx, tmon_far_sink *sink) {
  int64_t next = 0;
  sink->more = false;
  int result = read_next_seq(far, tx, &next);
  if (result != TMON_OK || next == far->seen) return result; /* each commit of points moves it */
  if (far->decoded == NULL) far->decoded = tmon_alloc(TMON_CHUNK_POINTS_MAXIMUM * sizeof *far->decoded);
  if (far->decoded == NULL) return tmon_error_no_memory();
  result = load_metrics(far, tx);
  for (size_t i = 0; result == TMON_OK && !sink->more && i < far->metric_count; i++) {
    if (far->metrics[i].taken < far->metrics[i].folded) result = take_chunks(far, &far->metrics[i], tx, sink);
  }
  if (result == TMON_OK && !sink->more) result = walk_deltas(far, tx, sink);
  if (result == TMON_OK && !sink->more) far->seen = next;
  return result;
}

void tmon_far_free(tmon_far *far) {
  tmon_free(far->metrics);
  tmon_free(far->decoded);
  memset(far, 0, sizeof *far);
}
