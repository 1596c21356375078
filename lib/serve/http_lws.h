/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Shared by the http_lws*.c files only: a listening engine and one connection of it. */
#ifndef TRAINMON_SERVE_HTTP_LWS_H
#define TRAINMON_SERVE_HTTP_LWS_H
#include "serve/http.h"
#include "util/buffer.h"

#include <libwebsockets.h>
#include <stdatomic.h>

enum { TMON_HTTP_CONNECTIONS = 512, TMON_HTTP_CHUNK = 32 << 10, TMON_HTTP_HEAD_BYTES = 4096, TMON_HTTP_DISCARD_LIMIT = 16 << 20 };
/* A body over the small size is read only while all of them together are within the limit. */
enum { TMON_HTTP_BODY_SMALL = 1 << 20, TMON_HTTP_BODIES_LIMIT = 64 << 20 };
/* A body has this long to come and a reply this long, plus its size at the slowest rate, to go. Replies under the small size are never refused for what is held. */
enum { TMON_HTTP_PATIENCE_S = 20, TMON_HTTP_SLOWEST_BYTES_S = 64 << 10, TMON_HTTP_HELD_LIMIT = 64 << 20, TMON_HTTP_HELD_SMALL = 256 << 10 };

struct tmon_http_stream {
  struct lws *wsi;
  bool websocket;
  bool open;
  bool closing;
  void *context;
};

/* One TCP connection; requests follow one another on it, or it becomes a stream. */
typedef struct tmon_http_connection {
  tmon_http *http;
  struct tmon_http_connection *next; /* in `http->newest` */
  struct lws *wsi;
  tmon_request *request;  /* NULL between requests */
  tmon_response response; /* initialised while `request` is there */
  bool answered;          /* `response` is complete and its head was sent or is being sent */
  bool finished;          /* `response` went through `finish` */
  bool resumes;           /* the queue is through with it */
  bool queued;            /* work is left of `response` */
  bool refused;           /* the head was refused; a body that still comes is read and thrown away */
  bool close_after;
  size_t sent;
  int64_t deadline_us; /* monotonic: body or reply must be through by then; 0: no hurry */
  int64_t credit_us;   /* of a stream: how much of its patience the client has left while we make the next piece */
  size_t held;         /* bytes of `response` that count in `http->held` */
  size_t promised;     /* bytes of a large body that count in `http->promised` */
  tmon_buffer body;
  tmon_buffer message;  /* the WebSocket message that is coming in */
  tmon_buffer outgoing; /* kept until the next send: compression reads from it after the call has returned */
  tmon_http_stream stream;
} tmon_http_connection;

struct tmon_http {
  struct lws_context *context;
  struct lws_vhost *vhosts[2 * TMON_HTTP_PORTS]; /* of the first address, then of the second; NULL where there is none */
  char names[2 * TMON_HTTP_PORTS][16];           /* of the vhosts: libwebsockets keeps the pointers, as it does those to the addresses */
  char addresses[2 * TMON_HTTP_PORTS][64];
  uint16_t ports[TMON_HTTP_PORTS];
  size_t port_count;
  tmon_http_handlers handlers;
  struct lws_protocols protocols[2];
  lws_retry_bo_t liveness;
  lws_sorted_usec_list_t timer;
  lws_sorted_usec_list_t turn; /* the next piece of work */
  char served[64];             /* client of the last piece */
  size_t connections;
  struct tmon_http_connection *newest; /* list of all */
  size_t promised;                     /* bytes of the large bodies that are being read */
  atomic_int stop;                     /* set by tmon_http_stop, read by tmon_http_run; sequentially consistent on both sides */
  unsigned char scratch[LWS_PRE + TMON_HTTP_CHUNK];
};

tmon_http_connection *tmon_http_lws_connection(struct lws *wsi);
int tmon_http_lws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length);
/* http_lws_request.c: a non-zero return closes the connection. */
int tmon_http_lws_begin(tmon_http_connection *connection, bool upgrade);
int tmon_http_lws_body(tmon_http_connection *connection, const void *data, size_t size);
int tmon_http_lws_body_end(tmon_http_connection *connection);
int tmon_http_lws_write(tmon_http_connection *connection);
int tmon_http_lws_confirm_upgrade(tmon_http_connection *connection);
void tmon_http_lws_forget(tmon_http_connection *connection); /* frees what the request needed */
int tmon_http_lws_overdue(tmon_http_connection *connection);
int tmon_http_lws_ready(tmon_http_connection *connection); /* sends a reply that is complete, or queues the work that is left of it */
/* http_lws_stream.c: a reply of kind TMON_RESPONSE_STREAM, once its head is on the way. */
int tmon_http_lws_write_stream(tmon_http_connection *connection);
void tmon_http_lws_patience(tmon_http_connection *connection, int64_t delay_us); /* the client must have taken what it gets by then, or it is left */
/* http_lws_work.c */
void tmon_http_lws_queue(tmon_http_connection *connection);
bool tmon_http_lws_hold(tmon_http_connection *connection); /* false: no room for it among the other replies; `response` says so now */
/* http_lws_ws.c */
int tmon_http_lws_open_stream(tmon_http_connection *connection, bool websocket);
int tmon_http_lws_receive(tmon_http_connection *connection, const void *data, size_t size);
#endif
