/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sensors of the machine and of this process. Nothing here fails or allocates: what is absent is NaN or empty. What the system says is taken for hostile text. */
#ifndef TRAINMON_UTIL_HARDWARE_H
#define TRAINMON_UTIL_HARDWARE_H
#include "trainmon/hardware.h"

#include <stdint.h>

#define TMON_HARDWARE_GPUS 16

/* Counters since boot, of which rates are made. Who wants rates keeps the counters of his last look. */
typedef struct tmon_hardware_counters {
  int64_t time_us; /* monotonic; 0: never read */
  double cpu_busy; /* ticks of all cores */
  double cpu_total;
  double process_us;
  double disk_read; /* bytes */
  double disk_write;
  uint64_t disk_set; /* which disks were summed up: with another set there is no rate */
  double network_receive;
  double network_send;
  uint64_t network_set;
} tmon_hardware_counters;

void tmon_hardware_clear(tmon_hardware *out); /* all NaN, no GPUs; keeps size and folder */
/* Fills all but rates and the figures of a file system. */
void tmon_hardware_read(tmon_hardware *out, tmon_hardware_counters *counters);
void tmon_hardware_read_folder(tmon_hardware *out, const char *folder);
/* The rates between two looks; NaN where a counter is missing, went back, or belongs to other devices than before. */
void tmon_hardware_rate(tmon_hardware *out, const tmon_hardware_counters *before, const tmon_hardware_counters *now);

/* What does not change while the machine runs. */
typedef struct tmon_hardware_about {
  char cpu[128]; /* "": not known */
  char os[128];
  char kernel[128];
  uint32_t cores; /* 0: not known */
  double memory_total_bytes;
  uint32_t gpu_count;
  char gpus[TMON_HARDWARE_GPUS][64];
} tmon_hardware_about;
void tmon_hardware_describe(tmon_hardware_about *out);

/* Tests only: another root for /proc, /sys and /etc, and another library in place of libnvidia-ml.so.1. NULL restores. While no other thread looks. */
void tmon_hardware_replace(const char *root, const char *library);
#endif
