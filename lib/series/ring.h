/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The ring file: how points leave the training thread. One writing process; any number of readers, of which one drains. */
#ifndef TRAINMON_SERIES_RING_H
#define TRAINMON_SERIES_RING_H
#include "trainmon/series.h"
#include "trainmon/session.h"
#include "util/os.h"

#define TMON_RING_LANES 65         /* 64 of one thread each, the last shared under a mutex */
#define TMON_RING_ERROR_BYTES 1001 /* text of 1,000 bytes at most */

typedef struct tmon_ring tmon_ring;

/* What a slot carries: a point, or one value of the row of epoch `step`. */
typedef enum tmon_slot_kind { TMON_SLOT_POINT = 0, TMON_SLOT_EPOCH = 1 } tmon_slot_kind;
typedef struct tmon_slot {
  uint32_t metric;
  tmon_slot_kind kind;
  tmon_point point;
} tmon_slot;

typedef struct tmon_ring_identity {
  uint8_t ring[16];
  uint8_t session[16];
  tmon_process process;
  uint64_t device;
  uint64_t inode;
} tmon_ring_identity;

/* ---- the writing process ---- */
/* Makes the file (TMON_EEXISTS, TMON_EFULL …), takes the liveness lock on a descriptor of its own. `wake` (borrowed, may be NULL) is signalled at half full. */
int tmon_ring_create(tmon_ring **out, const char *path, const uint8_t ring[16], const uint8_t session[16], size_t bytes, tmon_wake *wake);
int tmon_ring_metric(tmon_ring *ring, const char *key, uint32_t *id); /* ids from 1; any thread; TMON_ELIMIT when the dictionary is full */
/* The hot path. TMON_EDROPPED and TMON_EINVAL (unknown metric) only; on EDROPPED the count has been raised. */
int tmon_ring_write(tmon_ring *ring, tmon_slot_kind kind, uint32_t metric, int64_t step, int64_t time, double value);
void tmon_ring_set_progress(tmon_ring *ring, const tmon_progress *progress);
void tmon_ring_set_waiting(tmon_ring *ring, bool waiting); /* the trainer really stands still */
void tmon_ring_set_final(tmon_ring *ring, tmon_status status, int64_t time);
void tmon_ring_set_error(tmon_ring *ring, const char *text);        /* cut at a character after 1,000 bytes; NULL: none. Survives a kill */
void tmon_ring_set_store(tmon_ring *ring, const uint64_t store[2]); /* device and inode of its store's database */
void tmon_ring_add_dropped(tmon_ring *ring, uint64_t count);
void tmon_ring_let_go(tmon_ring *ring); /* gives the liveness lock up: from now on another may adopt the ring */
void tmon_ring_beat(tmon_ring *ring, int64_t time);
void tmon_ring_set_drained_by_caller(tmon_ring *ring, int (*drain)(void *), void *payload); /* no_drainer: a full lane calls this instead of waiting */

/* Lane 0 for points that are older than all others, for the one who drains, whatever its thread. Before the first write of the ring: no thread gets it. */
void tmon_ring_keep_first(tmon_ring *ring);
size_t tmon_ring_first_room(tmon_ring *ring); /* how many points it takes now; never waits. 0 only while slots of the lane are not released */
void tmon_ring_write_first(tmon_ring *ring, const tmon_slot *slot); /* while it has room */

/* ---- any process ---- */
int tmon_ring_open(tmon_ring **out, const char *path, bool writable); /* hostile file: TMON_ECORRUPT, TMON_EVERSION, TMON_ENOTFOUND, TMON_EACCESS */
void tmon_ring_close(tmon_ring *ring);                                /* never removes the file; NULL is fine */
void tmon_ring_forget(tmon_ring *ring);                               /* in a forked child: drop memory and descriptors, unlock nothing */
bool tmon_ring_is_whole(const tmon_ring *ring);                       /* false: its file was truncated; only close it */
int tmon_ring_is_alive(const char *path, bool *alive);                /* asks for the liveness lock, takes nothing */
void tmon_ring_get_identity(tmon_ring_identity *out, const tmon_ring *ring);
uint32_t tmon_ring_metrics(const tmon_ring *ring);                    /* how many ids exist */
int tmon_ring_key(char out[256], const tmon_ring *ring, uint32_t id); /* TMON_ECORRUPT when the file lies */
tmon_control tmon_ring_control(const tmon_ring *ring);
void tmon_ring_set_control(tmon_ring *ring, tmon_control control);  /* writable rings */
bool tmon_ring_progress(tmon_progress *out, const tmon_ring *ring); /* false: none reported yet */
bool tmon_ring_waiting(const tmon_ring *ring);
bool tmon_ring_final(const tmon_ring *ring, tmon_status *status, int64_t *time);
bool tmon_ring_error(char out[TMON_RING_ERROR_BYTES], const tmon_ring *ring); /* of a dead writer; false: it left none */
bool tmon_ring_is_of_store(const tmon_ring *ring, const uint64_t store[2]);
int64_t tmon_ring_heartbeat(const tmon_ring *ring);
uint64_t tmon_ring_dropped(const tmon_ring *ring);
uint64_t tmon_ring_tail(const tmon_ring *ring, unsigned lane);    /* published slots since the beginning */
uint64_t tmon_ring_drained(const tmon_ring *ring, unsigned lane); /* slots already given back */
/* Copies slots from `*position` on and moves it. Where slots from there are gone, `*lapped` becomes true and nothing is copied. */
size_t tmon_ring_read(const tmon_ring *ring, unsigned lane, uint64_t *position, tmon_slot *out, size_t capacity, bool *lapped);
/* ---- the drainer ---- */
void tmon_ring_release(tmon_ring *ring, unsigned lane, uint64_t position); /* frees the blocks before it; after the commit only */
double tmon_ring_fill(const tmon_ring *ring);                              /* 0..1 of all blocks */
#endif
