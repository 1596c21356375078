/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Linux: the supervisor of a started program. It runs in a child forked from a process that may have other threads, so nothing here allocates or locks:
 * system calls on fixed memory only. All its signals are blocked; of children, and of a SIGTERM that asks it to end all, it hears through a signalfd.
 * Everything that the program starts stays below this process (PR_SET_CHILD_SUBREAPER), also what leaves its process group. Ended means: SIGTERM to the group and
 * to who left it, then, after the grace time, SIGKILL again and again until there is no child. A killed parent hands its children up to here, so this comes to an end.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "util/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TAIL_BYTES = 4096, LOOK_MS = 500, KILL_MS = 20, LISTED_BYTES = 65536, DESCRIPTORS_MAXIMUM = 1 << 20 };

typedef struct supervisor {
  const tmon_supervisor_start *start;
  int control; /* -1: the caller is gone */
  int output;  /* read end; -1: all writers have closed it */
  int signals;
  pid_t program;
  bool program_ended;
  bool ending;
  bool killing;
  int64_t kill_at_us;
  size_t written;
  bool cut;
  size_t tail_used; /* of a ring of the latest bytes after the cut */
  size_t tail_at;
  char tail[TAIL_BYTES];
} supervisor;

static int64_t now_us(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void say(const supervisor *self, tmon_supervisor_word word, int value) {
  tmon_supervisor_message message = {(int32_t)word, value};
  if (self->control >= 0) (void)send(self->control, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void close_range_of(unsigned first, unsigned last) {
  if (first > last) return;
#ifdef SYS_close_range
  if (syscall(SYS_close_range, first, last, 0) == 0) return;
#endif
  struct rlimit limit = {0};
  (void)getrlimit(RLIMIT_NOFILE, &limit);
  for (unsigned fd = first; fd <= last && fd < limit.rlim_cur && fd < DESCRIPTORS_MAXIMUM; fd++) (void)close((int)fd);
}

/* Nothing of the caller is kept open: its locks, its listening sockets, the sockets of other supervisors. */
static void close_others(int one, int two) {
  unsigned low = (unsigned)(one < two ? one : two);
  unsigned high = (unsigned)(one < two ? two : one);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++)
    if (null != fd && null >= 0) (void)dup2(null, fd);
  close_range_of(3, low - 1);
  close_range_of(low + 1, high - 1);
  close_range_of(high + 1, ~0U);
}

static _Noreturn void fail(int report, tmon_supervisor_word word) {
  tmon_supervisor_message message = {(int32_t)word, errno};
  (void)!write(report, &message, sizeof message);
  _exit(127);
}

static _Noreturn void become_program(const supervisor *self, int output, int report, pid_t supervisor_pid) {
  const tmon_program *program = self->start->program;
  struct sigaction usual = {.sa_handler = SIG_DFL};
  sigset_t none;
  if (!program->keep_running) (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != supervisor_pid) _exit(127);
  (void)setpgid(0, 0);
  for (int number = 1; number < NSIG; number++) (void)sigaction(number, &usual, NULL);
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  if (dup2(output, 1) < 0 || dup2(output, 2) < 0) fail(report, TMON_WORD_NO_PROGRAM);
  if (chdir(program->folder) != 0) fail(report, TMON_WORD_NO_FOLDER);
  /* execve takes pointers to what it does not change; POSIX keeps the missing const for old programs. */
  (void)execve(self->start->path, (char *const *)(uintptr_t)program->arguments, (char *const *)(uintptr_t)program->environment);
  fail(report, TMON_WORD_NO_PROGRAM);
}

static void start_program(supervisor *self) {
  int output[2];
  int report[2];
  tmon_supervisor_message message = {TMON_WORD_NO_PROGRAM, EIO};
  if (pipe2(output, O_CLOEXEC) != 0 || pipe2(report, O_CLOEXEC) != 0) {
    say(self, TMON_WORD_NO_PROGRAM, errno);
    _exit(1);
  }
  pid_t self_pid = getpid();
  /* Not fork(): its handlers belong to the caller and have run already. */
  self->program = (pid_t)syscall(SYS_clone, (unsigned long)SIGCHLD, 0UL, 0UL, 0UL, 0UL);
  if (self->program == 0) become_program(self, output[1], report[1], self_pid);
  int failure = errno;
  (void)close(output[1]);
  (void)close(report[1]);
  if (self->program < 0) {
    say(self, TMON_WORD_NO_PROGRAM, failure);
    _exit(1);
  }
  (void)setpgid(self->program, self->program); /* both sides, so that it holds whoever comes first */
  ssize_t got = 0;
  do got = read(report[0], &message, sizeof message);
  while (got < 0 && errno == EINTR);
  if (got != 0) {
    say(self, (tmon_supervisor_word)message.word, message.value);
    _exit(1);
  }
  (void)close(report[0]);
  (void)fcntl(output[0], F_SETFL, O_NONBLOCK);
  self->output = output[0];
  say(self, TMON_WORD_STARTED, self->program);
}

static void put(supervisor *self, const char *data, size_t size) {
  while (size > 0) {
    ssize_t wrote = write(self->start->output, data, size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return; /* a full disk must not stop the training */
    data += wrote;
    size -= (size_t)wrote;
    self->written += (size_t)wrote;
  }
}

static void keep(supervisor *self, const char *data, size_t size) {
  static const char note[] = "\n[trainmon: the output is over its limit; only its end is kept]\n";
  size_t maximum = self->start->program->output_maximum;
  if (!self->cut) {
    size_t room = maximum > self->written ? maximum - self->written : 0;
    put(self, data, size < room ? size : room);
    if (size <= room) return;
    data += room;
    size -= room;
    self->cut = true;
    put(self, note, sizeof note - 1);
  }
  for (size_t i = 0; i < size; i++) {
    self->tail[self->tail_at] = data[i];
    self->tail_at = (self->tail_at + 1) % TAIL_BYTES;
    if (self->tail_used < TAIL_BYTES) self->tail_used++;
  }
}

static void copy_output(supervisor *self) {
  char data[16384];
  for (int turn = 0; self->output >= 0 && turn < 64; turn++) {
    ssize_t got = read(self->output, data, sizeof data);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) {
      (void)close(self->output);
      self->output = -1;
      return;
    }
    keep(self, data, (size_t)got);
  }
}

static void put_tail(supervisor *self) {
  size_t from = (self->tail_at + TAIL_BYTES - self->tail_used) % TAIL_BYTES;
  size_t first = TAIL_BYTES - from < self->tail_used ? TAIL_BYTES - from : self->tail_used;
  put(self, self->tail + from, first);
  put(self, self->tail, self->tail_used - first);
  self->tail_used = 0;
}

/* To the group, and to every child of this process that is not in it. A group whose leader was reaped is signalled only while a member is known: its number
 * could be another's by now. */
static void signal_all(const supervisor *self, int number) {
  static char listed[LISTED_BYTES];
  bool group = !self->program_ended;
  int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
  ssize_t got = fd >= 0 ? read(fd, listed, sizeof listed - 1) : 0;
  if (fd >= 0) (void)close(fd);
  listed[got > 0 ? got : 0] = '\0';
  for (char *at = listed, *end = NULL; *at != '\0'; at = end) {
    pid_t child = (pid_t)strtol(at, &end, 10);
    if (end == at || child <= 1) break;
    while (*end == ' ') end++;
    if (getpgid(child) == self->program) group = true;
    else (void)kill(child, number);
  }
  if (group) (void)kill(-self->program, number);
}

static void begin_end(supervisor *self) {
  if (self->ending) return;
  self->ending = true;
  self->kill_at_us = now_us() + self->start->program->grace_us;
  signal_all(self, SIGTERM);
  signal_all(self, SIGCONT); /* one that was stopped hears of it too */
}

/* False: there is no child any more. */
static bool reap(supervisor *self) {
  int status = 0;
  pid_t pid = 0;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != self->program) continue;
    self->program_ended = true;
    copy_output(self); /* before its end is told, so that who is told finds its last words */
    put_tail(self);
    if (WIFSIGNALED(status)) say(self, TMON_WORD_KILLED, WTERMSIG(status));
    else say(self, TMON_WORD_EXITED, WEXITSTATUS(status));
    /* What it leaves behind belongs to a training that is over. */
    if (!self->start->program->keep_running) begin_end(self);
  }
  return pid == 0 && (self->ending || !self->program_ended || !self->start->program->keep_running);
}

