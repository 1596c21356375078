/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The rows of a session that starts. Which of four things a start is (a new session, a new attempt of an ended one, a rank that joins, rank 0 that comes to an attempt
 * that another rank began) is decided inside the transaction that writes them, so that ranks may start in any order and at once.
 */
#include "track/session.h"

#include "track/alert_watch.h"
#include "track/epoch.h"
#include "track/record.h"
#include "util/json.h"

#include <math.h>
#include <stdio.h>

typedef struct found {
  bool exists;
  bool joins; /* the present attempt lives and has no writer of rank 0, or this one is not of rank 0 */
  bool waits; /* made for a trainer that was to come: this one */
  int64_t attempts;
  tmon_control control;
} found;

static void bind_optional_int(tmon_row *row, int index, int64_t value) {
  if (value == 0) tmon_bind_null(row, index);
  else tmon_bind_int(row, index, value);
}

static int find_session(found *out, tmon_session *session, tmon_tx *tx) {
  tmon_row *row = NULL;
  *out = (found){0};
  int result = tmon_tx_prepare(&row, tx,
      "SELECT s.key, s.attempts, s.control, EXISTS (SELECT 1 FROM writers w WHERE w.session = s.key AND w.closed = 0 AND w.rank = ?2),"
      " s.status = 'running' AND EXISTS (SELECT 1 FROM writers w WHERE w.session = s.key AND w.closed = 0 AND w.attempt = s.attempts)"
      " AND (?2 > 0 OR NOT EXISTS (SELECT 1 FROM writers w WHERE w.session = s.key AND w.attempt = s.attempts AND w.rank = 0))"
      " , s.status = 'pending' AND NOT EXISTS (SELECT 1 FROM writers w WHERE w.session = s.key), s.epochs FROM training_sessions s WHERE s.id = ?1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, session->id);
  tmon_bind_int(row, 2, session->rank);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    session->key = tmon_row_int(row, 0);
    *out = (found){true, tmon_row_int(row, 4) != 0, tmon_row_int(row, 5) != 0, tmon_row_int(row, 1), (tmon_control)tmon_row_int(row, 2)};
    if (session->epochs == 0 && tmon_row_int(row, 6) > 0) session->epochs = tmon_row_int(row, 6);
    if (tmon_row_int(row, 3) != 0) {
      result = tmon_error_set_field(TMON_EEXISTS, "id", "session %s is alive: rank %u of it is being fed already", session->id, session->rank);
    }
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static void bind_about(tmon_row *row, const tmon_session_options *options) {
  tmon_bind_text(row, 4, options->model_type);
  tmon_bind_text(row, 5, options->dataset_name);
  bind_optional_int(row, 6, options->dataset_size);
  bind_optional_int(row, 7, options->epochs);
  bind_optional_int(row, 8, options->batch_size);
  tmon_bind_double(row, 9, options->learning_rate == 0 ? NAN : options->learning_rate);
  bind_optional_int(row, 10, options->img_size);
  tmon_bind_text(row, 11, options->config_json);
  tmon_bind_text(row, 12, options->hardware_json);
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
  bind_about(row, options);
  tmon_bind_text(row, 13, now);
  tmon_bind_int(row, 14, options->epochs);
  result = tmon_row_run(row);
  return result == TMON_OK ? tmon_alert_rules_copy(tx, session->key) : result;
}

/* What was asked of an attempt that is over does not bind the next; what was asked of one that had not begun does. */
static int reopen_session(tmon_session *session, tmon_tx *tx, int64_t attempt, tmon_control control, const char *now) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "UPDATE training_sessions SET status = 'running', completed_at = NULL, error_message = NULL, paused = ?4 = 1, control = ?4, attempts = ?1, rest = 0,"
      " started_at = coalesce(started_at, ?2) WHERE key = ?3");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, attempt);
  tmon_bind_text(row, 2, now);
  tmon_bind_int(row, 3, session->key);
  tmon_bind_int(row, 4, control);
  return tmon_row_run(row);
}

/* `out` stays NULL where nothing was said. */
static int merge(char **out, const char *kept, const char *said, const char *what) {
  int result = said == NULL ? TMON_OK : tmon_json_merge(out, kept, said, TMON_JSON_MAXIMUM);
  if (result == TMON_ELIMIT) {
    result = tmon_error_set_field(TMON_EINVAL, what, "%s has more than %u bytes with what the session has already", what, TMON_JSON_MAXIMUM);
  }
  return result;
}

