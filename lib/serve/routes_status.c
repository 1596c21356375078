/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/status and /api/login. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/version.h"
#include "util/clock.h"

#include <stdio.h>

void tmon_route_status(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_record_filter filter = {.size = sizeof filter, .active = true, .limit = 1000};
  tmon_record_list *list = NULL;
  tmon_record record;
  tmon_store_info info;
  int code = tmon_store_get_info(&info, server->store);
  if (code == TMON_OK) {
    code = tmon_record_list_open(&list, server->store, &filter);
  }
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  int64_t now = tmon_clock_now_us();
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_text(json, "version", tmon_version());
  tmon_json_put_text(json, "store", info.path);
  tmon_json_put_double(json, "uptime_seconds", (double)(tmon_clock_monotonic_us() - server->started_us) / 1e6);
  tmon_json_put_bool(json, "is_training", tmon_record_list_total(list) > 0);
  tmon_json_open(json, "active_sessions", '[');
  while (tmon_record_list_next(list, &record) == TMON_OK) {
    tmon_session_json(json, NULL, &record, true, now);
  }
  tmon_json_close(json, ']');
  tmon_json_put_int(json, "websocket_clients", (int64_t)server->websocket_count);
  tmon_json_put_bool(json, "read_only", server->read_only || request->right < TMON_RIGHT_WRITE);
  tmon_reply_end(response);
  tmon_record_list_free(list);
}

void tmon_route_login(tmon_server *server, const tmon_request *request, tmon_response *response) {
  const char *token = tmon_json_text(tmon_json_get(request->json, "token"));
  char name[32];
  char cookie[160];
  const char *secret = NULL;
  if (token == NULL) {
    tmon_reply_error(response, 400, NULL, "token", "token must be a text");
    return;
  }
  tmon_right right = tmon_access_login(&server->access, token, &secret);
  if (right == TMON_RIGHT_NONE) {
    tmon_reply_error(response, 401, NULL, "token", "this is not the token of this server");
    return;
  }
  tmon_access_cookie_name(name, request->port);
  (void)snprintf(cookie, sizeof cookie, "%s=%s; Path=/; HttpOnly; SameSite=Strict", name, secret);
  tmon_response_header(response, "set-cookie:", cookie);
  tmon_json_put_text(tmon_reply_begin(response, 200), "right", right == TMON_RIGHT_WRITE ? "write" : "read");
  tmon_reply_end(response);
}
