/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Writing JSON straight into a buffer. */
#include "util/json.h"
#include "util/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void tmon_json_begin(tmon_json_writer *writer, tmon_buffer *out) {
  writer->out = out;
  writer->comma = false;
}

/* The escape of an ASCII character that may not stand in text as it is; NULL when it may. */
static const char *escape_of(unsigned char byte, char numbered[7]) {
  static const char digits[] = "0123456789abcdef";
  switch (byte) {
  case '"': return "\\\"";
  case '\\': return "\\\\";
  case '\n': return "\\n";
  case '\r': return "\\r";
  case '\t': return "\\t";
  case '\b': return "\\b";
  case '\f': return "\\f";
  default: break;
  }
  if (byte >= 0x20) return NULL;
  memcpy(numbered, "\\u00", 4);
  numbered[4] = digits[byte >> 4];
  numbered[5] = digits[byte & 15];
  numbered[6] = 0;
  return numbered;
}

static void put_quoted(tmon_buffer *out, const char *text) {
  size_t left = strlen(text);
  tmon_buffer_append(out, "\"", 1);
  const char *plain = text; /* start of the run that needs no escape; copied in one piece */
  while (left) {
    uint32_t codepoint;
    char numbered[7];
    size_t size = tmon_text_next(&codepoint, text, left);
    const char *instead = size ? (size == 1 ? escape_of((unsigned char)*text, numbered) : NULL) : "\xef\xbf\xbd";
    if (!size) size = 1;
    if (instead) {
      tmon_buffer_append(out, plain, (size_t)(text - plain));
      tmon_buffer_append_text(out, instead);
      plain = text + size;
    }
    text += size;
    left -= size;
  }
  tmon_buffer_append(out, plain, (size_t)(text - plain));
  tmon_buffer_append(out, "\"", 1);
}

static void put_prefix(tmon_json_writer *writer, const char *key) {
  if (writer->comma) tmon_buffer_append(writer->out, ",", 1);
  writer->comma = true;
  if (key) {
    put_quoted(writer->out, key);
    tmon_buffer_append(writer->out, ":", 1);
  }
}

void tmon_json_open(tmon_json_writer *writer, const char *key, char bracket) {
  put_prefix(writer, key);
  tmon_buffer_append(writer->out, &bracket, 1);
  writer->comma = false;
}

void tmon_json_close(tmon_json_writer *writer, char bracket) {
  tmon_buffer_append(writer->out, &bracket, 1);
  writer->comma = true;
}

void tmon_json_put_text(tmon_json_writer *writer, const char *key, const char *text) {
  if (!text) {
    tmon_json_put_null(writer, key);
    return;
  }
  put_prefix(writer, key);
  put_quoted(writer->out, text);
}

void tmon_json_put_int(tmon_json_writer *writer, const char *key, int64_t value) {
  put_prefix(writer, key);
  tmon_buffer_append_format(writer->out, "%" PRId64, value);
}

void tmon_json_put_double(tmon_json_writer *writer, const char *key, double value) {
  if (!isfinite(value)) {
    tmon_json_put_null(writer, key);
    return;
  }
  char text[TMON_DOUBLE_BYTES];
  tmon_text_from_double(text, value);
  tmon_json_put_raw(writer, key, text);
}

void tmon_json_put_bool(tmon_json_writer *writer, const char *key, bool value) { tmon_json_put_raw(writer, key, value ? "true" : "false"); }

void tmon_json_put_null(tmon_json_writer *writer, const char *key) { tmon_json_put_raw(writer, key, "null"); }

void tmon_json_put_raw(tmon_json_writer *writer, const char *key, const char *json) {
  put_prefix(writer, key);
  tmon_buffer_append_text(writer->out, json ? json : "null");
}
