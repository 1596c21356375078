/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alerts: rules as data, judged where points are committed, and what they said. */
#ifndef TRAINMON_ALERT_H
#define TRAINMON_ALERT_H

#include "export.h"
#include "session.h"
#include "store.h"

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An alert that fired or recovered. Texts are borrowed until the callback returns. */
typedef struct tmon_alert {
  int64_t id;
  const char *session_id;
  const char *rule;
  const char *type;
  const char *severity; /**< "info", "warning" or "critical" */
  const char *metric;
  int64_t step;
  double value;     /**< NaN where it was NaN, or where no point came */
  double threshold; /**< what the value was held against; NaN: nothing */
  int64_t time;     /**< microseconds since 1970, of the point that fired or recovered it */
  bool recovered;   /**< false: it fired */
  const char *message;
} tmon_alert;

/** What is called for alerts; see tmon_session_on_alert. What it returns is not looked at yet: return 0. */
typedef int tmon_alert_callback(const tmon_alert *alert, void *payload);

/** Which alerts to list. All zero is the default; `size` is sizeof(tmon_alert_filter). */
typedef struct tmon_alert_filter {
  uint32_t size;
  const char *session_id; /**< NULL means all sessions */
  bool active;            /**< only those that have not recovered, of the latest attempt of their session */
  const char *severity;   /**< "info", "warning", "critical"; NULL means any */
  int64_t since_id;       /**< only with a greater id, oldest change first; 0 means any */
  int64_t changed_since;  /**< only with a greater `revision` (fired or recovered since), oldest change first; 0 means any */
  uint32_t limit;         /**< 0 means 100; at most 1,000 */
} tmon_alert_filter;

/**
 * Replaces the rules of a session, or with `session_id` NULL the defaults, which each session copies when it starts. `json` is an array of rules or
 * {"rules": [...]}, at most 100, described in docs/reference/alerts.md; "[]" takes them away. Rules that are not the same as before begin anew: open
 * alerts are closed and what was remembered of the points is forgotten. A live session obeys from its next commit on. `allow_commands` says whether rules may
 * carry a command; false for text that came from outside. Any thread. TMON_EINVAL and TMON_ELIMIT name the field (tmon_error_field); TMON_EACCESS: a
 * command that is not allowed; TMON_ENOTFOUND, TMON_EREADONLY, TMON_EBUSY, TMON_EIO, TMON_ENOMEM. Since 0.1.
 */
TMON_API int tmon_alert_set_rules(tmon_store *store, const char *session_id, const char *json, bool allow_commands);

/** Gives the rules of a session, or of the store for NULL, as a JSON array. Free with tmon_text_free. Any thread. TMON_ENOTFOUND, TMON_EIO, TMON_ENOMEM. Since 0.1. */
TMON_API int tmon_alert_rules_json(char **out, tmon_store *store, const char *session_id);

/**
 * Lists alerts as a JSON array, latest change first unless the filter says otherwise. NULL filter means all defaults. Free with tmon_text_free. Any thread.
 * TMON_EINVAL, TMON_ENOTFOUND (no such session), TMON_EIO, TMON_ENOMEM. Since 0.1.
 */
TMON_API int tmon_alert_list_json(char **out, tmon_store *store, const tmon_alert_filter *filter);

/** Marks an alert as seen by a person; again changes nothing. Any thread. TMON_ENOTFOUND, TMON_EREADONLY, TMON_EBUSY, TMON_EIO, TMON_ENOMEM. Since 0.1. */
TMON_API int tmon_alert_acknowledge(tmon_store *store, int64_t id);

/**
 * Judges all that a session has stored by `rules` (NULL means its own) and gives the alerts that would have been made as a JSON array, by metric in the order of the
 * points; changes nothing, does nothing. The decisions are those of the drainer. Free with tmon_text_free. Any thread. Takes as long as reading all points of the metrics
 * that are watched; at most 10,000 alerts are given. TMON_EINVAL, TMON_ELIMIT, TMON_ENOTFOUND, TMON_EIO, TMON_ENOMEM. Since 0.1.
 */
TMON_API int tmon_alert_replay_json(char **out, tmon_store *store, const char *session_id, const char *rules);

/**
 * Gives the critical conditions of a session, one of each class that a `class_floor` rule names, also before its first value:
 * {"CLASS": {"sensitivity", "threshold", "status"}}, sensitivity and status (ok, warning, critical) null before it, as of the latest commit. Free with
 * tmon_text_free. Any thread. TMON_ENOTFOUND, TMON_EIO, TMON_ENOMEM. Since 0.1.
 */
TMON_API int tmon_alert_conditions_json(char **out, tmon_store *store, const char *session_id);

/** An alert that a program raises itself. `size` is sizeof(tmon_alert_note). */
typedef struct tmon_alert_note {
  uint32_t size;
  const char *title;    /**< 1 to 256 bytes: the `rule` of the alert */
  const char *text;     /**< its message, at most 4,096 bytes; NULL or "": the title */
  const char *severity; /**< "info", "warning" or "critical"; NULL: "warning" */
  int64_t step;         /**< INT64_MIN: not said */
} tmon_alert_note;

/**
 * Adds an alert of type "note" to a session, whatever its status: it is listed, told and acknowledged as others are, but it is over as it comes (recovered
 * at its own time), so never active, and no action follows. No sign of life of a session without a ring. `id` receives the number of the alert; NULL is fine. Any thread.
 * TMON_EINVAL names the field. TMON_ENOTFOUND, TMON_EREADONLY, TMON_EBUSY, TMON_EFULL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_alert_add(int64_t *id, tmon_store *store, const char *session_id, const tmon_alert_note *note);

/**
 * Has `callback` called for alerts of rules with the action `callback`, after their commit; NULL: no more. Also for those of results that this process records
 * (tmon_result_add, tmon_confusion_add), from whichever thread. It runs on the drainer's thread (all signals blocked), or
 * without one on the thread that flushes, no lock held, and must return soon: points are not committed meanwhile. It may log and read; it must not flush, finish or
 * free the session, nor set its callback, and must not fork. Once this has returned, a call that was under way may still be running. Any thread. TMON_EINVAL, TMON_EFORKED,
 * TMON_ESTATE. Since 0.1.
 */
TMON_API int tmon_session_on_alert(tmon_session *session, tmon_alert_callback *callback, void *payload);

#ifdef __cplusplus
}
#endif
#endif
