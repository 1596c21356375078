/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Requests and responses on libwebsockets: what was asked is copied out at once, what goes back is written piece by piece. */
#include "serve/http_lws.h"

#include "util/alloc.h"
#include "util/clock.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void copy_header(tmon_request *request, struct lws *wsi, enum lws_token_indexes token, char *out, size_t size, const char *name) {
  int length = lws_hdr_total_length(wsi, token);
  if (length <= 0) {
    return;
  }
  if ((size_t)length >= size || lws_hdr_copy(wsi, out, (int)size, token) < 0) {
    out[0] = '\0';
    request->refused = name;
  }
}

static void copy_custom(tmon_request *request, struct lws *wsi, const char *name, char *out, size_t size) {
  int length = lws_hdr_custom_length(wsi, name, (int)strlen(name));
  if (length > 0 && ((size_t)length >= size || lws_hdr_custom_copy(wsi, out, (int)size, name, (int)strlen(name)) < 0)) {
    out[0] = '\0';
    request->refused = name;
  }
}

/* libwebsockets has decoded the escapes; they are put back, so that the one parser with its checks and tests sees them. */
static size_t encode(char *out, size_t size, const char *text, size_t length, const char *plain) {
  size_t used = 0;
  bool equals = false;
  for (size_t i = 0; i < length && used + 4 < size; i++) {
    unsigned char c = (unsigned char)text[i];
    bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c != '\0' && strchr(plain, c) != NULL);
    if (c == '=' && !equals) {
      equals = keep = true;
    }
    if (keep) {
      out[used++] = (char)c;
    } else {
      used += (size_t)snprintf(out + used, 4, "%%%02X", c);
    }
  }
  return used;
}

static bool copy_query(tmon_request *request, struct lws *wsi) {
  char fragment[2048];
  char *raw = tmon_alloc(4 * TMON_REQUEST_QUERY_BYTES);
  size_t size = 4 * TMON_REQUEST_QUERY_BYTES;
  size_t used = 0;
  if (raw == NULL) {
    return false; /* no fault of the client */
  }
  for (int i = 0;; i++) {
    int length = lws_hdr_copy_fragment(wsi, fragment, sizeof fragment, WSI_TOKEN_HTTP_URI_ARGS, i);
    if (length < 0) {
      if (lws_hdr_fragment_length(wsi, WSI_TOKEN_HTTP_URI_ARGS, i) >= (int)sizeof fragment - 1) {
        request->refused = "query";
      }
      break;
    }
    if (used + 3 * (size_t)length + 8 >= size) {
      request->refused = "query";
      break;
    }
    if (used > 0) {
      raw[used++] = '&';
    }
    used += encode(raw + used, size - used, fragment, (size_t)length, "-_.~/");
  }
  if (request->refused == NULL) {
    tmon_request_set_query(request, raw, used);
  }
  tmon_free(raw);
  return true;
}

static tmon_method method_of(int engine, bool *head) {
  *head = engine == LWSHUMETH_HEAD;
  switch (engine) {
  case LWSHUMETH_GET:
  case LWSHUMETH_HEAD: return TMON_METHOD_GET;
  case LWSHUMETH_POST: return TMON_METHOD_POST;
  case LWSHUMETH_PATCH: return TMON_METHOD_PATCH;
  case LWSHUMETH_DELETE: return TMON_METHOD_DELETE;
  default: return TMON_METHOD_OTHER;
  }
}

