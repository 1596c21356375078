/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions without a ring: rows that a trainer writes over REST. */
#include "track/drain.h"
#include "track/epoch.h"
#include "track/record.h"

#include <math.h>
#include <string.h>

static int check_numbers(const tmon_record_change *change) {
  const struct {
    int64_t count;
    const char *what;
  } counts[] = {{change->dataset_size, "dataset_size"}, {change->epochs, "epochs"}, {change->batch_size, "batch_size"}, {change->img_size, "img_size"},
      {change->started_at, "started_at"}, {change->completed_at, "completed_at"}};
  const struct {
    double value;
    const char *what;
  } reals[] = {{change->learning_rate, "learning_rate"}, {change->final_map50, "final_map50"}, {change->final_map50_95, "final_map50_95"},
      {change->final_precision, "final_precision"}, {change->final_recall, "final_recall"}, {change->final_loss, "final_loss"}};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    if (counts[i].count < 0) {
      return tmon_error_set_field(TMON_EINVAL, counts[i].what, "%s is %lld, expected 0 or more", counts[i].what, (long long)counts[i].count);
    }
  }
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
    bool share = i > 0 && i < 5; /* a share, or a percentage */
    if (isinf(reals[i].value) || (i < 5 && reals[i].value < 0) || (share && reals[i].value > 100)) {
      return tmon_error_set_field(TMON_EINVAL, reals[i].what, "%s is %g, expected %s", reals[i].what, reals[i].value,
          share       ? "0 to 1, or a percentage"
              : i < 5 ? "a number, 0 or more"
                      : "a number");
    }
  }
  return TMON_OK;
}

static int check_change(tmon_record_change *out, const tmon_record_change *given) {
  if (given == NULL) return tmon_error_set(TMON_EINVAL, "the change is NULL");
  int result = tmon_options_copy(out, sizeof *out, given, "tmon_record_change");
  const struct {
    const char *text;
    const char *what;
  } texts[] = {{out->name, "session_name"}, {out->model_type, "model_type"}, {out->dataset_name, "dataset_name"}, {out->model_path, "model_path"},
      {out->error_text, "error_message"}};
  for (size_t i = 0; result == TMON_OK && i < sizeof texts / sizeof *texts; i++) result = tmon_check_text(texts[i].text, TMON_TEXT_MAXIMUM, texts[i].what);
  if (result == TMON_OK) result = tmon_check_json_object(out->config_json, "config");
  if (result == TMON_OK) result = tmon_own_names_check(out->config_json);
  if (result == TMON_OK) result = tmon_check_json_object(out->hardware_json, "hardware_info");
  if (result == TMON_OK) result = tmon_check_json_object(out->summary_json, "summary");
  if (result == TMON_OK) result = tmon_check_text(out->notes, TMON_NOTES_MAXIMUM, "notes");
  if (result == TMON_OK && out->id != NULL && !tmon_id_is_valid(out->id)) {
    result = tmon_error_set_field(TMON_EINVAL, "id", "\"%.64s\" is not the id of a session (a UUID)", out->id);
  }
  if (result == TMON_OK && out->parent_id != NULL && *out->parent_id != '\0' && !tmon_id_is_valid(out->parent_id)) {
    result = tmon_error_set_field(TMON_EINVAL, "parent_id", "\"%.64s\" is not the id of a session (a UUID)", out->parent_id);
  }
  if (result == TMON_OK) result = check_numbers(out);
  if (result == TMON_OK && out->started_at != 0 && out->completed_at != 0 && out->completed_at < out->started_at) {
    result = tmon_error_set_field(TMON_EINVAL, "completed_at", "completed_at is before started_at");
  }
  if (result == TMON_OK && out->set_status && (out->status > TMON_STATUS_CANCELLED)) {
    result = tmon_error_set_field(
        TMON_EINVAL, "status", "status is %s, expected pending, running, completed, failed or cancelled", tmon_status_name(out->status));
  }
  return result;
}

static void bind_known_int(tmon_row *row, int index, int64_t value) {
  if (value == 0) tmon_bind_null(row, index);
  else tmon_bind_int(row, index, value);
}

