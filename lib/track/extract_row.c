/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One point or epoch row as CSV, JSON Lines or TensorBoard. */
#include "track/epoch.h"
#include "track/extract.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* RFC 4180: quoted where it has to be, quotes doubled. */
static void put_csv_text(tmon_buffer *out, const char *text, bool exact) {
  /* OWASP's list for CSV injection; tab and carriage return cannot be in a name. */
  bool guarded = !exact && strchr("=+-@", text[0]) != NULL && text[0] != '\0';
  bool quoted = strpbrk(text, ",\"\r\n") != NULL;
  if (quoted) tmon_buffer_append(out, "\"", 1);
  if (guarded) tmon_buffer_append(out, "'", 1);
  for (const char *at = text; *at != '\0'; at++) {
    if (*at == '"') tmon_buffer_append(out, "\"", 1);
    tmon_buffer_append(out, at, 1);
  }
  if (quoted) tmon_buffer_append(out, "\"", 1);
}

static void put_text(tmon_buffer *out, const char *text) { tmon_buffer_append(out, text, strlen(text)); }

static const char *name_of(double value) { return isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"; }

void tmon_extract_begin(tmon_extract_form *form, int64_t time_us) {
  if (form->begun) return;
  form->begun = true;
  if (form->format == TMON_EXTRACT_TENSORBOARD) {
    tmon_events_begin(form, time_us);
  } else if (form->format == TMON_EXTRACT_CSV && form->what == TMON_EXTRACT_POINTS) {
    put_text(form->out, "session_id,key,step,time,value\r\n");
  } else if (form->format == TMON_EXTRACT_CSV) {
    put_text(form->out, "session_id,epoch");
    for (int i = 0; i < TMON_EPOCH_COLUMNS; i++) {
      put_text(form->out, ",");
      put_text(form->out, tmon_epoch_columns[i]);
    }
    put_text(form->out, ",extra,created_at\r\n");
  }
}

void tmon_extract_metric(tmon_extract_form *form, const char *key) {
  tmon_buffer *head = &form->head;
  tmon_buffer_clear(head);
  if (form->format == TMON_EXTRACT_CSV) {
    put_text(head, form->id);
    put_text(head, ",");
    put_csv_text(head, key, form->exact_text);
    put_text(head, ",");
  } else if (form->format == TMON_EXTRACT_JSONL) {
    tmon_json_writer json;
    tmon_json_begin(&json, head);
    tmon_json_open(&json, NULL, '{');
    tmon_json_put_text(&json, "session_id", form->id);
    tmon_json_put_text(&json, "key", key);
    put_text(head, ",\"step\":");
  } else {
    put_text(head, key);
  }
  if (head->error != TMON_OK) form->out->error = head->error;
}

static void put_row(tmon_extract_form *form, const tmon_point *point) {
  bool json = form->format == TMON_EXTRACT_JSONL;
  bool finite = isfinite(point->value);
  char time[TMON_ISO_TIME_BYTES];
  char value[TMON_DOUBLE_BYTES];
  char line[160];
  tmon_text_from_time(time, point->time);
  tmon_text_from_double(value, point->value);
  int length = 0;
  if (!json) length = snprintf(line, sizeof line, "%" PRId64 ",%s,%s\r\n", point->step, time, value);
  else if (finite) length = snprintf(line, sizeof line, "%" PRId64 ",\"time\":\"%s\",\"value\":%s}\n", point->step, time, value);
  else
    length = snprintf(line, sizeof line, "%" PRId64 ",\"time\":\"%s\",\"value\":null,\"nonfinite\":\"%s\"}\n", point->step, time, name_of(point->value));
  tmon_buffer_append(form->out, form->head.data, form->head.size);
  tmon_buffer_append(form->out, line, (size_t)length);
}

void tmon_extract_point(tmon_extract_form *form, const tmon_point *point) {
  if (form->format == TMON_EXTRACT_TENSORBOARD) tmon_events_scalar(form, (const char *)form->head.data, form->head.size, point);
  else put_row(form, point);
}

static void put_csv_epoch(tmon_extract_form *form, tmon_row *row) {
  char value[TMON_DOUBLE_BYTES];
  put_text(form->out, form->id);
  tmon_buffer_append_format(form->out, ",%" PRId64, tmon_row_int(row, 0));
  for (int i = 1; i <= TMON_EPOCH_COLUMNS; i++) {
    put_text(form->out, ",");
    if (tmon_row_is_null(row, i)) continue;
    tmon_text_from_double(value, tmon_row_double(row, i));
    put_text(form->out, value);
  }
  for (int i = 1 + TMON_EPOCH_COLUMNS; i <= 2 + TMON_EPOCH_COLUMNS; i++) {
    const char *text = tmon_row_text(row, i);
    put_text(form->out, ",");
    if (text != NULL) put_csv_text(form->out, text, form->exact_text);
  }
  put_text(form->out, "\r\n");
}

static void put_epoch_scalar(tmon_extract_form *form, const char *name, const tmon_point *point) {
  tmon_buffer_clear(&form->head);
  tmon_buffer_append_format(&form->head, "epoch/%s", name);
  if (form->head.error != TMON_OK) form->out->error = form->head.error;
  else tmon_events_scalar(form, (const char *)form->head.data, form->head.size, point);
}

static int put_epoch_events(tmon_extract_form *form, tmon_row *row) {
  tmon_json *extra = NULL;
  const char *text = tmon_row_text(row, 1 + TMON_EPOCH_COLUMNS);
  const char *time = tmon_row_text(row, 2 + TMON_EPOCH_COLUMNS);
  tmon_point point = {.step = tmon_row_int(row, 0)};
  if (time == NULL || !tmon_text_to_time(time, &point.time)) point.time = 0;
  tmon_extract_begin(form, point.time);
  for (int i = 0; i < TMON_EPOCH_COLUMNS; i++) {
    if (tmon_row_is_null(row, 1 + i)) continue;
    point.value = tmon_row_double(row, 1 + i);
    put_epoch_scalar(form, tmon_epoch_columns[i], &point);
  }
  int result = text == NULL ? TMON_OK : tmon_json_parse(&extra, text, strlen(text));
  for (const tmon_json *item = tmon_json_first(extra); item != NULL; item = tmon_json_next(item)) {
    if (tmon_json_type(item) != TMON_JSON_NUMBER) continue;
    point.value = tmon_json_number(item, NAN);
    put_epoch_scalar(form, tmon_json_key(item), &point);
  }
  tmon_json_free(extra);
  return result == TMON_EINVAL ? tmon_error_set(TMON_ECORRUPT, "extra of epoch %" PRId64 " is not JSON", point.step) : result;
}

int tmon_extract_epoch(tmon_extract_form *form, tmon_row *row) {
  if (form->format == TMON_EXTRACT_TENSORBOARD) return put_epoch_events(form, row);
  tmon_extract_begin(form, 0);
  if (form->format == TMON_EXTRACT_CSV) {
    put_csv_epoch(form, row);
  } else {
    tmon_json_writer json;
    tmon_json_begin(&json, form->out);
    tmon_epoch_put_row(&json, row, form->id);
    put_text(form->out, "\n");
  }
  return TMON_OK;
}
