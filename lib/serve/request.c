/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Taking a hostile request apart: query, path, cookies. Escapes are decoded exactly once, then the text is checked. */
#include "serve/request.h"

#include "serve/reply.h"
#include "util/text.h"

#include <string.h>
#include <strings.h>

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool tmon_request_decode(char *out, size_t size, const char *raw, size_t length, bool plus) {
  size_t used = 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char c = (unsigned char)raw[i];
    if (c == '%') {
      if (length - i < 3 || hex_digit(raw[i + 1]) < 0 || hex_digit(raw[i + 2]) < 0) {
        return false;
      }
      c = (unsigned char)(hex_digit(raw[i + 1]) * 16 + hex_digit(raw[i + 2]));
      i += 2;
    } else if (plus && c == '+') {
      c = ' ';
    }
    if (c < 0x20 || c == 0x7f || used + 1 >= size) {
      return false;
    }
    out[used++] = (char)c;
  }
  if (used >= size) {
    return false;
  }
  out[used] = '\0';
  return tmon_text_is_utf8(out, used);
}

/* Decodes one part into the query storage; NULL when it is no text or does not fit. */
static const char *keep(tmon_request *request, const char *raw, size_t length) {
  char *out = request->query + request->query_used;
  if (!tmon_request_decode(out, sizeof request->query - request->query_used, raw, length, true)) {
    return NULL;
  }
  request->query_used += strlen(out) + 1;
  return out;
}

void tmon_request_set_query(tmon_request *request, const char *query, size_t length) {
  request->parameter_count = 0;
  request->query_used = 0;
  const char *end = query + length;
  while (query < end) {
    const char *stop = memchr(query, '&', (size_t)(end - query));
    if (stop == NULL) {
      stop = end;
    }
    if (stop > query) {
      const char *equals = memchr(query, '=', (size_t)(stop - query));
      const char *name_end = equals != NULL ? equals : stop;
      const char *value = equals != NULL ? equals + 1 : stop;
      tmon_parameter parameter = {keep(request, query, (size_t)(name_end - query)), NULL};
      parameter.value = parameter.name != NULL ? keep(request, value, (size_t)(stop - value)) : NULL;
      if (parameter.value == NULL || request->parameter_count == TMON_REQUEST_PARAMETERS) {
        request->parameter_count = 0;
        request->refused = "query";
        return;
      }
      request->parameters[request->parameter_count++] = parameter;
    }
    query = stop < end ? stop + 1 : end;
  }
}

void tmon_request_set_path(tmon_request *request, const char *raw, size_t length) {
  if (!tmon_request_decode(request->path, sizeof request->path, raw, length, false) || request->path[0] != '/') {
    request->path[0] = '\0';
    request->refused = "path";
  }
}

const char *tmon_request_parameter(const tmon_request *request, const char *name, size_t index) {
  for (size_t i = 0; i < request->parameter_count; i++) {
    if (strcmp(request->parameters[i].name, name) == 0 && index-- == 0) {
      return request->parameters[i].value;
    }
  }
  return NULL;
}

bool tmon_request_int(const tmon_request *request, const char *name, int64_t low, int64_t high, int64_t otherwise, int64_t *out) {
  const char *text = tmon_request_parameter(request, name, 0);
  *out = otherwise;
  return text == NULL || (tmon_text_to_int(text, out) && *out >= low && *out <= high);
}

bool tmon_request_limit(const tmon_request *request, int64_t most, int64_t otherwise, int64_t *out, tmon_response *response) {
  if (tmon_request_int(request, "limit", 1, most, otherwise, out)) {
    return true;
  }
  tmon_reply_error(response, 400, NULL, "limit", "limit must be a whole number from 1 to %lld", (long long)most);
  return false;
}

bool tmon_request_page(const tmon_request *request, int64_t most, int64_t otherwise, int64_t *limit, int64_t *offset, tmon_response *response) {
  if (!tmon_request_limit(request, most, otherwise, limit, response)) {
    return false;
  }
  if (!tmon_request_int(request, "offset", 0, INT64_MAX, 0, offset)) {
    tmon_reply_error(response, 400, NULL, "offset", "offset must be a whole number, 0 or more");
    return false;
  }
  return true;
}

bool tmon_request_cookie(const tmon_request *request, const char *name, char *out, size_t size) {
  size_t name_length = strlen(name);
  const char *at = request->cookie;
  while (*at != '\0') {
    at += strspn(at, "; \t");
    size_t length = strcspn(at, ";");
    if (length > name_length && strncmp(at, name, name_length) == 0 && at[name_length] == '=') {
      size_t value = length - name_length - 1;
      if (value >= size) {
        return false;
      }
      memcpy(out, at + name_length + 1, value);
      out[value] = '\0';
      return true;
    }
    at += length;
  }
  return false;
}

bool tmon_request_is_json(const tmon_request *request) {
  static const char type[] = "application/json";
  if (strncasecmp(request->content_type, type, sizeof type - 1) != 0) {
    return false;
  }
  const char *rest = request->content_type + sizeof type - 1;
  rest += strspn(rest, " \t");
  return *rest == '\0' || *rest == ';';
}

bool tmon_request_accepts_gzip(const tmon_request *request) {
  const char *at = request->accept_encoding;
  while (*at != '\0') {
    at += strspn(at, ", \t");
    size_t length = strcspn(at, ",");
    if (length >= 4 && strncasecmp(at, "gzip", 4) == 0 && (length == 4 || at[4] == ';' || at[4] == ' ')) {
      /* "gzip;q=0" and "gzip;q=0.0" say no */
      const char *weight = memchr(at, '=', length);
      return weight == NULL || strspn(weight + 1, "0.") < length - (size_t)(weight + 1 - at);
    }
    at += length;
  }
  return false;
}
