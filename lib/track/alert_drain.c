/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alerts while draining: the slots of a commit are judged in the order of their lanes, inside its transaction. What is to be done about them waits for the commit. */
#include "track/drain.h"

#include <string.h>

/* A point may get its time a moment before it can be read: nobody is late by less. */
#define GRACE_US 200000

/* An alert is a row of its own, hundreds of times the work of a point: after so long the transaction ends with the point that fired. The ring gets its room back before
 * those who wait for it give up (PATIENCE_US in lane.c), and where transactions end decides nothing. */
#define MOST_US 25000

typedef struct drain_target {
  tmon_drain *drain;
  tmon_tx *tx;
  int64_t deadline; /* 0: none */
  bool over;
} drain_target;

static int tell_drain(void *payload, const tmon_alert_event *event, const tmon_alert_place *place) {
  drain_target *target = payload;
  tmon_alert_event copy = *event;
  int result = tmon_alert_write(target->tx, target->drain->session, &copy, place);
  target->over = target->deadline > 0 && tmon_clock_monotonic_us() > target->deadline;
  if (result != TMON_OK || copy.id == 0 || copy.actions == 0) return result;
  return tmon_alert_told_keep(&target->drain->alerts.told, &copy);
}

static int judge_slot(tmon_drain *drain, const tmon_slot *slot, const tmon_alert_place *place) {
  char key[256] = "";
  bool epoch = slot->kind == TMON_SLOT_EPOCH;
  size_t number = slot->metric - 1;
  if (!epoch && tmon_alerts_pass(&drain->alerts, number)) return TMON_OK;
  if (epoch || !tmon_alerts_know(&drain->alerts, number)) {
    int result = tmon_ring_key(key, drain->ring, slot->metric);
    if (result != TMON_OK) return result;
  }
  if (!epoch) return tmon_alerts_point(&drain->alerts, number, key, &slot->point, place);
  return tmon_alerts_epoch(&drain->alerts, key, &slot->point, &(tmon_alert_place){0, place->lane, place->position});
}

/* Whether each position has its slot: those that no writer can have left are skipped, and the place of the others is not known. */
static bool is_dense(const tmon_drain *drain, const uint64_t *positions, size_t count) {
  uint64_t sum = 0;
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) sum += positions[lane] - drain->positions[lane];
  return sum == count;
}

int tmon_alerts_drain(tmon_drain *drain, tmon_tx *tx, uint64_t *positions, size_t *count) {
  drain_target target = {drain, tx, is_dense(drain, positions, *count) ? tmon_clock_monotonic_us() + MOST_US : 0, false};
  tmon_alerts *alerts = &drain->alerts;
  size_t i = 0;
  bool epochs = false;
  int result = tmon_alerts_load(alerts, tx, drain->session, drain->writer);
  if (result != TMON_OK || alerts->rules.count == 0) return result;
  alerts->tell = tell_drain;
  alerts->payload = &target;
  for (unsigned lane = 0; result == TMON_OK && lane < TMON_RING_LANES; lane++) {
    uint64_t position = drain->positions[lane];
    for (; result == TMON_OK && !target.over && position < positions[lane] && i < *count; position++, i++) {
      const tmon_slot *slot = &drain->slots[i];
      if (slot->kind == TMON_SLOT_EPOCH && !epochs) {
        epochs = true;
        result = tmon_alerts_load_epochs(alerts, tx, drain->session);
        if (result != TMON_OK) break;
      }
      if (slot->kind != TMON_SLOT_POINT && slot->kind != TMON_SLOT_EPOCH) continue;
      result = judge_slot(drain, slot, &(tmon_alert_place){drain->writer, lane, (int64_t)position});
    }
    if (target.over) positions[lane] = position;
  }
  if (target.over) *count = i;
  return result == TMON_OK ? tmon_alerts_save(alerts, tx, drain->session) : result;
}

/* A writer that is adopted or ends may have committed its points in another process: its states are in the store. */
static int load_first(tmon_drain *drain, int64_t timeout_us) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, drain->db, false, timeout_us);
  if (result == TMON_OK) result = tmon_alerts_load(&drain->alerts, tx, drain->session, drain->writer);
  tmon_tx_abort(tx);
  return result;
}

int tmon_alerts_stall(tmon_drain *drain, int64_t timeout_us) {
  tmon_tx *tx = NULL;
  drain_target target = {drain, NULL, 0, false};
  tmon_alerts *alerts = &drain->alerts;
  int64_t now = drain->until != 0 ? drain->until : tmon_clock_now_us() - GRACE_US;
  int result = TMON_OK;
  /* Who waits on purpose has not stalled; should the pause have been longer than the rule allows, the next point says so. */
  if (drain->until == 0 && tmon_ring_control(drain->ring) == TMON_CONTROL_PAUSE) return TMON_OK;
  if (alerts->version < 0 && drain->until != 0) result = load_first(drain, timeout_us);
  if (result != TMON_OK || !tmon_alerts_are_late(alerts, now)) return result;
  result = tmon_tx_begin(&tx, drain->db, true, timeout_us);
  if (result != TMON_OK) return result;
  target.tx = tx;
  alerts->tell = tell_drain;
  alerts->payload = &target;
  result = tmon_alerts_load(alerts, tx, drain->session, drain->writer);
  if (result == TMON_OK) result = tmon_alerts_load_epochs(alerts, tx, drain->session);
  if (result == TMON_OK) result = tmon_alerts_wait(alerts, now);
  if (result == TMON_OK) result = tmon_alerts_save(alerts, tx, drain->session);
  if (result == TMON_OK) {
    result = tmon_tx_commit(tx);
    tx = NULL;
  }
  tmon_tx_abort(tx);
  if (result == TMON_OK) alerts->committed = alerts->told.count;
  else tmon_alerts_reset(alerts);
  return result;
}
