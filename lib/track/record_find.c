/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The statements of a list of sessions. They hold only the conditions that were asked for, so that SQLite can use an index for each of them; what
 * callers give is bound, never written into the text. The page is found first, from narrow rows, and only then are its wide rows read.
 */
#include "track/record.h"

#include "util/json.h"

#include <string.h>

#define LIST_DEFAULT 50
#define LIST_MAXIMUM 1000
#define LEASE_US 600000000
#define TEXT_BYTES 256
#define STATUSES 6

/* The columns in the order in which record_list.c takes them. A shell may have written tags that are none. */
#define COLUMNS                                                                                                                                                   \
  "s.id, s.session_name, s.model_type, s.dataset_name, s.config, s.hardware_info, s.model_path, s.error_message, s.best_metric, s.notes,"                         \
  " CASE WHEN json_valid(s.tags) AND json_type(s.tags) = 'array' THEN s.tags END, s.parent_id, s.dataset_size, s.epochs, s.batch_size, s.img_size, s.best_epoch," \
  " s.learning_rate, s.final_map50, s.final_map50_95, s.final_precision, s.final_recall, s.final_loss, s.duration_seconds, s.created_at, s.started_at,"           \
  " s.completed_at, s.updated_at, s.status, s.control, s.paused, s.rest, s.progress_epoch, s.progress_epochs, s.progress_batch, s.progress_batches,"              \
  " s.progress_images, s.progress_fraction, s.dropped, s.attempts, s.key, s.lease_at, (SELECT count(*) FROM training_sessions c WHERE c.parent_id = s.id),"       \
  " CASE WHEN json_valid(s.summary) AND json_type(s.summary) = 'object' THEN s.summary END"

static const char *const sort_columns[] = {"created_at", "started_at", "updated_at", "session_name COLLATE NOCASE", "status", "duration_seconds",
    "final_map50", "final_map50_95", "final_loss", "final_precision", "final_recall", "best_epoch"};
enum { SORTS = sizeof sort_columns / sizeof *sort_columns };

static int check_statuses(const tmon_record_filter *filter) {
  if (filter->by_status && (unsigned)filter->status > TMON_STATUS_INTERRUPTED) {
    return tmon_error_set_field(TMON_EINVAL, "status", "the status %d is none", (int)filter->status);
  }
  if (filter->status_count > STATUSES || (filter->status_count > 0 && filter->statuses == NULL)) {
    return tmon_error_set_field(TMON_EINVAL, "status", "%zu statuses, expected at most %d", filter->status_count, STATUSES);
  }
  for (size_t i = 0; i < filter->status_count; i++) {
    if ((unsigned)filter->statuses[i] > TMON_STATUS_INTERRUPTED) {
      return tmon_error_set_field(TMON_EINVAL, "status", "the status %d is none", (int)filter->statuses[i]);
    }
  }
  return TMON_OK;
}

static int check_texts(const tmon_record_filter *filter) {
  int result = tmon_check_text(filter->id, TMON_TEXT_MAXIMUM, "id");
  if (result == TMON_OK) result = tmon_check_text(filter->text, TEXT_BYTES, "text");
  if (result == TMON_OK) result = tmon_check_text(filter->model_type, TMON_TEXT_MAXIMUM, "model_type");
  if (result == TMON_OK) result = tmon_check_text(filter->dataset_name, TMON_TEXT_MAXIMUM, "dataset_name");
  if (result == TMON_OK) result = tmon_check_text(filter->tag, TMON_TEXT_MAXIMUM, "tag");
  if (result == TMON_OK && filter->parent_id != NULL && !tmon_id_is_valid(filter->parent_id)) {
    result = tmon_error_set_field(TMON_EINVAL, "parent_id", "\"%.64s\" is not the id of a session (a UUID)", filter->parent_id);
  }
  return result;
}

