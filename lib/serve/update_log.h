/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The log of messages that all clients share: each text is built once, each client only has a cursor. */
#ifndef TRAINMON_SERVE_UPDATE_LOG_H
#define TRAINMON_SERVE_UPDATE_LOG_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A client that lags more skips what can be read again by REST. The log is longer than the lag, so that endings still reach it. */
enum { TMON_UPDATE_LOG_ITEMS = 1024, TMON_UPDATE_LOG_BYTES = 4 << 20, TMON_UPDATE_LAG_ITEMS = 256, TMON_UPDATE_LAG_BYTES = 1 << 20 };

/* A bit a client, by its slot. */
enum { TMON_UPDATE_SLOTS = 512 };
typedef struct tmon_update_readers {
  uint64_t bits[TMON_UPDATE_SLOTS / 64];
} tmon_update_readers;

typedef struct tmon_update {
  uint64_t offset; /* bytes published before it */
  bool data;       /* points and progress: may be skipped; others are always delivered */
  bool addressed;  /* for `readers` alone, and about no session */
  tmon_update_readers readers;
  char session[37];
  size_t size;
  char *text;
} tmon_update;

/* Numbers of messages only grow; number n lies in items[n % TMON_UPDATE_LOG_ITEMS] while first <= n < next. */
typedef struct tmon_update_log {
  uint64_t first;
  uint64_t next;
  uint64_t bytes; /* published in all */
  tmon_update items[TMON_UPDATE_LOG_ITEMS];
} tmon_update_log;

typedef struct tmon_cursor {
  uint64_t next;
  uint64_t skip_until; /* data messages before it become one resync a session */
} tmon_cursor;

typedef enum tmon_step { TMON_STEP_NOTHING, TMON_STEP_MESSAGE, TMON_STEP_RESYNC, TMON_STEP_LOST } tmon_step;

/* Takes `text` (tmon_free) also on its way out. */
void tmon_update_log_add(tmon_update_log *log, const char *session, bool data, char *text, size_t size);
/* The same for a message that is for some clients only. */
void tmon_update_log_add_for(tmon_update_log *log, const tmon_update_readers *readers, char *text, size_t size);
void tmon_update_log_clear(tmon_update_log *log);
tmon_cursor tmon_update_log_end(const tmon_update_log *log);
/* The client stood still so long that the log went by. */
bool tmon_update_log_lost(const tmon_update_log *log, const tmon_cursor *cursor);
/* What to send next: `update` itself, a resync of its session, or nothing. LOST: the client stood still so long that the log went by. */
tmon_step tmon_update_log_step(const tmon_update_log *log, tmon_cursor *cursor, const tmon_update **update);
#endif
