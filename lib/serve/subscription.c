/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reads subscribe messages and decides which rows pass their filters: column=op.value, as PostgREST and the first clients write them. */
#include "serve/subscription.h"

#include "trainmon/error.h"
#include "trainmon/record.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/clock.h"
#include "util/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void tmon_subscription_free(tmon_subscription *subscription) {
  for (size_t i = 0; i < subscription->wish_count; i++) {
    tmon_free(subscription->wishes[i].text);
  }
  tmon_free(subscription->wishes);
  tmon_free(subscription->ids);
  memset(subscription, 0, sizeof *subscription);
}

static const char *const tests[] = {[TMON_WISH_EQ] = "eq.",
    [TMON_WISH_NEQ] = "neq.",
    [TMON_WISH_GT] = "gt.",
    [TMON_WISH_GTE] = "gte.",
    [TMON_WISH_LT] = "lt.",
    [TMON_WISH_LTE] = "lte.",
    [TMON_WISH_IN] = "in."};

/* "(a,"b,c")" in place into "a", "b,c". False: it is no such list. */
static bool split(tmon_wish *wish) {
  size_t size = strlen(wish->text);
  char *out = wish->text;
  if (size < 3 || wish->text[0] != '(' || wish->text[size - 1] != ')') {
    return false;
  }
  const char *at = wish->text + 1;
  const char *end = wish->text + size - 1;
  for (wish->count = 0; wish->count < TMON_WISH_VALUES; at++) {
    bool quoted = *at == '"';
    at += quoted;
    const char *stop = at;
    while (stop < end && *stop != (quoted ? '"' : ',')) {
      stop++;
    }
    size_t length = (size_t)(stop - at);
    if ((quoted && stop == end) || (!quoted && length == 0)) {
      return false;
    }
    memmove(out, at, length);
    out[length] = '\0';
    out += length + 1;
    wish->count++;
    at = stop + quoted;
    if (at >= end) {
      return at == end;
    }
    if (*at != ',') {
      return false;
    }
  }
  return false;
}

static int wrong_filter(const char *filter) {
  return tmon_error_set_field(
      TMON_EINVAL, "filter", "the filter is \"%.100s\", expected COLUMN=OP.VALUE with eq, neq, gt, gte, lt, lte or in.(A,B)", filter);
}

static int read_filter(tmon_wish *wish, const char *filter) {
  const char *mark = strchr(filter, '=');
  size_t length = mark != NULL ? (size_t)(mark - filter) : 0;
  if (mark == NULL || strlen(filter) > TMON_WISH_BYTES) {
    return wrong_filter(filter);
  }
  for (size_t i = 0; wish->column == NULL; i++) {
    const char *name = tmon_table_column(wish->table, i);
    if (name == NULL) {
      return tmon_error_set_field(TMON_EINVAL, "filter", "%s has no column %.*s", wish->table, (int)(length < 64 ? length : 64), filter);
    }
    wish->column = strlen(name) == length && memcmp(name, filter, length) == 0 ? name : NULL;
  }
  for (wish->test = TMON_WISH_EQ; wish->test <= TMON_WISH_IN; wish->test++) {
    size_t size = strlen(tests[wish->test]);
    if (strncmp(mark + 1, tests[wish->test], size) == 0) {
      wish->text = tmon_strdup(mark + 1 + size);
      break;
    }
  }
  if (wish->test > TMON_WISH_IN) {
    return wrong_filter(filter);
  }
  if (wish->text == NULL) {
    return tmon_error_no_memory();
  }
  wish->count = 1;
  return wish->test != TMON_WISH_IN || split(wish) ? TMON_OK : wrong_filter(filter);
}

