/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Files by path (POSIX). */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "util/file.h"
#include "util/alloc.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 65536, PATH_BYTES_MAXIMUM = 65536 };

char *tmon_path_join(const char *folder, const char *name) {
  tmon_buffer path;
  tmon_buffer_init(&path, SIZE_MAX / 4);
  tmon_buffer_append_text(&path, folder);
  if (path.size && folder[path.size - 1] != '/') tmon_buffer_append(&path, "/", 1);
  tmon_buffer_append_text(&path, name);
  char *joined = tmon_buffer_take(&path);
  tmon_buffer_free(&path);
  return joined;
}

/* The working folder; NULL with the error set. */
static char *working_folder(int *result) {
  char *folder = NULL;
  for (size_t size = 256; size <= PATH_BYTES_MAXIMUM; size *= 2) {
    char *larger = tmon_realloc(folder, size, 1);
    if (!larger) {
      *result = tmon_error_no_memory();
      goto out;
    }
    folder = larger;
    if (getcwd(folder, size)) return folder;
    if (errno != ERANGE) break;
  }
  *result = tmon_error_set_os(errno, "the working folder can't be found");
out:
  tmon_free(folder);
  return NULL;
}

int tmon_path_absolute(char **out, const char *path) {
  *out = NULL;
  if (!path || !*path) return tmon_error_set(TMON_EINVAL, "the path is empty");
  int result = TMON_OK;
  if (*path == '/') {
    *out = tmon_strdup(path);
  } else {
    char *folder = working_folder(&result);
    if (!folder) return result;
    while (path[0] == '.' && path[1] == '/') path += 2 + strspn(path + 2, "/");
    *out = strcmp(path, ".") == 0 || !*path ? tmon_strdup(folder) : tmon_path_join(folder, path);
    tmon_free(folder);
  }
  return *out ? TMON_OK : tmon_error_no_memory();
}

bool tmon_file_exists(const char *path) {
  struct stat status;
  return path && stat(path, &status) == 0;
}

static int make_one_folder(const char *path) {
  struct stat status;
  if (mkdir(path, 0777) == 0) return TMON_OK;
  int failure = errno;
  if (stat(path, &status) == 0) {
    if (S_ISDIR(status.st_mode)) return TMON_OK;
    return tmon_error_set(TMON_EEXISTS, "'%s' is a file, a folder was expected", path);
  }
  return tmon_error_set_os(failure, "folder '%s' can't be made", path);
}

int tmon_folder_make(const char *path) {
  if (!path || !*path) return tmon_error_set(TMON_EINVAL, "the path is empty");
  char *partial = tmon_strdup(path);
  if (!partial) return tmon_error_no_memory();
  int result = TMON_OK;
  for (char *slash = strchr(partial + 1, '/'); slash && !result; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    result = make_one_folder(partial);
    *slash = '/';
  }
  if (!result) result = make_one_folder(partial);
  tmon_free(partial);
  return result;
}

bool tmon_folder_is_writable(const char *path) {
  struct stat status;
  return path && stat(path, &status) == 0 && S_ISDIR(status.st_mode) && faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) == 0;
}

static int read_all(int fd, tmon_buffer *out, const char *path) {
  for (;;) {
    /* One byte beyond the limit is asked for, so that a file of exactly that size still ends cleanly. */
    size_t room = out->maximum - out->size;
    int result = tmon_buffer_reserve(out, room < READ_BYTES ? room : READ_BYTES);
    if (result) return result;
    char last;
    ssize_t got = room ? read(fd, out->data + out->size, room < READ_BYTES ? room : READ_BYTES) : read(fd, &last, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tmon_error_set_os(errno, "file '%s' can't be read", path);
    if (got == 0) return TMON_OK;
    if (!room) return tmon_error_set(TMON_ELIMIT, "file '%s' has more than %zu bytes, which is the limit here", path, out->maximum);
    out->size += (size_t)got;
  }
}

int tmon_file_read(char **out, size_t *size, const char *path, size_t maximum) {
  *out = NULL;
  if (size) *size = 0;
  if (!path) return tmon_error_set(TMON_EINVAL, "no path");
  tmon_buffer content;
  tmon_buffer_init(&content, maximum);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return tmon_error_set_os(errno, "file '%s' can't be opened", path);
  int result = read_all(fd, &content, path);
  if (result) goto out;
  content.data[content.size] = 0;
  if (size) *size = content.size;
  *out = tmon_buffer_take(&content);
out:
  tmon_buffer_free(&content);
  close(fd);
  return result;
}

static int write_all(int fd, const void *data, size_t size, const char *path) {
  const char *from = data;
  while (size) {
    ssize_t put = write(fd, from, size);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return tmon_error_set_os(errno, "file '%s' can't be written", path);
    from += put;
    size -= (size_t)put;
  }
  if (fsync(fd) != 0) return tmon_error_set_os(errno, "file '%s' can't be written", path);
  return TMON_OK;
}

/* Makes the new name durable. Some file systems can't sync a folder: the file is whole either way, so that is no failure. */
static void sync_folder(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return tmon_strdup(".");
  return tmon_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

int tmon_file_write_atomic(const char *path, const void *data, size_t size, unsigned mode) {
  if (!path || !*path) return tmon_error_set(TMON_EINVAL, "the path is empty");
  char *folder = folder_of(path);
  char *draft = NULL;
  int fd = -1;
  int result = TMON_OK;
  char id[TMON_ID_BYTES];
  char name[TMON_ID_BYTES + 8];
  bool made = false;
  result = tmon_id_make(id);
  if (result) goto out;
  (void)snprintf(name, sizeof name, ".%s.tmp", id);
  draft = folder ? tmon_path_join(folder, name) : NULL;
  if (!draft) {
    result = tmon_error_no_memory();
    goto out;
  }
  fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
  if (fd < 0) {
    result = tmon_error_set_os(errno, "file '%s' can't be made", path);
    goto out;
  }
  made = true;
  result = write_all(fd, data, size, path);
  if (result) goto out;
  if (rename(draft, path) != 0) {
    result = tmon_error_set_os(errno, "file '%s' can't be replaced", path);
    goto out;
  }
  made = false;
  sync_folder(folder);
out:
  if (made) (void)unlink(draft);
  if (fd >= 0) close(fd);
  tmon_free(draft);
  tmon_free(folder);
  return result;
}

int tmon_file_remove(const char *path) {
  if (!path) return tmon_error_set(TMON_EINVAL, "no path");
  if (unlink(path) == 0 || errno == ENOENT) return TMON_OK;
  return tmon_error_set_os(errno, "file '%s' can't be removed", path);
}
