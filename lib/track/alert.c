/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alerts as programs see them: setting rules, listing and acknowledging what they said, the state of the critical conditions. */
#include "track/alert_json.h"

#include <math.h>
#include <string.h>

#define LIST_BYTES (16u << 20)

/* The key of a session; 0 for NULL, which means the store's defaults. */
static int find_key(int64_t *out, tmon_tx *tx, const char *session_id) {
  *out = 0;
  return session_id == NULL ? TMON_OK : tmon_session_key(out, tx, session_id);
}

static int read_rules(char **out, tmon_tx *tx, int64_t key) {
  tmon_row *row = NULL;
  *out = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT rules FROM alert_rules WHERE session IS nullif(?, 0)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, key);
  result = tmon_row_step(row);
  if (result == TMON_OK || result == TMON_DONE) {
    *out = tmon_strdup(result == TMON_OK ? tmon_row_text(row, 0) : "[]");
    result = *out == NULL ? tmon_error_no_memory() : TMON_OK;
  }
  tmon_row_reset(row);
  return result;
}

static int run_one(tmon_tx *tx, const char *sql, int64_t key) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, sql);
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, key);
  return tmon_row_run(row);
}

/* Open alerts of rules that are gone can't recover by themselves. One by one: each has a revision of its own. */
static int close_open(tmon_tx *tx, int64_t key) {
  int64_t now = tmon_clock_now_us();
  for (;;) {
    tmon_row *row = NULL;
    int result = tmon_tx_prepare(&row, tx,
        "UPDATE alerts SET recovered_at = ?2, revision = 1 + (SELECT coalesce(max(seq), 0) FROM changes)"
        " WHERE id = (SELECT min(id) FROM alerts WHERE session = ?1 AND recovered_at IS NULL)");
    if (result != TMON_OK) return result;
    tmon_bind_int(row, 1, key);
    tmon_bind_int(row, 2, now);
    result = tmon_row_run(row);
    if (result != TMON_OK || tmon_tx_changes(tx) == 0) return result;
  }
}

static int write_rules(tmon_tx *tx, int64_t key, const char *json) {
  tmon_row *row = NULL;
  int64_t version = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT 1 + coalesce(max(version), 0) FROM alert_rules");
  if (result != TMON_OK) return result;
  result = tmon_row_step(row);
  if (result == TMON_OK) version = tmon_row_int(row, 0);
  tmon_row_reset(row);
  if (result == TMON_OK) result = run_one(tx, "DELETE FROM alert_rules WHERE session IS nullif(?, 0)", key);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "INSERT INTO alert_rules (session, version, rules) VALUES (nullif(?, 0), ?, ?)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, key);
  tmon_bind_int(row, 2, version);
  tmon_bind_text(row, 3, json);
  result = tmon_row_run(row);
  if (result == TMON_OK && key != 0) result = run_one(tx, "DELETE FROM alert_states WHERE session = ?", key);
  return result == TMON_OK && key != 0 ? close_open(tx, key) : result;
}

static int end(tmon_tx *tx, int result) {
  if (result == TMON_OK) return tmon_tx_commit(tx);
  tmon_tx_abort(tx);
  return result;
}

static int begin_write(tmon_tx **tx, tmon_store *store) {
  int result = tmon_db_check_writable(store->db);
  return result == TMON_OK ? tmon_tx_begin(tx, store->db, true, -1) : result;
}

int tmon_alert_set_rules(tmon_store *store, const char *session_id, const char *json, bool allow_commands) {
  tmon_alert_rules rules = {0};
  tmon_tx *tx = NULL;
  char *present = NULL;
  int64_t key = 0;
  int result = tmon_store_check(store);
  if (result == TMON_OK && session_id != NULL) result = tmon_check_id(session_id);
  if (result == TMON_OK) result = tmon_alert_rules_parse(&rules, json, json == NULL ? 0 : strnlen(json, TMON_ALERT_RULES_BYTES + 1));
  if (result == TMON_OK && !allow_commands && tmon_alert_rules_have_command(&rules)) {
    result = tmon_error_set_field(TMON_EACCESS, "command", "a rule that comes over the network can't carry a command");
  }
  if (result == TMON_OK) result = begin_write(&tx, store);
  if (result == TMON_OK) {
    result = find_key(&key, tx, session_id);
    if (result == TMON_OK) result = read_rules(&present, tx, key);
    if (result == TMON_OK && strcmp(present, rules.json) != 0) result = write_rules(tx, key, rules.json);
    result = end(tx, result);
  }
  tmon_free(present);
  tmon_alert_rules_free(&rules);
  return result;
}

