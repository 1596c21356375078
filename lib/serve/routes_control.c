/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/pause, /resume and /stop: what people want of a live session. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"

static void ask(tmon_server *server, const tmon_request *request, tmon_response *response, tmon_control control) {
  char id[37];
  if (tmon_route_session_id(server, request, response, false, id) == NULL) {
    return;
  }
  int code = tmon_record_request(server->store, id, control);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_ENOTFOUND ? "session_id" : NULL);
    return;
  }
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_text(json, "session_id", id);
  tmon_json_put_text(json, "control", tmon_control_name(control));
  tmon_reply_end(response);
}

void tmon_route_pause(tmon_server *server, const tmon_request *request, tmon_response *response) { ask(server, request, response, TMON_CONTROL_PAUSE); }

void tmon_route_resume(tmon_server *server, const tmon_request *request, tmon_response *response) { ask(server, request, response, TMON_CONTROL_RUN); }

void tmon_route_stop(tmon_server *server, const tmon_request *request, tmon_response *response) { ask(server, request, response, TMON_CONTROL_STOP); }
