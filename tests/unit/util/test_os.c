/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of mapped files, locks between processes, process identity, threads, wake-ups and forks. */
#define _GNU_SOURCE
#include "help.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"
#include "util/os.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static char folder[TEST_PATH_BYTES];
static char path[TEST_PATH_BYTES * 2];

static void set_up(void) {
  make_test_folder(folder);
  test_path(path, folder, "file");
}

static void tear_down(void) {
  unlink(path);
  rmdir(folder);
}

START_TEST(a_mapping_is_made_with_its_space) {
  tmon_mapping made, seen;
  struct stat status;
  uint64_t device, inode;
  ck_assert_int_eq(tmon_map_create(&made, path, 1 << 20), TMON_OK);
  ck_assert_int_eq(stat(path, &status), 0);
  ck_assert_int_eq(status.st_size, 1 << 20);
  ck_assert_int_ge(status.st_blocks * 512, 1 << 20);
  ck_assert_int_eq(status.st_mode & 07777, 0600);
  ck_assert_int_eq(tmon_file_identity(path, &device, &inode), TMON_OK);
  ck_assert_uint_eq(device, made.device);
  ck_assert_uint_eq(inode, made.inode);
  made.data[(1 << 20) - 1] = 7;
  ck_assert_int_eq(tmon_map_open(&seen, path, false, 1, 1 << 20), TMON_OK);
  ck_assert_uint_eq(seen.data[(1 << 20) - 1], 7);
  ck_assert_uint_eq(seen.inode, inode);
  tmon_map_close(&seen);
  ck_assert_ptr_null(seen.data);
  tmon_map_close(&seen);
  tmon_map_close(&made);
  ck_assert_int_eq(tmon_map_create(&made, path, 4096), TMON_EEXISTS);
  ck_assert_int_eq(tmon_map_create(&made, path, 0), TMON_EINVAL);
}
END_TEST

START_TEST(only_our_regular_files_are_mapped) {
  tmon_mapping mapping;
  char link_path[TEST_PATH_BYTES * 2];
  test_path(link_path, folder, "link");
  ck_assert_int_eq(tmon_map_open(&mapping, path, false, 1, 100), TMON_ENOTFOUND);
  ck_assert_int_eq(tmon_file_write_atomic(path, "0123456789", 10, 0600), TMON_OK);
  ck_assert_int_eq(tmon_map_open(&mapping, path, true, 10, 10), TMON_OK);
  tmon_map_close(&mapping);
  ck_assert_int_eq(tmon_map_open(&mapping, path, false, 11, 100), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_map_open(&mapping, path, false, 1, 9), TMON_ECORRUPT);
  ck_assert_int_eq(symlink(path, link_path), 0);
  ck_assert_int_eq(tmon_map_open(&mapping, link_path, false, 1, 100), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_map_create(&mapping, link_path, 100), TMON_EEXISTS);
  unlink(link_path);
  ck_assert_int_eq(mkfifo(link_path, 0600), 0);
  ck_assert_int_eq(tmon_map_open(&mapping, link_path, true, 1, 100), TMON_ECORRUPT);
  unlink(link_path);
  ck_assert_int_eq(tmon_map_open(&mapping, folder, false, 1, 100000), TMON_ECORRUPT);
  ck_assert_ptr_null(mapping.data);
}
END_TEST

/* A child process that takes the lock, tells so over a pipe, and waits to be killed. */
static pid_t start_holder(void) {
  int ready[2];
  char byte = 0;
  ck_assert_int_eq(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    tmon_lock lock;
    if (tmon_lock_open(&lock, path, true) == TMON_OK && tmon_lock_acquire(&lock, 0) == TMON_OK) byte = 1;
    (void)!write(ready[1], &byte, 1);
    for (;;) pause();
  }
  ck_assert_int_eq(read(ready[0], &byte, 1), 1);
  ck_assert_int_eq(byte, 1);
  close(ready[0]);
  close(ready[1]);
  return child;
}