static bool copy_request(tmon_http_connection *connection, tmon_request *request) {
  struct lws *wsi = connection->wsi;
  tmon_http *http = connection->http;
  char *uri = NULL;
  int uri_length = 0;
  char path[3 * TMON_REQUEST_PATH_BYTES];
  request->method = method_of(lws_http_get_uri_and_method(wsi, &uri, &uri_length), &request->head);
  if (uri == NULL || uri_length <= 0 || uri_length >= TMON_REQUEST_PATH_BYTES) {
    request->refused = "path";
  } else {
    tmon_request_set_path(request, path, encode(path, sizeof path, uri, (size_t)uri_length, "-_.~/:@"));
  }
  for (size_t i = 0; i < http->port_count; i++) {
    if (lws_get_vhost(wsi) == http->vhosts[i] || lws_get_vhost(wsi) == http->vhosts[TMON_HTTP_PORTS + i]) {
      request->port = http->ports[i];
    }
  }
  char version[16] = "";
  if (lws_hdr_copy(wsi, version, sizeof version, WSI_TOKEN_HTTP) < 0) {
    version[0] = '\0';
  }
  request->old = strcmp(version, "HTTP/1.1") != 0;
  (void)lws_get_peer_simple(wsi, request->peer, sizeof request->peer);
  copy_header(request, wsi, WSI_TOKEN_HOST, request->host, sizeof request->host, "Host");
  copy_header(request, wsi, WSI_TOKEN_ORIGIN, request->origin, sizeof request->origin, "Origin");
  copy_header(request, wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, request->content_type, sizeof request->content_type, "Content-Type");
  copy_header(request, wsi, WSI_TOKEN_HTTP_AUTHORIZATION, request->authorization, sizeof request->authorization, "Authorization");
  copy_header(request, wsi, WSI_TOKEN_HTTP_COOKIE, request->cookie, sizeof request->cookie, "Cookie");
  copy_header(request, wsi, WSI_TOKEN_HTTP_ACCEPT_ENCODING, request->accept_encoding, sizeof request->accept_encoding, "Accept-Encoding");
  copy_header(request, wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, request->if_none_match, sizeof request->if_none_match, "If-None-Match");
  copy_custom(request, wsi, "sec-fetch-site:", request->fetch_site, sizeof request->fetch_site);
  return copy_query(request, wsi);
}

void tmon_http_lws_forget(tmon_http_connection *connection) {
  connection->deadline_us = 0;
  connection->queued = false;
  connection->held = 0;
  connection->http->promised -= connection->promised;
  connection->promised = 0;
  if (connection->request != NULL) {
    tmon_response_free(&connection->response);
    tmon_free(connection->request);
    connection->request = NULL;
  }
  tmon_buffer_free(&connection->body);
  connection->answered = false;
  connection->finished = false;
  connection->resumes = false;
  connection->refused = false;
  connection->close_after = false;
  connection->sent = 0;
}

static int add(tmon_http_connection *connection, const char *name, const char *value, unsigned char **at, unsigned char *end) {
  return lws_add_http_header_by_name(connection->wsi, (const unsigned char *)name, (const unsigned char *)value, (int)strlen(value), at, end);
}

static size_t body_size(const tmon_response *response) { return response->fixed != NULL ? response->fixed_size : response->body.size; }

/* Puts the head of the response behind `start`; NULL when it does not fit. */
static unsigned char *put_head(tmon_http_connection *connection, unsigned char *start, unsigned char *end) {
  tmon_response *response = &connection->response;
  unsigned char *at = start;
  bool failed = lws_add_http_header_status(connection->wsi, response->status, &at, end) != 0;
  failed = failed || add(connection, "content-type:", response->content_type, &at, end) != 0;
  for (size_t i = 0; tmon_reply_headers[i] != NULL; i += 2) {
    const char *value = tmon_reply_header(response, i);
    failed = failed || (value != NULL && add(connection, tmon_reply_headers[i], value, &at, end) != 0);
  }
  bool cached = false;
  for (size_t i = 0; i < response->header_count; i++) {
    cached = cached || strcmp(response->headers[i].name, "cache-control:") == 0;
    failed = failed || add(connection, response->headers[i].name, response->headers[i].value, &at, end) != 0;
  }
  failed = failed || (!cached && add(connection, "cache-control:", "no-store", &at, end) != 0);
  if (response->kind == TMON_RESPONSE_EVENTS) {
    failed = failed || add(connection, "connection:", "close", &at, end) != 0;
  } else if (response->kind == TMON_RESPONSE_STREAM) {
    connection->close_after = connection->close_after || connection->request->old;
    failed = failed || (!connection->request->old && add(connection, "transfer-encoding:", "chunked", &at, end) != 0);
    failed = failed || (connection->close_after && add(connection, "connection:", "close", &at, end) != 0);
  } else {
    char length[24];
    (void)snprintf(length, sizeof length, "%zu", body_size(response));
    failed = failed || (response->status != 304 && add(connection, "content-length:", length, &at, end) != 0);
    failed = failed || (connection->close_after && add(connection, "connection:", "close", &at, end) != 0);
  }
  failed = failed || lws_finalize_http_header(connection->wsi, &at, end) != 0;
  return failed ? NULL : at;
}

/* libwebsockets starts its own time-outs again with every byte, so a client that trickles could hold its place for days. */
void tmon_http_lws_patience(tmon_http_connection *connection, int64_t delay_us) {
  connection->deadline_us = tmon_clock_monotonic_us() + delay_us;
  lws_set_timer_usecs(connection->wsi, delay_us + 1000);
}

