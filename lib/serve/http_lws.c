/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The engine on libwebsockets: listening, the service loop, the timer. One thread; only tmon_http_stop comes from others. */
#include "serve/http_lws.h"

#include "util/alloc.h"
#include "util/error.h"
#include "util/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

tmon_http_connection *tmon_http_lws_connection(struct lws *wsi) { return lws_get_opaque_user_data(wsi); }

static int opened(tmon_http *http, struct lws *wsi) {
  tmon_http_connection *connection = tmon_alloc_zero(1, sizeof *connection);
  if (connection == NULL) {
    return -1;
  }
  connection->http = http;
  connection->wsi = wsi;
  tmon_buffer_init(&connection->body, TMON_HTTP_BODY_LIMIT + 1);
  tmon_buffer_init(&connection->message, TMON_HTTP_MESSAGE_LIMIT);
  tmon_buffer_init(&connection->outgoing, LWS_PRE + (4 << 20));
  http->connections++;
  connection->next = http->newest;
  http->newest = connection;
  lws_set_opaque_user_data(wsi, connection);
  return 0;
}

static void destroyed(struct lws *wsi) {
  tmon_http_connection *connection = tmon_http_lws_connection(wsi);
  if (connection == NULL) {
    return; /* the listener itself */
  }
  tmon_http *http = connection->http;
  lws_set_opaque_user_data(wsi, NULL);
  if (connection->stream.open) {
    connection->stream.open = false;
    http->handlers.closed(connection->stream.context, http->handlers.payload);
  }
  tmon_http_lws_forget(connection);
  tmon_buffer_free(&connection->body);
  tmon_buffer_free(&connection->message);
  tmon_buffer_free(&connection->outgoing);
  tmon_http_connection **link = &http->newest;
  while (*link != connection) {
    link = &(*link)->next;
  }
  *link = connection->next;
  tmon_free(connection);
  http->connections--;
}

static int writable(tmon_http_connection *connection) {
  tmon_http_stream *stream = &connection->stream;
  if (!stream->open) {
    return tmon_http_lws_write(connection);
  }
  if (!stream->closing) {
    connection->http->handlers.writable(stream->context, connection->http->handlers.payload);
  }
  return stream->closing ? -1 : 0;
}

int tmon_http_lws_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t length) {
  (void)user;
  tmon_http *http = lws_context_user(lws_get_context(wsi));
  if (reason == LWS_CALLBACK_FILTER_NETWORK_CONNECTION) {
    return http->connections >= TMON_HTTP_CONNECTIONS;
  }
  if (reason == LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED) {
    return opened(http, wsi);
  }
  if (reason == LWS_CALLBACK_WSI_DESTROY) {
    destroyed(wsi);
    return 0;
  }
  tmon_http_connection *connection = http != NULL ? tmon_http_lws_connection(wsi) : NULL;
  if (connection == NULL) {
    return 0;
  }
  switch (reason) {
  case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE: return tmon_http_lws_confirm_upgrade(connection);
  case LWS_CALLBACK_HTTP: return tmon_http_lws_begin(connection, false);
  case LWS_CALLBACK_HTTP_BODY: return tmon_http_lws_body(connection, in, length);
  case LWS_CALLBACK_HTTP_BODY_COMPLETION: return tmon_http_lws_body_end(connection);
  case LWS_CALLBACK_HTTP_WRITEABLE:
  case LWS_CALLBACK_SERVER_WRITEABLE: return writable(connection);
  case LWS_CALLBACK_ESTABLISHED: return tmon_http_lws_open_stream(connection, true);
  case LWS_CALLBACK_RECEIVE: return tmon_http_lws_receive(connection, in, length);
  case LWS_CALLBACK_TIMER: return tmon_http_lws_overdue(connection);
  default: return 0;
  }
}

/* libwebsockets does not say why a bind failed, so it is tried first on a socket of ours. `host` is an address. */
static int probe(const char *host, uint16_t port) {
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  bool is_six = inet_pton(AF_INET6, host, &six.sin6_addr) == 1;
  if (!is_six && inet_pton(AF_INET, host, &four.sin_addr) != 1) {
    return tmon_error_set(TMON_EINVAL, "host \"%s\" is not an address (expected one such as 127.0.0.1 or ::1)", host);
  }
  int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return tmon_error_set_os(errno, "can't make a socket");
  }
  int one = 1;
  int code = TMON_OK;
  (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  int failed = is_six ? bind(fd, (const struct sockaddr *)&six, sizeof six) : bind(fd, (const struct sockaddr *)&four, sizeof four);
  /* SO_REUSEADDR lets two sockets bind; only listening tells that the port is taken. */
  if (failed != 0 || listen(fd, 1) != 0) {
    if (errno == EADDRINUSE) {
      code = tmon_error_set(TMON_EEXISTS, "port %u of %s is taken by another program", (unsigned)port, host);
    } else if (errno == EADDRNOTAVAIL) {
      code = tmon_error_set(TMON_EINVAL, "host %s is not an address of this machine", host);
    } else {
      code = tmon_error_set_os(errno, "can't listen on port %u of %s", (unsigned)port, host);
    }
  }
  (void)close(fd);
  return code;
}

/* Whether this machine has the IPv6 address: kernels without IPv6 are no reason not to serve. */
static bool has_address(const char *host) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6};
  int fd = inet_pton(AF_INET6, host, &six.sin6_addr) == 1 ? socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
  bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&six, sizeof six) == 0;
  if (fd >= 0) {
    (void)close(fd);
  }
  return has;
}

