/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Clients of the live stream: hello, subscription, and each one's way through the shared log. */
#include "serve/pictures.h"
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/version.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/text.h"

#include <string.h>

enum { SUBSCRIPTION_IDS = 1000, KEEP_ALIVE_US = 15000000, SWEEP_US = 1000000 };

void tmon_route_websocket(tmon_server *server, const tmon_request *request, tmon_response *response) {
  if (!request->upgrade) {
    tmon_reply_error(response, 400, NULL, NULL, "/ws takes WebSocket connections only");
  } else if (server->websocket_count >= server->max_websockets) {
    tmon_reply_error(response, 503, NULL, NULL, "all %u WebSocket places are taken", (unsigned)server->max_websockets);
  } else {
    response->kind = TMON_RESPONSE_WEBSOCKET;
    response->status = 101;
  }
}

void *tmon_client_open(tmon_http_stream *stream, bool websocket, void *payload) {
  tmon_server *server = payload;
  tmon_client *client = tmon_alloc_zero(1, sizeof *client);
  if (client == NULL) {
    return NULL;
  }
  client->stream = stream;
  client->websocket = websocket;
  client->cursor = tmon_update_log_end(tmon_updates_log(server->updates));
  client->sent_us = tmon_clock_monotonic_us();
  client->number = ++server->clients_seen;
  tmon_http_stream_peer(stream, client->peer, sizeof client->peer);
  tmon_log_file_line(
      &server->streams, "connect peer=%s number=%llu kind=%s", client->peer, (unsigned long long)client->number, websocket ? "websocket" : "events");
  client->next = server->clients;
  server->clients = client;
  server->client_count++;
  server->websocket_count += websocket;
  /* The timer may be waiting for a second; now somebody listens. */
  tmon_http_timer(server->http, 1);
  return client;
}

void tmon_client_close(void *context, void *payload) {
  tmon_client *client = context;
  tmon_server *server = payload;
  tmon_client **link = &server->clients;
  while (*link != client) {
    link = &(*link)->next;
  }
  *link = client->next;
  tmon_log_file_line(&server->streams, "disconnect peer=%s number=%llu", client->peer, (unsigned long long)client->number);
  server->client_count--;
  server->websocket_count -= client->websocket;
  tmon_free(client->ids);
  tmon_free(client);
}

bool tmon_subscription_parse(const char *text, size_t size, char (**ids)[37], size_t *count) {
  tmon_json *document = NULL;
  bool good = false;
  *ids = NULL;
  *count = 0;
  if (tmon_json_parse(&document, text, size) != TMON_OK) {
    return false;
  }
  const char *type = tmon_json_text(tmon_json_get(document, "type"));
  const tmon_json *sessions = tmon_json_get(document, "sessions");
  if (type == NULL || strcmp(type, "subscribe") != 0) {
    goto out;
  }
  if (tmon_json_text(sessions) != NULL) {
    good = strcmp(tmon_json_text(sessions), "all") == 0;
    goto out;
  }
  if (tmon_json_type(sessions) != TMON_JSON_ARRAY) {
    goto out;
  }
  *ids = tmon_alloc_zero(SUBSCRIPTION_IDS, sizeof **ids);
  if (*ids == NULL) {
    goto out;
  }
  good = true;
  for (const tmon_json *item = tmon_json_first(sessions); item != NULL && good; item = tmon_json_next(item)) {
    const char *id = tmon_json_text(item);
    good = id != NULL && tmon_id_is_valid(id) && *count < SUBSCRIPTION_IDS;
    if (good) {
      (void)tmon_text_copy((*ids)[(*count)++], sizeof **ids, id);
    }
  }
  if (!good) {
    tmon_free(*ids);
    *ids = NULL;
    *count = 0;
  }
out:
  tmon_json_free(document);
  return good;
}

void tmon_client_message(void *context, const char *text, size_t size, void *server) {
  tmon_client *client = context;
  char(*ids)[37] = NULL;
  size_t count = 0;
  (void)server;
  /* Messages of kinds that are not known are left for later versions. */
  if (tmon_subscription_parse(text, size, &ids, &count)) {
    tmon_free(client->ids);
    client->chosen = ids != NULL;
    client->ids = ids;
    client->id_count = count;
    client->pictured = 0; /* the newest pictures of what it follows now go at once */
    tmon_http_stream_want(client->stream);
  }
}

static bool wants(const tmon_client *client, const char *session) {
  for (size_t i = 0; client->chosen && i < client->id_count; i++) {
    if (strcmp(client->ids[i], session) == 0) {
      return true;
    }
  }
  return !client->chosen;
}

/* Skips those of sessions that it does not follow. */
static const tmon_shown *next_picture(tmon_client *client, const tmon_pictures_shown *pictures) {
  const tmon_shown *shown = tmon_pictures_next(pictures, client->pictured);
  while (shown != NULL && !wants(client, shown->session)) {
    client->pictured = shown->serial;
    shown = tmon_pictures_next(pictures, client->pictured);
  }
  return shown;
}

