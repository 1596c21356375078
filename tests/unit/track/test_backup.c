/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Copies of a store that is written meanwhile: whole, of one moment, without a part in the rings of the store they were made from. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/fault_files.h"
#include "unit/track/image.h"

#include "util/sha256.h"

#include <linux/magic.h>
#include <signal.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ID "11111111-2222-4333-8444-555555555555"

static char source[300];
static char target[300];

/* While it is set, every folder lies on a network file system: its stores have a rollback journal, whose readers and writers keep each other out. */
static bool network;

int statfs(const char *path, struct statfs *status) {
  long result = syscall(SYS_statfs, path, status);
  if (result == 0 && network) status->f_type = NFS_SUPER_MAGIC;
  return (int)result;
}

int statfs64(const char *path, struct statfs64 *status) { return statfs(path, (struct statfs *)status); }

static tmon_store *open_store(const char *folder) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder, .lock_timeout_ms = 60000};
  ok(tmon_store_open(&store, folder, &options));
  return store;
}

static tmon_store *begin(void) {
  (void)snprintf(source, sizeof source, "%s/source", test_folder);
  (void)snprintf(target, sizeof target, "%s/target", test_folder);
  return open_store(source);
}

static void check_whole(const char *folder) {
  char path[400];
  sqlite3 *handle = NULL;
  sqlite3_stmt *statement = NULL;
  (void)snprintf(path, sizeof path, "%s/trainmon.db", folder);
  ck_assert_int_eq(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_prepare_v2(handle, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
  ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
  ck_assert_str_eq((const char *)sqlite3_column_text(statement, 0), "ok");
  sqlite3_finalize(statement);
  sqlite3_close(handle);
}

/* How many entries of the folder begin so. */
static size_t count_names(const char *folder, const char *start) {
  size_t count = 0;
  struct dirent *entry;
  DIR *list = opendir(folder);
  while (list && (entry = readdir(list))) count += strncmp(entry->d_name, start, strlen(start)) == 0;
  if (list) (void)closedir(list);
  return count;
}

/* In a process of its own: logs until it is killed, tells each hundredth flush how many points are stored for sure. */
static void train(int pipe_end) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_metric metric = 0;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder, .lock_timeout_ms = 60000};
  tmon_session_options how = {.size = sizeof how, .id = ID};
  if (tmon_store_open(&store, source, &options) != TMON_OK || tmon_session_start(&session, store, &how) != TMON_OK ||
      tmon_session_metric(&metric, session, "m", NULL) != TMON_OK)
    _exit(1);
  for (int64_t i = 0;; i++) {
    if (tmon_log(session, metric, i, (double)i) != TMON_OK) _exit(2);
    if (i % 2000 == 1999) {
      if (tmon_session_flush(session) != TMON_OK) _exit(3);
      int64_t stored = i + 1;
      if (write(pipe_end, &stored, sizeof stored) != sizeof stored) _exit(4);
      usleep(10000); /* without a WAL others have their turn only now */
    }
  }
}

/* The latest number in the pipe. */
static int64_t stored_by(int pipe_end) {
  int64_t stored = 0;
  ck_assert_int_eq(read(pipe_end, &stored, sizeof stored), sizeof stored);
  return stored;
}

static void check_copy_of_live(const char *folder, int64_t least, int64_t most) {
  tmon_store *copy = open_store(folder);
  ck_assert_int_eq(test_status(copy, ID), TMON_STATUS_INTERRUPTED);
  uint64_t count = test_count(copy, ID, "m", false);
  ck_assert_msg(
      (int64_t)count >= least && (int64_t)count <= most, "%lld points, expected %lld to %lld", (long long)count, (long long)least, (long long)most);
  /* The first ones, without a gap. */
  tmon_series *series = NULL;
  size_t buckets = 0;
  ok(tmon_series_query(&series, copy, ID, "m", NULL));
  const tmon_bucket *bucket = tmon_series_buckets(series, &buckets);
  ck_assert_int_eq(bucket[buckets - 1].last_x, (int64_t)count - 1);
  tmon_series_free(series);
  tmon_store_free(copy);
  check_whole(folder);
}

