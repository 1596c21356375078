/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* table_change messages: rows that changed, for the clients whose subscription they pass. */
#ifndef TRAINMON_SERVE_TABLE_CHANGES_H
#define TRAINMON_SERVE_TABLE_CHANGES_H
#include "serve/server_private.h"

/* All zero: nobody follows a table. */
typedef struct tmon_table_changes {
  bool followed;
  int64_t cursor;
  int64_t image_cursor;
} tmon_table_changes;

/* Begins when the first client asks for a table, so that what comes from that moment on is told. */
void tmon_table_changes_begin(tmon_table_changes *changes, tmon_server *server);
/* Adds what changed since the last call to the log, at most so much as does not push other messages out of it. True: there is more to tell. */
bool tmon_table_changes_tell(tmon_table_changes *changes, tmon_server *server, tmon_update_log *log);
#endif
