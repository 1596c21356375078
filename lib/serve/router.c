/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The route table and the rules that hold for every request before its handler runs. */
#include "serve/router.h"

#include "serve/server_private.h"
#include "util/clock.h"

#include <stdio.h>
#include <string.h>

enum { BODY = 1 << 20, SMALL = 16 << 10 };

static const tmon_route routes[] = {
    {TMON_METHOD_GET, "/api/training/sessions", TMON_RIGHT_READ, 0, tmon_route_sessions},
    {TMON_METHOD_POST, "/api/training/sessions", TMON_RIGHT_WRITE, BODY, tmon_route_session_create},
    {TMON_METHOD_GET, "/api/training/sessions/{id}", TMON_RIGHT_READ, 0, tmon_route_session},
    {TMON_METHOD_PATCH, "/api/training/sessions/{id}", TMON_RIGHT_WRITE, BODY, tmon_route_session_change},
    {TMON_METHOD_GET, "/api/training/leaderboard", TMON_RIGHT_READ, 0, tmon_route_leaderboard},
    {TMON_METHOD_GET, "/api/training/compare", TMON_RIGHT_READ, 0, tmon_route_compare},
    {TMON_METHOD_GET, "/api/training/active", TMON_RIGHT_READ, 0, tmon_route_active},
    {TMON_METHOD_POST, "/api/training/metrics", TMON_RIGHT_WRITE, BODY, tmon_route_metrics_add},
    {TMON_METHOD_GET, "/api/training/metrics", TMON_RIGHT_READ, 0, tmon_route_metrics},
    {TMON_METHOD_POST, "/api/training/pause", TMON_RIGHT_WRITE, SMALL, tmon_route_pause},
    {TMON_METHOD_POST, "/api/training/resume", TMON_RIGHT_WRITE, SMALL, tmon_route_resume},
    {TMON_METHOD_POST, "/api/training/stop", TMON_RIGHT_WRITE, SMALL, tmon_route_stop},
    {TMON_METHOD_GET, "/api/status", TMON_RIGHT_READ, 0, tmon_route_status},
    {TMON_METHOD_POST, "/api/login", TMON_RIGHT_NONE, SMALL, tmon_route_login},
    {TMON_METHOD_GET, "/api/metrics/current", TMON_RIGHT_READ, 0, tmon_route_current},
    {TMON_METHOD_GET, "/api/metrics/history", TMON_RIGHT_READ, 0, tmon_route_history},
    {TMON_METHOD_GET, "/api/series", TMON_RIGHT_READ, 0, tmon_route_series},
    {TMON_METHOD_GET, "/ws", TMON_RIGHT_READ, 0, tmon_route_websocket},
    {TMON_METHOD_GET, "/events", TMON_RIGHT_READ, 0, tmon_route_events},
};

static bool matches(const char *pattern, const char *path, char *id, size_t size) {
  while (*pattern != '\0') {
    if (*pattern == '{') {
      size_t length = strcspn(path, "/");
      if (length == 0 || length >= size) {
        return false;
      }
      memcpy(id, path, length);
      id[length] = '\0';
      path += length;
      pattern += strcspn(pattern, "}") + 1;
    } else if (*pattern++ != *path++) {
      return false;
    }
  }
  return *path == '\0';
}

unsigned tmon_route_find(const tmon_route *table, size_t count, tmon_request *request) {
  unsigned status = 404;
  for (size_t i = 0; i < count; i++) {
    if (!matches(table[i].pattern, request->path, request->id, sizeof request->id)) {
      continue;
    }
    if (table[i].method == request->method) {
      request->route = &table[i];
      return 200;
    }
    status = 405;
  }
  return status;
}

void tmon_route_allowed(const tmon_route *table, size_t count, const char *path, char *out, size_t size) {
  static const char *const names[] = {
      [TMON_METHOD_GET] = "GET, HEAD", [TMON_METHOD_POST] = "POST", [TMON_METHOD_PATCH] = "PATCH", [TMON_METHOD_DELETE] = "DELETE"};
  char id[TMON_REQUEST_ID_BYTES];
  size_t used = 0;
  out[0] = '\0';
  for (size_t i = 0; i < count; i++) {
    if (matches(table[i].pattern, path, id, sizeof id) && used < size) {
      used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", names[table[i].method]);
    }
  }
}

/* Everything outside /api, /ws and /events is the page: public, since it must be there to ask for the token, and read only. */
static const tmon_route page = {TMON_METHOD_GET, "", TMON_RIGHT_NONE, 0, tmon_route_asset};

