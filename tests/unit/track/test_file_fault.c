/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Making a store, a session and a file at once, with each system call failing: an error, and everything works afterwards. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/fault_files.h"
#include "unit/track/help.h"

#include "util/file.h"

static const int numbers[] = {ENOSPC, EMFILE, EACCES, EIO};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

static size_t count_open(void) {
  size_t count = 0;
  DIR *all = opendir("/proc/self/fd");
  while (all && readdir(all)) count++;
  if (all) (void)closedir(all);
  return count;
}

/* Makes a store in a new folder, a session with a point, ends both. `made` receives whether the point was taken. */
static int live_once(const char *folder, char id[40], bool *made) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_metric metric = 0;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder, .lock_timeout_ms = 200};
  tmon_session_options how = {.size = sizeof how, .no_drainer = true, .ring_bytes = 256 << 10};
  *made = false;
  int result = tmon_store_open(&store, folder, &options);
  ck_assert((result == TMON_OK) == (store != NULL));
  if (result == TMON_OK) {
    result = tmon_session_start(&session, store, &how);
    ck_assert((result == TMON_OK) == (session != NULL));
  }
  if (result == TMON_OK) {
    (void)snprintf(id, 40, "%s", tmon_session_id(session));
    ok(tmon_session_metric(&metric, session, "m", NULL));
    ok(tmon_log(session, metric, 1, 1));
    *made = true;
    result = tmon_session_flush(session);
  }
  tmon_session_free(session);
  tmon_store_free(store);
  return result;
}

static bool is_long(void) {
  const char *text = getenv("LONG");
  return text && *text == '1';
}

START_TEST(a_store_is_made) {
  int number = numbers[_i / 2];
  bool persistent = _i % 2;
  size_t runs = 0;
  char folder[300];
  size_t step = is_long() ? 1 : persistent ? 9 : 3;
  for (size_t at = 1;; at += step) {
    char id[40] = "";
    bool made = false;
    (void)snprintf(folder, sizeof folder, "%s/%zu", test_folder, at);
    size_t before = count_open();
    fault_files_arm(at, persistent, number);
    int result = live_once(folder, id, &made);
    char text[300];
    (void)tmon_error_copy(text, sizeof text);
    size_t failed = fault_files_disarm();
    ck_assert_uint_eq(count_open(), before);
    if (!failed) ck_assert_msg(result == TMON_OK, "%s without a failure: %s", tmon_error_name(result), text);
    ck_assert_msg(result <= 0 && (result == TMON_OK || text[0]), "call %zu, errno %d: %d %s", at, number, result, text);
    ck_assert_msg(
        result != TMON_EINVAL && result != TMON_ECORRUPT && result != TMON_ESTATE, "call %zu, errno %d: %s %s", at, number, tmon_error_name(result), text);
    /* The same folder works now, and what was logged is there. */
    char other[40];
    bool again = false;
    result = live_once(folder, other, &again);
    ck_assert_msg(result == TMON_OK && again, "call %zu, errno %d: afterwards %s %s", at, number, tmon_error_name(result), tmon_error_message());
    tmon_store *store = NULL;
    ok(tmon_store_open(&store, folder, NULL));
    if (made) ck_assert_uint_eq(test_count(store, id, "m", false), 1);
    ck_assert_uint_eq(test_count(store, other, "m", false), 1);
    tmon_store_free(store);
    test_remove(folder);
    if (!failed) break;
    runs++;
    ck_assert_uint_lt(runs, 3000);
  }
  ck_assert_uint_gt(runs, 3);
  if (getenv("SHOW")) fprintf(stderr, "errno %d: %zu\n", number, runs);
}
END_TEST

/* As a token file is written: the old content or the new one, never a part, and no draft left. */
START_TEST(a_file_is_replaced_at_once) {
  static const int all[] = {ENOSPC, EMFILE, EACCES, EIO, EINTR};
  int number = all[_i / 2];
  bool persistent = _i % 2;
  char path[300];
  size_t runs = 0;
  if (number == EINTR && persistent) return;
  (void)snprintf(path, sizeof path, "%s/token", test_folder);
  ok(tmon_file_write_atomic(path, "old", 3, 0600));
  for (size_t at = 1;; at++) {
    char *content = NULL;
    size_t size = 0;
    size_t before = count_open();
    fault_files_arm(at, persistent, number);
    int result = tmon_file_write_atomic(path, "brand new", 9, 0600);
    size_t failed = fault_files_disarm();
    ck_assert_uint_eq(count_open(), before);
    ok(tmon_file_read(&content, &size, path, 100));
    ck_assert_str_eq(content, result == TMON_OK ? "brand new" : "old");
    tmon_text_free(content);
    ck_assert(result <= 0 && (result == TMON_OK || tmon_error_message()[0]));
    fault_files_arm(at, persistent, number);
    result = tmon_file_read(&content, &size, path, 100);
    (void)fault_files_disarm();
    ck_assert((result == TMON_OK) == (content != NULL));
    tmon_text_free(content);
    size_t files = 0;
    DIR *folder = opendir(test_folder);
    while (folder && readdir(folder)) files++;
    (void)closedir(folder);
    ck_assert_uint_eq(files, 3); /* with "." and ".." */
    ok(tmon_file_write_atomic(path, "old", 3, 0600));
    if (!failed) break;
    runs++;
  }
  ck_assert_uint_gt(runs, 2);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("files");
  if (!getenv("TMPDIR") && access("/dev/shm", W_OK | X_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 1);
  tcase_add_loop_test(tests, a_store_is_made, 0, 2 * NUMBERS);
  tcase_add_loop_test(tests, a_file_is_replaced_at_once, 0, 10);
  return test_run(suite_create("track/file_fault"), tests);
}
