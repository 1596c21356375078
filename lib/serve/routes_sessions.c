/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/sessions and /api/training/active, and how the other routes find their session. */
#include "serve/child.h"
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/series.h"
#include "util/clock.h"
#include "util/text.h"

#include <string.h>

bool tmon_route_load(tmon_server *server, const char *id, tmon_response *response, tmon_record_list **list, tmon_record *record) {
  tmon_record_filter filter = {.size = sizeof filter, .id = id, .limit = 1};
  *list = NULL;
  if (!tmon_id_is_valid(id)) {
    tmon_reply_error(response, 400, NULL, "session_id", "\"%.64s\" is not the id of a session (a UUID)", id);
    return false;
  }
  int code = tmon_record_list_open(list, server->store, &filter);
  if (code == TMON_OK) {
    code = tmon_record_list_next(*list, record);
  }
  if (code == TMON_OK) {
    return true;
  }
  if (code == TMON_DONE) {
    tmon_reply_error(response, 404, NULL, "session_id", "there is no session %s", id);
  } else {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_record_list_free(*list);
  *list = NULL;
  return false;
}

static const char *several(tmon_record_list *list, tmon_record *record, tmon_response *response) {
  tmon_json_writer *json = tmon_reply_error_begin(response, 409, NULL, "session_id", "several sessions are live; name one with session_id");
  tmon_json_open(json, "sessions", '[');
  do {
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "id", record->id);
    tmon_json_put_text(json, "session_name", record->name);
    tmon_json_close(json, '}');
  } while (tmon_record_list_next(list, record) == TMON_OK);
  tmon_json_close(json, ']');
  tmon_reply_error_end(response);
  return NULL;
}

/* The only session that `active` (or, else, any) gives. */
static const char *only(tmon_server *server, tmon_response *response, bool active, bool *none, char out[37]) {
  tmon_record_filter filter = {.size = sizeof filter, .active = active, .limit = active ? 1000 : 1};
  tmon_record_list *list = NULL;
  tmon_record record;
  const char *found = NULL;
  *none = false;
  int code = tmon_record_list_open(&list, server->store, &filter);
  if (code == TMON_OK) {
    code = tmon_record_list_next(list, &record);
  }
  if (code == TMON_DONE) {
    *none = true;
  } else if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
  } else if (tmon_record_list_total(list) > 1 && active) {
    found = several(list, &record, response);
  } else {
    (void)tmon_text_copy(out, 37, record.id);
    found = out;
  }
  tmon_record_list_free(list);
  return found;
}

const char *tmon_route_session_id(tmon_server *server, const tmon_request *request, tmon_response *response, bool newest, char out[37]) {
  const tmon_json *value = tmon_json_get(request->json, "session_id");
  const char *id = tmon_json_text(value);
  bool none = false;
  if (id == NULL && tmon_json_type(value) != TMON_JSON_ABSENT && tmon_json_type(value) != TMON_JSON_NULL) {
    tmon_reply_error(response, 400, NULL, "session_id", "session_id must be a text");
    return NULL;
  }
  if (id == NULL) {
    id = tmon_request_parameter(request, "session_id", 0);
  }
  if (id != NULL) {
    if (!tmon_id_is_valid(id)) {
      tmon_reply_error(response, 400, NULL, "session_id", "\"%.64s\" is not the id of a session (a UUID)", id);
      return NULL;
    }
    (void)tmon_text_copy(out, 37, id);
    return out;
  }
  const char *found = only(server, response, true, &none, out);
  if (none && newest) {
    found = only(server, response, false, &none, out);
  }
  if (none) {
    tmon_reply_error(response, 404, NULL, "session_id", newest ? "there is no session yet" : "no session is live");
  }
  return found;
}

void tmon_route_sessions(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_session_query query;
  tmon_record_list *list = NULL;
  tmon_record record;
  int64_t count = 0;
  if (!tmon_session_query_read(&query, request, response)) {
    return;
  }
  int code = tmon_record_list_open(&list, server->store, &query.filter);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  int64_t now = tmon_clock_now_us();
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_open(json, "sessions", '[');
  for (; tmon_record_list_next(list, &record) == TMON_OK; count++) {
    tmon_session_json(json, NULL, &record, true, now);
  }
  tmon_json_close(json, ']');
  tmon_json_put_int(json, "count", count);
  tmon_json_put_int(json, "total", tmon_record_list_total(list));
  tmon_reply_end(response);
  tmon_record_list_free(list);
}

/* Replies with one session and what is wanted of its trainer. */
static void reply_session(tmon_server *server, const char *id, unsigned status, tmon_response *response) {
  tmon_record_list *list = NULL;
  tmon_record record;
  if (tmon_route_load(server, id, response, &list, &record)) {
    tmon_json_writer *json = tmon_reply_begin(response, status);
    tmon_session_json(json, "session", &record, true, tmon_clock_now_us());
    tmon_json_put_text(json, "control", tmon_control_name(record.control));
    tmon_reply_end(response);
    tmon_record_list_free(list);
  }
}

