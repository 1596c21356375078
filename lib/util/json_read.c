/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reading JSON through cJSON; the only file that sees it. A tmon_json is a cJSON item. */
#include "util/alloc.h"
#include "util/error.h"
#include "util/json.h"

#include <cjson/cJSON.h>
#include <math.h>

void tmon_json_allocator_changed(bool custom) {
  /* cJSON's own defaults are malloc and free, as ours are: without an allocator of the host its hooks (perhaps the host's) stay as they are. */
  static bool hooked;
  if (custom && !hooked) {
    cJSON_Hooks hooks = {tmon_alloc, tmon_free};
    cJSON_InitHooks(&hooks);
    hooked = true;
  } else if (!custom && hooked) {
    cJSON_InitHooks(NULL);
    hooked = false;
  }
}

static const cJSON *item_of(const tmon_json *value) { return (const cJSON *)(const void *)value; }

static const tmon_json *value_of(const cJSON *item) { return (const tmon_json *)(const void *)item; }

int tmon_json_parse(tmon_json **out, const char *text, size_t length) {
  *out = NULL;
  int result = tmon_json_check(text, length);
  if (result) return result;
  cJSON *document = cJSON_ParseWithLength(text, length);
  if (!document) return tmon_error_no_memory();
  *out = (tmon_json *)(void *)document;
  return TMON_OK;
}

void tmon_json_free(tmon_json *document) { cJSON_Delete((cJSON *)(void *)document); }

tmon_json_kind tmon_json_type(const tmon_json *value) {
  const cJSON *item = item_of(value);
  if (cJSON_IsNull(item)) return TMON_JSON_NULL;
  if (cJSON_IsBool(item)) return TMON_JSON_BOOL;
  if (cJSON_IsNumber(item)) return TMON_JSON_NUMBER;
  if (cJSON_IsString(item)) return TMON_JSON_TEXT;
  if (cJSON_IsArray(item)) return TMON_JSON_ARRAY;
  return cJSON_IsObject(item) ? TMON_JSON_OBJECT : TMON_JSON_ABSENT;
}

const tmon_json *tmon_json_get(const tmon_json *object, const char *key) {
  const cJSON *item = item_of(object);
  return cJSON_IsObject(item) && key ? value_of(cJSON_GetObjectItemCaseSensitive(item, key)) : NULL;
}

const tmon_json *tmon_json_first(const tmon_json *container) {
  const cJSON *item = item_of(container);
  return cJSON_IsObject(item) || cJSON_IsArray(item) ? value_of(item->child) : NULL;
}

const tmon_json *tmon_json_next(const tmon_json *item) { return item ? value_of(item_of(item)->next) : NULL; }

const char *tmon_json_key(const tmon_json *item) { return item ? item_of(item)->string : NULL; }

const char *tmon_json_text(const tmon_json *value) {
  const cJSON *item = item_of(value);
  return cJSON_IsString(item) ? item->valuestring : NULL;
}

double tmon_json_number(const tmon_json *value, double otherwise) {
  const cJSON *item = item_of(value);
  return cJSON_IsNumber(item) ? item->valuedouble : otherwise;
}

bool tmon_json_int(const tmon_json *value, int64_t *out) {
  const cJSON *item = item_of(value);
  if (!cJSON_IsNumber(item) || !(fabs(item->valuedouble) <= 9007199254740992.0)) return false;
  double whole = trunc(item->valuedouble);
  if (whole < item->valuedouble || whole > item->valuedouble) return false;
  *out = (int64_t)whole;
  return true;
}

bool tmon_json_bool(const tmon_json *value, bool otherwise) {
  const cJSON *item = item_of(value);
  return cJSON_IsBool(item) ? cJSON_IsTrue(item) != 0 : otherwise;
}

/* Recursion is bounded by the depth that tmon_json_parse allows. */
static void print_value(tmon_json_writer *writer, const char *key, const tmon_json *value) {
  tmon_json_kind kind = tmon_json_type(value);
  switch (kind) {
  case TMON_JSON_BOOL: tmon_json_put_bool(writer, key, tmon_json_bool(value, false)); break;
  case TMON_JSON_NUMBER: tmon_json_put_double(writer, key, tmon_json_number(value, 0)); break;
  case TMON_JSON_TEXT: tmon_json_put_text(writer, key, tmon_json_text(value)); break;
  case TMON_JSON_ARRAY:
  case TMON_JSON_OBJECT:
    tmon_json_open(writer, key, kind == TMON_JSON_OBJECT ? '{' : '[');
    for (const tmon_json *item = tmon_json_first(value); item; item = tmon_json_next(item)) print_value(writer, tmon_json_key(item), item);
    tmon_json_close(writer, kind == TMON_JSON_OBJECT ? '}' : ']');
    break;
  case TMON_JSON_ABSENT:
  case TMON_JSON_NULL: tmon_json_put_null(writer, key); break;
  }
}

char *tmon_json_print(const tmon_json *value) {
  /* Not cJSON_Print: its result would belong to cJSON's hooks, ours is freed by tmon_free. */
  tmon_buffer text;
  tmon_json_writer writer;
  tmon_buffer_init(&text, SIZE_MAX / 4);
  tmon_json_begin(&writer, &text);
  print_value(&writer, NULL, value);
  char *printed = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return printed;
}