int tmon_record_filter_check(tmon_record_filter *out, const tmon_record_filter *given) {
  int result = tmon_options_copy(out, sizeof *out, given, "tmon_record_filter");
  if (result != TMON_OK) return result;
  if (out->limit < 0 || out->limit > LIST_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "limit", "limit is %lld, expected 1 to %d", (long long)out->limit, LIST_MAXIMUM);
  }
  if (out->limit == 0) out->limit = LIST_DEFAULT;
  if (out->lease_us < 0) return tmon_error_set(TMON_EINVAL, "lease_us is %lld, expected 0 or more", (long long)out->lease_us);
  if (out->lease_us == 0) out->lease_us = LEASE_US;
  if (out->offset < 0) return tmon_error_set_field(TMON_EINVAL, "offset", "offset is %lld, expected 0 or more", (long long)out->offset);
  if ((unsigned)out->sort >= SORTS) return tmon_error_set_field(TMON_EINVAL, "sort", "the sort order %d is none", (int)out->sort);
  result = check_statuses(out);
  return result == TMON_OK ? check_texts(out) : result;
}

/* Anything that holds `text`. */
static char *like(const char *text) {
  tmon_buffer pattern;
  tmon_buffer_init(&pattern, 2 * strlen(text) + 8);
  tmon_buffer_append_text(&pattern, "%");
  for (; *text != '\0'; text++) {
    if (*text == '%' || *text == '_' || *text == '\\') tmon_buffer_append_text(&pattern, "\\");
    tmon_buffer_append(&pattern, text, 1);
  }
  tmon_buffer_append_text(&pattern, "%");
  char *taken = tmon_buffer_take(&pattern);
  tmon_buffer_free(&pattern);
  return taken;
}

/* As text in quotes. */
static char *as_json(const char *text) {
  tmon_buffer out;
  tmon_json_writer json;
  tmon_buffer_init(&out, 65536);
  tmon_json_begin(&json, &out);
  tmon_json_put_text(&json, NULL, text);
  char *taken = tmon_buffer_take(&out);
  tmon_buffer_free(&out);
  return taken;
}

static int make_text_json(tmon_record_patterns *out, const char *text) {
  char *quoted = as_json(text);
  if (quoted == NULL) return tmon_error_no_memory();
  quoted[strlen(quoted) - 1] = '\0';
  out->text_json = like(quoted + 1);
  tmon_free(quoted);
  return out->text_json == NULL ? tmon_error_no_memory() : TMON_OK;
}

int tmon_record_patterns_make(tmon_record_patterns *out, const tmon_record_filter *filter) {
  memset(out, 0, sizeof *out);
  if (filter->tag != NULL && (out->tag_json = as_json(filter->tag)) == NULL) return tmon_error_no_memory();
  if (filter->text == NULL) return TMON_OK;
  out->text = like(filter->text);
  return out->text == NULL ? tmon_error_no_memory() : make_text_json(out, filter->text);
}

void tmon_record_patterns_free(tmon_record_patterns *patterns) {
  tmon_free(patterns->text);
  tmon_free(patterns->text_json);
  tmon_free(patterns->tag_json);
}

static void append_statuses(tmon_buffer *out, const tmon_record_filter *filter) {
  tmon_buffer_append_text(out, " AND status IN (");
  for (size_t i = 0; i < filter->status_count; i++) tmon_buffer_append_format(out, "%s'%s'", i == 0 ? "" : ", ", tmon_status_name(filter->statuses[i]));
  tmon_buffer_append_text(out, ")");
}

/* Taking JSON apart is slow, so the text is looked at first. */
#define IS_TAG "EXISTS (SELECT 1 FROM json_each(CASE WHEN json_valid(tags) THEN tags ELSE '[]' END) AS j WHERE j.value "

