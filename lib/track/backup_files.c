/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The files of a backup. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "track/backup.h"
#include "track/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

int tmon_backup_open(tmon_backup_folders *out, const char *from, const char *to) {
  *out = (tmon_backup_folders){-1, -1};
  out->from = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (out->from < 0) return tmon_error_set_os(errno, "the store %s can't be read", from);
  out->to = open(to, FOLDER_FLAGS);
  return out->to >= 0 ? TMON_OK : tmon_error_set_os(errno, "the folder %s can't be opened", to);
}

void tmon_backup_close(tmon_backup_folders *folders) {
  if (folders->from >= 0) close(folders->from);
  if (folders->to >= 0) close(folders->to);
  *folders = (tmon_backup_folders){-1, -1};
}

static int write_all(int fd, const char *data, size_t size) {
  while (size > 0) {
    ssize_t put = write(fd, data, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : EIO;
    data += put;
    size -= (size_t)put;
  }
  return 0;
}

static int copy_bytes(int to, int from) {
  char data[16384];
  for (;;) {
    ssize_t got = read(from, data, sizeof data);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return fsync(to) == 0 ? 0 : errno;
    int failure = write_all(to, data, (size_t)got);
    if (failure != 0) return failure;
  }
}

/* TMON_DONE: there is no such file, or it is none. */
static int copy_file(const tmon_backup_folders *folders, const char *name) {
  struct stat status;
  int to = -1;
  int from = openat(folders->from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (from < 0) return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? TMON_DONE : tmon_error_set_os(errno, "%s can't be read", name);
  int result = TMON_OK;
  if (fstat(from, &status) != 0) result = tmon_error_set_os(errno, "%s can't be read", name);
  else if (!S_ISREG(status.st_mode)) result = TMON_DONE;
  if (result == TMON_OK) {
    to = openat(folders->to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, status.st_mode & 0666);
    int failure = to < 0 ? errno : copy_bytes(to, from);
    if (failure != 0) result = tmon_error_set_os(failure, "%s can't be copied", name);
  }
  if (to >= 0) close(to);
  close(from);
  return result;
}

static int make_below(const tmon_backup_folders *folders, const char *name) {
  if (mkdirat(folders->to, name, 0777) == 0 || errno == EEXIST) return TMON_OK;
  return tmon_error_set_os(errno, "the folder %s of the copy can't be made", name);
}

int tmon_backup_picture(const tmon_backup_folders *folders, const char *hash) {
  char name[TMON_SHA256_TEXT_BYTES + 16];
  char shard[16];
  if (!tmon_hash_is_valid(hash)) return TMON_DONE;
  (void)snprintf(shard, sizeof shard, "media/%.2s", hash);
  (void)snprintf(name, sizeof name, "%s/%s", shard, hash);
  int result = make_below(folders, "media");
  if (result == TMON_OK) result = make_below(folders, shard);
  return result == TMON_OK ? copy_file(folders, name) : result;
}

static bool is_log(const char *name) {
  size_t length = strlen(name);
  return length > 12 && length < 100 && strncmp(name, "session-", 8) == 0 && strcmp(name + length - 4, ".log") == 0;
}

int tmon_backup_logs(const tmon_backup_folders *folders) {
  struct dirent *entry;
  int logs = openat(folders->from, "logs", FOLDER_FLAGS);
  if (logs < 0) return errno == ENOENT ? TMON_OK : tmon_error_set_os(errno, "the folder logs of the store can't be read");
  DIR *list = fdopendir(logs);
  if (list == NULL) {
    int failure = errno;
    close(logs);
    return tmon_error_set_os(failure, "the folder logs of the store can't be read");
  }
  int result = make_below(folders, "logs");
  while (result == TMON_OK && (entry = readdir(list)) != NULL) {
    char name[128];
    if (!is_log(entry->d_name)) continue;
    (void)snprintf(name, sizeof name, "logs/%.100s", entry->d_name);
    result = copy_file(folders, name);
    if (result == TMON_DONE) result = TMON_OK;
  }
  (void)closedir(list);
  return result;
}

static bool is_dots(const char *name) { return strcmp(name, ".") == 0 || strcmp(name, "..") == 0; }

int tmon_backup_check(const char *folder) {
  struct dirent *entry;
  struct stat status;
  bool empty = true;
  if (lstat(folder, &status) != 0) return errno == ENOENT ? TMON_OK : tmon_error_set_os(errno, "the folder %s can't be looked at", folder);
  if (!S_ISDIR(status.st_mode)) return tmon_error_set_field(TMON_EEXISTS, "folder", "%s is there already, and is no folder", folder);
  DIR *list = opendir(folder);
  if (list == NULL) return tmon_error_set_os(errno, "the folder %s can't be read", folder);
  while ((entry = readdir(list)) != NULL) empty = empty && is_dots(entry->d_name);
  (void)closedir(list);
  return empty ? TMON_OK : tmon_error_set_field(TMON_EEXISTS, "folder", "the folder %s is not empty", folder);
}

/* Names are kept by the folders they stand in. Some file systems can't sync those. */
static void sync_folder(const char *path) {
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  close(fd);
}

/* Closes `fd`. */
static void sync_below(int fd, int depth) {
  struct dirent *entry;
  DIR *list = fdopendir(fd);
  if (list == NULL) {
    close(fd);
    return;
  }
  while (depth > 0 && (entry = readdir(list)) != NULL) {
    int below = is_dots(entry->d_name) ? -1 : openat(dirfd(list), entry->d_name, FOLDER_FLAGS);
    if (below >= 0) sync_below(below, depth - 1);
  }
  (void)fsync(dirfd(list));
  (void)closedir(list);
}

int tmon_backup_place(const char *draft, const char *folder) {
  char parent[TMON_TEXT_MAXIMUM + 1];
  int fd = open(draft, FOLDER_FLAGS);
  if (fd >= 0) sync_below(fd, 2);
  if (rename(draft, folder) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) return tmon_error_set_field(TMON_EEXISTS, "folder", "%s is there by now", folder);
    return tmon_error_set_os(errno, "the copy can't be given its name %s", folder);
  }
  size_t length = (size_t)(strrchr(folder, '/') - folder);
  if (length > 0 && length < sizeof parent) {
    memcpy(parent, folder, length);
    parent[length] = '\0';
    sync_folder(parent);
  }
  return TMON_OK;
}

/* Closes `fd`. */
static void remove_below(int fd, int depth) {
  struct dirent *entry;
  DIR *list = fdopendir(fd);
  if (list == NULL) {
    close(fd);
    return;
  }
  while ((entry = readdir(list)) != NULL) {
    if (is_dots(entry->d_name) || unlinkat(dirfd(list), entry->d_name, 0) == 0 || depth == 0) continue;
    int below = openat(dirfd(list), entry->d_name, FOLDER_FLAGS);
    if (below >= 0) remove_below(below, depth - 1);
    (void)unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR);
  }
  (void)closedir(list);
}

void tmon_backup_remove(const char *folder) {
  int fd = open(folder, FOLDER_FLAGS);
  if (fd >= 0) remove_below(fd, 3);
  (void)rmdir(folder);
}
