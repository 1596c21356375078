/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A server and its clients, as the files of this room share them. All of it belongs to the service thread. */
#ifndef TRAINMON_SERVE_SERVER_PRIVATE_H
#define TRAINMON_SERVE_SERVER_PRIVATE_H
#include "serve/access.h"
#include "serve/alert_command.h"
#include "serve/child.h"
#include "serve/http.h"
#include "serve/log_file.h"
#include "serve/metrics_log.h"
#include "serve/subscription.h"
#include "serve/update_log.h"
#include "trainmon/record.h"
#include "trainmon/server.h"

typedef struct tmon_updates tmon_updates;

/* An open WebSocket or event stream. */
typedef struct tmon_client {
  struct tmon_client *next;
  tmon_http_stream *stream;
  uint64_t number; /* in logs/websocket.log */
  char peer[64];
  bool websocket;
  bool greeted;
  bool lost;     /* stood still for too long; is being closed */
  unsigned slot; /* its bit in the messages that are for some only */
  tmon_subscription wanted;
  char *notice; /* the answer to its last subscription, until it is sent */
  tmon_cursor cursor;
  uint64_t pictured; /* up to this change it has the pictures */
  int64_t sent_us;   /* monotonic; for the keep-alive of event streams */
} tmon_client;

/* Of status, by its first digit. */
enum { TMON_REPLY_CLASSES = 6 };

struct tmon_server {
  tmon_store *store;
  tmon_http *http;
  tmon_updates *updates;
  tmon_access access;
  char *frame_policy;    /* of the page; NULL: nobody may frame it */
  tmon_log_file writes;  /* logs/monitoring.log: a line for each write that was let in */
  tmon_log_file streams; /* logs/websocket.log */
  tmon_metrics_log metrics;
  tmon_recipes *recipes; /* NULL: no file was named */
  tmon_children *children;
  tmon_alert_runs *alert_runs; /* NULL: no rule has a command */
  tmon_client *clients;
  struct tmon_export *exports; /* those that are being sent (routes_extract.c) */
  tmon_update_readers slots;   /* that are taken */
  size_t websocket_count;
  size_t client_count;
  uint64_t clients_seen;
  uint64_t replies[TMON_REPLY_CLASSES];
  uint32_t max_websockets;
  uint32_t updates_per_second;
  uint32_t window;
  bool read_only;
  bool debug;           /* reads are logged too */
  int64_t run;          /* tells the entity tags of this run from those of others, whose store may have been another */
  int64_t started_us;   /* monotonic */
  int64_t swept_us;     /* monotonic, of the last look for event streams that were left */
  int64_t recovered_us; /* monotonic, of the last tmon_store_recover */
};

/* ws.c and events.c: what the engine calls for streams. */
void *tmon_client_open(tmon_http_stream *stream, bool websocket, void *server);
void tmon_client_writable(void *client, void *server);
void tmon_client_message(void *client, const char *text, size_t size, void *server);
void tmon_client_close(void *client, void *server);
void tmon_clients_wake(tmon_server *server);
void tmon_clients_keep_alive(tmon_server *server, int64_t now_us);
int tmon_events_frame(tmon_buffer *out, const char *text, size_t size);

/* updates.c */
int tmon_updates_make(tmon_updates **out, tmon_server *server);
void tmon_updates_free(tmon_updates *updates);
void tmon_updates_poll(tmon_updates *updates, int64_t now_us);
void tmon_updates_follow_tables(tmon_updates *updates);                     /* a client asks for a table: what changes from now on is told */
void tmon_updates_posted(tmon_updates *updates, const tmon_record *record); /* an epoch of it came over REST: it gets its update, before its end */
void tmon_updates_forget(tmon_updates *updates);                            /* nobody listens: follows nothing until the next poll */
const tmon_update_log *tmon_updates_log(const tmon_updates *updates);
const struct tmon_pictures_shown *tmon_updates_pictures(const tmon_updates *updates);
#endif
