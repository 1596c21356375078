/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/hardware: the machine of the server. */
#include "serve/router.h"
#include "serve/server_private.h"

#include "trainmon/error.h"
#include "trainmon/hardware.h"
#include "trainmon/record.h"

void tmon_route_hardware(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char *hardware = NULL;
  tmon_store_info info;
  (void)request;
  int code = tmon_store_get_info(&info, server->store);
  /* A store that can't be read does not hide the machine: then only its disk is missing. */
  code = tmon_hardware_json(&hardware, code == TMON_OK ? info.path : NULL);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  tmon_json_put_raw(tmon_reply_begin(response, 200), "hardware", hardware);
  tmon_reply_end(response);
  tmon_text_free(hardware);
}
