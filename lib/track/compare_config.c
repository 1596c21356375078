/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What differs between JSON objects: each is flattened to paths such as optimizer.lr, layers[0] or ["a key"].x, and paths are laid side by side. */
#include "track/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond these the answer says that it is truncated: nobody reads more, and a hostile megabyte has half a million leaves. */
#define LEAVES_MAXIMUM 10000 /* a session */
#define PATH_MAXIMUM 4096

int tmon_leaves_add(tmon_leaves *leaves, size_t session, const char *path, const char *value) {
  if (leaves->count == leaves->capacity) {
    size_t capacity = leaves->capacity == 0 ? 64 : leaves->capacity * 2;
    tmon_leaf *grown = tmon_realloc(leaves->items, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    leaves->items = grown;
    leaves->capacity = capacity;
  }
  tmon_leaf leaf = {tmon_strdup(path), tmon_strdup(value), session, leaves->count};
  if (leaf.path == NULL || leaf.value == NULL) {
    tmon_free(leaf.path);
    tmon_free(leaf.value);
    return tmon_error_no_memory();
  }
  leaves->items[leaves->count++] = leaf;
  return TMON_OK;
}

static bool is_plain(const char *key) {
  if (*key == '\0' || (*key >= '0' && *key <= '9')) return false;
  for (; *key != '\0'; key++) {
    bool letter = (*key >= 'a' && *key <= 'z') || (*key >= 'A' && *key <= 'Z') || (*key >= '0' && *key <= '9') || *key == '_' || *key == '-';
    if (!letter) return false;
  }
  return true;
}

static void append_key(tmon_buffer *path, const char *key) {
  tmon_json_writer quoted;
  if (is_plain(key)) {
    tmon_buffer_append_format(path, "%s%s", path->size > 0 ? "." : "", key);
    return;
  }
  tmon_buffer_append_text(path, "[");
  tmon_json_begin(&quoted, path);
  tmon_json_put_text(&quoted, NULL, key);
  tmon_buffer_append_text(path, "]");
}

typedef struct walk {
  tmon_leaves *leaves;
  size_t session;
  size_t left;
  tmon_buffer path;
} walk;

static int add_leaf(walk *at, const tmon_json *value) {
  if (at->left == 0) {
    at->leaves->truncated = true;
    return TMON_OK;
  }
  at->left--;
  char *text = tmon_json_print(value);
  if (text == NULL) return tmon_error_no_memory();
  int result = tmon_leaves_add(at->leaves, at->session, at->path.size > 0 ? (const char *)at->path.data : "", text);
  tmon_free(text);
  return result;
}

/* As deep as JSON may be, which the parser bounds. */
static int visit(walk *at, const tmon_json *value) {
  tmon_json_kind kind = tmon_json_type(value);
  const tmon_json *item = kind == TMON_JSON_OBJECT || kind == TMON_JSON_ARRAY ? tmon_json_first(value) : NULL;
  size_t length = at->path.size;
  size_t index = 0;
  int result = TMON_OK;
  if (item == NULL) return add_leaf(at, value);
  for (; item != NULL && result == TMON_OK && at->left > 0; item = tmon_json_next(item)) {
    if (kind == TMON_JSON_OBJECT) append_key(&at->path, tmon_json_key(item));
    else tmon_buffer_append_format(&at->path, "[%zu]", index++);
    if (at->path.error == TMON_ENOMEM) return tmon_error_no_memory();
    if (at->path.error == TMON_OK) result = visit(at, item);
    else at->leaves->truncated = true;
    at->path.error = TMON_OK;
    at->path.size = length;
    if (at->path.data != NULL) at->path.data[length] = '\0';
  }
  if (item != NULL) at->leaves->truncated = true;
  return result;
}

int tmon_leaves_add_object(tmon_leaves *leaves, size_t session, const char *json) {
  walk at = {.leaves = leaves, .session = session, .left = LEAVES_MAXIMUM};
  tmon_json *document = NULL;
  if (json == NULL) return TMON_OK;
  int result = tmon_json_parse(&document, json, strlen(json));
  if (result != TMON_OK) return result == TMON_ENOMEM ? result : TMON_OK;
  tmon_buffer_init(&at.path, PATH_MAXIMUM);
  if (tmon_json_type(document) != TMON_JSON_OBJECT || tmon_json_first(document) != NULL) result = visit(&at, document);
  tmon_buffer_free(&at.path);
  tmon_json_free(document);
  return result;
}

static int compare_leaves(const void *a, const void *b) {
  const tmon_leaf *left = a;
  const tmon_leaf *right = b;
  int order = strcmp(left->path, right->path);
  if (order != 0) return order;
  return left->order < right->order ? -1 : left->order > right->order;
}

/* The leaves of one path: [from, the returned end). `values` has an entry a session, NULL where it is absent. */
static size_t take_path(const tmon_leaves *leaves, size_t from, const char *values[TMON_COMPARE_SESSIONS]) {
  size_t end = from;
  memset(values, 0, TMON_COMPARE_SESSIONS * sizeof *values);
  for (; end < leaves->count && strcmp(leaves->items[end].path, leaves->items[from].path) == 0; end++) {
    values[leaves->items[end].session] = leaves->items[end].value;
  }
  return end;
}

static bool are_equal(const char *const *values, size_t sessions) {
  for (size_t i = 0; i < sessions; i++) {
    if (values[i] == NULL || strcmp(values[i], values[0]) != 0) return false;
  }
  return true;
}

static void write_paths(tmon_json_writer *json, const tmon_leaves *leaves, size_t sessions, bool equal) {
  const char *values[TMON_COMPARE_SESSIONS];
  tmon_json_open(json, equal ? "same" : "different", '[');
  for (size_t i = 0; i < leaves->count;) {
    const char *path = leaves->items[i].path;
    i = take_path(leaves, i, values);
    if (are_equal(values, sessions) != equal) continue;
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "path", path);
    if (equal) {
      tmon_json_put_raw(json, "value", values[0]);
    } else {
      tmon_json_open(json, "values", '[');
      for (size_t s = 0; s < sessions; s++) tmon_json_put_raw(json, NULL, values[s]);
      tmon_json_close(json, ']');
      tmon_json_open(json, "absent", '[');
      for (size_t s = 0; s < sessions; s++) tmon_json_put_bool(json, NULL, values[s] == NULL);
      tmon_json_close(json, ']');
    }
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
}

void tmon_leaves_write(tmon_json_writer *json, const char *key, tmon_leaves *leaves, size_t sessions) {
  if (leaves->count > 1) qsort(leaves->items, leaves->count, sizeof *leaves->items, compare_leaves);
  tmon_json_open(json, key, '{');
  write_paths(json, leaves, sessions, true);
  write_paths(json, leaves, sessions, false);
  tmon_json_put_bool(json, "truncated", leaves->truncated);
  tmon_json_close(json, '}');
}

void tmon_leaves_free(tmon_leaves *leaves) {
  for (size_t i = 0; i < leaves->count; i++) {
    tmon_free(leaves->items[i].path);
    tmon_free(leaves->items[i].value);
  }
  tmon_free(leaves->items);
}
