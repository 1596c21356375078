/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Other programs, started so that nothing of them is left behind. Between the caller and the program stands a small process of ours, the supervisor. It owns
 * what the program and all its descendants can't escape (it is their subreaper), copies their output into a file of bounded size, and ends them when it is told to or
 * when the caller is gone, however that died. It is forked and never executes anything itself, so it needs no program of its own to be installed.
 * Rejected: the kernel's parent-death signal alone (not for grandchildren, and a program may ignore all but SIGKILL), control groups (need rights).
 */
#ifndef TRAINMON_UTIL_PROCESS_H
#define TRAINMON_UTIL_PROCESS_H
#include "util/os.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tmon_program {
  const char *const *arguments;   /* ended by NULL; the first is a path, or a name that is looked for in the PATH of `environment` */
  const char *const *environment; /* "NAME=value", ended by NULL; nothing else is passed */
  const char *folder;             /* absolute */
  const char *output_path;        /* made, must not exist; standard output and error. NULL: they are read and dropped */
  size_t output_maximum;          /* bytes kept; of the rest only the end */
  int64_t grace_us;               /* between SIGTERM and SIGKILL */
  bool keep_running;              /* lives on when the caller is gone */
} tmon_program;

/* A started program, or one that was adopted. `fd` -1: none. All but `fd` is read by tmon_supervised_poll. */
typedef struct tmon_supervised {
  int fd;             /* to the supervisor; of an adopted one, which nobody hears any more, a pidfd */
  int64_t supervisor; /* process ids */
  int64_t pid;
  bool ended; /* the program itself has ended: `signalled` and `value` (its exit status, or the signal's number) hold */
  bool gone;  /* and so have all its descendants; nothing of it is left */
  bool signalled;
  int value;
  bool adopted; /* not started by this caller: `pid` is 0, and when it has ended, `signalled` and `value` say nothing */
} tmon_supervised;

/* Starts it, and returns when the program is running. TMON_ENOTFOUND, TMON_EACCESS: the program or its folder; else as a failed fork or file. */
int tmon_supervised_start(tmon_supervised *out, const tmon_program *program);
/* Takes over a program that was started with keep_running and whose caller is gone. `supervisor` is what tmon_process_look said of its supervisor then.
 * TMON_ENOTFOUND: it has ended, or the machine was started anew. TMON_ESTATE: it belongs to another host. TMON_EUNSUPPORTED: the kernel is older than Linux 5.3. */
int tmon_supervised_adopt(tmon_supervised *out, const tmon_process *supervisor);
void tmon_supervised_poll(tmon_supervised *supervised);                     /* what has happened since; never waits */
void tmon_supervised_end(tmon_supervised *supervised);                      /* SIGTERM to all of it, SIGKILL after the grace time; returns at once */
bool tmon_supervised_wait(tmon_supervised *supervised, int64_t timeout_us); /* true: gone */
/* Forgets it. One that is not gone is ended by that, unless it was started with keep_running. */
void tmon_supervised_close(tmon_supervised *supervised);

/* os_linux_supervise.c: the body of the supervisor, in a forked child. Async-signal-safe calls only. */
typedef struct tmon_supervisor_start {
  const char *path;
  const tmon_program *program;
  int control; /* both 3 or higher */
  int output;
  int64_t caller; /* process id */
} tmon_supervisor_start;
typedef enum tmon_supervisor_word {
  TMON_WORD_STARTED,
  TMON_WORD_NO_FOLDER,
  TMON_WORD_NO_PROGRAM,
  TMON_WORD_EXITED,
  TMON_WORD_KILLED
} tmon_supervisor_word;
typedef struct tmon_supervisor_message {
  int32_t word;  /* tmon_supervisor_word */
  int32_t value; /* pid, errno, exit status or signal */
} tmon_supervisor_message;
_Noreturn void tmon_supervisor_run(const tmon_supervisor_start *start);
#endif
