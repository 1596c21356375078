/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The history of a session that is fed over REST: it has no points, so its epoch rows stand for them, step being the epoch. */
#include "serve/history_epochs.h"

#include "trainmon/error.h"
#include "util/error.h"
#include "util/text.h"

#include <string.h>

static bool is_figure(const tmon_json *item) {
  const char *key = tmon_json_key(item);
  return tmon_json_type(item) == TMON_JSON_NUMBER && strcmp(key, "id") != 0 && strcmp(key, "epoch") != 0;
}

static const tmon_json *figure(const tmon_json *row, const char *key) {
  const tmon_json *item = tmon_json_get(row, key);
  if (item == NULL) {
    item = tmon_json_get(tmon_json_get(row, "extra"), key);
  }
  return item != NULL && is_figure(item) ? item : NULL;
}

static void add_names(const tmon_json *object, tmon_history_names *names) {
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) {
    size_t i = 0;
    if (!is_figure(item)) {
      continue;
    }
    while (i < names->count && strcmp(names->keys[i], tmon_json_key(item)) != 0) {
      i++;
    }
    if (i == names->count && i < TMON_HISTORY_KEYS && tmon_text_copy(names->keys[i], TMON_HISTORY_KEY_BYTES, tmon_json_key(item))) {
      names->count++;
    }
  }
}

/* The latest `limit` rows that have the figure. False: none has. */
static bool put_figures(tmon_json_writer *json, const tmon_json *rows, const char *key, size_t limit) {
  size_t count = 0;
  for (const tmon_json *row = tmon_json_first(rows); row != NULL; row = tmon_json_next(row)) {
    count += figure(row, key) != NULL;
  }
  tmon_json_open(json, key, '[');
  size_t skipped = count > limit ? count - limit : 0;
  for (const tmon_json *row = tmon_json_first(rows); row != NULL; row = tmon_json_next(row)) {
    const tmon_json *item = figure(row, key);
    const char *text = tmon_json_text(tmon_json_get(row, "created_at"));
    int64_t epoch = 0;
    int64_t time = 0;
    if (item == NULL || (skipped > 0 && skipped-- > 0)) {
      continue;
    }
    (void)tmon_json_int(tmon_json_get(row, "epoch"), &epoch);
    (void)(text != NULL && tmon_text_to_time(text, &time));
    tmon_json_open(json, NULL, '{');
    tmon_json_put_int(json, "step", epoch);
    tmon_json_put_int(json, "time", time);
    tmon_json_put_double(json, "value", tmon_json_number(item, 0));
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
  return count > 0;
}

int tmon_history_epochs(tmon_json_writer *json, tmon_store *store, const char *id, tmon_history_names *names, size_t limit) {
  char *text = NULL;
  tmon_json *rows = NULL;
  bool named = names->count > 0;
  int code = tmon_record_epochs_json(&text, store, id, -1);
  if (code == TMON_OK) {
    code = tmon_json_parse(&rows, text, strlen(text));
  }
  for (const tmon_json *row = named ? NULL : tmon_json_first(rows); row != NULL; row = tmon_json_next(row)) {
    add_names(row, names);
    add_names(tmon_json_get(row, "extra"), names);
  }
  for (size_t i = 0; code == TMON_OK && i < names->count; i++) {
    if (!put_figures(json, rows, names->keys[i], limit)) {
      code = tmon_error_set_field(TMON_ENOTFOUND, "key", "no epoch of session %s has \"%.64s\"", id, names->keys[i]);
    }
  }
  tmon_json_free(rows);
  tmon_text_free(text);
  return code;
}
