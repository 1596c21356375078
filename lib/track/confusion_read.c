/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * A confusion matrix in JSON. A tree of a million numbers would take a hundred megabytes, so the counts are read straight from the text: the text is checked as
 * a whole, the value of "matrix" is found in it, and only what stands around it becomes a tree.
 */
#include "track/result.h"

#include "series/counts.h"

#include <string.h>

enum { SESSION, EPOCH, SPLIT, NAMES, GROUPS, MATRIX };

typedef struct span {
  const char *start;
  const char *end; /* start == NULL: there is none */
} span;

static const char *skip_space(const char *at) { return at + strspn(at, " \t\r\n"); }

static const char *skip_text(const char *at) {
  for (at++; *at != '"'; at++) at += *at == '\\';
  return at + 1;
}

/* Behind a value. The text is known to be JSON: brackets match, texts end. */
static const char *skip_value(const char *at) {
  int depth = 0;
  do {
    if (*at == '"') {
      at = skip_text(at);
      continue;
    }
    if (*at == '{' || *at == '[') depth++;
    if (*at == '}' || *at == ']') depth--;
    if (depth > 0 || *at == '}' || *at == ']') at++;
    else at += strcspn(at, ",}] \t\r\n"); /* a number or a word at the top */
  } while (depth > 0);
  return at;
}

/* Finds the member "matrix" of the object `text`. */
static int find_matrix(span *out, const char *text) {
  const char *at = skip_space(text);
  *out = (span){NULL, NULL};
  if (*at != '{') return tmon_error_set(TMON_EINVAL, "a confusion_matrix is a JSON object");
  at = skip_space(at + 1);
  while (*at == '"') {
    const char *key = at;
    at = skip_text(at);
    bool named = at - key == 8 && memcmp(key, "\"matrix\"", 8) == 0;
    at = skip_space(skip_space(at) + 1); /* behind the colon */
    const char *value = at;
    at = skip_value(at);
    if (named && out->start != NULL) return tmon_error_set_field(TMON_EINVAL, "matrix", "matrix is there twice");
    if (named) *out = (span){value, at};
    at = skip_space(at);
    if (*at == ',') at = skip_space(at + 1);
  }
  if (out->start == NULL) return tmon_error_set_field(TMON_EINVAL, "matrix", "matrix is missing");
  return TMON_OK;
}

/* A whole number of at most 2^53; "5.0" is one, as programs write that count in doubles. */
static const char *read_count(uint64_t *out, const char *at) {
  uint64_t value = 0;
  const char *start = at;
  for (; *at >= '0' && *at <= '9'; at++) {
    value = value * 10 + (uint64_t)(*at - '0');
    if (value > UINT64_C(1) << 53) return NULL;
  }
  if (at == start) return NULL;
  if (*at == '.') at += 1 + strspn(at + 1, "0");
  *out = value;
  return skip_space(at);
}

static const char *read_row(uint64_t *out, size_t count, const char *at) {
  if (*at != '[') return NULL;
  at = skip_space(at + 1);
  for (size_t i = 0; i < count; i++) {
    at = read_count(&out[i], at);
    if (at == NULL || *at != (i + 1 < count ? ',' : ']')) return NULL;
    at = skip_space(at + 1);
  }
  return at;
}

/* `count` rows of `count` counts; the caller's tmon_free. */
static int read_matrix(uint64_t **out, const span *text, size_t count) {
  *out = NULL;
  const char *at = text->start;
  if (*at != '[') return tmon_error_set_field(TMON_EINVAL, "matrix", "matrix must be an array of rows");
  uint64_t *counts = tmon_alloc_zero(count * count, sizeof *counts);
  if (counts == NULL) return tmon_error_no_memory();
  at = skip_space(at + 1);
  for (size_t row = 0; row < count; row++) {
    at = read_row(counts + row * count, count, at);
    if (at == NULL || *at != (row + 1 < count ? ',' : ']')) {
      tmon_free(counts);
      return tmon_error_set_field(
          TMON_EINVAL, "matrix", "row %zu of matrix is not one of %zu rows of as many whole numbers from 0 to 2^53, as there are class_names", row, count);
    }
    at = skip_space(at + 1);
  }
  *out = counts;
  return TMON_OK;
}

