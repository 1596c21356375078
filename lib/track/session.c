/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Starting a session: the row, the writer, the ring. */
#include "track/session.h"

#include "util/file.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define RING_BYTES_DEFAULT ((size_t)4 << 20)
#define RING_BYTES_MINIMUM ((size_t)256 << 10)
#define ENDING_US 5000000 /* how long a start waits for the end of the attempt before it */
#define RING_BYTES_MAXIMUM ((size_t)1 << 30)

int tmon_session_check(const tmon_session *session) {
  if (session == NULL) return tmon_error_set(TMON_EINVAL, "the session is NULL");
  if (session->pid != tmon_process_id()) return tmon_error_set(TMON_EFORKED, "session %s belongs to the parent of this forked process", session->id);
  if (atomic_load_explicit(&session->finished, memory_order_acquire)) return tmon_error_set(TMON_ESTATE, "session %s is finished", session->id);
  return TMON_OK;
}

static int check_options(const tmon_session_options *options) {
  int result = tmon_check_text(options->name, TMON_TEXT_MAXIMUM, "the session's name");
  if (result == TMON_OK) result = tmon_check_text(options->model_type, TMON_TEXT_MAXIMUM, "model_type");
  if (result == TMON_OK) result = tmon_check_text(options->dataset_name, TMON_TEXT_MAXIMUM, "dataset_name");
  if (result == TMON_OK) result = tmon_check_json_object(options->config_json, "config_json");
  if (result == TMON_OK) result = tmon_check_json_object(options->hardware_json, "hardware_json");
  if (result == TMON_OK && options->id != NULL) result = tmon_check_id(options->id);
  if (result != TMON_OK) return result;
  if (options->dataset_size < 0 || options->epochs < 0 || options->batch_size < 0 || options->img_size < 0) {
    return tmon_error_set(TMON_EINVAL, "dataset_size, epochs, batch_size and img_size must not be negative");
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

static void bind_optional_int(tmon_row *row, int index, int64_t value) {
  if (value == 0) tmon_bind_null(row, index);
  else tmon_bind_int(row, index, value);
}

/* Reads the session of this id; an ended one is resumed, a live one of rank 0 is an error. `attempt` receives the number of this attempt. */
static int find_session(tmon_session *session, tmon_tx *tx, const tmon_session_options *options, int64_t *attempt) {
  tmon_row *row = NULL;
  *attempt = 1;
  int result = tmon_tx_prepare(&row, tx,
      "SELECT s.key, s.attempts, s.status, (SELECT count(*) FROM writers w WHERE w.session = s.key AND w.closed = 0 AND w.rank = ?2)"
      " FROM training_sessions s WHERE s.id = ?1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, session->id);
  tmon_bind_int(row, 2, options->rank);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    session->key = tmon_row_int(row, 0);
    *attempt = tmon_row_int(row, 1) + (options->rank == 0 ? 1 : 0);
    if (tmon_row_int(row, 3) > 0)
      result = tmon_error_set(TMON_EEXISTS, "session %s is alive: rank %u of it is being fed already", session->id, options->rank);
  }
  tmon_row_reset(row);
  return result;
}

static int insert_session(tmon_session *session, tmon_tx *tx, const tmon_session_options *options, const char *now) {
  tmon_row *row = NULL;
  char name[9];
  int result = tmon_tx_prepare(&row, tx, "SELECT coalesce(max(key), 0) + 1 FROM training_sessions");
  if (result == TMON_OK) result = tmon_row_step(row);
  if (result != TMON_OK) return result;
  session->key = tmon_row_int(row, 0);
  tmon_row_reset(row);
  result = tmon_tx_prepare(&row, tx,
      "INSERT INTO training_sessions (id, key, session_name, model_type, dataset_name, dataset_size, epochs, batch_size, learning_rate, img_size, config,"
      " hardware_info, status, started_at, created_at, progress_epochs, attempts)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, coalesce(?, '{}'), coalesce(?, '{}'), 'running', ?13, ?13, ?14, 1)");
  if (result != TMON_OK) return result;
  (void)tmon_text_copy(name, sizeof name, session->id);
  tmon_bind_text(row, 1, session->id);
  tmon_bind_int(row, 2, session->key);
  tmon_bind_text(row, 3, options->name != NULL ? options->name : name);
  tmon_bind_text(row, 4, options->model_type);
  tmon_bind_text(row, 5, options->dataset_name);
  bind_optional_int(row, 6, options->dataset_size);
  bind_optional_int(row, 7, options->epochs);
  bind_optional_int(row, 8, options->batch_size);
  tmon_bind_double(row, 9, options->learning_rate == 0 ? NAN : options->learning_rate);
  bind_optional_int(row, 10, options->img_size);
  tmon_bind_text(row, 11, options->config_json);
  tmon_bind_text(row, 12, options->hardware_json);
  tmon_bind_text(row, 13, now);
  tmon_bind_int(row, 14, options->epochs);
  return tmon_row_run(row);
}

static int reopen_session(tmon_session *session, tmon_tx *tx, int64_t attempt, const char *now) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "UPDATE training_sessions SET status = 'running', completed_at = NULL, error_message = NULL, paused = 0, control = 0, attempts = ?, rest = 0,"
      " started_at = coalesce(started_at, ?) WHERE key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, attempt);
  tmon_bind_text(row, 2, now);
  tmon_bind_int(row, 3, session->key);
  return tmon_row_run(row);
}

static int insert_writer(tmon_session *session, tmon_tx *tx, const tmon_session_options *options, int64_t attempt, const char *ring_id) {
  tmon_ring_identity identity;
  tmon_row *row = NULL;
  tmon_ring_get_identity(&identity, tmon_session_ring(session));
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO writers (session, attempt, rank, ring_id, ring_path, device, inode, boot_id, host, pid, start_ticks, heartbeat_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session->key);
  tmon_bind_int(row, 2, attempt);
  tmon_bind_int(row, 3, options->rank);
  tmon_bind_text(row, 4, ring_id);
  tmon_bind_text(row, 5, session->ring_path);
  tmon_bind_int(row, 6, (int64_t)identity.device);
  tmon_bind_int(row, 7, (int64_t)identity.inode);
  tmon_bind_text(row, 8, identity.process.boot_id);
  tmon_bind_text(row, 9, identity.process.host);
  tmon_bind_int(row, 10, identity.process.pid);
  tmon_bind_int(row, 11, identity.process.start_ticks);
  tmon_bind_int(row, 12, tmon_clock_now_us());
  result = tmon_row_run(row);
  if (result == TMON_OK) session->writer = tmon_tx_last_rowid(tx);
  return result;
}

/* Session and writer rows in one transaction: whoever opens the store afterwards knows which ring to look for. */
static int write_rows(tmon_session *session, const tmon_session_options *options, const char *ring_id) {
  tmon_tx *tx = NULL;
  int64_t attempt = 1;
  char now[TMON_ISO_TIME_BYTES];
  tmon_text_from_time(now, tmon_clock_now_us());
  int result = tmon_tx_begin(&tx, session->store->db, true, -1);
  if (result == TMON_OK) result = find_session(session, tx, options, &attempt);
  if (result == TMON_DONE) result = insert_session(session, tx, options, now);
  else if (result == TMON_OK) result = reopen_session(session, tx, attempt, now);
  if (result == TMON_OK) result = insert_writer(session, tx, options, attempt, ring_id);
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
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
  int result =
      tmon_tx_prepare(&row, tx, "SELECT w.ring_path FROM writers w JOIN training_sessions s ON s.key = w.session WHERE s.id = ? AND w.closed = 0");
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, session->id);
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
    if (result == TMON_OK) result = write_rows(session, options, ring_id);
    if (result != TMON_EEXISTS || !ending || tmon_clock_monotonic_us() > deadline) return result;
    tmon_clock_sleep_us(10000);
  }
}

