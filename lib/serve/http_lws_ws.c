/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Streams on libwebsockets: WebSockets and event streams, which differ only in how a message is framed. */
#include "serve/http_lws.h"

#include "trainmon/error.h"

#include <string.h>
#include <sys/socket.h>

int tmon_http_lws_open_stream(tmon_http_connection *connection, bool websocket) {
  tmon_http_stream *stream = &connection->stream;
  tmon_http *http = connection->http;
  stream->wsi = connection->wsi;
  stream->websocket = websocket;
  stream->closing = false;
  stream->context = http->handlers.opened(stream, websocket, http->handlers.payload);
  stream->open = stream->context != NULL;
  const tmon_buffer *said = &connection->response.body;
  if (stream->open && !websocket && said->size > 0) {
    http->handlers.message(stream->context, (const char *)said->data, said->size, http->handlers.payload); /* the query's subscription */
  }
  if (stream->open) {
    (void)lws_callback_on_writable(connection->wsi);
  }
  return stream->open ? 0 : -1;
}

int tmon_http_lws_receive(tmon_http_connection *connection, const void *data, size_t size) {
  struct lws *wsi = connection->wsi;
  tmon_http *http = connection->http;
  if (lws_frame_is_binary(wsi)) {
    lws_close_reason(wsi, LWS_CLOSE_STATUS_UNACCEPTABLE_OPCODE, NULL, 0);
    return -1;
  }
  if (lws_is_first_fragment(wsi)) {
    tmon_buffer_clear(&connection->message);
  }
  if (size > 0 && tmon_buffer_append(&connection->message, data, size) != 0) {
    lws_close_reason(wsi, LWS_CLOSE_STATUS_MESSAGE_TOO_LARGE, NULL, 0);
    return -1;
  }
  if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0 && connection->stream.open) {
    const char *text = connection->message.data != NULL ? (const char *)connection->message.data : "";
    http->handlers.message(connection->stream.context, text, connection->message.size, http->handlers.payload);
    tmon_buffer_free(&connection->message);
  }
  return 0;
}

void tmon_http_stream_want(tmon_http_stream *stream) { (void)lws_callback_on_writable(stream->wsi); }

int tmon_http_stream_send(tmon_http_stream *stream, const char *text, size_t size) {
  static const unsigned char room[LWS_PRE];
  tmon_http_connection *connection = tmon_http_lws_connection(stream->wsi);
  tmon_buffer *out = &connection->outgoing;
  tmon_buffer_clear(out);
  /* The library writes its frame header into the LWS_PRE bytes in front, so a shared text must be copied. */
  (void)tmon_buffer_append(out, room, sizeof room);
  if (tmon_buffer_append(out, text, size) != 0) {
    stream->closing = true;
    return out->error;
  }
  if (lws_write(stream->wsi, out->data + LWS_PRE, size, stream->websocket ? LWS_WRITE_TEXT : LWS_WRITE_HTTP) < 0) {
    stream->closing = true;
    return TMON_EIO;
  }
  return TMON_OK;
}

void tmon_http_stream_close(tmon_http_stream *stream) {
  if (!stream->closing) {
    stream->closing = true;
    (void)lws_callback_on_writable(stream->wsi);
    /* A socket that takes nothing never becomes writable. */
    lws_set_timeout(stream->wsi, PENDING_TIMEOUT_USER_REASON_BASE, 1);
  }
}

void tmon_http_stream_peer(const tmon_http_stream *stream, char *out, size_t size) {
  out[0] = '\0';
  (void)lws_get_peer_simple(stream->wsi, out, size);
}

bool tmon_http_stream_gone(const tmon_http_stream *stream) {
  char byte;
  return recv(lws_get_socket_fd(stream->wsi), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}
