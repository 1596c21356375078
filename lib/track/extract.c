/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Full data out of a store, piece by piece: what is in memory is one piece and the run of points it is made from. A pull reader, so that a server can wait for
 * its client between two pieces; tmon_extract drives it. Points: one metric after the other, each in a snapshot of its own. Epoch rows: some at a time, each
 * time in a new transaction, so that a slow client does not keep the log of the database from being checkpointed.
 */
#include "track/epoch.h"
#include "track/extract.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS = 1000, AT_ONCE = 256, PIECE = 64 << 10 };
#define PIECE_MAXIMUM (32u << 20) /* an epoch row with its `extra` */
#define HEAD_MAXIMUM 8192

struct tmon_extract_reader {
  tmon_store *store;
  tmon_extract_form form;
  char id[TMON_ID_BYTES];
  char **keys;
  size_t key_count;
  size_t key; /* the one whose turn it is */
  tmon_point_reader *points;
  int64_t epoch; /* the last one written */
  bool any_epoch;
  bool done;
  int error; /* stays */
  char message[300];
  tmon_buffer out;
};

static int add_key(tmon_extract_reader *reader, const char *key) {
  if ((reader->key_count & (reader->key_count - 1)) == 0) {
    char **grown = tmon_realloc(reader->keys, reader->key_count == 0 ? 1 : 2 * reader->key_count, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    reader->keys = grown;
  }
  char *copy = tmon_strdup(key);
  if (copy == NULL) return tmon_error_no_memory();
  reader->keys[reader->key_count++] = copy;
  return TMON_OK;
}

static bool has(const tmon_extract_reader *reader, const char *key) {
  for (size_t i = 0; i < reader->key_count; i++)
    if (strcmp(reader->keys[i], key) == 0) return true;
  return false;
}

/* By name already. */
static int compare(const void *key, const void *item) { return strcmp(key, *(char *const *)item); }

/* Narrows the names of the session to those asked for. */
static int choose_keys(tmon_extract_reader *reader, const tmon_extract_options *options) {
  tmon_extract_reader chosen = {0};
  int result = TMON_OK;
  for (size_t i = 0; result == TMON_OK && i < options->key_count; i++) {
    const char *key = options->keys[i];
    if (key == NULL) result = tmon_error_set_field(TMON_EINVAL, "keys", "key %zu is NULL", i);
    else if (has(&chosen, key)) result = tmon_error_set_field(TMON_EINVAL, "keys", "\"%.200s\" is named twice", key);
    else if (reader->key_count == 0 || bsearch(key, reader->keys, reader->key_count, sizeof *reader->keys, compare) == NULL)
      result = tmon_error_set_field(TMON_ENOTFOUND, "keys", "the session has no metric \"%.200s\"", key);
    else result = add_key(&chosen, key);
  }
  char **all = reader->keys;
  size_t count = reader->key_count;
  reader->keys = chosen.keys;
  reader->key_count = chosen.key_count;
  for (size_t i = 0; i < count; i++) tmon_free(all[i]);
  tmon_free(all);
  return result;
}

static int find_keys(tmon_extract_reader *reader, const tmon_extract_options *options) {
  tmon_metric_list *list = NULL;
  tmon_metric_info info;
  int result = tmon_metric_list_open(&list, reader->store, reader->id);
  while (result == TMON_OK && (result = tmon_metric_list_next(list, &info)) == TMON_OK) result = add_key(reader, info.key);
  tmon_metric_list_free(list);
  if (result == TMON_DONE) result = TMON_OK;
  return result == TMON_OK && options->keys != NULL ? choose_keys(reader, options) : result;
}

static int find_session(tmon_extract_reader *reader) {
  tmon_tx *tx = NULL;
  int64_t key = 0;
  int result = tmon_tx_begin(&tx, reader->store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&key, tx, reader->id);
  tmon_tx_abort(tx);
  return result;
}

static int check_options(const tmon_extract_options *options) {
  if (options->format < TMON_EXTRACT_CSV || options->format > TMON_EXTRACT_TENSORBOARD)
    return tmon_error_set_field(TMON_EINVAL, "format", "format is %d, expected 0 to %d", (int)options->format, (int)TMON_EXTRACT_TENSORBOARD);
  if (options->what < TMON_EXTRACT_POINTS || options->what > TMON_EXTRACT_EPOCHS)
    return tmon_error_set_field(TMON_EINVAL, "what", "what is %d, expected 0 or 1", (int)options->what);
  if (options->keys == NULL ? options->key_count > 0 : options->key_count == 0 || options->key_count > KEYS)
    return tmon_error_set_field(TMON_EINVAL, "keys", "%zu keys, expected 1 to %d, or none and NULL", options->key_count, (int)KEYS);
  if (options->keys != NULL && options->what == TMON_EXTRACT_EPOCHS)
    return tmon_error_set_field(TMON_EINVAL, "keys", "keys choose points, not epoch rows");
  return TMON_OK;
}

static void prepare(tmon_extract_reader *reader, const tmon_extract_options *options) {
  tmon_buffer_init(&reader->out, PIECE_MAXIMUM);
  reader->form =
      (tmon_extract_form){.format = options->format, .what = options->what, .exact_text = options->exact_text, .id = reader->id, .out = &reader->out};
  tmon_buffer_init(&reader->form.head, HEAD_MAXIMUM);
  tmon_buffer_init(&reader->form.body, HEAD_MAXIMUM);
}

int tmon_extract_reader_open(tmon_extract_reader **out, tmon_store *store, const char *session_id, const tmon_extract_options *options) {
  tmon_extract_options chosen = {0};
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result == TMON_OK) result = tmon_options_copy(&chosen, sizeof chosen, options, "tmon_extract_options");
  if (result == TMON_OK) result = check_options(&chosen);
  if (result != TMON_OK) return result;
  tmon_extract_reader *reader = tmon_alloc_zero(1, sizeof *reader);
  if (reader == NULL) return tmon_error_no_memory();
  prepare(reader, &chosen);
  (void)tmon_text_copy(reader->id, sizeof reader->id, session_id);
  reader->store = tmon_store_hold(store);
  result = chosen.what == TMON_EXTRACT_POINTS ? find_keys(reader, &chosen) : find_session(reader);
  if (result == TMON_OK) *out = reader;
  else tmon_extract_reader_free(reader);
  return result;
}

