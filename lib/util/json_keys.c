/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What is refused of JSON from outside although it is JSON: objects that say a name twice, of which readers disagree which of the two counts, and nesting
 * that leaves no room for the replies around it: what is stored is parsed again, inside of lists and rows. */
#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/json.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 32 };

static int compare(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static int check_names(const tmon_json *object, size_t count) {
  size_t used = 0;
  int result = TMON_OK;
  const char **names = tmon_alloc_zero(count, sizeof *names);
  if (names == NULL) return tmon_error_no_memory();
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) names[used++] = tmon_json_key(item);
  qsort(names, count, sizeof *names, compare);
  for (size_t i = 1; result == TMON_OK && i < count; i++) {
    if (strcmp(names[i - 1], names[i]) == 0) result = tmon_error_set_field(TMON_EINVAL, names[i], "%.100s is said twice", names[i]);
  }
  tmon_free(names);
  return result;
}

/* `name`: of the outermost member that `value` is in. */
static int check(const tmon_json *value, int depth, const char *name) {
  bool object = tmon_json_type(value) == TMON_JSON_OBJECT;
  size_t count = 0;
  int result = TMON_OK;
  if (depth > DEPTH) return tmon_error_set_field(TMON_EINVAL, name, "%.100s is nested deeper than %d", name != NULL ? name : "the text", DEPTH);
  for (const tmon_json *item = tmon_json_first(value); result == TMON_OK && item != NULL; item = tmon_json_next(item), count++) {
    tmon_json_kind kind = tmon_json_type(item);
    if (kind == TMON_JSON_OBJECT || kind == TMON_JSON_ARRAY) result = check(item, depth + 1, name != NULL ? name : tmon_json_key(item));
  }
  return result == TMON_OK && object && count > 1 ? check_names(value, count) : result;
}

int tmon_json_check_names(const tmon_json *value) { return check(value, 1, tmon_json_key(value)); }
