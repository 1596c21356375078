/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which rows changed after a cursor, and what they hold now: the feed of changes for those who follow whole tables. */
#include "track/track.h"

#include "util/buffer.h"
#include "util/json.h"

#include <stdlib.h>
#include <string.h>

#define ROWS_DEFAULT 100
#define ROWS_MAXIMUM 1000
/* A call looks at so many changes at most: the feed holds 100,000. */
#define CHANGES_AT_ONCE 10000
/* Of one row; a larger one is given by its id alone. Of a call: it ends early, with "more". */
#define ROW_BYTES ((size_t)64 << 10)
#define CALL_BYTES ((size_t)1 << 20)
#define TEXT_BYTES (CALL_BYTES + 2 * ROW_BYTES)

typedef enum column_kind { INT, REAL, TEXT, JSON, TIME, SESSION } column_kind;

typedef struct column {
  const char *name;
  column_kind kind;
} column;

static const column training_sessions[] = {{"id", TEXT}, {"session_name", TEXT}, {"model_type", TEXT}, {"dataset_name", TEXT}, {"dataset_size", INT},
    {"epochs", INT}, {"batch_size", INT}, {"learning_rate", REAL}, {"img_size", INT}, {"config", JSON}, {"hardware_info", JSON}, {"status", TEXT},
    {"started_at", TEXT}, {"completed_at", TEXT}, {"duration_seconds", REAL}, {"best_epoch", INT}, {"best_metric", TEXT}, {"final_map50", REAL},
    {"final_map50_95", REAL}, {"final_precision", REAL}, {"final_recall", REAL}, {"final_loss", REAL}, {"model_path", TEXT}, {"error_message", TEXT},
    {"created_at", TEXT}, {"updated_at", TEXT}, {"paused", INT}, {"control", INT}, {"rest", INT}, {"progress_epoch", INT}, {"progress_epochs", INT},
    {"progress_batch", INT}, {"progress_batches", INT}, {"progress_images", INT}, {"progress_fraction", REAL}, {"dropped", INT}, {"attempts", INT},
    {"notes", TEXT}, {"tags", JSON}, {"parent_id", TEXT}, {"summary", JSON}};
static const column training_metrics[] = {{"id", INT}, {"session_id", TEXT}, {"epoch", INT}, {"box_loss", REAL}, {"cls_loss", REAL}, {"dfl_loss", REAL},
    {"total_loss", REAL}, {"precision", REAL}, {"recall", REAL}, {"map50", REAL}, {"map50_95", REAL}, {"learning_rate", REAL},
    {"epoch_time_seconds", REAL}, {"gpu_memory_mb", REAL}, {"val_loss", REAL}, {"train_accuracy", REAL}, {"val_accuracy", REAL}, {"extra", JSON},
    {"created_at", TEXT}, {"updated_at", TEXT}};
static const column validation_results[] = {{"id", INT}, {"session_id", TEXT}, {"epoch", INT}, {"dataset_split", TEXT}, {"class_name", TEXT},
    {"class_group", TEXT}, {"images", INT}, {"instances", INT}, {"support", INT}, {"accuracy", REAL}, {"precision", REAL}, {"recall", REAL},
    {"f1_score", REAL}, {"sensitivity", REAL}, {"specificity", REAL}, {"auc_roc", REAL}, {"map50", REAL}, {"map50_95", REAL}, {"extra", JSON},
    {"created_at", TEXT}, {"updated_at", TEXT}};
static const column confusion_matrices[] = {{"id", INT}, {"session_id", TEXT}, {"epoch", INT}, {"dataset_split", TEXT}, {"classes", INT},
    {"class_names", JSON}, {"class_groups", JSON}, {"extra", JSON}, {"created_at", TEXT}, {"updated_at", TEXT}};
static const column model_benchmarks[] = {{"id", INT}, {"session_id", TEXT}, {"model_name", TEXT}, {"model_path", TEXT}, {"device", TEXT},
    {"batch_size", INT}, {"img_size", INT}, {"runs", INT}, {"avg_inference_ms", REAL}, {"min_inference_ms", REAL}, {"max_inference_ms", REAL},
    {"p50_inference_ms", REAL}, {"p95_inference_ms", REAL}, {"p99_inference_ms", REAL}, {"throughput_fps", REAL}, {"memory_mb", REAL}, {"extra", JSON},
    {"created_at", TEXT}};
