/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The query of GET /api/training/sessions, and the page of any list of sessions, as a filter; what is wrong is answered with the name of the parameter. */
#include "serve/session_json.h"

#include <string.h>

/* By tmon_record_sort. */
static const char *const sorts[] = {"created_at", "started_at", "updated_at", "session_name", "status", "duration_seconds", "final_map50",
    "final_map50_95", "final_loss", "final_precision", "final_recall", "best_epoch"};

/* One that is empty is one that was not given: forms send those. */
static const char *given(const tmon_request *request, const char *name) {
  const char *value = tmon_request_parameter(request, name, 0);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool read_statuses(tmon_session_query *out, const tmon_request *request, tmon_response *response) {
  const char *word = NULL;
  for (size_t i = 0; (word = tmon_request_parameter(request, "status", i)) != NULL; i++) {
    if (word[0] == '\0') {
      continue;
    }
    if (out->filter.status_count == sizeof out->statuses / sizeof out->statuses[0]) {
      tmon_reply_error(response, 400, NULL, "status", "more than %zu statuses", out->filter.status_count);
      return false;
    }
    if (!tmon_status_from_name(word, &out->statuses[out->filter.status_count])) {
      tmon_reply_error(response, 400, NULL, "status", "\"%.40s\" is no status of a session", word);
      return false;
    }
    out->filter.status_count++;
  }
  out->filter.statuses = out->statuses;
  return true;
}

static bool read_order(tmon_record_filter *out, const tmon_request *request, tmon_response *response) {
  const char *sort = given(request, "sort");
  const char *order = given(request, "order");
  size_t found = 0;
  while (sort != NULL && found < sizeof sorts / sizeof sorts[0] && strcmp(sorts[found], sort) != 0) {
    found++;
  }
  if (found == sizeof sorts / sizeof sorts[0]) {
    tmon_reply_error(response, 400, NULL, "sort", "sessions can't be sorted by \"%.40s\"", sort);
    return false;
  }
  out->sort = (tmon_record_sort)found;
  if (order != NULL && strcmp(order, "asc") != 0 && strcmp(order, "desc") != 0) {
    tmon_reply_error(response, 400, NULL, "order", "order must be asc or desc");
    return false;
  }
  out->ascending = order != NULL && order[0] == 'a';
  return true;
}

bool tmon_session_page_read(tmon_record_filter *out, const tmon_request *request, tmon_response *response) {
  return tmon_request_page(request, 1000, 50, &out->limit, &out->offset, response);
}

bool tmon_session_query_read(tmon_session_query *out, const tmon_request *request, tmon_response *response) {
  memset(out, 0, sizeof *out);
  tmon_record_filter *filter = &out->filter;
  filter->size = sizeof *filter;
  filter->text = given(request, "text");
  filter->model_type = given(request, "model_type");
  filter->dataset_name = given(request, "dataset_name");
  filter->tag = given(request, "tag");
  filter->parent_id = given(request, "parent_id");
  return tmon_session_page_read(filter, request, response) && read_statuses(out, request, response) && read_order(filter, request, response);
}
