/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The inside of a live session. */
#ifndef TRAINMON_TRACK_SESSION_H
#define TRAINMON_TRACK_SESSION_H
#include "series/ring.h"
#include "track/drain.h"
#include "track/track.h"

struct tmon_session {
  tmon_store *store;
  tmon_ring *ring;
  int64_t pid;
  _Atomic bool finished;
  char id[TMON_ID_BYTES];
  char *ring_path;
  int64_t key;                /* short number of the session */
  int64_t writer;
  int64_t epochs;
  /* drainer.c; the mutex guards `drain`, `thread` and `error_text` */
  tmon_mutex *mutex;
  tmon_drain drain;
  tmon_thread *thread;
  tmon_wake wake;
  _Atomic bool thread_started;
  _Atomic bool stopping;
  bool no_drainer;
  char *error_text;
  struct tmon_session *next;  /* list of the live sessions of this process (exit.c) */
};

int tmon_session_check(const tmon_session *session); /* NULL, forked, finished */
int tmon_drainer_start(tmon_session *session);       /* lazily, with the first log */
int tmon_drainer_stop(tmon_session *session, int64_t timeout_us, bool *stopped);
int tmon_drainer_drain(tmon_session *session, int64_t timeout_us, int64_t deadline_us); /* takes the mutex */

/* exit.c: sessions that are alive at exit end as completed within 100 ms; forked children drop theirs. */
int tmon_exit_add(tmon_session *session);
void tmon_exit_remove(tmon_session *session);

/* adopt.c */
int tmon_writer_close(tmon_tx *tx, int64_t writer);
int tmon_session_write_status(tmon_tx *tx, const char *id, tmon_status status, int64_t time, const char *error_text);
int tmon_store_adopt(tmon_store *store, size_t *adopted);
#endif
