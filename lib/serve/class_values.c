/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What messages say of a session besides its points: the sensitivity of each class, from the latest validation results, and what the latest epoch row says
 * that no point does. A trainer that reports over REST has no points. */
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

/* A field that a point fills is left to points: they are newer than the mean of an epoch, or its same figure. */
static void take_values(tmon_latest *latest, const tmon_json *object, int64_t before, int64_t time) {
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    tmon_field field = tmon_latest_field(latest, key);
    tmon_point point = {0, time, tmon_json_number(item, (double)NAN)};
    bool of_point = field != TMON_FIELD_NONE && latest->time[field] != INT64_MIN && latest->time[field] != before;
    if (tmon_json_type(item) == TMON_JSON_NUMBER && !of_point) {
      tmon_latest_set(latest, key, &point);
    }
  }
}

static bool take_epoch(tmon_latest *latest, tmon_store *store, const char *id) {
  tmon_json *row = NULL;
  char *text = NULL;
  int64_t time = 0;
  if (tmon_record_latest_epoch_json(&text, store, id) != TMON_OK || (latest->epoch_row != NULL && strcmp(text, latest->epoch_row) == 0)) {
    tmon_text_free(text);
    return false;
  }
  bool taken = tmon_json_parse(&row, text, strlen(text)) == TMON_OK;
  const char *said = tmon_json_text(tmon_json_get(row, "created_at"));
  taken = taken && said != NULL && tmon_text_to_time(said, &time);
  if (taken) {
    take_values(latest, row, latest->epoch_time, time);
    take_values(latest, tmon_json_get(row, "extra"), latest->epoch_time, time);
    latest->epoch_time = time;
  }
  tmon_json_free(row);
  tmon_text_free(latest->epoch_row);
  latest->epoch_row = text;
  return taken;
}

bool tmon_latest_take_results(tmon_latest *latest, tmon_store *store, const char *id, int64_t *since, int64_t cursor) {
  tmon_result_filter filter = {.size = sizeof filter, .session_id = id, .latest = true, .since = *since, .limit = 1000};
  tmon_json *document = NULL;
  char *text = NULL;
  if (*since != 0 && *since == cursor) {
    return false;
  }
  bool taken = take_epoch(latest, store, id);
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
