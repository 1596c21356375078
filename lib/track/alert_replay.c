/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Replay: the same evaluator over what is stored. The drainer judges each metric of each writer by itself, in the order in which it stores the points; so a replay may take one
 * after the other. Epoch values are read from their rows, which keep the latest value of an epoch.
 */
#include "track/alert_json.h"
#include "track/snapshot.h"

#include <math.h>
#include <string.h>

enum { ALERTS_MOST = 10000, REPLAY_BYTES = 64 << 20 };

typedef struct replayed {
  tmon_alert_event fired;
  int64_t writer;
  bool recovered;
  int64_t recovered_at;
  int64_t recovered_step;
} replayed;

typedef struct replay {
  tmon_alerts alerts;
  tmon_store *store;
  const char *session_id;
  int64_t end; /* of the session; of a live one, now */
  replayed *made;
  size_t count;
  size_t capacity;
} replay;

void tmon_alert_json_time(tmon_json_writer *json, const char *key, bool known, int64_t time) {
  char text[TMON_ISO_TIME_BYTES];
  if (known) tmon_text_from_time(text, time);
  tmon_json_put_text(json, key, known ? text : NULL);
}

void tmon_alert_json(tmon_json_writer *json, const tmon_alert_row *alert) {
  tmon_json_put_text(json, "session_id", alert->session_id);
  tmon_json_put_text(json, "rule", alert->rule);
  tmon_json_put_text(json, "type", alert->type);
  tmon_json_put_text(json, "severity", alert->severity);
  tmon_json_put_text(json, "metric", alert->metric);
  if (alert->has_step) tmon_json_put_int(json, "step", alert->step);
  else tmon_json_put_null(json, "step");
  tmon_json_put_double(json, "value", alert->value);
  tmon_json_put_double(json, "threshold", alert->threshold);
  tmon_json_put_text(json, "message", alert->message);
  tmon_json_put_text(json, "state", alert->recovered ? "recovered" : "fired");
  tmon_alert_json_time(json, "time", true, alert->time);
  tmon_alert_json_time(json, "recovered_at", alert->recovered, alert->recovered_at);
  if (alert->has_recovered_step) tmon_json_put_int(json, "recovered_step", alert->recovered_step);
  else tmon_json_put_null(json, "recovered_step");
}

static int tell(void *payload, const tmon_alert_event *event, const tmon_alert_place *place) {
  replay *run = payload;
  if (event->recovered) {
    for (size_t i = run->count; i-- > 0;) {
      replayed *made = &run->made[i];
      if (made->recovered || made->writer != place->writer || strcmp(made->fired.rule, event->rule) != 0 || strcmp(made->fired.metric, event->metric) != 0)
        continue;
      made->recovered = true;
      made->recovered_at = event->time;
      made->recovered_step = event->step;
      break;
    }
    return TMON_OK;
  }
  if (run->count == ALERTS_MOST) return TMON_OK;
  if (run->count == run->capacity) {
    size_t capacity = run->capacity == 0 ? 16 : run->capacity * 2;
    replayed *grown = tmon_realloc(run->made, capacity, sizeof *grown);
    if (grown == NULL) return tmon_error_no_memory();
    run->made = grown;
    run->capacity = capacity;
  }
  run->made[run->count++] = (replayed){.fired = *event, .writer = place->writer};
  return TMON_OK;
}

/* When the points of a writer ended for good: a later attempt knows nothing of its silence. */
static int end_of_writer(int64_t *out, const replay *run, int64_t writer) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  *out = run->end;
  int result = tmon_tx_begin(&tx, run->store->db, false, -1);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "SELECT heartbeat_at FROM writers w WHERE id = ? AND closed = 1 AND EXISTS (SELECT 1 FROM writers l WHERE l.session = w.session AND l.id > w.id)");
  }
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, writer);
    result = tmon_row_step(row);
    if (result == TMON_OK) *out = tmon_row_int(row, 0);
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return result == TMON_DONE ? TMON_OK : result;
}

