/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Rows between JSON and SQL, by the columns of their table. */
#include "track/result_table.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { TEXTS_MAXIMUM = 1000, OBJECT_MEMBERS = 1000, FIELD_BYTES = 320 };

typedef struct field_name {
  char text[FIELD_BYTES];
} field_name;

static field_name name_of(const char *where, const char *name) {
  field_name field;
  (void)snprintf(field.text, sizeof field.text, "%.60s%.250s", where, name == NULL ? "" : name);
  return field;
}

static int compare_members(const tmon_json *object, const tmon_json *item) {
  for (const tmon_json *other = tmon_json_first(object); other != item; other = tmon_json_next(other)) {
    if (strcmp(tmon_json_key(other), tmon_json_key(item)) == 0) return 1;
  }
  return 0;
}

int tmon_result_check_members(const tmon_json *object, size_t maximum, const char *where) {
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) {
    field_name field = name_of(where, tmon_json_key(item));
    if (++count > maximum) return tmon_error_set_field(TMON_EINVAL, field.text, "more than %zu fields in one object", maximum);
    if (!tmon_text_is_key(tmon_json_key(item))) {
      return tmon_error_set_field(TMON_EINVAL, field.text, "the name of a field has 1 to 250 bytes without control characters");
    }
    if (compare_members(object, item)) return tmon_error_set_field(TMON_EINVAL, field.text, "%s is there twice", field.text);
  }
  return TMON_OK;
}

/* Numbers such as 1e999 are JSON but no double. The depth is bounded by the parser. */
static bool is_finite(const tmon_json *value) {
  if (tmon_json_type(value) == TMON_JSON_NUMBER) return isfinite(tmon_json_number(value, 0)) != 0;
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    if (!is_finite(item)) return false;
  }
  return true;
}

void tmon_result_row_init(tmon_result_row *row) {
  memset(row, 0, sizeof *row);
  tmon_buffer_init(&row->extra, TMON_EXTRA_MAXIMUM);
}

void tmon_result_row_free(tmon_result_row *row) {
  for (size_t i = 0; i < TMON_RESULT_COLUMNS; i++) tmon_free(row->values[i].owned);
  tmon_buffer_free(&row->extra);
}

int tmon_result_column_of(const tmon_result_table *table, const char *name) {
  for (size_t i = 0; i < table->column_count; i++) {
    const tmon_result_column *column = &table->columns[i];
    if (strcmp(column->name, name) == 0 || (column->alias != NULL && strcmp(column->alias, name) == 0)) return (int)i;
  }
  return -1;
}

static int no_word(const tmon_result_column *column, const char *text, const char *field) {
  char words[128] = "";
  size_t used = 0;
  for (const char *const *word = column->words; *word != NULL && used < sizeof words; word++) {
    used += (size_t)snprintf(words + used, sizeof words - used, "%s%s", used == 0 ? "" : word[1] == NULL ? " or " : ", ", *word);
  }
  return tmon_error_set_field(TMON_EINVAL, field, "%s is \"%.64s\", expected %s", field, text, words);
}

static int read_text(tmon_result_value *out, const tmon_result_column *column, const char *text, const char *field) {
  int64_t time = 0;
  char canonical[TMON_ISO_TIME_BYTES];
  out->text = text;
  switch (column->type) {
  case TMON_COLUMN_NAME:
    return tmon_text_is_key(text) ? TMON_OK : tmon_error_set_field(TMON_EINVAL, field, "%s must have 1 to 250 bytes without control characters", field);
  case TMON_COLUMN_ID:
    return tmon_id_is_valid(text) ? TMON_OK
                                  : tmon_error_set_field(TMON_EINVAL, field, "%s is \"%.64s\", expected the id of a session (a UUID)", field, text);
  case TMON_COLUMN_WORD:
    for (const char *const *word = column->words; *word != NULL; word++) {
      if (strcmp(*word, text) == 0) return TMON_OK;
    }
    return no_word(column, text, field);
  case TMON_COLUMN_TIME:
    if (!tmon_text_to_time(text, &time)) return tmon_error_set_field(TMON_EINVAL, field, "%s is \"%.64s\", expected an ISO 8601 time", field, text);
    tmon_text_from_time(canonical, time);
    tmon_free(out->owned);
    out->text = out->owned = tmon_strdup(canonical);
    return out->owned == NULL ? tmon_error_no_memory() : TMON_OK;
  default:
    if ((double)strlen(text) <= column->high) return TMON_OK;
    return tmon_error_set_field(TMON_EINVAL, field, "%s is longer than %.0f bytes", field, column->high);
  }
}

static int keep_json(tmon_result_value *out, const tmon_json *value) {
  tmon_free(out->owned);
  out->text = out->owned = tmon_json_print(value);
  return out->owned == NULL ? tmon_error_no_memory() : TMON_OK;
}

