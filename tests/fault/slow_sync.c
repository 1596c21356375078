/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A disk that takes its time, for LD_PRELOAD: each fsync and fdatasync takes SLOW_SYNC_MS milliseconds longer once the file SLOW_SYNC_FROM is there. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void be_slow(void) {
  const char *from = getenv("SLOW_SYNC_FROM");
  const char *text = getenv("SLOW_SYNC_MS");
  if (from == NULL || text == NULL || access(from, F_OK) != 0) return;
  long time = strtol(text, NULL, 10);
  struct timespec nap = {time / 1000, time % 1000 * 1000000};
  nanosleep(&nap, NULL);
}

int fsync(int file) {
  be_slow();
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  be_slow();
  return (int)syscall(SYS_fdatasync, file);
}