static void bind_known_double(tmon_row *row, int index, double value, bool zero_is_said) {
  if (value == 0 && !zero_is_said) tmon_bind_null(row, index); /* zero-initialised structs mean not said */
  else tmon_bind_double(row, index, value);
}

/* Parameters 2 to 20 of both statements below. `started` and `completed` live until the step. */
static void bind_change(tmon_row *row, const tmon_record_change *change) {
  tmon_bind_text(row, 2, change->name);
  tmon_bind_text(row, 3, change->model_type);
  tmon_bind_text(row, 4, change->dataset_name);
  tmon_bind_text(row, 5, change->config_json);
  tmon_bind_text(row, 6, change->hardware_json);
  tmon_bind_text(row, 7, change->model_path);
  tmon_bind_text(row, 8, change->error_text);
  bind_known_int(row, 9, change->dataset_size);
  bind_known_int(row, 10, change->epochs);
  bind_known_int(row, 11, change->batch_size);
  bind_known_int(row, 12, change->img_size);
  bind_known_double(row, 13, change->learning_rate, change->zero_is_said);
  bind_known_double(row, 14, change->final_map50, change->zero_is_said);
  bind_known_double(row, 15, change->final_map50_95, change->zero_is_said);
  bind_known_double(row, 16, change->final_precision, change->zero_is_said);
  bind_known_double(row, 17, change->final_recall, change->zero_is_said);
  bind_known_double(row, 18, change->final_loss, change->zero_is_said);
  tmon_bind_text(row, 19, change->set_status ? tmon_status_name(change->status) : NULL);
  tmon_bind_int(row, 20, tmon_clock_now_us());
}

/* What is made from a change before it can be written. */
typedef struct made {
  char *best;
  char *tags;
  tmon_progress progress;
} made;

/* From then on the change says the copy, which has all members. */
static int copy_progress(tmon_progress *out, tmon_record_change *given) {
  if (given->progress == NULL) return TMON_OK;
  int result = tmon_options_copy(out, sizeof *out, given->progress, "tmon_progress");
  given->progress = out;
  if (result == TMON_OK && !(out->fraction <= 1)) {
    result = tmon_error_set_field(TMON_EINVAL, "progress", "fraction is %g, expected 0 to 1", out->fraction);
  }
  return result;
}

static int make(made *out, tmon_record_change *given, const tmon_record_change *change) {
  tmon_json *own = NULL;
  memset(out, 0, sizeof *out);
  int result = check_change(given, change);
  if (result == TMON_OK) result = copy_progress(&out->progress, given);
  if (result == TMON_OK) result = tmon_own_names_read(&own, given->config_json);
  if (result == TMON_OK) result = tmon_best_metric_parse(&out->best, given->best_metric, own);
  if (result == TMON_OK) result = tmon_tags_parse(&out->tags, given->tags_json);
  tmon_json_free(own);
  return result;
}

/* Where the change does not say what the session's own names mean, the store does. */
static int remake_best(made *out, tmon_tx *tx, const char *id, const tmon_record_change *given) {
  tmon_json *own = NULL;
  int64_t session = 0;
  if (given->best_metric == NULL || given->config_json != NULL) return TMON_OK;
  int result = tmon_session_key(&session, tx, id);
  if (result == TMON_OK) result = tmon_own_names_load(&own, tx, session);
  if (result == TMON_OK && own != NULL) {
    tmon_free(out->best);
    result = tmon_best_metric_parse(&out->best, given->best_metric, own);
  }
  tmon_json_free(own);
  return result;
}

static void free_made(made *out) {
  tmon_free(out->best);
  tmon_free(out->tags);
}

/* Of text that is known to be a JSON object. */
static bool is_empty_object(const char *json) { return json[strspn(json, " \t\r\n{")] == '}'; }

/* Parameters 22 to 26. */
static void bind_made(tmon_row *row, const tmon_record_change *change, const made *texts) {
  tmon_bind_text(row, 22, texts->best);
  tmon_bind_text(row, 23, change->notes);
  tmon_bind_text(row, 24, texts->tags);
  tmon_bind_text(row, 25, change->parent_id);
  tmon_bind_text(row, 26, change->summary_json != NULL && is_empty_object(change->summary_json) ? "" : change->summary_json);
}