static int read_texts(tmon_result_value *out, const tmon_json *value, const char *field) {
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    const char *text = tmon_json_text(item);
    if (++count > TEXTS_MAXIMUM) return tmon_error_set_field(TMON_EINVAL, field, "%s has more than %d entries", field, TEXTS_MAXIMUM);
    if (text == NULL || !tmon_text_is_key(text)) {
      return tmon_error_set_field(TMON_EINVAL, field, "entry %zu of %s is no text of 1 to 250 bytes without control characters", count - 1, field);
    }
  }
  return keep_json(out, value);
}

static int read_number(tmon_result_value *out, const tmon_result_column *column, const tmon_json *value, const char *field) {
  out->real = tmon_json_number(value, (double)NAN);
  if (column->type == TMON_COLUMN_INT && !tmon_json_int(value, &out->integer)) {
    return tmon_error_set_field(TMON_EINVAL, field, "%s must be a whole number", field);
  }
  if (!(out->real >= column->low && out->real <= column->high) || !isfinite(out->real)) {
    if (out->real < column->low && column->high > 1e15)
      return tmon_error_set_field(TMON_EINVAL, field, "%s is %g, expected %g or more", field, out->real, column->low);
    return tmon_error_set_field(TMON_EINVAL, field, "%s is %g, expected %g to %g", field, out->real, column->low, column->high);
  }
  return TMON_OK;
}

static int read_value(tmon_result_value *out, const tmon_result_column *column, const tmon_json *value, const char *field) {
  tmon_json_kind kind = tmon_json_type(value);
  if (kind == TMON_JSON_NULL || column->type == TMON_COLUMN_OTHER) return TMON_OK; /* null: not said */
  out->given = true;
  switch (column->type) {
  case TMON_COLUMN_INT:
  case TMON_COLUMN_REAL:
    if (kind == TMON_JSON_NUMBER) return read_number(out, column, value, field);
    return tmon_error_set_field(TMON_EINVAL, field, "%s must be a number", field);
  case TMON_COLUMN_TEXTS:
    if (kind == TMON_JSON_ARRAY) return read_texts(out, value, field);
    return tmon_error_set_field(TMON_EINVAL, field, "%s must be an array of texts", field);
  case TMON_COLUMN_OBJECT: {
    char where[FIELD_BYTES + 2];
    if (kind != TMON_JSON_OBJECT) return tmon_error_set_field(TMON_EINVAL, field, "%s must be an object", field);
    (void)snprintf(where, sizeof where, "%s.", field);
    int result = tmon_result_check_members(value, OBJECT_MEMBERS, where);
    if (result != TMON_OK) return result;
    if ((result = tmon_json_check_names(value)) != TMON_OK) return result;
    if (!is_finite(value)) return tmon_error_set_field(TMON_EINVAL, field, "%s holds a number that is out of range", field);
    return keep_json(out, value);
  }
  default:
    if (kind == TMON_JSON_TEXT) return read_text(out, column, tmon_json_text(value), field);
    return tmon_error_set_field(TMON_EINVAL, field, "%s must be a text", field);
  }
}

static int add_extra(tmon_result_row *row, const tmon_json *item, const char *field) {
  tmon_json_writer json = {&row->extra, row->extra.size > 1};
  int result = tmon_json_check_names(item);
  if (result != TMON_OK) return result;
  if (!is_finite(item)) return tmon_error_set_field(TMON_EINVAL, field, "%s holds a number that is out of range", field);
  if (row->extra.size == 0) tmon_buffer_append(&row->extra, "{", 1);
  char *text = tmon_json_print(item);
  if (text == NULL) return tmon_error_no_memory();
  tmon_json_put_raw(&json, tmon_json_key(item), text);
  tmon_free(text);
  if (row->extra.error == TMON_ELIMIT) return tmon_error_set_field(TMON_EINVAL, field, "the unknown fields take more than %u bytes", TMON_EXTRA_MAXIMUM);
  return row->extra.error == TMON_OK ? TMON_OK : tmon_error_no_memory();
}

/* The members of an `extra` object stand beside the unknown fields, as if they were such. */
static int read_extra(tmon_result_row *row, const tmon_result_table *table, const tmon_json *object, const tmon_json *extra, const char *where) {
  field_name inner = name_of(where, "extra.");
  if (tmon_json_type(extra) == TMON_JSON_NULL) return TMON_OK;
  if (tmon_json_type(extra) != TMON_JSON_OBJECT) return tmon_error_set_field(TMON_EINVAL, name_of(where, "extra").text, "extra must be an object");
  int result = tmon_result_check_members(extra, TMON_MEMBERS_MAXIMUM, inner.text);
  for (const tmon_json *item = tmon_json_first(extra); result == TMON_OK && item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    field_name field = name_of(inner.text, key);
    if (strcmp(key, "extra") != 0 && tmon_result_column_of(table, key) < 0 && tmon_json_get(object, key) != NULL) {
      return tmon_error_set_field(TMON_EINVAL, field.text, "%s is there twice", field.text);
    }
    result = add_extra(row, item, field.text);
  }
  return result;
}

