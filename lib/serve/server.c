/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The server object: checks the options, puts the parts together, keeps the clock. */
#include "trainmon/server.h"

#include "serve/router.h"
#include "serve/server_private.h"

#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { POLL_US = 20000, IDLE_US = 1000000, RECOVER_US = 1000000, TOKEN_CHARACTERS = 32 };

static void tick(void *payload) {
  tmon_server *server = payload;
  int64_t now = tmon_clock_monotonic_us();
  tmon_log_file_flush(&server->writes, now, false);
  tmon_log_file_flush(&server->streams, now, false);
  tmon_metrics_log_tick(&server->metrics, server->store, now);
  if (!server->read_only && now - server->recovered_us >= RECOVER_US) {
    /* Trainers that were killed become "interrupted", silent REST sessions expire. A busy store is tried again in a second. */
    (void)tmon_store_recover(server->store, 0, NULL);
    server->recovered_us = now;
  }
  tmon_children_tick(server->children, now);
  tmon_alert_runs_tick(server->alert_runs, now);
  if (server->client_count == 0) {
    tmon_updates_forget(server->updates);
    bool watching = tmon_children_count(server->children, NULL) > 0 || tmon_alert_runs_count(server->alert_runs) > 0;
    tmon_http_timer(server->http, watching ? TMON_CHILD_POLL_US : IDLE_US);
    return;
  }
  tmon_updates_poll(server->updates, now);
  tmon_clients_keep_alive(server, now);
  tmon_http_timer(server->http, POLL_US);
}

/* A program that was built with an older header has a shorter structure; what it lacks is zero. */
static int copy_options(tmon_server_options *out, const tmon_server_options *given) {
  *out = (tmon_server_options){.size = sizeof *out};
  if (given == NULL) {
    return TMON_OK;
  }
  if (given->size < offsetof(tmon_server_options, read_token) || given->size > sizeof *out) {
    return tmon_error_set(TMON_EINVAL, "tmon_server_options has size %u, expected %zu", (unsigned)given->size, sizeof *out);
  }
  memcpy(out, given, given->size);
  out->size = sizeof *out;
  return TMON_OK;
}

static int check_token(const char *name, const char *token) {
  size_t length = token != NULL ? strlen(token) : TOKEN_CHARACTERS;
  if (length < TOKEN_CHARACTERS || length > 256) {
    return tmon_error_set_field(TMON_EINVAL, name, "the %s has %zu characters, expected 32 to 256", name, length);
  }
  return TMON_OK;
}

static int check_frames(const tmon_server_options *options) {
  if (options->frame_origin_count > TMON_ACCESS_FRAMES || (options->frame_origins == NULL && options->frame_origin_count > 0)) {
    return tmon_error_set_field(
        TMON_EINVAL, "frame_origins", "%zu origins of frames, expected at most %d", options->frame_origin_count, (int)TMON_ACCESS_FRAMES);
  }
  for (size_t i = 0; i < options->frame_origin_count; i++) {
    const char *origin = options->frame_origins[i];
    if (origin == NULL || !tmon_access_is_origin(origin)) {
      return tmon_error_set_field(TMON_EINVAL, "frame_origins", "the origin of frames \"%.300s\" is not one such as http://localhost:8888 (no path, no *)",
          origin != NULL ? origin : "");
    }
  }
  return TMON_OK;
}

static int check_options(const tmon_server_options *options, const char *host) {
  if (options->port_count > TMON_HTTP_PORTS || (options->ports == NULL && options->port_count > 0)) {
    return tmon_error_set(TMON_EINVAL, "%zu ports, expected at most %d", options->port_count, (int)TMON_HTTP_PORTS);
  }
  if (options->updates_per_second > 60) {
    return tmon_error_set(TMON_EINVAL, "%u updates a second, expected at most 60", (unsigned)options->updates_per_second);
  }
  if (options->window > 100000) {
    return tmon_error_set(TMON_EINVAL, "a window of %u points, expected at most 100000", (unsigned)options->window);
  }
  int code = check_token("token", options->token);
  if (code == TMON_OK) {
    code = check_token("read_token", options->read_token);
  }
  if (code != TMON_OK) {
    return code;
  }
  if (options->read_token != NULL && (options->token == NULL || strcmp(options->token, options->read_token) == 0)) {
    return tmon_error_set_field(TMON_EINVAL, "read_token", "a token for reading needs another one for writing");
  }
  if (options->token == NULL && !tmon_address_is_loopback(host)) {
    return tmon_error_set(TMON_EINVAL, "%s can be reached from other machines, which needs a token", host);
  }
  if (options->allowed_hosts == NULL && options->allowed_host_count > 0) {
    return tmon_error_set(TMON_EINVAL, "allowed_hosts is NULL but allowed_host_count is %zu", options->allowed_host_count);
  }
  return check_frames(options);
}