void tmon_route_session_create(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_change change;
  char id[37];
  if (!tmon_change_read(&change, request->json, true, response)) {
    return;
  }
  int code = tmon_record_create(id, server->store, &change.values);
  tmon_change_free(&change);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  reply_session(server, id, 201, response);
}

void tmon_route_session_change(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_change change;
  if (!tmon_id_is_valid(request->id)) {
    tmon_reply_error(response, 400, NULL, "id", "\"%.64s\" is not the id of a session (a UUID)", request->id);
    return;
  }
  if (!tmon_change_read(&change, request->json, false, response)) {
    return;
  }
  int code = tmon_record_update(server->store, request->id, &change.values);
  tmon_change_free(&change);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  reply_session(server, request->id, 200, response);
}

void tmon_route_session_delete(tmon_server *server, const tmon_request *request, tmon_response *response) {
  if (!tmon_id_is_valid(request->id)) {
    tmon_reply_error(response, 400, NULL, "id", "\"%.64s\" is not the id of a session (a UUID)", request->id);
    return;
  }
  if (tmon_child_lives(server->children, request->id)) { /* nobody could stop it without its session, which may not have begun yet */
    tmon_reply_error(response, 409, NULL, "id", "the program of session %s runs: stop it before it is deleted", request->id);
    return;
  }
  int code = tmon_record_delete(server->store, request->id);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_ENOTFOUND || code == TMON_ESTATE ? "id" : NULL);
    return;
  }
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_text(json, "session_id", request->id);
  tmon_reply_end(response);
}

static int put_series(tmon_json_writer *json, tmon_metric_list *metrics) {
  tmon_metric_info info;
  int code = TMON_OK;
  tmon_json_open(json, "series", '[');
  while ((code = tmon_metric_list_next(metrics, &info)) == TMON_OK) {
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "key", info.key);
    tmon_json_put_int(json, "count", (int64_t)info.count);
    tmon_json_put_int(json, "last_step", info.last.step);
    tmon_json_put_int(json, "last_time", info.last.time);
    tmon_json_put_double(json, "last_value", info.last.value);
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
  return code == TMON_DONE ? TMON_OK : code;
}

void tmon_route_session(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_record_list *list = NULL;
  tmon_metric_list *metrics = NULL;
  tmon_record record;
  char *epochs = NULL;
  char *ranks = NULL;
  char *events = NULL;
  if (!tmon_route_load(server, request->id, response, &list, &record)) {
    return;
  }
  if (tmon_route_is_over(&record) && tmon_route_unchanged(server, request, response, request->id)) {
    tmon_record_list_free(list);
    return;
  }
  int code = tmon_record_epochs_json(&epochs, server->store, request->id, -1);
  if (code == TMON_OK) {
    code = tmon_metric_list_open(&metrics, server->store, request->id);
  }
  if (code == TMON_OK) {
    code = tmon_record_ranks_json(&ranks, server->store, request->id);
  }
  if (code == TMON_OK) {
    code = tmon_record_events_json(&events, server->store, request->id, 0);
  }
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    tmon_session_json(json, "session", &record, true, tmon_clock_now_us());
    tmon_json_put_raw(json, "metrics", epochs);
    tmon_json_put_raw(json, "ranks", ranks);
    tmon_json_put_raw(json, "events", events);
    code = put_series(json, metrics);
    if (code == TMON_OK) code = tmon_route_put_validation(json, server, request->id);
    tmon_reply_end(response);
  }
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_metric_list_free(metrics);
  tmon_text_free(events);
  tmon_text_free(ranks);
  tmon_text_free(epochs);
  tmon_record_list_free(list);
}

/* The last of the epoch rows, or null. */
static void put_latest_row(tmon_json_writer *json, tmon_server *server, const char *id) {
  char *row = NULL;
  (void)tmon_record_latest_epoch_json(&row, server->store, id);
  tmon_json_put_raw(json, "latest_metrics", row);
  tmon_text_free(row);
}

/* A session object with one more member: the object's closing bracket is written again behind it. */
static void put_active(tmon_json_writer *json, tmon_server *server, const tmon_record *record, int64_t now) {
  tmon_session_json(json, NULL, record, true, now);
  if (json->out->error == TMON_OK && json->out->size > 0) {
    json->out->data[--json->out->size] = '\0';
    json->comma = true;
    put_latest_row(json, server, record->id);
    tmon_json_close(json, '}');
  }
}

void tmon_route_active(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_record_filter filter = {.size = sizeof filter, .active = true};
  tmon_record_list *list = NULL;
  tmon_record record;
  int64_t count = 0;
  if (!tmon_session_page_read(&filter, request, response)) {
    return;
  }
  int code = tmon_record_list_open(&list, server->store, &filter);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  int64_t now = tmon_clock_now_us();
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_open(json, "sessions", '[');
  for (; tmon_record_list_next(list, &record) == TMON_OK; count++) {
    put_active(json, server, &record, now);
  }
  tmon_json_close(json, ']');
  tmon_json_put_int(json, "count", count);
  tmon_json_put_int(json, "total", tmon_record_list_total(list));
  tmon_reply_end(response);
  tmon_record_list_free(list);
}