/* The text with null in place of the matrix, as a tree. */
static int parse_rest(tmon_json **out, const char *text, size_t length, const span *matrix) {
  tmon_buffer rest;
  tmon_buffer_init(&rest, TMON_JSON_MAXIMUM);
  tmon_buffer_append(&rest, text, (size_t)(matrix->start - text));
  tmon_buffer_append_text(&rest, "null");
  tmon_buffer_append(&rest, matrix->end, length - (size_t)(matrix->end - text));
  int result = rest.error;
  if (result == TMON_OK) result = tmon_json_parse(out, (const char *)rest.data, rest.size);
  else if (result == TMON_ELIMIT) result = tmon_error_set(TMON_EINVAL, "what stands beside the matrix is longer than %u bytes", TMON_JSON_MAXIMUM);
  else result = tmon_error_no_memory();
  tmon_buffer_free(&rest);
  return result;
}

static size_t length_of(const tmon_json *array) {
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(array); item != NULL; item = tmon_json_next(item)) count++;
  return count;
}

static const tmon_json *member_of(const tmon_json *document, int column) {
  const tmon_result_column *description = &tmon_result_table_of(TMON_RESULT_CONFUSION)->columns[column];
  const tmon_json *value = tmon_json_get(document, description->name);
  return value != NULL || description->alias == NULL ? value : tmon_json_get(document, description->alias);
}

static int bad_groups(void) {
  return tmon_error_set_field(
      TMON_EINVAL, "class_groups", "class_groups must be an array of texts or nulls as long as class_names, or an object from class to group");
}

/* An array beside class_names, or an object from name to group. `groups` has room for `count`. */
static int read_groups(const char **groups, const char *const *names, size_t count, const tmon_json *value) {
  bool array = tmon_json_type(value) == TMON_JSON_ARRAY;
  size_t used = 0;
  if (!array && tmon_json_type(value) != TMON_JSON_OBJECT) return bad_groups();
  const tmon_json *item = tmon_json_first(value);
  for (size_t i = 0; i < count; i++) {
    const tmon_json *group = array ? item : tmon_json_get(value, names[i]);
    groups[i] = tmon_json_text(group);
    if (group != NULL && groups[i] == NULL && tmon_json_type(group) != TMON_JSON_NULL) return bad_groups();
    used += group != NULL;
    if (array) item = tmon_json_next(item);
  }
  return used == length_of(value) && (!array || used == count) ? TMON_OK : bad_groups();
}

/* `texts` has room for twice the names. */
static int fill(tmon_confusion *out, const char **texts, const tmon_result_row *row, const tmon_json *document) {
  const tmon_json *groups = member_of(document, GROUPS);
  size_t count = 0;
  out->epoch = row->values[EPOCH].given ? row->values[EPOCH].integer : -1;
  out->dataset_split = row->values[SPLIT].given ? row->values[SPLIT].text : NULL;
  for (const tmon_json *item = tmon_json_first(member_of(document, NAMES)); item != NULL; item = tmon_json_next(item))
    texts[count++] = tmon_json_text(item);
  out->class_names = texts;
  if (groups == NULL || tmon_json_type(groups) == TMON_JSON_NULL) return TMON_OK;
  out->class_groups = texts + count;
  return read_groups(texts + count, texts, count, groups);
}

int tmon_confusion_add_json(int64_t *id, tmon_store *store, const char *text, size_t length) {
  const tmon_result_table *table = tmon_result_table_of(TMON_RESULT_CONFUSION);
  tmon_confusion confusion = {.size = sizeof confusion};
  tmon_result_row row;
  tmon_json *document = NULL;
  uint64_t *counts = NULL;
  const char **texts = NULL;
  span matrix;
  tmon_result_row_init(&row);
  int result = tmon_json_check(text, length);
  if (result == TMON_OK) result = find_matrix(&matrix, text);
  if (result == TMON_OK) result = parse_rest(&document, text, length, &matrix);
  if (result == TMON_OK) result = tmon_json_check_names(document);
  if (result == TMON_OK) result = tmon_result_row_read(&row, table, document, "");
  if (result == TMON_OK) result = tmon_result_row_complete(&row, table, "");
  if (result != TMON_OK) goto out;
  confusion.class_count = length_of(member_of(document, NAMES));
  if (confusion.class_count == 0) {
    result = tmon_error_set_field(TMON_EINVAL, "class_names", "class_names is empty");
    goto out;
  }
  texts = tmon_alloc_zero(confusion.class_count * 2, sizeof *texts);
  result = texts == NULL ? tmon_error_no_memory() : fill(&confusion, texts, &row, document);
  if (result == TMON_OK) result = read_matrix(&counts, &matrix, confusion.class_count);
  confusion.counts = counts;
  if (result == TMON_OK) result = tmon_confusion_check(&confusion);
  if (result == TMON_OK) result = tmon_confusion_write(id, store, row.values[SESSION].text, &confusion, (const char *)row.extra.data);
out:
  tmon_free(texts);
  tmon_free(counts);
  tmon_json_free(document);
  tmon_result_row_free(&row);
  return result;
}
