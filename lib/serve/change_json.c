/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reads a session's fields from the body of a request; what is wrong is answered with the name of the field. */
#include "serve/session_json.h"

#include "util/alloc.h"
#include "util/text.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

typedef enum { KIND_TEXT, KIND_NOTES, KIND_COUNT, KIND_REAL, KIND_TIME } field_kind;

static const struct {
  const char *name;
  field_kind kind;
  size_t offset;
} fields[] = {
    {"session_name", KIND_TEXT, offsetof(tmon_record_change, name)},
    {"model_type", KIND_TEXT, offsetof(tmon_record_change, model_type)},
    {"dataset_name", KIND_TEXT, offsetof(tmon_record_change, dataset_name)},
    {"model_path", KIND_TEXT, offsetof(tmon_record_change, model_path)},
    {"error_message", KIND_TEXT, offsetof(tmon_record_change, error_text)},
    {"best_metric", KIND_TEXT, offsetof(tmon_record_change, best_metric)},
    {"notes", KIND_NOTES, offsetof(tmon_record_change, notes)},
    {"parent_id", KIND_TEXT, offsetof(tmon_record_change, parent_id)},
    {"dataset_size", KIND_COUNT, offsetof(tmon_record_change, dataset_size)},
    {"epochs", KIND_COUNT, offsetof(tmon_record_change, epochs)},
    {"batch_size", KIND_COUNT, offsetof(tmon_record_change, batch_size)},
    {"img_size", KIND_COUNT, offsetof(tmon_record_change, img_size)},
    {"learning_rate", KIND_REAL, offsetof(tmon_record_change, learning_rate)},
    {"final_map50", KIND_REAL, offsetof(tmon_record_change, final_map50)},
    {"final_map50_95", KIND_REAL, offsetof(tmon_record_change, final_map50_95)},
    {"final_precision", KIND_REAL, offsetof(tmon_record_change, final_precision)},
    {"final_recall", KIND_REAL, offsetof(tmon_record_change, final_recall)},
    {"final_loss", KIND_REAL, offsetof(tmon_record_change, final_loss)},
    {"started_at", KIND_TIME, offsetof(tmon_record_change, started_at)},
    {"completed_at", KIND_TIME, offsetof(tmon_record_change, completed_at)},
};

/* NULL: stored; else what was expected. */
static const char *store(void *slot, field_kind kind, const tmon_json *value) {
  const char *text = tmon_json_text(value);
  switch (kind) {
  case KIND_TEXT:
    if (text == NULL || strlen(text) > 4096) {
      return "text of at most 4096 bytes";
    }
    *(const char **)slot = text;
    return NULL;
  case KIND_NOTES: *(const char **)slot = text; return text != NULL && strlen(text) <= 65536 ? NULL : "text of at most 65536 bytes";
  case KIND_COUNT: return tmon_json_int(value, slot) && *(int64_t *)slot >= 0 ? NULL : "a whole number, 0 or more";
  case KIND_REAL: *(double *)slot = tmon_json_number(value, (double)NAN); return isfinite(*(double *)slot) ? NULL : "a number";
  case KIND_TIME: return text != NULL && tmon_text_to_time(text, slot) ? NULL : "a time such as 2025-01-15T10:30:45Z";
  }
  return "nothing";
}

static const char *store_json(char **out, const tmon_json *value, tmon_json_kind kind) {
  if (tmon_json_type(value) != kind) {
    return kind == TMON_JSON_OBJECT ? "an object" : "an array of texts";
  }
  tmon_free(*out);
  *out = tmon_json_print(value);
  return *out != NULL ? NULL : "less than the memory there is";
}

