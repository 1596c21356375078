/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/metrics (epoch rows) and /api/metrics/current. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/alert.h"
#include "trainmon/error.h"
#include "trainmon/series.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/text.h"

#include <math.h>
#include <string.h>

enum { VALUES = 1000 };

void tmon_route_metrics(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  char *rows = NULL;
  tmon_json *document = NULL;
  int64_t count = 0;
  if (tmon_route_session_id(server, request, response, true, id) == NULL) {
    return;
  }
  if (tmon_route_unchanged(server, request, response, id)) {
    return;
  }
  int code = tmon_record_epochs_json(&rows, server->store, id, -1);
  if (code == TMON_OK) {
    code = tmon_json_parse(&document, rows, strlen(rows));
  }
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_ENOTFOUND ? "session_id" : NULL);
    goto out;
  }
  for (const tmon_json *row = tmon_json_first(document); row != NULL; row = tmon_json_next(row)) {
    count++;
  }
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_put_text(json, "session_id", id);
  tmon_json_put_raw(json, "metrics", rows);
  tmon_json_put_int(json, "count", count);
  tmon_reply_end(response);
out:
  tmon_json_free(document);
  tmon_text_free(rows);
}

/* Adds the numbers of `object`; false: `response` names what is none. */
static bool collect(const tmon_json *object, tmon_epoch_value *values, size_t *count, tmon_response *response) {
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    tmon_json_kind kind = tmon_json_type(item);
    if (kind == TMON_JSON_NULL || strcmp(key, "session_id") == 0 || strcmp(key, "epoch") == 0) {
      continue;
    }
    if (strcmp(key, "extra") == 0) {
      if (kind != TMON_JSON_OBJECT) {
        tmon_reply_error(response, 400, NULL, key, "extra must be an object of numbers");
        return false;
      }
      if (!collect(item, values, count, response)) {
        return false;
      }
      continue;
    }
    if (kind != TMON_JSON_NUMBER || !tmon_text_is_key(key)) {
      tmon_reply_error(response, 400, NULL, key, "%.100s must be a number under a name of 1 to 250 bytes", key);
      return false;
    }
    /* 1e999 is JSON, but no number that was measured. */
    if (!isfinite(tmon_json_number(item, (double)NAN))) {
      tmon_reply_error(response, 400, NULL, key, "%.100s is out of the range of numbers", key);
      return false;
    }
    if (*count == VALUES) {
      tmon_reply_error(response, 400, NULL, key, "more than %d values", (int)VALUES);
      return false;
    }
    values[(*count)++] = (tmon_epoch_value){key, tmon_json_number(item, (double)NAN)};
  }
  return true;
}

void tmon_route_metrics_add(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  int64_t epoch = 0;
  size_t count = 0;
  tmon_record_list *list = NULL;
  tmon_record record;
  tmon_epoch_value *values = tmon_alloc_zero(VALUES, sizeof *values);
  if (values == NULL) {
    tmon_reply_failure(response, TMON_ENOMEM, NULL);
    return;
  }
  if (tmon_json_text(tmon_json_get(request->json, "session_id")) == NULL) {
    tmon_reply_error(response, 400, NULL, "session_id", "session_id must be the id of a session");
    goto out;
  }
  if (tmon_route_session_id(server, request, response, false, id) == NULL) {
    goto out;
  }
  if (!tmon_json_int(tmon_json_get(request->json, "epoch"), &epoch) || epoch < 0) {
    tmon_reply_error(response, 400, NULL, "epoch", "epoch must be a whole number, 0 or more");
    goto out;
  }
  if (!collect(request->json, values, &count, response)) {
    goto out;
  }
  if (count == 0) {
    tmon_reply_error(response, 400, NULL, NULL, "there is no number to record beside session_id and epoch");
    goto out;
  }
  int64_t before = tmon_alert_runs_before(server);
  int code = tmon_record_log_epoch(server->store, id, epoch, values, count);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_ENOTFOUND ? "session_id" : NULL);
  } else if (tmon_route_load(server, id, response, &list, &record)) {
    tmon_alert_runs_after(server, &record, before);
    tmon_updates_posted(server->updates, &record);
    tmon_json_writer *json = tmon_reply_begin(response, 201);
    tmon_json_put_text(json, "session_id", id);
    tmon_json_put_text(json, "control", tmon_control_name(record.control));
    tmon_reply_end(response);
  }
out:
  tmon_record_list_free(list);
  tmon_free(values);
}

static int put_current(tmon_json_writer *json, tmon_latest *latest, const tmon_record *record, tmon_store *store) {
  tmon_metric_list *metrics = NULL;
  tmon_metric_info info;
  int code = tmon_metric_list_open(&metrics, store, record->id);
  if (code != TMON_OK) {
    return code;
  }
  int64_t now = tmon_clock_now_us();
  tmon_json_open(json, "points", '{');
  while ((code = tmon_metric_list_next(metrics, &info)) == TMON_OK) {
    tmon_latest_set(latest, info.key, &info.last);
    tmon_json_open(json, info.key, '{');
    tmon_json_put_int(json, "step", info.last.step);
    tmon_json_put_int(json, "time", info.last.time);
    tmon_json_put_double(json, "value", info.last.value);
    tmon_json_put_int(json, "count", 1);
    tmon_json_put_double(json, "min", info.last.value);
    tmon_json_put_double(json, "max", info.last.value);
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, '}');
  int64_t since = 0;
  (void)tmon_latest_take_results(latest, store, record->id, &since, 0);
  tmon_json_put_text(json, "type", "metrics_update");
  char *conditions = NULL;
  if (code == TMON_DONE) code = tmon_alert_conditions_json(&conditions, store, record->id);
  tmon_metrics_json(json, record, latest, conditions, now);
  tmon_text_free(conditions);
  tmon_session_json(json, "session", record, false, now);
  tmon_metric_list_free(metrics);
  return code == TMON_DONE ? TMON_OK : code;
}

void tmon_route_current(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  tmon_record_list *list = NULL;
  tmon_record record;
  tmon_latest latest;
  if (tmon_route_session_id(server, request, response, true, id) == NULL || !tmon_route_load(server, id, response, &list, &record)) {
    return;
  }
  tmon_latest_init(&latest);
  tmon_latest_configure(&latest, record.config_json);
  int code = put_current(tmon_reply_begin(response, 200), &latest, &record, server->store);
  if (code == TMON_OK) {
    tmon_reply_end(response);
  } else {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_latest_free(&latest);
  tmon_record_list_free(list);
}