static unsigned find(tmon_request *request) {
  unsigned status = tmon_route_find(routes, sizeof routes / sizeof routes[0], request);
  if (status == 404 && strncmp(request->path, "/api/", 5) != 0) {
    if (request->method != TMON_METHOD_GET) {
      return 405;
    }
    request->route = &page;
    return 200;
  }
  return status;
}

static int check_route(tmon_request *request, tmon_response *response) {
  unsigned status = find(request);
  if (status == 404) {
    tmon_reply_error(response, 404, NULL, NULL, "there is no %.200s", request->path);
  } else if (status == 405) {
    char allowed[80];
    tmon_route_allowed(routes, sizeof routes / sizeof routes[0], request->path, allowed, sizeof allowed);
    tmon_response_header(response, "allow:", allowed[0] != '\0' ? allowed : "GET, HEAD");
    tmon_reply_error(response, 405, NULL, NULL, "%.200s does not take this method", request->path);
  } else if (request->upgrade && strcmp(request->path, "/ws") != 0) {
    tmon_reply_error(response, 400, NULL, NULL, "a WebSocket is at /ws only");
  } else {
    return 0;
  }
  return -1;
}

int tmon_serve_check(tmon_request *request, tmon_response *response, void *payload) {
  tmon_server *server = payload;
  if (request->refused != NULL) {
    tmon_reply_error(response, 400, NULL, request->refused, "%s is too long or not valid text", request->refused);
    return -1;
  }
  if (!tmon_access_host(&server->access, request->host, request->port)) {
    tmon_reply_error(response, 403, "wrong_host", NULL, "the Host header does not name this server (see --allow-host)");
    return -1;
  }
  if (check_route(request, response) != 0) {
    return -1;
  }
  const tmon_route *route = request->route;
  bool guarded = request->method != TMON_METHOD_GET || route->handler == tmon_route_websocket || route->handler == tmon_route_events;
  bool reads_across = route->right == TMON_RIGHT_READ && strcmp(request->fetch_site, "cross-site") == 0;
  if ((guarded && !tmon_access_origin(request)) || reads_across) {
    tmon_reply_error(response, 403, "wrong_origin", NULL, "the request comes from a page of another origin");
    return -1;
  }
  if (request->method != TMON_METHOD_GET && !tmon_access_take(&server->access, request->peer, tmon_clock_monotonic_us())) {
    tmon_response_header(response, "retry-after:", "1");
    tmon_reply_error(response, 429, NULL, NULL, "too many writes; at most %d a second", (int)TMON_ACCESS_RATE);
    return -1;
  }
  if (route->right != TMON_RIGHT_NONE && !tmon_access_token(&server->access, request)) {
    tmon_response_header(response, "www-authenticate:", "Bearer");
    tmon_reply_error(response, 401, NULL, NULL, "a token is needed: Authorization: Bearer TOKEN, or POST /api/login");
    return -1;
  }
  if (route->right == TMON_RIGHT_WRITE && server->read_only) {
    tmon_reply_error(response, 403, "read_only", NULL, "this server is read-only");
    return -1;
  }
  return 0;
}

/* Control without a body is allowed: it means the only live session. */
static int check_body(tmon_request *request, tmon_response *response) {
  const tmon_route *route = request->route;
  if (route->body_limit == 0 || (request->body_size == 0 && route->body_limit == SMALL && route->right == TMON_RIGHT_WRITE)) {
    return 0;
  }
  if (!tmon_request_is_json(request)) {
    tmon_reply_error(response, 415, NULL, NULL, "the body must be JSON with Content-Type: application/json");
    return -1;
  }
  if (request->body_size > route->body_limit) {
    tmon_reply_error(response, 413, NULL, NULL, "a body of %zu bytes is over the limit of %zu", request->body_size, route->body_limit);
    return -1;
  }
  int code = tmon_json_parse(&request->json, request->body, request->body_size);
  if (code != 0) {
    tmon_reply_failure(response, code, NULL);
    return -1;
  }
  if (tmon_json_type(request->json) != TMON_JSON_OBJECT) {
    tmon_reply_error(response, 400, NULL, NULL, "the body must be a JSON object");
    return -1;
  }
  return 0;
}

void tmon_serve_respond(tmon_request *request, tmon_response *response, void *server) {
  if (check_body(request, response) == 0) {
    request->route->handler(server, request, response);
  }
  tmon_json_free(request->json);
  request->json = NULL;
}
