/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Pictures where the disk, the process or somebody's hand fails: errors, no lost file, no orphan after a recover. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/fault_files.h"
#include "unit/track/image.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

typedef int fault_openat_function(int, const char *, int, ...);
typedef int fault_renameat_function(int, const char *, int, const char *);
static bool kill_after_rename;

int openat(int folder, const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  FAULT_NEXT(fault_openat_function, "openat")
  return fault_files_due() ? -1 : next(folder, path, flags, mode);
}

int renameat(int from_folder, const char *from, int to_folder, const char *to) {
  FAULT_NEXT(fault_renameat_function, "renameat")
  if (fault_files_due()) return -1;
  int result = next(from_folder, from, to_folder, to);
  if (kill_after_rename) (void)raise(SIGKILL);
  return result;
}

/* Rows that a shell wrote must not reach beyond media/. */
START_TEST(hostile_rows_and_files) {
  char data[64];
  char id[40];
  char hash[65];
  char type[32];
  char path[500];
  char sql[300];
  void *read = NULL;
  size_t size = 0;
  tmon_store *store = test_store();
  make_rest(id, store);
  tmon_image image = encoded(data, "n", 1);
  ok(tmon_image_add(store, id, &image));
  char *text = list(store, id, NULL);
  hash_of(hash, text);
  tmon_text_free(text);
  (void)snprintf(path, sizeof path, "%s/keep", test_folder);
  FILE *file = fopen(path, "w");
  (void)fclose(file);
  run_sql("INSERT INTO images_removed VALUES ('../keep'), ('../../keep'), ('')");
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_int_eq(access(path, F_OK), 0);
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images_removed"), 0);
  run_sql("UPDATE images SET media_type = 'text/html', boxes = '}{'");
  expect(TMON_ECORRUPT, tmon_image_read(&read, &size, type, store, hash));
  text = list(store, id, NULL);
  ck_assert_ptr_nonnull(strstr(text, "\"boxes\":[]"));
  tmon_text_free(text);
  (void)snprintf(sql, sizeof sql, "UPDATE images SET media_type = 'image/gif'");
  run_sql(sql);
  ok(tmon_image_read(&read, &size, type, store, hash));
  tmon_image_free(read);
  /* Another content of the same size, then a shorter one, then a link to the right content, then a pipe. */
  (void)snprintf(path, sizeof path, "%s/media/%.2s/%s", test_folder, hash, hash);
  data[sizeof gif] ^= 1;
  file = fopen(path, "w");
  ck_assert_uint_eq(fwrite(data, 1, image.bytes, file), image.bytes);
  (void)fclose(file);
  expect(TMON_ECORRUPT, tmon_image_read(&read, &size, type, store, hash));
  ck_assert_int_eq(truncate(path, 5), 0);
  expect(TMON_ECORRUPT, tmon_image_read(&read, &size, type, store, hash));
  /* A cut file is put right by the next one of that content. */
  data[sizeof gif] ^= 1;
  ok(tmon_image_add(store, id, &image));
  ok(tmon_image_read(&read, &size, type, store, hash));
  tmon_image_free(read);
  char target[500];
  (void)snprintf(target, sizeof target, "%s/elsewhere", test_folder);
  ck_assert_int_eq(rename(path, target), 0);
  ck_assert_int_eq(symlink(target, path), 0);
  expect(TMON_ECORRUPT, tmon_image_read(&read, &size, type, store, hash));
  ck_assert_int_eq(unlink(path), 0);
  ck_assert_int_eq(mkfifo(path, 0600), 0);
  expect(TMON_ECORRUPT, tmon_image_read(&read, &size, type, store, hash));
  ck_assert_int_eq(unlink(path), 0);
  expect(TMON_ENOTFOUND, tmon_image_read(&read, &size, type, store, hash));
  ck_assert_ptr_null(read);
  clean_up(store);
}
END_TEST

START_TEST(a_folder_that_is_gone_or_a_link) {
  char data[64];
  char id[40];
  char media[400];
  char target[400];
  char command[1700];
  size_t odd = 0;
  tmon_store *store = test_store();
  make_rest(id, store);
  tmon_image image = encoded(data, "n", 1);
  ok(tmon_image_add(store, id, &image));
  (void)snprintf(media, sizeof media, "%s/media", test_folder);
  (void)snprintf(target, sizeof target, "%s/target", test_folder);
  (void)snprintf(command, sizeof command, "rm -r '%s'", media);
  ck_assert_int_eq(system(command), 0);
  ok(tmon_image_add(store, id, &image)); /* made again */
  ck_assert_uint_eq(count_files(&odd), 1);
  (void)snprintf(command, sizeof command, "rm -r '%s' && mkdir '%s' && ln -s '%s' '%s'", media, target, target, media);
  ck_assert_int_eq(system(command), 0);
  ck_assert_int_lt(tmon_image_add(store, id, &image), 0);
  ck_assert_int_eq(rmdir(target), 0); /* nothing came there */
  clean_up(store);
}
END_TEST