static const struct lws_extension deflate[] = {
    {"permessage-deflate", lws_extension_callback_pm_deflate, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
    {NULL, NULL, NULL},
};

/* Listens on `host` at `*port`, which receives the port taken where it was 0. `index` is that of the vhost. */
static int listen_on(tmon_http *http, const tmon_http_options *options, const char *host, size_t index, uint16_t *port) {
  int code = probe(host, *port);
  if (code != TMON_OK) {
    return code;
  }
  struct lws_context_creation_info info;
  memset(&info, 0, sizeof info);
  (void)snprintf(http->names[index], sizeof http->names[index], "%zu", index);
  if (!tmon_text_copy(http->addresses[index], sizeof http->addresses[index], host)) {
    return tmon_error_set(TMON_EINVAL, "the address %.80s is too long", host);
  }
  info.vhost_name = http->names[index];
  info.port = *port;
  info.iface = http->addresses[index];
  info.protocols = http->protocols;
  info.options = LWS_SERVER_OPTION_FAIL_UPON_UNABLE_TO_BIND | LWS_SERVER_OPTION_VALIDATE_UTF8;
  if (strchr(host, ':') == NULL) {
    info.options |= LWS_SERVER_OPTION_DISABLE_IPV6;
  }
  info.keepalive_timeout = 60;
  info.timeout_secs = 10;
  info.extensions = options->compress_websocket ? deflate : NULL;
  info.retry_and_idle_policy = &http->liveness;
  http->vhosts[index] = lws_create_vhost(http->context, &info);
  if (http->vhosts[index] == NULL) {
    return tmon_error_set(TMON_EIO, "can't listen on port %u of %s", (unsigned)*port, host);
  }
  int taken = lws_get_vhost_listen_port(http->vhosts[index]);
  *port = (uint16_t)(taken > 0 ? taken : *port);
  return TMON_OK;
}

/* Both addresses get one port. One that was free on the first address may be taken on the second, so a few are tried. */
static int listen_port(tmon_http *http, const tmon_http_options *options, size_t index) {
  int code = TMON_OK;
  for (int attempt = 0; attempt < 8; attempt++) {
    uint16_t port = options->ports[index];
    code = listen_on(http, options, options->host, index, &port);
    if (code == TMON_OK && options->second != NULL && has_address(options->second)) {
      code = listen_on(http, options, options->second, TMON_HTTP_PORTS + index, &port);
    }
    if (code == TMON_OK) {
      http->ports[index] = port;
      http->port_count = index + 1;
      return TMON_OK;
    }
    if (http->vhosts[index] != NULL) {
      lws_vhost_destroy(http->vhosts[index]);
      http->vhosts[index] = NULL;
    }
    if (code != TMON_EEXISTS || options->ports[index] != 0) {
      break;
    }
  }
  return code;
}

int tmon_http_open(tmon_http **out, const tmon_http_options *options, const tmon_http_handlers *handlers) {
  struct lws_context_creation_info info;
  int code = TMON_OK;
  *out = NULL;
  tmon_http *http = tmon_alloc_zero(1, sizeof *http);
  if (http == NULL) {
    return tmon_error_no_memory();
  }
  http->handlers = *handlers;
  http->protocols[0].name = "trainmon";
  http->protocols[0].callback = tmon_http_lws_callback;
  http->protocols[0].rx_buffer_size = 4096;
  http->liveness.secs_since_valid_ping = 20;
  http->liveness.secs_since_valid_hangup = 45;
  memset(&info, 0, sizeof info);
  lws_set_log_level(0, NULL);
  info.port = CONTEXT_PORT_NO_LISTEN;
  info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
  info.user = http;
  info.gid = -1;
  info.uid = -1;
  info.max_http_header_data = 16384;
  info.max_http_header_pool = TMON_HTTP_CONNECTIONS;
  info.fd_limit_per_thread = TMON_HTTP_CONNECTIONS + 2 * TMON_HTTP_PORTS + 8;
  info.timeout_secs_ah_idle = 10;
  http->context = lws_create_context(&info);
  if (http->context == NULL) {
    code = tmon_error_set(TMON_EIO, "the HTTP engine could not start");
    goto out;
  }
  for (size_t i = 0; i < options->port_count; i++) {
    code = listen_port(http, options, i);
    if (code != TMON_OK) {
      goto out;
    }
  }
  *out = http;
  http = NULL;
out:
  tmon_http_free(http);
  return code;
}

uint16_t tmon_http_port(const tmon_http *http, size_t index) { return index < http->port_count ? http->ports[index] : 0; }

int tmon_http_run(tmon_http *http) {
  while (atomic_load(&http->stop) == 0) {
    if (lws_service(http->context, 0) < 0) {
      return atomic_load(&http->stop) != 0 ? TMON_OK : tmon_error_set(TMON_EIO, "the HTTP engine stopped");
    }
  }
  atomic_store(&http->stop, 0);
  return TMON_OK;
}

void tmon_http_stop(tmon_http *http) {
  atomic_store(&http->stop, 1);
  lws_cancel_service(http->context);
}

static void ticked(lws_sorted_usec_list_t *timer) {
  tmon_http *http = lws_container_of(timer, tmon_http, timer);
  http->handlers.tick(http->handlers.payload);
}

void tmon_http_timer(tmon_http *http, int64_t delay_us) { lws_sul_schedule(http->context, 0, &http->timer, ticked, delay_us); }

void tmon_http_free(tmon_http *http) {
  if (http == NULL) {
    return;
  }
  if (http->context != NULL) {
    lws_sul_cancel(&http->timer);
    lws_sul_cancel(&http->turn);
    lws_context_destroy(http->context);
  }
  tmon_free(http);
}