/* Up to AT_ONCE points into the piece. */
static int add_points(tmon_extract_reader *reader) {
  tmon_point points[AT_ONCE];
  size_t count = 0;
  int result = TMON_OK;
  if (reader->key == reader->key_count) {
    reader->done = true;
    return TMON_OK;
  }
  if (reader->points == NULL) {
    tmon_extract_metric(&reader->form, reader->keys[reader->key]);
    result = tmon_point_reader_open(&reader->points, reader->store, reader->id, reader->keys[reader->key]);
  }
  if (result == TMON_OK) result = tmon_point_reader_next(reader->points, points, AT_ONCE, &count);
  if (result == TMON_DONE) {
    tmon_point_reader_free(reader->points);
    reader->points = NULL;
    reader->key++;
    return TMON_OK;
  }
  if (result != TMON_OK) return result;
  tmon_extract_begin(&reader->form, points[0].time);
  for (size_t i = 0; i < count; i++) tmon_extract_point(&reader->form, &points[i]);
  return TMON_OK;
}

/* Rows into the piece until it is full. */
static int add_epochs(tmon_extract_reader *reader) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int result = tmon_tx_begin(&tx, reader->store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, TMON_EPOCH_SELECT "AND epoch >= ? ORDER BY epoch");
  if (result != TMON_OK) goto out;
  tmon_bind_text(row, 1, reader->id);
  tmon_bind_int(row, 2, reader->any_epoch ? reader->epoch + 1 : INT64_MIN);
  while (reader->out.size < PIECE && reader->out.error == TMON_OK && (result = tmon_row_step(row)) == TMON_OK) {
    reader->epoch = tmon_row_int(row, 0);
    reader->any_epoch = true;
    if ((result = tmon_extract_epoch(&reader->form, row)) != TMON_OK || reader->epoch == INT64_MAX) break;
  }
  if (result == TMON_DONE || (result == TMON_OK && reader->any_epoch && reader->epoch == INT64_MAX)) {
    reader->done = true;
    result = TMON_OK;
  }
  tmon_row_reset(row);
out:
  tmon_tx_abort(tx);
  return result;
}

static int fail(tmon_extract_reader *reader, int result) {
  reader->error = result;
  (void)tmon_error_copy(reader->message, sizeof reader->message);
  tmon_point_reader_free(reader->points);
  reader->points = NULL;
  return result;
}

int tmon_extract_reader_next(tmon_extract_reader *reader, const void **data, size_t *size) {
  if (reader == NULL || data == NULL || size == NULL) return tmon_error_set(TMON_EINVAL, "an argument is NULL");
  *data = NULL;
  *size = 0;
  int result = tmon_store_check(reader->store);
  if (result != TMON_OK) return result;
  if (reader->error != TMON_OK) return tmon_error_set(reader->error, "%s", reader->message);
  if (reader->done) return TMON_DONE;
  tmon_buffer_clear(&reader->out);
  while (result == TMON_OK && !reader->done && reader->out.size < PIECE) {
    result = reader->form.what == TMON_EXTRACT_POINTS ? add_points(reader) : add_epochs(reader);
    if (result == TMON_OK && reader->out.error != TMON_OK) {
      result = reader->out.error == TMON_ENOMEM ? tmon_error_no_memory() : tmon_error_set(reader->out.error, "a row is too large to be extracted");
    }
  }
  if (result != TMON_OK) return fail(reader, result);
  if (reader->done) tmon_extract_begin(&reader->form, 0); /* nothing was there: the beginning alone */
  if (reader->out.error != TMON_OK) return fail(reader, tmon_error_no_memory());
  if (reader->out.size == 0) return TMON_DONE;
  *data = reader->out.data;
  *size = reader->out.size;
  return TMON_OK;
}

void tmon_extract_reader_free(tmon_extract_reader *reader) {
  if (reader == NULL) return;
  tmon_point_reader_free(reader->points);
  for (size_t i = 0; i < reader->key_count; i++) tmon_free(reader->keys[i]);
  tmon_free(reader->keys);
  tmon_buffer_free(&reader->form.body);
  tmon_buffer_free(&reader->form.head);
  tmon_buffer_free(&reader->out);
  tmon_store_drop(reader->store);
  tmon_free(reader);
}

int tmon_extract(tmon_store *store, const char *session_id, const tmon_extract_options *options, tmon_write_function *write, void *payload) {
  tmon_extract_reader *reader = NULL;
  const void *data = NULL;
  size_t size = 0;
  if (write == NULL) return tmon_error_set_field(TMON_EINVAL, "write", "write is NULL");
  int result = tmon_extract_reader_open(&reader, store, session_id, options);
  while (result == TMON_OK && (result = tmon_extract_reader_next(reader, &data, &size)) == TMON_OK) {
    if (write(data, size, payload) != 0) result = tmon_error_set(TMON_EUSER, "the caller stopped the extract");
  }
  tmon_extract_reader_free(reader);
  return result == TMON_DONE ? TMON_OK : result;
}
