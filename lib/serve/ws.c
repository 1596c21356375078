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

enum { KEEP_ALIVE_US = 15000000, SWEEP_US = 1000000 };

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
  unsigned slot = 0;
  while (slot < TMON_UPDATE_SLOTS && (server->slots.bits[slot / 64] >> slot % 64 & 1) != 0) {
    slot++;
  }
  tmon_client *client = slot < TMON_UPDATE_SLOTS ? tmon_alloc_zero(1, sizeof *client) : NULL;
  if (client == NULL) {
    return NULL;
  }
  client->slot = slot;
  server->slots.bits[slot / 64] |= UINT64_C(1) << slot % 64;
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
  server->slots.bits[client->slot / 64] &= ~(UINT64_C(1) << client->slot % 64);
  tmon_subscription_free(&client->wanted);
  tmon_free(client->notice);
  tmon_free(client);
}

/* What it asked for, or what is wrong with it; said to those only who asked for tables, as who does not never was told. */
static void answer(tmon_client *client, bool good) {
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_buffer_init(&buffer, 4096);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", good ? "subscribed" : "error");
  if (good) {
    tmon_json_put_int(&json, "tables", (int64_t)client->wanted.wish_count);
  } else {
    tmon_json_open(&json, "error", '{');
    tmon_json_put_text(&json, "code", "bad_request");
    tmon_json_put_text(&json, "message", tmon_error_message());
    tmon_json_put_text(&json, "field", tmon_error_field());
    tmon_json_close(&json, '}');
  }
  tmon_json_close(&json, '}');
  tmon_free(client->notice);
  client->notice = buffer.error == TMON_OK ? tmon_buffer_take(&buffer) : NULL;
  tmon_buffer_free(&buffer);
}

void tmon_client_message(void *context, const char *text, size_t size, void *payload) {
  tmon_client *client = context;
  tmon_server *server = payload;
  tmon_subscription said;
  /* Messages of kinds that are not known are left for later versions. */
  tmon_subscription_kind kind = tmon_subscription_read(&said, text, size);
  if (kind == TMON_SUBSCRIPTION_NOT_ONE) {
    return;
  }
  bool about_tables = said.tables_said || kind == TMON_SUBSCRIPTION_WRONG;
  if (kind == TMON_SUBSCRIPTION_GOOD) {
    if (said.sessions_said) {
      client->pictured = 0; /* the newest pictures of what it follows now go at once */
    }
    tmon_subscription_merge(&client->wanted, &said);
  }
  if (client->wanted.wish_count > 0) {
    tmon_updates_follow_tables(server->updates);
  }
  if (about_tables) {
    answer(client, kind == TMON_SUBSCRIPTION_GOOD);
  }
  tmon_http_stream_want(client->stream);
}

static bool wants(const tmon_client *client, const char *session) { return tmon_subscription_wants_session(&client->wanted, session); }

static bool is_for(const tmon_client *client, const tmon_update *update) {
  return update->addressed ? (update->readers.bits[client->slot / 64] >> client->slot % 64 & 1) != 0 : wants(client, update->session);
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
  if (client->notice != NULL) {
    (void)send_text(client, client->notice, strlen(client->notice));
    tmon_free(client->notice);
    client->notice = NULL;
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
    if (is_for(client, update)) {
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
