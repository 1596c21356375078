/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: randomness, wake-ups, and what kind of file system a folder is on. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"
#include "util/os.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

enum { MOUNTS_BYTES_MAXIMUM = 16 << 20 };

int tmon_random_bytes(void *out, size_t size) {
  unsigned char *to = out;
  while (size) {
    ssize_t got = getrandom(to, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tmon_error_set_os(errno, "no random bytes");
    to += got;
    size -= (size_t)got;
  }
  return TMON_OK;
}

int tmon_wake_open(tmon_wake *wake) {
  wake->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return wake->fd < 0 ? tmon_error_set_os(errno, "no descriptor to wake a thread by") : TMON_OK;
}

void tmon_wake_signal(tmon_wake *wake) {
  /* May run in a signal handler, whose interrupted code must find its errno. A full counter wakes as well. */
  int before = errno;
  uint64_t one = 1;
  ssize_t put = write(wake->fd, &one, sizeof one);
  (void)put;
  errno = before;
}

void tmon_wake_wait(tmon_wake *wake, int64_t timeout_us) {
  int64_t end = tmon_clock_monotonic_us() + (timeout_us < INT64_C(3000000000000000) ? timeout_us : INT64_C(3000000000000000));
  struct pollfd waited = {.fd = wake->fd, .events = POLLIN};
  for (;;) {
    int64_t left = timeout_us < 0 ? 0 : end - tmon_clock_monotonic_us();
    if (left < 0) left = 0;
    struct timespec limit = {.tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000};
    if (ppoll(&waited, 1, timeout_us < 0 ? NULL : &limit, NULL) >= 0 || errno != EINTR) break;
  }
  uint64_t count;
  ssize_t got = read(wake->fd, &count, sizeof count);
  (void)got;
}

void tmon_wake_close(tmon_wake *wake) {
  if (wake->fd >= 0) close(wake->fd);
  wake->fd = -1;
}

/* FUSE file systems that keep their data on this machine. */
static bool fuse_kind_is_local(const char *kind, size_t length) {
  static const char *const local[] = {"fuseblk", "fuse.fuse-overlayfs", "fuse.bindfs", "fuse.mergerfs", "fuse.gocryptfs", "fuse.encfs", "fuse.ntfs-3g"};
  for (size_t i = 0; i < sizeof local / sizeof *local; i++)
    if (strlen(local[i]) == length && memcmp(local[i], kind, length) == 0) return true;
  return false;
}

/* Looks the device up in mountinfo, where the kind stands behind " - "; unknown when it is not there. */
static bool fuse_is_local(const char *path) {
  struct stat status;
  char *mounts = NULL;
  char device[40];
  bool local = false;
  if (stat(path, &status) != 0 || tmon_file_read(&mounts, NULL, "/proc/self/mountinfo", MOUNTS_BYTES_MAXIMUM) != 0) return false;
  (void)snprintf(device, sizeof device, " %u:%u ", major(status.st_dev), minor(status.st_dev));
  for (char *line = mounts, *next; line; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = 0;
    const char *kind = strstr(line, " - ");
    if (kind && strstr(line, device)) local = fuse_kind_is_local(kind + 3, strcspn(kind + 3, " "));
  }
  tmon_free(mounts);
  return local;
}

bool tmon_folder_is_network(const char *path) {
  struct statfs status;
  if (!path || statfs(path, &status) != 0) return false;
  switch ((uint32_t)status.f_type) {
  case 0x6969:     /* NFS */
  case 0x517b:     /* SMB */
  case 0xff534d42: /* CIFS */
  case 0xfe534d42: /* SMB2 */
  case 0x00c36400: /* Ceph */
  case 0x0bd00bd0: /* Lustre */
  case 0x47504653: /* GPFS */
  case 0x19830326: /* BeeGFS */
  case 0x01021997: /* 9p */
  case 0x5346414f: /* AFS */
  case 0x20030528: /* OrangeFS */
  case 0x01161970: /* GFS2 */
  case 0x7461636f: /* OCFS2 */ return true;
  case 0x65735546: /* FUSE */ return !fuse_is_local(path);
  default: return false;
  }
}

int64_t tmon_folder_free_bytes(const char *path) {
  struct statvfs status;
  if (!path || statvfs(path, &status) != 0) return -1;
  uint64_t unit = status.f_frsize ? status.f_frsize : status.f_bsize;
  uint64_t blocks = status.f_bavail;
  if (unit && blocks > (uint64_t)INT64_MAX / unit) return INT64_MAX;
  return (int64_t)(blocks * unit);
}
