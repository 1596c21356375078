/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /events: the live stream as server-sent events, for curl and for proxies that do not pass WebSockets. */
#include "serve/router.h"
#include "serve/server_private.h"

#include "trainmon/error.h"

#include <stdio.h>
#include <string.h>

enum { EVENT_STREAMS = 100 };

/* The subscription that the query makes, as a WebSocket client would send it: the body, which the engine hands to the new client instead of sending it. */
static void put_tables(tmon_json_writer *json, const char *names, const char *event, const char *filter) {
  while (*names != '\0') {
    size_t length = strcspn(names, ",");
    char name[64];
    (void)snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name), names);
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "table", name);
    if (event != NULL) {
      tmon_json_put_text(json, "event", event);
    }
    if (filter != NULL) {
      tmon_json_put_text(json, "filter", filter);
    }
    tmon_json_close(json, '}');
    names += length + (names[length] == ',');
  }
}

static bool put_subscription(const tmon_request *request, tmon_response *response) {
  const char *names = tmon_request_parameter(request, "tables", 0);
  tmon_json_writer *json = &response->json;
  tmon_subscription wanted;
  if (names == NULL) {
    return true;
  }
  tmon_json_begin(json, &response->body);
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "type", "subscribe");
  tmon_json_open(json, "tables", '[');
  for (size_t i = 0; (names = tmon_request_parameter(request, "tables", i)) != NULL; i++) {
    put_tables(json, names, tmon_request_parameter(request, "event", 0), tmon_request_parameter(request, "filter", 0));
  }
  tmon_json_close(json, ']');
  tmon_json_close(json, '}');
  const char *text = response->body.error == TMON_OK ? (const char *)response->body.data : "";
  tmon_subscription_kind kind = tmon_subscription_read(&wanted, text, strlen(text));
  if (kind != TMON_SUBSCRIPTION_GOOD) {
    const char *field = kind == TMON_SUBSCRIPTION_WRONG ? tmon_error_field() : NULL;
    char message[512];
    (void)snprintf(message, sizeof message, "%s", tmon_error_message());
    tmon_buffer_clear(&response->body);
    if (field == NULL) {
      tmon_reply_failure(response, TMON_ENOMEM, NULL); /* the message is our own, so nothing else can be wrong with it */
    } else {
      tmon_reply_error(response, 400, NULL, strcmp(field, "table") == 0 ? "tables" : field, "%s", message);
    }
    return false;
  }
  tmon_subscription_free(&wanted);
  return true;
}

void tmon_route_events(tmon_server *server, const tmon_request *request, tmon_response *response) {
  if (server->client_count - server->websocket_count >= EVENT_STREAMS) {
    tmon_reply_error(response, 503, NULL, NULL, "all %d places for event streams are taken", (int)EVENT_STREAMS);
    return;
  }
  if (!put_subscription(request, response)) {
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
