/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The history of a session that is fed over REST. */
#ifndef TRAINMON_SERVE_HISTORY_EPOCHS_H
#define TRAINMON_SERVE_HISTORY_EPOCHS_H
#include "trainmon/record.h"
#include "util/json.h"

enum { TMON_HISTORY_KEYS = 64, TMON_HISTORY_KEY_BYTES = 256 };

typedef struct tmon_history_names {
  size_t count;
  char keys[TMON_HISTORY_KEYS][TMON_HISTORY_KEY_BYTES];
} tmon_history_names;

/* Writes "name": [{step, time, value}] for each of `names` (none: all that the rows have, at most 64), the latest `limit`. TMON_ENOTFOUND: a name
 * that no row has. */
int tmon_history_epochs(tmon_json_writer *json, tmon_store *store, const char *id, tmon_history_names *names, size_t limit);
#endif
