/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/sessions/{id}/export: everything that a session logged, as a file, made while it is sent. */
#include "serve/router.h"
#include "serve/server_private.h"

#include "trainmon/error.h"
#include "trainmon/extract.h"
#include "util/alloc.h"
#include "util/error.h"

#include <stdio.h>
#include <string.h>

/* Each keeps a snapshot of the store, which keeps its log from getting shorter: few at a time. */
enum { KEYS = 64, AT_ONCE = 8, OF_PEER = 2, COST_EACH = 10000 };
/* Nobody knows how long it will be, so what is known to end goes first. */
static const size_t LEFT = SIZE_MAX / 2;

struct tmon_export {
  struct tmon_export *next; /* in `server->exports` */
  tmon_server *server;
  tmon_extract_reader *reader;
  char peer[64];
};

static void drop(void *state) {
  struct tmon_export *work = state;
  struct tmon_export **link = &work->server->exports;
  while (*link != NULL && *link != work) {
    link = &(*link)->next;
  }
  if (*link == work) {
    *link = work->next;
  }
  tmon_extract_reader_free(work->reader);
  tmon_free(work);
}

static size_t step(void *state, tmon_response *response) {
  struct tmon_export *work = state;
  const void *data = NULL;
  size_t size = 0;
  bool first = response->status == 0; /* no head is sent yet: an error can still be told */
  int code = tmon_extract_reader_next(work->reader, &data, &size);
  if (code == TMON_OK) {
    code = tmon_buffer_append(&response->body, data, size);
  }
  if (code < 0 && first) {
    tmon_reply_failure(response, code, NULL);
    return 0;
  }
  response->status = 200;
  response->broken = code < 0;
  return code == TMON_OK ? LEFT : 0;
}

static bool read_choice(const tmon_request *request, tmon_response *response, const char *name, const char *const *names, size_t count, int *out) {
  const char *text = tmon_request_parameter(request, name, 0);
  *out = 0;
  if (text == NULL) {
    return true;
  }
  for (size_t i = 0; i < count; i++) {
    if (strcmp(text, names[i]) == 0) {
      *out = (int)i;
      return true;
    }
  }
  tmon_reply_error(response, 400, NULL, name, "%s must be %s or %s%s%s", name, names[0], names[1], count > 2 ? " or " : "", count > 2 ? names[2] : "");
  return false;
}

static bool read_options(const tmon_request *request, tmon_response *response, tmon_extract_options *options, const char *keys[KEYS]) {
  static const char *const formats[] = {[TMON_EXTRACT_CSV] = "csv", [TMON_EXTRACT_JSONL] = "jsonl", [TMON_EXTRACT_TENSORBOARD] = "tensorboard"};
  static const char *const kinds[] = {[TMON_EXTRACT_POINTS] = "points", [TMON_EXTRACT_EPOCHS] = "epochs"};
  static const char *const truths[] = {"false", "true"};
  int format = 0;
  int what = 0;
  int exact = 0;
  size_t count = 0;
  if (!read_choice(request, response, "format", formats, 3, &format) || !read_choice(request, response, "what", kinds, 2, &what) ||
      !read_choice(request, response, "exact", truths, 2, &exact)) {
    return false;
  }
  for (; tmon_request_parameter(request, "key", count) != NULL; count++) {
    if (count == KEYS) {
      tmon_reply_error(response, 400, NULL, "key", "at most %d keys; without any, all are exported", (int)KEYS);
      return false;
    }
    keys[count] = tmon_request_parameter(request, "key", count);
  }
  *options = (tmon_extract_options){.size = sizeof *options,
      .format = (tmon_extract_format)format,
      .what = (tmon_extract_what)what,
      .keys = count > 0 ? keys : NULL,
      .key_count = count,
      .exact_text = exact != 0};
  return true;
}

static bool has_room(tmon_server *server, const tmon_request *request, tmon_response *response) {
  size_t all = 0;
  size_t of_peer = 0;
  for (const struct tmon_export *other = server->exports; other != NULL; other = other->next) {
    all++;
    of_peer += strcmp(other->peer, request->peer) == 0;
  }
  if (all < AT_ONCE && of_peer < OF_PEER) {
    return true;
  }
  tmon_response_header(response, "retry-after:", "5");
  tmon_reply_error(response, 503, NULL, NULL, "%zu exports are being sent, %zu to this client; at most %d and %d. Ask again later", all, of_peer,
      (int)AT_ONCE, (int)OF_PEER);
  return false;
}

/* The id was found in the store, so it holds nothing but digits, letters and hyphens. */
static void name_file(tmon_response *response, const char *id, const tmon_extract_options *options) {
  char text[160];
  const char *what = options->what == TMON_EXTRACT_EPOCHS ? "epochs" : "points";
  if (options->format == TMON_EXTRACT_TENSORBOARD) {
    (void)snprintf(text, sizeof text, "attachment; filename=\"events.out.tfevents.0.%s%s\"", id, options->what == TMON_EXTRACT_EPOCHS ? ".epochs" : "");
    response->content_type = "application/octet-stream";
  } else {
    bool csv = options->format == TMON_EXTRACT_CSV;
    (void)snprintf(text, sizeof text, "attachment; filename=\"trainmon-%s-%s.%s\"", id, what, csv ? "csv" : "jsonl");
    response->content_type = csv ? "text/csv; charset=utf-8" : "application/x-ndjson; charset=utf-8";
  }
  tmon_response_header(response, "content-disposition:", text);
}

void tmon_route_export(tmon_server *server, const tmon_request *request, tmon_response *response) {
  const char *keys[KEYS];
  tmon_extract_options options;
  if (!read_options(request, response, &options, keys) || !has_room(server, request, response)) {
    return;
  }
  if (!tmon_route_afford(server, request, response, options.key_count > 0 ? options.key_count : 1, COST_EACH)) {
    return;
  }
  struct tmon_export *work = tmon_alloc_zero(1, sizeof *work);
  int code = work == NULL ? tmon_error_no_memory() : tmon_extract_reader_open(&work->reader, server->store, request->id, &options);
  if (code != TMON_OK) {
    const char *field = tmon_error_field();
    bool of_keys = field != NULL && strcmp(field, "keys") == 0;
    tmon_reply_failure(response, code, of_keys ? "key" : code == TMON_EINVAL || code == TMON_ENOTFOUND ? "id" : NULL);
    tmon_free(work);
    return;
  }
  work->server = server;
  work->next = server->exports;
  server->exports = work;
  memcpy(work->peer, request->peer, sizeof work->peer);
  name_file(response, request->id, &options);
  response->kind = TMON_RESPONSE_STREAM;
  response->status = request->head ? 200 : 0;
  response->work = (tmon_work){LEFT, step, drop, work};
}