/* Parameters have fixed numbers; those of conditions that were not asked for are not in the text. */
static void append_conditions(tmon_buffer *out, const tmon_record_filter *filter) {
  tmon_buffer_append_text(out, " WHERE 1");
  if (filter->id != NULL) tmon_buffer_append_text(out, " AND id = ?1");
  if (filter->by_status) tmon_buffer_append_text(out, " AND status = ?2");
  if (filter->status_count > 0) append_statuses(out, filter);
  if (filter->active) tmon_buffer_append_text(out, " AND status IN ('pending', 'running')");
  if (filter->model_type != NULL) tmon_buffer_append_text(out, " AND model_type = ?3");
  if (filter->dataset_name != NULL) tmon_buffer_append_text(out, " AND dataset_name = ?4");
  if (filter->parent_id != NULL) tmon_buffer_append_text(out, " AND parent_id = ?5");
  if (filter->tag != NULL) tmon_buffer_append_text(out, " AND instr(tags, ?10) > 0 AND " IS_TAG "= ?6)");
  if (filter->text != NULL) {
    tmon_buffer_append_text(out,
        " AND (session_name LIKE ?7 ESCAPE '\\' OR model_type LIKE ?7 ESCAPE '\\' OR dataset_name LIKE ?7 ESCAPE '\\' OR notes LIKE ?7 ESCAPE '\\'"
        " OR (tags LIKE ?11 ESCAPE '\\' AND " IS_TAG "LIKE ?7 ESCAPE '\\')))");
  }
}

/* Where nothing is asked of a value that may be missing, the index gives the order as it is. */
static void append_order(tmon_buffer *out, const tmon_record_filter *filter) {
  const char *direction = filter->ascending ? "ASC" : "DESC";
  bool always = filter->sort == TMON_SORT_CREATED_AT || filter->sort == TMON_SORT_UPDATED_AT || filter->sort == TMON_SORT_SESSION_NAME ||
      filter->sort == TMON_SORT_STATUS;
  tmon_buffer_append_format(out, " ORDER BY %s %s%s, key %s", sort_columns[filter->sort], direction, always ? "" : " NULLS LAST", direction);
}

int tmon_record_find_sql(tmon_buffer *out, const tmon_record_filter *filter, bool count) {
  if (count) {
    tmon_buffer_append_text(out, "SELECT count(*) FROM training_sessions");
    append_conditions(out, filter);
  } else {
    tmon_buffer_append_text(
        out, "SELECT " COLUMNS " FROM (SELECT rowid AS page_row, row_number() OVER () AS place FROM (SELECT rowid FROM training_sessions");
    append_conditions(out, filter);
    append_order(out, filter);
    tmon_buffer_append_text(out, " LIMIT ?8 OFFSET ?9)) AS p CROSS JOIN training_sessions s ON s.rowid = p.page_row ORDER BY p.place");
  }
  return out->error == TMON_OK ? TMON_OK : tmon_error_no_memory();
}

int tmon_record_find(tmon_row **out, tmon_tx *tx, const tmon_record_filter *filter, const tmon_record_patterns *patterns, bool count) {
  tmon_buffer sql;
  tmon_buffer_init(&sql, 16384);
  int result = tmon_record_find_sql(&sql, filter, count);
  if (result == TMON_OK) result = tmon_tx_prepare_once(out, tx, (const char *)sql.data);
  tmon_buffer_free(&sql);
  if (result != TMON_OK) return result;
  if (filter->id != NULL) tmon_bind_text(*out, 1, filter->id);
  if (filter->by_status) tmon_bind_text(*out, 2, tmon_status_name(filter->status));
  if (filter->model_type != NULL) tmon_bind_text(*out, 3, filter->model_type);
  if (filter->dataset_name != NULL) tmon_bind_text(*out, 4, filter->dataset_name);
  if (filter->parent_id != NULL) tmon_bind_text(*out, 5, filter->parent_id);
  if (filter->tag != NULL) {
    tmon_bind_text(*out, 6, filter->tag);
    tmon_bind_text(*out, 10, patterns->tag_json);
  }
  if (filter->text != NULL) {
    tmon_bind_text(*out, 7, patterns->text);
    tmon_bind_text(*out, 11, patterns->text_json);
  }
  if (count) return TMON_OK;
  tmon_bind_int(*out, 8, filter->active ? -1 : filter->limit);
  tmon_bind_int(*out, 9, filter->active ? 0 : filter->offset);
  return TMON_OK;
}