static int write_times(tmon_tx *tx, const char *id, const tmon_record_change *change) {
  tmon_row *row = NULL;
  bool ended = change->set_status && tmon_status_is_final(change->status);
  bool started = change->set_status && change->status != TMON_STATUS_PENDING;
  int64_t now = tmon_clock_now_us();
  const struct {
    const char *sql;
    int64_t time;
  } times[] = {
      {"UPDATE training_sessions SET started_at = ?2 WHERE id = ?1", change->started_at},
      {"UPDATE training_sessions SET started_at = coalesce(started_at, ?2) WHERE id = ?1", started && change->started_at == 0 ? now : 0},
      {"UPDATE training_sessions SET completed_at = ?2 WHERE id = ?1",
          change->completed_at != 0 ? change->completed_at
              : ended               ? now
                                    : 0},
  };
  for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
    char text[TMON_ISO_TIME_BYTES];
    if (times[i].time == 0) continue;
    int result = tmon_tx_prepare(&row, tx, times[i].sql);
    if (result != TMON_OK) return result;
    tmon_text_from_time(text, times[i].time);
    tmon_bind_text(row, 1, id);
    tmon_bind_text(row, 2, text);
    if ((result = tmon_row_run(row)) != TMON_OK) return result;
  }
  return TMON_OK;
}

static void bind_said_int(tmon_row *row, int index, int64_t value) {
  if (value < 0) tmon_bind_null(row, index);
  else tmon_bind_int(row, index, value);
}

