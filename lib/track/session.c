/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Starting a session: its options, its ring, and what happens where one of its id seems to live. */
#include "track/session.h"

#include "track/record.h"
#include "util/file.h"
#include "util/own_names.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define RING_BYTES_DEFAULT ((size_t)4 << 20)
#define RING_BYTES_MINIMUM ((size_t)256 << 10)
#define ENDING_US 30000000 /* how long a start waits for the end of the attempt before it */
#define RING_BYTES_MAXIMUM ((size_t)1 << 30)
#define HARDWARE_MS_MINIMUM 100

int tmon_session_check(const tmon_session *session) {
  if (session == NULL) return tmon_error_set(TMON_EINVAL, "the session is NULL");
  if (session->pid != tmon_process_id()) return tmon_error_set(TMON_EFORKED, "session %s belongs to the parent of this forked process", session->id);
  if (atomic_load_explicit(&session->finished, memory_order_acquire)) return tmon_error_set(TMON_ESTATE, "session %s is finished", session->id);
  return TMON_OK;
}

static int check_options(const tmon_session_options *options) {
  int result = tmon_check_text(options->name, TMON_TEXT_MAXIMUM, "session_name");
  if (result == TMON_OK) result = tmon_check_text(options->model_type, TMON_TEXT_MAXIMUM, "model_type");
  if (result == TMON_OK) result = tmon_check_text(options->dataset_name, TMON_TEXT_MAXIMUM, "dataset_name");
  if (result == TMON_OK) result = tmon_check_json_object(options->config_json, "config_json");
  if (result == TMON_OK) result = tmon_own_names_check(options->config_json);
  if (result == TMON_OK) result = tmon_check_json_object(options->hardware_json, "hardware_json");
  if (result == TMON_OK) result = tmon_check_text(options->notes, TMON_NOTES_MAXIMUM, "notes");
  if (result == TMON_OK && options->parent_id != NULL && !tmon_id_is_valid(options->parent_id)) {
    result = tmon_error_set_field(TMON_EINVAL, "parent_id", "\"%.64s\" is not the id of a session (a UUID)", options->parent_id);
  }
  if (result == TMON_OK && options->id != NULL) result = tmon_check_id(options->id);
  if (result != TMON_OK) return result;
  if (options->dataset_size < 0 || options->epochs < 0 || options->batch_size < 0 || options->img_size < 0) {
    return tmon_error_set(TMON_EINVAL, "dataset_size, epochs, batch_size and img_size must not be negative");
  }
  if (options->hardware_period_ms != 0 && options->hardware_period_ms < HARDWARE_MS_MINIMUM) {
    return tmon_error_set_field(
        TMON_EINVAL, "hardware_period_ms", "hardware_period_ms is %u, expected 0 or at least %d", options->hardware_period_ms, HARDWARE_MS_MINIMUM);
  }
  if (options->hardware_period_ms != 0 && options->no_drainer) {
    return tmon_error_set_field(TMON_EINVAL, "hardware_period_ms", "hardware_period_ms needs a thread of the library, no_drainer asks for none");
  }
  if (!isfinite(options->learning_rate)) return tmon_error_set(TMON_EINVAL, "learning_rate is not finite");
  if (options->images_kept > TMON_PICTURES_KEPT_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "images_kept", "images_kept is %u, at most %d are allowed", options->images_kept, TMON_PICTURES_KEPT_MAXIMUM);
  }
  if (options->ring_bytes != 0 && (options->ring_bytes < RING_BYTES_MINIMUM || options->ring_bytes > RING_BYTES_MAXIMUM)) {
    return tmon_error_set(TMON_EINVAL, "ring_bytes is %zu, expected 0 or %zu to %zu", options->ring_bytes, RING_BYTES_MINIMUM, RING_BYTES_MAXIMUM);
  }
  return TMON_OK;
}

/* A full ring without a drainer thread: the logging thread drains. */
static int drain_by_caller(void *payload) { return tmon_drainer_drain(payload, 100000, 0); }

int tmon_session_make_ring(tmon_ring **out, char **path, tmon_session *session, const char *const *folders, size_t count, char ring_id[TMON_ID_BYTES]) {
  uint8_t ring[16];
  uint8_t id[16];
  uint64_t store[2];
  char name[64];
  *out = NULL;
  *path = NULL;
  int result = tmon_store_identity(store, session->store);
  if (result == TMON_OK) result = tmon_id_make(ring_id);
  if (result == TMON_OK) result = tmon_id_parse(ring, ring_id);
  if (result == TMON_OK) result = tmon_id_parse(id, session->id);
  if (result != TMON_OK) return result;
  (void)tmon_text_copy(name, sizeof name, "trainmon-");
  (void)tmon_text_copy(name + 9, sizeof name - 9, ring_id);
  for (size_t i = 0; i < count; i++) {
    *path = tmon_path_join(folders[i], name);
    if (*path == NULL) return tmon_error_no_memory();
    result = tmon_ring_create(out, *path, ring, id, session->ring_bytes, &session->wake);
    if (result == TMON_OK) break;
    tmon_free(*path); /* a full memory file system: the next folder is the next choice */
    *path = NULL;
  }
  if (result != TMON_OK) return result;
  tmon_ring_set_store(*out, store);
  if (session->no_drainer) tmon_ring_set_drained_by_caller(*out, drain_by_caller, session);
  return TMON_OK;
}

