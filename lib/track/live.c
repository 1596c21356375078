/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What a live session says and hears besides points: progress, control, errors. */
#include "track/session.h"

#include <math.h>
#include <stdatomic.h>

#define PAUSE_LOOK_US 20000

const char *tmon_session_id(const tmon_session *session) { return session == NULL ? "" : session->id; }

int tmon_session_report(tmon_session *session, const tmon_progress *progress) {
  tmon_progress given;
  int result = tmon_session_check(session);
  if (result != TMON_OK) return result;
  if (progress == NULL) return tmon_error_set(TMON_EINVAL, "progress is NULL");
  result = tmon_options_copy(&given, sizeof given, progress, "tmon_progress");
  if (result != TMON_OK) return result;
  if (given.epoch < 0 || given.epochs < 0 || given.batch < 0 || given.batches < 0 || given.images < 0) {
    return tmon_error_set(TMON_EINVAL, "a count of progress is negative");
  }
  if (!(given.fraction >= 0 && given.fraction <= 1)) return tmon_error_set(TMON_EINVAL, "fraction is %g, expected 0 to 1", given.fraction);
  if (given.epochs == 0) given.epochs = session->epochs;
  tmon_mutex_lock(session->words);
  tmon_ring_set_progress(tmon_session_ring(session), &given);
  tmon_mutex_unlock(session->words);
  return session->no_drainer ? TMON_OK : tmon_drainer_start(session);
}

tmon_control tmon_session_control(const tmon_session *session) {
  if (session == NULL || session->pid != tmon_process_id()) return TMON_CONTROL_RUN;
  if (atomic_load_explicit(&session->finished, memory_order_relaxed)) return TMON_CONTROL_RUN;
  return tmon_ring_control(tmon_session_ring(session));
}

static void set_waiting(tmon_session *session, bool waiting) {
  tmon_mutex_lock(session->words);
  tmon_ring_set_waiting(tmon_session_ring(session), waiting);
  tmon_mutex_unlock(session->words);
}

tmon_control tmon_session_wait_while_paused(tmon_session *session, uint32_t timeout_ms) {
  tmon_control control = tmon_session_control(session);
  if (control != TMON_CONTROL_PAUSE) return control;
  int64_t begun = tmon_clock_monotonic_us();
  if (!session->no_drainer) (void)tmon_drainer_start(session); /* carries requests that reach only the store */
  set_waiting(session, true);
  while ((control = tmon_session_control(session)) == TMON_CONTROL_PAUSE) {
    if (timeout_ms > 0 && tmon_clock_monotonic_us() - begun >= (int64_t)timeout_ms * 1000) break;
    tmon_clock_sleep_us(PAUSE_LOOK_US);
  }
  /* Who gives up after a while comes back as a rule: readers see one pause, not many. */
  if (control != TMON_CONTROL_PAUSE) set_waiting(session, false);
  return control;
}

int tmon_session_request(tmon_session *session, tmon_control control) {
  int result = tmon_session_check(session);
  if (result != TMON_OK) return result;
  if ((int)control < TMON_CONTROL_RUN || control > TMON_CONTROL_STOP) {
    return tmon_error_set(TMON_EINVAL, "control is %d, expected run, pause or stop", (int)control);
  }
  tmon_ring_set_control(tmon_session_ring(session), control);
  return tmon_record_request(session->store, session->id, control);
}

int tmon_session_flush(tmon_session *session) {
  int result = tmon_session_check(session);
  if (result != TMON_OK) return result;
  tmon_mutex_lock(session->mutex);
  tmon_ring_renew(session);
  tmon_mutex_unlock(session->mutex);
  result = tmon_drainer_drain(session, -1, 0);
  return result == TMON_OK ? tmon_session_drain_images(session, 0) : result;
}

uint64_t tmon_session_dropped(const tmon_session *session) {
  if (session == NULL || session->pid != tmon_process_id()) return 0;
  tmon_mutex_lock(session->words);
  uint64_t dropped = tmon_ring_dropped(tmon_session_ring(session)) + atomic_load_explicit(&session->dropped, memory_order_relaxed);
  tmon_mutex_unlock(session->words);
  return dropped;
}

int tmon_session_set_error(tmon_session *session, const char *text) {
  int result = tmon_session_check(session);
  if (result == TMON_OK) result = tmon_check_text(text, TMON_TEXT_MAXIMUM, "the error text");
  if (result != TMON_OK) return result;
  char *copy = tmon_strdup(text);
  if (text != NULL && copy == NULL) return tmon_error_no_memory();
  tmon_mutex_lock(session->words);
  tmon_free(session->error_text);
  session->error_text = copy;
  tmon_ring_set_error(tmon_session_ring(session), copy);
  tmon_mutex_unlock(session->words);
  return TMON_OK;
}