static const column training_datasets[] = {{"id", INT}, {"name", TEXT}, {"version", TEXT}, {"description", TEXT}, {"path", TEXT}, {"format", TEXT},
    {"total_images", INT}, {"train_images", INT}, {"val_images", INT}, {"test_images", INT}, {"num_classes", INT}, {"class_names", JSON},
    {"statistics", JSON}, {"extra", JSON}, {"created_at", TEXT}, {"updated_at", TEXT}};
static const column hyperparameter_runs[] = {{"id", INT}, {"experiment_name", TEXT}, {"session_id", TEXT}, {"trial", INT}, {"parameters", JSON},
    {"search_space", JSON}, {"objective", TEXT}, {"objective_value", REAL}, {"direction", TEXT}, {"status", TEXT}, {"extra", JSON}, {"started_at", TEXT},
    {"completed_at", TEXT}, {"created_at", TEXT}, {"updated_at", TEXT}};
static const column alerts[] = {{"id", INT}, {"session_id", SESSION}, {"rule", TEXT}, {"type", TEXT}, {"severity", TEXT}, {"metric", TEXT}, {"step", INT},
    {"value", REAL}, {"threshold", REAL}, {"message", TEXT}, {"time", TIME}, {"recovered_at", TIME}, {"recovered_step", INT}, {"acknowledged_at", TIME}};
static const column images[] = {{"id", INT}, {"session_id", SESSION}, {"name", TEXT}, {"step", INT}, {"epoch", INT}, {"time", TIME},
    {"content_hash", TEXT}, {"media_type", TEXT}, {"bytes", INT}, {"width", INT}, {"height", INT}, {"caption", TEXT}, {"prediction", TEXT},
    {"label", TEXT}, {"score", REAL}, {"boxes", JSON}};

typedef struct table {
  const char *name;
  const column *columns;
  size_t count;
  const char *made; /* NULL: the feed tells of it; else how new rows are found by their id, which only grows */
} table;

