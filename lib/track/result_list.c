/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Listing results as JSON. */
#include "track/result.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAXIMUM = 1000 };

static int no_filter(const tmon_result_table *table, const char *name) {
  return tmon_error_set_field(TMON_EINVAL, name, "%s can't be listed by %s", table->plural, name);
}

/* Filters that the kind does not have would be ignored silently. */
static int check_kind(const tmon_result_table *table, const tmon_result_filter *filter) {
  bool epochs = (table->filters & TMON_FILTER_EPOCH) != 0;
  if (filter->session_id != NULL && !(table->filters & TMON_FILTER_SESSION)) return no_filter(table, "session_id");
  if (filter->by_epoch && !epochs) return no_filter(table, "epoch");
  if (filter->latest && !epochs) return no_filter(table, "latest");
  if (filter->dataset_split != NULL && !epochs) return no_filter(table, "dataset_split");
  if (filter->class_name != NULL && !(table->filters & TMON_FILTER_CLASS)) return no_filter(table, "class_name");
  if (filter->experiment_name != NULL && !(table->filters & TMON_FILTER_EXPERIMENT)) return no_filter(table, "experiment_name");
  if (filter->name != NULL && !(table->filters & TMON_FILTER_NAME)) return no_filter(table, "name");
  if (filter->no_matrix && !(table->filters & TMON_FILTER_MATRIX)) return no_filter(table, "no_matrix");
  return TMON_OK;
}

static int check_text(const char *text, const char *name) {
  int result = tmon_check_text(text, TMON_TEXT_MAXIMUM, name);
  return result == TMON_OK ? TMON_OK : tmon_error_set_field(result, name, "%s", tmon_error_message());
}

static int check_filter(tmon_result_filter *out, const tmon_result_filter *given, const tmon_result_table *table) {
  int result = tmon_options_copy(out, sizeof *out, given, "tmon_result_filter");
  if (result == TMON_OK) result = check_kind(table, out);
  if (result != TMON_OK) return result;
  if (out->limit < 0 || out->limit > LIMIT_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "limit", "limit is %lld, expected 1 to %d", (long long)out->limit, LIMIT_MAXIMUM);
  }
  if (out->limit == 0) out->limit = LIMIT_DEFAULT;
  if (out->offset < 0) return tmon_error_set_field(TMON_EINVAL, "offset", "offset is %lld, expected 0 or more", (long long)out->offset);
  if (out->id < 0) return tmon_error_set_field(TMON_EINVAL, "id", "id is %lld, expected 0 or more", (long long)out->id);
  if (out->since < 0) return tmon_error_set_field(TMON_EINVAL, "since", "since is %lld, expected 0 or more", (long long)out->since);
  if (out->by_epoch && out->epoch < -1) return tmon_error_set_field(TMON_EINVAL, "epoch", "epoch is %lld, expected -1 or more", (long long)out->epoch);
  if ((out->by_epoch || out->latest) && out->session_id == NULL) {
    return tmon_error_set_field(TMON_EINVAL, "session_id", "an epoch is one of a session: session_id is missing");
  }
  if (out->session_id != NULL && tmon_check_id(out->session_id) != TMON_OK) {
    return tmon_error_set_field(TMON_EINVAL, "session_id", "%s", tmon_error_message());
  }
  result = check_text(out->dataset_split, "dataset_split");
  if (result == TMON_OK) result = check_text(out->class_name, "class_name");
  if (result == TMON_OK) result = check_text(out->experiment_name, "experiment_name");
  return result == TMON_OK ? check_text(out->name, "name") : result;
}

/* Validation results may come from matrices, so those count for all kinds. */
static int check_since(tmon_tx *tx, const tmon_result_table *table, int64_t since) {
  static const char *const names[] = {"validation_results", "confusion_matrices", "model_benchmarks", "training_datasets", "hyperparameter_runs"};
  tmon_row *row = NULL;
  if (since == 0) return TMON_OK;
  int result = tmon_tx_prepare(&row, tx, "SELECT 1 FROM changes WHERE seq > ?1 AND table_name IN (?2, 'confusion_matrices') LIMIT 1");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, since);
  tmon_bind_text(row, 2, names[table - tmon_result_table_of(TMON_RESULT_VALIDATION)]);
  result = tmon_row_step(row);
  tmon_row_reset(row);
  return result;
}

static const char *select_of(const tmon_result_table *table, const tmon_result_filter *filter) {
  if (filter->id != 0) return table->select_id;
  if (filter->experiment_name != NULL || (filter->name != NULL && table->select_named != NULL)) return table->select_named;
  if (filter->session_id != NULL) return filter->by_epoch ? table->select_epoch : table->select_session;
  return table->select_all;
}

