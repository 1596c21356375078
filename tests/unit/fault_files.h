/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* System calls on files whose k-th call fails with a chosen number. Include it in one source of a test program: it defines the functions. */
#ifndef TRAINMON_TESTS_FAULT_FILES_H
#define TRAINMON_TESTS_FAULT_FILES_H
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
  _Atomic size_t fail_at; /* from 1; 0: none */
  _Atomic bool persistent;
  _Atomic int number; /* errno that is given */
  _Atomic size_t count;
  _Atomic size_t failed;
} fault_files;

static inline bool fault_files_due(void) {
  size_t at = atomic_load(&fault_files.fail_at);
  if (!at) return false;
  size_t number = atomic_fetch_add(&fault_files.count, 1) + 1;
  if (number != at && !(atomic_load(&fault_files.persistent) && number > at)) return false;
  atomic_fetch_add(&fault_files.failed, 1);
  errno = atomic_load(&fault_files.number);
  return true;
}

static inline void fault_files_arm(size_t at, bool persistent, int number) {
  atomic_store(&fault_files.count, 0);
  atomic_store(&fault_files.failed, 0);
  atomic_store(&fault_files.persistent, persistent);
  atomic_store(&fault_files.number, number);
  atomic_store(&fault_files.fail_at, at);
}

static inline size_t fault_files_disarm(void) {
  atomic_store(&fault_files.fail_at, 0);
  return atomic_load(&fault_files.failed);
}

/* POSIX lets a data pointer from dlsym be used as a function; ISO C needs the detour. */
#define FAULT_NEXT(type, name)                                                                                                                            \
  type *next;                                                                                                                                             \
  {                                                                                                                                                       \
    void *found = dlsym(RTLD_NEXT, name);                                                                                                                 \
    *(void **)(void *)&next = found;                                                                                                                      \
  }

typedef int fault_open_function(const char *, int, ...);
typedef int fault_fcntl_function(int, int, ...);
typedef void *fault_mmap_function(void *, size_t, int, int, int, off_t);
typedef int fault_truncate_function(int, off_t);
typedef int fault_allocate_function(int, off_t, off_t);
typedef int fault_folder_function(const char *, mode_t);
typedef ssize_t fault_write_function(int, const void *, size_t);
typedef ssize_t fault_read_function(int, void *, size_t);
typedef int fault_sync_function(int);
typedef int fault_rename_function(const char *, const char *);

#define FAULT_OPEN_AS(name, symbol)                                                                                                                       \
  int name(const char *path, int flags, ...) {                                                                                                            \
    va_list rest;                                                                                                                                         \
    va_start(rest, flags);                                                                                                                                \
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;                                                                                             \
    va_end(rest);                                                                                                                                         \
    FAULT_NEXT(fault_open_function, symbol)                                                                                                               \
    return fault_files_due() ? -1 : next(path, flags, mode);                                                                                              \
  }
#define FAULT_FCNTL_AS(name, symbol)                                                                                                                      \
  int name(int fd, int command, ...) {                                                                                                                    \
    va_list rest;                                                                                                                                         \
    va_start(rest, command);                                                                                                                              \
    void *argument = va_arg(rest, void *);                                                                                                                \
    va_end(rest);                                                                                                                                         \
    FAULT_NEXT(fault_fcntl_function, symbol)                                                                                                              \
    return fault_files_due() ? -1 : next(fd, command, argument);                                                                                          \
  }

FAULT_OPEN_AS(open, "open")
FAULT_OPEN_AS(open64, "open64")
FAULT_FCNTL_AS(fcntl, "fcntl")
FAULT_FCNTL_AS(fcntl64, "fcntl64")

/* Without a failure due, memory is mapped for everyone, before any other code runs. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
  FAULT_NEXT(fault_mmap_function, "mmap")
  return fd >= 0 && fault_files_due() ? MAP_FAILED : next(at, size, protection, flags, fd, offset);
}

int ftruncate(int fd, off_t size) {
  FAULT_NEXT(fault_truncate_function, "ftruncate")
  return fault_files_due() ? -1 : next(fd, size);
}

int ftruncate64(int fd, off_t size) {
  FAULT_NEXT(fault_truncate_function, "ftruncate64")
  return fault_files_due() ? -1 : next(fd, size);
}

int posix_fallocate(int fd, off_t from, off_t size) {
  FAULT_NEXT(fault_allocate_function, "posix_fallocate")
  return fault_files_due() ? errno : next(fd, from, size);
}

int mkdir(const char *path, mode_t mode) {
  FAULT_NEXT(fault_folder_function, "mkdir")
  return fault_files_due() ? -1 : next(path, mode);
}

ssize_t write(int fd, const void *data, size_t size) {
  FAULT_NEXT(fault_write_function, "write")
  return fault_files_due() ? -1 : next(fd, data, size);
}

ssize_t read(int fd, void *data, size_t size) {
  FAULT_NEXT(fault_read_function, "read")
  return fault_files_due() ? -1 : next(fd, data, size);
}

int fsync(int fd) {
  FAULT_NEXT(fault_sync_function, "fsync")
  return fault_files_due() ? -1 : next(fd);
}

int rename(const char *from, const char *to) {
  FAULT_NEXT(fault_rename_function, "rename")
  return fault_files_due() ? -1 : next(from, to);
}
#endif
