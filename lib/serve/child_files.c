/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The files of started trainings in logs/: what there is, and the note from which the next server adopts one. The note decides whom a server may signal,
 * so only one that this user wrote, and nobody else can write, is believed. */
#include "serve/child.h"

#include "serve/server_private.h"

#include "trainmon/error.h"
#include "trainmon/store.h"
#include "util/alloc.h"
#include "util/buffer.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"
#include "util/json.h"
#include "util/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NOTE_BYTES = 4096, ID_BYTES = 36 };

static const char name_begin[] = "session-";

static char *make_path(tmon_server *server, const char *name, const char *id, const char *suffix) {
  tmon_store_info info;
  tmon_buffer path;
  tmon_buffer_init(&path, 1 << 16);
  if (tmon_store_get_info(&info, server->store) == TMON_OK) {
    (void)tmon_buffer_append_format(&path, "%s/logs%s%s%s", info.path, name, id, suffix);
  }
  char *text = path.size > 0 ? tmon_buffer_take(&path) : NULL;
  tmon_buffer_free(&path);
  return text;
}

char *tmon_child_output_path(tmon_server *server, const char *id) { return make_path(server, "/session-", id, ".log"); }

static char *note_path(tmon_server *server, const char *id) { return make_path(server, "/session-", id, ".run"); }

/* True: `name` is session-ID and the suffix, and a plain file. */
static bool read_entry(tmon_child_file *out, int folder, const char *name, const char *suffix) {
  struct stat status;
  size_t begin = sizeof name_begin - 1;
  if (strncmp(name, name_begin, begin) != 0 || strlen(name) != begin + ID_BYTES + strlen(suffix) || strcmp(name + begin + ID_BYTES, suffix) != 0) {
    return false;
  }
  memcpy(out->id, name + begin, ID_BYTES);
  out->id[ID_BYTES] = '\0';
  if (!tmon_id_is_valid(out->id) || fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(status.st_mode)) {
    return false;
  }
  out->size = (int64_t)status.st_size;
  out->changed_us = (int64_t)status.st_mtim.tv_sec * 1000000 + status.st_mtim.tv_nsec / 1000;
  return true;
}

int tmon_child_files(tmon_child_file **out, size_t *count, tmon_server *server, const char *suffix) {
  const struct dirent *entry = NULL;
  size_t capacity = 0;
  int code = TMON_OK;
  *out = NULL;
  *count = 0;
  char *path = make_path(server, "", "", "");
  DIR *folder = path != NULL ? opendir(path) : NULL;
  while (code == TMON_OK && folder != NULL && (entry = readdir(folder)) != NULL) {
    if (*count == capacity) {
      capacity = capacity > 0 ? capacity * 2 : 64;
      tmon_child_file *larger = tmon_realloc(*out, capacity, sizeof **out);
      code = larger != NULL ? TMON_OK : tmon_error_no_memory();
      *out = larger != NULL ? larger : *out;
    }
    if (code == TMON_OK) {
      *count += read_entry(&(*out)[*count], dirfd(folder), entry->d_name, suffix);
    }
  }
  if (folder != NULL) {
    (void)closedir(folder);
  }
  tmon_free(path);
  return code;
}

/* ---- the note ---- */

static int open_note(tmon_lock *lock, tmon_server *server, const char *id, bool create) {
  lock->fd = -1;
  char *path = note_path(server, id);
  int code = path != NULL ? tmon_lock_open(lock, path, create) : tmon_error_no_memory();
  if (code == TMON_OK) {
    code = tmon_lock_acquire(lock, 0);
  }
  tmon_free(path);
  return code;
}

int tmon_child_note_write(tmon_lock *lock, tmon_server *server, const char *id, const tmon_child_note *note) {
  tmon_buffer text;
  tmon_json_writer json;
  tmon_buffer_init(&text, NOTE_BYTES);
  tmon_json_begin(&json, &text);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_int(&json, "pid", note->supervisor.pid);
  tmon_json_put_int(&json, "start_ticks", note->supervisor.start_ticks);
  tmon_json_put_text(&json, "boot_id", note->supervisor.boot_id);
  tmon_json_put_text(&json, "host", note->supervisor.host);
  tmon_json_put_text(&json, "recipe", note->recipe);
  tmon_json_put_int(&json, "grace_us", note->grace_us);
  tmon_json_close(&json, '}');
  int code = text.error == TMON_OK ? open_note(lock, server, id, true) : text.error;
  if (code == TMON_OK && (fchmod(lock->fd, 0600) != 0 || pwrite(lock->fd, text.data, text.size, 0) != (ssize_t)text.size)) {
    code = tmon_error_set_os(errno, "can't note what runs for session %s", id);
    tmon_child_note_remove(lock, server, id);
  }
  tmon_buffer_free(&text);
  return code;
}

static bool take_text(char *out, size_t size, const tmon_json *document, const char *name) {
  const char *text = tmon_json_text(tmon_json_get(document, name));
  if (text == NULL || strlen(text) >= size) {
    return false;
  }
  (void)tmon_text_copy(out, size, text);
  return true;
}

static int read_note(tmon_child_note *out, int fd) {
  char text[NOTE_BYTES];
  struct stat status;
  tmon_json *document = NULL;
  if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return tmon_error_set(TMON_EACCESS, "the note of a running training is another's, or others may write it");
  }
  ssize_t got = pread(fd, text, sizeof text, 0);
  if (got < 0 || tmon_json_parse(&document, text, (size_t)got) != TMON_OK) {
    return tmon_error_set(TMON_ECORRUPT, "the note of a running training can't be read");
  }
  *out = (tmon_child_note){.grace_us = 0};
  bool good = tmon_json_int(tmon_json_get(document, "pid"), &out->supervisor.pid) &&
      tmon_json_int(tmon_json_get(document, "start_ticks"), &out->supervisor.start_ticks) &&
      tmon_json_int(tmon_json_get(document, "grace_us"), &out->grace_us) &&
      take_text(out->supervisor.boot_id, sizeof out->supervisor.boot_id, document, "boot_id") &&
      take_text(out->supervisor.host, sizeof out->supervisor.host, document, "host") && take_text(out->recipe, sizeof out->recipe, document, "recipe");
  tmon_json_free(document);
  return good ? TMON_OK : tmon_error_set(TMON_ECORRUPT, "the note of a running training is not complete");
}

int tmon_child_note_take(tmon_child_note *out, tmon_lock *lock, tmon_server *server, const char *id) {
  int code = open_note(lock, server, id, false);
  if (code == TMON_OK) {
    code = read_note(out, lock->fd);
  }
  if (code != TMON_OK) {
    tmon_lock_close(lock);
  }
  return code;
}

void tmon_child_note_remove(tmon_lock *lock, tmon_server *server, const char *id) {
  if (lock->fd < 0) {
    return;
  }
  char *path = note_path(server, id);
  if (path != NULL) {
    (void)tmon_file_remove(path); /* one that stays names a process that has ended */
  }
  tmon_free(path);
  tmon_lock_close(lock);
}
