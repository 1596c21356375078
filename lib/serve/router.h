/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which handler answers a request: one table. */
#ifndef TRAINMON_SERVE_ROUTER_H
#define TRAINMON_SERVE_ROUTER_H
#include "serve/reply.h"
#include "serve/request.h"
#include "trainmon/record.h"
#include "trainmon/server.h"

typedef void tmon_handler(tmon_server *server, const tmon_request *request, tmon_response *response);

typedef struct tmon_route {
  tmon_method method;
  const char *pattern; /* "{id}" stands for one segment */
  tmon_right right;
  size_t body_limit; /* 0: no body is read */
  tmon_handler *handler;
} tmon_route;

/* 200: `request` has its route and id; 404 or 405. */
unsigned tmon_route_find(const tmon_route *table, size_t count, tmon_request *request);
/* The methods that a path takes, for the Allow header; empty for a path that is not in the table. */
void tmon_route_allowed(const tmon_route *table, size_t count, const char *path, char *out, size_t size);
/* The rules that hold before a handler runs. 0, or `response` holds the refusal. */
int tmon_serve_check(tmon_request *request, tmon_response *response, void *server);
void tmon_serve_respond(tmon_request *request, tmon_response *response, void *server);

tmon_handler tmon_route_sessions, tmon_route_session_create, tmon_route_session, tmon_route_session_change, tmon_route_session_delete, tmon_route_active;
tmon_handler tmon_route_metrics, tmon_route_metrics_add, tmon_route_current, tmon_route_history;
tmon_handler tmon_route_series, tmon_route_pause, tmon_route_resume, tmon_route_stop, tmon_route_status, tmon_route_login;
tmon_handler tmon_route_hardware, tmon_route_prometheus;
tmon_handler tmon_route_validation, tmon_route_validation_add, tmon_route_confusion, tmon_route_confusion_add, tmon_route_benchmarks,
    tmon_route_benchmark_add;
tmon_handler tmon_route_datasets, tmon_route_dataset_add, tmon_route_trials, tmon_route_trial_add;
tmon_handler tmon_route_alerts, tmon_route_alert_acknowledge, tmon_route_alert_rules, tmon_route_alert_rules_set, tmon_route_alert_replay;
tmon_handler tmon_route_images, tmon_route_image, tmon_route_image_add;
tmon_handler tmon_route_start, tmon_route_recipes, tmon_route_output;
tmon_handler tmon_route_ml_stop, tmon_route_ml_data, tmon_route_ml_session, tmon_route_ml_metrics, tmon_route_ml_updates;
tmon_handler tmon_route_export;
tmon_handler tmon_route_leaderboard, tmon_route_compare;
tmon_handler tmon_route_websocket, tmon_route_events, tmon_route_asset;

/* Charges the client for a query of so many keys and buckets or points each, after the request was found good. False: `response` says when to come again. */
bool tmon_route_afford(tmon_server *server, const tmon_request *request, tmon_response *response, size_t keys, size_t each);
/* etag.c: for a reply that the store alone decides (no figures of a live ring, no clock), asked before it is read. Sets the entity tag; true: the client
 * has this state already, and `response` says so. `id`: the session that the question came down to; its figures are still only once it is over. */
bool tmon_route_unchanged(tmon_server *server, const tmon_request *request, tmon_response *response, const char *id);
bool tmon_route_is_over(const tmon_record *record);
/* Once a reply is complete. */
void tmon_serve_finish(const tmon_request *request, tmon_response *response, void *server);

/* Helpers of several routes (routes_sessions.c). */
/* The id that query or body names, checked, else the only live session, else (`newest`) the newest. NULL: `response` says why. */
const char *tmon_route_session_id(tmon_server *server, const tmon_request *request, tmon_response *response, bool newest, char out[37]);
/* One session; free the list after use. False: `response` says why. */
bool tmon_route_load(tmon_server *server, const char *id, tmon_response *response, tmon_record_list **list, tmon_record *record);
/* The validation results of the latest epoch, a member of a reply (routes_results.c). TMON_OK or an error. */
int tmon_route_put_validation(tmon_json_writer *json, tmon_server *server, const char *id);
#endif
