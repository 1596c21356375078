/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Rules, states and alerts as rows. All of it inside the transaction of the points, so that a crash leaves all or nothing. */
#include "track/alert_watch.h"
#include "track/drain.h"
#include "track/epoch.h"

#include <math.h>
#include <string.h>

int tmon_alert_rules_copy(tmon_tx *tx, int64_t session) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO alert_rules (session, version, rules) SELECT ?, version, rules FROM alert_rules WHERE session IS NULL ON CONFLICT DO NOTHING");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  return tmon_row_run(row);
}

int tmon_alert_rules_load(tmon_alert_rules *out, int64_t *version, tmon_tx *tx, int64_t session, int64_t known) {
  tmon_row *row = NULL;
  memset(out, 0, sizeof *out);
  *version = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT version, rules FROM alert_rules WHERE session = ?");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  result = tmon_row_step(row);
  if (result == TMON_OK) *version = tmon_row_int(row, 0);
  if ((result == TMON_OK || result == TMON_DONE) && *version == known) {
    result = TMON_DONE;
  } else if (result == TMON_OK) {
    const char *text = tmon_row_text(row, 1);
    result = tmon_alert_rules_parse(out, text, text == NULL ? 0 : strlen(text));
    /* Somebody wrote into the table by hand: a drainer must not stop for it. */
    if (result == TMON_EINVAL || result == TMON_ELIMIT) result = TMON_OK;
  } else if (result == TMON_DONE) {
    result = TMON_OK;
  }
  tmon_row_reset(row);
  return result;
}

