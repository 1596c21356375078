/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Started programs: their output, their end, and that nothing of them is left, whoever dies first. */
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"
#include "util/process.h"
#include "unit/suite.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECOND = 1000000 };

static char folder[64];
static char output[128];

static void setup(void) {
  (void)snprintf(folder, sizeof folder, "%s", "/tmp/trainmon-process-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  (void)snprintf(output, sizeof output, "%s/output", folder);
}

static void teardown(void) {
  char command[200];
  (void)snprintf(command, sizeof command, "rm -rf %s", folder);
  ck_assert_int_eq(system(command), 0);
}

static int start_shell(tmon_supervised *out, const char *script, size_t maximum, int64_t grace_us, bool keep_running) {
  static const char *const environment[] = {"PATH=/usr/bin:/bin", "A=b c", NULL};
  const char *arguments[] = {"sh", "-c", script, "sh", "one two", "--three", NULL};
  tmon_program program = {arguments, environment, folder, output, maximum, grace_us, keep_running};
  return tmon_supervised_start(out, &program);
}

static char *read_output(void) {
  char *text = NULL;
  ck_assert_int_eq(tmon_file_read(&text, NULL, output, 1 << 20), TMON_OK);
  return text;
}

/* The number that the script wrote into `name`. */
static pid_t pid_in(const char *name) {
  char path[160];
  char *text = NULL;
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  for (int i = 0; i < 6000; i++) {
    if (tmon_file_read(&text, NULL, path, 100) == TMON_OK && strchr(text, '\n') != NULL) break;
    tmon_free(text);
    text = NULL;
    tmon_clock_sleep_us(10000);
  }
  ck_assert_ptr_nonnull(text);
  pid_t pid = (pid_t)strtol(text, NULL, 10);
  tmon_free(text);
  ck_assert_int_gt(pid, 1);
  return pid;
}

static void ends_within(pid_t pid, int64_t time_us) {
  int64_t end = tmon_clock_monotonic_us() + time_us;
  while (kill(pid, 0) == 0 && tmon_clock_monotonic_us() < end) tmon_clock_sleep_us(10000);
  ck_assert_msg(kill(pid, 0) != 0 && errno == ESRCH, "process %d lives on", (int)pid);
}

START_TEST(it_gets_its_arguments_and_nothing_else) {
  tmon_supervised it;
  ck_assert_int_eq(
      start_shell(&it, "echo \"$1|$2|$A|$HOME|$PWD\"; ls /proc/self/fd | tr '\\n' ' '; cat; echo end >&2; exit 3", 1 << 20, SECOND, false), TMON_OK);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  ck_assert(it.ended && !it.signalled);
  ck_assert_int_eq(it.value, 3);
  char expected[200];
  char *text = read_output();
  (void)snprintf(expected, sizeof expected, "one two|--three|b c||%s\n0 1 2 3 end\n", folder); /* 3 is the folder that ls reads */
  ck_assert_str_eq(text, expected);
  tmon_free(text);
  tmon_supervised_close(&it);
}
END_TEST

START_TEST(what_can_not_start_says_why) {
  static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
  const char *missing[] = {"no-such-program", NULL};
  const char *absent[] = {"/no/such/program", NULL};
  const char *plain[] = {"/etc/passwd", NULL};
  const char *good[] = {"true", NULL};
  tmon_supervised it;
  tmon_program program = {missing, environment, folder, output, 100, SECOND, false};
  ck_assert_int_eq(tmon_supervised_start(&it, &program), TMON_ENOTFOUND);
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), "no-such-program"));
  program.arguments = absent;
  ck_assert_int_eq(tmon_supervised_start(&it, &program), TMON_ENOTFOUND);
  ck_assert(!tmon_file_exists(output));
  program.arguments = plain;
  ck_assert_int_eq(tmon_supervised_start(&it, &program), TMON_EACCESS);
  program.arguments = good;
  program.folder = "/no/such/folder";
  ck_assert_int_eq(tmon_supervised_start(&it, &program), TMON_ENOTFOUND);
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), "/no/such/folder"));
  program.folder = folder;
  ck_assert_int_eq(tmon_supervised_start(&it, &program), TMON_OK);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  tmon_supervised_close(&it);
  ck_assert_int_eq(tmon_supervised_start(&it, &program), TMON_EEXISTS); /* output is never written over */
}
END_TEST

START_TEST(a_killed_one_is_told_with_its_signal) {
  tmon_supervised it;
  ck_assert_int_eq(start_shell(&it, "kill -9 $$", 1000, SECOND, false), TMON_OK);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  ck_assert(it.signalled);
  ck_assert_int_eq(it.value, SIGKILL);
  tmon_supervised_close(&it);
}
END_TEST

