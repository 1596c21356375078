/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Replies that are made while they are sent. One piece is in memory; the next is made, in the queue with everybody else's work, when the socket has taken it: the
 * client sets the pace. It has TMON_HTTP_PATIENCE_S to lose, which fills up again with what it takes, at the slowest rate: who stands still or trickles is left,
 * as with other replies, while time that others take in the queue is not counted. Chunks for HTTP/1.1; an older client gets plain bytes and the end of the
 * connection. */
#include "serve/http_lws.h"

#include "util/clock.h"

#include <stdio.h>
#include <string.h>

enum { FRAME = 16 }; /* a chunk's size line and its end */

static void make_next(tmon_http_connection *connection) {
  tmon_response *response = &connection->response;
  connection->credit_us = connection->deadline_us - tmon_clock_monotonic_us();
  tmon_buffer_clear(&response->body);
  connection->sent = 0;
  tmon_http_lws_queue(connection);
}

/* The piece that `make_next` asked for is there. */
static void begin_piece(tmon_http_connection *connection) {
  int64_t most = (int64_t)TMON_HTTP_PATIENCE_S * 1000000;
  int64_t earned = (int64_t)connection->response.body.size * 1000000 / TMON_HTTP_SLOWEST_BYTES_S;
  connection->resumes = false;
  connection->credit_us = connection->credit_us + earned > most ? most : connection->credit_us + earned;
  tmon_http_lws_patience(connection, connection->credit_us < 1 ? 1 : connection->credit_us);
}

static int finish(tmon_http_connection *connection) {
  bool close = connection->close_after;
  if (!connection->request->head && !connection->request->old) {
    unsigned char *start = connection->http->scratch + LWS_PRE;
    memcpy(start, "0\r\n\r\n", 5);
    if (lws_write(connection->wsi, start, 5, LWS_WRITE_HTTP_FINAL) < 0) {
      return -1;
    }
  }
  tmon_http_lws_forget(connection);
  return close || lws_http_transaction_completed(connection->wsi) != 0 ? -1 : 0;
}

static int send_some(tmon_http_connection *connection, size_t size) {
  unsigned char *start = connection->http->scratch + LWS_PRE;
  size_t used = 0;
  if (!connection->request->old) {
    used = (size_t)snprintf((char *)start, FRAME, "%zx\r\n", size);
  }
  memcpy(start + used, connection->response.body.data + connection->sent, size);
  used += size;
  if (!connection->request->old) {
    memcpy(start + used, "\r\n", 2);
    used += 2;
  }
  if (lws_write(connection->wsi, start, used, LWS_WRITE_HTTP) < 0) {
    return -1;
  }
  connection->sent += size;
  (void)lws_callback_on_writable(connection->wsi);
  return 0;
}

int tmon_http_lws_write_stream(tmon_http_connection *connection) {
  tmon_response *response = &connection->response;
  if (connection->queued) {
    return 0;
  }
  if (connection->resumes) {
    begin_piece(connection);
  }
  if (response->broken) {
    return -1;
  }
  size_t size = connection->request->head ? 0 : response->body.size - connection->sent;
  if (size > 0) {
    return send_some(connection, size > TMON_HTTP_CHUNK - FRAME ? TMON_HTTP_CHUNK - FRAME : size);
  }
  if (response->work.left > 0 && !connection->request->head) {
    make_next(connection);
    return 0;
  }
  return finish(connection);
}
