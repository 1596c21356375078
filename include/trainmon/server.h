/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The server of a store: REST, WebSocket, event stream and the page (library trainmon-serve). */
#ifndef TRAINMON_SERVER_H
#define TRAINMON_SERVER_H

#include "export.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A server that listens. */
typedef struct tmon_server tmon_server;

/** How to serve. All zero is the default; `size` is sizeof(tmon_server_options). */
typedef struct tmon_server_options {
  uint32_t size;
  const char *host;                 /**< NULL means 127.0.0.1; another address than loopback needs `token` */
  const uint16_t *ports;            /**< `port_count` ports to listen on; NULL means 8000; port 0 takes a free one */
  size_t port_count;                /**< at most 8 */
  const char *token;                /**< at least 32 characters; NULL means none */
  const char *const *allowed_hosts; /**< further names accepted in the Host header; `allowed_host_count` of them */
  size_t allowed_host_count;
  uint32_t max_websockets;     /**< 0 means 50; the next one gets 503 */
  uint32_t updates_per_second; /**< to a client, 0 means 10; at most 60 */
  uint32_t window;             /**< latest points a metric in /api/metrics/history, 0 means 1,000 */
  bool compress_websocket;     /**< permessage-deflate */
  bool read_only;              /**< no control, no writes, no log files */
  bool debug;                  /**< logs/monitoring.log has a line for each read too */
  const char *read_token;      /**< a second token, which gives the right to read only; at least 32 characters, needs `token`; NULL means none */
  const char *recipes_path;    /**< file of the commands that may be started; NULL means none (docs/reference/recipes.md) */
  const char
      *alert_rules; /**< alert rules as JSON whose commands may run for sessions that are fed over REST; NULL means none (docs/reference/alerts.md) */
  const char *const *frame_origins; /**< origins such as http://localhost:8888 whose pages may show the page in a frame; NULL means nobody */
  size_t frame_origin_count;        /**< at most 8 */
} tmon_server_options;

/**
 * Opens a server on a store and starts to listen; it answers once tmon_server_run runs. The store must outlive it. `out` receives the server; free it
 * with tmon_server_free. TMON_EINVAL: a public address without a token, a bad host or port. TMON_EEXISTS: the port is taken.
 * TMON_EINVAL also for what is no origin in `frame_origins`, a file of recipes that is not right, with file, recipe and field, and for alert rules whose commands can't be read. TMON_ENOTFOUND: no
 * such file.
 * TMON_EACCESS, TMON_EIO, TMON_ENOMEM. Since 0.1.
 */
TMON_API int tmon_server_open(tmon_server **out, tmon_store *store, const tmon_server_options *options);

/** Returns the port of the `index`-th listener; 0 when there is none. Any thread. Since 0.1. */
TMON_API uint16_t tmon_server_port(const tmon_server *server, size_t index);

/** Serves on the calling thread until tmon_server_stop. TMON_EINVAL, TMON_EIO. Since 0.1. */
TMON_API int tmon_server_run(tmon_server *server);

/** Makes tmon_server_run return soon. Any thread, also a signal handler. NULL is fine. Since 0.1. */
TMON_API void tmon_server_stop(tmon_server *server);

/**
 * Closes all connections and frees the server; not while tmon_server_run runs. Trainings that it started from recipes are ended first, unless the recipe
 * says keep_running: that takes up to their grace time. NULL is fine. Since 0.1.
 */
TMON_API void tmon_server_free(tmon_server *server);

#ifdef __cplusplus
}
#endif
#endif
