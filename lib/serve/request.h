/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A request as routes see it: fixed size, every text checked, whoever sent it. */
#ifndef TRAINMON_SERVE_REQUEST_H
#define TRAINMON_SERVE_REQUEST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tmon_json;
struct tmon_response;
struct tmon_route;

enum { TMON_REQUEST_PARAMETERS = 96, TMON_REQUEST_QUERY_BYTES = 8192, TMON_REQUEST_PATH_BYTES = 512, TMON_REQUEST_ID_BYTES = 65 };

typedef enum tmon_method { TMON_METHOD_GET, TMON_METHOD_POST, TMON_METHOD_PATCH, TMON_METHOD_DELETE, TMON_METHOD_OTHER } tmon_method;

/* Each includes those before it. */
typedef enum tmon_right { TMON_RIGHT_NONE, TMON_RIGHT_READ, TMON_RIGHT_WRITE } tmon_right;

typedef struct tmon_parameter {
  const char *name;
  const char *value;
} tmon_parameter;

typedef struct tmon_request {
  tmon_method method;
  bool head;     /* a GET whose body is not sent */
  bool old;      /* HTTP/1.0: knows no chunks */
  bool upgrade;  /* asks to become a WebSocket */
  uint16_t port; /* of the listener it came to */
  char peer[64]; /* address of the client */
  char path[TMON_REQUEST_PATH_BYTES];
  char host[256];
  char origin[300];
  char content_type[128];
  char authorization[300];
  char cookie[2048];
  char accept_encoding[256];
  char if_none_match[128];
  char fetch_site[32];
  size_t parameter_count;
  tmon_parameter parameters[TMON_REQUEST_PARAMETERS];
  size_t query_used;
  char query[TMON_REQUEST_QUERY_BYTES];
  const char *refused; /* not NULL: a part was over its limit or no text; names it */
  const char *body;    /* NUL after body_size */
  size_t body_size;
  size_t body_limit; /* of its route, once that is known; 0: the usual one */
  /* filled by the router */
  const struct tmon_route *route;
  tmon_right right; /* of the one who asks */
  char id[TMON_REQUEST_ID_BYTES];
  struct tmon_json *json; /* the body, an object */
} tmon_request;

/* Percent-decodes `raw` once into `out`; false: a bad escape, a NUL, a control character, bad UTF-8, or it does not fit. `plus`: '+' is a space. */
bool tmon_request_decode(char *out, size_t size, const char *raw, size_t length, bool plus);
/* Splits raw `query` (a=b&c=d) into parameters. Sets `refused` when that can't be done; then there are none. */
void tmon_request_set_query(tmon_request *request, const char *query, size_t length);
void tmon_request_set_path(tmon_request *request, const char *raw, size_t length);

/* The `index`-th value of a parameter, NULL when there is none. */
const char *tmon_request_parameter(const tmon_request *request, const char *name, size_t index);
/* Whole number within the bounds; absent gives `otherwise`. False: it is something else. */
bool tmon_request_int(const tmon_request *request, const char *name, int64_t low, int64_t high, int64_t otherwise, int64_t *out);
/* `limit`, from 1 to `most`, and with _page `offset` too. False: `response` says which is wrong. */
bool tmon_request_limit(const tmon_request *request, int64_t most, int64_t otherwise, int64_t *out, struct tmon_response *response);
bool tmon_request_page(const tmon_request *request, int64_t most, int64_t otherwise, int64_t *limit, int64_t *offset, struct tmon_response *response);
/* Copies the value of a cookie; false: there is none or it does not fit. */
bool tmon_request_cookie(const tmon_request *request, const char *name, char *out, size_t size);
bool tmon_request_is_json(const tmon_request *request); /* by its Content-Type */
bool tmon_request_accepts_gzip(const tmon_request *request);
#endif
