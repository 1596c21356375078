/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The paths under /api/ml: the same sessions under the names of the first dashboards: camelCase, and "training" for a running one. */
#include "serve/child.h"
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "util/clock.h"

#include <math.h>
#include <string.h>

enum { HISTORY = 50, ACTIVE = 1000 };

static void put_number(tmon_json_writer *json, const char *key, const tmon_json *row, const char *column) {
  tmon_json_put_double(json, key, tmon_json_number(tmon_json_get(row, column), (double)NAN));
}

static void put_row(tmon_json_writer *json, const char *key, const tmon_json *row) {
  const tmon_json *extra = tmon_json_get(row, "extra");
  if (row == NULL) {
    tmon_json_put_null(json, key);
    return;
  }
  tmon_json_open(json, key, '{');
  put_number(json, "epoch", row, "epoch");
  put_number(json, "loss", row, "total_loss");
  put_number(json, "valLoss", row, "val_loss");
  put_number(json, "accuracy", row, "train_accuracy");
  put_number(json, "valAccuracy", row, "val_accuracy");
  put_number(json, "learningRate", row, "learning_rate");
  put_number(json, "precision", row, "precision");
  put_number(json, "recall", row, "recall");
  put_number(json, "f1Score", extra, tmon_json_get(extra, "f1_score") != NULL ? "f1_score" : "f1");
  put_number(json, "map50", row, "map50");
  put_number(json, "map5095", row, "map50_95");
  put_number(json, "epochTime", row, "epoch_time_seconds");
  tmon_json_put_text(json, "timestamp", tmon_json_text(tmon_json_get(row, "created_at")));
  tmon_json_close(json, '}');
}

/* The last epoch row, or null. Only the end of the rows is read: `epoch` counts completed ones, numbered from 0 or from 1. */
static void put_latest(tmon_json_writer *json, tmon_server *server, const tmon_record *record) {
  char *rows = NULL;
  tmon_json *document = NULL;
  const tmon_json *last = NULL;
  int64_t after = record->progress.epoch > 2 ? record->progress.epoch - 3 : -1;
  if (tmon_record_epochs_json(&rows, server->store, record->id, after) == TMON_OK && tmon_json_parse(&document, rows, strlen(rows)) == TMON_OK) {
    for (const tmon_json *row = tmon_json_first(document); row != NULL; row = tmon_json_next(row)) {
      last = row;
    }
  }
  put_row(json, "metrics", last);
  tmon_json_free(document);
  tmon_text_free(rows);
}

static void put_session(tmon_json_writer *json, const char *key, tmon_server *server, const tmon_record *record) {
  int64_t epochs = record->progress.epochs != 0 ? record->progress.epochs : record->epochs;
  double duration = record->duration_seconds;
  if (!isfinite(duration) && record->started_at != 0 && record->completed_at == 0) {
    duration = (double)(tmon_clock_now_us() - record->started_at) / 1e6;
  }
  tmon_json_open(json, key, '{');
  tmon_json_put_text(json, "id", record->id);
  tmon_json_put_text(json, "session_id", record->id);
  tmon_json_put_text(json, "sessionId", record->id);
  tmon_json_put_text(json, "name", record->name);
  tmon_json_put_text(json, "modelType", record->model_type);
  tmon_json_put_text(json, "status", record->status == TMON_STATUS_RUNNING ? "training" : tmon_status_word(record->status));
  tmon_json_put_bool(json, "paused", record->paused);
  tmon_json_put_text(json, "control", tmon_control_name(record->control));
  tmon_json_put_double(json, "progress", record->percent);
  tmon_json_put_int(json, "currentEpoch", record->progress.epoch);
  if (epochs > 0) {
    tmon_json_put_int(json, "totalEpochs", epochs);
  } else {
    tmon_json_put_null(json, "totalEpochs");
  }
  tmon_json_put_time(json, "startTime", record->started_at);
  tmon_json_put_time(json, "endTime", record->completed_at);
  tmon_json_put_double(json, "duration", duration);
  tmon_json_put_double(json, "eta", record->eta_seconds);
  tmon_json_put_raw(json, "config", record->config_json != NULL ? record->config_json : "{}");
  tmon_json_put_text(json, "error", record->error_text);
  put_latest(json, server, record);
  tmon_json_close(json, '}');
}