static void bind_filter(tmon_row *row, const tmon_result_table *table, const tmon_result_filter *filter) {
  const char *sql = select_of(table, filter);
  if (sql == table->select_id) tmon_bind_int(row, TMON_BY_KEY, filter->id);
  else if (sql == table->select_named) tmon_bind_text(row, TMON_BY_KEY, filter->experiment_name != NULL ? filter->experiment_name : filter->name);
  else tmon_bind_text(row, TMON_BY_KEY, filter->session_id);
  if (filter->by_epoch && filter->epoch >= 0) tmon_bind_int(row, TMON_BY_EPOCH, filter->epoch);
  tmon_bind_text(row, TMON_BY_SPLIT, filter->dataset_split);
  tmon_bind_text(row, TMON_BY_CLASS, filter->class_name);
  tmon_bind_text(row, TMON_BY_NAME, filter->name);
  tmon_bind_text(row, TMON_BY_SESSION, filter->session_id);
  tmon_bind_int(row, TMON_BY_LIMIT, filter->limit);
  tmon_bind_int(row, TMON_BY_OFFSET, filter->offset);
}

static int put_rows(tmon_json_writer *json, tmon_tx *tx, const tmon_result_table *table, const tmon_result_filter *filter, int64_t *count) {
  bool validation = (table->filters & TMON_FILTER_CLASS) != 0;
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, select_of(table, filter));
  if (result != TMON_OK) return result;
  bind_filter(row, table, filter);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_json_open(json, NULL, '{');
    if (table->filters & TMON_FILTER_MATRIX) result = tmon_confusion_put(json, row, filter->no_matrix);
    else tmon_result_put(json, table, row);
    if (validation) tmon_json_put_bool(json, "derived", false);
    tmon_json_close(json, '}');
    (*count)++;
    if (result != TMON_OK || json->out->error != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int put_list(tmon_buffer *out, tmon_tx *tx, const tmon_result_table *table, tmon_result_filter *filter) {
  bool merged = (table->filters & TMON_FILTER_CLASS) != 0 && filter->session_id != NULL && filter->id == 0;
  tmon_page page = {filter->offset, filter->limit, 0};
  tmon_averages averages = {0};
  tmon_json_writer json;
  int result = TMON_OK;
  if (filter->latest) {
    filter->by_epoch = true;
    result = tmon_result_latest(&filter->epoch, tx, filter, merged);
  }
  bool averaged = merged && filter->by_epoch && filter->class_name == NULL;
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '{');
  tmon_json_open(&json, table->plural, '[');
  if (result == TMON_OK) {
    result = merged ? tmon_validation_put(&json, tx, filter, &page, averaged ? &averages : NULL) : put_rows(&json, tx, table, filter, &page.count);
  }
  tmon_json_close(&json, ']');
  tmon_json_put_int(&json, "count", page.count);
  if (averaged) tmon_averages_put_all(&json, "averages", &averages);
  tmon_json_close(&json, '}');
  tmon_averages_free(&averages);
  if (result != TMON_OK) return result;
  if (out->error == TMON_ELIMIT)
    return tmon_error_set_field(TMON_ELIMIT, "limit", "these %s take more than %u bytes of JSON", table->plural, TMON_RESULT_BYTES_MAXIMUM);
  return out->error == TMON_OK ? TMON_OK : tmon_error_no_memory();
}

static int check_session(tmon_tx *tx, const char *id) {
  int64_t key = 0;
  int result = id == NULL ? TMON_OK : tmon_session_key(&key, tx, id);
  return result == TMON_ENOTFOUND ? tmon_error_set_field(TMON_ENOTFOUND, "session_id", "no session %s in this store", id) : result;
}

int tmon_result_list_json(char **out, tmon_store *store, tmon_result_kind kind, const tmon_result_filter *filter) {
  tmon_result_filter chosen;
  tmon_tx *tx = NULL;
  tmon_buffer text;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  const tmon_result_table *table = tmon_result_table_of(kind);
  if (table == NULL) return TMON_EINVAL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = check_filter(&chosen, filter, table);
  if (result != TMON_OK) return result;
  tmon_buffer_init(&text, TMON_RESULT_BYTES_MAXIMUM);
  result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = check_session(tx, chosen.session_id);
  if (result == TMON_OK) result = check_since(tx, table, chosen.since);
  if (result == TMON_OK) result = put_list(&text, tx, table, &chosen);
  tmon_tx_abort(tx);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return result;
}
