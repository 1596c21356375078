/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What a client of the live stream asked for: sessions, and rows of tables that pass a filter. */
#ifndef TRAINMON_SERVE_SUBSCRIPTION_H
#define TRAINMON_SERVE_SUBSCRIPTION_H
#include "util/json.h"

#include <stdbool.h>
#include <stddef.h>

enum { TMON_SUBSCRIPTION_IDS = 1000, TMON_WISHES = 64, TMON_WISH_VALUES = 100, TMON_WISH_BYTES = 8192 };

typedef enum tmon_wish_test {
  TMON_WISH_ALL,
  TMON_WISH_EQ,
  TMON_WISH_NEQ,
  TMON_WISH_GT,
  TMON_WISH_GTE,
  TMON_WISH_LT,
  TMON_WISH_LTE,
  TMON_WISH_IN
} tmon_wish_test;

/* Rows of one table. */
typedef struct tmon_wish {
  char table[32];
  char event[8];      /* empty: any */
  const char *column; /* static */
  tmon_wish_test test;
  size_t count; /* of values */
  char *text;   /* the values, each with its NUL */
} tmon_wish;

/* All zero is: all sessions, no table. */
typedef struct tmon_subscription {
  bool sessions_said; /* else the message leaves them as they are */
  bool chosen;        /* only the sessions in `ids` */
  char (*ids)[37];
  size_t id_count;
  bool tables_said;
  tmon_wish *wishes;
  size_t wish_count;
} tmon_subscription;

/* NOT_ONE: a message of another kind, or one whose sessions are no list of ids: left for later versions. WRONG: tmon_error_… says what and where. */
typedef enum tmon_subscription_kind { TMON_SUBSCRIPTION_NOT_ONE, TMON_SUBSCRIPTION_GOOD, TMON_SUBSCRIPTION_WRONG } tmon_subscription_kind;

/* `out` is to be freed where it is GOOD, and empty else. */
tmon_subscription_kind tmon_subscription_read(tmon_subscription *out, const char *text, size_t size);
/* Takes over what `said` says and frees what it replaces; `said` is empty afterwards. */
void tmon_subscription_merge(tmon_subscription *into, tmon_subscription *said);
void tmon_subscription_free(tmon_subscription *subscription);

bool tmon_subscription_wants_session(const tmon_subscription *subscription, const char *id);
bool tmon_subscription_wants_table(const tmon_subscription *subscription, const char *table);
/* `row`: what is known of it. A filter on a column that is not known lets it pass. */
bool tmon_subscription_wants_row(const tmon_subscription *subscription, const char *table, const char *event, const tmon_json *row);
#endif
