/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Fuzzes what a stranger can send: the first line is the query, the second the path, the third cookie and Host, the rest a body. */
#include "serve/access.h"
#include "serve/request.h"
#include "serve/router.h"
#include "serve/server_private.h"
#include "util/alloc.h"
#include "util/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t line(const char **at, const char *end) {
  const char *stop = memchr(*at, '\n', (size_t)(end - *at));
  return (size_t)((stop != NULL ? stop : end) - *at);
}

/* The router with every rule before a handler, once for each method, on a server that needs a token: whatever was sent, only the public page may pass. */
static void check_rules(tmon_request *request) {
  static tmon_server server;
  static char token[] = "0123456789abcdef0123456789abcdef";
  server.access.bound = (char[]){"127.0.0.1"};
  server.access.token = token;
  /* Else the cookie would match an empty secret, which no server has. */
  (void)snprintf(server.access.secret, sizeof server.access.secret, "%s%s", token, token);
  request->port = 8000;
  (void)snprintf(request->authorization, sizeof request->authorization, "%.250s", request->cookie);
  for (int method = TMON_METHOD_GET; method <= TMON_METHOD_OTHER; method++) {
    tmon_response response;
    tmon_response_init(&response);
    request->method = (tmon_method)method;
    request->route = NULL;
    int refused = tmon_serve_check(request, &response, &server);
    if (refused == 0 && request->route->right != TMON_RIGHT_NONE && strstr(request->cookie, token) == NULL) {
      abort();
    }
    if (refused != 0 && (response.status < 400 || response.status > 499)) {
      abort();
    }
    tmon_response_free(&response);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static tmon_request request;
  static tmon_access rules;
  const char *at = (const char *)data;
  const char *end = at + size;
  char value[64];
  int64_t number = 0;
  if (size == 0) {
    return 0;
  }
  memset(&request, 0, sizeof request);
  for (int part = 0; part < 3 && at < end; part++) {
    size_t length = line(&at, end);
    if (part == 0) {
      tmon_request_set_query(&request, at, length);
    } else if (part == 1) {
      tmon_request_set_path(&request, at, length);
    } else {
      int copied = (int)(length < 250 ? length : 250);
      (void)snprintf(request.cookie, sizeof request.cookie, "%.*s", copied, at);
      (void)snprintf(request.host, sizeof request.host, "%.*s", copied, at);
      (void)snprintf(request.accept_encoding, sizeof request.accept_encoding, "%.*s", copied, at);
    }
    at += length + (at + length < end);
  }
  for (size_t i = 0; i < request.parameter_count; i++) {
    (void)tmon_request_int(&request, request.parameters[i].name, -5, 5, 0, &number);
  }
  (void)tmon_request_cookie(&request, "trainmon_8000", value, sizeof value);
  (void)tmon_request_accepts_gzip(&request);
  rules.bound = (char[]){"127.0.0.1"};
  /* Whatever Host says, a name that is not ours is never let in. */
  if (tmon_access_host(&rules, request.host, 8000) && strstr(request.host, ":8000") == NULL) {
    abort();
  }
  tmon_json *document = NULL;
  if (at < end && tmon_json_parse(&document, at, (size_t)(end - at)) == 0) {
    tmon_json_free(document);
  }
  tmon_subscription wanted = {0};
  if (at < end && tmon_subscription_read(&wanted, at, (size_t)(end - at)) == TMON_SUBSCRIPTION_GOOD) {
    (void)tmon_subscription_wants_row(&wanted, "training_sessions", "INSERT", NULL);
    tmon_subscription_free(&wanted);
  }
  check_rules(&request);
  return 0;
}
