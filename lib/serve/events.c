/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /events: the live stream as server-sent events, for curl and for proxies that do not pass WebSockets. */
#include "serve/router.h"
#include "serve/server_private.h"

#include <string.h>

enum { EVENT_STREAMS = 100 };

void tmon_route_events(tmon_server *server, const tmon_request *request, tmon_response *response) {
  (void)request;
  if (server->client_count - server->websocket_count >= EVENT_STREAMS) {
    tmon_reply_error(response, 503, NULL, NULL, "all %d places for event streams are taken", (int)EVENT_STREAMS);
    return;
  }
  response->kind = TMON_RESPONSE_EVENTS;
  response->status = 200;
  response->content_type = "text/event-stream";
}

int tmon_events_frame(tmon_buffer *out, const char *text, size_t size) {
  const char *end = text + size;
  /* A line break inside would end the field, so each line becomes a data field of its own; readers join them again. */
  do {
    const char *line = memchr(text, '\n', (size_t)(end - text));
    const char *stop = line != NULL ? line : end;
    (void)tmon_buffer_append_text(out, "data: ");
    (void)tmon_buffer_append(out, text, (size_t)(stop - text));
    (void)tmon_buffer_append_text(out, "\n");
    text = line != NULL ? line + 1 : end;
  } while (text < end);
  return tmon_buffer_append_text(out, "\n");
}