/* What every reading call begins with. */
static int begin_read(tmon_tx **tx, int64_t *key, tmon_store *store, const char *session_id) {
  int result = tmon_store_check(store);
  if (result == TMON_OK && session_id != NULL) result = tmon_check_id(session_id);
  if (result == TMON_OK) result = tmon_tx_begin(tx, store->db, false, -1);
  return result == TMON_OK ? find_key(key, *tx, session_id) : result;
}

int tmon_alert_rules_json(char **out, tmon_store *store, const char *session_id) {
  tmon_tx *tx = NULL;
  int64_t key = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = begin_read(&tx, &key, store, session_id);
  if (result == TMON_OK) result = read_rules(out, tx, key);
  tmon_tx_abort(tx);
  return result;
}

#define LIST(which, order)                                                                                                                                \
  "SELECT a.id, s.id, a.rule, a.type, a.severity, a.metric, a.step, a.value, a.threshold, a.message, a.time, a.recovered_at, a.recovered_step,"           \
  " a.acknowledged_at, a.revision, a.fired_revision FROM alerts a JOIN training_sessions s ON s.key = a.session LEFT JOIN writers w ON w.id = a.writer"   \
  " WHERE " which " AND a.revision > ?2 AND a.id > ?3 AND (?4 IS NULL OR a.severity = ?4)"                                                                \
  " AND (?5 = 0 OR (a.recovered_at IS NULL AND (a.writer = 0 OR w.attempt = s.attempts))) ORDER BY a.revision" order " LIMIT ?6"

static int list_rows(tmon_buffer *text, tmon_tx *tx, int64_t key, const tmon_alert_filter *filter) {
  tmon_row *row = NULL;
  tmon_json_writer json;
  bool forward = filter->since_id > 0 || filter->changed_since > 0;
  const char *sql = filter->session_id != NULL ? (forward ? LIST("a.session = ?1", "") : LIST("a.session = ?1", " DESC"))
                                               : (forward ? LIST("?1 = 0", "") : LIST("?1 = 0", " DESC"));
  int result = tmon_tx_prepare(&row, tx, sql);
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, key);
  tmon_bind_int(row, 2, filter->changed_since);
  tmon_bind_int(row, 3, filter->since_id);
  tmon_bind_text(row, 4, filter->severity);
  tmon_bind_int(row, 5, filter->active);
  tmon_bind_int(row, 6, filter->limit == 0 ? 100 : filter->limit);
  tmon_json_begin(&json, text);
  tmon_json_open(&json, NULL, '[');
  while ((result = tmon_row_step(row)) == TMON_OK) {
    tmon_alert_row alert = {.session_id = tmon_row_text(row, 1),
        .rule = tmon_row_text(row, 2),
        .type = tmon_row_text(row, 3),
        .severity = tmon_row_text(row, 4),
        .metric = tmon_row_text(row, 5),
        .has_step = !tmon_row_is_null(row, 6),
        .step = tmon_row_int(row, 6),
        .value = tmon_row_double(row, 7),
        .threshold = tmon_row_double(row, 8),
        .message = tmon_row_text(row, 9),
        .time = tmon_row_int(row, 10),
        .recovered = !tmon_row_is_null(row, 11),
        .recovered_at = tmon_row_int(row, 11),
        .has_recovered_step = !tmon_row_is_null(row, 12),
        .recovered_step = tmon_row_int(row, 12)};
    tmon_json_open(&json, NULL, '{');
    tmon_json_put_int(&json, "id", tmon_row_int(row, 0));
    tmon_alert_json(&json, &alert);
    tmon_alert_json_time(&json, "acknowledged_at", !tmon_row_is_null(row, 13), tmon_row_int(row, 13));
    tmon_json_put_int(&json, "revision", tmon_row_int(row, 14));
    tmon_json_put_int(&json, "fired_revision", tmon_row_int(row, 15));
    tmon_json_close(&json, '}');
  }
  tmon_json_close(&json, ']');
  tmon_row_reset(row);
  if (result != TMON_DONE) return result;
  return text->error == TMON_OK ? TMON_OK : tmon_error_no_memory();
}

int tmon_alert_list_json(char **out, tmon_store *store, const tmon_alert_filter *filter) {
  tmon_alert_filter chosen;
  tmon_tx *tx = NULL;
  tmon_buffer text;
  int64_t key = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_options_copy(&chosen, sizeof chosen, filter, "tmon_alert_filter");
  if (result != TMON_OK) return result;
  if (chosen.limit > 1000) return tmon_error_set_field(TMON_EINVAL, "limit", "limit is %u, expected at most 1000", chosen.limit);
  result = tmon_alert_check_severity(chosen.severity);
  if (result != TMON_OK) return result;
  tmon_buffer_init(&text, LIST_BYTES);
  result = begin_read(&tx, &key, store, chosen.session_id);
  if (result == TMON_OK) result = list_rows(&text, tx, key, &chosen);
  tmon_tx_abort(tx);
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return result;
}

