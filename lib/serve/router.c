/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The route table and the rules that hold for every request before its handler runs. */
#include "serve/router.h"

#include "serve/gzip.h"
#include "serve/server_private.h"
#include "util/clock.h"

#include <stdio.h>
#include <string.h>

enum { VALUES = 600000, BODY = 1 << 20, SMALL = 16 << 10, LARGE = 8 << 20 };

static const tmon_route routes[] = {
    {TMON_METHOD_GET, "/api/training/sessions", TMON_RIGHT_READ, 0, tmon_route_sessions},
    {TMON_METHOD_POST, "/api/training/sessions", TMON_RIGHT_WRITE, BODY, tmon_route_session_create},
    {TMON_METHOD_GET, "/api/training/sessions/{id}", TMON_RIGHT_READ, 0, tmon_route_session},
    {TMON_METHOD_PATCH, "/api/training/sessions/{id}", TMON_RIGHT_WRITE, BODY, tmon_route_session_change},
    {TMON_METHOD_DELETE, "/api/training/sessions/{id}", TMON_RIGHT_WRITE, 0, tmon_route_session_delete},
    {TMON_METHOD_GET, "/api/training/sessions/{id}/export", TMON_RIGHT_READ, 0, tmon_route_export},
    {TMON_METHOD_GET, "/api/training/leaderboard", TMON_RIGHT_READ, 0, tmon_route_leaderboard},
    {TMON_METHOD_GET, "/api/training/compare", TMON_RIGHT_READ, 0, tmon_route_compare},
    {TMON_METHOD_GET, "/api/training/active", TMON_RIGHT_READ, 0, tmon_route_active},
    {TMON_METHOD_POST, "/api/training/metrics", TMON_RIGHT_WRITE, BODY, tmon_route_metrics_add},
    {TMON_METHOD_GET, "/api/training/metrics", TMON_RIGHT_READ, 0, tmon_route_metrics},
    {TMON_METHOD_POST, "/api/training/validation-results", TMON_RIGHT_WRITE, BODY, tmon_route_validation_add},
    {TMON_METHOD_GET, "/api/training/validation-results", TMON_RIGHT_READ, 0, tmon_route_validation},
    {TMON_METHOD_POST, "/api/training/confusion-matrices", TMON_RIGHT_WRITE, LARGE, tmon_route_confusion_add},
    {TMON_METHOD_GET, "/api/training/confusion-matrices", TMON_RIGHT_READ, 0, tmon_route_confusion},
    {TMON_METHOD_POST, "/api/training/benchmarks", TMON_RIGHT_WRITE, BODY, tmon_route_benchmark_add},
    {TMON_METHOD_GET, "/api/training/benchmarks", TMON_RIGHT_READ, 0, tmon_route_benchmarks},
    {TMON_METHOD_POST, "/api/training/datasets", TMON_RIGHT_WRITE, BODY, tmon_route_dataset_add},
    {TMON_METHOD_GET, "/api/training/datasets", TMON_RIGHT_READ, 0, tmon_route_datasets},
    {TMON_METHOD_POST, "/api/training/hyperparameter-runs", TMON_RIGHT_WRITE, BODY, tmon_route_trial_add},
    {TMON_METHOD_GET, "/api/training/hyperparameter-runs", TMON_RIGHT_READ, 0, tmon_route_trials},
    {TMON_METHOD_GET, "/api/training/images", TMON_RIGHT_READ, 0, tmon_route_images},
    {TMON_METHOD_POST, "/api/training/images", TMON_RIGHT_WRITE, TMON_HTTP_BODY_LIMIT, tmon_route_image_add},
    {TMON_METHOD_GET, "/api/training/images/{hash}", TMON_RIGHT_READ, 0, tmon_route_image},
    {TMON_METHOD_POST, "/api/training/pause", TMON_RIGHT_WRITE, SMALL, tmon_route_pause},
    {TMON_METHOD_POST, "/api/training/resume", TMON_RIGHT_WRITE, SMALL, tmon_route_resume},
    {TMON_METHOD_POST, "/api/training/stop", TMON_RIGHT_WRITE, SMALL, tmon_route_stop},
    {TMON_METHOD_GET, "/api/hardware", TMON_RIGHT_READ, 0, tmon_route_hardware},
    {TMON_METHOD_GET, "/api/training/alerts", TMON_RIGHT_READ, 0, tmon_route_alerts},
    {TMON_METHOD_POST, "/api/training/alerts/{id}/acknowledge", TMON_RIGHT_WRITE, SMALL, tmon_route_alert_acknowledge},
    {TMON_METHOD_GET, "/api/training/alert-rules", TMON_RIGHT_READ, 0, tmon_route_alert_rules},
    {TMON_METHOD_POST, "/api/training/alert-rules", TMON_RIGHT_WRITE, BODY, tmon_route_alert_rules_set},
    {TMON_METHOD_POST, "/api/training/alert-rules/replay", TMON_RIGHT_WRITE, BODY, tmon_route_alert_replay},
    {TMON_METHOD_POST, "/api/training/start", TMON_RIGHT_WRITE, SMALL, tmon_route_start},
    {TMON_METHOD_GET, "/api/training/recipes", TMON_RIGHT_READ, 0, tmon_route_recipes},
    {TMON_METHOD_GET, "/api/training/sessions/{id}/output", TMON_RIGHT_READ, 0, tmon_route_output},
    {TMON_METHOD_POST, "/api/ml/start-training", TMON_RIGHT_WRITE, SMALL, tmon_route_start},
    {TMON_METHOD_POST, "/api/ml/stop-training/{id}", TMON_RIGHT_WRITE, SMALL, tmon_route_ml_stop},
    {TMON_METHOD_GET, "/api/ml/training-data", TMON_RIGHT_READ, 0, tmon_route_ml_data},
    {TMON_METHOD_GET, "/api/ml/training-session/{id}", TMON_RIGHT_READ, 0, tmon_route_ml_session},
    {TMON_METHOD_GET, "/api/ml/training-metrics/{id}", TMON_RIGHT_READ, 0, tmon_route_ml_metrics},
    {TMON_METHOD_GET, "/api/ml/real-time-updates", TMON_RIGHT_READ, 0, tmon_route_ml_updates},
    {TMON_METHOD_GET, "/api/status", TMON_RIGHT_READ, 0, tmon_route_status},
    {TMON_METHOD_POST, "/api/login", TMON_RIGHT_NONE, SMALL, tmon_route_login},
    {TMON_METHOD_GET, "/api/metrics/current", TMON_RIGHT_READ, 0, tmon_route_current},
    {TMON_METHOD_GET, "/api/metrics/history", TMON_RIGHT_READ, 0, tmon_route_history},
    {TMON_METHOD_GET, "/api/series", TMON_RIGHT_READ, 0, tmon_route_series},
    {TMON_METHOD_GET, "/openapi.json", TMON_RIGHT_NONE, 0, tmon_route_asset},
    {TMON_METHOD_GET, "/metrics", TMON_RIGHT_READ, 0, tmon_route_prometheus},
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

static int refuse_rate(tmon_response *response, unsigned wait, const char *what, int rate) {
  char seconds[16];
  (void)snprintf(seconds, sizeof seconds, "%u", wait);
  tmon_response_header(response, "retry-after:", seconds);
  tmon_reply_error(response, 429, NULL, NULL, "too many %s of this client; at most %d a second. Ask again in %u s", what, rate, wait);
  return -1;
}

static int check_rate(tmon_server *server, const tmon_request *request, tmon_response *response) {
  bool write = request->method != TMON_METHOD_GET;
  if (!write && request->route->right == TMON_RIGHT_NONE) {
    return 0; /* the page */
  }
  unsigned wait = tmon_access_take(&server->access, request->peer, write ? TMON_BUDGET_WRITES : TMON_BUDGET_READS, 1, tmon_clock_monotonic_us());
  return wait == 0 ? 0 : refuse_rate(response, wait, write ? "writes" : "reads", write ? TMON_ACCESS_RATE : TMON_ACCESS_READ_RATE);
}

bool tmon_route_afford(tmon_server *server, const tmon_request *request, tmon_response *response, size_t keys, size_t each) {
  double cost = (double)keys * (double)(each + TMON_ACCESS_COST_KEY);
  unsigned wait = tmon_access_take(&server->access, request->peer, TMON_BUDGET_COST, cost, tmon_clock_monotonic_us());
  return wait == 0 || refuse_rate(response, wait, "costly queries (keys x width)", TMON_ACCESS_COST_RATE) == 0;
}

static void count(tmon_server *server, const tmon_response *response) {
  if (response->status / 100 < TMON_REPLY_CLASSES) {
    server->replies[response->status / 100]++;
  }
}

static int check(tmon_server *server, tmon_request *request, tmon_response *response) {
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
  request->body_limit = route->body_limit;
  bool guarded = request->method != TMON_METHOD_GET || route->handler == tmon_route_websocket || route->handler == tmon_route_events;
  bool reads_across = route->right == TMON_RIGHT_READ && strcmp(request->fetch_site, "cross-site") == 0;
  if ((guarded && !tmon_access_origin(request)) || reads_across) {
    tmon_reply_error(response, 403, "wrong_origin", NULL, "the request comes from a page of another origin");
    return -1;
  }
  if (check_rate(server, request, response) != 0) {
    return -1;
  }
  request->right = tmon_access_right(&server->access, request);
  if (route->right != TMON_RIGHT_NONE && request->right == TMON_RIGHT_NONE) {
    tmon_response_header(response, "www-authenticate:", "Bearer");
    tmon_reply_error(response, 401, NULL, NULL, "a token is needed: Authorization: Bearer TOKEN, or POST /api/login");
    return -1;
  }
  if (request->right < route->right) {
    tmon_reply_error(response, 403, "read_only", NULL, "this token gives the right to read only");
    return -1;
  }
  if (route->right == TMON_RIGHT_WRITE && server->read_only) {
    tmon_reply_error(response, 403, "read_only", NULL, "this server is read-only");
    return -1;
  }
  return 0;
}

int tmon_serve_check(tmon_request *request, tmon_response *response, void *server) {
  int refused = check(server, request, response);
  if (refused != 0) {
    count(server, response);
  }
  return refused;
}

/* A tree takes some 64 bytes a value, however short its text. Commas and brackets inside texts count too: it is a bound, not a count. */
static bool is_small_tree(const char *text, size_t size) {
  size_t values = 1;
  for (size_t i = 0; i < size; i++) {
    values += text[i] == ',' || text[i] == '[' || text[i] == '{';
  }
  return values <= VALUES;
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
  /* A million counts: the call that they are for reads the text itself. */
  if (route->handler == tmon_route_confusion_add) {
    return 0;
  }
  if (!is_small_tree(request->body, request->body_size)) {
    tmon_reply_error(response, 400, NULL, NULL, "the body holds more than %d values", (int)VALUES);
    return -1;
  }
  int code = tmon_json_parse(&request->json, request->body, request->body_size);
  if (code != 0) {
    tmon_reply_failure(response, code, NULL);
    return -1;
  }
  if ((code = tmon_json_check_names(request->json)) != 0) {
    tmon_reply_failure(response, code, NULL);
    return -1;
  }
  if (tmon_json_type(request->json) != TMON_JSON_OBJECT) {
    tmon_reply_error(response, 400, NULL, NULL, "the body must be a JSON object");
    return -1;
  }
  return 0;
}

/* Writes only, unless debugging, and after the rules: who is refused before can't fill the disk. */
static void note_write(tmon_server *server, const tmon_request *request, const tmon_response *response) {
  static const char *const rights[] = {[TMON_RIGHT_NONE] = "none", [TMON_RIGHT_READ] = "read", [TMON_RIGHT_WRITE] = "write"};
  static const char *const methods[] = {
      [TMON_METHOD_GET] = "GET", [TMON_METHOD_POST] = "POST", [TMON_METHOD_PATCH] = "PATCH", [TMON_METHOD_DELETE] = "DELETE"};
  char path[4 * TMON_REQUEST_PATH_BYTES + 1];
  tmon_log_file_escape(path, sizeof path, request->path);
  tmon_log_file_line(&server->writes, "%s peer=%s right=%s method=%s path=\"%s\" status=%u", request->method == TMON_METHOD_GET ? "read" : "write",
      request->peer, rights[request->right], methods[request->method], path, response->status);
}

void tmon_serve_respond(tmon_request *request, tmon_response *response, void *server) {
  if (check_body(request, response) == 0) {
    request->route->handler(server, request, response);
  }
  tmon_json_free(request->json);
  request->json = NULL;
  if (request->method != TMON_METHOD_GET || ((tmon_server *)server)->debug) {
    note_write(server, request, response);
  }
}

void tmon_serve_finish(const tmon_request *request, tmon_response *response, void *server) {
  count(server, response);
  tmon_gzip_reply(request, response);
}
