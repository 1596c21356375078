/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One description a kind of result: its columns and statements. Everything that comes in or goes out is checked and named by it. */
#ifndef TRAINMON_TRACK_RESULT_TABLE_H
#define TRAINMON_TRACK_RESULT_TABLE_H
#include "track/track.h"
#include "util/json.h"

#define TMON_EXTRA_MAXIMUM (64u << 10)
#define TMON_RESULT_COLUMNS 24
#define TMON_MEMBERS_MAXIMUM 256 /* of an object that is a row: duplicates are looked for pair by pair */

typedef enum tmon_column_type {
  TMON_COLUMN_TEXT,   /* up to `high` bytes */
  TMON_COLUMN_NAME,   /* 1..250 bytes without control characters */
  TMON_COLUMN_WORD,   /* one of `words` */
  TMON_COLUMN_ID,     /* of a session */
  TMON_COLUMN_TIME,   /* ISO 8601, kept in the store's form */
  TMON_COLUMN_INT,    /* whole, within low..high */
  TMON_COLUMN_REAL,   /* finite, within low..high */
  TMON_COLUMN_OBJECT, /* kept as JSON text */
  TMON_COLUMN_TEXTS,  /* array of up to 1,000 names, kept as JSON text */
  TMON_COLUMN_OTHER   /* the kind reads it itself */
} tmon_column_type;

typedef struct tmon_result_column {
  const char *name; /* in JSON and in SQL */
  tmon_column_type type;
  bool required;
  double low;
  double high;
  const char *alias; /* another name that is taken in JSON, or NULL */
  const char *const *words;
} tmon_result_column;

typedef struct tmon_result_table {
  const char *plural;
  const char *singular;
  const tmon_result_column *columns;
  size_t column_count;
  unsigned filters;   /* TMON_FILTER_…: those it has */
  bool updated;       /* has updated_at */
  const char *insert; /* ?1… are the columns in their order, then extra; gives the id */
  /* The columns are id, those of the table, extra, created_at and, where there is one, updated_at. Parameters: enum below. NULL: not with this kind. */
  const char *select_id;
  const char *select_epoch;
  const char *select_session;
  const char *select_named;
  const char *select_all;
} tmon_result_table;

enum { TMON_BY_KEY = 1, TMON_BY_EPOCH, TMON_BY_SPLIT, TMON_BY_CLASS, TMON_BY_NAME, TMON_BY_SESSION, TMON_BY_LIMIT, TMON_BY_OFFSET };
enum { TMON_FILTER_SESSION = 1, TMON_FILTER_EPOCH = 2, TMON_FILTER_CLASS = 4, TMON_FILTER_EXPERIMENT = 8, TMON_FILTER_NAME = 16, TMON_FILTER_MATRIX = 32 };

const tmon_result_table *tmon_result_table_of(tmon_result_kind kind); /* NULL and TMON_EINVAL set: no such kind */

typedef struct tmon_result_value {
  bool given;
  int64_t integer;
  double real;
  const char *text; /* borrowed from the document, or `owned` */
  char *owned;
} tmon_result_value;

/* A row that was read: `values` beside the table's columns. */
typedef struct tmon_result_row {
  tmon_result_value values[TMON_RESULT_COLUMNS];
  tmon_buffer extra; /* a JSON object's text */
} tmon_result_row;

void tmon_result_row_init(tmon_result_row *row);
void tmon_result_row_free(tmon_result_row *row);
/* Reads the members of an object; may be called again to lay another object over it. `where` precedes names in errors, such as "results[3].". */
int tmon_result_row_read(tmon_result_row *row, const tmon_result_table *table, const tmon_json *object, const char *where);
int tmon_result_row_complete(tmon_result_row *row, const tmon_result_table *table, const char *where); /* nothing required is missing; ends `extra` */
int tmon_result_row_write(int64_t *id, tmon_tx *tx, const tmon_result_table *table, const tmon_result_row *row);
int tmon_result_column_of(const tmon_result_table *table, const char *name);               /* -1: none */
int tmon_result_check_members(const tmon_json *object, size_t maximum, const char *where); /* not too many, none twice */

/* Writes the members of a selected row, without brackets. */
void tmon_result_put(tmon_json_writer *json, const tmon_result_table *table, tmon_row *row);
#endif
