/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Two objects in one, member by member. Members are copied as they were written, since a seed of 64 bits would not survive as a double. */
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/json.h"

#include <stdlib.h>
#include <string.h>

typedef struct names {
  const char **sorted;
  size_t count;
} names;

static int compare(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int list_names(names *out, const tmon_json *object) {
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) count++;
  if (count == 0) return TMON_OK;
  out->sorted = tmon_alloc_zero(count, sizeof *out->sorted);
  if (out->sorted == NULL) return tmon_error_no_memory();
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) out->sorted[out->count++] = tmon_json_key(item);
  qsort(out->sorted, out->count, sizeof *out->sorted, compare);
  return TMON_OK;
}

static bool has(const names *list, const char *name) {
  return list->count > 0 && bsearch(&name, list->sorted, list->count, sizeof *list->sorted, compare) != NULL;
}

/* The text was parsed before, so a member ends at the first comma or bracket outside of strings and of brackets of its own. */
static const char *end_of_member(const char *at) {
  bool quoted = false;
  int depth = 0;
  for (;; at++) {
    if (quoted) {
      if (*at == '\\') at++;
      else if (*at == '"') quoted = false;
    } else if (*at == '"') {
      quoted = true;
    } else if (depth == 0 && (*at == ',' || *at == '}')) {
      return at;
    } else if (*at == '{' || *at == '[') {
      depth++;
    } else if (*at == '}' || *at == ']') {
      depth--;
    }
  }
}

/* The members of `object`, whose text is `text`, without those that are named in `said`. */
static void put_members(tmon_buffer *out, const tmon_json *object, const char *text, const names *said) {
  const char *at = strchr(text, '{') + 1;
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) {
    at += strspn(at, " \t\r\n");
    const char *end = end_of_member(at);
    if (!has(said, tmon_json_key(item))) {
      if (out->size > 1) tmon_buffer_append(out, ",", 1);
      tmon_buffer_append(out, at, (size_t)(end - at));
    }
    at = end + 1;
  }
}

int tmon_json_merge(char **out, const char *below, const char *above, size_t maximum) {
  static const names nothing = {NULL, 0};
  tmon_json *lower = NULL;
  tmon_json *upper = NULL;
  names said = {NULL, 0};
  tmon_buffer text;
  *out = NULL;
  tmon_buffer_init(&text, maximum);
  int result = tmon_json_parse(&upper, above, strlen(above));
  if (result == TMON_OK) result = list_names(&said, upper);
  if (result == TMON_OK && below != NULL) result = tmon_json_parse(&lower, below, strlen(below));
  if (result == TMON_EINVAL && upper != NULL) result = TMON_OK; /* what a shell left there and is no JSON has no members */
  if (result != TMON_OK) goto out;
  tmon_buffer_append(&text, "{", 1);
  if (below != NULL && tmon_json_type(lower) == TMON_JSON_OBJECT) put_members(&text, lower, below, &said);
  put_members(&text, upper, above, &nothing);
  result = tmon_buffer_append(&text, "}", 1);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
out:
  tmon_buffer_free(&text);
  tmon_json_free(lower);
  tmon_json_free(upper);
  tmon_free(said.sorted);
  return result;
}
