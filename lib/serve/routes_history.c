/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/metrics/history: the latest points of several metrics, one metric a piece of work. */
#include "serve/history_epochs.h"
#include "serve/router.h"
#include "serve/server_private.h"

#include "trainmon/error.h"
#include "trainmon/series.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/text.h"

/* What one request may cost: keys, points of one, and points of all together. */
enum { KEYS = TMON_HISTORY_KEYS, KEY_BYTES = TMON_HISTORY_KEY_BYTES, LIMIT = 100000, POINTS = 500000 };

typedef struct history_work {
  tmon_server *server;
  char id[37];
  bool rest;
  size_t key; /* the one whose turn it is */
  size_t limit;
  tmon_point *points; /* `limit` of them */
  tmon_history_names names;
} history_work;

static void drop(void *state) {
  history_work *work = state;
  tmon_free(work->points);
  tmon_free(work);
}

/* Those that the query names, or the first metrics of the session. */
static int find_keys(history_work *work, const tmon_request *request) {
  const char *key = NULL;
  tmon_metric_list *metrics = NULL;
  tmon_metric_info info;
  while (work->names.count < KEYS && (key = tmon_request_parameter(request, "key", work->names.count)) != NULL) {
    if (!tmon_text_copy(work->names.keys[work->names.count], KEY_BYTES, key)) {
      return tmon_error_set_field(TMON_EINVAL, "key", "a key has at most 250 bytes");
    }
    work->names.count++;
  }
  if (work->names.count > 0 || work->rest) {
    return TMON_OK;
  }
  int code = tmon_metric_list_open(&metrics, work->server->store, work->id);
  while (code == TMON_OK && work->names.count < KEYS && (code = tmon_metric_list_next(metrics, &info)) == TMON_OK) {
    (void)tmon_text_copy(work->names.keys[work->names.count++], KEY_BYTES, info.key);
  }
  tmon_metric_list_free(metrics);
  return code == TMON_DONE ? TMON_OK : code;
}

static size_t step(void *state, tmon_response *response) {
  history_work *work = state;
  tmon_json_writer *json = &response->json;
  if (work->rest) {
    int code = tmon_history_epochs(json, work->server->store, work->id, &work->names, work->limit);
    if (code != TMON_OK) {
      tmon_reply_failure(response, code, NULL);
      return 0;
    }
    work->key = work->names.count;
  }
  if (work->key < work->names.count) {
    size_t count = work->limit;
    int code = tmon_series_tail(work->points, &count, work->server->store, work->id, work->names.keys[work->key]);
    if (code != TMON_OK) {
      tmon_reply_failure(response, code, code == TMON_ENOTFOUND || code == TMON_EINVAL ? "key" : NULL);
      return 0;
    }
    tmon_json_open(json, work->names.keys[work->key], '[');
    for (size_t i = 0; i < count; i++) {
      tmon_json_open(json, NULL, '{');
      tmon_json_put_int(json, "step", work->points[i].step);
      tmon_json_put_int(json, "time", work->points[i].time);
      tmon_json_put_double(json, "value", work->points[i].value);
      tmon_json_close(json, '}');
    }
    tmon_json_close(json, ']');
    work->key++;
  }
  if (work->key == work->names.count) {
    tmon_json_close(json, '}');
    tmon_reply_end(response);
    return 0;
  }
  return work->names.count - work->key;
}

/* False: `response` says why. */
static bool prepare(history_work *work, const tmon_request *request, tmon_response *response) {
  int code = find_keys(work, request);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return false;
  }
  if (work->names.count * work->limit > POINTS) {
    if (tmon_request_parameter(request, "limit", 0) != NULL) {
      tmon_reply_error(
          response, 400, NULL, "limit", "%zu keys of %zu points are over the limit of %d points", work->names.count, work->limit, (int)POINTS);
      return false;
    }
    work->limit = POINTS / work->names.count; /* the window of the server, not what the client asked for */
  }
  if (!tmon_route_afford(work->server, request, response, work->rest ? KEYS : work->names.count, work->rest ? 1 : work->limit)) {
    return false;
  }
  work->points = tmon_alloc_zero(work->limit, sizeof *work->points);
  if (work->points == NULL) {
    tmon_reply_failure(response, tmon_error_no_memory(), NULL);
  }
  return work->points != NULL;
}

void tmon_route_history(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  int64_t limit = 0;
  tmon_record_list *list = NULL;
  tmon_record record;
  if (tmon_request_parameter(request, "key", KEYS) != NULL) {
    tmon_reply_error(response, 400, NULL, "key", "at most %d keys", (int)KEYS);
    return;
  }
  if (!tmon_request_limit(request, LIMIT, server->window, &limit, response)) {
    return;
  }
  if (tmon_route_session_id(server, request, response, true, id) == NULL || !tmon_route_load(server, id, response, &list, &record)) {
    return;
  }
  bool over = tmon_route_is_over(&record);
  bool rest = record.rest;
  tmon_record_list_free(list);
  if (over && tmon_route_unchanged(server, request, response, id)) {
    return;
  }
  history_work *work = tmon_alloc_zero(1, sizeof *work);
  if (work == NULL) {
    tmon_reply_failure(response, tmon_error_no_memory(), NULL);
    return;
  }
  work->server = server;
  work->rest = rest;
  work->limit = (size_t)limit;
  (void)tmon_text_copy(work->id, sizeof work->id, id);
  if (!prepare(work, request, response)) {
    drop(work);
    return;
  }
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_text(json, "session_id", id);
  tmon_json_open(json, "history", '{');
  response->work = (tmon_work){work->names.count + 1, step, drop, work};
}