static void be_patient(tmon_http_connection *connection, size_t bytes) {
  tmon_http_lws_patience(connection, (int64_t)(TMON_HTTP_PATIENCE_S + bytes / TMON_HTTP_SLOWEST_BYTES_S) * 1000000);
}

/* The timer is not taken back when a request is through, so it may come in vain. */
int tmon_http_lws_overdue(tmon_http_connection *connection) {
  return connection->deadline_us != 0 && tmon_clock_monotonic_us() >= connection->deadline_us ? -1 : 0;
}

static int send_head(tmon_http_connection *connection) {
  unsigned char *start = connection->http->scratch + LWS_PRE;
  unsigned char *at = put_head(connection, start, start + TMON_HTTP_HEAD_BYTES);
  connection->answered = true;
  if (at == NULL || lws_write(connection->wsi, start, (size_t)(at - start), LWS_WRITE_HTTP_HEADERS) < 0) {
    return -1;
  }
  if (connection->response.kind == TMON_RESPONSE_EVENTS) {
    connection->deadline_us = 0;
    (void)lws_http_mark_sse(connection->wsi);
    return tmon_http_lws_open_stream(connection, false);
  }
  be_patient(connection, body_size(&connection->response));
  (void)lws_callback_on_writable(connection->wsi);
  return 0;
}

int tmon_http_lws_ready(tmon_http_connection *connection) {
  tmon_http *http = connection->http;
  tmon_response *response = &connection->response;
  bool streams = response->kind == TMON_RESPONSE_STREAM;
  /* The first piece comes before the head: what fails there is still an error reply. */
  if (streams && (response->body.size > 0 || response->work.left == 0 || connection->request->head)) {
    return send_head(connection);
  }
  if (!streams && tmon_http_lws_hold(connection) && response->work.left == 0 && !connection->finished) {
    connection->finished = true;
    http->handlers.finish(connection->request, response, http->handlers.payload);
    (void)tmon_http_lws_hold(connection);
  }
  if (response->work.left > 0) {
    tmon_http_lws_queue(connection);
    return 0;
  }
  return send_head(connection);
}

static int answer(tmon_http_connection *connection) {
  tmon_http *http = connection->http;
  if (connection->refused) {
    return send_head(connection);
  }
  connection->request->body = connection->body.data != NULL ? (const char *)connection->body.data : "";
  connection->request->body_size = connection->body.size;
  http->handlers.respond(connection->request, &connection->response, http->handlers.payload);
  return tmon_http_lws_ready(connection);
}

static int start_request(tmon_http_connection *connection, bool upgrade) {
  tmon_http_lws_forget(connection);
  connection->request = tmon_alloc_zero(1, sizeof *connection->request);
  if (connection->request == NULL) {
    return -1;
  }
  tmon_response_init(&connection->response);
  connection->request->upgrade = upgrade;
  return copy_request(connection, connection->request) ? 0 : -1;
}

/* Whoever sends large bodies slowly must not fill the memory. */
static bool promise(tmon_http_connection *connection, size_t length) {
  tmon_http *http = connection->http;
  if (connection->refused || length <= TMON_HTTP_BODY_SMALL) return true;
  if (http->promised + length > TMON_HTTP_BODIES_LIMIT) {
    connection->refused = connection->close_after = true;
    tmon_response_header(&connection->response, "retry-after:", "1");
    tmon_reply_error(&connection->response, 503, NULL, NULL, "too many large bodies are being read; send it again later");
    return false;
  }
  http->promised += length;
  connection->promised = length;
  return true;
}