/* Members that are not named, or null, stay as they are. */
static const char *read_progress(tmon_progress *out, const tmon_json *value) {
  static const struct {
    const char *name;
    size_t offset;
  } counts[] = {{"epoch", offsetof(tmon_progress, epoch)}, {"epochs", offsetof(tmon_progress, epochs)}, {"batch", offsetof(tmon_progress, batch)},
      {"batches", offsetof(tmon_progress, batches)}, {"images", offsetof(tmon_progress, images)}};
  *out = (tmon_progress){.size = sizeof *out, .epoch = -1, .epochs = -1, .batch = -1, .batches = -1, .images = -1, .fraction = -1};
  bool known = tmon_json_type(value) == TMON_JSON_OBJECT;
  for (const tmon_json *item = tmon_json_first(value); known && item != NULL; item = tmon_json_next(item)) {
    size_t i = 0;
    if (tmon_json_type(item) == TMON_JSON_NULL) {
      continue;
    }
    while (i < sizeof counts / sizeof counts[0] && strcmp(counts[i].name, tmon_json_key(item)) != 0) {
      i++;
    }
    if (i < sizeof counts / sizeof counts[0]) {
      known = store((char *)out + counts[i].offset, KIND_COUNT, item) == NULL;
    } else {
      out->fraction = tmon_json_number(item, (double)NAN);
      known = strcmp(tmon_json_key(item), "fraction") == 0 && out->fraction >= 0 && out->fraction <= 1;
    }
  }
  return known ? NULL : "an object of epoch, epochs, batch, batches, images (whole numbers, 0 or more) and fraction (0 to 1)";
}

static const char *read_field(tmon_change *out, const char *name, const tmon_json *value, bool create) {
  tmon_record_change *change = &out->values;
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
    if (strcmp(fields[i].name, name) == 0) {
      return store((char *)change + fields[i].offset, fields[i].kind, value);
    }
  }
  if (strcmp(name, "config") == 0) {
    return store_json(&out->config, value, TMON_JSON_OBJECT);
  }
  if (strcmp(name, "summary") == 0) {
    return store_json(&out->summary, value, TMON_JSON_OBJECT);
  }
  if (strcmp(name, "hardware_info") == 0) {
    return store_json(&out->hardware, value, TMON_JSON_OBJECT);
  }
  if (strcmp(name, "tags") == 0) {
    return store_json(&out->tags, value, TMON_JSON_ARRAY);
  }
  if (create && strcmp(name, "id") == 0) {
    return store((void *)&change->id, KIND_TEXT, value);
  }
  if (strcmp(name, "progress") == 0) {
    change->progress = &out->progress;
    return read_progress(&out->progress, value);
  }
  if (strcmp(name, "status") == 0) {
    const char *text = tmon_json_text(value);
    change->set_status = true;
    return text != NULL && tmon_status_from_name(text, &change->status) ? NULL : "pending, running (or training), completed, failed or cancelled";
  }
  return "a field of a session (this one is unknown or can't be set)";
}

bool tmon_change_read(tmon_change *out, const tmon_json *body, bool create, tmon_response *response) {
  memset(out, 0, sizeof *out);
  tmon_record_change *change = &out->values;
  change->size = sizeof *change;
  change->zero_is_said = true;
  change->learning_rate = change->final_map50 = change->final_map50_95 = (double)NAN;
  change->final_precision = change->final_recall = change->final_loss = (double)NAN;
  for (const tmon_json *item = tmon_json_first(body); item != NULL; item = tmon_json_next(item)) {
    const char *name = tmon_json_key(item);
    const char *expected = tmon_json_type(item) == TMON_JSON_NULL ? NULL : read_field(out, name, item, create);
    if (expected != NULL) {
      tmon_reply_error(response, 400, NULL, name, "%.100s: expected %s", name, expected);
      tmon_change_free(out);
      return false;
    }
  }
  change->config_json = out->config;
  change->hardware_json = out->hardware;
  change->tags_json = out->tags;
  change->summary_json = out->summary;
  return true;
}

void tmon_change_free(tmon_change *change) {
  tmon_free(change->config);
  tmon_free(change->hardware);
  tmon_free(change->tags);
  tmon_free(change->summary);
  change->summary = NULL;
  change->tags = NULL;
  change->config = NULL;
  change->hardware = NULL;
}