static int open_http(tmon_server *server, const tmon_server_options *options, const char *host) {
  static const uint16_t usual = 8000;
  tmon_http_options http = {.host = host, .ports = &usual, .port_count = 1, .compress_websocket = options->compress_websocket};
  /* What "localhost" means differs from program to program, so it is both. */
  http.second = options->host != NULL && strcasecmp(options->host, "localhost") == 0 ? "::1" : NULL;
  tmon_http_handlers handlers = {tmon_serve_check, tmon_serve_respond, tmon_serve_finish, tmon_client_open, tmon_client_writable, tmon_client_message,
      tmon_client_close, tick, server};
  if (options->port_count > 0) {
    http.ports = options->ports;
    http.port_count = options->port_count;
  }
  return tmon_http_open(&server->http, &http, &handlers);
}

/* A server that may not write into the store keeps no logs there. */
static int open_logs(tmon_server *server) {
  tmon_store_info info;
  int code = tmon_store_get_info(&info, server->store);
  const char *folder = server->read_only || info.read_only ? NULL : info.path;
  if (code == TMON_OK) {
    code = tmon_log_file_open(&server->writes, folder, "monitoring.log");
  }
  if (code == TMON_OK) {
    code = tmon_log_file_open(&server->streams, folder, "websocket.log");
  }
  if (code == TMON_OK) {
    code = tmon_metrics_log_open(&server->metrics, folder);
  }
  return code;
}

static int make_access(tmon_server *server, const tmon_server_options *options, const char *host) {
  int code = tmon_access_init(&server->access, host, options->token, options->read_token, options->allowed_hosts, options->allowed_host_count);
  if (code == TMON_OK && options->frame_origin_count > 0) {
    code = tmon_reply_frame_policy(&server->frame_policy, options->frame_origins, options->frame_origin_count);
  }
  return code;
}

static bool may_write(const tmon_server *server) {
  tmon_store_info info;
  return !server->read_only && tmon_store_get_info(&info, server->store) == TMON_OK && !info.read_only;
}

int tmon_server_open(tmon_server **out, tmon_store *store, const tmon_server_options *given) {
  tmon_server_options chosen;
  const tmon_server_options *options = &chosen;
  if (out == NULL || store == NULL) {
    return tmon_error_set(TMON_EINVAL, "%s is NULL", out == NULL ? "out" : "store");
  }
  *out = NULL;
  int code = copy_options(&chosen, given);
  if (code != TMON_OK) {
    return code;
  }
  const char *host = options->host != NULL && strcasecmp(options->host, "localhost") != 0 ? options->host : "127.0.0.1";
  code = check_options(options, host);
  if (code != TMON_OK) {
    return code;
  }
  tmon_server *server = tmon_alloc_zero(1, sizeof *server);
  if (server == NULL) {
    return tmon_error_no_memory();
  }
  server->store = store;
  server->max_websockets = options->max_websockets != 0 ? options->max_websockets : 50;
  server->updates_per_second = options->updates_per_second != 0 ? options->updates_per_second : 10;
  server->window = options->window != 0 ? options->window : 1000;
  server->read_only = options->read_only;
  server->debug = options->debug;
  server->run = tmon_clock_now_us();
  server->started_us = tmon_clock_monotonic_us();
  code = make_access(server, options, host);
  if (code == TMON_OK) {
    code = open_logs(server);
  }
  if (code == TMON_OK) {
    code = tmon_updates_make(&server->updates, server);
  }
  if (code == TMON_OK) {
    code = tmon_children_make(&server->children, server);
  }
  if (code == TMON_OK && options->recipes_path != NULL) {
    code = tmon_recipes_load(&server->recipes, options->recipes_path);
  }
  if (code == TMON_OK && options->alert_rules != NULL) {
    code = tmon_alert_runs_make(&server->alert_runs, server, options->alert_rules);
  }
  if (code == TMON_OK) {
    code = open_http(server, options, host);
  }
  if (code != TMON_OK) {
    tmon_server_free(server);
    return code;
  }
  if (may_write(server)) {
    tmon_children_adopt(server->children);
    tmon_child_outputs_prune(server);
  }
  *out = server;
  return TMON_OK;
}

uint16_t tmon_server_port(const tmon_server *server, size_t index) { return server != NULL ? tmon_http_port(server->http, index) : 0; }

int tmon_server_run(tmon_server *server) {
  if (server == NULL) {
    return tmon_error_set(TMON_EINVAL, "server is NULL");
  }
  tmon_http_timer(server->http, 1);
  return tmon_http_run(server->http);
}

void tmon_server_stop(tmon_server *server) {
  if (server != NULL) {
    tmon_http_stop(server->http);
  }
}

void tmon_server_free(tmon_server *server) {
  if (server == NULL) {
    return;
  }
  tmon_http_free(server->http); /* closes the streams, which frees the clients */
  server->http = NULL;
  tmon_alert_runs_free(server->alert_runs);
  tmon_children_free(server->children); /* while the store is there to take their end */
  tmon_recipes_free(server->recipes);
  tmon_updates_free(server->updates);
  tmon_metrics_log_close(&server->metrics, server->store);
  tmon_log_file_close(&server->streams);
  tmon_log_file_close(&server->writes);
  tmon_access_free(&server->access);
  tmon_free(server->frame_policy);
  tmon_free(server);
}