static int write_progress(tmon_tx *tx, const char *id, const tmon_progress *progress) {
  tmon_row *row = NULL;
  if (progress == NULL) return TMON_OK;
  int result = tmon_tx_prepare(&row, tx,
      "UPDATE training_sessions SET progress_batch = coalesce(?4, CASE WHEN ?2 IS NULL OR ?2 = progress_epoch THEN progress_batch ELSE 0 END),"
      " progress_epoch = coalesce(?2, progress_epoch), progress_epochs = coalesce(?3, progress_epochs), progress_batches = coalesce(?5, progress_batches),"
      " progress_images = coalesce(?6, progress_images), progress_fraction = coalesce(?7, progress_fraction) WHERE id = ?1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  const int64_t counts[] = {progress->epoch, progress->epochs, progress->batch, progress->batches, progress->images};
  for (int i = 0; i < 5; i++) bind_said_int(row, 2 + i, counts[i]);
  if (progress->fraction < 0) tmon_bind_null(row, 7);
  else tmon_bind_double(row, 7, progress->fraction);
  return tmon_row_run(row);
}

/* Who says how far it is has begun, whether or not it says so. */
static void begin_with_progress(tmon_record_change *given, tmon_status before) {
  if (given->progress == NULL || given->set_status || before != TMON_STATUS_PENDING) return;
  given->set_status = true;
  given->status = TMON_STATUS_RUNNING;
}

static int begin_write(tmon_tx **tx, tmon_store *store) {
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  return result == TMON_OK ? tmon_tx_begin(tx, store->db, true, -1) : result;
}

static int end_write(tmon_tx *tx, int result) {
  if (result == TMON_OK) return tmon_tx_commit(tx);
  tmon_tx_abort(tx);
  return result;
}

static int insert(tmon_tx *tx, const char *id, const tmon_record_change *given, const made *texts) {
  tmon_row *row = NULL;
  char now[TMON_ISO_TIME_BYTES];
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO training_sessions (id, key, session_name, model_type, dataset_name, config, hardware_info, model_path, error_message, dataset_size, epochs,"
      " batch_size, img_size, learning_rate, final_map50, final_map50_95, final_precision, final_recall, final_loss, status, rest, lease_at, created_at,"
      " progress_epochs, attempts, best_metric, notes, tags, parent_id, summary)"
      " VALUES (?1, (SELECT coalesce(max(key), 0) + 1 FROM training_sessions), coalesce(nullif(?2, ''), substr(?1, 1, 8)), ?3, ?4, coalesce(?5, '{}'), coalesce(?6, '{}'),"
      " ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, coalesce(?19, 'pending'), 1, ?20, ?21, coalesce(?10, 0), 1, nullif(?22, ''), nullif(?23, ''),"
      " nullif(?24, '[]'), nullif(?25, ''), nullif(?26, ''))");
  if (result != TMON_OK) return result;
  tmon_text_from_time(now, tmon_clock_now_us());
  tmon_bind_text(row, 1, id);
  bind_change(row, given);
  tmon_bind_text(row, 21, now);
  bind_made(row, given, texts);
  result = tmon_row_run(row);
  return result == TMON_EEXISTS ? tmon_error_set_field(TMON_EEXISTS, "id", "there is a session %s already", id) : result;
}

static int copy_rules(tmon_tx *tx, const char *id) {
  int64_t key = 0;
  int result = tmon_session_key(&key, tx, id);
  return result == TMON_OK ? tmon_alert_rules_copy(tx, key) : result;
}

int tmon_record_create(char *id_out, tmon_store *store, const tmon_record_change *change) {
  tmon_record_change given;
  tmon_tx *tx = NULL;
  made texts = {.best = NULL};
  char id[TMON_ID_BYTES];
  if (id_out == NULL) return tmon_error_set(TMON_EINVAL, "id_out is NULL");
  *id_out = '\0';
  int result = make(&texts, &given, change);
  if (result == TMON_OK) begin_with_progress(&given, TMON_STATUS_PENDING);
  if (result == TMON_OK && given.id != NULL) (void)tmon_text_copy(id, sizeof id, given.id);
  else if (result == TMON_OK) result = tmon_id_make(id);
  if (result == TMON_OK) result = begin_write(&tx, store);
  if (result == TMON_OK) result = tmon_parent_check(tx, id, given.parent_id);
  if (result == TMON_OK) result = insert(tx, id, &given, &texts);
  if (result == TMON_OK) result = write_times(tx, id, &given);
  if (result == TMON_OK) result = write_progress(tx, id, given.progress);
  if (result == TMON_OK) result = tmon_event_write(tx, id, "created", "info", NULL);
  if (result == TMON_OK) result = tmon_status_event(tx, id, TMON_STATUS_PENDING, given.set_status ? given.status : TMON_STATUS_PENDING);
  if (result == TMON_OK) result = copy_rules(tx, id);
  result = end_write(tx, result);
  free_made(&texts);
  if (result == TMON_OK) (void)tmon_text_copy(id_out, TMON_ID_BYTES, id);
  return result;
}

/* A session with a live ring gets its status and progress from its trainer alone. `change` NULL: only `status` is asked. */
static int check_ringless(tmon_tx *tx, const char *id, const tmon_record_change *change, tmon_status *status) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(
      &row, tx, "SELECT (SELECT count(*) FROM writers w WHERE w.session = s.key AND w.closed = 0), s.status FROM training_sessions s WHERE s.id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  result = tmon_row_step(row);
  bool live = result == TMON_OK && tmon_row_int(row, 0) > 0;
  if (result == TMON_OK) (void)tmon_status_parse(tmon_row_text(row, 1), status);
  tmon_row_reset(row);
  if (result == TMON_DONE) return tmon_error_set(TMON_ENOTFOUND, "no session %s in this store", id);
  if (result == TMON_OK && live && change != NULL && change->set_status) {
    return tmon_error_set_field(TMON_ESTATE, "status", "session %s is fed by a live trainer: pause or stop it instead of setting its status", id);
  }
  if (result == TMON_OK && live && change != NULL && change->progress != NULL) {
    return tmon_error_set_field(TMON_ESTATE, "progress", "session %s is fed by a live trainer, which alone says how far it is", id);
  }
  return result;
}

/* An ended session that is set back to work, or an interrupted one whose trainer is heard of again (?21). */
#define REOPENS                                                                                                                                           \
  "(status NOT IN ('pending', 'running') AND (?19 IN ('pending', 'running') OR (?19 IS NULL AND ?21 AND rest = 1 AND status = 'interrupted')))"

/* Whoever sets a session to work without a ring feeds it from now on: it must live by its lease, or it would run for ever. */
#define GOES_ON "(coalesce(?19, '') IN ('pending', 'running'))"

/* What was asked of an attempt that is over does not bind the next. */
#define BEGINS_ANEW "(" GOES_ON " AND status IN ('completed', 'failed', 'cancelled'))"

/* Name, notes, tags and the like are what people write; anything else, also nothing at all, is a sign of life of the trainer. */
static bool is_of_trainer(const tmon_record_change *change) {
  bool people = change->name != NULL || change->notes != NULL || change->tags_json != NULL || change->parent_id != NULL || change->best_metric != NULL;
  const double reals[] = {
      change->learning_rate, change->final_map50, change->final_map50_95, change->final_precision, change->final_recall, change->final_loss};
  for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
    if (!isnan(reals[i]) && (change->zero_is_said || reals[i] > 0 || reals[i] < 0)) return true;
  }
  return !people || change->model_type != NULL || change->dataset_name != NULL || change->config_json != NULL || change->hardware_json != NULL ||
      change->summary_json != NULL || change->model_path != NULL || change->error_text != NULL || change->dataset_size != 0 || change->epochs != 0 ||
      change->batch_size != 0 || change->img_size != 0 || change->set_status || change->started_at != 0 || change->completed_at != 0 ||
      change->progress != NULL;
}

