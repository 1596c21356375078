/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Replies and their fixed headers. */
#include "serve/reply.h"

#include "trainmon/error.h"
#include "util/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define POLICY                                                                                                                                            \
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; "                            \
  "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors"

const char *const tmon_reply_headers[] = {
    "content-security-policy:",
    POLICY " 'none'",
    "x-content-type-options:",
    "nosniff",
    "x-frame-options:",
    "DENY",
    "referrer-policy:",
    "no-referrer",
    "cross-origin-resource-policy:",
    "same-origin",
    "cross-origin-opener-policy:",
    "same-origin",
    NULL,
};

const char *tmon_reply_header(const tmon_response *response, size_t index) {
  if (response->policy != NULL && strcmp(tmon_reply_headers[index], "content-security-policy:") == 0) {
    return response->policy;
  }
  /* X-Frame-Options can't name who may, and in old browsers it would win over the policy. */
  bool left_out = response->policy != NULL && strcmp(tmon_reply_headers[index], "x-frame-options:") == 0;
  return left_out ? NULL : tmon_reply_headers[index + 1];
}

int tmon_reply_frame_policy(char **out, const char *const *origins, size_t count) {
  tmon_buffer text;
  tmon_buffer_init(&text, TMON_REPLY_POLICY_BYTES);
  (void)tmon_buffer_append_text(&text, POLICY);
  for (size_t i = 0; i < count; i++) {
    (void)tmon_buffer_append_format(&text, " %s", origins[i]);
  }
  *out = tmon_buffer_take(&text);
  tmon_buffer_free(&text);
  return *out != NULL ? TMON_OK : tmon_error_no_memory();
}

void tmon_response_init(tmon_response *response) {
  memset(response, 0, sizeof *response);
  response->status = 500;
  response->content_type = "application/json; charset=utf-8";
  tmon_buffer_init(&response->body, TMON_REPLY_MAXIMUM);
}

static void drop_work(tmon_response *response) {
  tmon_work work = response->work;
  response->work = (tmon_work){0};
  if (work.drop != NULL) {
    work.drop(work.state);
  }
}

void tmon_response_free(tmon_response *response) {
  drop_work(response);
  tmon_buffer_free(&response->body);
}

void tmon_response_work(tmon_response *response) {
  response->work.left = response->work.step(response->work.state, response);
  if (response->work.left == 0) {
    drop_work(response);
  }
}

void tmon_response_header(tmon_response *response, const char *name, const char *value) {
  if (response->header_count == TMON_RESPONSE_HEADERS || strlen(value) >= sizeof response->headers[0].value) {
    return;
  }
  tmon_header *header = &response->headers[response->header_count++];
  header->name = name;
  memcpy(header->value, value, strlen(value) + 1);
}

/* A tag, leave to keep it and a file name belong to what was asked for, not to the error that came instead. */
static void drop_tag(tmon_response *response) {
  size_t kept = 0;
  for (size_t i = 0; i < response->header_count; i++) {
    if (strcmp(response->headers[i].name, "etag:") != 0 && strcmp(response->headers[i].name, "cache-control:") != 0 &&
        strcmp(response->headers[i].name, "content-disposition:") != 0) {
      response->headers[kept++] = response->headers[i];
    }
  }
  response->header_count = kept;
}

static tmon_json_writer *start(tmon_response *response, unsigned status, bool success) {
  if (!success) {
    drop_tag(response);
  }
  response->status = status;
  response->kind = TMON_RESPONSE_BODY;
  response->content_type = success ? response->content_type : "application/json; charset=utf-8";
  response->fixed = NULL;
  tmon_buffer_clear(&response->body);
  tmon_json_begin(&response->json, &response->body);
  tmon_json_open(&response->json, NULL, '{');
  tmon_json_put_bool(&response->json, "success", success);
  return &response->json;
}

tmon_json_writer *tmon_reply_begin(tmon_response *response, unsigned status) { return start(response, status, true); }

void tmon_reply_end(tmon_response *response) {
  static const char failed[] = "{\"success\":false,\"error\":{\"code\":\"no_memory\",\"message\":\"the reply could not be built\",\"field\":null}}";
  tmon_json_close(&response->json, '}');
  if (response->body.error != TMON_OK) {
    drop_tag(response);
    response->status = 500;
    response->fixed = failed;
    response->fixed_size = sizeof failed - 1;
  }
}

static const char *code_of(unsigned status) {
  switch (status) {
  case 400: return "bad_value";
  case 401: return "no_token";
  case 403: return "forbidden";
  case 404: return "not_found";
  case 405: return "method_not_allowed";
  case 409: return "conflict";
  case 413: return "too_large";
  case 415: return "not_json";
  case 429: return "too_many_requests";
  case 503: return "busy";
  case 507: return "full";
  default: return "failed";
  }
}

tmon_json_writer *tmon_reply_error_begin(tmon_response *response, unsigned status, const char *code, const char *field, const char *message) {
  tmon_json_writer *json = start(response, status, false);
  tmon_json_open(json, "error", '{');
  tmon_json_put_text(json, "code", code != NULL ? code : code_of(status));
  tmon_json_put_text(json, "message", message);
  tmon_json_put_text(json, "field", field);
  return json;
}

void tmon_reply_error_end(tmon_response *response) {
  tmon_json_close(&response->json, '}');
  tmon_reply_end(response);
}

void tmon_reply_error(tmon_response *response, unsigned status, const char *code, const char *field, const char *format, ...) {
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  (void)tmon_reply_error_begin(response, status, code, field, message);
  tmon_reply_error_end(response);
}

void tmon_reply_failure(tmon_response *response, int error, const char *field) {
  unsigned status = 500;
  switch (error) {
  case TMON_EINVAL:
  case TMON_ELIMIT: status = 400; break;
  case TMON_ENOTFOUND: status = 404; break;
  case TMON_EEXISTS:
  case TMON_ESTATE: status = 409; break;
  case TMON_EREADONLY:
  case TMON_EACCESS: status = 403; break;
  case TMON_EBUSY:
  case TMON_ENOMEM: status = 503; break;
  case TMON_EFULL: status = 507; break;
  default: break;
  }
  const char *message = tmon_error_message();
  if (field == NULL) field = tmon_error_field();
  tmon_reply_error(response, status, error == TMON_EREADONLY ? "read_only" : NULL, field, "%s", message[0] != '\0' ? message : tmon_error_name(error));
}
