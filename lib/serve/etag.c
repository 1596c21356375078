/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Entity tags of replies that come from the store alone: a weak tag of the store's change cursor, the question, and this run of the server. */
#include "serve/router.h"
#include "serve/server_private.h"

#include "trainmon/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/; the NUL is part of it, so that texts don't run together. */
static uint64_t mix(uint64_t hash, const char *text) {
  do {
    hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
  } while (*text++ != '\0');
  return hash;
}

bool tmon_route_is_over(const tmon_record *record) {
  return !record->live && record->status != TMON_STATUS_PENDING && record->status != TMON_STATUS_RUNNING;
}

bool tmon_route_unchanged(tmon_server *server, const tmon_request *request, tmon_response *response, const char *id) {
  char tag[80];
  int64_t cursor = 0;
  if (request->method != TMON_METHOD_GET || tmon_store_change_cursor(&cursor, server->store) != TMON_OK) {
    return false;
  }
  uint64_t hash = mix(mix(UINT64_C(14695981039346656037), request->path), id);
  for (size_t i = 0; i < request->parameter_count; i++) {
    hash = mix(mix(hash, request->parameters[i].name), request->parameters[i].value);
  }
  (void)snprintf(tag, sizeof tag, "W/\"%" PRId64 "-%016" PRIx64 "-%" PRIx64 "\"", cursor, hash, (uint64_t)server->run);
  tmon_response_header(response, "etag:", tag);
  tmon_response_header(response, "cache-control:", "private, no-cache");
  /* The header may name several; with their quotes one can't be part of another. */
  if (strstr(request->if_none_match, tag) == NULL) {
    return false;
  }
  response->status = 304;
  return true;
}
