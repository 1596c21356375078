/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions in JSON: as objects of replies and messages, and read from the body of a request. */
#ifndef TRAINMON_SERVE_SESSION_JSON_H
#define TRAINMON_SERVE_SESSION_JSON_H
#include "serve/aliases.h"
#include "serve/reply.h"
#include "serve/request.h"
#include "trainmon/record.h"

const char *tmon_status_word(tmon_status status);
bool tmon_status_from_name(const char *name, tmon_status *out); /* also "training", the name that some clients use for running */
const char *tmon_control_name(tmon_control control);
void tmon_json_put_time(tmon_json_writer *json, const char *key, int64_t time_us); /* 0: null */
/* `full`: with config, hardware_info, summary and notes. */
void tmon_session_json(tmon_json_writer *json, const char *key, const tmon_record *record, bool full, int64_t now_us);
/* The fields of metrics_update except type, points and session. `conditions`: of tmon_alert_conditions_json, NULL where it failed. */
void tmon_metrics_json(tmon_json_writer *json, const tmon_record *record, const tmon_latest *latest, const char *conditions, int64_t now_us);
/* Fills the classes from the latest validation results and fields without a point from the latest epoch row; asks only for what changed after `*since`
 * (0: all), which becomes `cursor`. True: there was any. */
bool tmon_latest_take_results(tmon_latest *latest, tmon_store *store, const char *id, int64_t *since, int64_t cursor);

/* A change read from a body; texts are borrowed from the body, JSON texts are kept here. */
typedef struct tmon_change {
  tmon_record_change values; /* points into the others: not to be copied */
  tmon_progress progress;
  char *config;
  char *hardware;
  char *tags;
  char *summary;
} tmon_change;
/* False: `response` names the field that is wrong. `create`: an id may be said. */
bool tmon_change_read(tmon_change *out, const tmon_json *body, bool create, tmon_response *response);
void tmon_change_free(tmon_change *change);

/* A list that was asked for; texts are borrowed from the request. */
typedef struct tmon_session_query {
  tmon_record_filter filter;
  tmon_status statuses[6];
} tmon_session_query;
/* `limit` and `offset` alone. */
bool tmon_session_page_read(tmon_record_filter *out, const tmon_request *request, tmon_response *response);
bool tmon_session_query_read(tmon_session_query *out, const tmon_request *request, tmon_response *response);
#endif
