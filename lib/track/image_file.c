/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Files by content: media/ab/abcdef… A draft is written and synced without any lock; it becomes the file, and a file goes, only with the store's lock held,
 * so that nobody removes a file between another's look at it and the row that names it. Below the store's folder no link is followed.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "track/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HASH_DIGITS (TMON_SHA256_TEXT_BYTES - 1)
#define DRAFT_AGE_S 600
#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

bool tmon_hash_is_valid(const char *hash) {
  return hash != NULL && strnlen(hash, HASH_DIGITS + 1) == HASH_DIGITS && strspn(hash, "0123456789abcdef") == HASH_DIGITS;
}

static int open_below(int parent, const char *name, bool make) {
  int fd = openat(parent, name, FOLDER_FLAGS);
  if (fd >= 0 || errno != ENOENT || !make) return fd;
  if (mkdirat(parent, name, 0777) != 0 && errno != EEXIST) return -1;
  (void)fsync(parent); /* some file systems can't; the folder is there either way */
  return openat(parent, name, FOLDER_FLAGS);
}

/* media/, or media/ab/ for a hash. Closed by the caller. */
static int open_folder(int *out, const tmon_store *store, const char *hash, bool make) {
  const char *folder = tmon_db_folder(store->db);
  char shard[3] = {0};
  int media = -1;
  int failure = 0;
  int base = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (base >= 0) media = open_below(base, "media", make);
  if (media < 0) failure = errno;
  if (base >= 0) close(base);
  *out = media;
  if (failure == 0 && hash != NULL) {
    memcpy(shard, hash, 2);
    *out = open_below(media, shard, make);
    if (*out < 0) failure = errno;
    close(media);
  }
  return failure == 0 ? TMON_OK : tmon_error_set_os(failure, "the folder media of the store %s can't be opened", folder);
}

static int write_whole(int fd, const void *data, size_t size, const char *name) {
  const char *from = data;
  while (size > 0) {
    ssize_t put = write(fd, from, size);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return tmon_error_set_os(put < 0 ? errno : EIO, "media file %s can't be written", name);
    from += put;
    size -= (size_t)put;
  }
  return fsync(fd) == 0 ? TMON_OK : tmon_error_set_os(errno, "media file %s can't be written", name);
}

