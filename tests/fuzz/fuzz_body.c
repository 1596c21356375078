/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fuzzes what a client may write, without HTTP: the first byte names the path, the rest is the body. The whole call runs, on a real store in memory. */
#define _XOPEN_SOURCE 700 /* nftw */
#include "serve/router.h"
#include "serve/server_private.h"
#include "trainmon/error.h"
#include "util/json.h"

#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The session that inputs name. */
#define SESSION "00000000-0000-4000-8000-000000000001"

enum { RUNS = 2000, LIMIT = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct target {
  char letter;
  tmon_route route;
} targets[] = {
    {'s', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_session_create}},
    {'c', {TMON_METHOD_PATCH, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_session_change}},
    {'e', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_metrics_add}},
    {'v', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_validation_add}},
    {'m', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_confusion_add}},
    {'b', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_benchmark_add}},
    {'d', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_dataset_add}},
    {'t', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_trial_add}},
    {'i', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_image_add}},
    {'r', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_alert_rules_set}},
    {'y', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_alert_replay}},
    {'p', {TMON_METHOD_POST, "", TMON_RIGHT_WRITE, LIMIT, tmon_route_pause}},
};

static tmon_server server;
static sqlite3 *watcher; /* its data version grows with each commit of the store */
static char folder[64];

static int drop(const char *path, const struct stat *info, int kind, struct FTW *place) {
  (void)info;
  (void)kind;
  (void)place;
  return remove(path);
}

static void end(void) {
  (void)sqlite3_close(watcher);
  watcher = NULL;
  tmon_updates_free(server.updates);
  server.updates = NULL;
  tmon_store_free(server.store);
  server.store = NULL;
  if (folder[0] != '\0') (void)nftw(folder, drop, 16, FTW_DEPTH | FTW_PHYS);
  folder[0] = '\0';
}

static void begin(void) {
  char made[37];
  char path[96];
  tmon_record_change session = {.size = sizeof session, .id = SESSION, .name = "fuzzed", .set_status = true, .status = TMON_STATUS_RUNNING};
  (void)snprintf(folder, sizeof folder, "%s/trainmon-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  if (mkdtemp(folder) == NULL || tmon_store_open(&server.store, folder, NULL) != TMON_OK) abort();
  if (tmon_updates_make(&server.updates, &server) != TMON_OK) abort();
  if (tmon_record_create(made, server.store, &session) != TMON_OK) abort();
  (void)snprintf(path, sizeof path, "%s/trainmon.db", folder);
  if (sqlite3_open_v2(path, &watcher, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) abort();
}

static int version(void) {
  sqlite3_stmt *statement = NULL;
  if (sqlite3_prepare_v2(watcher, "PRAGMA data_version", -1, &statement, NULL) != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) abort();
  int number = sqlite3_column_int(statement, 0);
  (void)sqlite3_finalize(statement);
  return number;
}

/* Whatever came: a reply that is JSON, done or refused by its sender's fault, and nothing committed by what was refused. */
static void check(const tmon_response *response, int before) {
  tmon_json *reply = NULL;
  bool good = response->status == 200 || response->status == 201;
  bool refused = response->status == 400 || response->status == 403 || response->status == 404 || response->status == 409 || response->status == 413;
  if (response->fixed != NULL || tmon_json_parse(&reply, (const char *)response->body.data, response->body.size) != TMON_OK) abort();
  const tmon_json *error = tmon_json_get(reply, "error");
  const char *message = tmon_json_text(tmon_json_get(error, "message"));
  if (!good && !refused) {
    (void)fprintf(stderr, "status %u: %s\n", response->status, message != NULL ? message : "");
    abort();
  }
  if (tmon_json_bool(tmon_json_get(reply, "success"), !good) != good) abort();
  if (refused && (message == NULL || tmon_json_text(tmon_json_get(error, "code")) == NULL)) abort();
  if (refused && version() != before) abort();
  tmon_json_free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static tmon_request request;
  static int runs;
  static bool registered;
  const struct target *target = NULL;
  for (size_t i = 0; size > 0 && i < sizeof targets / sizeof *targets; i++) {
    if (targets[i].letter == (char)data[0]) target = &targets[i];
  }
  if (target == NULL) return 0;
  if (!registered && atexit(end) != 0) abort();
  registered = true;
  /* Anew now and then, so that what earlier inputs left stays little. */
  if (runs++ % RUNS == 0) {
    end();
    begin();
  }
  char *body = malloc(size);
  if (body == NULL) abort();
  memcpy(body, data + 1, size - 1);
  body[size - 1] = '\0';
  memset(&request, 0, sizeof request);
  request.method = target->route.method;
  request.route = &target->route;
  request.right = TMON_RIGHT_WRITE;
  request.body = body;
  request.body_size = size - 1;
  (void)snprintf(request.content_type, sizeof request.content_type, "application/json");
  (void)snprintf(request.id, sizeof request.id, "%s", SESSION);
  tmon_response response;
  tmon_response_init(&response);
  int before = version();
  tmon_serve_respond(&request, &response, &server);
  check(&response, before);
  tmon_response_free(&response);
  free(body);
  return 0;
}
