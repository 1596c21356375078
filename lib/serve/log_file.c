/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Log files. The file is opened for each write, so that several servers of a store and whoever moves the file aside need not agree. */
#include "serve/log_file.h"

#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"
#include "util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_BYTES = 4096 };

int tmon_log_file_open(tmon_log_file *log, const char *store, const char *name) {
  char *folder = NULL;
  memset(log, 0, sizeof *log);
  tmon_buffer_init(&log->gathered, TMON_LOG_FILE_GATHERED);
  if (store == NULL) {
    return TMON_OK;
  }
  folder = tmon_path_join(store, "logs");
  log->path = folder != NULL ? tmon_path_join(folder, name) : NULL;
  size_t size = log->path != NULL ? strlen(log->path) + 3 : 0;
  log->aside = size > 0 ? tmon_alloc(size) : NULL;
  if (log->aside != NULL) {
    (void)snprintf(log->aside, size, "%s.1", log->path);
  }
  tmon_free(folder);
  if (log->aside == NULL) {
    tmon_log_file_close(log);
    return tmon_error_no_memory();
  }
  return TMON_OK;
}

void tmon_log_file_escape(char *out, size_t size, const char *text) {
  size_t used = 0;
  for (; *text != '\0' && used + 5 <= size; text++) {
    unsigned char c = (unsigned char)*text;
    if (c > 0x20 && c < 0x7f && c != '"' && c != '\\') {
      out[used++] = (char)c;
    } else {
      used += (size_t)snprintf(out + used, 5, "\\x%02x", c);
    }
  }
  out[used] = '\0';
}

static void add(tmon_log_file *log, const char *text) {
  char time[TMON_ISO_TIME_BYTES];
  char line[LINE_BYTES + TMON_ISO_TIME_BYTES + 4];
  tmon_text_from_time(time, tmon_clock_now_us());
  int size = snprintf(line, sizeof line, "%s %s\n", time, text);
  if (size < 0 || log->gathered.size + (size_t)size > TMON_LOG_FILE_GATHERED - LINE_BYTES ||
      tmon_buffer_append(&log->gathered, line, (size_t)size) != TMON_OK) {
    log->gathered.error = TMON_OK; /* what was gathered before is whole */
    log->left_out++;
  }
}

void tmon_log_file_line(tmon_log_file *log, const char *format, ...) {
  char text[LINE_BYTES];
  va_list arguments;
  if (log->path == NULL) {
    return;
  }
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  add(log, text);
}

/* Opens the file to append, after setting it aside when it is full. Nothing but a plain file is written to. */
static int open_file(const tmon_log_file *log) {
  struct stat status;
  for (int attempt = 0; attempt < 2; attempt++) {
    int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
      if (fd >= 0) {
        (void)close(fd);
      }
      return -1;
    }
    if (status.st_size < TMON_LOG_FILE_LIMIT || attempt > 0 || rename(log->path, log->aside) != 0) {
      return fd;
    }
    (void)close(fd);
  }
  return -1;
}

static bool write_all(int fd, const uint8_t *data, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, data, size);
    if (written < 0 && errno != EINTR) {
      return false;
    }
    data += written > 0 ? written : 0;
    size -= written > 0 ? (size_t)written : 0;
  }
  return true;
}

static void make_folder(const tmon_log_file *log) {
  char *folder = tmon_strdup(log->path);
  if (folder != NULL) {
    *strrchr(folder, '/') = '\0';
    (void)tmon_folder_make(folder);
  }
  tmon_free(folder);
}

void tmon_log_file_flush(tmon_log_file *log, int64_t monotonic_us, bool now) {
  if (log->gathered.size == 0 || (!now && monotonic_us - log->written_us < TMON_LOG_FILE_PERIOD_US)) {
    return;
  }
  log->written_us = monotonic_us;
  if (log->left_out > 0) {
    char time[TMON_ISO_TIME_BYTES];
    tmon_text_from_time(time, tmon_clock_now_us());
    (void)tmon_buffer_append_format(&log->gathered, "%s left_out lines=%llu\n", time, (unsigned long long)log->left_out);
    log->left_out = 0;
  }
  int fd = open_file(log);
  if (fd < 0 && errno == ENOENT) {
    make_folder(log);
    fd = open_file(log);
  }
  if (fd >= 0) {
    (void)write_all(fd, log->gathered.data, log->gathered.size);
    (void)close(fd);
  }
  tmon_buffer_clear(&log->gathered);
}

void tmon_log_file_close(tmon_log_file *log) {
  if (log->path != NULL) {
    tmon_log_file_flush(log, 0, true);
  }
  tmon_buffer_free(&log->gathered);
  tmon_free(log->aside);
  tmon_free(log->path);
  log->aside = log->path = NULL;
}
