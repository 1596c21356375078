/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Ending a session. The final status goes into the ring before anything else, so that a kill at any later instant still leaves a clean end; then the
 * drainer thread commits what is left, and the caller waits for it at most 60 ms, which leaves the rest of 100 ms to the exit itself. A disk that takes longer
 * keeps the thread and not the caller: the thread ends its work and frees the session, or dies with the process, and then the next process that opens the store
 * adopts the ring. Without a drainer (no_drainer) the caller commits itself, and a write under way takes as long as it takes.
 */
#include "track/session.h"

#include "util/file.h"

/* Of the 100 ms that are promised: the rest is for the wait that ends late and the process. */
#define FINISH_US 60000

static int close_rows(tmon_session *session, int64_t timeout_us) {
  tmon_tx *tx = NULL;
  bool owns = false;
  int result = tmon_tx_begin(&tx, session->store->db, true, timeout_us);
  if (result == TMON_OK) result = tmon_rank_owns(&owns, tx, session->writer);
  /* `words` is not needed: nobody sets a text any more. */
  if (result == TMON_OK && owns) result = tmon_session_write_status(tx, session->id, session->final_status, session->final_time, session->error_text);
  if (result == TMON_OK) result = tmon_writer_close(tx, session->writer);
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
}

/* What is left until the deadline, at least 0; -1, "as long as the store waits", without one. */
static int64_t time_left(int64_t deadline) {
  if (deadline == 0) return -1;
  int64_t left = deadline - tmon_clock_monotonic_us();
  return left > 0 ? left : 0;
}

static int commit_all(tmon_session *session, int64_t deadline) {
  session->drain.until = session->final_time;
  int result = tmon_drain_run(&session->drain, time_left(deadline), deadline);
  if (result == TMON_OK && time_left(deadline) != 0) {
    (void)tmon_fold_run(&session->drain, time_left(deadline), session->drain.delta_count < 64 ? 1 : TMON_CHUNK_POINTS);
  }
  if (result == TMON_OK && time_left(deadline) == 0) result = tmon_error_set(TMON_EBUSY, "the time to end session %s is over", session->id);
  return result == TMON_OK ? close_rows(session, time_left(deadline)) : result;
}

void tmon_session_end(tmon_session *session, int64_t deadline) {
  int result = TMON_EBUSY;
  tmon_alert_told told = {0};
  if (deadline == 0) tmon_mutex_lock(session->mutex);
  if (deadline == 0 || tmon_mutex_try_lock_for(session->mutex, time_left(deadline))) {
    result = commit_all(session, deadline);
    if (result == TMON_OK) (void)tmon_file_remove(session->ring_path);
    tmon_alert_events_take(&told, session);
    tmon_mutex_unlock(session->mutex);
    tmon_alert_events_act(session, &told);
  }
  /* Previews come last: the end of the session does not wait for them. */
  if (result == TMON_OK) (void)tmon_session_drain_images(session, deadline);
  /* Whoever recovers the store takes it from here, also while this process lives on. */
  if (result != TMON_OK) tmon_ring_let_go(tmon_session_ring(session));
}

void tmon_session_begin_end(tmon_session *session, tmon_status status) {
  tmon_hardware_feed_end(session->feed);
  session->final_status = status;
  session->final_time = tmon_clock_now_us();
  tmon_mutex_lock(session->words);
  atomic_store_explicit(&session->finished, true, memory_order_release);
  tmon_ring_set_final(tmon_session_ring(session), status, session->final_time);
  tmon_mutex_unlock(session->words);
  tmon_exit_remove(session);
  (void)tmon_drainer_start(session);
  atomic_store_explicit(&session->stopping, true, memory_order_release);
  tmon_wake_signal(&session->wake);
}

void tmon_session_await_end(tmon_session *session, int64_t deadline) {
  if (session->thread == NULL) {
    tmon_session_end(session, deadline);
    tmon_alert_commands_end(session, time_left(deadline));
  } else if (tmon_thread_join(session->thread, time_left(deadline))) {
    session->thread = NULL;
  }
}

int tmon_session_finish(tmon_session *session, tmon_status status) {
  int result = tmon_session_check(session);
  if (result != TMON_OK) return result;
  if (!tmon_status_is_final(status)) {
    return tmon_error_set(TMON_EINVAL, "the final status is %s, expected completed, failed or cancelled", tmon_status_name(status));
  }
  int64_t deadline = tmon_clock_monotonic_us() + FINISH_US;
  tmon_session_begin_end(session, status);
  tmon_session_await_end(session, deadline);
  return TMON_OK;
}

void tmon_session_destroy(tmon_session *session) {
  bool ours = session->pid == tmon_process_id();
  tmon_hardware_feed_free(session->feed);
  tmon_old_rings_free(session);
  tmon_image_queue_free(&session->images, ours);
  tmon_ring_close(tmon_session_ring(session));
  if (ours) {
    /* In a forked child a thread that does not exist there may hold them. */
    tmon_mutex_free(session->mutex);
    tmon_mutex_free(session->words);
  }
  if (session->wake.fd >= 0) tmon_wake_close(&session->wake);
  tmon_drain_free(&session->drain);
  tmon_alert_told_cut(&session->given, 0);
  tmon_free(session->error_text);
  tmon_free(session->ring_path);
  tmon_store_drop(session->store);
  tmon_free(session);
}

void tmon_session_free(tmon_session *session) {
  if (session == NULL) return;
  if (session->pid != tmon_process_id()) {
    tmon_exit_remove(session);
    tmon_thread_forget(session->thread);
    tmon_session_destroy(session);
    return;
  }
  if (!atomic_load_explicit(&session->finished, memory_order_acquire)) (void)tmon_session_finish(session, TMON_STATUS_COMPLETED);
  if (session->thread != NULL && !tmon_thread_join(session->thread, 0)) {
    /* It waits for the disk and still uses the session: the last of the two frees it. */
    tmon_thread_leave(session->thread);
    if (!atomic_exchange_explicit(&session->one_gone, true, memory_order_acq_rel)) return;
  }
  tmon_session_destroy(session);
}
