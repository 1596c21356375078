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
#define LEASE_US 600000000

struct tmon_record_list {
  tmon_record *records;
  size_t count;
  size_t next;
  int64_t total;
};

enum { TEXT_COLUMNS = 9, KEY_COLUMN = 37 };

/* The columns in the order that read_record takes them. */
#define RECORD_COLUMNS                                                                                                                                                 \
  "id, session_name, model_type, dataset_name, config, hardware_info, model_path, error_message, best_metric, dataset_size, epochs, batch_size, img_size, best_epoch," \
  " learning_rate, final_map50, final_map50_95, final_precision, final_recall, final_loss, duration_seconds, created_at, started_at, completed_at, updated_at,"        \
  " status, control, paused, rest, progress_epoch, progress_epochs, progress_batch, progress_batches, progress_images, progress_fraction, dropped, attempts,"          \
  " key, lease_at"

/* `active` looks at more than SQL can tell: see is_active. */
#define RECORD_WHERE                                                                                                                                      \
  " FROM training_sessions s WHERE (?1 IS NULL OR id = ?1) AND (?2 IS NULL OR status = ?2) AND (?3 = 0 OR status IN ('pending', 'running'))"

static int64_t read_time(tmon_row *row, int column) {
  int64_t time = 0;
  const char *text = tmon_row_text(row, column);
  return text != NULL && tmon_text_to_time(text, &time) ? time : 0;
}

static int read_record(tmon_record *record, tmon_row *row) {
  const char **texts[TEXT_COLUMNS] = {&record->id, &record->name, &record->model_type, &record->dataset_name, &record->config_json, &record->hardware_json,
      &record->model_path, &record->error_text, &record->best_metric};
  memset(record, 0, sizeof *record);
  for (int i = 0; i < TEXT_COLUMNS; i++) {
    const char *text = tmon_row_text(row, i);
    *texts[i] = tmon_strdup(text);
    if (text != NULL && *texts[i] == NULL) return tmon_error_no_memory();
  }
  record->dataset_size = tmon_row_int(row, 9);
  record->epochs = tmon_row_int(row, 10);
  record->batch_size = tmon_row_int(row, 11);
  record->img_size = tmon_row_int(row, 12);
  record->best_epoch = tmon_row_is_null(row, 13) ? -1 : tmon_row_int(row, 13);
  record->learning_rate = tmon_row_double(row, 14);
  record->final_map50 = tmon_row_double(row, 15);
  record->final_map50_95 = tmon_row_double(row, 16);
  record->final_precision = tmon_row_double(row, 17);
  record->final_recall = tmon_row_double(row, 18);
  record->final_loss = tmon_row_double(row, 19);
  record->duration_seconds = tmon_row_double(row, 20);
  record->created_at = read_time(row, 21);
  record->started_at = read_time(row, 22);
  record->completed_at = read_time(row, 23);
  record->updated_at = read_time(row, 24);
  (void)tmon_status_parse(tmon_row_text(row, 25), &record->status);
  record->control = (tmon_control)tmon_row_int(row, 26);
  record->paused = tmon_row_int(row, 27) != 0;
  record->rest = tmon_row_int(row, 28) != 0;
  record->progress = (tmon_progress){sizeof(tmon_progress), tmon_row_int(row, 29), tmon_row_int(row, 30), tmon_row_int(row, 31), tmon_row_int(row, 32),
      tmon_row_int(row, 33), tmon_row_is_null(row, 34) ? 0 : tmon_row_double(row, 34)};
  record->dropped = tmon_row_int(row, 35);
  record->attempts = tmon_row_int(row, 36);
  record->heartbeat_at = tmon_row_int(row, 38);
  if (record->heartbeat_at == 0) record->heartbeat_at = record->updated_at > 0 ? record->updated_at : record->created_at;
  return TMON_OK;
}

/* What the rings of one session tell: those of its ranks that have not closed. */
typedef struct rings {
  tmon_process self;
  size_t count;
  size_t alive;
  size_t away; /* on another host or in another container */
  bool known;  /* one could be read: it is the one of the lowest rank, and the record has what it says */
  bool final;
} rings;

/* A ring knows more than the store, a dead trainer's too: what it said last and whether its end was a clean one. */
static void read_ring(rings *all, tmon_record *record, const tmon_ring *ring, int64_t committed_drops) {
  tmon_status status = TMON_STATUS_RUNNING;
  int64_t time = 0;
  record->dropped += (int64_t)tmon_ring_dropped(ring) - committed_drops;
  if (tmon_ring_heartbeat(ring) > record->heartbeat_at) record->heartbeat_at = tmon_ring_heartbeat(ring);
  if (all->known) return;
  all->known = true;
  record->control = tmon_ring_control(ring);
  record->paused = tmon_ring_waiting(ring) || record->control == TMON_CONTROL_PAUSE;
  (void)tmon_ring_progress(&record->progress, ring);
  if (!tmon_ring_final(ring, &status, &time)) return;
  all->final = true;
  record->status = status;
  record->completed_at = time;
}

/* The lock is asked for, never taken: who lists must not look like a trainer, nor keep one from adopting. */
static void look_at_ring(rings *all, tmon_record *record, tmon_row *row) {
  tmon_ring *ring = NULL;
  bool alive = false;
  const char *path = tmon_row_text(row, 0);
  const char *host = tmon_row_text(row, 1);
  bool here = host != NULL && strcmp(host, all->self.host) == 0;
  all->count++;
  if (tmon_row_int(row, 2) > record->heartbeat_at) record->heartbeat_at = tmon_row_int(row, 2);
  /* A file of this name on another host is another file, or one whose pages are not ours. */
  if (!here || path == NULL || tmon_ring_open(&ring, path, false) != TMON_OK) {
    all->away += !here;
    return;
  }
  read_ring(all, record, ring, tmon_row_int(row, 3));
  if (tmon_ring_is_alive(path, &alive) != TMON_OK) all->away++;
  all->alive += alive;
  tmon_ring_close(ring);
}

