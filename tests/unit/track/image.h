/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the tests of pictures share: a small GIF, the rows and the files as others see them. */
#ifndef TRAINMON_TESTS_TRACK_IMAGE_H
#define TRAINMON_TESTS_TRACK_IMAGE_H
#include "unit/track/help.h"

#include <sqlite3.h>

/* 2 x 1 pixels, encoded; `number` makes contents differ behind the header. */
static const char gif[] = "GIF89a\x02\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x02\0\x01\0\0\x02\x02\x0c\x0a\0;";
static inline tmon_image encoded(char out[64], const char *name, int number) {
  memcpy(out, gif, sizeof gif - 1);
  (void)snprintf(out + sizeof gif - 1, 64 - sizeof gif, "%08d", number);
  return (tmon_image){.size = sizeof(tmon_image), .name = name, .step = number, .epoch = -1, .data = out, .bytes = sizeof gif + 7};
}

static inline void make_rest(char id[40], tmon_store *store) {
  tmon_record_change change = {.size = sizeof change, .name = "rest"};
  ok(tmon_record_create(id, store, &change));
}

static inline void run_sql(const char *sql) {
  char path[400];
  sqlite3 *handle = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open(path, &handle), SQLITE_OK);
  (void)sqlite3_busy_timeout(handle, 60000);
  ck_assert_int_eq(sqlite3_exec(handle, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
  ck_assert_msg(sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(handle));
  sqlite3_close(handle);
}

static inline int64_t ask_sql(const char *sql) {
  char path[400];
  sqlite3 *handle = NULL;
  sqlite3_stmt *row = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", test_folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  (void)sqlite3_busy_timeout(handle, 60000);
  ck_assert_int_eq(sqlite3_prepare_v2(handle, sql, -1, &row, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_step(row), SQLITE_ROW);
  int64_t value = sqlite3_column_int64(row, 0);
  sqlite3_finalize(row);
  sqlite3_close(handle);
  return value;
}

/* Files below media/; those that are no whole content under its own hash are counted in `odd`. */
static inline size_t count_files(size_t *odd) {
  char command[600];
  unsigned long files = 0;
  *odd = 0;
  (void)snprintf(command, sizeof command, "cd '%s/media' 2>/dev/null && find . -type f -exec sha256sum {} +", test_folder);
  FILE *listing = popen(command, "r");
  char line[400];
  while (listing && fgets(line, sizeof line, listing)) {
    files++;
    line[strcspn(line, "\n")] = 0;
    const char *name = strrchr(line, '/');
    if (!name || strlen(name + 1) != 64 || memcmp(line, name + 1, 64) != 0) ++*odd;
  }
  (void)pclose(listing);
  return files;
}

static inline void clean_up(tmon_store *store) {
  char command[600];
  tmon_store_free(store);
  (void)snprintf(command, sizeof command, "chmod -R u+rwx '%s' && rm -rf '%s/media'", test_folder, test_folder);
  ck_assert_int_eq(system(command), 0);
}

static inline char *list(tmon_store *store, const char *id, const char *name) {
  char *text = NULL;
  tmon_image_filter filter = {.size = sizeof filter, .session_id = id, .name = name, .limit = 100};
  ok(tmon_image_list_json(&text, store, &filter));
  return text;
}

/* Not inlined: gcc 12 then takes the text for the pointer to it. */
__attribute__((noinline, unused)) static void hash_of(char hash[65], const char *text) {
  const char *at = strstr(text, "\"hash\":\"");
  ck_assert_ptr_nonnull(at);
  memcpy(hash, at + 8, 64);
  hash[64] = 0;
}
#endif
