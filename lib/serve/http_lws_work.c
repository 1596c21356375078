/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Replies that take long are built piece by piece: one piece a turn of the service loop, so that everybody else is served between two pieces.
 * The reply with the fewest pieces left goes on. So a small question does not wait for the large ones before it, and large ones are finished one
 * after the other instead of all lying half-built in memory. Two pieces in a row are of two clients, where there are two, so that nobody waits for all that
 * another has asked for. That a large one waits for ever behind small ones is prevented by what each client may ask for (access.h). */
#include "serve/http_lws.h"

#include "util/text.h"

#include <string.h>

/* What all replies hold but that of `connection`; `of_peer` receives what those to the same client do. */
static size_t held_by_others(const tmon_http_connection *connection, size_t *of_peer) {
  size_t all = 0;
  *of_peer = 0;
  for (const tmon_http_connection *other = connection->http->newest; other != NULL; other = other->next) {
    if (other != connection && other->held > 0) {
      all += other->held;
      *of_peer += strcmp(other->request->peer, connection->request->peer) == 0 ? other->held : 0;
    }
  }
  return all;
}

/* Who asks for much and reads slowly must not fill the memory, nor alone use up what all may hold: beyond that a large reply is refused. */
bool tmon_http_lws_hold(tmon_http_connection *connection) {
  tmon_response *response = &connection->response;
  connection->held = response->body.capacity;
  if (connection->held <= TMON_HTTP_HELD_SMALL || connection->answered) {
    return true;
  }
  size_t of_peer = 0;
  size_t others = held_by_others(connection, &of_peer);
  if ((others == 0 || others + connection->held <= TMON_HTTP_HELD_LIMIT) && (of_peer == 0 || of_peer + connection->held <= TMON_HTTP_HELD_LIMIT / 2)) {
    return true;
  }
  tmon_response_free(response);
  tmon_response_init(response);
  tmon_response_header(response, "retry-after:", "5");
  tmon_reply_error(response, 503, NULL, NULL, "too many large replies are being sent; ask again when they are through");
  connection->held = response->body.capacity;
  return false;
}

/* Of several the one that connected first. `but`: not this client's; NULL: anyone's. */
static tmon_http_connection *shortest(const tmon_http *http, const char *but) {
  tmon_http_connection *best = NULL;
  for (tmon_http_connection *other = http->newest; other != NULL; other = other->next) {
    if (other->queued && (but == NULL || strcmp(other->request->peer, but) != 0) &&
        (best == NULL || other->response.work.left <= best->response.work.left)) {
      best = other;
    }
  }
  return best;
}

static void take_turn(lws_sorted_usec_list_t *turn) {
  tmon_http *http = lws_container_of(turn, tmon_http, turn);
  tmon_http_connection *connection = shortest(http, http->served);
  if (connection == NULL) {
    connection = shortest(http, NULL);
  }
  if (connection == NULL) {
    return;
  }
  (void)tmon_text_copy(http->served, sizeof http->served, connection->request->peer);
  tmon_response_work(&connection->response);
  if (!tmon_http_lws_hold(connection) || connection->response.work.left == 0 || connection->response.kind == TMON_RESPONSE_STREAM) {
    connection->queued = false;
    connection->resumes = true;
    /* A connection can be closed from its own callbacks only, so the reply goes on from there. */
    (void)lws_callback_on_writable(connection->wsi);
  }
  lws_sul_schedule(http->context, 0, &http->turn, take_turn, 1);
}

void tmon_http_lws_queue(tmon_http_connection *connection) {
  connection->queued = true;
  /* It waits for us, not we for it. */
  connection->deadline_us = 0;
  lws_set_timeout(connection->wsi, NO_PENDING_TIMEOUT, 0);
  lws_sul_schedule(connection->http->context, 0, &connection->http->turn, take_turn, 1);
}