START_TEST(a_killed_holder_releases_its_lock) {
  tmon_lock lock;
  ck_assert_int_eq(tmon_lock_open(&lock, path, false), TMON_ENOTFOUND);
  ck_assert_int_eq(lock.fd, -1);
  ck_assert_int_eq(tmon_lock_acquire(&lock, 0), TMON_ESTATE);
  pid_t holder = start_holder();
  ck_assert_int_eq(tmon_lock_open(&lock, path, false), TMON_OK);
  ck_assert_int_eq(tmon_lock_acquire(&lock, 0), TMON_EBUSY);
  int64_t before = tmon_clock_monotonic_us();
  ck_assert_int_eq(tmon_lock_acquire(&lock, 50000), TMON_EBUSY);
  ck_assert_int_ge(tmon_clock_monotonic_us() - before, 50000);
  kill(holder, SIGKILL);
  waitpid(holder, NULL, 0);
  ck_assert_int_eq(tmon_lock_acquire(&lock, 0), TMON_OK);
  tmon_lock_close(&lock);
  tmon_lock_close(&lock);
}
END_TEST

START_TEST(locks_exclude_within_a_process_too) {
  tmon_lock first, second;
  ck_assert_int_eq(tmon_lock_open(&first, path, true), TMON_OK);
  ck_assert_int_eq(tmon_lock_open(&second, path, false), TMON_OK);
  ck_assert_int_eq(tmon_lock_acquire(&first, 0), TMON_OK);
  ck_assert_int_eq(tmon_lock_acquire(&second, 0), TMON_EBUSY);
  tmon_lock_release(&first);
  ck_assert_int_eq(tmon_lock_acquire(&second, 0), TMON_OK);
  tmon_lock_close(&first);
  tmon_lock_close(&second);
}
END_TEST

/* A trainer that holds a lock, forks a worker and is killed must read as dead while the worker lives; and the worker must not unlock it before. */
START_TEST(a_forked_worker_does_not_hold_the_lock) {
  int ready[2];
  pid_t worker = 0;
  ck_assert_int_eq(pipe(ready), 0);
  pid_t trainer = fork();
  if (trainer == 0) {
    tmon_lock lock;
    if (tmon_lock_open(&lock, path, true) || tmon_lock_acquire(&lock, 0)) _exit(1);
    worker = fork();
    if (worker == 0) {
      tmon_lock_close(&lock);
      worker = getpid();
      (void)!write(ready[1], &worker, sizeof worker);
    }
    for (;;) pause();
  }
  ck_assert_int_eq(read(ready[0], &worker, sizeof worker), (ssize_t)sizeof worker);
  tmon_lock lock;
  ck_assert_int_eq(tmon_lock_open(&lock, path, false), TMON_OK);
  int while_alive = tmon_lock_acquire(&lock, 0);
  kill(trainer, SIGKILL);
  waitpid(trainer, NULL, 0);
  int while_worker = tmon_lock_acquire(&lock, 0);
  kill(worker, SIGKILL);
  ck_assert_int_eq(while_alive, TMON_EBUSY);
  ck_assert_int_eq(while_worker, TMON_OK);
  tmon_lock_close(&lock);
  close(ready[0]);
  close(ready[1]);
}
END_TEST

START_TEST(a_process_knows_itself) {
  tmon_process mine, same;
  ck_assert_int_eq(tmon_process_self(&mine), TMON_OK);
  ck_assert_int_eq(mine.pid, getpid());
  ck_assert_int_gt(mine.start_ticks, 0);
  ck_assert_uint_eq(strlen(mine.boot_id), 36);
  ck_assert_int_eq(tmon_id_is_valid(mine.boot_id), 1);
  ck_assert_uint_gt(strlen(mine.host), 0);
  ck_assert_int_eq(tmon_process_self(&same), TMON_OK);
  ck_assert_int_eq(mine.start_ticks, same.start_ticks);
}
END_TEST

static volatile int64_t pid_in_handler;
static volatile int handler_calls;

static void in_child(void) {
  handler_calls++;
  pid_in_handler = tmon_process_id();
}

START_TEST(forked_children_are_told) {
  int status;
  ck_assert_int_eq(tmon_process_id(), getpid());
  ck_assert_int_eq(tmon_fork_register(NULL), TMON_EINVAL);
  ck_assert_int_eq(tmon_fork_register(in_child), TMON_OK);
  ck_assert_int_eq(tmon_fork_register(in_child), TMON_OK);
  pid_t child = fork();
  if (child == 0) _exit(handler_calls == 1 && pid_in_handler == getpid() && tmon_process_id() == getpid() ? 0 : 1);
  waitpid(child, &status, 0);
  ck_assert(WIFEXITED(status));
  ck_assert_int_eq(WEXITSTATUS(status), 0);
  ck_assert_int_eq(handler_calls, 0);
  ck_assert_int_eq(tmon_process_id(), getpid());
}
END_TEST

typedef struct probe {
  tmon_wake wake;
  bool blocked;
  bool named;
} probe;

