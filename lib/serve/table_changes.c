/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Each row is read and written once, whoever asked for it; the log remembers for whom it is. */
#include "serve/table_changes.h"

#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/text.h"

#include <string.h>

enum { AT_ONCE = 100, TOO_FAR_BEHIND = 5000, MESSAGE_BYTES = 256 << 10 };

static const char *const tables[] = {"training_sessions", "training_metrics", "validation_results", "confusion_matrices", "model_benchmarks",
    "training_datasets", "hyperparameter_runs", "alerts", "images"};
enum { TABLES = sizeof tables / sizeof tables[0] };

void tmon_table_changes_begin(tmon_table_changes *changes, tmon_server *server) {
  if (!changes->followed && tmon_store_change_cursor(&changes->cursor, server->store) == TMON_OK) {
    tmon_rows_query query = {.size = sizeof query, .tables = &tables[TABLES - 1], .table_count = 1, .after = changes->cursor, .after_image = -1};
    tmon_json *reply = NULL;
    char *text = NULL;
    changes->image_cursor = -1;
    if (tmon_store_rows_json(&text, server->store, &query) == TMON_OK && tmon_json_parse(&reply, text, strlen(text)) == TMON_OK) {
      (void)tmon_json_int(tmon_json_get(reply, "image_cursor"), &changes->image_cursor);
    }
    tmon_json_free(reply);
    tmon_text_free(text);
    changes->followed = true;
  }
}

static size_t asked_for(const char *out[TABLES], const tmon_server *server) {
  size_t count = 0;
  for (size_t i = 0; i < TABLES; i++) {
    const tmon_client *client = server->clients;
    while (client != NULL && !tmon_subscription_wants_table(&client->wanted, tables[i])) {
      client = client->next;
    }
    if (client != NULL) {
      out[count++] = tables[i];
    }
  }
  return count;
}

/* False: nobody. */
static bool readers_of(tmon_update_readers *out, const tmon_server *server, const tmon_json *change) {
  const char *table = tmon_json_text(tmon_json_get(change, "table"));
  const char *event = tmon_json_text(tmon_json_get(change, "eventType"));
  const tmon_json *row = tmon_json_get(change, event != NULL && strcmp(event, "DELETE") == 0 ? "old" : "new");
  bool any = false;
  memset(out, 0, sizeof *out);
  for (const tmon_client *client = server->clients; client != NULL && table != NULL && event != NULL; client = client->next) {
    if (tmon_subscription_wants_row(&client->wanted, table, event, row)) {
      out->bits[client->slot / 64] |= UINT64_C(1) << client->slot % 64;
      any = true;
    }
  }
  return any;
}

static void add(tmon_update_log *log, const tmon_update_readers *readers, tmon_buffer *buffer) {
  size_t size = buffer->size;
  char *text = buffer->error == TMON_OK ? tmon_buffer_take(buffer) : NULL;
  if (text != NULL) {
    tmon_update_log_add_for(log, readers, text, size);
  }
  tmon_buffer_free(buffer);
}

static void put_object(tmon_json_writer *json, const char *key, const tmon_json *value) {
  char *text = tmon_json_print(value);
  if (text == NULL) {
    json->out->error = TMON_ENOMEM; /* rather no message than one without its row */
  }
  tmon_json_put_raw(json, key, text);
  tmon_free(text);
}

/* The shape of the first clients' notifications, whose `errors` says so when a row is too large. */
static void tell(tmon_update_log *log, const tmon_server *server, const tmon_json *change) {
  tmon_update_readers readers;
  tmon_buffer buffer;
  tmon_json_writer json;
  if (!readers_of(&readers, server, change)) {
    return;
  }
  tmon_buffer_init(&buffer, MESSAGE_BYTES);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", "table_change");
  tmon_json_put_text(&json, "eventType", tmon_json_text(tmon_json_get(change, "eventType")));
  tmon_json_put_text(&json, "schema", "public");
  tmon_json_put_text(&json, "table", tmon_json_text(tmon_json_get(change, "table")));
  tmon_json_put_text(&json, "commit_timestamp", tmon_json_text(tmon_json_get(change, "at")));
  put_object(&json, "new", tmon_json_get(change, "new"));
  put_object(&json, "old", tmon_json_get(change, "old"));
  tmon_json_put_raw(&json, "errors", tmon_json_bool(tmon_json_get(change, "whole"), true) ? NULL : "[\"Error 413: Payload Too Large\"]");
  tmon_json_close(&json, '}');
  add(log, &readers, &buffer);
}

static void tell_resync(tmon_update_log *log, const tmon_server *server, const char *const *names, size_t count) {
  tmon_update_readers readers = {{0}};
  tmon_buffer buffer;
  tmon_json_writer json;
  for (const tmon_client *client = server->clients; client != NULL; client = client->next) {
    if (client->wanted.wish_count > 0) {
      readers.bits[client->slot / 64] |= UINT64_C(1) << client->slot % 64;
    }
  }
  tmon_buffer_init(&buffer, 1024);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", "resync");
  tmon_json_put_null(&json, "session_id");
  tmon_json_open(&json, "tables", '[');
  for (size_t i = 0; i < count; i++) {
    tmon_json_put_text(&json, NULL, names[i]);
  }
  tmon_json_close(&json, ']');
  tmon_json_close(&json, '}');
  add(log, &readers, &buffer);
}

bool tmon_table_changes_tell(tmon_table_changes *changes, tmon_server *server, tmon_update_log *log) {
  const char *names[TABLES];
  tmon_rows_query query = {.size = sizeof query, .tables = names, .after = changes->cursor, .after_image = changes->image_cursor, .limit = AT_ONCE};
  tmon_json *reply = NULL;
  char *text = NULL;
  int64_t behind = 0;
  bool more = false;
  query.table_count = asked_for(names, server);
  changes->followed = changes->followed && query.table_count > 0;
  if (!changes->followed) {
    return false;
  }
  if (tmon_store_rows_json(&text, server->store, &query) != TMON_OK || tmon_json_parse(&reply, text, strlen(text)) != TMON_OK) {
    tmon_text_free(text);
    return false; /* a busy store: the next round tries again */
  }
  for (const tmon_json *change = tmon_json_first(tmon_json_get(reply, "changes")); change != NULL; change = tmon_json_next(change)) {
    tell(log, server, change);
  }
  more = tmon_json_bool(tmon_json_get(reply, "more"), false);
  (void)tmon_json_int(tmon_json_get(reply, "cursor"), &changes->cursor);
  (void)tmon_json_int(tmon_json_get(reply, "image_cursor"), &changes->image_cursor);
  (void)tmon_json_int(tmon_json_get(reply, "behind"), &behind);
  if (tmon_json_bool(tmon_json_get(reply, "resync"), false) || behind > TOO_FAR_BEHIND) {
    (void)tmon_store_change_cursor(&changes->cursor, server->store);
    tell_resync(log, server, names, query.table_count);
    more = false;
  }
  tmon_json_free(reply);
  tmon_text_free(text);
  return more;
}
