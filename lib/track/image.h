/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The inside of pictures: one that is checked and copied, the queue of a session, files by content. */
#ifndef TRAINMON_TRACK_IMAGE_H
#define TRAINMON_TRACK_IMAGE_H
#include "track/track.h"
#include "util/sha256.h"

#include <stdatomic.h>

#define TMON_PICTURE_BYTES ((size_t)8 << 20)
#define TMON_PICTURE_BOXES 256
#define TMON_QUEUE_PICTURES 64
#define TMON_QUEUE_BYTES ((size_t)32 << 20)
#define TMON_QUEUE_BATCH 4 /* written in one transaction */
#define TMON_PICTURES_KEPT 20
#define TMON_PICTURES_KEPT_MAXIMUM 10000

/* Checked and copied: one piece of memory, so that the copy fails whole or not at all. Freed with tmon_free. */
typedef struct tmon_picture {
  tmon_image image;       /* what it points to lies behind it */
  const char *media_type; /* static; NULL: raw pixels */
  size_t total;           /* bytes of this piece */
} tmon_picture;

int tmon_picture_make(tmon_picture **out, const tmon_image *given);
/* The bytes to store: those of the picture itself (`owned` NULL), or a BMP made of its pixels (free `owned`). */
int tmon_picture_encode(const void **data, size_t *size, void **owned, const tmon_picture *picture);

/* Guarded by `mutex`, which is never held over a wait; `draining` is held by the one who writes, and taken before it. */
typedef struct tmon_image_queue {
  tmon_mutex *mutex;
  tmon_mutex *draining;
  tmon_picture *waiting[TMON_QUEUE_PICTURES]; /* oldest first */
  size_t count;
  tmon_picture *batch[TMON_QUEUE_BATCH]; /* taken, not yet written; guarded by `draining` but for the number */
  size_t batched;
  size_t bytes;     /* of both */
  uint64_t dropped; /* not yet told to the store */
  uint32_t kept;
  bool told;          /* the store has `kept`; guarded by `draining` */
  int64_t not_before; /* monotonic: no writing by the drainer's tick until then; guarded by `draining` */
} tmon_image_queue;

int tmon_image_queue_init(tmon_image_queue *queue, uint32_t kept);
void tmon_image_queue_free(tmon_image_queue *queue, bool ours);            /* false, in a forked child: leaves it all */
bool tmon_image_queue_add(tmon_image_queue *queue, tmon_picture *picture); /* takes the picture in any case. True: it was empty before */

/* Files: media/ab/abcdef… below the store's folder; no link is followed. */
bool tmon_hash_is_valid(const char *hash);
#define TMON_DRAFT_BYTES (TMON_SHA256_TEXT_BYTES + 16)
/* Writes a draft beside its place, unless the file is there already (then `draft` is ""). Without any lock. */
int tmon_media_prepare(char draft[TMON_DRAFT_BYTES], const tmon_store *store, const char *hash, const void *data, size_t size);
/* With the store's lock held: the draft becomes the file; a file of the right size is kept. */
int tmon_media_place(const tmon_store *store, const char *hash, const char *draft, const void *data, size_t size);
void tmon_media_forget(const tmon_store *store, const char *hash, const char *draft); /* removes a draft */
int tmon_media_remove(const tmon_store *store, const char *hash);                     /* missing is fine */
int tmon_media_load(void **out, const tmon_store *store, const char *hash, size_t size);
/* Calls `look` with each file that has a hash for a name; removes drafts that are old. */
int tmon_media_walk(tmon_store *store, int (*look)(tmon_store *store, const char *hash));

/* Rows. `kept` 0: what the store knows of the session. */
typedef struct tmon_pictures {
  int64_t session;
  tmon_picture *const *items;
  size_t count;
  uint32_t kept;
  bool tell_kept;
  uint64_t dropped;
  int (*touch)(tmon_tx *tx, int64_t session); /* in the same transaction; NULL: nothing */
} tmon_pictures;
int tmon_pictures_write(tmon_store *store, const tmon_pictures *pictures, int64_t timeout_us);
int tmon_pictures_clean(tmon_store *store); /* files that no row names any more, and now and then those that never had one */
#endif
