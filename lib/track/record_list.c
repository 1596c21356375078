/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions as rows, with what their live rings know beyond the committed state. */
#include "track/track.h"

#include "series/ring.h"
#include "util/buffer.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define LIST_DEFAULT 50
#define LIST_MAXIMUM 1000

struct tmon_record_list {
  tmon_record *records;
  size_t count;
  size_t next;
  int64_t total;
};

enum { TEXT_COLUMNS = 8 };

/* The columns in the order that read_record takes them. */
#define RECORD_COLUMNS \
  "id, session_name, model_type, dataset_name, config, hardware_info, model_path, error_message, dataset_size, epochs, batch_size, img_size, best_epoch," \
  " learning_rate, final_map50, final_map50_95, final_precision, final_recall, final_loss, duration_seconds, created_at, started_at, completed_at, updated_at," \
  " status, control, paused, rest, progress_epoch, progress_epochs, progress_batch, progress_batches, progress_images, progress_fraction, dropped, attempts," \
  " (SELECT ring_path FROM writers w WHERE w.session = s.key AND w.closed = 0 ORDER BY w.rank, w.id DESC LIMIT 1)," \
  " (SELECT host FROM writers w WHERE w.session = s.key AND w.closed = 0 ORDER BY w.rank, w.id DESC LIMIT 1)," \
  " (SELECT dropped FROM writers w WHERE w.session = s.key AND w.closed = 0 ORDER BY w.rank, w.id DESC LIMIT 1)"

#define RECORD_WHERE \
  " FROM training_sessions s WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR status = ?2) AND (?3 = 0 OR status = 'running')"

static int64_t read_time(tmon_row *row, int column) {
  int64_t time = 0;
  const char *text = tmon_row_text(row, column);
  return text != NULL && tmon_text_to_time(text, &time) ? time : 0;
}

static int read_record(tmon_record *record, tmon_row *row) {
  const char **texts[TEXT_COLUMNS] = {&record->id, &record->name, &record->model_type, &record->dataset_name, &record->config_json,
      &record->hardware_json, &record->model_path, &record->error_text};
  memset(record, 0, sizeof *record);
  for (int i = 0; i < TEXT_COLUMNS; i++) {
    const char *text = tmon_row_text(row, i);
    *texts[i] = tmon_strdup(text);
    if (text != NULL && *texts[i] == NULL) return tmon_error_no_memory();
  }
  record->dataset_size = tmon_row_int(row, 8);
  record->epochs = tmon_row_int(row, 9);
  record->batch_size = tmon_row_int(row, 10);
  record->img_size = tmon_row_int(row, 11);
  record->best_epoch = tmon_row_is_null(row, 12) ? -1 : tmon_row_int(row, 12);
  record->learning_rate = tmon_row_double(row, 13);
  record->final_map50 = tmon_row_double(row, 14);
  record->final_map50_95 = tmon_row_double(row, 15);
  record->final_precision = tmon_row_double(row, 16);
  record->final_recall = tmon_row_double(row, 17);
  record->final_loss = tmon_row_double(row, 18);
  record->duration_seconds = tmon_row_double(row, 19);
  record->created_at = read_time(row, 20);
  record->started_at = read_time(row, 21);
  record->completed_at = read_time(row, 22);
  record->updated_at = read_time(row, 23);
  (void)tmon_status_parse(tmon_row_text(row, 24), &record->status);
  record->control = (tmon_control)tmon_row_int(row, 25);
  record->paused = tmon_row_int(row, 26) != 0;
  record->rest = tmon_row_int(row, 27) != 0;
  record->progress = (tmon_progress){sizeof(tmon_progress), tmon_row_int(row, 28), tmon_row_int(row, 29), tmon_row_int(row, 30), tmon_row_int(row, 31),
      tmon_row_int(row, 32), tmon_row_is_null(row, 33) ? 0 : tmon_row_double(row, 33)};
  record->dropped = tmon_row_int(row, 34);
  record->attempts = tmon_row_int(row, 35);
  return TMON_OK;
}

/* A live ring knows more than the store: read it where it can be reached. */
static void read_ring(tmon_record *record, const char *path, const char *host, int64_t committed_drops) {
  tmon_ring *ring = NULL;
  tmon_process self;
  tmon_status status = TMON_STATUS_RUNNING;
  int64_t time = 0;
  if (path == NULL || record->status != TMON_STATUS_RUNNING) return;
  if (tmon_ring_open(&ring, path, false) != TMON_OK) {
    bool here = tmon_process_self(&self) == TMON_OK && host != NULL && strcmp(self.host, host) == 0;
    record->unreachable = !here;
    return;
  }
  record->live = true;
  record->control = tmon_ring_control(ring);
  record->paused = tmon_ring_waiting(ring) || record->control == TMON_CONTROL_PAUSE;
  (void)tmon_ring_progress(&record->progress, ring);
  record->dropped += (int64_t)tmon_ring_dropped(ring) - committed_drops;
  if (tmon_ring_final(ring, &status, &time)) {
    record->status = status;
    record->completed_at = time;
    record->live = false;
    record->paused = false;
  }
  tmon_ring_close(ring);
}

