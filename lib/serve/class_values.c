/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The sensitivity of each class, from the latest validation results of a session: `per_class` of messages. */
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/result.h"
#include "util/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool take_row(tmon_latest *latest, const tmon_json *row) {
  char key[300];
  tmon_point point = {0, 0, tmon_json_number(tmon_json_get(row, "sensitivity"), (double)NAN)};
  const char *name = tmon_json_text(tmon_json_get(row, "class_name"));
  const char *time = tmon_json_text(tmon_json_get(row, "updated_at"));
  if (isnan(point.value)) {
    point.value = tmon_json_number(tmon_json_get(row, "recall"), (double)NAN); /* the same by definition */
  }
  if (name == NULL || time == NULL || !tmon_text_to_time(time, &point.time)) {
    return false;
  }
  (void)snprintf(key, sizeof key, "per_class/%s", name);
  tmon_latest_set(latest, key, &point);
  return true;
}

bool tmon_latest_take_results(tmon_latest *latest, tmon_store *store, const char *id, int64_t *since, int64_t cursor) {
  tmon_result_filter filter = {.size = sizeof filter, .session_id = id, .latest = true, .since = *since, .limit = 1000};
  tmon_json *document = NULL;
  char *text = NULL;
  bool taken = false;
  if (*since != 0 && *since == cursor) {
    return false;
  }
  int code = tmon_result_list_json(&text, store, TMON_RESULT_VALIDATION, &filter);
  if (code == TMON_OK) {
    code = tmon_json_parse(&document, text, strlen(text));
  }
  for (const tmon_json *row = tmon_json_first(tmon_json_get(document, "validation_results")); row != NULL; row = tmon_json_next(row)) {
    taken = take_row(latest, row) || taken;
  }
  /* After an error it is asked for again. */
  if (code == TMON_OK || code == TMON_DONE) {
    *since = cursor;
  }
  tmon_json_free(document);
  tmon_text_free(text);
  return taken;
}
