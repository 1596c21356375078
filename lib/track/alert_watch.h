/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The rules of one session at work: which metric is watched by which rule, with their states. Under the lock of whoever drains. */
#ifndef TRAINMON_TRACK_ALERT_WATCH_H
#define TRAINMON_TRACK_ALERT_WATCH_H
#include "track/alert_rule.h"
#include "track/track.h"
#include "util/json.h"

#define TMON_ALERT_HEAD_BYTES 84   /* of a packed state, without its window */
#define TMON_ALERT_EVENTS 256      /* kept for actions; further ones of a drain are in the store alone */
#define TMON_ALERT_WATCHES 100000u /* of a session; metrics beyond are not watched */

/* An alert that fired or recovered. Its texts are its own. */
typedef struct tmon_alert_event {
  int64_t id; /* of the row */
  bool recovered;
  tmon_alert_type type;
  tmon_alert_severity severity;
  unsigned actions;
  char rule[129];
  char metric[257];
  int64_t step;
  double value;
  double threshold; /* NaN: none */
  int64_t time;
  char message[500];
  char **command; /* belongs to it; NULL: none */
} tmon_alert_event;

/* What waits for the commit, or for who acts on it. All zero: nothing. */
typedef struct tmon_alert_told {
  tmon_alert_event *events;
  size_t count;
} tmon_alert_told;

typedef struct tmon_alert_watch {
  uint32_t rule;
  uint32_t next;  /* watch of the same metric, + 1; 0: the last */
  int64_t writer; /* 0: epoch values */
  char *metric;
  tmon_alert_state state;
  bool touched;                         /* has judged since the last save */
  uint8_t saved[TMON_ALERT_HEAD_BYTES]; /* the state as the store has it, window aside */
} tmon_alert_watch;

/* Told of each decision, in the order of the points. A result other than TMON_OK ends the run. */
typedef int tmon_alert_teller(void *payload, const tmon_alert_event *event, const tmon_alert_place *place);

typedef struct tmon_alerts {
  tmon_alert_rules rules;
  tmon_json *own;  /* names of the session's own, NULL: none */
  int64_t version; /* of the row that the rules come from; -1: not loaded */
  tmon_alert_watch *watches;
  size_t count;
  size_t capacity;
  uint32_t *first; /* by number of a metric: 0 not looked at, 1 not watched, else its first watch + 2 */
  size_t first_count;
  tmon_alert_told told; /* not acted on */
  size_t committed;     /* of it, what has its transaction through */
  tmon_alert_teller *tell;
  void *payload;
} tmon_alerts;

void tmon_alerts_init(tmon_alerts *alerts);
void tmon_alerts_free(tmon_alerts *alerts);
void tmon_alerts_forget(tmon_alerts *alerts); /* the watches; rules stay */
void tmon_alerts_reset(tmon_alerts *alerts);  /* states must be read again; committed events stay */
/* One point of metric `number` (from 0), named `key` when it is seen for the first time. */
int tmon_alerts_point(tmon_alerts *alerts, size_t number, const char *key, const tmon_point *point, const tmon_alert_place *place);
static inline bool tmon_alerts_know(const tmon_alerts *alerts, size_t number) { return number < alerts->first_count && alerts->first[number] != 0; }
static inline bool tmon_alerts_pass(const tmon_alerts *alerts, size_t number) { return number < alerts->first_count && alerts->first[number] == 1; }
/* An epoch value: `place->writer` is 0. */
int tmon_alerts_epoch(tmon_alerts *alerts, const char *key, const tmon_point *point, const tmon_alert_place *place);
bool tmon_alerts_are_late(const tmon_alerts *alerts, int64_t now);
int tmon_alerts_wait(tmon_alerts *alerts, int64_t now);
/* Gives the watch of a rule and metric, making it where there is none; NULL with TMON_OK: too many. */
int tmon_alerts_find(tmon_alert_watch **out, tmon_alerts *alerts, uint32_t rule, int64_t writer, const char *metric);
/* A copy with a command of its own; beyond TMON_ALERT_EVENTS nothing is kept. */
int tmon_alert_told_keep(tmon_alert_told *told, const tmon_alert_event *event);
void tmon_alert_told_cut(tmon_alert_told *told, size_t count); /* frees all but the first `count` */

/* alert_store.c */
int tmon_alert_rules_copy(tmon_tx *tx, int64_t session); /* the defaults of the store, for a session that has none */
int tmon_alert_rules_load(tmon_alert_rules *out, int64_t *version, tmon_tx *tx, int64_t session, int64_t known); /* TMON_DONE: still `known` */
int tmon_alerts_load(tmon_alerts *alerts, tmon_tx *tx, int64_t session, int64_t writer); /* rules and states, where they have changed */
/* Before epoch values: what the session's own names mean; and other writers judge epoch values too, so that the store's states count. */
int tmon_alerts_load_names(tmon_alerts *alerts, tmon_tx *tx, int64_t session);
int tmon_alerts_load_epochs(tmon_alerts *alerts, tmon_tx *tx, int64_t session);
int tmon_alerts_save(tmon_alerts *alerts, tmon_tx *tx, int64_t session);
int tmon_alert_write(tmon_tx *tx, int64_t session, tmon_alert_event *event, const tmon_alert_place *place);
/* alert_rows.c: judges what comes without a ring, in the transaction that writes it. */
struct tmon_epoch_entry;
int tmon_alerts_epoch_rows(tmon_tx *tx, const char *session_id, const struct tmon_epoch_entry *entries, size_t count);
/* The rows of validation_results, or the one of confusion_matrices, that were just written. `told` receives what asks for a callback or a command. */
int tmon_alerts_result_rows(tmon_alert_told *told, tmon_tx *tx, const char *session_id, const int64_t *ids, size_t count);
int tmon_alerts_matrix_row(tmon_alert_told *told, tmon_tx *tx, const char *session_id, int64_t id);
/* alert_action.c. Once the transaction has ended with `result`: the live session of this process acts on what was committed. Without one, or after a failure, nobody does. */
void tmon_alerts_give(tmon_alert_told *told, tmon_store *store, const char *session_id, int result);

/* class_points.c: the sensitivities in such a row, as points class/NAME/sensitivity. Their texts live until the call returns. */
typedef int tmon_class_taker(void *payload, const char *key, const tmon_point *point);
int tmon_class_points_of_result(tmon_tx *tx, int64_t id, tmon_class_taker *take, void *payload);
int tmon_class_points_of_matrix(tmon_tx *tx, int64_t id, tmon_class_taker *take, void *payload);
/* All of a session, in the order of epochs, rows of no epoch last. */
int tmon_class_points_all(tmon_tx *tx, const char *session_id, tmon_class_taker *take, void *payload);
#endif
