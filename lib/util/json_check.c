/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Strict check of JSON text (RFC 8259). It runs before cJSON, which takes more than JSON, reports out of memory and bad text alike, and
 * keeps the place of an error in a global. After it a failing cJSON can only mean that there is no memory. */
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#include <string.h>

enum { DEPTH_MAXIMUM = 64, NUMBER_BYTES_MAXIMUM = 63 /* cJSON's own buffer for a number */ };

typedef struct scanner {
  const char *text;
  size_t length;
  size_t at;
  uint64_t is_object; /* a bit for each open bracket, the innermost lowest */
  int depth;
  const char *problem;
} scanner;

static bool fail(scanner *scan, const char *problem) {
  if (!scan->problem) scan->problem = problem;
  return false;
}

/* The next byte, -1 at the end. */
static int peek(const scanner *scan) { return scan->at < scan->length ? (unsigned char)scan->text[scan->at] : -1; }

static void skip_space(scanner *scan) {
  for (int byte = peek(scan); byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r'; byte = peek(scan)) scan->at++;
}

static size_t skip_digits(scanner *scan) {
  size_t start = scan->at;
  while (peek(scan) >= '0' && peek(scan) <= '9') scan->at++;
  return scan->at - start;
}

static bool scan_number(scanner *scan) {
  size_t start = scan->at;
  if (peek(scan) == '-') scan->at++;
  bool zero = peek(scan) == '0';
  size_t digits = skip_digits(scan);
  if (!digits || (zero && digits > 1)) return fail(scan, "malformed number");
  if (peek(scan) == '.') {
    scan->at++;
    if (!skip_digits(scan)) return fail(scan, "malformed number");
  }
  if (peek(scan) == 'e' || peek(scan) == 'E') {
    scan->at++;
    if (peek(scan) == '+' || peek(scan) == '-') scan->at++;
    if (!skip_digits(scan)) return fail(scan, "malformed number");
  }
  return scan->at - start <= NUMBER_BYTES_MAXIMUM || fail(scan, "number of more than 63 characters");
}

/* Four hexadecimal digits, -1 when there are none. */
static int scan_hex(scanner *scan) {
  int value = 0;
  for (int i = 0; i < 4; i++, scan->at++) {
    int byte = peek(scan);
    if (byte >= '0' && byte <= '9') value = value * 16 + byte - '0';
    else if ((byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F')) value = value * 16 + (byte | 0x20) - 'a' + 10;
    else return -1;
  }
  return value;
}

static bool scan_escape(scanner *scan) {
  int byte = peek(scan);
  if (byte <= 0 || !strchr("\"\\/bfnrtu", byte)) return fail(scan, "unknown escape");
  scan->at++;
  if (byte != 'u') return true;
  int unit = scan_hex(scan);
  if (unit < 0) return fail(scan, "malformed \\u escape");
  /* A NUL would end the text early for every reader of C strings. */
  if (unit == 0) return fail(scan, "\\u0000 in text");
  if (unit < 0xd800 || unit > 0xdfff) return true;
  if (unit > 0xdbff || peek(scan) != '\\') return fail(scan, "half of a surrogate pair");
  scan->at++;
  if (peek(scan) != 'u') return fail(scan, "half of a surrogate pair");
  scan->at++;
  unit = scan_hex(scan);
  return (unit >= 0xdc00 && unit <= 0xdfff) || fail(scan, "half of a surrogate pair");
}

static bool scan_text(scanner *scan) {
  if (peek(scan) != '"') return fail(scan, "text in quotes expected");
  scan->at++;
  for (;;) {
    int byte = peek(scan);
    if (byte < 0) return fail(scan, "text without a closing quote");
    if (byte == '"') {
      scan->at++;
      return true;
    }
    if (byte < 0x20) return fail(scan, "control character in text");
    if (byte == '\\') {
      scan->at++;
      if (!scan_escape(scan)) return false;
      continue;
    }
    uint32_t codepoint;
    size_t size = tmon_text_next(&codepoint, scan->text + scan->at, scan->length - scan->at);
    if (!size) return fail(scan, "text is not UTF-8");
    scan->at += size;
  }
}

static bool scan_word(scanner *scan, const char *word) {
  size_t length = strlen(word);
  if (scan->length - scan->at < length || memcmp(scan->text + scan->at, word, length) != 0) return fail(scan, "value expected");
  scan->at += length;
  return true;
}

static bool scan_key(scanner *scan) {
  skip_space(scan);
  if (!scan_text(scan)) return false;
  skip_space(scan);
  if (peek(scan) != ':') return fail(scan, "':' expected");
  scan->at++;
  return true;
}

/* Enters an object or array; `*closed` when it ends at once. */
static bool scan_open(scanner *scan, bool object, bool *closed) {
  scan->at++;
  skip_space(scan);
  *closed = peek(scan) == (object ? '}' : ']');
  if (scan->depth == DEPTH_MAXIMUM) {
    scan->at--;
    return fail(scan, "nested deeper than 64");
  }
  if (*closed) {
    scan->at++;
    return true;
  }
  scan->depth++;
  scan->is_object = scan->is_object << 1 | (object ? 1u : 0u);
  return !object || scan_key(scan);
}

/* Scans one value, or the opening of one; `*complete` when it stands as a whole. */
static bool scan_value(scanner *scan, bool *complete) {
  skip_space(scan);
  *complete = true;
  switch (peek(scan)) {
  case '{': return scan_open(scan, true, complete);
  case '[': return scan_open(scan, false, complete);
  case '"': return scan_text(scan);
  case 't': return scan_word(scan, "true");
  case 'f': return scan_word(scan, "false");
  case 'n': return scan_word(scan, "null");
  case '-':
  case '0':
  case '1':
  case '2':
  case '3':
  case '4':
  case '5':
  case '6':
  case '7':
  case '8':
  case '9': return scan_number(scan);
  default: return fail(scan, "value expected");
  }
}

/* After a value: closes what ends here and steps over a comma. `*more` when a value follows. */
static bool scan_after(scanner *scan, bool *more) {
  *more = false;
  for (;;) {
    skip_space(scan);
    if (!scan->depth) return true;
    bool object = scan->is_object & 1;
    int byte = peek(scan);
    if (byte == ',') {
      scan->at++;
      *more = true;
      return !object || scan_key(scan);
    }
    if (byte != (object ? '}' : ']')) return fail(scan, object ? "',' or '}' expected" : "',' or ']' expected");
    scan->at++;
    scan->depth--;
    scan->is_object >>= 1;
  }
}

int tmon_json_check(const char *text, size_t length) {
  if (!text) return tmon_error_set(TMON_EINVAL, "no JSON text");
  scanner scan = {.text = text, .length = length};
  bool more = true;
  while (more && !scan.problem) {
    bool complete;
    if (scan_value(&scan, &complete) && complete) (void)scan_after(&scan, &more);
  }
  if (!scan.problem && scan.at < length) (void)fail(&scan, "more text after the value");
  if (scan.problem) return tmon_error_set(TMON_EINVAL, "not JSON: %s at byte %zu", scan.problem, scan.at);
  return TMON_OK;
}