static int look_at_rings(rings *all, tmon_record *record, tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  if (record->status != TMON_STATUS_RUNNING) return TMON_OK;
  int result = tmon_process_self(&all->self);
  if (result == TMON_OK) {
    result =
        tmon_tx_prepare(&row, tx, "SELECT ring_path, host, heartbeat_at, dropped FROM writers WHERE session = ? AND closed = 0 ORDER BY rank, id DESC");
  }
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  while ((result = tmon_row_step(row)) == TMON_OK) look_at_ring(all, record, row);
  tmon_row_reset(row);
  if (result != TMON_DONE) return result;
  record->live = all->alive > 0 && !all->final;
  record->unreachable = all->alive == 0 && all->away > 0 && !all->final;
  if (!record->live && all->known) record->paused = false;
  /* What adoption will write: the next recover may be far, and a read-only store never has one. */
  if (all->known && !all->final && !record->live && !record->unreachable) record->status = TMON_STATUS_INTERRUPTED;
  return TMON_OK;
}

/* Only the lock proves life; who can't be seen counts as alive while it was heard of within the lease. */
static bool is_active(const tmon_record *record, const rings *all, int64_t lease_us) {
  if (record->status != TMON_STATUS_PENDING && record->status != TMON_STATUS_RUNNING) return false;
  return record->live || (!all->known && tmon_clock_now_us() - record->heartbeat_at <= lease_us) ||
      (record->unreachable && tmon_clock_now_us() - record->heartbeat_at <= lease_us);
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

static void free_record(tmon_record *record);

/* The next row as a record. It is kept in `list` when it belongs on the page; `matched` counts those that match. */
static int take_row(tmon_record_list *list, tmon_tx *tx, tmon_row *row, const tmon_record_filter *filter, int64_t *matched) {
  tmon_record record;
  rings all;
  memset(&all, 0, sizeof all);
  int result = read_record(&record, row);
  if (result == TMON_OK) result = look_at_rings(&all, &record, tx, tmon_row_int(row, KEY_COLUMN));
  if (result == TMON_OK && (!filter->active || is_active(&record, &all, filter->lease_us))) {
    bool on_page = !filter->active || (*matched >= filter->offset && list->count < (size_t)filter->limit);
    (*matched)++;
    if (on_page) {
      derive(&record);
      list->records[list->count++] = record;
      return TMON_OK;
    }
  }
  free_record(&record);
  return result;
}

static int count_rows(tmon_record_list *list, tmon_tx *tx, const tmon_record_filter *filter) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT count(*)" RECORD_WHERE);
  if (result == TMON_OK) result = bind_filter(row, filter);
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result != TMON_OK) return result;
  list->total = tmon_row_int(row, 0);
  tmon_row_reset(row);
  return TMON_OK;
}

/* Whether a session is active is seen row by row, so those are paged here and not by SQL; there are never many. */
static int read_rows(tmon_record_list *list, tmon_tx *tx, const tmon_record_filter *filter) {
  tmon_row *row = NULL;
  int64_t matched = 0;
  int result = count_rows(list, tx, filter);
  if (result != TMON_OK) return result;
  list->records = tmon_alloc_zero((size_t)filter->limit, sizeof *list->records);
  if (list->records == NULL) return tmon_error_no_memory();
  result = tmon_tx_prepare(&row, tx, "SELECT " RECORD_COLUMNS RECORD_WHERE " ORDER BY key DESC LIMIT ?4 OFFSET ?5");
  if (result != TMON_OK) return result;
  (void)bind_filter(row, filter);
  tmon_bind_int(row, 4, filter->active ? -1 : filter->limit);
  tmon_bind_int(row, 5, filter->active ? 0 : filter->offset);
  while ((result = tmon_row_step(row)) == TMON_OK && (result = take_row(list, tx, row, filter, &matched)) == TMON_OK) {
  }
  tmon_row_reset(row);
  if (filter->active) list->total = matched;
  return result == TMON_DONE ? TMON_OK : result;
}

static int check_filter(tmon_record_filter *out, const tmon_record_filter *given) {
  int result = tmon_options_copy(out, sizeof *out, given, "tmon_record_filter");
  if (result != TMON_OK) return result;
  if (out->limit < 0 || out->limit > LIST_MAXIMUM) {
    return tmon_error_set(TMON_EINVAL, "limit is %lld, expected 1 to %d", (long long)out->limit, LIST_MAXIMUM);
  }
  if (out->by_status && (unsigned)out->status > TMON_STATUS_INTERRUPTED) return tmon_error_set(TMON_EINVAL, "the status %d is none", (int)out->status);
  if (out->limit == 0) out->limit = LIST_DEFAULT;
  if (out->lease_us < 0) return tmon_error_set(TMON_EINVAL, "lease_us is %lld, expected 0 or more", (long long)out->lease_us);
  if (out->lease_us == 0) out->lease_us = LEASE_US;
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

static void free_record(tmon_record *record) {
  const char *texts[TEXT_COLUMNS] = {record->id, record->name, record->model_type, record->dataset_name, record->config_json, record->hardware_json,
      record->model_path, record->error_text, record->best_metric};
  for (int t = 0; t < TEXT_COLUMNS; t++) free_text(texts[t]);
}

void tmon_record_list_free(tmon_record_list *list) {
  if (list == NULL) return;
  for (size_t i = 0; i < list->count; i++) free_record(&list->records[i]);
  tmon_free(list->records);
  tmon_free(list);
}