#define TABLE(name, made)                                                                                                                                 \
  { #name, name, sizeof(name) / sizeof *(name), made }
static const table tables[] = {
    TABLE(training_sessions, NULL),
    TABLE(training_metrics, NULL),
    TABLE(validation_results, NULL),
    TABLE(confusion_matrices, NULL),
    TABLE(model_benchmarks, NULL),
    TABLE(training_datasets, NULL),
    TABLE(hyperparameter_runs, NULL),
    TABLE(alerts, NULL),
    /* Pictures come and go all the time, so the feed does not tell of them. */
    TABLE(images, "SELECT id FROM images WHERE id > ?1 ORDER BY id LIMIT ?2"),
};
#define TABLES (sizeof tables / sizeof *tables)

/* One call in progress. */
typedef struct reader {
  tmon_tx *tx;
  tmon_json_writer json;
  tmon_buffer text;       /* the reply */
  tmon_buffer one;        /* a row */
  tmon_row *rows[TABLES]; /* statements that read one row, made when they are needed */
  bool asked[TABLES];
  int64_t limit;
  int64_t count;
} reader;

static const table *find_table(const char *name) {
  for (size_t i = 0; name != NULL && i < TABLES; i++) {
    if (strcmp(tables[i].name, name) == 0) return &tables[i];
  }
  return NULL;
}

const char *tmon_table_column(const char *name, size_t index) {
  const table *found = find_table(name);
  return found != NULL && index < found->count ? found->columns[index].name : NULL;
}

static int prepare(tmon_row **out, tmon_tx *tx, const table *of) {
  tmon_buffer sql;
  tmon_buffer_init(&sql, 4096);
  for (size_t i = 0; i < of->count; i++) {
    const column *is = &of->columns[i];
    (void)tmon_buffer_append_format(&sql, i == 0 ? "SELECT %s%s" : ", %s%s",
        is->kind == SESSION ? "(SELECT s.id FROM training_sessions s WHERE s.key = t.session) AS " : "t.", is->name);
  }
  (void)tmon_buffer_append_format(&sql, " FROM %s t WHERE t.id = ?1", of->name);
  int result = sql.error == TMON_OK ? tmon_tx_prepare_once(out, tx, (const char *)sql.data) : tmon_error_no_memory();
  tmon_buffer_free(&sql);
  return result;
}

static void put_value(tmon_json_writer *json, const column *of, tmon_row *row, int index) {
  const char *text = tmon_row_is_null(row, index) ? NULL : tmon_row_text(row, index);
  char time[TMON_ISO_TIME_BYTES];
  if (text == NULL) {
    tmon_json_put_null(json, of->name);
    return;
  }
  switch (of->kind) {
  case INT: tmon_json_put_int(json, of->name, tmon_row_int(row, index)); return;
  case REAL: tmon_json_put_double(json, of->name, tmon_row_double(row, index)); return;
  case TIME:
    tmon_text_from_time(time, tmon_row_int(row, index));
    tmon_json_put_text(json, of->name, time);
    return;
  case JSON:
    /* A row may be anybody's. */
    if (tmon_json_check(text, strlen(text)) == TMON_OK) {
      tmon_json_put_raw(json, of->name, text);
      return;
    }
    break;
  case TEXT:
  case SESSION: break;
  }
  tmon_json_put_text(json, of->name, text);
}

static void put_id(tmon_json_writer *json, const char *key, const table *of, const char *id) {
  tmon_json_open(json, key, '{');
  if (of->columns[0].kind == INT) tmon_json_put_int(json, "id", strtoll(id, NULL, 10));
  else tmon_json_put_text(json, "id", id);
  tmon_json_close(json, '}');
}

/* Into `one`, empty when it is larger than a row may be. TMON_DONE: there is no such row. */
static int read_row(reader *to, size_t index, const char *id) {
  const table *of = &tables[index];
  tmon_json_writer json;
  int result = to->rows[index] != NULL ? TMON_OK : prepare(&to->rows[index], to->tx, of);
  if (result != TMON_OK) return result;
  tmon_row *row = to->rows[index];
  tmon_row_reset(row);
  tmon_bind_text(row, 1, id);
  if ((result = tmon_row_step(row)) != TMON_OK) return result;
  tmon_buffer_clear(&to->one);
  tmon_json_begin(&json, &to->one);
  tmon_json_open(&json, NULL, '{');
  for (size_t i = 0; i < of->count; i++) put_value(&json, &of->columns[i], row, (int)i);
  tmon_json_close(&json, '}');
  tmon_row_reset(row);
  if (to->one.error == TMON_ENOMEM) return tmon_error_no_memory();
  if (to->one.error != TMON_OK) tmon_buffer_clear(&to->one);
  return TMON_OK;
}

static int put_change(reader *to, size_t index, const char *op, const char *id, const char *at) {
  const table *of = &tables[index];
  tmon_json_writer *json = &to->json;
  bool gone = strcmp(op, "DELETE") == 0;
  int result = gone ? TMON_OK : read_row(to, index, id);
  if (result == TMON_DONE) return TMON_OK; /* deleted since; that is told later */
  if (result != TMON_OK) return result;
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "table", of->name);
  tmon_json_put_text(json, "eventType", op);
  tmon_json_put_text(json, "at", at);
  bool whole = gone || to->one.size > 0;
  if (gone) tmon_json_put_raw(json, "new", "{}");
  else if (whole) tmon_json_put_raw(json, "new", (const char *)to->one.data);
  else put_id(json, "new", of, id);
  if (strcmp(op, "INSERT") == 0) tmon_json_put_raw(json, "old", "{}");
  else put_id(json, "old", of, id);
  tmon_json_put_bool(json, "whole", whole);
  tmon_json_close(json, '}');
  to->count++;
  return TMON_OK;
}

static bool is_full(const reader *of) { return of->count >= of->limit || of->text.size >= CALL_BYTES; }

/* A row is told once, where it first changed, so that a call may end between any two: what changed again later is told again. */
static int put_fed(reader *to, int64_t after, int64_t *until) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, to->tx,
      "SELECT table_name, row_id, min(seq), max(op = 'INSERT'), max(CASE op WHEN 'DELETE' THEN seq END) IS max(seq), max(at) FROM changes"
      " WHERE seq > ?1 AND seq <= ?2 GROUP BY table_name, row_id ORDER BY min(seq)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, after);
  tmon_bind_int(row, 2, *until);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    const table *of = find_table(tmon_row_text(row, 0));
    size_t index = of != NULL ? (size_t)(of - tables) : 0;
    if (of == NULL || !to->asked[index]) continue;
    if (is_full(to)) {
      *until = tmon_row_int(row, 2) - 1;
      break;
    }
    const char *op = tmon_row_int(row, 4) != 0 ? "DELETE" : tmon_row_int(row, 3) != 0 ? "INSERT" : "UPDATE";
    if ((result = put_change(to, index, op, tmon_row_text(row, 1), tmon_row_text(row, 5))) != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int newest(int64_t *out, tmon_tx *tx) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT coalesce(max(id), 0) FROM images");
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result != TMON_OK) return result;
  *out = tmon_row_int(row, 0);
  tmon_row_reset(row);
  return TMON_OK;
}

