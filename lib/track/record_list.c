/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions as rows, with what their live rings know beyond the committed state. */
#include "track/record.h"

#include "series/ring.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

struct tmon_record_list {
  tmon_record *records;
  size_t count;
  size_t next;
  int64_t total;
};

static int64_t read_time(tmon_row *row, int column) {
  int64_t time = 0;
  const char *text = tmon_row_text(row, column);
  return text != NULL && tmon_text_to_time(text, &time) ? time : 0;
}

static int read_record(tmon_record *record, tmon_row *row) {
  const char **texts[TMON_RECORD_TEXTS] = {&record->id, &record->name, &record->model_type, &record->dataset_name, &record->config_json,
      &record->hardware_json, &record->model_path, &record->error_text, &record->best_metric, &record->notes, &record->tags_json, &record->parent_id};
  memset(record, 0, sizeof *record);
  for (int i = 0; i < TMON_RECORD_TEXTS; i++) {
    const char *text = tmon_row_text(row, i);
    *texts[i] = tmon_strdup(text);
    if (text != NULL && *texts[i] == NULL) return tmon_error_no_memory();
  }
  record->dataset_size = tmon_row_int(row, 12);
  record->epochs = tmon_row_int(row, 13);
  record->batch_size = tmon_row_int(row, 14);
  record->img_size = tmon_row_int(row, 15);
  record->best_epoch = tmon_row_is_null(row, 16) ? -1 : tmon_row_int(row, 16);
  record->learning_rate = tmon_row_double(row, 17);
  record->final_map50 = tmon_row_double(row, 18);
  record->final_map50_95 = tmon_row_double(row, 19);
  record->final_precision = tmon_row_double(row, 20);
  record->final_recall = tmon_row_double(row, 21);
  record->final_loss = tmon_row_double(row, 22);
  record->duration_seconds = tmon_row_double(row, 23);
  record->created_at = read_time(row, 24);
  record->started_at = read_time(row, 25);
  record->completed_at = read_time(row, 26);
  record->updated_at = read_time(row, 27);
  (void)tmon_status_parse(tmon_row_text(row, 28), &record->status);
  record->control = (tmon_control)tmon_row_int(row, 29);
  record->paused = tmon_row_int(row, 30) != 0;
  record->rest = tmon_row_int(row, 31) != 0;
  record->progress = (tmon_progress){sizeof(tmon_progress), tmon_row_int(row, 32), tmon_row_int(row, 33), tmon_row_int(row, 34), tmon_row_int(row, 35),
      tmon_row_int(row, 36), tmon_row_is_null(row, 37) ? 0 : tmon_row_double(row, 37)};
  record->dropped = tmon_row_int(row, 38);
  record->attempts = tmon_row_int(row, 39);
  record->heartbeat_at = tmon_row_int(row, TMON_RECORD_LEASE);
  record->children = tmon_row_int(row, TMON_RECORD_CHILDREN);
  const char *summary = tmon_row_text(row, TMON_RECORD_SUMMARY);
  record->summary_json = tmon_strdup(summary);
  if (summary != NULL && record->summary_json == NULL) return tmon_error_no_memory();
  if (record->heartbeat_at == 0) record->heartbeat_at = record->updated_at > 0 ? record->updated_at : record->created_at;
  return TMON_OK;
}

/* What the rings of one session tell: those of its ranks that have not closed. */
typedef struct rings {
  tmon_process self;
  size_t count;
  size_t alive;
  size_t away; /* on another host or in another container */
  bool owned;  /* rank 0 is among them: it alone speaks for the session */
  bool known;  /* one could be read: it is the one of the lowest rank, and the record has what it says */
  bool final;
} rings;

/* A ring knows more than the store, a dead trainer's too: what it said last and whether its end was a clean one. */
static void read_ring(rings *all, tmon_record *record, const tmon_ring *ring, int64_t committed_drops, bool speaks) {
  tmon_status status = TMON_STATUS_RUNNING;
  int64_t time = 0;
  record->dropped += (int64_t)tmon_ring_dropped(ring) - committed_drops;
  if (tmon_ring_heartbeat(ring) > record->heartbeat_at) record->heartbeat_at = tmon_ring_heartbeat(ring);
  if (all->known || !speaks) return;
  all->known = true;
  record->control = tmon_ring_control(ring);
  record->paused = record->control == TMON_CONTROL_PAUSE && tmon_ring_waiting(ring); /* a loop that doesn't obey goes on */
  (void)tmon_ring_progress(&record->progress, ring);
  if (!tmon_ring_final(ring, &status, &time)) return;
  all->final = true;
  record->status = status;
  record->completed_at = time;
  if (record->started_at != 0) record->duration_seconds = fmax(0, (double)(time - record->started_at) / 1e6);
}

