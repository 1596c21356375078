/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The machine that trains and this process: load, memory, disk, network, temperatures, GPUs. */
#ifndef TRAINMON_HARDWARE_H
#define TRAINMON_HARDWARE_H

#include "export.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One GPU. A figure that the card or its driver does not give is NaN. */
typedef struct tmon_gpu {
  char name[64];
  char vendor[16];      /**< "nvidia" or "amd" */
  double usage_percent; /**< time with work on it, 0..100 */
  double memory_used_bytes;
  double memory_total_bytes;
  double memory_percent; /**< used of total */
  double temperature;    /**< degrees Celsius */
  double power_watts;
  double fan_percent; /**< of its full speed */
} tmon_gpu;

/**
 * What the sensors say; `size` is sizeof(tmon_hardware). A sensor that is absent is NaN, never 0. Rates are those since the sample before it. Percent are
 * 0..100 of the whole machine, `process_…` is this process. `folder` is given by the caller: the disk figures are those of its file system.
 */
typedef struct tmon_hardware {
  uint32_t size;
  uint32_t gpu_count;        /**< entries of `gpus` */
  const char *folder;        /**< in: a folder of the file system asked for, such as the store; NULL: no free and total of a disk */
  double cpu_percent;        /**< of all cores */
  double load_1;             /**< mean number of threads that run or want to, over 1 minute */
  double load_5;             /**< over 5 minutes */
  double load_15;            /**< over 15 minutes */
  double memory_total_bytes; /**< of the machine, or the limit of the control group where that is lower; so the next three */
  double memory_used_bytes;  /**< without what can be given back at once */
  double memory_free_bytes;  /**< that can be had without swapping */
  double memory_percent;     /**< used of total */
  double swap_total_bytes;
  double swap_used_bytes;
  double disk_total_bytes;     /**< of the file system of `folder` */
  double disk_free_bytes;      /**< that this user may fill */
  double disk_percent;         /**< used of what this user may use */
  double disk_read_rate;       /**< bytes a second, all disks of the machine */
  double disk_write_rate;      /**< bytes a second */
  double network_receive_rate; /**< bytes a second, all network cards but the loopback */
  double network_send_rate;    /**< bytes a second */
  double cpu_temperature;      /**< degrees Celsius, of the hottest package */
  double process_cpu_percent;  /**< of one core: 100 is one core at work, four give 400 */
  double process_resident_bytes;
  double process_threads;
  double process_descriptors; /**< open ones; the count stops at 65,536 */
  tmon_gpu gpus[16];          /**< NVIDIA's in the order of their driver, then AMD's */
} tmon_hardware;

/**
 * Reads the sensors of the machine and of this process. `out` has its `size` and perhaps `folder` set by the caller and is filled. Rates and CPU percent are those
 * since the last call in this process; a call within 100 ms of the one before it repeats them, the first call has none (NaN). A missing sensor never
 * fails the call. Any thread; takes below 2 ms, with GPUs as long as their driver does; the first call loads NVIDIA's libnvidia-ml.so.1 where it is there. In a
 * forked child whose parent has loaded it, NVIDIA's GPUs are absent. TMON_EINVAL: `out` is NULL or its `size` wrong. Since 0.1.
 */
TMON_API int tmon_hardware_sample(tmon_hardware *out);

/**
 * Gives the same as JSON: an object with `machine`, `process` and `gpus`, null where a sensor is absent. `out` receives the text; free it with tmon_text_free.
 * `folder` as in tmon_hardware, may be NULL. Threads and time as tmon_hardware_sample. TMON_EINVAL, TMON_ENOMEM. Since 0.1.
 */
TMON_API int tmon_hardware_json(char **out, const char *folder);

/**
 * Describes the machine as JSON: `cpu` (model), `cores`, `memory_bytes`, `gpu` (the first), `gpus` (names), `os`, `kernel`; nothing that names the machine or its user.
 * A session whose trainer gives no hardware_json keeps this one. Reads files only, loads no driver's library. `out` receives the text; free it with
 * tmon_text_free. Any thread. TMON_EINVAL, TMON_ENOMEM. Since 0.1.
 */
TMON_API int tmon_hardware_info_json(char **out);

#ifdef __cplusplus
}
#endif
#endif
