/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Replies that take long are built piece by piece: one piece a turn of the service loop, so that everybody else is served between two pieces.
 * The reply with the fewest pieces left goes on. So a small question does not wait for the large ones before it, and large ones are finished one
 * after the other instead of all lying half-built in memory. That a large one waits for ever behind small ones is prevented by what each client
 * may ask for (access.h). */
#include "serve/http_lws.h"

/* Who asks for much and reads slowly must not fill the memory: beyond what all replies may hold, a large one is refused. */
bool tmon_http_lws_hold(tmon_http_connection *connection) {
  tmon_http *http = connection->http;
  tmon_response *response = &connection->response;
  size_t others = http->held - connection->held;
  bool room = response->body.capacity <= TMON_HTTP_HELD_SMALL || others == 0 || others + response->body.capacity <= TMON_HTTP_HELD_LIMIT;
  if (!room) {
    tmon_response_free(response);
    tmon_response_init(response);
    tmon_response_header(response, "retry-after:", "5");
    tmon_reply_error(response, 503, NULL, NULL, "too many large replies are being sent; ask again when they are through");
  }
  connection->held = response->body.capacity;
  http->held = others + connection->held;
  return room;
}

static tmon_http_connection *shortest(const tmon_http *http) {
  tmon_http_connection *best = http->working;
  for (tmon_http_connection *other = best; other != NULL; other = other->next_working) {
    if (other->response.work.left < best->response.work.left) {
      best = other;
    }
  }
  return best;
}

static void take_turn(lws_sorted_usec_list_t *turn) {
  tmon_http *http = lws_container_of(turn, tmon_http, turn);
  tmon_http_connection *connection = shortest(http);
  if (connection == NULL) {
    return;
  }
  tmon_response_work(&connection->response);
  if (!tmon_http_lws_hold(connection) || connection->response.work.left == 0) {
    tmon_http_lws_unqueue(connection);
    connection->resumes = true;
    /* A connection can be closed from its own callbacks only, so the reply goes on from there. */
    (void)lws_callback_on_writable(connection->wsi);
  }
  if (http->working != NULL) {
    lws_sul_schedule(http->context, 0, &http->turn, take_turn, 1);
  }
}

void tmon_http_lws_queue(tmon_http_connection *connection) {
  tmon_http *http = connection->http;
  tmon_http_connection **link = &http->working;
  while (*link != NULL) {
    link = &(*link)->next_working;
  }
  *link = connection;
  connection->next_working = NULL;
  connection->queued = true;
  /* It waits for us, not we for it. */
  connection->deadline_us = 0;
  lws_set_timeout(connection->wsi, NO_PENDING_TIMEOUT, 0);
  lws_sul_schedule(http->context, 0, &http->turn, take_turn, 1);
}

void tmon_http_lws_unqueue(tmon_http_connection *connection) {
  tmon_http_connection **link = &connection->http->working;
  while (*link != NULL && *link != connection) {
    link = &(*link)->next_working;
  }
  if (*link != NULL) {
    *link = connection->next_working;
  }
  connection->queued = false;
}
