/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A log file in the `logs` folder of a store: lines are gathered and written a few times a second. */
#ifndef TRAINMON_SERVE_LOG_FILE_H
#define TRAINMON_SERVE_LOG_FILE_H
#include "util/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file is set aside as NAME.1 (one is kept) when it is over its limit; what a burst adds beyond the gathered limit is counted and left out. */
enum { TMON_LOG_FILE_LIMIT = 10 << 20, TMON_LOG_FILE_GATHERED = 64 << 10, TMON_LOG_FILE_PERIOD_US = 250000 };

typedef struct tmon_log_file {
  char *path; /* NULL: nothing is written */
  char *aside;
  tmon_buffer gathered;
  uint64_t left_out; /* lines, since the last one that was written */
  int64_t written_us;
} tmon_log_file;

/* `store` NULL: a log that writes nothing. TMON_ENOMEM. Makes no file before there is a line. */
int tmon_log_file_open(tmon_log_file *log, const char *store, const char *name);
/* Adds "TIME text\n". The text is one line: what a client sent goes through tmon_log_file_escape. */
void tmon_log_file_line(tmon_log_file *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Writes what was gathered when that is due; `now`: at once. A disk that fails loses lines, never the server. */
void tmon_log_file_flush(tmon_log_file *log, int64_t monotonic_us, bool now);
void tmon_log_file_close(tmon_log_file *log);
/* `text` so that it can't end a line or a quoted field: printable ASCII stays, the rest becomes \xHH. Cut where it does not fit. */
void tmon_log_file_escape(char *out, size_t size, const char *text);
#endif
