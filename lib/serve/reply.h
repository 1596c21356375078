/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What goes back: JSON replies, errors that name the field, and the headers that every reply carries. */
#ifndef TRAINMON_SERVE_REPLY_H
#define TRAINMON_SERVE_REPLY_H
#include "util/buffer.h"
#include "util/json.h"

#include <stdbool.h>
#include <stddef.h>

enum { TMON_RESPONSE_HEADERS = 8, TMON_REPLY_MAXIMUM = 64 << 20, TMON_REPLY_POLICY_BYTES = 3072 };

typedef struct tmon_header {
  const char *name; /* with its colon, lower case, static */
  char value[160];
} tmon_header;

/* A stream has no length: its body is one piece, and when that was sent its work makes the next one. Nothing but pieces is ever held of it. */
typedef enum tmon_response_kind { TMON_RESPONSE_BODY, TMON_RESPONSE_WEBSOCKET, TMON_RESPONSE_EVENTS, TMON_RESPONSE_STREAM } tmon_response_kind;

struct tmon_response;

/* What is left to do of a reply that takes long, so that others are served in between. It may use the request, which stays until the reply is sent. */
typedef struct tmon_work {
  size_t left; /* pieces, about; the one with the fewest goes on first. 0: no work, the reply is complete */
  size_t (*step)(void *state, struct tmon_response *response); /* does one piece, a few milliseconds; returns what is left */
  void (*drop)(void *state);                                   /* frees `state`; called once */
  void *state;
} tmon_work;

typedef struct tmon_response {
  tmon_response_kind kind;
  bool broken; /* of a stream: what follows can't be had; the connection ends, so that nobody takes a part for the whole */
  unsigned status;
  const char *content_type;
  const void *fixed; /* not NULL: the body, static; else it is in `body` */
  size_t fixed_size;
  tmon_buffer body;
  tmon_json_writer json;
  tmon_work work;
  const char *policy; /* of the page where others may frame it, lives as long as the server; NULL: the usual Content-Security-Policy */
  size_t header_count;
  tmon_header headers[TMON_RESPONSE_HEADERS];
} tmon_response;

void tmon_response_init(tmon_response *response);
void tmon_response_free(tmon_response *response);
void tmon_response_work(tmon_response *response);                                        /* one piece of what is left; drops the work after the last */
void tmon_response_header(tmon_response *response, const char *name, const char *value); /* one too long or too many is left out */
/* The headers of every reply: pairs of name and value, ended by NULL. */
extern const char *const tmon_reply_headers[];
const char *tmon_reply_header(const tmon_response *response, size_t index); /* what this reply says for the name at `index`; NULL: nothing */
/* The Content-Security-Policy of a page that these origins, which were checked, may frame; free it with tmon_free. */
int tmon_reply_frame_policy(char **out, const char *const *origins, size_t count);

/* Begins {"success": true; write members through response->json, then tmon_reply_end. */
tmon_json_writer *tmon_reply_begin(tmon_response *response, unsigned status);
void tmon_reply_end(tmon_response *response); /* a reply that ran out of memory or size becomes an error */
/* {"success": false, "error": {"code", "message", "field"}}. `code` NULL: the usual one of the status. `field` NULL: no field is at fault. */
void tmon_reply_error(tmon_response *response, unsigned status, const char *code, const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same from a failed library call, with its text. */
void tmon_reply_failure(tmon_response *response, int error, const char *field);
/* Opens an error so that further members of `error` can be written; ended by tmon_reply_error_end. */
tmon_json_writer *tmon_reply_error_begin(tmon_response *response, unsigned status, const char *code, const char *field, const char *message);
void tmon_reply_error_end(tmon_response *response);
#endif