static int send_text(tmon_client *client, const char *text, size_t size) {
  tmon_buffer frame;
  client->sent_us = tmon_clock_monotonic_us();
  if (client->websocket) {
    return tmon_http_stream_send(client->stream, text, size);
  }
  tmon_buffer_init(&frame, (4 << 20) - 64);
  int code = tmon_events_frame(&frame, text, size);
  if (code == TMON_OK) {
    code = tmon_http_stream_send(client->stream, (const char *)frame.data, frame.size);
  }
  tmon_buffer_free(&frame);
  return code;
}

static void say_hello(tmon_client *client, const tmon_server *server) {
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_buffer_init(&buffer, 512);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", "hello");
  tmon_json_put_text(&json, "version", tmon_version());
  tmon_json_put_time(&json, "server_time", tmon_clock_now_us());
  tmon_json_put_int(&json, "updates_per_second", server->updates_per_second);
  tmon_json_close(&json, '}');
  if (buffer.error == TMON_OK) {
    (void)send_text(client, (const char *)buffer.data, buffer.size);
  }
  tmon_buffer_free(&buffer);
  client->greeted = true;
}

static void say_resync(tmon_client *client, const char *session) {
  tmon_buffer buffer;
  tmon_buffer_init(&buffer, 128);
  if (tmon_buffer_append_format(&buffer, "{\"type\":\"resync\",\"session_id\":\"%s\"}", session) == TMON_OK) {
    (void)send_text(client, (const char *)buffer.data, buffer.size);
  }
  tmon_buffer_free(&buffer);
}

/* Said once, though it takes a moment until the stream is closed. */
static void note_lost(tmon_client *client, tmon_server *server) {
  if (!client->lost) {
    client->lost = true;
    tmon_log_file_line(&server->streams, "stalled peer=%s number=%llu", client->peer, (unsigned long long)client->number);
  }
}

void tmon_client_writable(void *context, void *payload) {
  tmon_client *client = context;
  tmon_server *server = payload;
  const tmon_update_log *log = tmon_updates_log(server->updates);
  const tmon_update *update = NULL;
  if (!client->greeted) {
    say_hello(client, server);
    tmon_http_stream_want(client->stream);
    return;
  }
  for (;;) {
    tmon_step step = tmon_update_log_step(log, &client->cursor, &update);
    if (step == TMON_STEP_NOTHING) {
      const tmon_shown *shown = next_picture(client, tmon_updates_pictures(server->updates));
      if (shown != NULL) {
        client->pictured = shown->serial;
        (void)send_text(client, shown->text, shown->size);
        tmon_http_stream_want(client->stream);
        return;
      }
      if (!client->websocket && tmon_clock_monotonic_us() - client->sent_us >= KEEP_ALIVE_US) {
        client->sent_us = tmon_clock_monotonic_us();
        (void)tmon_http_stream_send(client->stream, ":\n\n", 3);
      }
      return;
    }
    if (step == TMON_STEP_LOST) {
      note_lost(client, server);
      tmon_http_stream_close(client->stream);
      return;
    }
    if (wants(client, update->session)) {
      if (step == TMON_STEP_RESYNC) {
        say_resync(client, update->session);
        tmon_log_file_line(&server->streams, "resync peer=%s number=%llu session=%s", client->peer, (unsigned long long)client->number, update->session);
      } else {
        (void)send_text(client, update->text, update->size);
      }
      tmon_http_stream_want(client->stream);
      return;
    }
  }
}

void tmon_clients_wake(tmon_server *server) {
  const tmon_update_log *log = tmon_updates_log(server->updates);
  for (tmon_client *client = server->clients; client != NULL; client = client->next) {
    /* One whose socket takes nothing is never told that it may write, so it is looked for here. */
    if (tmon_update_log_lost(log, &client->cursor)) {
      note_lost(client, server);
      tmon_http_stream_close(client->stream);
    } else {
      tmon_http_stream_want(client->stream);
    }
  }
}

void tmon_clients_keep_alive(tmon_server *server, int64_t now_us) {
  bool sweep = now_us - server->swept_us >= SWEEP_US;
  server->swept_us = sweep ? now_us : server->swept_us;
  for (tmon_client *client = server->clients; client != NULL; client = client->next) {
    if (client->websocket) {
      continue; /* the engine pings them */
    }
    /* Nothing is read from an event stream, so nobody else notices that its client has gone, and its place would stay taken. */
    if (sweep && tmon_http_stream_gone(client->stream)) {
      tmon_http_stream_close(client->stream);
    } else if (now_us - client->sent_us >= KEEP_ALIVE_US) {
      tmon_http_stream_want(client->stream);
    }
  }
}