static void wait_for_wake(void *argument) {
  probe *seen = argument;
  sigset_t mask;
  char name[16];
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  seen->blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
  seen->named = pthread_getname_np(pthread_self(), name, sizeof name) == 0 && strcmp(name, "trainmon-drain-") == 0;
  tmon_wake_wait(&seen->wake, -1);
}

START_TEST(a_thread_is_joined_in_time) {
  probe seen = {.blocked = false};
  tmon_thread *thread;
  sigset_t mask;
  ck_assert_int_eq(tmon_wake_open(&seen.wake), TMON_OK);
  ck_assert_int_eq(tmon_thread_start(&thread, "trainmon-drain-too-long", wait_for_wake, &seen), TMON_OK);
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  ck_assert_int_eq(sigismember(&mask, SIGINT), 0);
  ck_assert(!tmon_thread_join(thread, 30000));
  ck_assert(!tmon_thread_join(thread, 0));
  tmon_wake_signal(&seen.wake);
  ck_assert(tmon_thread_join(thread, 60000000));
  ck_assert(seen.blocked);
  ck_assert(seen.named);
  ck_assert(tmon_thread_join(NULL, 0));
  tmon_wake_signal(&seen.wake);
  ck_assert_int_eq(tmon_thread_start(&thread, "again", wait_for_wake, &seen), TMON_OK);
  ck_assert(tmon_thread_join(thread, -1));
  tmon_wake_close(&seen.wake);
}
END_TEST

START_TEST(a_wake_up_is_kept_and_used_up) {
  tmon_wake wake;
  ck_assert_int_eq(tmon_wake_open(&wake), TMON_OK);
  tmon_wake_signal(&wake);
  tmon_wake_signal(&wake);
  int64_t before = tmon_clock_monotonic_us();
  tmon_wake_wait(&wake, 60000000);
  ck_assert_int_lt(tmon_clock_monotonic_us() - before, 50000000);
  before = tmon_clock_monotonic_us();
  tmon_wake_wait(&wake, 30000);
  ck_assert_int_ge(tmon_clock_monotonic_us() - before, 30000);
  tmon_wake_close(&wake);
  tmon_wake_close(&wake);
}
END_TEST

static void try_mutex(void *argument) {
  tmon_mutex *mutex = argument;
  int64_t before = tmon_clock_monotonic_us();
  ck_assert(!tmon_mutex_try_lock_for(mutex, 0));
  ck_assert(!tmon_mutex_try_lock_for(mutex, 30000));
  ck_assert_int_ge(tmon_clock_monotonic_us() - before, 30000);
}

START_TEST(a_mutex_excludes) {
  tmon_mutex *mutex;
  tmon_thread *thread;
  ck_assert_int_eq(tmon_mutex_make(&mutex), TMON_OK);
  tmon_mutex_lock(mutex);
  ck_assert_int_eq(tmon_thread_start(&thread, NULL, try_mutex, mutex), TMON_OK);
  ck_assert(tmon_thread_join(thread, -1));
  tmon_mutex_unlock(mutex);
  ck_assert(tmon_mutex_try_lock_for(mutex, 1000));
  tmon_mutex_unlock(mutex);
  tmon_mutex_free(mutex);
  tmon_mutex_free(NULL);
}
END_TEST

START_TEST(folders_tell_what_they_are_on) {
  ck_assert_int_gt(tmon_folder_free_bytes(folder), 0);
  ck_assert_int_eq(tmon_folder_free_bytes("/nonexistent/folder"), -1);
  ck_assert(!tmon_folder_is_network("/proc"));
  ck_assert(!tmon_folder_is_network("/nonexistent/folder"));
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/os");
  TCase *tests = tcase_create("all");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, a_mapping_is_made_with_its_space);
  tcase_add_test(tests, only_our_regular_files_are_mapped);
  tcase_add_test(tests, a_killed_holder_releases_its_lock);
  tcase_add_test(tests, locks_exclude_within_a_process_too);
  tcase_add_test(tests, a_forked_worker_does_not_hold_the_lock);
  tcase_add_test(tests, a_process_knows_itself);
  tcase_add_test(tests, forked_children_are_told);
  tcase_add_test(tests, a_thread_is_joined_in_time);
  tcase_add_test(tests, a_wake_up_is_kept_and_used_up);
  tcase_add_test(tests, a_mutex_excludes);
  tcase_add_test(tests, folders_tell_what_they_are_on);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
