/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Judging what comes without a ring: epoch rows over REST, validation results and matrices of any session. The write is the drainer here: rows, states and alerts are one
 * transaction. Pause and stop are words in the session's row and in its rings, so they are said at once; what asks for a callback or a command is given to the live
 * session after the commit, if it is one of this process. A stall is found here by the point that ends it, so nothing is done about it.
 */
#include "track/alert_watch.h"
#include "track/drain.h"
#include "track/record.h"

typedef struct rows_target {
  tmon_alerts alerts;
  tmon_tx *tx;
  const char *session_id;
  int64_t session;
  tmon_alert_told *told; /* NULL: nobody could act */
} rows_target;

static int keep(rows_target *target, const tmon_alert_event *event) {
  tmon_alert_event kept = *event;
  kept.actions &= TMON_ALERT_DO_CALLBACK | TMON_ALERT_DO_COMMAND;
  return target->told != NULL && kept.actions != 0 ? tmon_alert_told_keep(target->told, &kept) : TMON_OK;
}

static int tell_rows(void *payload, const tmon_alert_event *event, const tmon_alert_place *place) {
  rows_target *target = payload;
  tmon_row *row = NULL;
  tmon_alert_event copy = *event;
  int result = tmon_alert_write(target->tx, target->session, &copy, place);
  unsigned wanted = event->actions & (TMON_ALERT_DO_PAUSE | TMON_ALERT_DO_STOP);
  tmon_control control = wanted & TMON_ALERT_DO_STOP ? TMON_CONTROL_STOP : TMON_CONTROL_PAUSE;
  if (result == TMON_OK && copy.id != 0) result = keep(target, &copy);
  if (result != TMON_OK || event->recovered || wanted == 0 || copy.id == 0 || event->type == TMON_ALERT_STALLED) return result;
  result = tmon_tx_prepare(&row, target->tx,
      "UPDATE training_sessions SET control = ?2, paused = ?2 = 1, control_at = ?3 WHERE key = ?1 AND control < ?2 AND status IN ('pending', 'running')");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, target->session);
  tmon_bind_int(row, 2, control);
  tmon_bind_int(row, 3, tmon_clock_now_us());
  result = tmon_row_run(row);
  return result == TMON_OK && tmon_tx_changes(target->tx) > 0 ? tmon_control_signal(target->tx, target->session_id, control) : result;
}

static int begin(rows_target *target, tmon_alert_told *told, tmon_tx *tx, const char *session_id) {
  *target = (rows_target){.tx = tx, .session_id = session_id, .told = told};
  tmon_alerts_init(&target->alerts);
  target->alerts.tell = tell_rows;
  target->alerts.payload = target;
  int result = tmon_session_key(&target->session, tx, session_id);
  if (result == TMON_OK) result = tmon_alerts_load(&target->alerts, tx, target->session, 0);
  return result == TMON_OK && target->alerts.rules.count > 0 ? tmon_alerts_load_names(&target->alerts, tx, target->session) : result;
}

static int end(rows_target *target, int result) {
  if (result == TMON_OK) result = tmon_alerts_save(&target->alerts, target->tx, target->session);
  tmon_alerts_free(&target->alerts);
  return result;
}

int tmon_alerts_epoch_rows(tmon_tx *tx, const char *session_id, const tmon_epoch_entry *entries, size_t count) {
  rows_target target;
  int64_t now = tmon_clock_now_us();
  int result = begin(&target, NULL, tx, session_id);
  for (size_t i = 0; result == TMON_OK && target.alerts.rules.count > 0 && i < count; i++) {
    tmon_point point = {.step = entries[i].epoch, .time = now, .value = entries[i].value};
    result = tmon_alerts_epoch(&target.alerts, entries[i].key, &point, &(tmon_alert_place){0, 0, 0});
  }
  return end(&target, result);
}

static int judge(void *payload, const char *key, const tmon_point *point) {
  rows_target *target = payload;
  return tmon_alerts_epoch(&target->alerts, key, point, &(tmon_alert_place){0, 0, 0});
}

int tmon_alerts_result_rows(tmon_alert_told *told, tmon_tx *tx, const char *session_id, const int64_t *ids, size_t count) {
  rows_target target;
  int result = begin(&target, told, tx, session_id);
  for (size_t i = 0; result == TMON_OK && target.alerts.rules.count > 0 && i < count; i++) {
    result = tmon_class_points_of_result(tx, ids[i], judge, &target);
  }
  return end(&target, result);
}

int tmon_alerts_matrix_row(tmon_alert_told *told, tmon_tx *tx, const char *session_id, int64_t id) {
  rows_target target;
  int result = begin(&target, told, tx, session_id);
  if (result == TMON_OK && target.alerts.rules.count > 0) result = tmon_class_points_of_matrix(tx, id, judge, &target);
  return end(&target, result);
}