/* One that ignores SIGTERM, its child, and a grandchild in a session of its own whose parent is gone. */
#define STUBBORN                                                                                                                                          \
  "trap '' TERM HUP; (trap '' TERM; echo $(exec sh -c 'echo $PPID') > child; while :; do sleep 0.1; done) & "                                             \
  "(setsid sh -c \"trap '' TERM; echo \\$\\$ > far; while :; do sleep 0.1; done\" &) ; echo $$ > self; while :; do sleep 0.1; done"

START_TEST(one_that_ignores_the_end_is_killed_with_all_of_it) {
  tmon_supervised it;
  ck_assert_int_eq(start_shell(&it, STUBBORN, 1000, SECOND / 5, false), TMON_OK);
  pid_t self = pid_in("self");
  pid_t child = pid_in("child");
  pid_t far = pid_in("far");
  ck_assert_int_eq(self, it.pid);
  int64_t asked = tmon_clock_monotonic_us();
  tmon_supervised_end(&it);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  ck_assert_int_ge(tmon_clock_monotonic_us() - asked, SECOND / 5);
  ck_assert(it.signalled);
  ck_assert_int_eq(it.value, SIGKILL);
  ends_within(self, 0);
  ends_within(child, 0);
  ends_within(far, 0);
  tmon_supervised_close(&it);
}
END_TEST

START_TEST(what_it_leaves_behind_is_ended) {
  tmon_supervised it;
  ck_assert_int_eq(
      start_shell(&it, "setsid sh -c 'echo $$ > far; exec sleep 100' & while [ ! -s far ]; do sleep 0.05; done; exit 0", 1000, SECOND, false), TMON_OK);
  pid_t far = pid_in("far");
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  ck_assert(!it.signalled);
  ends_within(far, 0);
  tmon_supervised_close(&it);
}
END_TEST

/* The caller is another process, which is killed. */
static void caller_dies(bool keep_running, int number) {
  pid_t caller = fork();
  ck_assert_int_ge(caller, 0);
  if (caller == 0) {
    (void)signal(SIGTERM, SIG_DFL); /* Check has a handler of its own */
    tmon_supervised it;
    if (start_shell(&it, STUBBORN, 1000, SECOND / 5, keep_running) != TMON_OK) _exit(1);
    for (;;) pause();
  }
  pid_t self = pid_in("self");
  pid_t child = pid_in("child");
  pid_t far = pid_in("far");
  ck_assert_int_eq(kill(caller, number), 0);
  ck_assert_int_eq(waitpid(caller, NULL, 0), caller);
  if (keep_running) {
    tmon_clock_sleep_us(1500000);
    ck_assert_int_eq(kill(self, 0), 0);
    (void)kill(-self, SIGKILL);
    (void)kill(far, SIGKILL);
  }
  ends_within(self, 30 * SECOND);
  ends_within(child, 30 * SECOND);
  ends_within(far, 30 * SECOND);
}

/* A caller in another process, which is gone when this returns; what it noted of the supervisor. */
static tmon_process left_behind(const char *script) {
  int words[2];
  tmon_process noted = {0};
  ck_assert_int_eq(pipe(words), 0);
  pid_t caller = fork();
  ck_assert_int_ge(caller, 0);
  if (caller == 0) {
    tmon_supervised it;
    bool good = start_shell(&it, script, 1000, SECOND / 5, true) == TMON_OK && tmon_process_look(&noted, it.supervisor) == TMON_OK;
    _exit(good && write(words[1], &noted, sizeof noted) == (ssize_t)sizeof noted ? 0 : 1);
  }
  int status = 0;
  ck_assert_int_eq(waitpid(caller, &status, 0), caller);
  ck_assert_int_eq(status, 0);
  ck_assert_int_eq(read(words[0], &noted, sizeof noted), (ssize_t)sizeof noted);
  (void)close(words[0]);
  (void)close(words[1]);
  return noted;
}

START_TEST(an_adopted_one_is_ended_with_all_of_it) {
  tmon_supervised it;
  tmon_process noted = left_behind(STUBBORN);
  pid_t self = pid_in("self");
  pid_t child = pid_in("child");
  pid_t far = pid_in("far");
  ck_assert_int_eq(tmon_supervised_adopt(&it, &noted), TMON_OK);
  ck_assert(!tmon_supervised_wait(&it, SECOND / 10));
  tmon_supervised_close(&it); /* who forgets it leaves it alone */
  ck_assert_int_eq(tmon_supervised_adopt(&it, &noted), TMON_OK);
  ck_assert(!tmon_supervised_wait(&it, SECOND));
  tmon_supervised_end(&it);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  ck_assert(it.ended && it.gone && it.adopted);
  ends_within(self, 0);
  ends_within(child, 0);
  ends_within(far, 0);
  tmon_supervised_close(&it);
  ck_assert_int_eq(tmon_supervised_adopt(&it, &noted), TMON_ENOTFOUND);
}
END_TEST

