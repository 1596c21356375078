/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The log calls: what the training thread pays for. No lock, no system call while the ring has room. */
#include "track/session.h"

#include <stdatomic.h>

/* The first log of a session starts its drainer; every later one pays for one load. */
static inline int check_log(tmon_session *session) {
  if (session == NULL) return tmon_error_set(TMON_EINVAL, "the session is NULL");
  if (session->pid != tmon_process_id()) return tmon_error_set(TMON_EFORKED, "session %s belongs to the parent of this forked process", session->id);
  if (atomic_load_explicit(&session->finished, memory_order_relaxed)) return tmon_error_set(TMON_ESTATE, "session %s is finished", session->id);
  if (!atomic_load_explicit(&session->thread_started, memory_order_acquire)) (void)tmon_drainer_start(session);
  return TMON_OK;
}

int tmon_log(tmon_session *session, tmon_metric metric, int64_t step, double value) {
  int result = check_log(session);
  if (result != TMON_OK) return result;
  return tmon_ring_write(tmon_session_ring(session), TMON_SLOT_POINT, metric, step, tmon_clock_now_us(), value);
}

/* A drop does not end a batch: the count of dropped points stays exact, and points that fit are kept. */
static int keep_first(int result, int next) { return result == TMON_OK ? next : result; }

int tmon_log_batch(tmon_session *session, int64_t step, const tmon_metric *metrics, const double *values, size_t count) {
  int result = check_log(session);
  if (result != TMON_OK) return result;
  if (count > 0 && (metrics == NULL || values == NULL)) return tmon_error_set(TMON_EINVAL, "metrics or values is NULL with a count of %zu", count);
  int64_t now = tmon_clock_now_us();
  tmon_ring *ring = tmon_session_ring(session);
  for (size_t i = 0; i < count; i++) {
    result = keep_first(result, tmon_ring_write(ring, TMON_SLOT_POINT, metrics[i], step, now, values[i]));
  }
  return result;
}

int tmon_log_series(tmon_session *session, tmon_metric metric, const int64_t *steps, const int64_t *times, const double *values, size_t count) {
  int result = check_log(session);
  if (result != TMON_OK) return result;
  if (count > 0 && (steps == NULL || values == NULL)) return tmon_error_set(TMON_EINVAL, "steps or values is NULL with a count of %zu", count);
  int64_t now = tmon_clock_now_us();
  tmon_ring *ring = tmon_session_ring(session);
  for (size_t i = 0; i < count; i++) {
    result = keep_first(result, tmon_ring_write(ring, TMON_SLOT_POINT, metric, steps[i], times == NULL ? now : times[i], values[i]));
  }
  return result;
}

int tmon_session_log_epoch(tmon_session *session, int64_t epoch, const tmon_epoch *row) {
  tmon_epoch given;
  int result = check_log(session);
  if (result != TMON_OK) return result;
  if (row == NULL) return tmon_error_set(TMON_EINVAL, "the epoch row is NULL");
  result = tmon_options_copy(&given, sizeof given, row, "tmon_epoch");
  if (result != TMON_OK) return result;
  if (given.count > 0 && (given.metrics == NULL || given.values == NULL)) {
    return tmon_error_set(TMON_EINVAL, "metrics or values is NULL with a count of %zu", given.count);
  }
  int64_t now = tmon_clock_now_us();
  tmon_ring *ring = tmon_session_ring(session);
  for (size_t i = 0; i < given.count; i++) {
    result = keep_first(result, tmon_ring_write(ring, TMON_SLOT_EPOCH, given.metrics[i], epoch, now, given.values[i]));
  }
  return result;
}

int tmon_session_metric(tmon_metric *out, tmon_session *session, const char *key, const tmon_metric_options *options) {
  tmon_metric_options chosen;
  int result = tmon_session_check(session);
  if (result == TMON_OK && out == NULL) result = tmon_error_set(TMON_EINVAL, "out is NULL");
  if (result == TMON_OK) result = tmon_options_copy(&chosen, sizeof chosen, options, "tmon_metric_options");
  if (result != TMON_OK) return result;
  if (key == NULL || !tmon_text_is_key(key)) {
    return tmon_error_set(TMON_EINVAL, "the metric name \"%.40s\" is not allowed, expected UTF-8 of 1 to 250 bytes without control characters",
        key == NULL ? "(NULL)" : key);
  }
  tmon_mutex_lock(session->words); /* a ring that takes the place of this one has the same names under the same numbers */
  result = tmon_ring_metric(tmon_session_ring(session), key, out);
  tmon_mutex_unlock(session->words);
  return result;
}