static int update(tmon_tx *tx, const char *id, const tmon_record_change *given, const made *texts) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "UPDATE training_sessions SET session_name = coalesce(nullif(?2, ''), session_name), model_type = coalesce(?3, model_type),"
      " dataset_name = coalesce(?4, dataset_name), config = coalesce(?5, config), hardware_info = coalesce(?6, hardware_info),"
      " model_path = coalesce(?7, model_path), error_message = coalesce(?8, CASE WHEN " REOPENS " THEN NULL ELSE error_message END),"
      " completed_at = CASE WHEN " REOPENS " THEN NULL ELSE completed_at END, dataset_size = coalesce(?9, dataset_size),"
      " epochs = coalesce(?10, epochs), batch_size = coalesce(?11, batch_size), img_size = coalesce(?12, img_size),"
      " learning_rate = coalesce(?13, learning_rate), final_map50 = coalesce(?14, final_map50), final_map50_95 = coalesce(?15, final_map50_95),"
      " final_precision = coalesce(?16, final_precision), final_recall = coalesce(?17, final_recall), final_loss = coalesce(?18, final_loss),"
      " status = coalesce(?19, CASE WHEN ?21 AND rest = 1 AND status = 'interrupted' THEN 'running' ELSE status END),"
      " lease_at = CASE WHEN (?21 AND rest = 1) OR " GOES_ON " THEN ?20 ELSE lease_at END, rest = CASE WHEN " GOES_ON " THEN 1 ELSE rest END,"
      " control = CASE WHEN " BEGINS_ANEW " THEN 0 ELSE control END, paused = CASE WHEN " BEGINS_ANEW " THEN 0 ELSE paused END,"
      " progress_epochs = coalesce(?10, progress_epochs),"
      " best_metric = CASE WHEN ?22 IS NULL THEN best_metric ELSE nullif(?22, '') END,"
      " notes = CASE WHEN ?23 IS NULL THEN notes ELSE nullif(?23, '') END, tags = CASE WHEN ?24 IS NULL THEN tags ELSE nullif(?24, '[]') END,"
      " parent_id = CASE WHEN ?25 IS NULL THEN parent_id ELSE nullif(?25, '') END,"
      " summary = CASE WHEN ?26 IS NULL THEN summary ELSE nullif(?26, '') END WHERE id = ?1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  bind_change(row, given);
  tmon_bind_int(row, 21, is_of_trainer(given));
  bind_made(row, given, texts);
  return tmon_row_run(row);
}