/* With a WAL, and without. */
START_TEST(a_live_trainer_goes_on) {
  int ends[2];
  int status = 0;
  tmon_store_info info;
  network = _i == 1;
  (void)snprintf(source, sizeof source, "%s/source", test_folder);
  ck_assert_int_eq(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    (void)close(ends[0]);
    train(ends[1]);
  }
  (void)close(ends[1]);
  int64_t stored = stored_by(ends[0]);
  tmon_store *store = open_store(source);
  ok(tmon_store_get_info(&info, store));
  ck_assert_str_eq(info.journal, network ? "delete" : "wal");
  for (int i = 0; i < 4; i++) {
    (void)snprintf(target, sizeof target, "%s/target%d", test_folder, i);
    stored = stored_by(ends[0]);
    ok(tmon_store_backup(store, target, NULL, NULL));
    ck_assert_int_eq(test_status(store, ID), TMON_STATUS_RUNNING);
    check_copy_of_live(target, stored, INT64_MAX);
    ck_assert_uint_eq(count_names(test_folder, "trainmon-"), 1); /* opening the copy took nothing from the trainer */
    ck_assert_int_eq(waitpid(child, &status, WNOHANG), 0);
  }
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  int64_t last = 0;
  while (read(ends[0], &last, sizeof last) == sizeof last) stored = last;
  (void)close(ends[0]);
  /* The dead one's ring is adopted first, so that nothing is missing from this copy. */
  (void)snprintf(target, sizeof target, "%s/target", test_folder);
  ok(tmon_store_backup(store, target, NULL, NULL));
  int64_t count = (int64_t)test_count(store, ID, "m", false);
  ck_assert_int_ge(count, stored);
  check_copy_of_live(target, count, count);
  tmon_store_free(store);
}
END_TEST

static void add_picture(tmon_store *store, const char *id, int number, char hash[65]) {
  char data[64];
  tmon_image image = encoded(data, "p", number);
  ok(tmon_image_add(store, id, &image));
  tmon_sha256_text(hash, data, image.bytes);
}

static int watch(int64_t done, int64_t total, void *payload) {
  int64_t *last = payload;
  ck_assert(done >= last[0] && done <= total && (last[1] == 0 || total == last[1]));
  last[0] = done;
  last[1] = total;
  return 0;
}

/* Pictures, but for one whose file is gone, and output of recipes; sessions without a ring as they are; a copy of the copy. */
START_TEST(all_that_belongs_to_a_store_is_copied) {
  char id[37];
  char hashes[3][65];
  char path[600];
  char *text = NULL;
  int64_t last[2] = {0, 0};
  tmon_store *store = begin();
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = TMON_STATUS_RUNNING, .summary_json = "{\"a\":1}"};
  ok(tmon_record_create(id, store, &change));
  for (int i = 0; i < 3; i++) add_picture(store, id, i, hashes[i]);
  (void)snprintf(path, sizeof path, "%s/media/%.2s/%s", source, hashes[1], hashes[1]);
  ck_assert_int_eq(unlink(path), 0);
  (void)snprintf(path, sizeof path, "%s/logs", source);
  ck_assert_int_eq(mkdir(path, 0777), 0);
  static const char *const names[] = {"session-" ID ".log", "monitoring.log"};
  for (int i = 0; i < 2; i++) {
    (void)snprintf(path, sizeof path, "%s/logs/%s", source, names[i]);
    FILE *file = fopen(path, "w");
    ck_assert(file && fputs("printed\n", file) >= 0 && fclose(file) == 0);
  }
  ok(tmon_store_backup(store, target, watch, last));
  ck_assert(last[1] > 0 && last[0] == last[1]);
  tmon_store_free(store);
  store = open_store(target);
  (void)snprintf(target, sizeof target, "%s/second", test_folder);
  ok(tmon_store_backup(store, target, NULL, NULL));
  tmon_store_free(store);
  store = open_store(target);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING);
  tmon_image_filter filter = {.size = sizeof filter, .session_id = id};
  ok(tmon_image_list_json(&text, store, &filter));
  ck_assert(strstr(text, hashes[0]) && !strstr(text, hashes[1]) && strstr(text, hashes[2]));
  tmon_text_free(text);
  for (int i = 0; i < 3; i++) {
    (void)snprintf(path, sizeof path, "%s/media/%.2s/%s", target, hashes[i], hashes[i]);
    ck_assert_int_eq(access(path, R_OK), i == 1 ? -1 : 0);
  }
  (void)snprintf(path, sizeof path, "%s/logs/%s", target, names[0]);
  FILE *file = fopen(path, "r");
  char line[20] = "";
  ck_assert(file && fgets(line, sizeof line, file) && fclose(file) == 0);
  ck_assert_str_eq(line, "printed\n");
  (void)snprintf(path, sizeof path, "%s/logs", target);
  ck_assert_uint_eq(count_names(path, "monitoring"), 0);
  tmon_store_free(store);
}
END_TEST

static int stop_at(int64_t done, int64_t total, void *payload) {
  int *calls = payload;
  (void)done;
  (void)total;
  return --*calls == 0 ? 7 : 0;
}

typedef struct writer {
  tmon_store *store;
  int written;
  int busy;
} writer;

static int write_one(int64_t done, int64_t total, void *payload) {
  writer *to = payload;
  char id[37];
  (void)done;
  (void)total;
  int result = tmon_record_create(id, to->store, &(tmon_record_change){.size = sizeof(tmon_record_change)});
  to->written += result == TMON_OK;
  to->busy += result == TMON_EBUSY;
  return 0;
}

