/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the files of this room share: the open store, and small checks that every entry point begins with. */
#ifndef TRAINMON_TRACK_TRACK_H
#define TRAINMON_TRACK_TRACK_H
#include "store/store.h"
#include "trainmon/trainmon.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/os.h"
#include "util/text.h"

/* Lives until the caller's reference and those of all its sessions, lists, readers and follows are gone. */
struct tmon_store {
  _Atomic uint32_t references;
  int64_t pid; /* the process that opened it: a forked child must not touch SQLite */
  tmon_db *db;
  char *ring_folder;
  bool ring_folder_given;
  _Atomic int64_t walked;  /* the same for media files that no row names */
  _Atomic int64_t cleaned; /* monotonic time at which ring files without an owner were looked for; 0: never */
};

int tmon_store_check(const tmon_store *store); /* TMON_EINVAL for NULL, TMON_EFORKED in a child */
tmon_store *tmon_store_hold(tmon_store *store);
void tmon_store_drop(tmon_store *store);
int tmon_location_folder(char **out, const char *location); /* absolute path of the folder that a location means */

/* Options structs begin with their size: copies what the caller's version knows, zero for the rest. TMON_EINVAL when `size` is 0 or too large. */
int tmon_options_copy(void *out, size_t size, const void *options, const char *what);

#define TMON_TEXT_MAXIMUM 4096
#define TMON_JSON_MAXIMUM (1u << 20)
int tmon_check_text(const char *text, size_t maximum, const char *what); /* NULL is fine */
int tmon_check_json_object(const char *text, const char *what);          /* NULL is fine */
int tmon_check_id(const char *id);

const char *tmon_status_name(tmon_status status);
bool tmon_status_parse(const char *name, tmon_status *out);
bool tmon_status_is_final(tmon_status status);

int tmon_session_key(int64_t *out, tmon_tx *tx, const char *id);    /* the short number of a session; TMON_ENOTFOUND */
int tmon_change_bounds(tmon_tx *tx, int64_t *first, int64_t *last); /* changes.c: the numbers that the feed holds; an empty one gives 0 */
#endif
