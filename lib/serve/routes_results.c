/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/validation-results, confusion-matrices, benchmarks, datasets, hyperparameter-runs: the library decides, these pass on. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/result.h"
#include "util/alloc.h"

#include <string.h>

static const char *const singular[] = {"validation_result", "confusion_matrix", "benchmark", "dataset", "hyperparameter_run"};

/* The members of the object `text`, without its brackets. */
static void put_members(tmon_json_writer *json, const char *text) {
  tmon_buffer_append(json->out, ",", 1);
  tmon_buffer_append(json->out, text + 1, strlen(text) - 2);
  json->comma = true;
}

/* The row that was written since `before`, and what its session is asked to do. */
static int put_written(
    tmon_json_writer *json, tmon_server *server, tmon_result_kind kind, int64_t id, int64_t before, tmon_response *response, bool *replied) {
  tmon_result_filter filter = {.size = sizeof filter, .id = id, .no_matrix = kind == TMON_RESULT_CONFUSION};
  tmon_record_list *list = NULL;
  tmon_record record;
  tmon_json *document = NULL;
  char *text = NULL;
  char *row = NULL;
  int code = tmon_result_list_json(&text, server->store, kind, &filter);
  if (code == TMON_OK) {
    code = tmon_json_parse(&document, text, strlen(text));
  }
  const tmon_json *first = tmon_json_first(tmon_json_first(document));
  const char *session = tmon_json_text(tmon_json_get(first, "session_id"));
  if (code == TMON_OK && (row = tmon_json_print(first)) == NULL) {
    code = TMON_ENOMEM;
  }
  if (code == TMON_OK) {
    tmon_json_put_int(json, "id", id);
    tmon_json_put_raw(json, singular[kind], row);
    *replied = session != NULL && !tmon_route_load(server, session, response, &list, &record);
    if (session != NULL && !*replied) {
      tmon_alert_runs_after(server, &record, before);
      tmon_json_put_text(json, "session_id", session);
      tmon_json_put_text(json, "control", tmon_control_name(record.control));
    }
  }
  tmon_record_list_free(list);
  tmon_free(row);
  tmon_json_free(document);
  tmon_text_free(text);
  return code;
}

static void add(tmon_server *server, const tmon_request *request, tmon_response *response, tmon_result_kind kind) {
  int64_t id = 0;
  int64_t count = 0;
  bool replied = false;
  if (strlen(request->body) != request->body_size) {
    tmon_reply_error(response, 400, NULL, NULL, "the body holds a NUL byte");
    return;
  }
  int64_t before = tmon_alert_runs_before(server);
  int code = tmon_result_add(&id, server->store, kind, request->body);
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 201);
    for (const tmon_json *item = tmon_json_first(tmon_json_get(request->json, "results")); item != NULL; item = tmon_json_next(item)) {
      count++;
    }
    if (kind == TMON_RESULT_VALIDATION) {
      tmon_json_put_int(json, "count", count > 0 ? count : 1);
    }
    code = put_written(json, server, kind, id, before, response, &replied);
  }
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
  } else if (!replied) {
    tmon_reply_end(response);
  }
}