/* While the pages are copied only with a WAL; afterwards in any store. */
START_TEST(the_callback_writes) {
  char id[37];
  char hash[65];
  network = _i == 1;
  writer to = {0};
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder, .lock_timeout_ms = 20};
  (void)snprintf(source, sizeof source, "%s/source", test_folder);
  (void)snprintf(target, sizeof target, "%s/target", test_folder);
  ok(tmon_store_open(&to.store, source, &options));
  ok(tmon_record_create(id, to.store, &(tmon_record_change){.size = sizeof(tmon_record_change)}));
  add_picture(to.store, id, 1, hash);
  ok(tmon_store_backup(to.store, target, write_one, &to));
  ck_assert_int_gt(to.written, 0);
  ck_assert_int_eq(to.busy > 0, network);
  check_whole(target);
  tmon_store_free(to.store);
}
END_TEST

START_TEST(what_is_refused_leaves_nothing) {
  char id[37];
  char hash[65];
  char path[400];
  tmon_store *store = begin();
  ok(tmon_record_create(id, store, &(tmon_record_change){.size = sizeof(tmon_record_change)}));
  add_picture(store, id, 1, hash);
  expect(TMON_EINVAL, tmon_store_backup(NULL, target, NULL, NULL));
  expect(TMON_EINVAL, tmon_store_backup(store, NULL, NULL, NULL));
  expect(TMON_EINVAL, tmon_store_backup(store, "", NULL, NULL));
  expect(TMON_EINVAL, tmon_store_backup(store, source, NULL, NULL));
  (void)snprintf(path, sizeof path, "%s/copy", source);
  expect(TMON_EINVAL, tmon_store_backup(store, path, NULL, NULL));
  ck_assert_str_eq(tmon_error_field(), "folder");
  for (int i = 1; i < 3; i++) {
    int calls = i;
    expect(TMON_EUSER, tmon_store_backup(store, target, stop_at, &calls));
  }
  ck_assert_uint_eq(count_names(test_folder, "target"), 0);
  /* An empty folder will do, by any of its names; a full one or a file will not. */
  ck_assert_int_eq(mkdir(target, 0777), 0);
  (void)snprintf(path, sizeof path, "%s//", target);
  ok(tmon_store_backup(store, path, NULL, NULL));
  check_whole(target);
  expect(TMON_EEXISTS, tmon_store_backup(store, target, NULL, NULL));
  (void)snprintf(path, sizeof path, "%s/file", test_folder);
  FILE *file = fopen(path, "w");
  ck_assert(file && fclose(file) == 0);
  expect(TMON_EEXISTS, tmon_store_backup(store, path, NULL, NULL));
  ck_assert_uint_eq(count_names(test_folder, "target"), 1);
  tmon_store_free(store);
  /* From a store that is open for reading only. */
  tmon_store_options options = {.size = sizeof options, .read_only = true};
  ok(tmon_store_open(&store, source, &options));
  (void)snprintf(path, sizeof path, "%s/a/b/copy.db", test_folder);
  ok(tmon_store_backup(store, path, NULL, NULL));
  tmon_store_free(store);
  tmon_store_free(open_store(path));
}
END_TEST

/* Each system call on a file fails once: an error and nothing left, or a whole copy; the store works on. */
START_TEST(each_file_call_may_fail) {
  static const int numbers[] = {ENOSPC, EACCES, EIO};
  char id[37];
  char hash[65];
  size_t runs = 0;
  tmon_store *store = begin();
  ok(tmon_record_create(id, store, &(tmon_record_change){.size = sizeof(tmon_record_change)}));
  add_picture(store, id, 1, hash);
  for (size_t at = 1;; at++) {
    fault_files_arm(at, false, numbers[_i]);
    int result = tmon_store_backup(store, target, NULL, NULL);
    size_t failed = fault_files_disarm();
    ck_assert_uint_eq(count_names(test_folder, "target"), result == TMON_OK);
    if (result == TMON_OK) {
      tmon_store *copy = open_store(target);
      tmon_store_free(copy);
      check_whole(target);
      test_remove(target);
    }
    ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING);
    if (!failed) ck_assert_int_eq(result, TMON_OK);
    if (!failed) break;
    runs++;
  }
  ck_assert_uint_gt(runs, 10);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("backup");
  tcase_add_loop_test(tests, a_live_trainer_goes_on, 0, 2);
  tcase_add_test(tests, all_that_belongs_to_a_store_is_copied);
  tcase_add_loop_test(tests, the_callback_writes, 0, 2);
  tcase_add_test(tests, what_is_refused_leaves_nothing);
  tcase_add_loop_test(tests, each_file_call_may_fail, 0, 3);
  return test_run(suite_create("track/backup"), tests);
}