int tmon_session_start(tmon_session **out, tmon_store *store, const tmon_session_options *options) {
  tmon_session_options chosen;
  char ring_id[TMON_ID_BYTES];
  tmon_session *session = NULL;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_options_copy(&chosen, sizeof chosen, options, "tmon_session_options");
  if (result == TMON_OK) result = check_options(&chosen);
  if (result != TMON_OK) return result;
  if (tmon_db_is_read_only(store->db)) return tmon_error_set(TMON_EREADONLY, "the store %s is open read-only", tmon_db_folder(store->db));
  session = tmon_alloc_zero(1, sizeof *session);
  if (session == NULL) return tmon_error_no_memory();
  session->wake.fd = -1;
  session->store = tmon_store_hold(store);
  session->pid = tmon_process_id();
  session->no_drainer = chosen.no_drainer;
  session->epochs = chosen.epochs;
  session->ring_bytes = chosen.ring_bytes == 0 ? RING_BYTES_DEFAULT : (chosen.ring_bytes + 4095) / 4096 * 4096;
  atomic_init(&session->thread_started, chosen.no_drainer);
  if (chosen.id != NULL) (void)tmon_text_copy(session->id, sizeof session->id, chosen.id);
  else result = tmon_id_make(session->id);
  if (result == TMON_OK) result = tmon_mutex_make(&session->mutex);
  if (result == TMON_OK) result = tmon_mutex_make(&session->words);
  if (result == TMON_OK) result = tmon_image_queue_init(&session->images, chosen.images_kept);
  if (result == TMON_OK) result = tmon_wake_open(&session->wake);
  if (result == TMON_OK) result = make_first_ring(session, ring_id);
  if (result == TMON_OK) result = write_rows(session, &chosen, ring_id);
  if (result == TMON_EEXISTS) result = write_rows_again(session, &chosen, ring_id);
  if (result == TMON_OK) result = tmon_exit_add(session);
  if (result != TMON_OK) {
    if (session->ring_path != NULL) (void)tmon_file_remove(session->ring_path);
    tmon_session_destroy(session);
    return result;
  }
  tmon_drain_init(&session->drain, store->db, tmon_session_ring(session), session->writer, session->key, session->id);
  *out = session;
  return TMON_OK;
}
