/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions side by side: their rows, what differs in their configuration, their figures, their series. Committed state of one instant, but for the series. */
#include "track/compare.h"

#include "util/own_names.h"

#include <math.h>
#include <string.h>

#define OUT_MAXIMUM (64u << 20)
#define WIDTH_DEFAULT 200
#define WIDTH_MAXIMUM 2000
#define BUCKETS_MAXIMUM 1000000

/* The texts of a row, then what is a setting. The order of the statement in write_session. */
static const char *const texts[] = {"id", "session_name", "status", "created_at", "started_at", "completed_at", "model_path", "error_message"};
static const char *const reals[] = {"duration_seconds", "final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss"};
static const char *const settings[] = {"model_type", "dataset_name", "dataset_size", "epochs", "batch_size", "learning_rate", "img_size"};
enum {
  TEXTS = sizeof texts / sizeof *texts,
  REALS = sizeof reals / sizeof *reals,
  SETTINGS = sizeof settings / sizeof *settings,
  SETTINGS_AT = TEXTS + REALS + 1, /* after best_epoch */
  CONFIG_AT = SETTINGS_AT + SETTINGS,
  KEY_AT
};

static double duration(tmon_row *row) {
  const char *status = tmon_row_text(row, 2);
  const char *started = tmon_row_text(row, 4);
  int64_t time = 0;
  double written = tmon_row_double(row, TEXTS);
  if (!isnan(written) || status == NULL || strcmp(status, "running") != 0 || started == NULL || !tmon_text_to_time(started, &time)) return written;
  return fmax(0, (double)(tmon_clock_now_us() - time) / 1e6);
}

static int add_settings(tmon_leaves *leaves, size_t session, tmon_row *row) {
  int result = TMON_OK;
  for (int i = 0; i < SETTINGS && result == TMON_OK; i++) {
    tmon_buffer value;
    tmon_json_writer json;
    if (tmon_row_is_null(row, SETTINGS_AT + i)) continue;
    tmon_buffer_init(&value, OUT_MAXIMUM);
    tmon_json_begin(&json, &value);
    if (i < 2) tmon_json_put_text(&json, NULL, tmon_row_text(row, SETTINGS_AT + i));
    else tmon_json_put_double(&json, NULL, tmon_row_double(row, SETTINGS_AT + i));
    result = value.error != TMON_OK ? tmon_error_no_memory() : tmon_leaves_add(leaves, session, settings[i], (const char *)value.data);
    tmon_buffer_free(&value);
  }
  return result;
}

static void write_row(tmon_json_writer *json, tmon_row *row) {
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "session_id", tmon_row_text(row, 0));
  for (int i = 0; i < TEXTS; i++) tmon_json_put_text(json, texts[i], tmon_row_text(row, i));
  tmon_json_put_double(json, reals[0], duration(row));
  for (int i = 1; i < REALS; i++) tmon_json_put_double(json, reals[i], tmon_row_double(row, TEXTS + i));
  if (tmon_row_is_null(row, TEXTS + REALS)) tmon_json_put_null(json, "best_epoch");
  else tmon_json_put_int(json, "best_epoch", tmon_row_int(row, TEXTS + REALS));
  for (int i = 0; i < SETTINGS; i++) {
    if (i < 2) tmon_json_put_text(json, settings[i], tmon_row_text(row, SETTINGS_AT + i));
    else tmon_json_put_double(json, settings[i], tmon_row_double(row, SETTINGS_AT + i));
  }
  tmon_json_close(json, '}');
}

static int write_session(tmon_json_writer *json, tmon_comparison *all, size_t index, tmon_leaves *columns, tmon_leaves *config) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, all->tx,
      "SELECT id, session_name, status, created_at, started_at, completed_at, model_path, error_message, duration_seconds, final_map50, final_map50_95,"
      " final_precision, final_recall, final_loss, best_epoch, model_type, dataset_name, dataset_size, epochs, batch_size, learning_rate, img_size, config, key"
      " FROM training_sessions WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, all->ids[index]);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    all->sessions[index] = tmon_row_int(row, KEY_AT);
    write_row(json, row);
    result = add_settings(columns, index, row);
    if (result == TMON_OK) result = tmon_own_names_read(&all->own[index], tmon_row_text(row, CONFIG_AT));
    if (result == TMON_OK) result = tmon_leaves_add_object(config, index, tmon_row_text(row, CONFIG_AT));
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? tmon_error_set_field(TMON_ENOTFOUND, "session_id", "no session %s in this store", all->ids[index]) : result;
}