int tmon_alert_acknowledge(tmon_store *store, int64_t id) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = begin_write(&tx, store);
  if (result != TMON_OK) return result;
  result = tmon_tx_prepare(&row, tx, "SELECT acknowledged_at FROM alerts WHERE id = ?");
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, id);
    result = tmon_row_step(row);
    bool seen = result == TMON_OK && !tmon_row_is_null(row, 0);
    tmon_row_reset(row);
    if (result == TMON_DONE) result = tmon_error_set_field(TMON_ENOTFOUND, "id", "there is no alert %lld", (long long)id);
    if (result == TMON_OK && !seen) {
      result = tmon_tx_prepare(&row, tx, "UPDATE alerts SET acknowledged_at = ?2 WHERE id = ?1");
      if (result == TMON_OK) {
        tmon_bind_int(row, 1, id);
        tmon_bind_int(row, 2, tmon_clock_now_us());
        result = tmon_row_run(row);
      }
    }
  }
  return end(tx, result);
}

/* The latest of the states that a rule has for a class, whichever writer it comes from. */
static int put_states(tmon_json_writer *json, tmon_tx *tx, int64_t key, const tmon_alert_rule *rule) {
  static const char *const names[] = {NULL, "ok", "warning", "critical"};
  tmon_row *row = NULL;
  char metric[257] = "";
  tmon_alert_state latest = {.best = (double)NAN};
  bool wild = strchr(rule->metric, '*') != NULL;
  if (!wild) (void)tmon_text_copy(metric, sizeof metric, rule->metric);
  int result = tmon_tx_prepare(&row, tx, "SELECT metric, state FROM alert_states WHERE session = ? AND rule = ? ORDER BY metric");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, key);
  tmon_bind_text(row, 2, rule->name);
  for (;;) {
    tmon_alert_state state = {0};
    size_t size = 0;
    result = tmon_row_step(row);
    const char *name = result == TMON_OK ? tmon_row_text(row, 0) : "";
    size_t length = strlen(metric);
    if (length > 18 && strcmp(metric, name) != 0) {
      /* class/NAME/sensitivity */
      char condition[257];
      (void)tmon_text_copy(condition, sizeof condition, metric + 6);
      condition[length - 6 - 12] = '\0';
      tmon_json_open(json, condition, '{');
      tmon_json_put_double(json, "sensitivity", latest.best);
      tmon_json_put_double(json, "threshold", rule->bound);
      tmon_json_put_text(json, "status", names[latest.status]);
      tmon_json_close(json, '}');
      latest = (tmon_alert_state){.best = (double)NAN};
    }
    if (result != TMON_OK) break;
    (void)tmon_text_copy(metric, sizeof metric, name);
    const void *data = tmon_row_blob(row, 1, &size);
    if (tmon_alert_state_unpack(&state, rule, data, size) == TMON_OK && state.begun && (latest.status == TMON_ALERT_UNKNOWN || state.time >= latest.time))
      latest = state;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_alert_conditions_json(char **out, tmon_store *store, const char *session_id) {
  tmon_alert_rules rules = {0};
  tmon_json_writer json;
  tmon_buffer text;
  tmon_tx *tx = NULL;
  int64_t key = 0;
  int64_t version = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  if (session_id == NULL) return tmon_error_set_field(TMON_EINVAL, "session_id", "the session id is NULL");
  tmon_buffer_init(&text, LIST_BYTES);
  tmon_json_begin(&json, &text);
  tmon_json_open(&json, NULL, '{');
  int result = begin_read(&tx, &key, store, session_id);
  if (result == TMON_OK) result = tmon_alert_rules_load(&rules, &version, tx, key, -1);
  for (size_t i = 0; result == TMON_OK && i < rules.count; i++) {
    if (rules.rule[i].type == TMON_ALERT_CLASS_FLOOR) result = put_states(&json, tx, key, &rules.rule[i]);
  }
  tmon_json_close(&json, '}');
  tmon_tx_abort(tx);
  if (result == TMON_OK && text.error != TMON_OK) result = tmon_error_no_memory();
  if (result == TMON_OK) *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  tmon_alert_rules_free(&rules);
  return result;
}