static int end_series(replay *run, int64_t writer) {
  int64_t end = run->end;
  int result = writer > 0 ? end_of_writer(&end, run, writer) : TMON_OK;
  if (result == TMON_OK) result = tmon_alerts_wait(&run->alerts, end);
  tmon_alerts_forget(&run->alerts);
  return result;
}

static int replay_metric(replay *run, const char *key) {
  tmon_point_reader *reader = NULL;
  const tmon_point *points = NULL;
  size_t count = 0;
  int64_t writer = 0;
  int64_t present = -1;
  int64_t position = 0;
  int result = tmon_point_reader_open(&reader, run->store, run->session_id, key);
  while (result == TMON_OK && (result = tmon_point_reader_run(reader, &points, &count, &writer)) == TMON_OK) {
    if (writer != present && present >= 0) result = end_series(run, present);
    present = writer;
    for (size_t i = 0; result == TMON_OK && i < count; i++) {
      result = tmon_alerts_point(&run->alerts, 0, key, &points[i], &(tmon_alert_place){writer, 0, position++});
    }
  }
  tmon_point_reader_free(reader);
  if (result != TMON_DONE) return result;
  return present >= 0 ? end_series(run, present) : TMON_OK;
}

static bool is_watched(const replay *run, const char *key) {
  for (size_t i = 0; i < run->alerts.rules.count; i++) {
    if (tmon_alert_matches(run->alerts.rules.rule[i].metric, key)) return true;
  }
  return false;
}

static int replay_points(replay *run) {
  tmon_metric_list *list = NULL;
  tmon_metric_info info;
  int result = tmon_metric_list_open(&list, run->store, run->session_id);
  while (result == TMON_OK && (result = tmon_metric_list_next(list, &info)) == TMON_OK) {
    if (is_watched(run, info.key)) result = replay_metric(run, info.key);
  }
  tmon_metric_list_free(list);
  return result == TMON_DONE ? TMON_OK : result;
}

static int replay_value(replay *run, const char *key, int64_t epoch, int64_t time, double value) {
  tmon_point point = {.step = epoch, .time = time, .value = value};
  return tmon_alerts_epoch(&run->alerts, key, &point, &(tmon_alert_place){0, 0, 0});
}

static int replay_values(replay *run, const tmon_json *object, int64_t epoch, int64_t time) {
  int result = TMON_OK;
  for (const tmon_json *item = tmon_json_first(object); result == TMON_OK && item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    const char *text = tmon_json_text(item);
    if (strcmp(key, "epoch") == 0) continue;
    if (tmon_json_type(item) == TMON_JSON_NUMBER) result = replay_value(run, key, epoch, time, tmon_json_number(item, 0));
    else if (text != NULL && strcmp(text, "NaN") == 0) result = replay_value(run, key, epoch, time, (double)NAN);
    else if (text != NULL && strcmp(text, "Infinity") == 0) result = replay_value(run, key, epoch, time, (double)INFINITY);
    else if (text != NULL && strcmp(text, "-Infinity") == 0) result = replay_value(run, key, epoch, time, -(double)INFINITY);
  }
  return result;
}

static int replay_epochs(replay *run) {
  char *text = NULL;
  tmon_json *rows = NULL;
  int result = tmon_record_epochs_json(&text, run->store, run->session_id, -1);
  if (result == TMON_OK) result = tmon_json_parse(&rows, text, strlen(text));
  for (const tmon_json *row = tmon_json_first(rows); result == TMON_OK && row != NULL; row = tmon_json_next(row)) {
    const tmon_json *extra = tmon_json_get(row, "extra");
    const char *created = tmon_json_text(tmon_json_get(row, "created_at"));
    int64_t epoch = 0;
    int64_t time = 0;
    (void)tmon_json_int(tmon_json_get(row, "epoch"), &epoch);
    if (created != NULL) (void)tmon_text_to_time(created, &time);
    result = replay_values(run, row, epoch, time);
    if (result == TMON_OK) result = replay_values(run, extra, epoch, time);
    if (result == TMON_OK) result = replay_values(run, tmon_json_get(extra, "nonfinite"), epoch, time);
  }
  tmon_json_free(rows);
  tmon_free(text);
  return result == TMON_OK ? end_series(run, 0) : result;
}