/* The lock is asked for, never taken: who lists must not look like a trainer, nor keep one from adopting. */
static void look_at_ring(rings *all, tmon_record *record, tmon_row *row) {
  tmon_ring *ring = NULL;
  bool alive = false;
  const char *path = tmon_row_text(row, 0);
  const char *host = tmon_row_text(row, 1);
  bool here = host != NULL && strcmp(host, all->self.host) == 0;
  bool speaks = tmon_row_int(row, 4) == 0 || !all->owned;
  all->owned = all->owned || tmon_row_int(row, 4) == 0;
  all->count++;
  if (tmon_row_int(row, 2) > record->heartbeat_at) record->heartbeat_at = tmon_row_int(row, 2);
  /* A file of this name on another host is another file, or one whose pages are not ours. */
  if (!here || path == NULL || tmon_ring_open(&ring, path, false) != TMON_OK) {
    all->away += !here && speaks;
    return;
  }
  read_ring(all, record, ring, tmon_row_int(row, 3), speaks);
  if (tmon_ring_is_alive(path, &alive) != TMON_OK) all->away += speaks;
  all->alive += alive && speaks;
  tmon_ring_close(ring);
}

static int look_at_rings(rings *all, tmon_record *record, tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  if (record->status != TMON_STATUS_RUNNING) return TMON_OK;
  int result = tmon_process_self(&all->self);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(
        &row, tx, "SELECT ring_path, host, heartbeat_at, dropped, rank FROM writers WHERE session = ? AND closed = 0 ORDER BY rank, id DESC");
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

static void free_record(tmon_record *record);

/* The next row as a record. It is kept in `list` when it belongs on the page; `matched` counts those that match. */
static int take_row(tmon_record_list *list, tmon_tx *tx, tmon_row *row, const tmon_record_filter *filter, int64_t *matched) {
  tmon_record record;
  rings all;
  memset(&all, 0, sizeof all);
  int result = read_record(&record, row);
  if (result == TMON_OK) result = look_at_rings(&all, &record, tx, tmon_row_int(row, TMON_RECORD_KEY));
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

static int count_rows(tmon_record_list *list, tmon_tx *tx, const tmon_record_filter *filter, const tmon_record_patterns *patterns) {
  tmon_row *row = NULL;
  int result = tmon_record_find(&row, tx, filter, patterns, true);
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result == TMON_OK) list->total = tmon_row_int(row, 0);
  tmon_row_free(row);
  return result;
}

/* Whether a session is active is seen row by row, so those are paged here and not by SQL; there are never many. */
static int read_rows(tmon_record_list *list, tmon_tx *tx, const tmon_record_filter *filter) {
  tmon_row *row = NULL;
  int64_t matched = 0;
  tmon_record_patterns patterns;
  int result = tmon_record_patterns_make(&patterns, filter);
  list->records = tmon_alloc_zero((size_t)filter->limit, sizeof *list->records);
  if (list->records == NULL) result = tmon_error_no_memory();
  if (result == TMON_OK && !filter->active) result = count_rows(list, tx, filter, &patterns);
  bool any = filter->active || list->total > filter->offset; /* a search looks at every row: not twice for nothing */
  if (result == TMON_OK && any) result = tmon_record_find(&row, tx, filter, &patterns, false);
  if (result == TMON_OK && any) {
    while ((result = tmon_row_step(row)) == TMON_OK && (result = take_row(list, tx, row, filter, &matched)) == TMON_OK) {
    }
  }
  tmon_row_free(row);
  tmon_record_patterns_free(&patterns);
  if (filter->active) list->total = matched;
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_record_list_open(tmon_record_list **out, tmon_store *store, const tmon_record_filter *filter) {
  tmon_record_filter chosen;
  tmon_tx *tx = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_record_filter_check(&chosen, filter);
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
  const char *texts[TMON_RECORD_TEXTS] = {record->id, record->name, record->model_type, record->dataset_name, record->config_json, record->hardware_json,
      record->model_path, record->error_text, record->best_metric, record->notes, record->tags_json, record->parent_id};
  for (int t = 0; t < TMON_RECORD_TEXTS; t++) free_text(texts[t]);
  free_text(record->summary_json);
}

void tmon_record_list_free(tmon_record_list *list) {
  if (list == NULL) return;
  for (size_t i = 0; i < list->count; i++) free_record(&list->records[i]);
  tmon_free(list->records);
  tmon_free(list);
}