static double fraction_of(const tmon_progress *progress) {
  double batch = progress->batches > 0 ? (double)progress->batch / (double)progress->batches : 0;
  if (progress->epochs > 0) return fmin(1, ((double)progress->epoch + fmin(1, batch)) / (double)progress->epochs);
  return progress->batches > 0 ? fmin(1, batch) : progress->fraction;
}

static void derive(tmon_record *record) {
  double fraction = fraction_of(&record->progress);
  record->percent = fraction * 100;
  record->eta_seconds = NAN;
  if (record->status != TMON_STATUS_RUNNING || record->started_at == 0) return;
  double elapsed = fmax(0, (double)(tmon_clock_now_us() - record->started_at) / 1e6); /* the clock may have gone back */
  record->duration_seconds = elapsed;
  if (fraction > 0) record->eta_seconds = elapsed * (1 - fraction) / fraction;
}

static int bind_filter(tmon_row *row, const tmon_record_filter *filter) {
  tmon_bind_text(row, 1, filter->id);
  tmon_bind_text(row, 2, filter->by_status ? tmon_status_name(filter->status) : NULL);
  tmon_bind_int(row, 3, filter->active);
  return TMON_OK;
}

static int read_rows(tmon_record_list *list, tmon_tx *tx, const tmon_record_filter *filter) {
  tmon_row *row = NULL;
  int64_t limit = filter->limit == 0 ? LIST_DEFAULT : filter->limit;
  int result = tmon_tx_prepare(&row, tx, "SELECT count(*)" RECORD_WHERE);
  if (result == TMON_OK) result = bind_filter(row, filter);
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result != TMON_OK) return result;
  list->total = tmon_row_int(row, 0);
  tmon_row_reset(row);
  list->records = tmon_alloc_zero((size_t)limit, sizeof *list->records);
  if (list->records == NULL) return tmon_error_no_memory();
  result = tmon_tx_prepare(&row, tx, "SELECT " RECORD_COLUMNS RECORD_WHERE " ORDER BY key DESC LIMIT ?4 OFFSET ?5");
  if (result != TMON_OK) return result;
  (void)bind_filter(row, filter);
  tmon_bind_int(row, 4, limit);
  tmon_bind_int(row, 5, filter->offset);
  while (list->count < (size_t)limit && (result = tmon_row_step(row)) == TMON_OK) {
    tmon_record *record = &list->records[list->count++];
    result = read_record(record, row);
    if (result != TMON_OK) break;
    read_ring(record, tmon_row_text(row, 36), tmon_row_text(row, 37), tmon_row_is_null(row, 38) ? 0 : tmon_row_int(row, 38));
    derive(record);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int check_filter(tmon_record_filter *out, const tmon_record_filter *given) {
  int result = tmon_options_copy(out, sizeof *out, given, "tmon_record_filter");
  if (result != TMON_OK) return result;
  if (out->limit < 0 || out->limit > LIST_MAXIMUM) {
    return tmon_error_set(TMON_EINVAL, "limit is %lld, expected 1 to %d", (long long)out->limit, LIST_MAXIMUM);
  }
  if (out->by_status && (unsigned)out->status > TMON_STATUS_INTERRUPTED) return tmon_error_set(TMON_EINVAL, "the status %d is none", (int)out->status);
  if (out->offset < 0) return tmon_error_set(TMON_EINVAL, "offset is %lld, expected 0 or more", (long long)out->offset);
  return tmon_check_text(out->id, TMON_TEXT_MAXIMUM, "the session id");
}

int tmon_record_list_open(tmon_record_list **out, tmon_store *store, const tmon_record_filter *filter) {
  tmon_record_filter chosen;
  tmon_tx *tx = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = check_filter(&chosen, filter);
  if (result != TMON_OK) return result;
  tmon_record_list *list = tmon_alloc_zero(1, sizeof *list);
  if (list == NULL) return tmon_error_no_memory();
  result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = read_rows(list, tx, &chosen);
  tmon_tx_abort(tx);
  if (result == TMON_OK) *out = list;
  else tmon_record_list_free(list);
  return result;
}

int tmon_record_list_next(tmon_record_list *list, tmon_record *out) {
  if (list == NULL || out == NULL) return tmon_error_set(TMON_EINVAL, "the list or out is NULL");
  if (list->next == list->count) return TMON_DONE;
  *out = list->records[list->next++];
  return TMON_OK;
}

int64_t tmon_record_list_total(const tmon_record_list *list) { return list == NULL ? 0 : list->total; }

/* The texts of a record are const for its readers; here they are owned. */
static void free_text(const char *text) { tmon_free((void *)(uintptr_t)text); }

void tmon_record_list_free(tmon_record_list *list) {
  if (list == NULL) return;
  for (size_t i = 0; i < list->count; i++) {
    tmon_record *record = &list->records[i];
    const char *texts[TEXT_COLUMNS] = {record->id, record->name, record->model_type, record->dataset_name, record->config_json, record->hardware_json,
        record->model_path, record->error_text};
    for (int t = 0; t < TEXT_COLUMNS; t++) free_text(texts[t]);
  }
  tmon_free(list->records);
  tmon_free(list);
}
