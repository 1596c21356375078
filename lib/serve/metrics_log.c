/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Lines of metrics: TIME epoch session=ID name="…" epoch=3 total_loss=0.5, and TIME finished session=ID … status=completed. */
#include "serve/metrics_log.h"

#include "trainmon/error.h"
#include "trainmon/record.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#include <stdio.h>
#include <string.h>

enum { LOOK_US = 250000, AT_ONCE = 1000, ROUNDS = 8, FIGURES_BYTES = 3000, NAME_BYTES = 400 };

int tmon_metrics_log_open(tmon_metrics_log *log, const char *folder) {
  memset(log, 0, sizeof *log);
  int code = tmon_log_file_open(&log->file, folder, "metrics.log");
  if (code == TMON_OK && folder != NULL) {
    log->open = tmon_alloc_zero(TMON_METRICS_LOG_OPEN, sizeof *log->open);
    code = log->open != NULL ? TMON_OK : tmon_error_no_memory();
  }
  return code;
}

static size_t find(const tmon_metrics_log *log, const char *id) {
  size_t i = 0;
  while (i < log->open_count && strcmp(log->open[i], id) != 0) {
    i++;
  }
  return i;
}

static void forget(tmon_metrics_log *log, size_t i) { memmove(log->open + i, log->open + i + 1, (--log->open_count - i) * sizeof *log->open); }

static void remember(tmon_metrics_log *log, const char *id) {
  if (find(log, id) == log->open_count) {
    if (log->open_count == TMON_METRICS_LOG_OPEN) {
      forget(log, 0);
    }
    (void)tmon_text_copy(log->open[log->open_count++], sizeof *log->open, id);
  }
}

static void start(tmon_metrics_log *log, tmon_store *store) {
  tmon_record_filter filter = {.size = sizeof filter, .active = true, .limit = 1000};
  tmon_record_list *list = NULL;
  tmon_record record;
  /* The cursor first: what begins in between is then seen as changed. */
  log->started = tmon_store_change_cursor(&log->cursor, store) == TMON_OK && tmon_record_list_open(&list, store, &filter) == TMON_OK;
  while (log->started && tmon_record_list_next(list, &record) == TMON_OK) {
    remember(log, record.id);
  }
  tmon_record_list_free(list);
}

static void put(char *out, size_t *used, size_t *left_out, const char *key, const char *value) {
  char name[NAME_BYTES];
  tmon_log_file_escape(name, sizeof name, key);
  const char *const parts[] = {" ", name, "=", value};
  if (*used + strlen(name) + strlen(value) + 2 >= FIGURES_BYTES) {
    ++*left_out;
    return;
  }
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    size_t size = strlen(parts[i]);
    memcpy(out + *used, parts[i], size + 1);
    *used += size;
  }
}

/* The numbers of `from` that are known, and those of its `extra`, as " key=value". */
static void put_figures(char *out, size_t *used, size_t *left_out, const tmon_json *from) {
  for (const tmon_json *item = tmon_json_first(from); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    if (tmon_json_type(item) == TMON_JSON_NUMBER && strcmp(key, "id") != 0 && strcmp(key, "epoch") != 0) {
      char *value = tmon_json_print(item);
      put(out, used, left_out, key, value != NULL ? value : "?");
      tmon_free(value);
    } else if (strcmp(key, "extra") == 0) {
      put_figures(out, used, left_out, item);
    }
  }
}

static void name_of(char *out, size_t size, tmon_store *store, const char *id) {
  tmon_record_filter filter = {.size = sizeof filter, .id = id, .limit = 1};
  tmon_record_list *list = NULL;
  tmon_record record;
  out[0] = '\0';
  if (tmon_record_list_open(&list, store, &filter) == TMON_OK && tmon_record_list_next(list, &record) == TMON_OK) {
    tmon_log_file_escape(out, size, record.name);
  }
  tmon_record_list_free(list);
}

static void end_line(char *figures, size_t used, size_t left_out) {
  if (left_out > 0) {
    (void)snprintf(figures + used, 40, " left_out=%zu", left_out);
  }
}

static void write_epoch(tmon_metrics_log *log, tmon_store *store, const tmon_json *row) {
  char figures[FIGURES_BYTES + 40] = "";
  char name[NAME_BYTES];
  size_t used = 0;
  size_t left_out = 0;
  int64_t epoch = 0;
  const char *id = tmon_json_text(tmon_json_get(row, "session_id"));
  if (id == NULL || !tmon_json_int(tmon_json_get(row, "epoch"), &epoch)) {
    return; /* too large a row to be told, or deleted */
  }
  name_of(name, sizeof name, store, id);
  put_figures(figures, &used, &left_out, row);
  end_line(figures, used, left_out);
  tmon_log_file_line(&log->file, "epoch session=%.36s name=\"%s\" epoch=%lld%s", id, name, (long long)epoch, figures);
}

