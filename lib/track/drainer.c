/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The drainer thread of a session: looks at the ring each 250 ms or when it is woken at half full, and commits when a second has passed, when the ring is
 * a quarter full, or when it was asked to. It also carries control rows of the store into the ring, and makes the ring file again when somebody has
 * removed it. Told to stop, it commits what is left and closes the session's rows, however long the disk takes: who finishes a session waits only a while.
 */
#include "track/session.h"

#include <stdatomic.h>

#define TICK_US 250000
#define COMMIT_US 1000000
#define QUARTER_FULL 0.25

/* People may have asked through the store, when they could not reach the ring. A row newer than what was seen wins. */
static void read_control(tmon_session *session, int64_t *seen) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  if (tmon_tx_begin(&tx, session->store->db, false, 0) != TMON_OK) return;
  if (tmon_tx_prepare(&row, tx, "SELECT control, control_at FROM training_sessions WHERE key = ?") == TMON_OK) {
    tmon_bind_int(row, 1, session->key);
    if (tmon_row_step(row) == TMON_OK && tmon_row_int(row, 1) > *seen) {
      int64_t control = tmon_row_int(row, 0);
      *seen = tmon_row_int(row, 1);
      if (control >= TMON_CONTROL_RUN && control <= TMON_CONTROL_STOP) tmon_ring_set_control(tmon_session_ring(session), (tmon_control)control);
    }
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
}

static void run(void *argument) {
  tmon_session *session = argument;
  int64_t committed = tmon_clock_monotonic_us();
  int64_t seen = 0;
  while (!atomic_load_explicit(&session->stopping, memory_order_acquire)) {
    tmon_wake_wait(&session->wake, TICK_US);
    if (atomic_load_explicit(&session->stopping, memory_order_acquire)) break;
    int64_t now = tmon_clock_monotonic_us();
    tmon_ring_beat(tmon_session_ring(session), tmon_clock_now_us());
    read_control(session, &seen);
    tmon_mutex_lock(session->mutex);
    tmon_ring_renew(session);
    tmon_mutex_unlock(session->mutex);
    tmon_session_tick_images(session);
    if (now - committed < COMMIT_US && tmon_ring_fill(tmon_session_ring(session)) < QUARTER_FULL) continue;
    /* An error leaves the points in the ring; the next tick tries again and the ring tells the writer when to drop. */
    if (tmon_drainer_drain(session, -1, 0) == TMON_OK) committed = tmon_clock_monotonic_us();
  }
  tmon_session_end(session, 0);
  tmon_alert_commands_end(session, 5000000);
  /* Acquire and release: who comes second sees all that the other did to the session. */
  if (atomic_exchange_explicit(&session->one_gone, true, memory_order_acq_rel)) tmon_session_destroy(session);
}

static bool needs_thread(const tmon_session *session) {
  return !session->no_drainer && !atomic_load_explicit(&session->thread_started, memory_order_acquire);
}

static int start(tmon_session *session) {
  if (!needs_thread(session)) return TMON_OK;
  int result = tmon_thread_start(&session->thread, "trainmon-drain", run, session);
  /* Also after a failure: the caller drains at flush and finish, and the next process adopts. Trying again at each log would cost more. */
  atomic_store_explicit(&session->thread_started, true, memory_order_release);
  return result;
}

int tmon_drainer_start(tmon_session *session) {
  if (!needs_thread(session)) return TMON_OK;
  tmon_mutex_lock(session->mutex);
  int result = start(session);
  tmon_mutex_unlock(session->mutex);
  return result;
}

void tmon_drainer_start_if_free(tmon_session *session) {
  if (!needs_thread(session) || !tmon_mutex_try_lock_for(session->mutex, 0)) return;
  (void)start(session);
  tmon_mutex_unlock(session->mutex);
}

int tmon_drainer_drain(tmon_session *session, int64_t timeout_us, int64_t deadline_us) {
  if (timeout_us < 0) tmon_mutex_lock(session->mutex);
  else if (!tmon_mutex_try_lock_for(session->mutex, timeout_us)) return tmon_error_set(TMON_EBUSY, "another thread is draining session %s", session->id);
  int result = tmon_drain_run(&session->drain, timeout_us, deadline_us);
  tmon_alert_told told;
  tmon_alert_events_take(&told, session);
  tmon_mutex_unlock(session->mutex);
  tmon_alert_events_act(session, &told);
  return result;
}