static bool is_over(tmon_status status) { return status != TMON_STATUS_PENDING && status != TMON_STATUS_RUNNING; }

static int put_list(tmon_json_writer *json, const char *key, tmon_server *server, bool active, int64_t *count) {
  tmon_record_filter filter = {.size = sizeof filter, .active = active, .limit = active ? ACTIVE : HISTORY};
  tmon_record_list *list = NULL;
  tmon_record record;
  int code = tmon_record_list_open(&list, server->store, &filter);
  if (code != TMON_OK) {
    return code;
  }
  tmon_json_open(json, key, '[');
  *count = 0;
  while (tmon_record_list_next(list, &record) == TMON_OK) {
    if (active || is_over(record.status)) {
      put_session(json, NULL, server, &record);
      *count += 1;
    }
  }
  tmon_json_close(json, ']');
  tmon_record_list_free(list);
  return TMON_OK;
}

void tmon_route_ml_data(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_store_info info;
  int64_t active = 0;
  int64_t ended = 0;
  (void)request;
  int code = tmon_store_get_info(&info, server->store);
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  if (code == TMON_OK) {
    code = put_list(json, "activeTrainings", server, true, &active);
  }
  if (code == TMON_OK) {
    code = put_list(json, "trainingHistory", server, false, &ended);
  }
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  tmon_json_put_int(json, "activeCount", active);
  tmon_json_put_int(json, "historyCount", ended);
  tmon_json_put_int(json, "totalSessions", info.sessions);
  tmon_reply_end(response);
}

void tmon_route_ml_session(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_record_list *list = NULL;
  tmon_record record;
  if (tmon_route_load(server, request->id, response, &list, &record)) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    tmon_json_put_text(json, "session_id", record.id);
    put_session(json, "session", server, &record);
    tmon_reply_end(response);
    tmon_record_list_free(list);
  }
}

void tmon_route_ml_metrics(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_record_list *list = NULL;
  tmon_record record;
  tmon_json *document = NULL;
  char *rows = NULL;
  int64_t count = 0;
  if (!tmon_route_load(server, request->id, response, &list, &record)) {
    return;
  }
  int code = tmon_record_epochs_json(&rows, server->store, record.id, -1);
  if (code == TMON_OK) {
    code = tmon_json_parse(&document, rows, strlen(rows));
  }
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    tmon_json_put_text(json, "session_id", record.id);
    tmon_json_put_text(json, "sessionId", record.id);
    tmon_json_open(json, "metrics", '[');
    for (const tmon_json *row = tmon_json_first(document); row != NULL; row = tmon_json_next(row), count++) {
      put_row(json, NULL, row);
    }
    tmon_json_close(json, ']');
    tmon_json_put_int(json, "count", count);
    tmon_reply_end(response);
  } else {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_json_free(document);
  tmon_text_free(rows);
  tmon_record_list_free(list);
}

/* The control is asked for as by /api/training/stop. A program that is still there although its session has ended is given its grace time too. */
void tmon_route_ml_stop(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_record_list *list = NULL;
  tmon_record record;
  if (!tmon_route_load(server, request->id, response, &list, &record)) {
    return;
  }
  int code = tmon_record_request(server->store, record.id, TMON_CONTROL_STOP);
  bool lives = tmon_child_lives(server->children, record.id);
  if (lives) {
    tmon_child_stop(server->children, record.id);
  }
  if (code == TMON_OK || (code == TMON_ESTATE && lives)) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    tmon_json_put_text(json, "session_id", record.id);
    tmon_json_put_text(json, "sessionId", record.id);
    tmon_json_put_text(json, "control", tmon_control_name(TMON_CONTROL_STOP));
    tmon_reply_end(response);
  } else {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_record_list_free(list);
}

