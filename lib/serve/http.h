/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The engine that speaks HTTP and WebSocket. Only http_lws*.c know which one it is; routes see requests and responses. */
#ifndef TRAINMON_SERVE_HTTP_H
#define TRAINMON_SERVE_HTTP_H
#include "serve/reply.h"
#include "serve/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tmon_http tmon_http;
typedef struct tmon_http_stream tmon_http_stream; /* an open WebSocket or event stream */

enum { TMON_HTTP_PORTS = 8, TMON_HTTP_BODY_LIMIT = 12 << 20, TMON_HTTP_MESSAGE_LIMIT = 64 << 10 };

/* What the engine calls, always on the thread that is in tmon_http_run. */
typedef struct tmon_http_handlers {
  /* Headers are there. 0: go on (read the body, then `respond`); otherwise `response` holds the refusal. */
  int (*check)(tmon_request *request, tmon_response *response, void *payload);
  void (*respond)(tmon_request *request, tmon_response *response, void *payload); /* may leave work in the response */
  /* The reply is complete; may leave further work once, after which it goes out. */
  void (*finish)(const tmon_request *request, tmon_response *response, void *payload);
  /* A stream opened: what it returns is `context` of the others. NULL: no memory, the stream is closed. */
  void *(*opened)(tmon_http_stream *stream, bool websocket, void *payload);
  void (*writable)(void *context, void *payload); /* may send once */
  void (*message)(void *context, const char *text, size_t size, void *payload);
  void (*closed)(void *context, void *payload);
  void (*tick)(void *payload); /* the time set by tmon_http_timer has passed */
  void *payload;
} tmon_http_handlers;

typedef struct tmon_http_options {
  const char *host;   /* an address, not a name */
  const char *second; /* NULL, or another address to listen on with the same ports, where this machine has it */
  const uint16_t *ports;
  size_t port_count;
  bool compress_websocket;
} tmon_http_options;

int tmon_http_open(tmon_http **out, const tmon_http_options *options, const tmon_http_handlers *handlers);
uint16_t tmon_http_port(const tmon_http *http, size_t index); /* 0: none */
int tmon_http_run(tmon_http *http);                           /* until tmon_http_stop */
void tmon_http_stop(tmon_http *http);                         /* any thread, also a signal handler */
void tmon_http_free(tmon_http *http);
void tmon_http_timer(tmon_http *http, int64_t delay_us);                            /* one `tick`; a new time replaces the old one */
void tmon_http_stream_want(tmon_http_stream *stream);                               /* `writable` when the socket takes more */
int tmon_http_stream_send(tmon_http_stream *stream, const char *text, size_t size); /* one message, inside `writable` only */
void tmon_http_stream_peer(const tmon_http_stream *stream, char *out, size_t size); /* address of the client */
bool tmon_http_stream_gone(const tmon_http_stream *stream);                         /* the client has closed its side */
void tmon_http_stream_close(tmon_http_stream *stream);                              /* soon */
#endif