static int write_all(tmon_buffer *out, tmon_comparison *all) {
  tmon_json_writer json;
  tmon_leaves columns;
  tmon_leaves config;
  int result = TMON_OK;
  memset(&columns, 0, sizeof columns);
  memset(&config, 0, sizeof config);
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '{');
  tmon_json_open(&json, "sessions", '[');
  for (size_t i = 0; i < all->count && result == TMON_OK; i++) result = write_session(&json, all, i, &columns, &config);
  tmon_json_close(&json, ']');
  if (result == TMON_OK) {
    tmon_leaves_write(&json, "settings", &columns, all->count);
    tmon_leaves_write(&json, "config", &config, all->count);
    result = tmon_compare_gather(all);
  }
  if (result == TMON_OK) {
    tmon_compare_write_metrics(&json, all);
    result = tmon_compare_write_series(&json, all);
  }
  tmon_json_close(&json, '}');
  tmon_leaves_free(&columns);
  tmon_leaves_free(&config);
  if (result != TMON_OK || out->error == TMON_OK) return result;
  return out->error == TMON_ENOMEM ? tmon_error_no_memory() : tmon_error_set(out->error, "the comparison is larger than %u bytes", OUT_MAXIMUM);
}

static int check_ids(const tmon_comparison *all) {
  if (all->count < 2 || all->count > TMON_COMPARE_SESSIONS || all->ids == NULL) {
    return tmon_error_set_field(TMON_EINVAL, "session_id", "%zu sessions, expected 2 to %d", all->count, TMON_COMPARE_SESSIONS);
  }
  for (size_t i = 0; i < all->count; i++) {
    if (all->ids[i] == NULL || !tmon_id_is_valid(all->ids[i])) {
      return tmon_error_set_field(TMON_EINVAL, "session_id", "the session id \"%.64s\" is not UUID text", all->ids[i] == NULL ? "(NULL)" : all->ids[i]);
    }
    for (size_t before = 0; before < i; before++) {
      if (strcmp(all->ids[i], all->ids[before]) != 0) continue;
      return tmon_error_set_field(TMON_EINVAL, "session_id", "session %s is named twice", all->ids[i]);
    }
  }
  return TMON_OK;
}

static int check_keys(tmon_comparison *all, const tmon_compare_options *options) {
  all->keys_given = options->key_count > 0;
  all->key_count = options->key_count;
  if (options->key_count > TMON_COMPARE_KEYS || (options->key_count > 0 && options->keys == NULL)) {
    return tmon_error_set_field(TMON_EINVAL, "key", "%zu keys, expected at most %d", options->key_count, TMON_COMPARE_KEYS);
  }
  for (size_t i = 0; i < options->key_count; i++) {
    if (options->keys[i] == NULL || !tmon_text_is_key(options->keys[i])) {
      return tmon_error_set_field(TMON_EINVAL, "key", "key %zu is no allowed name, expected UTF-8 of 1 to 250 bytes without control characters", i);
    }
    all->keys[i] = options->keys[i];
  }
  return TMON_OK;
}

static int check_options(tmon_comparison *all, const tmon_compare_options *given) {
  tmon_compare_options options;
  int result = tmon_options_copy(&options, sizeof options, given, "tmon_compare_options");
  if (result == TMON_OK) result = check_ids(all);
  if (result == TMON_OK) result = check_keys(all, &options);
  if (result != TMON_OK) return result;
  if (options.axis != TMON_AXIS_STEP && options.axis != TMON_AXIS_TIME) {
    return tmon_error_set_field(TMON_EINVAL, "axis", "axis is %d, expected step or time", (int)options.axis);
  }
  if (options.width > WIDTH_MAXIMUM) return tmon_error_set_field(TMON_EINVAL, "width", "width is %u, expected 1 to %d", options.width, WIDTH_MAXIMUM);
  all->axis = options.axis;
  all->width = options.width == 0 ? WIDTH_DEFAULT : options.width;
  size_t buckets = all->count * (all->keys_given ? all->key_count : TMON_COMPARE_KEYS) * all->width;
  if (buckets > BUCKETS_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "width", "sessions times keys times width is %zu, expected at most %d", buckets, BUCKETS_MAXIMUM);
  }
  return TMON_OK;
}

int tmon_compare_json(char **out, tmon_store *store, const char *const *ids, size_t count, const tmon_compare_options *options) {
  tmon_comparison all;
  tmon_buffer text;
  memset(&all, 0, sizeof all);
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  all.store = store;
  all.ids = ids;
  all.count = count;
  tmon_buffer_init(&text, OUT_MAXIMUM);
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = check_options(&all, options);
  if (result == TMON_OK) result = tmon_tx_begin(&all.tx, store->db, false, -1);
  if (result == TMON_OK) result = write_all(&text, &all);
  tmon_tx_abort(all.tx);
  for (size_t i = 0; i < all.figure_count; i++) tmon_free(all.figures[i].name);
  tmon_free(all.figures);
  for (size_t i = 0; i < all.count && i < TMON_COMPARE_SESSIONS; i++) tmon_json_free(all.own[i]);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return result;
}