static bool is_whole(int folder, const char *hash, size_t size) {
  struct stat status;
  return fstatat(folder, hash, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size == size;
}

static int write_draft(char draft[TMON_DRAFT_BYTES], int folder, const char *hash, const void *data, size_t size) {
  uint32_t number = 0;
  int result = tmon_random_bytes(&number, sizeof number);
  if (result != TMON_OK) return result;
  (void)snprintf(draft, TMON_DRAFT_BYTES, "%s.%08x.part", hash, number);
  int fd = openat(folder, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) {
    draft[0] = '\0';
    return tmon_error_set_os(errno, "media file %s can't be made", hash);
  }
  result = write_whole(fd, data, size, hash);
  close(fd);
  if (result != TMON_OK) {
    (void)unlinkat(folder, draft, 0);
    draft[0] = '\0';
  }
  return result;
}

int tmon_media_prepare(char draft[TMON_DRAFT_BYTES], const tmon_store *store, const char *hash, const void *data, size_t size) {
  int folder = -1;
  draft[0] = '\0';
  int result = open_folder(&folder, store, hash, true);
  if (result != TMON_OK) return result;
  if (!is_whole(folder, hash, size)) result = write_draft(draft, folder, hash, data, size);
  close(folder);
  return result;
}

int tmon_media_place(const tmon_store *store, const char *hash, const char *draft, const void *data, size_t size) {
  char late[TMON_DRAFT_BYTES] = "";
  int folder = -1;
  int result = open_folder(&folder, store, hash, true);
  if (result != TMON_OK) return result;
  if (is_whole(folder, hash, size)) {
    if (draft[0] != '\0') (void)unlinkat(folder, draft, 0);
    goto out;
  }
  /* It was there when the draft was left out, and was removed since. */
  if (draft[0] == '\0') {
    result = write_draft(late, folder, hash, data, size);
    draft = late;
  }
  if (result == TMON_OK && renameat(folder, draft, folder, hash) != 0) {
    result = tmon_error_set_os(errno, "media file %s can't be placed", hash);
    if (late[0] != '\0') (void)unlinkat(folder, late, 0);
  }
  if (result == TMON_OK) (void)fsync(folder); /* the name before the row that tells of it */
out:
  close(folder);
  return result;
}

void tmon_media_forget(const tmon_store *store, const char *hash, const char *draft) {
  int folder = -1;
  if (draft[0] == '\0' || open_folder(&folder, store, hash, false) != TMON_OK) return;
  (void)unlinkat(folder, draft, 0);
  close(folder);
}

int tmon_media_remove(const tmon_store *store, const char *hash) {
  int folder = -1;
  int result = open_folder(&folder, store, hash, false);
  if (result == TMON_ENOTFOUND) return TMON_OK;
  if (result != TMON_OK) return result;
  if (unlinkat(folder, hash, 0) != 0 && errno != ENOENT) result = tmon_error_set_os(errno, "media file %s can't be removed", hash);
  close(folder);
  return result;
}

static int read_whole(void *out, int fd, size_t size, const char *hash) {
  char *to = out;
  while (size > 0) {
    ssize_t got = read(fd, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return tmon_error_set_os(errno, "media file %s can't be read", hash);
    if (got == 0) return tmon_error_set(TMON_ECORRUPT, "media file %s is shorter than its row says", hash);
    to += got;
    size -= (size_t)got;
  }
  return TMON_OK;
}

int tmon_media_load(void **out, const tmon_store *store, const char *hash, size_t size) {
  struct stat status;
  char found[TMON_SHA256_TEXT_BYTES];
  void *data = NULL;
  int folder = -1;
  int fd = -1;
  int result = open_folder(&folder, store, hash, false);
  if (result != TMON_OK) return result;
  /* Without O_NONBLOCK a pipe of that name would wait for its writer. */
  fd = openat(folder, hash, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) != 0) {
    result =
        errno == ELOOP ? tmon_error_set(TMON_ECORRUPT, "media file %s is a link", hash) : tmon_error_set_os(errno, "media file %s can't be opened", hash);
    goto out;
  }
  if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != size) {
    result = tmon_error_set(TMON_ECORRUPT, "media file %s has %lld bytes, its row says %zu", hash, (long long)status.st_size, size);
    goto out;
  }
  data = tmon_alloc(size);
  result = data == NULL ? tmon_error_no_memory() : read_whole(data, fd, size, hash);
  if (result != TMON_OK) goto out;
  tmon_sha256_text(found, data, size);
  if (strcmp(found, hash) != 0) result = tmon_error_set(TMON_ECORRUPT, "media file %s has the content %s", hash, found);
out:
  if (fd >= 0) close(fd);
  close(folder);
  if (result == TMON_OK) *out = data;
  else tmon_free(data);
  return result;
}

static void remove_old_draft(int folder, const char *name) {
  struct stat status;
  size_t length = strlen(name);
  if (length != HASH_DIGITS + 14 || strcmp(name + length - 5, ".part") != 0) return;
  if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && time(NULL) - status.st_mtime > DRAFT_AGE_S) (void)unlinkat(folder, name, 0);
}

/* `fd` is closed with the directory. What can't be opened has nothing of ours. */
static int walk_folder(tmon_store *store, int fd, const char *shard, int (*look)(tmon_store *store, const char *hash)) {
  const struct dirent *entry = NULL;
  int result = TMON_OK;
  DIR *directory = fdopendir(fd);
  if (directory == NULL) {
    close(fd);
    return TMON_OK;
  }
  while (result == TMON_OK && (entry = readdir(directory)) != NULL) {
    if (tmon_hash_is_valid(entry->d_name) && memcmp(entry->d_name, shard, 2) == 0) result = look(store, entry->d_name);
    else remove_old_draft(fd, entry->d_name);
  }
  (void)closedir(directory);
  return result;
}

int tmon_media_walk(tmon_store *store, int (*look)(tmon_store *store, const char *hash)) {
  int media = -1;
  int result = open_folder(&media, store, NULL, false);
  if (result != TMON_OK) return result == TMON_ENOTFOUND ? TMON_OK : result;
  for (unsigned i = 0; result == TMON_OK && i < 256; i++) {
    char shard[3];
    (void)snprintf(shard, sizeof shard, "%02x", i);
    int fd = openat(media, shard, FOLDER_FLAGS);
    if (fd >= 0) result = walk_folder(store, fd, shard, look);
  }
  close(media);
  return result;
}
