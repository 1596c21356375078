/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the tests of this room share: a scratch folder, statements in one line, children that end with a status. */
#ifndef TRAINMON_TEST_STORE_H
#define TRAINMON_TEST_STORE_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "store/driver.h"
#include "trainmon/error.h"
#include "util/file.h"
#include "unit/suite.h"

#include <check.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[64];

static inline void make_scratch(void) {
  snprintf(scratch, sizeof scratch, "/tmp/trainmon-store-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(scratch));
}

static inline void drop_scratch(void) {
  char command[120];
  snprintf(command, sizeof command, "rm -rf '%s'", scratch);
  ck_assert_int_eq(system(command), 0);
}

#define OK(call)                                                                                                                                          \
  do {                                                                                                                                                    \
    int ok_ = (call);                                                                                                                                     \
    ck_assert_msg(ok_ == TMON_OK, "%s: %s, %s", #call, tmon_error_name(ok_), tmon_error_message());                                                       \
  } while (0)
#define FAILS(code, call)                                                                                                                                 \
  do {                                                                                                                                                    \
    int got_ = (call);                                                                                                                                    \
    ck_assert_msg(got_ == (code), "%s: %s, expected %s", #call, tmon_error_name(got_), tmon_error_name(code));                                            \
  } while (0)

static inline tmon_db *open_db(void) {
  tmon_db *db = NULL;
  OK(tmon_db_open(&db, scratch, false, false, 5000000));
  return db;
}

/* Runs one statement in a transaction of its own. */
static inline int write_sql(tmon_db *db, const char *sql) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int result = tmon_tx_begin(&tx, db, true, -1);
  if (result) return result;
  result = tmon_tx_prepare(&row, tx, sql);
  if (!result) result = tmon_row_run(row);
  if (result) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
}

static inline double read_number(tmon_db *db, const char *sql) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  OK(tmon_tx_begin(&tx, db, false, -1));
  OK(tmon_tx_prepare(&row, tx, sql));
  OK(tmon_row_step(row));
  double value = tmon_row_double(row, 0);
  OK(tmon_tx_commit(tx));
  return value;
}

/* Through the sqlite3 shell, whatever stands in somebody's ~/.sqliterc: what it prints, without the last newline. */
static inline char *shell(const char *sql) {
  char command[4096];
  snprintf(command, sizeof command, "sqlite3 -init /dev/null -bail '%s/trainmon.db' \"%s\" 2>&1 </dev/null", scratch, sql);
  FILE *pipe = popen(command, "r");
  ck_assert_ptr_nonnull(pipe);
  static char text[1 << 16];
  size_t size = fread(text, 1, sizeof text - 1, pipe);
  text[size] = 0;
  pclose(pipe);
  while (size && text[size - 1] == '\n') text[--size] = 0;
  return text;
}

#endif
