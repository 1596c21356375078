/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/alerts and /api/training/alert-rules. */
#include "serve/router.h"
#include "serve/server_private.h"

#include "trainmon/alert.h"
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/text.h"

#include <string.h>

static size_t count_of(const char *json) {
  tmon_json *document = NULL;
  size_t count = 0;
  if (tmon_json_parse(&document, json, strlen(json)) == TMON_OK) {
    for (const tmon_json *item = tmon_json_first(document); item != NULL; item = tmon_json_next(item)) {
      count++;
    }
  }
  tmon_json_free(document);
  return count;
}

/* A reply with one array, as the library gave it. */
static void reply_list(tmon_response *response, int code, const char *session_id, const char *name, char *json) {
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_ENOTFOUND ? "session_id" : NULL);
    return;
  }
  tmon_json_writer *out = tmon_reply_begin(response, 200);
  tmon_json_put_text(out, "session_id", session_id);
  tmon_json_put_raw(out, name, json);
  tmon_json_put_int(out, "count", (int64_t)count_of(json));
  tmon_reply_end(response);
  tmon_text_free(json);
}

void tmon_route_alerts(tmon_server *server, const tmon_request *request, tmon_response *response) {
  int64_t limit = 0;
  char *json = NULL;
  const char *active = tmon_request_parameter(request, "active", 0);
  tmon_alert_filter filter = {
      .size = sizeof filter, .session_id = tmon_request_parameter(request, "session_id", 0), .severity = tmon_request_parameter(request, "severity", 0)};
  if (active != NULL && strcmp(active, "true") != 0 && strcmp(active, "false") != 0) {
    tmon_reply_error(response, 400, NULL, "active", "active must be true or false");
    return;
  }
  if (!tmon_request_int(request, "since_id", 0, INT64_MAX, 0, &filter.since_id)) {
    tmon_reply_error(response, 400, NULL, "since_id", "since_id must be a whole number, 0 or more");
    return;
  }
  if (!tmon_request_int(request, "changed_since", 0, INT64_MAX, 0, &filter.changed_since)) {
    tmon_reply_error(response, 400, NULL, "changed_since", "changed_since must be a whole number, 0 or more");
    return;
  }
  if (!tmon_request_limit(request, 1000, 100, &limit, response)) {
    return;
  }
  filter.active = active != NULL && active[0] == 't';
  filter.limit = (uint32_t)limit;
  int code = tmon_alert_list_json(&json, server->store, &filter);
  if (code == TMON_EINVAL && tmon_error_field() == NULL) {
    tmon_reply_failure(response, code, "session_id");
    return;
  }
  reply_list(response, code, filter.session_id, "alerts", json);
}

void tmon_route_alert_acknowledge(tmon_server *server, const tmon_request *request, tmon_response *response) {
  int64_t id = 0;
  if (!tmon_text_to_int(request->id, &id)) {
    tmon_reply_error(response, 400, NULL, "id", "the id of an alert is a whole number");
    return;
  }
  int code = tmon_alert_acknowledge(server->store, id);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_int(json, "id", id);
  tmon_json_put_bool(json, "acknowledged", true);
  tmon_reply_end(response);
}

void tmon_route_alert_rules(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char *json = NULL;
  const char *id = tmon_request_parameter(request, "session_id", 0);
  int code = tmon_alert_rules_json(&json, server->store, id);
  if (code == TMON_EINVAL) {
    tmon_reply_failure(response, code, "session_id");
    return;
  }
  reply_list(response, code, id, "rules", json);
}

/* The session_id of a body: NULL when there is none. False: it is no text. */
static bool body_id(const tmon_request *request, tmon_response *response, const char **out) {
  const tmon_json *value = tmon_json_get(request->json, "session_id");
  tmon_json_kind kind = tmon_json_type(value);
  *out = tmon_json_text(value);
  if (*out != NULL || kind == TMON_JSON_ABSENT || kind == TMON_JSON_NULL) {
    return true;
  }
  tmon_reply_error(response, 400, NULL, "session_id", "session_id must be the id of a session");
  return false;
}

static const char *failed_field(int code) {
  if (code == TMON_ENOTFOUND) return "session_id";
  return code == TMON_EINVAL && tmon_error_field() == NULL ? "session_id" : NULL;
}

void tmon_route_alert_rules_set(tmon_server *server, const tmon_request *request, tmon_response *response) {
  const char *id = NULL;
  const tmon_json *rules = tmon_json_get(request->json, "rules");
  if (!body_id(request, response, &id)) {
    return;
  }
  if (tmon_json_type(rules) != TMON_JSON_ARRAY) {
    tmon_reply_error(response, 400, NULL, "rules", "rules must be an array of objects");
    return;
  }
  char *text = tmon_json_print(rules);
  int code = text == NULL ? TMON_ENOMEM : tmon_alert_set_rules(server->store, id, text, false);
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    tmon_json_put_text(json, "session_id", id);
    tmon_json_put_raw(json, "rules", text);
    tmon_reply_end(response);
  } else {
    tmon_reply_failure(response, code, failed_field(code));
  }
  tmon_free(text);
}

void tmon_route_alert_replay(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  char *json = NULL;
  char *text = NULL;
  const tmon_json *rules = tmon_json_get(request->json, "rules");
  tmon_json_kind kind = tmon_json_type(rules);
  if (tmon_route_session_id(server, request, response, true, id) == NULL) {
    return;
  }
  if (kind != TMON_JSON_ABSENT && kind != TMON_JSON_NULL) {
    text = tmon_json_print(rules);
    if (text == NULL) {
      tmon_reply_failure(response, TMON_ENOMEM, NULL);
      return;
    }
  }
  int code = tmon_alert_replay_json(&json, server->store, id, text);
  tmon_free(text);
  reply_list(response, code, id, "alerts", json);
}