START_TEST(one_that_may_live_on_and_is_ended_leaves_nothing_behind) {
  tmon_supervised it;
  ck_assert_int_eq(start_shell(&it,
                       "(trap '' TERM; echo $(exec sh -c 'echo $PPID') > child; while :; do sleep 0.1; done) & "
                       "trap 'exit 0' TERM; echo $$ > self; while :; do sleep 0.1; done",
                       1000, 3 * SECOND, true),
      TMON_OK);
  pid_t child = pid_in("child");
  (void)pid_in("self");
  tmon_supervised_end(&it);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  ck_assert(!it.signalled); /* it obeyed in the grace time, which a busy machine needs; its child did not */
  ck_assert_int_eq(it.value, 0);
  ends_within(child, 0);
  tmon_supervised_close(&it);
}
END_TEST

START_TEST(only_the_same_process_is_adopted) {
  tmon_supervised it;
  tmon_process noted = left_behind("echo $$ > self; exec sleep 100");
  pid_t self = pid_in("self");
  tmon_process other = noted;
  other.start_ticks++;
  ck_assert_int_eq(tmon_supervised_adopt(&it, &other), TMON_ENOTFOUND);
  other = noted;
  other.boot_id[0] = other.boot_id[0] == '0' ? '1' : '0';
  ck_assert_int_eq(tmon_supervised_adopt(&it, &other), TMON_ENOTFOUND);
  other = noted;
  other.host[0] = '?';
  ck_assert_int_eq(tmon_supervised_adopt(&it, &other), TMON_ESTATE);
  ck_assert_int_eq(it.fd, -1);
  ck_assert_int_eq(kill(self, 0), 0);
  ck_assert_int_eq(tmon_supervised_adopt(&it, &noted), TMON_OK);
  ck_assert_int_eq(kill(self, SIGKILL), 0);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  tmon_supervised_close(&it);
}
END_TEST

START_TEST(nothing_outlives_a_caller_that_is_killed) { caller_dies(false, SIGKILL); }
END_TEST

START_TEST(nothing_outlives_a_caller_that_is_ended) { caller_dies(false, SIGTERM); }
END_TEST

START_TEST(one_that_may_lives_on) { caller_dies(true, SIGKILL); }
END_TEST

START_TEST(a_killed_supervisor_takes_it_along) {
  tmon_supervised it;
  ck_assert_int_eq(start_shell(&it, STUBBORN, 1000, SECOND / 5, false), TMON_OK);
  pid_t child = pid_in("child");
  pid_t self = pid_in("self");
  pid_t far = pid_in("far");
  ck_assert_int_eq(kill((pid_t)it.supervisor, SIGKILL), 0);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  ends_within(self, 30 * SECOND);
  ends_within(child, 30 * SECOND);
  (void)kill(far, SIGKILL); /* who left the group is out of reach then */
  tmon_supervised_close(&it);
}
END_TEST

START_TEST(output_is_bounded_and_its_end_kept) {
  tmon_supervised it;
  ck_assert_int_eq(start_shell(&it, "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done", 1000, SECOND, false), TMON_OK);
  ck_assert(tmon_supervised_wait(&it, 30 * SECOND));
  char *text = read_output();
  ck_assert_int_eq(strncmp(text, "line 0\nline 1\n", 14), 0);
  ck_assert_ptr_nonnull(strstr(text, "only its end is kept"));
  ck_assert_ptr_nonnull(strstr(text, "line 2998\nline 2999\n"));
  ck_assert_uint_lt(strlen(text), 1000 + 4096 + 200);
  ck_assert_ptr_null(strstr(text, "line 1500\n"));
  tmon_free(text);
  tmon_supervised_close(&it);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("process");
  Suite *suite = suite_create("util/process");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, it_gets_its_arguments_and_nothing_else);
  tcase_add_test(tests, what_can_not_start_says_why);
  tcase_add_test(tests, a_killed_one_is_told_with_its_signal);
  tcase_add_test(tests, one_that_ignores_the_end_is_killed_with_all_of_it);
  tcase_add_test(tests, what_it_leaves_behind_is_ended);
  tcase_add_test(tests, nothing_outlives_a_caller_that_is_killed);
  tcase_add_test(tests, nothing_outlives_a_caller_that_is_ended);
  tcase_add_test(tests, one_that_may_lives_on);
  tcase_add_test(tests, an_adopted_one_is_ended_with_all_of_it);
  tcase_add_test(tests, one_that_may_live_on_and_is_ended_leaves_nothing_behind);
  tcase_add_test(tests, only_the_same_process_is_adopted);
  tcase_add_test(tests, a_killed_supervisor_takes_it_along);
  tcase_add_test(tests, output_is_bounded_and_its_end_kept);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
