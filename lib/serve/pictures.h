/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The newest picture of each stream as a message: kept once for all clients, so that one who lags or comes late gets the newest and not all. */
#ifndef TRAINMON_SERVE_PICTURES_H
#define TRAINMON_SERVE_PICTURES_H
#include "trainmon/store.h"
#include "util/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TMON_PICTURES = 256, TMON_PICTURES_BYTES = 1 << 20 };

typedef struct tmon_shown {
  char session[37];
  char *name;
  char *text; /* the message */
  size_t size;
  uint64_t serial; /* grows with each change of any entry */
} tmon_shown;

/* All zero is empty. */
typedef struct tmon_pictures_shown {
  tmon_shown entries[TMON_PICTURES];
  size_t count;
  size_t bytes;
  uint64_t serial; /* of the latest change; 0: none yet */
  int64_t cursor;  /* the highest id that was looked at */
  bool started;
} tmon_pictures_shown;

void tmon_pictures_clear(tmon_pictures_shown *shown);
/* Takes over what came since the last call; the first call only learns where the rows stand. True: something is new. */
bool tmon_pictures_look(tmon_pictures_shown *shown, tmon_store *store);
/* The newest of each stream of a session that is followed from now on. */
void tmon_pictures_adopt(tmon_pictures_shown *shown, tmon_store *store, const char *session);
/* The next entry after `serial`, oldest change first; NULL: none. */
const tmon_shown *tmon_pictures_next(const tmon_pictures_shown *shown, uint64_t serial);

/* A picture of tmon_image_list_json as an object, with the address of its content (routes_images.c). */
void tmon_picture_json(tmon_json_writer *json, const char *key, const tmon_json *image);
#endif