/* The ring folder; where nobody asked for that one, the store's own folder comes next. */
static int make_first_ring(tmon_session *session, char ring_id[TMON_ID_BYTES]) {
  const char *folders[] = {session->store->ring_folder, tmon_db_folder(session->store->db)};
  tmon_ring *ring = NULL;
  int result = tmon_session_make_ring(&ring, &session->ring_path, session, folders, session->store->ring_folder_given ? 1 : 2, ring_id);
  atomic_init(&session->ring, ring);
  return result;
}

/* A writer of this session has ended, but its process is still committing. */
static bool is_ending(const tmon_session *session) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  bool ending = false;
  if (tmon_tx_begin(&tx, session->store->db, false, -1) != TMON_OK) return false;
  int result = tmon_tx_prepare(
      &row, tx, "SELECT w.ring_path FROM writers w JOIN training_sessions s ON s.key = w.session WHERE s.id = ? AND w.closed = 0 AND w.rank = ?");
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, session->id);
    tmon_bind_int(row, 2, session->rank);
    while (!ending && tmon_row_step(row) == TMON_OK) {
      tmon_ring *ring = NULL;
      ending = tmon_row_text(row, 0) != NULL && tmon_ring_open(&ring, tmon_row_text(row, 0), false) == TMON_OK && tmon_ring_final(ring, NULL, NULL);
      tmon_ring_close(ring);
    }
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return ending;
}

/* The session seems to be alive. Its trainer may have died, or ended without time to commit, since the store was opened; or it ends just now. */
static int write_rows_again(tmon_session *session, const tmon_session_options *options, const char *ring_id) {
  int64_t deadline = tmon_clock_monotonic_us() + ENDING_US;
  for (;;) {
    size_t adopted = 0;
    bool ending = is_ending(session); /* before the try: one that ends in between is seen by the try */
    int result = tmon_store_adopt(session->store, &adopted);
    if (result == TMON_OK) result = tmon_session_write_rows(session, options, ring_id);
    if (result != TMON_EEXISTS || !ending || tmon_clock_monotonic_us() > deadline) return result;
    tmon_clock_sleep_us(10000);
  }
}

/* All that is needed before the session's rows are written. */
static int prepare(tmon_session *session, const tmon_session_options *options, char ring_id[TMON_ID_BYTES]) {
  int result = TMON_OK;
  if (options->id != NULL) (void)tmon_text_copy(session->id, sizeof session->id, options->id);
  else result = tmon_id_make(session->id);
  if (result == TMON_OK) result = tmon_mutex_make(&session->mutex);
  if (result == TMON_OK) result = tmon_mutex_make(&session->words);
  if (result == TMON_OK) result = tmon_image_queue_init(&session->images, options->images_kept);
  if (result == TMON_OK) result = tmon_wake_open(&session->wake);
  if (result == TMON_OK && options->hardware_period_ms != 0) {
    result = tmon_hardware_feed_make(&session->feed, options->hardware_period_ms, options->rank, tmon_db_folder(session->store->db));
  }
  return result == TMON_OK ? make_first_ring(session, ring_id) : result;
}

/* The drainer runs from the start, so that a sample never waits for it. */
static void begin_hardware(tmon_session *session, const tmon_session_options *options) {
  if (session->feed == NULL) return;
  (void)tmon_drainer_start(session);
  tmon_hardware_feed_begin(session->feed, session, options->id == NULL ? 0 : tmon_hardware_last_step(session->store, session->id, options->rank));
}

int tmon_session_start(tmon_session **out, tmon_store *store, const tmon_session_options *options) {
  tmon_session_options chosen;
  char *machine = NULL;
  char ring_id[TMON_ID_BYTES];
  size_t adopted = 0;
  tmon_session *session = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_options_copy(&chosen, sizeof chosen, options, "tmon_session_options");
  if (result == TMON_OK) result = check_options(&chosen);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result != TMON_OK) return result;
  session = tmon_alloc_zero(1, sizeof *session);
  if (session == NULL) return tmon_error_no_memory();
  session->wake.fd = -1;
  session->store = tmon_store_hold(store);
  session->pid = tmon_process_id();
  session->no_drainer = chosen.no_drainer;
  session->epochs = chosen.epochs;
  session->rank = chosen.rank;
  session->ring_bytes = chosen.ring_bytes == 0 ? RING_BYTES_DEFAULT : (chosen.ring_bytes + 4095) / 4096 * 4096;
  atomic_init(&session->thread_started, chosen.no_drainer);
  /* A rank that joins must not take the dead attempt before for a live one. */
  if (chosen.rank > 0) result = tmon_store_adopt(store, &adopted);
  if (result == TMON_OK) result = prepare(session, &chosen, ring_id);
  if (result == TMON_OK && chosen.hardware_json == NULL) result = tmon_hardware_info_json(&machine);
  if (machine != NULL) chosen.hardware_json = machine;
  if (result == TMON_OK) result = tmon_session_write_rows(session, &chosen, ring_id);
  if (result == TMON_EEXISTS) result = write_rows_again(session, &chosen, ring_id);
  if (result == TMON_OK) result = tmon_exit_add(session);
  tmon_text_free(machine);
  if (result != TMON_OK) {
    if (session->ring_path != NULL) (void)tmon_file_remove(session->ring_path);
    tmon_session_destroy(session);
    return result;
  }
  tmon_drain_init(&session->drain, store->db, tmon_session_ring(session), session->writer, session->key, session->id);
  begin_hardware(session, &chosen);
  *out = session;
  return TMON_OK;
}