static const char *update_type(tmon_status status, bool created) {
  if (status == TMON_STATUS_COMPLETED || status == TMON_STATUS_CANCELLED) {
    return "training_completed";
  }
  if (is_over(status)) {
    return "training_failed";
  }
  return created ? "training_started" : "training_progress";
}

static void put_update(tmon_json_writer *json, tmon_server *server, const char *id, bool created) {
  tmon_record_filter filter = {.size = sizeof filter, .id = id, .limit = 1};
  tmon_record_list *list = NULL;
  tmon_record record;
  int code = tmon_record_list_open(&list, server->store, &filter);
  if (code == TMON_OK) {
    code = tmon_record_list_next(list, &record);
  }
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "type", code == TMON_OK ? update_type(record.status, created) : "training_removed");
  tmon_json_put_text(json, "session_id", id);
  tmon_json_put_text(json, "sessionId", id);
  if (code == TMON_OK) {
    put_session(json, "session", server, &record);
  }
  tmon_json_close(json, '}');
  tmon_record_list_free(list);
}

static void put_changes(tmon_json_writer *json, tmon_server *server, const tmon_json *changes) {
  int64_t cursor = 0;
  tmon_json_open(json, "updates", '[');
  for (const tmon_json *item = tmon_json_first(tmon_json_get(changes, "sessions")); item != NULL; item = tmon_json_next(item)) {
    put_update(json, server, tmon_json_text(tmon_json_get(item, "id")), tmon_json_bool(tmon_json_get(item, "created"), false));
  }
  tmon_json_close(json, ']');
  (void)tmon_json_int(tmon_json_get(changes, "cursor"), &cursor);
  tmon_json_put_int(json, "cursor", cursor);
  tmon_json_put_bool(json, "resync", tmon_json_bool(tmon_json_get(changes, "resync"), false));
  tmon_json_put_bool(json, "more", tmon_json_bool(tmon_json_get(changes, "more"), false));
}

/* Who has no cursor yet gets what is active, as progress, and the cursor from which to go on. It is read first: what changes meanwhile comes again. */
static int put_present(tmon_json_writer *json, tmon_server *server, int64_t cursor) {
  tmon_record_filter filter = {.size = sizeof filter, .active = true, .limit = ACTIVE};
  tmon_record_list *list = NULL;
  tmon_record record;
  int code = tmon_record_list_open(&list, server->store, &filter);
  if (code != TMON_OK) {
    return code;
  }
  tmon_json_open(json, "updates", '[');
  while (tmon_record_list_next(list, &record) == TMON_OK) {
    put_update(json, server, record.id, false);
  }
  tmon_json_close(json, ']');
  tmon_record_list_free(list);
  tmon_json_put_int(json, "cursor", cursor);
  tmon_json_put_bool(json, "resync", false);
  tmon_json_put_bool(json, "more", false);
  return TMON_OK;
}

void tmon_route_ml_updates(tmon_server *server, const tmon_request *request, tmon_response *response) {
  int64_t since = -1;
  int64_t cursor = 0;
  char *text = NULL;
  tmon_json *changes = NULL;
  if (!tmon_request_int(request, "since", 0, INT64_MAX, -1, &since)) {
    tmon_reply_error(response, 400, NULL, "since", "since must be the cursor of the reply before, a whole number");
    return;
  }
  int code = since < 0 ? tmon_store_change_cursor(&cursor, server->store) : tmon_store_changes_json(&text, server->store, since);
  if (code == TMON_OK && text != NULL) {
    code = tmon_json_parse(&changes, text, strlen(text));
  }
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    if (since < 0) {
      code = put_present(json, server, cursor);
    } else {
      put_changes(json, server, changes);
    }
    tmon_json_put_time(json, "timestamp", tmon_clock_now_us());
    tmon_reply_end(response);
  }
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_json_free(changes);
  tmon_text_free(text);
}