int tmon_http_lws_begin(tmon_http_connection *connection, bool upgrade) {
  char text[24] = "";
  if (start_request(connection, upgrade) != 0) {
    return -1;
  }
  tmon_http *http = connection->http;
  if (lws_hdr_copy(connection->wsi, text, sizeof text, WSI_TOKEN_HTTP_CONTENT_LENGTH) < 0) {
    text[0] = '\0';
  }
  size_t digits = strspn(text, "0123456789");
  bool odd = lws_hdr_total_length(connection->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0 || text[digits] != '\0' ||
      lws_hdr_total_length(connection->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) >= (int)sizeof text;
  if (odd) {
    connection->refused = connection->close_after = true;
    tmon_reply_error(&connection->response, 400, NULL, NULL, "a body needs a Content-Length in decimal digits");
    return send_head(connection);
  }
  unsigned long long length = strtoull(text, NULL, 10);
  be_patient(connection, length > TMON_HTTP_BODY_SMALL && length <= TMON_HTTP_BODY_LIMIT ? (size_t)length : 0);
  connection->refused = http->handlers.check(connection->request, &connection->response, http->handlers.payload) != 0;
  size_t limit = connection->request->body_limit > TMON_HTTP_BODY_SMALL ? connection->request->body_limit : TMON_HTTP_BODY_SMALL;
  if (length > limit) {
    connection->refused = connection->close_after = true;
    tmon_reply_error(&connection->response, 413, NULL, NULL, "a body of %llu bytes is over the limit of %zu", length, limit);
    /* A client that still sends would meet a closed connection instead of the reply, so a moderate excess is read and thrown away. */
    return length > TMON_HTTP_DISCARD_LIMIT ? send_head(connection) : 0;
  }
  return promise(connection, (size_t)length) && length > 0 ? 0 : answer(connection);
}

int tmon_http_lws_body(tmon_http_connection *connection, const void *data, size_t size) {
  if (connection->request != NULL && !connection->refused && !connection->answered) {
    return tmon_buffer_append(&connection->body, data, size) == 0 ? 0 : -1;
  }
  return 0;
}

int tmon_http_lws_body_end(tmon_http_connection *connection) {
  return connection->request != NULL && !connection->answered && !connection->queued ? answer(connection) : 0;
}

int tmon_http_lws_write(tmon_http_connection *connection) {
  if (connection->request != NULL && !connection->answered && connection->resumes) {
    connection->resumes = false;
    return tmon_http_lws_ready(connection);
  }
  if (connection->request == NULL || !connection->answered) {
    return 0;
  }
  tmon_response *response = &connection->response;
  if (response->kind == TMON_RESPONSE_STREAM) {
    return tmon_http_lws_write_stream(connection);
  }
  size_t size = connection->request->head || response->status == 304 ? 0 : body_size(response);
  const unsigned char *data = response->fixed != NULL ? response->fixed : response->body.data;
  size_t chunk = size - connection->sent;
  if (chunk > TMON_HTTP_CHUNK) {
    chunk = TMON_HTTP_CHUNK;
  }
  bool last = connection->sent + chunk == size;
  if (chunk > 0) {
    unsigned char *start = connection->http->scratch + LWS_PRE;
    memcpy(start, data + connection->sent, chunk);
    if (lws_write(connection->wsi, start, chunk, last ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0) {
      return -1;
    }
    connection->sent += chunk;
  }
  if (!last) {
    (void)lws_callback_on_writable(connection->wsi);
    return 0;
  }
  bool close = connection->close_after;
  tmon_http_lws_forget(connection);
  return close || lws_http_transaction_completed(connection->wsi) != 0 ? -1 : 0;
}

int tmon_http_lws_confirm_upgrade(tmon_http_connection *connection) {
  struct lws *wsi = connection->wsi;
  char wanted[16] = "";
  /* CVE-2025-11677: after an upgrade that it does not know, the library calls here with headers that it has freed; -1 makes it let go of them.
   * The same for h2c, which we do not speak. */
  if (lws_hdr_copy(wsi, wanted, sizeof wanted, WSI_TOKEN_UPGRADE) < 0 || strcasecmp(wanted, "websocket") != 0) {
    return -1;
  }
  if (start_request(connection, true) != 0) {
    return -1;
  }
  tmon_http *http = connection->http;
  tmon_response *response = &connection->response;
  if (http->handlers.check(connection->request, response, http->handlers.payload) == 0) {
    http->handlers.respond(connection->request, response, http->handlers.payload);
  }
  if (response->kind == TMON_RESPONSE_WEBSOCKET) {
    tmon_http_lws_forget(connection);
    return 0;
  }
  /* Refused: everything in one write, and the connection ends with it. */
  connection->close_after = true;
  unsigned char *start = http->scratch + LWS_PRE;
  unsigned char *at = put_head(connection, start, start + TMON_HTTP_HEAD_BYTES);
  size_t size = body_size(response);
  if (at != NULL && size < TMON_HTTP_CHUNK - TMON_HTTP_HEAD_BYTES) {
    memcpy(at, response->fixed != NULL ? response->fixed : (const void *)response->body.data, size);
    (void)lws_write(wsi, start, (size_t)(at - start) + size, LWS_WRITE_HTTP_HEADERS);
  }
  tmon_http_lws_forget(connection);
  return -1;
}