static void listen_to_caller(supervisor *self) {
  char word = 0;
  ssize_t got = self->control >= 0 ? recv(self->control, &word, 1, MSG_DONTWAIT) : -1;
  bool waits = got < 0 && (errno == EAGAIN || errno == EINTR);
  if (got == 1 && word == 'E') begin_end(self);
  /* A copy of the caller's end may live on in a process that it forked, so its number is looked at too. */
  bool lost = self->control >= 0 && ((!waits && got <= 0) || getppid() != (pid_t)self->start->caller);
  if (!lost) return;
  (void)close(self->control);
  self->control = -1;
  if (!self->start->program->keep_running) begin_end(self);
}

static void wait_for_news(supervisor *self) {
  struct pollfd waited[3] = {{.fd = self->control, .events = POLLIN}, {.fd = self->output, .events = POLLIN}, {.fd = self->signals, .events = POLLIN}};
  int64_t left = self->ending ? (self->kill_at_us - now_us()) / 1000 + 1 : LOOK_MS;
  if (self->killing) left = KILL_MS;
  (void)poll(waited, 3, (int)(left < 0 ? 0 : left < LOOK_MS ? left : LOOK_MS));
  struct signalfd_siginfo info;
  while (self->signals >= 0 && read(self->signals, &info, sizeof info) > 0)
    if (info.ssi_signo == SIGTERM) begin_end(self);
}

_Noreturn void tmon_supervisor_run(const tmon_supervisor_start *start) {
  static supervisor self;
  sigset_t heard;
  struct sigaction usual = {.sa_handler = SIG_DFL};
  self.start = start;
  self.control = start->control;
  self.output = -1;
  close_others(start->control, start->output);
  (void)setsid(); /* no signals of the caller's terminal */
  (void)prctl(PR_SET_NAME, "trainmon-watch");
  (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
  (void)sigaction(SIGCHLD, &usual, NULL); /* ignored, ends would not be told */
  sigemptyset(&heard);
  sigaddset(&heard, SIGCHLD);
  sigaddset(&heard, SIGTERM); /* of who adopts the program: the socket's other end is lost with the caller */
  self.signals = signalfd(-1, &heard, SFD_NONBLOCK | SFD_CLOEXEC);
  start_program(&self);
  for (;;) {
    wait_for_news(&self);
    copy_output(&self);
    listen_to_caller(&self);
    if (!reap(&self)) break;
    self.killing = self.ending && now_us() >= self.kill_at_us;
    if (self.killing) signal_all(&self, SIGKILL);
  }
  copy_output(&self);
  put_tail(&self);
  _exit(0);
}