/* "1", "true" and a bare name are yes. False: it is neither yes nor no. */
static bool read_flag(const tmon_request *request, const char *name, bool otherwise, bool *out, tmon_response *response) {
  const char *text = tmon_request_parameter(request, name, 0);
  bool yes = text != NULL && (text[0] == '\0' || strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
  bool no = text != NULL && (strcmp(text, "0") == 0 || strcmp(text, "false") == 0);
  *out = text == NULL ? otherwise : yes;
  if (text == NULL || yes || no) {
    return true;
  }
  tmon_reply_error(response, 400, NULL, name, "%s must be 1 or 0", name);
  return false;
}

static bool read_filter(tmon_result_filter *out, const tmon_request *request, tmon_response *response) {
  const char *epoch = tmon_request_parameter(request, "epoch", 0);
  bool latest_epoch = epoch != NULL && strcmp(epoch, "latest") == 0;
  bool matrix = true;
  *out = (tmon_result_filter){.size = sizeof *out};
  out->session_id = tmon_request_parameter(request, "session_id", 0);
  out->dataset_split = tmon_request_parameter(request, "dataset_split", 0);
  out->class_name = tmon_request_parameter(request, "class_name", 0);
  out->experiment_name = tmon_request_parameter(request, "experiment_name", 0);
  out->name = tmon_request_parameter(request, "name", 0);
  out->by_epoch = epoch != NULL && !latest_epoch;
  if (out->by_epoch && !tmon_request_int(request, "epoch", -1, INT64_MAX, 0, &out->epoch)) {
    tmon_reply_error(response, 400, NULL, "epoch", "epoch must be a whole number, 0 or more, -1 for rows without one, or latest");
    return false;
  }
  if (!tmon_request_int(request, "id", 1, INT64_MAX, 0, &out->id)) {
    tmon_reply_error(response, 400, NULL, "id", "id must be a whole number, 1 or more");
    return false;
  }
  if (!tmon_request_page(request, 1000, 100, &out->limit, &out->offset, response) || !read_flag(request, "latest", false, &out->latest, response) ||
      !read_flag(request, "matrix", true, &matrix, response)) {
    return false;
  }
  out->latest = out->latest || latest_epoch;
  out->no_matrix = !matrix;
  return true;
}

static void list(tmon_server *server, const tmon_request *request, tmon_response *response, tmon_result_kind kind) {
  tmon_result_filter filter;
  char *text = NULL;
  if (!read_filter(&filter, request, response)) {
    return;
  }
  int code = tmon_result_list_json(&text, server->store, kind, &filter);
  if (code == TMON_OK) {
    put_members(tmon_reply_begin(response, 200), text);
    tmon_reply_end(response);
  } else {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_text_free(text);
}

int tmon_route_put_validation(tmon_json_writer *json, tmon_server *server, const char *id) {
  tmon_result_filter filter = {.size = sizeof filter, .session_id = id, .latest = true, .limit = 1000};
  tmon_json *document = NULL;
  char *text = NULL;
  int code = tmon_result_list_json(&text, server->store, TMON_RESULT_VALIDATION, &filter);
  if (code == TMON_OK) {
    code = tmon_json_parse(&document, text, strlen(text));
  }
  char *rows = tmon_json_print(tmon_json_get(document, "validation_results"));
  if (code == TMON_OK && rows == NULL) {
    code = TMON_ENOMEM;
  }
  if (code == TMON_OK) {
    tmon_json_put_raw(json, "validation_results", rows);
  }
  tmon_free(rows);
  tmon_json_free(document);
  tmon_text_free(text);
  return code;
}

void tmon_route_validation_add(tmon_server *server, const tmon_request *request, tmon_response *response) {
  add(server, request, response, TMON_RESULT_VALIDATION);
}
void tmon_route_validation(tmon_server *server, const tmon_request *request, tmon_response *response) {
  list(server, request, response, TMON_RESULT_VALIDATION);
}
void tmon_route_confusion_add(tmon_server *server, const tmon_request *request, tmon_response *response) {
  add(server, request, response, TMON_RESULT_CONFUSION);
}
void tmon_route_confusion(tmon_server *server, const tmon_request *request, tmon_response *response) {
  list(server, request, response, TMON_RESULT_CONFUSION);
}
void tmon_route_benchmark_add(tmon_server *server, const tmon_request *request, tmon_response *response) {
  add(server, request, response, TMON_RESULT_BENCHMARK);
}
void tmon_route_benchmarks(tmon_server *server, const tmon_request *request, tmon_response *response) {
  list(server, request, response, TMON_RESULT_BENCHMARK);
}
void tmon_route_dataset_add(tmon_server *server, const tmon_request *request, tmon_response *response) {
  add(server, request, response, TMON_RESULT_DATASET);
}
void tmon_route_datasets(tmon_server *server, const tmon_request *request, tmon_response *response) {
  list(server, request, response, TMON_RESULT_DATASET);
}
void tmon_route_trial_add(tmon_server *server, const tmon_request *request, tmon_response *response) { add(server, request, response, TMON_RESULT_TRIAL); }
void tmon_route_trials(tmon_server *server, const tmon_request *request, tmon_response *response) { list(server, request, response, TMON_RESULT_TRIAL); }