int tmon_record_update(tmon_store *store, const char *id, const tmon_record_change *change) {
  tmon_record_change given;
  tmon_tx *tx = NULL;
  tmon_status before = TMON_STATUS_PENDING;
  tmon_status after = TMON_STATUS_PENDING;
  made texts = {.best = NULL};
  int result = tmon_check_id(id);
  if (result == TMON_OK) result = make(&texts, &given, change);
  if (result == TMON_OK && given.id != NULL) result = tmon_error_set_field(TMON_EINVAL, "id", "the id of a session can't be changed");
  if (result == TMON_OK) result = begin_write(&tx, store);
  if (result == TMON_OK) result = check_ringless(tx, id, &given, &before);
  if (result == TMON_OK) begin_with_progress(&given, before);
  if (result == TMON_OK) result = tmon_parent_check(tx, id, given.parent_id);
  if (result == TMON_OK) result = remake_best(&texts, tx, id, &given);
  if (result == TMON_OK) result = update(tx, id, &given, &texts);
  if (result == TMON_OK) result = write_times(tx, id, &given);
  if (result == TMON_OK) result = write_progress(tx, id, given.progress);
  if (result == TMON_OK) result = check_ringless(tx, id, NULL, &after);
  if (result == TMON_OK) result = tmon_status_event(tx, id, before, after);
  result = end_write(tx, result);
  free_made(&texts);
  return result;
}

/* A row stands for a completed epoch. Counting rows is right for trainers that count from 0, the highest number for those that leave epochs out. */
static int touch_session(tmon_tx *tx, const char *id, int64_t epoch) {
  tmon_row *row = NULL;
  int64_t key = 0;
  int result = tmon_tx_prepare(&row, tx,
      "UPDATE training_sessions SET lease_at = ?2, progress_batch = CASE WHEN rest = 1 AND done > progress_epoch THEN 0 ELSE progress_batch END,"
      " progress_epoch = CASE WHEN rest = 1 THEN max(progress_epoch, done) ELSE progress_epoch END"
      " FROM (SELECT max(?3, count(*)) AS done FROM training_metrics WHERE session_id = ?1) WHERE id = ?1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  tmon_bind_int(row, 2, tmon_clock_now_us());
  tmon_bind_int(row, 3, epoch);
  result = tmon_row_run(row);
  if (result == TMON_OK) result = tmon_session_key(&key, tx, id);
  return result == TMON_OK ? tmon_session_heard(tx, key) : result;
}

int tmon_record_log_epoch(tmon_store *store, const char *id, int64_t epoch, const tmon_epoch_value *values, size_t count) {
  tmon_status status = TMON_STATUS_PENDING;
  tmon_tx *tx = NULL;
  int result = tmon_check_id(id);
  if (result == TMON_OK && (count == 0 || count > 1000 || values == NULL)) {
    result = tmon_error_set(TMON_EINVAL, "%zu values, expected 1 to 1,000", count);
  }
  if (result == TMON_OK && epoch < 0) result = tmon_error_set(TMON_EINVAL, "epoch is %lld, expected 0 or more", (long long)epoch);
  for (size_t i = 0; result == TMON_OK && i < count; i++) {
    if (values[i].key == NULL || !tmon_text_is_key(values[i].key)) {
      result = tmon_error_set(TMON_EINVAL, "value %zu has no allowed name, expected UTF-8 of 1 to 250 bytes without control characters", i);
    }
  }
  if (result == TMON_OK) result = begin_write(&tx, store);
  if (result != TMON_OK) return result;
  tmon_epoch_entry *entries = tmon_alloc_zero(count, sizeof *entries);
  if (entries == NULL) result = tmon_error_no_memory();
  for (size_t i = 0; entries != NULL && i < count; i++) entries[i] = (tmon_epoch_entry){epoch, values[i].key, values[i].value};
  if (result == TMON_OK) result = check_ringless(tx, id, NULL, &status);
  if (result == TMON_OK) result = tmon_epoch_write(tx, id, entries, count);
  if (result == TMON_OK) result = tmon_alerts_epoch_rows(tx, id, entries, count);
  if (result == TMON_OK) result = touch_session(tx, id, epoch);
  tmon_free(entries);
  return end_write(tx, result);
}