int tmon_result_row_read(tmon_result_row *row, const tmon_result_table *table, const tmon_json *object, const char *where) {
  uint32_t seen = 0;
  if (tmon_json_type(object) != TMON_JSON_OBJECT) {
    char field[64] = "";
    (void)snprintf(field, sizeof field, "%.*s", (int)(strlen(where) > 0 ? strlen(where) - 1 : 0), where);
    if (field[0] == '\0') return tmon_error_set(TMON_EINVAL, "a %s is a JSON object", table->singular);
    return tmon_error_set_field(TMON_EINVAL, field, "a %s is a JSON object", table->singular);
  }
  int result = tmon_result_check_members(object, TMON_MEMBERS_MAXIMUM, where);
  for (const tmon_json *item = tmon_json_first(object); result == TMON_OK && item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    field_name field = name_of(where, key);
    int column = tmon_result_column_of(table, key);
    if (column >= 0) {
      if (seen >> column & 1) return tmon_error_set_field(TMON_EINVAL, field.text, "%s is there twice, under two names", table->columns[column].name);
      seen |= UINT32_C(1) << column;
      result = read_value(&row->values[column], &table->columns[column], item, field.text);
    } else if (strcmp(key, "extra") == 0) {
      result = read_extra(row, table, object, item, where);
    } else {
      result = add_extra(row, item, field.text);
    }
  }
  return result;
}

int tmon_result_row_complete(tmon_result_row *row, const tmon_result_table *table, const char *where) {
  for (size_t i = 0; i < table->column_count; i++) {
    if (!table->columns[i].required || row->values[i].given) continue;
    field_name field = name_of(where, table->columns[i].name);
    return tmon_error_set_field(TMON_EINVAL, field.text, "%s is missing", field.text);
  }
  if (row->extra.size == 0) tmon_buffer_append(&row->extra, "{", 1);
  tmon_buffer_append(&row->extra, "}", 1);
  if (row->extra.error == TMON_ELIMIT) return tmon_error_set_field(TMON_EINVAL, "extra", "the unknown fields take more than %u bytes", TMON_EXTRA_MAXIMUM);
  return row->extra.error == TMON_OK ? TMON_OK : tmon_error_no_memory();
}

int tmon_result_row_write(int64_t *id, tmon_tx *tx, const tmon_result_table *table, const tmon_result_row *row) {
  tmon_row *statement = NULL;
  int result = tmon_tx_prepare(&statement, tx, table->insert);
  if (result != TMON_OK) return result;
  for (size_t i = 0; i < table->column_count; i++) {
    const tmon_result_value *value = &row->values[i];
    int index = (int)i + 1;
    if (!value->given) tmon_bind_null(statement, index);
    else if (table->columns[i].type == TMON_COLUMN_INT) tmon_bind_int(statement, index, value->integer);
    else if (table->columns[i].type == TMON_COLUMN_REAL) tmon_bind_double(statement, index, value->real);
    else tmon_bind_text(statement, index, value->text);
  }
  tmon_bind_text(statement, (int)table->column_count + 1, (const char *)row->extra.data);
  result = tmon_row_step(statement);
  if (result == TMON_OK) {
    *id = tmon_row_int(statement, 0);
    /* Constraints that are checked at the end of a statement are checked by this step. */
    result = tmon_row_step(statement);
  }
  tmon_row_reset(statement);
  return result == TMON_DONE ? TMON_OK : result;
}

void tmon_result_put(tmon_json_writer *json, const tmon_result_table *table, tmon_row *row) {
  int at = (int)table->column_count + 1;
  tmon_json_put_int(json, "id", tmon_row_int(row, 0));
  for (int i = 0; i < (int)table->column_count; i++) {
    const char *name = table->columns[i].name;
    if (tmon_row_is_null(row, i + 1)) {
      tmon_json_put_null(json, name);
      continue;
    }
    switch (table->columns[i].type) {
    case TMON_COLUMN_INT: tmon_json_put_int(json, name, tmon_row_int(row, i + 1)); break;
    case TMON_COLUMN_REAL: tmon_json_put_double(json, name, tmon_row_double(row, i + 1)); break;
    case TMON_COLUMN_OBJECT:
    case TMON_COLUMN_TEXTS: tmon_json_put_raw(json, name, tmon_row_text(row, i + 1)); break;
    default: tmon_json_put_text(json, name, tmon_row_text(row, i + 1)); break;
    }
  }
  tmon_json_put_raw(json, "extra", tmon_row_text(row, at));
  tmon_json_put_text(json, "created_at", tmon_row_text(row, at + 1));
  if (table->updated) tmon_json_put_text(json, "updated_at", tmon_row_text(row, at + 2));
}
