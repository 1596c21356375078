/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/series: exact buckets of several metrics over one range, as columns. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/series.h"

#include <math.h>
#include <string.h>

/* What one request may cost: keys, and buckets of all keys together. */
enum { KEYS = 64, WIDTH = 100000, BUCKETS = 1000000 };

static bool read_options(const tmon_request *request, tmon_series_options *options, tmon_response *response) {
  const char *axis = tmon_request_parameter(request, "axis", 0);
  const char *attempts = tmon_request_parameter(request, "attempts", 0);
  bool from = tmon_request_parameter(request, "from", 0) != NULL;
  bool to = tmon_request_parameter(request, "to", 0) != NULL;
  int64_t width = 0;
  *options = (tmon_series_options){.size = sizeof *options, .bounded = from || to};
  if (axis != NULL && strcmp(axis, "step") != 0 && strcmp(axis, "time") != 0) {
    tmon_reply_error(response, 400, NULL, "axis", "axis must be step or time");
  } else if (attempts != NULL && strcmp(attempts, "latest") != 0 && strcmp(attempts, "all") != 0) {
    tmon_reply_error(response, 400, NULL, "attempts", "attempts must be latest or all");
  } else if (!tmon_request_int(request, "from", INT64_MIN, INT64_MAX, INT64_MIN, &options->from)) {
    tmon_reply_error(response, 400, NULL, "from", "from must be a whole number");
  } else if (!tmon_request_int(request, "to", INT64_MIN, INT64_MAX, INT64_MAX, &options->to) || options->to < options->from) {
    tmon_reply_error(response, 400, NULL, "to", "to must be a whole number, not below from");
  } else if (!tmon_request_int(request, "width", 1, WIDTH, 1000, &width)) {
    tmon_reply_error(response, 400, NULL, "width", "width must be a whole number from 1 to %d", (int)WIDTH);
  } else {
    options->axis = axis != NULL && axis[0] == 't' ? TMON_AXIS_TIME : TMON_AXIS_STEP;
    options->all_attempts = attempts != NULL && attempts[0] == 'a';
    options->width = (uint32_t)width;
    return true;
  }
  return false;
}

static double mean(const tmon_bucket *bucket) {
  uint64_t finite = bucket->count - bucket->nan_count - bucket->inf_count;
  return finite > 0 ? bucket->sum / (double)finite : (double)NAN;
}

#define INTEGERS(name, member)                                                                                                                            \
  tmon_json_open(json, name, '[');                                                                                                                        \
  for (size_t i = 0; i < count; i++) {                                                                                                                    \
    tmon_json_put_int(json, NULL, (int64_t)buckets[i].member);                                                                                            \
  }                                                                                                                                                       \
  tmon_json_close(json, ']')
#define REALS(name, expression)                                                                                                                           \
  tmon_json_open(json, name, '[');                                                                                                                        \
  for (size_t i = 0; i < count; i++) {                                                                                                                    \
    tmon_json_put_double(json, NULL, (expression));                                                                                                       \
  }                                                                                                                                                       \
  tmon_json_close(json, ']')

static void put_columns(tmon_json_writer *json, const char *key, const tmon_series *series) {
  size_t count = 0;
  const tmon_bucket *buckets = tmon_series_buckets(series, &count);
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "key", key);
  tmon_json_put_int(json, "bucket_width", (int64_t)tmon_series_bucket_width(series));
  INTEGERS("start", start);
  INTEGERS("count", count);
  INTEGERS("first_x", first_x);
  INTEGERS("last_x", last_x);
  REALS("first", buckets[i].first);
  REALS("last", buckets[i].last);
  REALS("min", buckets[i].min);
  REALS("max", buckets[i].max);
  REALS("mean", mean(&buckets[i]));
  INTEGERS("nan", nan_count);
  INTEGERS("inf", inf_count);
  tmon_json_close(json, '}');
}

static int put_all(tmon_json_writer *json, tmon_server *server, const tmon_request *request, const char *id, const tmon_series_options *options) {
  const char *key = NULL;
  int code = TMON_OK;
  tmon_json_open(json, "series", '[');
  for (size_t i = 0; code == TMON_OK && (key = tmon_request_parameter(request, "key", i)) != NULL; i++) {
    tmon_series *series = NULL;
    code = tmon_series_query(&series, server->store, id, key, options);
    if (code == TMON_OK) {
      put_columns(json, key, series);
    }
    tmon_series_free(series);
  }
  tmon_json_close(json, ']');
  return code;
}

void tmon_route_series(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  size_t keys = 0;
  tmon_series_options options;
  tmon_record_list *list = NULL;
  tmon_record record;
  while (keys <= KEYS && tmon_request_parameter(request, "key", keys) != NULL) {
    keys++;
  }
  if (keys == 0 || keys > KEYS) {
    tmon_reply_error(response, 400, NULL, "key", "one to %d keys are needed", (int)KEYS);
    return;
  }
  if (!read_options(request, &options, response)) {
    return;
  }
  if (keys * options.width > BUCKETS) {
    tmon_reply_error(response, 400, NULL, "width", "%zu keys of width %u are over the limit of %d buckets", keys, (unsigned)options.width, (int)BUCKETS);
    return;
  }
  if (tmon_route_session_id(server, request, response, true, id) == NULL || !tmon_route_load(server, id, response, &list, &record)) {
    return;
  }
  tmon_record_list_free(list);
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_text(json, "session_id", id);
  tmon_json_put_text(json, "axis", options.axis == TMON_AXIS_TIME ? "time" : "step");
  int code = put_all(json, server, request, id, &options);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_ENOTFOUND || code == TMON_EINVAL ? "key" : NULL);
    return;
  }
  tmon_reply_end(response);
}
