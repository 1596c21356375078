/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Ending a session. The final status goes into the ring before anything else, so that a kill at any later instant still leaves a clean end; then the points
 * are committed for at most 75 ms, which leaves the rest of 100 ms to the exit itself. What is not committed by then stays in the ring file, which the next process that opens the store adopts.
 */
#include "track/session.h"

#include "util/file.h"

#include <stdatomic.h>

/* Of the 100 ms that are promised: the rest is for the wait that ends late, closing the store and the process. */
#define FINISH_US 75000

static int close_rows(tmon_session *session, tmon_status status, int64_t time, int64_t timeout_us) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, session->store->db, true, timeout_us);
  if (result == TMON_OK) result = tmon_session_write_status(tx, session->id, status, time, session->error_text);
  if (result == TMON_OK) result = tmon_writer_close(tx, session->writer);
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
}

int tmon_session_finish(tmon_session *session, tmon_status status) {
  bool stopped = false;
  int result = tmon_session_check(session);
  if (result != TMON_OK) return result;
  if (!tmon_status_is_final(status)) {
    return tmon_error_set(TMON_EINVAL, "the final status is %s, expected completed, failed or cancelled", tmon_status_name(status));
  }
  int64_t time = tmon_clock_now_us();
  int64_t deadline = tmon_clock_monotonic_us() + FINISH_US;
  atomic_store_explicit(&session->finished, true, memory_order_release);
  tmon_ring_set_final(session->ring, status, time);
  tmon_exit_remove(session);
  (void)tmon_drainer_stop(session, FINISH_US, &stopped);
  if (!stopped) return TMON_OK; /* it hangs in the disk; the ring holds everything */
  int64_t left = deadline - tmon_clock_monotonic_us();
  int drained = tmon_drainer_drain(session, left > 0 ? left : 0, deadline);
  left = deadline - tmon_clock_monotonic_us();
  if (drained == TMON_OK && left > 0) {
    (void)tmon_fold_run(&session->drain, left, session->drain.delta_count < 64 ? 1 : TMON_CHUNK_POINTS);
    left = deadline - tmon_clock_monotonic_us();
    drained = close_rows(session, status, time, left > 0 ? left : 0);
  }
  if (drained == TMON_OK) (void)tmon_file_remove(session->ring_path);
  return TMON_OK;
}

static void forget(tmon_session *session) {
  tmon_ring_forget(session->ring);
  if (session->thread != NULL) tmon_thread_forget(session->thread);
}

void tmon_session_free(tmon_session *session) {
  if (session == NULL) return;
  bool ours = session->pid == tmon_process_id();
  if (ours && !atomic_load_explicit(&session->finished, memory_order_acquire)) {
    (void)tmon_session_finish(session, TMON_STATUS_COMPLETED);
  }
  if (ours && session->thread != NULL) return; /* its drainer hangs in the disk and still uses it: leaking is the only safe end */
  if (ours) {
    tmon_ring_close(session->ring);
    tmon_mutex_free(session->mutex);
  } else {
    tmon_exit_remove(session);
    forget(session);
  }
  if (session->wake.fd >= 0) tmon_wake_close(&session->wake);
  tmon_drain_free(&session->drain);
  tmon_free(session->error_text);
  tmon_free(session->ring_path);
  tmon_store_drop(session->store);
  tmon_free(session);
}
