/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: starting a program below a supervisor, and hearing of its end. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"
#include "util/os.h"
#include "util/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 10000, NAME_BYTES_MAXIMUM = 4096, PIDFD_KIND = 3 /* P_PIDFD, which older C libraries have no name for */ };

static bool is_program(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static const char *path_variable(const char *const *environment) {
  for (; *environment; environment++)
    if (strncmp(*environment, "PATH=", 5) == 0) return *environment + 5;
  return "/usr/local/bin:/usr/bin:/bin";
}

/* A name without a slash is looked for here, because the search of execvp allocates, which a forked child must not. Empty entries (the working folder) do not count. */
static int find_program(char **out, const tmon_program *program) {
  const char *name = program->arguments[0];
  *out = NULL;
  if (strlen(name) > NAME_BYTES_MAXIMUM || !*name) return tmon_error_set(TMON_EINVAL, "the name of the program is empty or too long");
  if (strchr(name, '/')) {
    *out = tmon_strdup(name);
    return *out ? TMON_OK : tmon_error_no_memory();
  }
  const char *folders = path_variable(program->environment);
  while (*folders) {
    size_t length = strcspn(folders, ":");
    char *folder = length > 0 ? tmon_strndup(folders, length) : NULL;
    char *path = folder ? tmon_path_join(folder, name) : NULL;
    tmon_free(folder);
    if (length > 0 && !path) return tmon_error_no_memory();
    if (path && *path == '/' && is_program(path)) {
      *out = path;
      return TMON_OK;
    }
    tmon_free(path);
    folders += length + (folders[length] == ':');
  }
  return tmon_error_set(TMON_ENOTFOUND, "there is no program \"%.200s\" in the PATH", name);
}

/* Descriptors 0 to 2 become others in the supervisor, so its own must lie above. */
static int above_standard(int fd) {
  if (fd < 0 || fd > 2) return fd;
  int raised = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  int failure = errno;
  (void)close(fd);
  errno = failure;
  return raised;
}

static int open_output(const char *path) {
  return path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int fork_supervisor(tmon_supervised *out, const tmon_supervisor_start *start) {
  sigset_t all, before;
  /* Blocked over the fork: a handler of the host must not run in the child. The supervisor keeps them blocked. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t pid = fork();
  int failure = errno;
  if (pid == 0) tmon_supervisor_run(start);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (pid < 0) return tmon_error_set_os(failure, "a process can't be started");
  out->supervisor = pid;
  return TMON_OK;
}

static int hear_start(tmon_supervised *out, const tmon_supervisor_start *start) {
  struct pollfd waited = {.fd = out->fd, .events = POLLIN};
  tmon_supervisor_message message;
  int ready = 0;
  do ready = poll(&waited, 1, START_MS);
  while (ready < 0 && errno == EINTR);
  if (ready <= 0 || recv(out->fd, &message, sizeof message, MSG_DONTWAIT) != (ssize_t)sizeof message)
    return tmon_error_set(TMON_EIO, "the process that starts \"%.200s\" does not answer", start->path);
  if (message.word == TMON_WORD_NO_FOLDER) return tmon_error_set_os(message.value, "can't enter the folder %.200s", start->program->folder);
  if (message.word == TMON_WORD_NO_PROGRAM) return tmon_error_set_os(message.value, "can't run %.200s", start->path);
  out->pid = message.value;
  return TMON_OK;
}

int tmon_supervised_start(tmon_supervised *out, const tmon_program *program) {
  char *path = NULL;
  int pair[2] = {-1, -1};
  int log = -1;
  *out = (tmon_supervised){.fd = -1};
  int result = find_program(&path, program);
  if (result) goto out;
  log = above_standard(open_output(program->output_path));
  if (log < 0) {
    result = tmon_error_set_os(errno, "can't make %s", program->output_path ? program->output_path : "/dev/null");
    goto out;
  }
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    result = tmon_error_set_os(errno, "can't make a pair of sockets");
    goto out;
  }
  pair[1] = above_standard(pair[1]);
  out->fd = pair[0];
  tmon_supervisor_start start = {path, program, pair[1], log, tmon_process_id()};
  result = pair[1] < 0 ? tmon_error_set_os(errno, "can't make a pair of sockets") : fork_supervisor(out, &start);
  if (!result) {
    (void)close(pair[1]); /* so that the end of the supervisor is heard */
    pair[1] = -1;
    result = hear_start(out, &start);
  }
out:
  if (pair[1] >= 0) (void)close(pair[1]);
  if (log >= 0) (void)close(log);
  if (result) {
    tmon_supervised_close(out);
    if (log >= 0 && program->output_path) (void)unlink(program->output_path);
  }
  tmon_free(path);
  return result;
}

/* Waits for nothing. A process that has ended makes its pidfd readable. */
static bool has_ended(int pidfd) {
  struct pollfd waited = {.fd = pidfd, .events = POLLIN};
  return poll(&waited, 1, 0) > 0;
}

int tmon_supervised_adopt(tmon_supervised *out, const tmon_process *supervisor) {
  tmon_process found, self;
  *out = (tmon_supervised){.fd = -1};
  int result = tmon_process_self(&self);
  if (result) return result;
  if (strcmp(self.host, supervisor->host) != 0) return tmon_error_set(TMON_ESTATE, "the program was started on host %s", supervisor->host);
  if (supervisor->pid <= 1 || strcmp(self.boot_id, supervisor->boot_id) != 0) return tmon_error_set(TMON_ENOTFOUND, "the program has ended");
#ifdef SYS_pidfd_open
  out->fd = (int)syscall(SYS_pidfd_open, (pid_t)supervisor->pid, 0U); /* closes at an exec by itself */
#else
  errno = ENOSYS;
#endif
  if (out->fd < 0 && errno == ENOSYS) return tmon_error_set(TMON_EUNSUPPORTED, "this system has no pidfd");
  if (out->fd < 0 && errno != ESRCH) return tmon_error_set_os(errno, "can't watch process %lld", (long long)supervisor->pid);
  /* In this order: while who has the number now has not ended, what /proc says of the number is of the same process. */
  bool same = out->fd >= 0 && tmon_process_look(&found, supervisor->pid) == TMON_OK && found.start_ticks == supervisor->start_ticks;
  if (!same || has_ended(out->fd)) {
    if (out->fd >= 0) (void)close(out->fd);
    out->fd = -1;
    return tmon_error_set(TMON_ENOTFOUND, "the program has ended");
  }
  out->adopted = true;
  out->supervisor = supervisor->pid;
  return TMON_OK;
}

/* Only a parent is told how a process ended. A caller that was that parent before, as when one process has two servers in turn, leaves no zombie. */
static void poll_adopted(tmon_supervised *supervised) {
  if (supervised->fd < 0 || !has_ended(supervised->fd)) return;
  supervised->ended = true;
  supervised->gone = true;
  siginfo_t ignored;
  (void)waitid((idtype_t)PIDFD_KIND, (id_t)supervised->fd, &ignored, WEXITED | WNOHANG);
}

/* The supervisor is gone. One that was killed could not end what it watched. */
static void hang_up(tmon_supervised *supervised) {
  if (!supervised->ended) {
    if (supervised->pid > 1) (void)kill(-(pid_t)supervised->pid, SIGKILL);
    supervised->ended = true;
    supervised->signalled = true;
    supervised->value = SIGKILL;
  }
  supervised->gone = true;
  (void)waitpid((pid_t)supervised->supervisor, NULL, 0);
}

void tmon_supervised_poll(tmon_supervised *supervised) {
  if (supervised->adopted) {
    poll_adopted(supervised);
    return;
  }
  while (supervised->fd >= 0 && !supervised->gone) {
    tmon_supervisor_message message;
    ssize_t got = recv(supervised->fd, &message, sizeof message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got != (ssize_t)sizeof message) {
      hang_up(supervised);
      return;
    }
    supervised->ended = supervised->ended || message.word == TMON_WORD_EXITED || message.word == TMON_WORD_KILLED;
    supervised->signalled = message.word == TMON_WORD_KILLED;
    supervised->value = message.value;
  }
}

void tmon_supervised_end(tmon_supervised *supervised) {
  if (supervised->fd < 0) return;
  if (!supervised->adopted) (void)send(supervised->fd, "E", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
#ifdef SYS_pidfd_send_signal
  else (void)syscall(SYS_pidfd_send_signal, supervised->fd, SIGTERM, NULL, 0U);
#endif
}

bool tmon_supervised_wait(tmon_supervised *supervised, int64_t timeout_us) {
  int64_t end = tmon_clock_monotonic_us() + timeout_us;
  tmon_supervised_poll(supervised);
  while (supervised->fd >= 0 && !supervised->gone) {
    struct pollfd waited = {.fd = supervised->fd, .events = POLLIN};
    int64_t left = end - tmon_clock_monotonic_us();
    if (left <= 0) return false;
    (void)poll(&waited, 1, (int)(left / 1000 + 1));
    tmon_supervised_poll(supervised);
  }
  return true;
}

void tmon_supervised_close(tmon_supervised *supervised) {
  if (supervised->fd >= 0) (void)close(supervised->fd);
  supervised->fd = -1;
  /* Whatever has ended already is not left as a zombie; who goes on is inherited by nobody before this process ends. */
  if (supervised->supervisor > 0 && !supervised->gone && !supervised->adopted) (void)waitpid((pid_t)supervised->supervisor, NULL, WNOHANG);
}
