/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* logs/metrics.log: a line for each epoch row and each session that ends, whoever wrote them, read from the feed of changes. */
#ifndef TRAINMON_SERVE_METRICS_LOG_H
#define TRAINMON_SERVE_METRICS_LOG_H
#include "serve/log_file.h"
#include "trainmon/store.h"

#include <stdbool.h>

enum { TMON_METRICS_LOG_OPEN = 4096 };

typedef struct tmon_metrics_log {
  tmon_log_file file;
  bool started;
  int64_t cursor;
  int64_t looked_us;
  char (*open)[37]; /* sessions whose end is to be said: known as not ended; the oldest makes room */
  size_t open_count;
} tmon_metrics_log;

/* `folder` NULL: nothing is written. TMON_ENOMEM. */
int tmon_metrics_log_open(tmon_metrics_log *log, const char *folder);
/* Takes over what changed since the last call and writes what is due; the first call only learns what is there. */
void tmon_metrics_log_tick(tmon_metrics_log *log, tmon_store *store, int64_t monotonic_us);
/* The last changes too. */
void tmon_metrics_log_close(tmon_metrics_log *log, tmon_store *store);
#endif
