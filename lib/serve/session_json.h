/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions in JSON: as objects of replies and messages, and read from the body of a request. */
#ifndef TRAINMON_SERVE_SESSION_JSON_H
#define TRAINMON_SERVE_SESSION_JSON_H
#include "serve/aliases.h"
#include "serve/reply.h"
#include "trainmon/record.h"

const char *tmon_status_word(tmon_status status);
bool tmon_status_from_name(const char *name, tmon_status *out); /* also "training", the name that some clients use for running */
const char *tmon_control_name(tmon_control control);
void tmon_json_put_time(tmon_json_writer *json, const char *key, int64_t time_us); /* 0: null */
/* `full`: with config and hardware_info. */
void tmon_session_json(tmon_json_writer *json, const char *key, const tmon_record *record, bool full, int64_t now_us);
/* The fields of metrics_update except type, points and session. `conditions`: of tmon_alert_conditions_json, NULL where it failed. */
void tmon_metrics_json(tmon_json_writer *json, const tmon_record *record, const tmon_latest *latest, const char *conditions, int64_t now_us);

/* A change read from a body; texts are borrowed from the body, JSON texts are kept here. */
typedef struct tmon_change {
  tmon_record_change values;
  char *config;
  char *hardware;
} tmon_change;
/* False: `response` names the field that is wrong. */
bool tmon_change_read(tmon_change *out, const tmon_json *body, tmon_response *response);
void tmon_change_free(tmon_change *change);
#endif