/* Each system call on files fails, once and for good: an error, no file without a row but after a crash, and the next picture is taken. */
START_TEST(each_call_on_files_may_fail) {
  static const int numbers[] = {ENOSPC, EIO, EMFILE, EACCES};
  int number = numbers[_i / 2];
  size_t runs = 0;
  for (size_t at = 1;; at++) {
    char data[64];
    char id[40];
    size_t odd = 0;
    tmon_store *store = test_store();
    make_rest(id, store);
    tmon_image image = encoded(data, "n", (int)at);
    fault_files_arm(at, _i % 2, number);
    int result = tmon_image_add(store, id, &image);
    size_t failed = fault_files_disarm();
    if (!failed) ok(result);
    ck_assert_msg(result == TMON_OK || tmon_error_message()[0], "call %zu", at);
    size_t files = count_files(&odd);
    ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), result == TMON_OK);
    /* While nothing works, a draft can't be removed either: it goes when it is old. */
    if (_i % 2 == 0) ck_assert_msg(odd == 0, "call %zu left a draft", at);
    files -= odd;
    ck_assert_msg(files == (result == TMON_OK) || result != TMON_OK, "call %zu: %zu files", at, files);
    ok(tmon_image_add(store, id, &image));
    ok(tmon_store_recover(store, 0, NULL));
    files = count_files(&odd);
    ck_assert_uint_eq(files - odd, 1);
    run_sql("DELETE FROM images; DELETE FROM training_sessions");
    ok(tmon_store_recover(store, 0, NULL));
    files = count_files(&odd);
    ck_assert_uint_eq(files, odd);
    clean_up(store);
    if (!failed) break;
    ck_assert_uint_lt(++runs, 500);
  }
  ck_assert_uint_gt(runs, 5);
}
END_TEST

/* The queue keeps what a full disk refused, and the drainer takes it when there is room again. */
START_TEST(a_full_disk_is_waited_out) {
  char data[64];
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  fault_files_arm(1, true, ENOSPC);
  for (int i = 0; i < 70; i++) {
    tmon_image image = encoded(data, i < 35 ? "a" : "b", i);
    ok(tmon_session_log_image(session, &image));
  }
  int result = tmon_session_flush(session);
  (void)fault_files_disarm();
  ck_assert_int_lt(result, 0);
  ok(tmon_session_flush(session));
  /* 6 over the bound of 64, all of "b" by then, so the oldest of "b" went. */
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 40);
  ck_assert_int_eq(ask_sql("SELECT dropped FROM image_sessions"), 6);
  ck_assert_int_eq(ask_sql("SELECT max(step) FROM images WHERE name = 'a'"), 34);
  ck_assert_int_eq(ask_sql("SELECT min(step) FROM images WHERE name = 'b'"), 50);
  char *text = list(store, tmon_session_id(session), "a");
  ck_assert_ptr_nonnull(strstr(text, "\"dropped_images\":6"));
  tmon_text_free(text);
  tmon_session_free(session);
  clean_up(store);
}
END_TEST

static void draft_path(char path[500], char digit) {
  char hash[65];
  memset(hash, digit, 64);
  hash[64] = 0;
  (void)snprintf(path, 500, "%s/media/%.2s/%s.01234567.part", test_folder, hash, hash);
}

static void make_draft(char digit, int age) {
  char path[500];
  draft_path(path, digit);
  *strrchr(path, '/') = 0;
  (void)mkdir(path, 0777);
  draft_path(path, digit);
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  (void)fclose(file);
  struct timespec times[2] = {{time(NULL) - age, 0}, {time(NULL) - age, 0}};
  ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void child_adds(void) {
  char data[64];
  char id[40];
  tmon_store *store = test_store();
  make_rest(id, store);
  tmon_image image = encoded(data, "n", 1);
  kill_after_rename = true;
  (void)tmon_image_add(store, id, &image);
  _exit(1);
}

START_TEST(killed_between_file_and_row) {
  size_t odd = 0;
  int status = 0;
  pid_t child = fork();
  if (child == 0) child_adds();
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ck_assert_uint_eq(count_files(&odd), 1);
  make_draft('a', 3600);
  make_draft('b', 5); /* somebody may be writing it */
  tmon_store *store = test_store();
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 0);
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_uint_eq(count_files(&odd), 1);
  ck_assert_uint_eq(odd, 1);
  char path[500];
  draft_path(path, 'b');
  ck_assert_int_eq(access(path, F_OK), 0);
  clean_up(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("image");
  test_lock_ms = 5000; /* a lock that is refused for good is waited for that long */
  if (!getenv("TMPDIR") && access("/dev/shm", W_OK | X_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 1);
  tcase_add_test(tests, hostile_rows_and_files);
  tcase_add_test(tests, a_folder_that_is_gone_or_a_link);
  tcase_add_loop_test(tests, each_call_on_files_may_fail, 0, 8);
  tcase_add_test(tests, a_full_disk_is_waited_out);
  tcase_add_test(tests, killed_between_file_and_row);
  return test_run(suite_create("track/image_fault"), tests);
}