static int merge_objects(char **config, char **hardware, const tmon_session *session, tmon_tx *tx, const tmon_session_options *options) {
  tmon_row *row = NULL;
  if (options->config_json == NULL && options->hardware_json == NULL) return TMON_OK;
  int result = tmon_tx_prepare(&row, tx, "SELECT config, hardware_info FROM training_sessions WHERE key = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session->key);
  result = tmon_row_step(row);
  if (result == TMON_OK) result = merge(config, tmon_row_text(row, 0), options->config_json, "config_json");
  if (result == TMON_OK) result = merge(hardware, tmon_row_text(row, 1), options->hardware_json, "hardware_json");
  tmon_row_reset(row);
  return result;
}

/* There is a session already, made for this trainer, ended, or begun by another rank: what is said of it counts, what is not said stays. */
static int describe_session(tmon_session *session, tmon_tx *tx, const tmon_session_options *options) {
  tmon_session_options merged = *options;
  tmon_row *row = NULL;
  char *config = NULL;
  char *hardware = NULL;
  int result = merge_objects(&config, &hardware, session, tx, options);
  merged.config_json = config;
  merged.hardware_json = hardware;
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "UPDATE training_sessions SET session_name = coalesce(nullif(?3, ''), session_name), model_type = coalesce(nullif(?4, ''), model_type),"
        " dataset_name = coalesce(nullif(?5, ''), dataset_name), dataset_size = coalesce(?6, dataset_size), epochs = coalesce(?7, epochs),"
        " progress_epochs = coalesce(?7, progress_epochs), batch_size = coalesce(?8, batch_size), learning_rate = coalesce(?9, learning_rate),"
        " img_size = coalesce(?10, img_size), config = coalesce(?11, config), hardware_info = coalesce(?12, hardware_info) WHERE id = ?1 AND key = ?2");
  }
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, session->id);
    tmon_bind_int(row, 2, session->key);
    tmon_bind_text(row, 3, options->name);
    bind_about(row, &merged);
    result = tmon_row_run(row);
  }
  tmon_free(config);
  tmon_free(hardware);
  return result;
}

/* What is kept where it is not said anew. */
static int write_more(const tmon_session *session, tmon_tx *tx, const tmon_session_options *options, const char *best, const char *tags) {
  tmon_row *row = NULL;
  if (options->notes == NULL && tags == NULL && best == NULL && options->parent_id == NULL) return TMON_OK;
  int result = tmon_parent_check(tx, session->id, options->parent_id);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "UPDATE training_sessions SET notes = coalesce(nullif(?2, ''), notes), tags = coalesce(nullif(?3, '[]'), tags), parent_id = coalesce(?4, parent_id),"
        " best_metric = coalesce(nullif(?5, ''), best_metric) WHERE id = ?1");
  }
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, session->id);
  tmon_bind_text(row, 2, options->notes);
  tmon_bind_text(row, 3, tags);
  tmon_bind_text(row, 4, options->parent_id);
  tmon_bind_text(row, 5, best);
  return tmon_row_run(row);
}

static int insert_writer(tmon_session *session, tmon_tx *tx, int64_t attempt, const char *ring_id) {
  tmon_ring_identity identity;
  tmon_row *row = NULL;
  tmon_ring_get_identity(&identity, tmon_session_ring(session));
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO writers (session, attempt, rank, ring_id, ring_path, device, inode, boot_id, host, pid, start_ticks, heartbeat_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session->key);
  tmon_bind_int(row, 2, attempt);
  tmon_bind_int(row, 3, session->rank);
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

static int write_event(const tmon_session *session, tmon_tx *tx, bool joins, int64_t attempt) {
  char message[80];
  (void)snprintf(message, sizeof message, "rank %u, attempt %lld", session->rank, (long long)attempt);
  return tmon_event_write(tx, session->id, joins ? "joined" : "started", "info", message);
}

/* A resumed session keeps its configuration, and with it what its names mean. */
static int make_best(char **out, const tmon_session *session, tmon_tx *tx, const found *there, const tmon_session_options *options) {
  tmon_json *own = NULL;
  bool said = !there->exists || (there->joins && options->config_json != NULL);
  int result = said ? tmon_own_names_read(&own, options->config_json) : tmon_own_names_load(&own, tx, session->key);
  if (result == TMON_OK) result = tmon_best_metric_parse(out, options->best_metric, own);
  tmon_json_free(own);
  return result;
}

static int write_all(tmon_session *session, tmon_tx *tx, const tmon_session_options *options, const char *ring_id) {
  found there;
  char now[TMON_ISO_TIME_BYTES];
  char *best = NULL;
  char *tags = NULL;
  int64_t attempt = 1;
  tmon_text_from_time(now, tmon_clock_now_us());
  int result = tmon_tags_parse(&tags, options->tags_json);
  if (result == TMON_OK) result = find_session(&there, session, tx);
  if (result == TMON_OK) result = make_best(&best, session, tx, &there, options);
  if (result != TMON_OK) goto out;
  if (!there.joins && !there.waits) there.control = TMON_CONTROL_RUN;
  bool speaks = session->rank == 0 || !there.joins;
  /* One that waits has had no attempt, whatever a row that was written by hand says. */
  if (there.exists && !there.waits) attempt = there.attempts + (there.joins ? 0 : 1);
  if (!there.exists) result = insert_session(session, tx, options, now);
  else if (!there.joins) result = reopen_session(session, tx, attempt, there.control, now);
  if (result == TMON_OK && there.exists && speaks) result = describe_session(session, tx, options);
  if (result == TMON_OK && speaks) result = write_more(session, tx, options, best, tags);
  if (result == TMON_OK) result = insert_writer(session, tx, attempt, ring_id);
  if (result == TMON_OK) result = write_event(session, tx, there.joins, attempt);
  if (result == TMON_OK && there.exists) tmon_ring_set_control(tmon_session_ring(session), there.control);
out:
  tmon_free(best);
  tmon_free(tags);
  return result;
}

int tmon_session_write_rows(tmon_session *session, const tmon_session_options *options, const char *ring_id) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, session->store->db, true, -1);
  if (result == TMON_OK) result = write_all(session, tx, options, ring_id);
  if (result == TMON_OK) return tmon_tx_commit(tx);
  tmon_tx_abort(tx);
  return result;
}
