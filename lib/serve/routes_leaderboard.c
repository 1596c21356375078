/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/leaderboard and /api/training/compare. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/leaderboard.h"

#include <string.h>

/* What tmon_leaderboard_json and tmon_compare_json take at most; one more is passed on, so that they say what is wrong. */
enum { SESSIONS = 32, KEYS = 64 };

/* Replies with the members of an object that the library wrote, else with its error. Frees the text. */
static void reply_object(tmon_response *response, int code, char *object) {
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  size_t length = strlen(object);
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_buffer_append_text(json->out, ",");
  tmon_buffer_append(json->out, object + 1, length - 2);
  tmon_text_free(object);
  tmon_reply_end(response);
}

/* The place of a parameter's value among `names`, 0 where it is not given. False: `response` says what is allowed. */
static bool read_choice(const tmon_request *request, const char *name, const char *const *names, size_t count, int *out, tmon_response *response) {
  const char *value = tmon_request_parameter(request, name, 0);
  *out = 0;
  if (value == NULL || value[0] == '\0') {
    return true;
  }
  for (size_t i = 0; i < count; i++) {
    if (strcmp(value, names[i]) == 0) {
      *out = (int)i;
      return true;
    }
  }
  tmon_json_writer *json = tmon_reply_error_begin(response, 400, NULL, name, "the value is none of those in error.allowed");
  tmon_json_open(json, "allowed", '[');
  for (size_t i = 0; i < count; i++) {
    tmon_json_put_text(json, NULL, names[i]);
  }
  tmon_json_close(json, ']');
  tmon_reply_error_end(response);
  return false;
}

static const char *text_or_null(const tmon_request *request, const char *name) {
  const char *value = tmon_request_parameter(request, name, 0);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool read_leaderboard(const tmon_request *request, tmon_leaderboard_options *options, tmon_response *response) {
  static const char *const modes[] = {"best", "last", "smoothed", "final"};
  static const char *const orders[] = {"auto", "higher", "lower"};
  const char *status = text_or_null(request, "status");
  int mode = 0;
  int order = 0;
  *options = (tmon_leaderboard_options){.size = sizeof *options};
  options->metric = text_or_null(request, "metric");
  options->model_type = text_or_null(request, "model_type");
  options->dataset_name = text_or_null(request, "dataset_name");
  if (!read_choice(request, "mode", modes, sizeof modes / sizeof *modes, &mode, response) ||
      !read_choice(request, "order", orders, sizeof orders / sizeof *orders, &order, response)) {
    return false;
  }
  options->mode = (tmon_rank_mode)mode;
  options->direction = (tmon_direction)order;
  options->any_status = status != NULL && strcmp(status, "all") == 0;
  options->by_status = status != NULL && !options->any_status;
  if (options->by_status && !tmon_status_from_name(status, &options->status)) {
    tmon_reply_error(response, 400, NULL, "status", "\"%.40s\" is neither a status of a session nor all", status);
    return false;
  }
  return tmon_request_page(request, 50, 20, &options->limit, &options->offset, response);
}

void tmon_route_leaderboard(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_leaderboard_options options;
  char *text = NULL;
  if (!read_leaderboard(request, &options, response)) {
    return;
  }
  int code = tmon_leaderboard_json(&text, server->store, &options);
  reply_object(response, code, text);
}

static size_t read_all(const tmon_request *request, const char *name, const char **out, size_t most) {
  size_t count = 0;
  while (count < most && (out[count] = tmon_request_parameter(request, name, count)) != NULL) {
    count++;
  }
  return count;
}

void tmon_route_compare(tmon_server *server, const tmon_request *request, tmon_response *response) {
  static const char *const axes[] = {"step", "time"};
  const char *ids[SESSIONS + 1];
  const char *keys[KEYS + 1];
  tmon_compare_options options = {.size = sizeof options, .keys = keys};
  char *text = NULL;
  int axis = 0;
  int64_t width = 0;
  if (!read_choice(request, "axis", axes, sizeof axes / sizeof *axes, &axis, response)) {
    return;
  }
  if (!tmon_request_int(request, "width", 1, 2000, 200, &width)) {
    tmon_reply_error(response, 400, NULL, "width", "width must be a whole number from 1 to 2000");
    return;
  }
  options.axis = axis == 1 ? TMON_AXIS_TIME : TMON_AXIS_STEP;
  options.width = (uint32_t)width;
  size_t count = read_all(request, "session_id", ids, SESSIONS + 1);
  options.key_count = read_all(request, "key", keys, KEYS + 1);
  int code = tmon_compare_json(&text, server->store, ids, count, &options);
  reply_object(response, code, text);
}