static int put_made(reader *to, size_t index, int64_t *after, bool *more) {
  tmon_row *row = NULL;
  char at[TMON_ISO_TIME_BYTES];
  int64_t last = 0;
  int result = newest(&last, to->tx);
  /* -1: from now on. Beyond the end: of another store. */
  if (result == TMON_OK && (*after < 0 || *after > last)) *after = last;
  if (result == TMON_OK) result = tmon_tx_prepare(&row, to->tx, tables[index].made);
  if (result != TMON_OK) return result;
  tmon_text_from_time(at, tmon_clock_now_us());
  tmon_bind_int(row, 1, *after);
  tmon_bind_int(row, 2, to->limit);
  while (!is_full(to) && (result = tmon_row_step(row)) == TMON_OK) {
    if ((result = put_change(to, index, "INSERT", tmon_row_text(row, 0), at)) != TMON_OK) break;
    *after = tmon_row_int(row, 0);
  }
  tmon_row_reset(row);
  *more = *more || *after < last;
  return result == TMON_DONE ? TMON_OK : result;
}

static int put_all(reader *to, int64_t after, int64_t after_image) {
  int64_t first = 0;
  int64_t last = 0;
  bool more = false;
  int result = tmon_change_bounds(to->tx, &first, &last);
  if (result != TMON_OK) return result;
  /* What was forgotten can't be told, and what came after it would be a part of the truth: whoever is told so reads anew, and goes on from here. */
  bool lost = after > last || (first > 0 && after < first - 1);
  int64_t until = !lost && last - after > CHANGES_AT_ONCE ? after + CHANGES_AT_ONCE : last;
  tmon_json_open(&to->json, NULL, '{');
  tmon_json_open(&to->json, "changes", '[');
  if (!lost) result = put_fed(to, after, &until);
  for (size_t i = 0; result == TMON_OK && i < TABLES; i++) {
    if (tables[i].made != NULL && to->asked[i]) result = put_made(to, i, &after_image, &more);
  }
  tmon_json_close(&to->json, ']');
  tmon_json_put_int(&to->json, "cursor", until);
  tmon_json_put_int(&to->json, "image_cursor", after_image);
  tmon_json_put_int(&to->json, "behind", last - until);
  tmon_json_put_bool(&to->json, "resync", lost);
  tmon_json_put_bool(&to->json, "more", more || until < last);
  tmon_json_close(&to->json, '}');
  return result;
}

static int check(reader *to, const tmon_rows_query *query) {
  if (query->limit < 0 || query->limit > ROWS_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "limit", "limit is %lld, expected 0 to %d", (long long)query->limit, ROWS_MAXIMUM);
  }
  if (query->after < 0) return tmon_error_set_field(TMON_EINVAL, "after", "after is %lld, expected 0 or more", (long long)query->after);
  if (query->tables == NULL && query->table_count > 0) return tmon_error_set_field(TMON_EINVAL, "tables", "tables is NULL");
  for (size_t i = 0; i < query->table_count; i++) {
    const table *of = find_table(query->tables[i]);
    if (of == NULL) {
      return tmon_error_set_field(
          TMON_EINVAL, "tables", "there is no table %.64s that can be followed", query->tables[i] != NULL ? query->tables[i] : "NULL");
    }
    to->asked[of - tables] = true;
  }
  to->limit = query->limit == 0 ? ROWS_DEFAULT : query->limit;
  return TMON_OK;
}

int tmon_store_rows_json(char **out, tmon_store *store, const tmon_rows_query *given) {
  tmon_rows_query query;
  reader to = {.count = 0};
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  if (given == NULL) return tmon_error_set(TMON_EINVAL, "query is NULL");
  tmon_buffer_init(&to.text, TEXT_BYTES);
  tmon_buffer_init(&to.one, ROW_BYTES);
  tmon_json_begin(&to.json, &to.text);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_options_copy(&query, sizeof query, given, "tmon_rows_query");
  if (result == TMON_OK) result = check(&to, &query);
  if (result == TMON_OK) result = tmon_tx_begin(&to.tx, store->db, false, -1);
  if (result == TMON_OK) result = put_all(&to, query.after, query.after_image);
  for (size_t i = 0; i < TABLES; i++) tmon_row_free(to.rows[i]);
  tmon_tx_abort(to.tx);
  if (result == TMON_OK && to.text.error != TMON_OK) result = tmon_error_set(to.text.error, "the changes do not fit in memory");
  if (result == TMON_OK && (*out = tmon_buffer_take(&to.text)) == NULL) result = tmon_error_no_memory();
  tmon_buffer_free(&to.one);
  tmon_buffer_free(&to.text);
  return result;
}
