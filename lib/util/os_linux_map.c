/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: mapped files. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "util/error.h"
#include "util/os.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE_BITS_MAXIMUM = 47 };

/* Space is reserved up front: a full disk is an error here and not a SIGBUS at a later store. */
static int reserve_space(int fd, size_t size, const char *path) {
  int failure;
  do failure = posix_fallocate(fd, 0, (off_t)size);
  while (failure == EINTR);
  return failure ? tmon_error_set_os(failure, "%zu bytes can't be reserved for '%s'", size, path) : TMON_OK;
}

static int map_file(tmon_mapping *out, int fd, size_t size, bool writable, const char *path) {
  struct stat status;
  if (fstat(fd, &status) != 0) return tmon_error_set_os(errno, "file '%s' can't be examined", path);
  void *data = mmap(NULL, size, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED) return tmon_error_set_os(errno, "file '%s' can't be mapped", path);
  *out = (tmon_mapping){.data = data, .size = size, .device = (uint64_t)status.st_dev, .inode = (uint64_t)status.st_ino, .fd = fd};
  return TMON_OK;
}

int tmon_map_create(tmon_mapping *out, const char *path, size_t size) {
  *out = (tmon_mapping){0};
  if (!size || size >> SIZE_BITS_MAXIMUM) return tmon_error_set(TMON_EINVAL, "a mapped file of %zu bytes can't be made", size);
  int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return tmon_error_set_os(errno, "file '%s' can't be made", path);
  int result = reserve_space(fd, size, path);
  if (!result) result = map_file(out, fd, size, true, path);
  if (result) {
    (void)unlink(path);
    close(fd);
  }
  return result;
}

/* The file may come from anyone who can write to the folder: nothing but a regular file of ours is looked at. */
static int examine(int fd, const char *path, size_t minimum, size_t maximum, size_t *size) {
  struct stat status;
  if (fstat(fd, &status) != 0) return tmon_error_set_os(errno, "file '%s' can't be examined", path);
  if (!S_ISREG(status.st_mode)) return tmon_error_set(TMON_ECORRUPT, "'%s' is no regular file", path);
  if (status.st_uid != geteuid())
    return tmon_error_set(TMON_EACCESS, "file '%s' belongs to user %u, not to %u", path, (unsigned)status.st_uid, (unsigned)geteuid());
  uint64_t found = (uint64_t)status.st_size;
  if (!found || found < minimum || found > maximum)
    return tmon_error_set(TMON_ECORRUPT, "file '%s' has %llu bytes, %zu to %zu were expected", path, (unsigned long long)found, minimum, maximum);
  *size = (size_t)found;
  return TMON_OK;
}

int tmon_map_open(tmon_mapping *out, const char *path, bool writable, size_t minimum, size_t maximum) {
  *out = (tmon_mapping){0};
  /* O_NONBLOCK: a FIFO laid in our way must not hang us. */
  int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0 && errno == ELOOP) return tmon_error_set(TMON_ECORRUPT, "'%s' is a symbolic link, a regular file was expected", path);
  if (fd < 0) return tmon_error_set_os(errno, "file '%s' can't be opened", path);
  size_t size = 0;
  int result = examine(fd, path, minimum, maximum, &size);
  if (!result) result = map_file(out, fd, size, writable, path);
  if (result) close(fd);
  return result;
}

void tmon_map_close(tmon_mapping *mapping) {
  if (mapping->data) {
    (void)munmap(mapping->data, mapping->size);
    close(mapping->fd);
  }
  *mapping = (tmon_mapping){0};
}

bool tmon_map_is_whole(const tmon_mapping *mapping) {
  struct stat status;
  return mapping->data && fstat(mapping->fd, &status) == 0 && (uint64_t)status.st_size >= mapping->size;
}

int tmon_file_identity(const char *path, uint64_t *device, uint64_t *inode) {
  struct stat status;
  if (stat(path, &status) != 0) return tmon_error_set_os(errno, "file '%s' can't be examined", path);
  *device = (uint64_t)status.st_dev;
  *inode = (uint64_t)status.st_ino;
  return TMON_OK;
}
