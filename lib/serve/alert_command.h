/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Commands of alert rules that the server runs for sessions fed over REST: such a session has no process of ours that could. All of it on the service thread. */
#ifndef TRAINMON_SERVE_ALERT_COMMAND_H
#define TRAINMON_SERVE_ALERT_COMMAND_H
#include "trainmon/record.h"
#include "trainmon/server.h"

typedef struct tmon_alert_runs tmon_alert_runs;

/* `rules`: the text that was given to the server; only the commands in it are ever run. TMON_EINVAL: a command that is none. NULL `out` with TMON_OK: it has none. */
int tmon_alert_runs_make(tmon_alert_runs **out, tmon_server *server, const char *rules);
void tmon_alert_runs_free(tmon_alert_runs *runs); /* ends what runs, and waits for that a few seconds at most. NULL is fine, here and below */
size_t tmon_alert_runs_count(const tmon_alert_runs *runs);
void tmon_alert_runs_tick(tmon_alert_runs *runs, int64_t now_us);

/* Around a write: what fired for its session since `before`, and has a command, is run. -1: nothing could. */
int64_t tmon_alert_runs_before(tmon_server *server);
void tmon_alert_runs_after(tmon_server *server, const tmon_record *record, int64_t before);
#endif