static int read_wish(tmon_wish *wish, const tmon_json *from) {
  const char *table = tmon_json_text(tmon_json_get(from, "table"));
  const tmon_json *event = tmon_json_get(from, "event");
  const tmon_json *filter = tmon_json_get(from, "filter");
  const char *word = tmon_json_type(event) == TMON_JSON_ABSENT ? "*" : tmon_json_text(event);
  if (table == NULL || tmon_table_column(table, 0) == NULL) {
    return tmon_error_set_field(
        TMON_EINVAL, "table", "table is \"%.64s\", expected one that can be followed, such as training_sessions", table != NULL ? table : "");
  }
  (void)tmon_text_copy(wish->table, sizeof wish->table, table);
  if (word == NULL || (strcmp(word, "*") != 0 && strcmp(word, "INSERT") != 0 && strcmp(word, "UPDATE") != 0 && strcmp(word, "DELETE") != 0)) {
    return tmon_error_set_field(TMON_EINVAL, "event", "event is \"%.32s\", expected INSERT, UPDATE, DELETE or *", word != NULL ? word : "");
  }
  (void)tmon_text_copy(wish->event, sizeof wish->event, word[0] == '*' ? "" : word);
  for (const tmon_json *item = tmon_json_first(from); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    bool known = key != NULL && (strcmp(key, "table") == 0 || strcmp(key, "event") == 0 || strcmp(key, "filter") == 0 || strcmp(key, "schema") == 0);
    if (!known) {
      return tmon_error_set_field(TMON_EINVAL, key != NULL ? key : "tables", "an entry of tables has table, event, filter and schema");
    }
  }
  if (tmon_json_type(filter) == TMON_JSON_ABSENT || tmon_json_type(filter) == TMON_JSON_NULL) {
    return TMON_OK;
  }
  return tmon_json_text(filter) != NULL ? read_filter(wish, tmon_json_text(filter)) : wrong_filter("");
}

static int read_tables(tmon_subscription *out, const tmon_json *tables) {
  int code = TMON_OK;
  if (tmon_json_type(tables) != TMON_JSON_ARRAY) {
    return tmon_error_set_field(TMON_EINVAL, "tables", "tables must be an array of objects");
  }
  out->tables_said = true;
  out->wishes = tmon_alloc_zero(TMON_WISHES, sizeof *out->wishes);
  if (out->wishes == NULL) {
    return tmon_error_no_memory();
  }
  for (const tmon_json *item = tmon_json_first(tables); item != NULL && code == TMON_OK; item = tmon_json_next(item)) {
    if (out->wish_count == TMON_WISHES) {
      return tmon_error_set_field(TMON_EINVAL, "tables", "tables has more than %d entries", (int)TMON_WISHES);
    }
    code = read_wish(&out->wishes[out->wish_count++], item);
  }
  return code;
}

static bool read_sessions(tmon_subscription *out, const tmon_json *sessions) {
  out->sessions_said = true;
  if (tmon_json_text(sessions) != NULL) {
    return strcmp(tmon_json_text(sessions), "all") == 0;
  }
  if (tmon_json_type(sessions) != TMON_JSON_ARRAY) {
    return false;
  }
  out->chosen = true;
  out->ids = tmon_alloc_zero(TMON_SUBSCRIPTION_IDS, sizeof *out->ids);
  if (out->ids == NULL) {
    return false;
  }
  for (const tmon_json *item = tmon_json_first(sessions); item != NULL; item = tmon_json_next(item)) {
    const char *id = tmon_json_text(item);
    if (id == NULL || !tmon_id_is_valid(id) || out->id_count == TMON_SUBSCRIPTION_IDS) {
      return false;
    }
    (void)tmon_text_copy(out->ids[out->id_count++], sizeof *out->ids, id);
  }
  return true;
}

tmon_subscription_kind tmon_subscription_read(tmon_subscription *out, const char *text, size_t size) {
  tmon_json *document = NULL;
  tmon_subscription_kind kind = TMON_SUBSCRIPTION_NOT_ONE;
  memset(out, 0, sizeof *out);
  if (tmon_json_parse(&document, text, size) != TMON_OK) {
    return kind;
  }
  const char *type = tmon_json_text(tmon_json_get(document, "type"));
  const tmon_json *sessions = tmon_json_get(document, "sessions");
  const tmon_json *tables = tmon_json_get(document, "tables");
  bool about_sessions = tmon_json_type(sessions) != TMON_JSON_ABSENT;
  bool about_tables = tmon_json_type(tables) != TMON_JSON_ABSENT;
  if (type != NULL && strcmp(type, "subscribe") == 0 && (about_sessions || about_tables)) {
    kind = TMON_SUBSCRIPTION_GOOD;
    if (about_sessions && !read_sessions(out, sessions)) {
      (void)tmon_error_set_field(TMON_EINVAL, "sessions", "sessions must be \"all\" or at most %d ids", (int)TMON_SUBSCRIPTION_IDS);
      kind = about_tables ? TMON_SUBSCRIPTION_WRONG : TMON_SUBSCRIPTION_NOT_ONE;
    } else if (about_tables && read_tables(out, tables) != TMON_OK) {
      kind = TMON_SUBSCRIPTION_WRONG;
    }
  }
  if (kind != TMON_SUBSCRIPTION_GOOD) {
    tmon_subscription_free(out);
  }
  tmon_json_free(document);
  return kind;
}

