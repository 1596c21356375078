/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The inside of a live session. */
#ifndef TRAINMON_TRACK_SESSION_H
#define TRAINMON_TRACK_SESSION_H
#include "series/ring.h"
#include "track/drain.h"
#include "track/hardware.h"
#include "track/image.h"
#include "track/track.h"

#include <stdatomic.h>

/* A ring whose file was unlinked: it stays mapped for log calls that hold it still. What they leave there goes into the present ring. */
typedef struct tmon_old_ring {
  struct tmon_old_ring *next;
  tmon_ring *ring;
  uint64_t positions[TMON_RING_LANES]; /* up to here taken over */
  uint64_t tails[TMON_RING_LANES];     /* up to here to be taken over now */
  uint64_t dropped;                    /* of its losses, those counted elsewhere */
} tmon_old_ring;

/* A command of a rule that runs; `pid` 0: a free place. */
typedef struct tmon_alert_command {
  int64_t pid;
  int64_t deadline;
  char rule[129];
} tmon_alert_command;
#define TMON_ALERT_COMMANDS 16

struct tmon_session {
  tmon_store *store;
  _Atomic(tmon_ring *) ring; /* the present one: renew.c puts another in its place, never frees the old one before the session */
  int64_t pid;
  _Atomic bool finished;
  char id[TMON_ID_BYTES];
  char *ring_path;
  int64_t key; /* short number of the session */
  int64_t writer;
  int64_t epochs;
  uint32_t rank;
  size_t ring_bytes;
  tmon_mutex *words;        /* guards names, progress, error, final status and the change of rings; never held over a wait. Taken after `mutex` */
  tmon_old_ring *old;       /* guarded by `mutex` */
  int64_t looked;           /* when the ring file was looked at last; guarded by `mutex` */
  _Atomic uint64_t dropped; /* losses of the old rings that their writers' rows have */
  tmon_status final_status; /* set before `stopping` */
  int64_t final_time;
  /* drainer.c; the mutex guards `drain`, `thread`, `writer` and `ring_path` */
  tmon_mutex *mutex;
  tmon_drain drain;
  tmon_thread *thread;
  tmon_wake wake;
  _Atomic bool thread_started;
  _Atomic bool stopping;
  bool no_drainer;
  _Atomic bool one_gone;         /* caller or drainer thread has done with the session: the other frees it */
  char *error_text;              /* guarded by `words` */
  tmon_hardware_feed *feed;      /* NULL: no hardware_period_ms */
  tmon_alert_callback *on_alert; /* guarded by `words`, as its payload */
  void *on_alert_payload;
  tmon_alert_told given;                            /* alerts of class results, committed; guarded by `words` */
  tmon_alert_command commands[TMON_ALERT_COMMANDS]; /* guarded by `mutex` while the session lives */
  tmon_image_queue images;
  struct tmon_session *next; /* list of the live sessions of this process (exit.c) */
};

int tmon_session_check(const tmon_session *session);                                    /* NULL, forked, finished */
int tmon_drainer_start(tmon_session *session);                                          /* lazily, with the first log */
int tmon_drainer_drain(tmon_session *session, int64_t timeout_us, int64_t deadline_us); /* takes the mutex */

static inline tmon_ring *tmon_session_ring(const tmon_session *session) {
  /* Acquire, with the release in renew.c: who gets the new ring sees its names. */
  return atomic_load_explicit(&session->ring, memory_order_acquire);
}

void tmon_drainer_start_if_free(tmon_session *session); /* does not wait: a later log or flush does it */

/* alert_action.c: what was committed, with the mutex held (commands start then); acting on it, without. */
void tmon_alert_events_take(tmon_alert_told *out, tmon_session *session);
void tmon_alert_events_act(tmon_session *session, tmon_alert_told *told); /* frees it */
int tmon_alert_pause(tmon_session *session);
void tmon_alert_commands_reap(tmon_session *session);
void tmon_alert_commands_end(tmon_session *session, int64_t wait_us); /* waits for them, then kills them */

/* session.c: makes a ring file in the first of the folders that has room. */
int tmon_session_make_ring(tmon_ring **out, char **path, tmon_session *session, const char *const *folders, size_t count, char ring_id[TMON_ID_BYTES]);

/* session_rows.c: the rows of session and writer in one transaction. TMON_EEXISTS: this rank has an open writer. */
int tmon_session_write_rows(tmon_session *session, const tmon_session_options *options, const char *ring_id);

/* renew.c: with the mutex held. Looks at most once a second whether the ring file is still there and makes another one where it is not. */
void tmon_ring_renew(tmon_session *session);
bool tmon_old_rings_take(tmon_session *session); /* with the mutex held: late points of old rings into the present one; false: no room for all */
void tmon_old_rings_free(tmon_session *session);

/* finish.c */
void tmon_session_begin_end(tmon_session *session, tmon_status status); /* the status is in the ring, the drainer knows */
void tmon_session_await_end(tmon_session *session, int64_t deadline);   /* waits until then for what the drainer commits */
void tmon_session_end(tmon_session *session, int64_t deadline);         /* commits all that is left; 0: however long it takes */
void tmon_session_destroy(tmon_session *session);                       /* memory, ring and store */

/* image_queue.c */
void tmon_session_tick_images(tmon_session *session);                      /* writes a few, not too often; errors are tried again */
int tmon_session_drain_images(tmon_session *session, int64_t deadline_us); /* writes all that is there; 0: however long it takes */

/* exit.c: sessions that are alive at exit end as completed within 100 ms; forked children drop theirs. */
int tmon_exit_add(tmon_session *session);
void tmon_exit_remove(tmon_session *session);
/* Calls `use` with the live session of this id and store, the lowest rank of them, which does not end meanwhile. It must not wait. */
void tmon_exit_with(tmon_store *store, const char *id, void (*use)(tmon_session *session, void *payload), void *payload);

/* adopt.c */
int tmon_writer_close(tmon_tx *tx, int64_t writer);
int tmon_session_write_status(tmon_tx *tx, const char *id, tmon_status status, int64_t time, const char *error_text);
int tmon_store_adopt(tmon_store *store, size_t *adopted);
bool tmon_writer_is_gone(int64_t heartbeat, int64_t now); /* of a writer whose ring file is missing */

/* rank.c: whether the end of this writer is the end of its session. */
int tmon_rank_owns(bool *owns, tmon_tx *tx, int64_t writer);

/* orphan.c: removes ring files of this store that no writer row needs. */
int tmon_store_clean(tmon_store *store);
int tmon_store_identity(uint64_t out[2], tmon_store *store); /* what a ring says of its store */
#endif
