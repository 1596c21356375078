/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/series: exact buckets of several metrics over one range, as columns. Built piece by piece: a query, or some columns, at a time. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/series.h"
#include "util/alloc.h"
#include "util/error.h"

#include <math.h>
#include <string.h>

/* What one request may cost: keys, and buckets of all keys together. */
enum { KEYS = 64, WIDTH = 100000, BUCKETS = 500000 };
enum { CELLS = 16384 }; /* of a piece, about: a few milliseconds */

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

typedef enum tmon_column { START, COUNT, FIRST_X, LAST_X, FIRST, LAST, MIN, MAX, MEAN, NANS, INFS, COLUMNS } tmon_column;

static const char *const names[COLUMNS] = {"start", "count", "first_x", "last_x", "first", "last", "min", "max", "mean", "nan", "inf"};

static void put_cell(tmon_json_writer *json, const tmon_bucket *bucket, tmon_column column) {
  switch (column) {
  case START: tmon_json_put_int(json, NULL, bucket->start); break;
  case COUNT: tmon_json_put_int(json, NULL, (int64_t)bucket->count); break;
  case FIRST_X: tmon_json_put_int(json, NULL, bucket->first_x); break;
  case LAST_X: tmon_json_put_int(json, NULL, bucket->last_x); break;
  case FIRST: tmon_json_put_double(json, NULL, bucket->first); break;
  case LAST: tmon_json_put_double(json, NULL, bucket->last); break;
  case MIN: tmon_json_put_double(json, NULL, bucket->min); break;
  case MAX: tmon_json_put_double(json, NULL, bucket->max); break;
  case MEAN: tmon_json_put_double(json, NULL, mean(bucket)); break;
  case NANS: tmon_json_put_int(json, NULL, (int64_t)bucket->nan_count); break;
  default: tmon_json_put_int(json, NULL, (int64_t)bucket->inf_count); break;
  }
}

static size_t put_column(tmon_json_writer *json, const tmon_series *series, tmon_column column) {
  size_t count = 0;
  const tmon_bucket *buckets = tmon_series_buckets(series, &count);
  tmon_json_open(json, names[column], '[');
  for (size_t i = 0; i < count; i++) {
    put_cell(json, &buckets[i], column);
  }
  tmon_json_close(json, ']');
  return count;
}

/* How far a reply has come. */
typedef struct series_work {
  tmon_server *server;
  const tmon_request *request;
  char id[37];
  tmon_series_options options;
  size_t keys;
  size_t key;          /* the one whose turn it is */
  tmon_series *series; /* of that key; NULL: not asked for yet */
  int column;          /* the next of it */
} series_work;

static void drop(void *state) {
  series_work *work = state;
  tmon_series_free(work->series);
  tmon_free(work);
}

static int ask(series_work *work, tmon_json_writer *json) {
  const char *key = tmon_request_parameter(work->request, "key", work->key);
  int code = tmon_series_query(&work->series, work->server->store, work->id, key, &work->options);
  if (code == TMON_OK) {
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "key", key);
    tmon_json_put_int(json, "bucket_width", (int64_t)tmon_series_bucket_width(work->series));
    work->column = 0;
  }
  return code;
}

static size_t step(void *state, tmon_response *response) {
  series_work *work = state;
  tmon_json_writer *json = &response->json;
  int code = work->series == NULL ? ask(work, json) : TMON_OK;
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_ENOTFOUND || code == TMON_EINVAL ? "key" : NULL);
    return 0;
  }
  for (size_t cells = 0; work->column < COLUMNS && cells < CELLS; work->column++) {
    cells += put_column(json, work->series, (tmon_column)work->column);
  }
  if (work->column == COLUMNS) {
    tmon_json_close(json, '}');
    tmon_series_free(work->series);
    work->series = NULL;
    work->key++;
  }
  if (work->key == work->keys) {
    tmon_json_close(json, ']');
    tmon_reply_end(response);
    return 0;
  }
  return work->keys - work->key;
}

static void begin(series_work *work, tmon_response *response) {
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_text(json, "session_id", work->id);
  tmon_json_put_text(json, "axis", work->options.axis == TMON_AXIS_TIME ? "time" : "step");
  tmon_json_open(json, "series", '[');
  response->work = (tmon_work){work->keys, step, drop, work};
}

void tmon_route_series(tmon_server *server, const tmon_request *request, tmon_response *response) {
  series_work found = {.server = server, .request = request};
  tmon_record_list *list = NULL;
  tmon_record record;
  while (found.keys <= KEYS && tmon_request_parameter(request, "key", found.keys) != NULL) {
    found.keys++;
  }
  if (found.keys == 0 || found.keys > KEYS) {
    tmon_reply_error(response, 400, NULL, "key", "one to %d keys are needed", (int)KEYS);
    return;
  }
  if (!read_options(request, &found.options, response)) {
    return;
  }
  if (found.keys * found.options.width > BUCKETS) {
    tmon_reply_error(
        response, 400, NULL, "width", "%zu keys of width %u are over the limit of %d buckets", found.keys, (unsigned)found.options.width, (int)BUCKETS);
    return;
  }
  if (tmon_route_session_id(server, request, response, true, found.id) == NULL || !tmon_route_load(server, found.id, response, &list, &record)) {
    return;
  }
  bool over = tmon_route_is_over(&record);
  tmon_record_list_free(list);
  if (over && tmon_route_unchanged(server, request, response, found.id)) {
    return;
  }
  if (!tmon_route_afford(server, request, response, found.keys, found.options.width)) {
    return;
  }
  series_work *work = tmon_alloc(sizeof *work);
  if (work == NULL) {
    tmon_reply_failure(response, tmon_error_no_memory(), NULL);
    return;
  }
  *work = found;
  begin(work, response);
}