void tmon_subscription_merge(tmon_subscription *into, tmon_subscription *said) {
  tmon_subscription old = {0};
  if (said->sessions_said) {
    old.ids = into->ids;
    into->ids = said->ids;
    into->id_count = said->id_count;
    into->chosen = said->chosen;
    said->ids = NULL;
  }
  if (said->tables_said) {
    old.wishes = into->wishes;
    old.wish_count = into->wish_count;
    into->wishes = said->wishes;
    into->wish_count = said->wish_count;
    said->wishes = NULL;
    said->wish_count = 0;
  }
  tmon_subscription_free(&old);
  tmon_subscription_free(said);
}

bool tmon_subscription_wants_session(const tmon_subscription *subscription, const char *id) {
  for (size_t i = 0; subscription->chosen && i < subscription->id_count; i++) {
    if (strcmp(subscription->ids[i], id) == 0) {
      return true;
    }
  }
  return !subscription->chosen;
}

bool tmon_subscription_wants_table(const tmon_subscription *subscription, const char *table) {
  for (size_t i = 0; i < subscription->wish_count; i++) {
    if (strcmp(subscription->wishes[i].table, table) == 0) {
      return true;
    }
  }
  return false;
}

/* Numbers by their value, texts by their bytes. False: they can't be compared. */
static bool compare(const tmon_json *value, const char *with, int *out) {
  const char *text = tmon_json_text(value);
  if (text != NULL) {
    *out = strcmp(text, with);
    return true;
  }
  if (tmon_json_type(value) != TMON_JSON_NUMBER) {
    return false;
  }
  char *end = NULL;
  double wanted = strtod(with, &end);
  double is = tmon_json_number(value, (double)NAN);
  *out = (is > wanted) - (is < wanted);
  return *with != '\0' && *end == '\0' && !isnan(wanted);
}

static bool passes(const tmon_wish *wish, const tmon_json *row) {
  const tmon_json *value = wish->column != NULL ? tmon_json_get(row, wish->column) : NULL;
  const char *with = wish->text;
  int order = 0;
  if (value == NULL) {
    return true;
  }
  if (wish->test == TMON_WISH_IN) {
    for (size_t i = 0; i < wish->count; i++, with += strlen(with) + 1) {
      if (compare(value, with, &order) && order == 0) {
        return true;
      }
    }
    return false;
  }
  if (!compare(value, with, &order)) {
    return false; /* as in SQL, nothing compares with NULL */
  }
  switch (wish->test) {
  case TMON_WISH_EQ: return order == 0;
  case TMON_WISH_NEQ: return order != 0;
  case TMON_WISH_GT: return order > 0;
  case TMON_WISH_GTE: return order >= 0;
  case TMON_WISH_LT: return order < 0;
  case TMON_WISH_LTE: return order <= 0;
  case TMON_WISH_ALL:
  case TMON_WISH_IN: break;
  }
  return true;
}

bool tmon_subscription_wants_row(const tmon_subscription *subscription, const char *table, const char *event, const tmon_json *row) {
  for (size_t i = 0; i < subscription->wish_count; i++) {
    const tmon_wish *wish = &subscription->wishes[i];
    if (strcmp(wish->table, table) == 0 && (wish->event[0] == '\0' || strcmp(wish->event, event) == 0) && passes(wish, row)) {
      return true;
    }
  }
  return false;
}