static int replay_class(void *payload, const char *key, const tmon_point *point) {
  replay *run = payload;
  return tmon_alerts_epoch(&run->alerts, key, point, &(tmon_alert_place){0, 0, 0});
}

static int replay_classes(replay *run) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, run->store->db, false, -1);
  if (result == TMON_OK) result = tmon_class_points_all(tx, run->session_id, replay_class, run);
  tmon_tx_abort(tx);
  return result == TMON_OK ? end_series(run, 0) : result;
}

static int read_session(replay *run, const char *rules) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int64_t key = 0;
  int64_t version = 0;
  run->end = tmon_clock_now_us();
  int result = tmon_tx_begin(&tx, run->store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(&key, tx, run->session_id);
  if (result == TMON_OK && rules == NULL) result = tmon_alert_rules_load(&run->alerts.rules, &version, tx, key, -1);
  if (result == TMON_OK) result = tmon_alerts_load_names(&run->alerts, tx, key);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT completed_at FROM training_sessions WHERE key = ?");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, key);
    result = tmon_row_step(row);
    const char *text = result == TMON_OK ? tmon_row_text(row, 0) : NULL;
    if (text != NULL) (void)tmon_text_to_time(text, &run->end);
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return result == TMON_DONE ? TMON_OK : result;
}

static int write_all(char **out, const replay *run) {
  tmon_buffer text;
  tmon_json_writer json;
  tmon_buffer_init(&text, REPLAY_BYTES);
  tmon_json_begin(&json, &text);
  tmon_json_open(&json, NULL, '[');
  for (size_t i = 0; i < run->count; i++) {
    const replayed *made = &run->made[i];
    tmon_alert_row row = {.session_id = run->session_id,
        .rule = made->fired.rule,
        .type = tmon_alert_type_name(made->fired.type),
        .severity = tmon_alert_severity_name(made->fired.severity),
        .metric = made->fired.metric,
        .has_step = true,
        .step = made->fired.step,
        .value = made->fired.value,
        .threshold = made->fired.threshold,
        .message = made->fired.message,
        .time = made->fired.time,
        .recovered = made->recovered,
        .recovered_at = made->recovered_at,
        .has_recovered_step = made->recovered,
        .recovered_step = made->recovered_step};
    tmon_json_open(&json, NULL, '{');
    tmon_alert_json(&json, &row);
    tmon_json_close(&json, '}');
  }
  tmon_json_close(&json, ']');
  *out = text.error == TMON_OK ? tmon_buffer_take(&text) : NULL;
  tmon_buffer_free(&text);
  return *out == NULL ? tmon_error_no_memory() : TMON_OK;
}

int tmon_alert_replay_json(char **out, tmon_store *store, const char *session_id, const char *rules) {
  replay run = {.store = store, .session_id = session_id};
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  tmon_alerts_init(&run.alerts);
  run.alerts.tell = tell;
  run.alerts.payload = &run;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result == TMON_OK && rules != NULL) result = tmon_alert_rules_parse(&run.alerts.rules, rules, strnlen(rules, TMON_ALERT_RULES_BYTES + 1));
  if (result == TMON_OK) result = read_session(&run, rules);
  if (result == TMON_OK && run.alerts.rules.count > 0) {
    result = replay_points(&run);
    if (result == TMON_OK) result = replay_epochs(&run);
    if (result == TMON_OK) result = replay_classes(&run);
  }
  if (result == TMON_OK) result = write_all(out, &run);
  tmon_alerts_free(&run.alerts);
  tmon_free(run.made);
  return result;
}