static int load_states(tmon_alerts *alerts, tmon_tx *tx, int64_t session, int64_t writer) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT writer, rule, metric, state FROM alert_states WHERE session = ? AND writer IN (?, 0)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_int(row, 2, writer);
  while ((result = tmon_row_step(row)) == TMON_OK) {
    for (uint32_t i = 0; i < alerts->rules.count; i++) {
      tmon_alert_watch *watch = NULL;
      size_t size = 0;
      if (strcmp(alerts->rules.rule[i].name, tmon_row_text(row, 1)) != 0) continue;
      result = tmon_alerts_find(&watch, alerts, i, tmon_row_int(row, 0), tmon_row_text(row, 2));
      if (result != TMON_OK || watch == NULL) break;
      const void *data = tmon_row_blob(row, 3, &size);
      /* A damaged one begins anew. */
      if (tmon_alert_state_unpack(&watch->state, &alerts->rules.rule[i], data, size) == TMON_OK) memcpy(watch->saved, data, sizeof watch->saved);
      break;
    }
    if (result != TMON_OK) break;
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_alerts_load_names(tmon_alerts *alerts, tmon_tx *tx, int64_t session) {
  tmon_json_free(alerts->own);
  return tmon_own_names_load(&alerts->own, tx, session);
}

int tmon_alerts_load_epochs(tmon_alerts *alerts, tmon_tx *tx, int64_t session) {
  int result = tmon_alerts_load_names(alerts, tx, session);
  return result == TMON_OK ? load_states(alerts, tx, session, 0) : result;
}

int tmon_alerts_load(tmon_alerts *alerts, tmon_tx *tx, int64_t session, int64_t writer) {
  tmon_alert_rules rules;
  int64_t version = 0;
  int result = tmon_alert_rules_load(&rules, &version, tx, session, alerts->version);
  if (result != TMON_OK) return result == TMON_DONE ? TMON_OK : result;
  tmon_alerts_reset(alerts);
  alerts->rules = rules;
  result = rules.count > 0 ? load_states(alerts, tx, session, writer) : TMON_OK;
  if (result == TMON_OK) alerts->version = version;
  else tmon_alerts_reset(alerts);
  return result;
}

static int save_state(tmon_tx *tx, int64_t session, const tmon_alert_rule *rule, tmon_alert_watch *watch, tmon_buffer *packed) {
  tmon_row *row = NULL;
  tmon_buffer_clear(packed);
  int result = tmon_alert_state_pack(packed, rule, &watch->state);
  if (result != TMON_OK) return tmon_error_no_memory();
  watch->touched = false;
  if (rule->type != TMON_ALERT_OUTLIER && memcmp(packed->data, watch->saved, sizeof watch->saved) == 0) return TMON_OK;
  result = tmon_tx_prepare(&row, tx,
      "INSERT INTO alert_states (session, writer, rule, metric, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT (session, writer, rule, metric)"
      " DO UPDATE SET state = excluded.state");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_int(row, 2, watch->writer);
  tmon_bind_text(row, 3, rule->name);
  tmon_bind_text(row, 4, watch->metric);
  tmon_bind_blob(row, 5, packed->data, packed->size);
  result = tmon_row_run(row);
  if (result == TMON_OK) memcpy(watch->saved, packed->data, sizeof watch->saved);
  return result;
}

int tmon_alerts_save(tmon_alerts *alerts, tmon_tx *tx, int64_t session) {
  tmon_buffer packed;
  int result = TMON_OK;
  tmon_buffer_init(&packed, 1 << 20);
  for (size_t i = 0; result == TMON_OK && i < alerts->count; i++) {
    tmon_alert_watch *watch = &alerts->watches[i];
    if (watch->touched) result = save_state(tx, session, &alerts->rules.rule[watch->rule], watch, &packed);
  }
  tmon_buffer_free(&packed);
  return result;
}

/* The latest change as a scalar subquery: in a FROM clause SQLite goes through all 100,000 rows of changes for it. */
static int write_fired(tmon_tx *tx, int64_t session, tmon_alert_event *event, const tmon_alert_place *place) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO alerts (session, rule, type, severity, metric, writer, lane, position, step, value, threshold, message, time, revision, fired_revision)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, CASE WHEN ?6 = 0 THEN 1 + coalesce((SELECT max(position) FROM alerts WHERE session = ?1 AND rule = ?2 AND"
      " metric = ?5 AND writer = 0), 0) ELSE ?8 END, ?9, ?10, ?11, ?12, ?13, 1 + (SELECT coalesce(max(seq), 0) FROM changes),"
      " 1 + (SELECT coalesce(max(seq), 0) FROM changes)) ON CONFLICT (session, rule, metric, writer, lane, position) DO NOTHING");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_text(row, 2, event->rule);
  tmon_bind_text(row, 3, tmon_alert_type_name(event->type));
  tmon_bind_text(row, 4, tmon_alert_severity_name(event->severity));
  tmon_bind_text(row, 5, event->metric);
  tmon_bind_int(row, 6, place->writer);
  tmon_bind_int(row, 7, place->lane);
  tmon_bind_int(row, 8, place->position);
  tmon_bind_int(row, 9, event->step);
  tmon_bind_double(row, 10, event->value);
  tmon_bind_double(row, 11, event->threshold);
  tmon_bind_text(row, 12, event->message);
  tmon_bind_int(row, 13, event->time);
  result = tmon_row_run(row);
  if (result == TMON_OK && tmon_tx_changes(tx) > 0) event->id = tmon_tx_last_rowid(tx);
  return result;
}

int tmon_alert_write(tmon_tx *tx, int64_t session, tmon_alert_event *event, const tmon_alert_place *place) {
  tmon_row *row = NULL;
  if (!event->recovered) return write_fired(tx, session, event, place);
  int result = tmon_tx_prepare(
      &row, tx, "SELECT id FROM alerts WHERE session = ? AND rule = ? AND metric = ? AND writer = ? AND recovered_at IS NULL ORDER BY id DESC LIMIT 1");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, session);
  tmon_bind_text(row, 2, event->rule);
  tmon_bind_text(row, 3, event->metric);
  tmon_bind_int(row, 4, place->writer);
  result = tmon_row_step(row);
  if (result == TMON_OK) event->id = tmon_row_int(row, 0);
  tmon_row_reset(row);
  if (result != TMON_OK) return result == TMON_DONE ? TMON_OK : result;
  result = tmon_tx_prepare(
      &row, tx, "UPDATE alerts SET recovered_at = ?2, recovered_step = ?3, revision = 1 + (SELECT coalesce(max(seq), 0) FROM changes) WHERE id = ?1");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, event->id);
  tmon_bind_int(row, 2, event->time);
  tmon_bind_int(row, 3, event->step);
  return tmon_row_run(row);
}