static void write_end(tmon_metrics_log *log, const tmon_json *row, bool created) {
  static const char *const told[] = {
      "epochs", "best_epoch", "duration_seconds", "final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss"};
  const char *id = tmon_json_text(tmon_json_get(row, "id"));
  const char *status = tmon_json_text(tmon_json_get(row, "status"));
  const char *name = tmon_json_text(tmon_json_get(row, "session_name"));
  char figures[FIGURES_BYTES + 40] = "";
  char escaped[NAME_BYTES];
  size_t used = 0;
  size_t left_out = 0;
  if (id == NULL || status == NULL || strcmp(status, "pending") == 0 || strcmp(status, "running") == 0) {
    if (id != NULL && status != NULL) {
      remember(log, id);
    }
    return;
  }
  size_t place = find(log, id);
  if (place == log->open_count && !created) {
    return; /* it ended before; this is a change of its name or notes */
  }
  if (place < log->open_count) {
    forget(log, place);
  }
  for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
    const tmon_json *value = tmon_json_get(row, told[i]);
    char *text = tmon_json_type(value) == TMON_JSON_NUMBER ? tmon_json_print(value) : NULL;
    if (text != NULL) {
      put(figures, &used, &left_out, told[i], text);
    }
    tmon_free(text);
  }
  tmon_log_file_escape(escaped, sizeof escaped, name != NULL ? name : "");
  tmon_log_file_line(&log->file, "finished session=%.36s name=\"%s\" status=%s%s", id, escaped, status, figures);
}

static void write_changes(tmon_metrics_log *log, tmon_store *store, const tmon_json *changes, bool sessions) {
  for (const tmon_json *change = tmon_json_first(changes); change != NULL; change = tmon_json_next(change)) {
    const char *table = tmon_json_text(tmon_json_get(change, "table"));
    const char *event = tmon_json_text(tmon_json_get(change, "eventType"));
    if (table == NULL || event == NULL || strcmp(event, "DELETE") == 0 || (strcmp(table, "training_sessions") == 0) != sessions) {
      continue;
    }
    if (sessions) {
      write_end(log, tmon_json_get(change, "new"), strcmp(event, "INSERT") == 0);
    } else {
      write_epoch(log, store, tmon_json_get(change, "new"));
    }
  }
}

/* True: there is more. */
static bool take(tmon_metrics_log *log, tmon_store *store) {
  static const char *const tables[] = {"training_sessions", "training_metrics"};
  tmon_rows_query query = {.size = sizeof query, .tables = tables, .table_count = 2, .after = log->cursor, .limit = AT_ONCE};
  tmon_json *reply = NULL;
  char *text = NULL;
  bool more = false;
  if (tmon_store_rows_json(&text, store, &query) == TMON_OK && tmon_json_parse(&reply, text, strlen(text)) == TMON_OK) {
    /* A session's end goes behind its epochs, though its row may have changed before them. */
    write_changes(log, store, tmon_json_get(reply, "changes"), false);
    write_changes(log, store, tmon_json_get(reply, "changes"), true);
    (void)tmon_json_int(tmon_json_get(reply, "cursor"), &log->cursor);
    more = tmon_json_bool(tmon_json_get(reply, "more"), false);
    if (tmon_json_bool(tmon_json_get(reply, "resync"), false)) {
      tmon_log_file_line(&log->file, "forgotten");
    }
  }
  tmon_json_free(reply);
  tmon_text_free(text);
  return more;
}

void tmon_metrics_log_tick(tmon_metrics_log *log, tmon_store *store, int64_t monotonic_us) {
  int64_t cursor = 0;
  if (log->file.path == NULL) {
    return;
  }
  if (!log->started) {
    start(log, store);
  } else if (monotonic_us - log->looked_us >= LOOK_US) {
    log->looked_us = monotonic_us;
    if (tmon_store_change_cursor(&cursor, store) == TMON_OK && cursor != log->cursor) {
      (void)take(log, store);
    }
  }
  tmon_log_file_flush(&log->file, monotonic_us, false);
}

void tmon_metrics_log_close(tmon_metrics_log *log, tmon_store *store) {
  for (int i = 0; log->file.path != NULL && log->started && i < ROUNDS && take(log, store); i++) {
    tmon_log_file_flush(&log->file, 0, true);
  }
  tmon_log_file_close(&log->file);
  tmon_free(log->open);
  log->open = NULL;
}
