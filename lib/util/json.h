/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* JSON: reading through cJSON (json_read.c is the only file that sees it), writing straight into a buffer. */
#ifndef TRAINMON_UTIL_JSON_H
#define TRAINMON_UTIL_JSON_H
#include "buffer.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading. Values are borrowed from the document. NULL values are fine everywhere and read as absent. */
typedef struct tmon_json tmon_json;
int tmon_json_parse(tmon_json **out, const char *text, size_t length); /* whole text; depth at most 64; TMON_EINVAL with the byte offset */
void tmon_json_free(tmon_json *document);
typedef enum { TMON_JSON_ABSENT, TMON_JSON_NULL, TMON_JSON_BOOL, TMON_JSON_NUMBER, TMON_JSON_TEXT, TMON_JSON_ARRAY, TMON_JSON_OBJECT } tmon_json_kind;
tmon_json_kind tmon_json_type(const tmon_json *value);
const tmon_json *tmon_json_get(const tmon_json *object, const char *key);
const tmon_json *tmon_json_first(const tmon_json *container); /* iterate members or items */
const tmon_json *tmon_json_next(const tmon_json *item);
const char *tmon_json_key(const tmon_json *item);
const char *tmon_json_text(const tmon_json *value); /* NULL unless text */
double tmon_json_number(const tmon_json *value, double otherwise);
bool tmon_json_int(const tmon_json *value, int64_t *out); /* false unless a whole number within 2^53 */
bool tmon_json_bool(const tmon_json *value, bool otherwise);
char *tmon_json_print(const tmon_json *value);        /* compact text, tmon_free; NULL: no memory */
int tmon_json_check(const char *text, size_t length); /* strict RFC 8259, what tmon_json_parse accepts; makes nothing */
int tmon_json_check_names(const tmon_json *value);    /* json_keys.c: TMON_EINVAL with the field when a name is said twice or it is deeper than 32 */
/* json_merge.c: the members of `below` that `above` does not have, then those of `above`, which is an object; `below` may be anything. tmon_free. TMON_ELIMIT */
int tmon_json_merge(char **out, const char *below, const char *above, size_t maximum);
/* Called by tmon_allocator_set alone: cJSON's hooks belong to the whole process, so they are touched only when the host set an allocator. */
void tmon_json_allocator_changed(bool custom);

/* Writing. Commas are placed by the writer; errors stick in the buffer. `key` is NULL inside arrays and at the top. */
typedef struct tmon_json_writer {
  tmon_buffer *out;
  bool comma;
} tmon_json_writer;
void tmon_json_begin(tmon_json_writer *writer, tmon_buffer *out);
void tmon_json_open(tmon_json_writer *writer, const char *key, char bracket);         /* '{' or '[' */
void tmon_json_close(tmon_json_writer *writer, char bracket);                         /* '}' or ']' */
void tmon_json_put_text(tmon_json_writer *writer, const char *key, const char *text); /* NULL text: null; bad UTF-8 becomes U+FFFD */
void tmon_json_put_int(tmon_json_writer *writer, const char *key, int64_t value);
void tmon_json_put_double(tmon_json_writer *writer, const char *key, double value); /* shortest of %.15g, %.17g that reads back; null when not finite */
void tmon_json_put_bool(tmon_json_writer *writer, const char *key, bool value);
void tmon_json_put_null(tmon_json_writer *writer, const char *key);
void tmon_json_put_raw(tmon_json_writer *writer, const char *key, const char *json); /* text that is JSON already; NULL: null */
#endif
