/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Linux: NVIDIA's GPUs through NVML (NVIDIA's "NVML API Reference Guide": device queries, nvmlUtilization_t, version 1 of nvmlMemory_t). The library comes
 * with the driver, so it is loaded when the first sample is taken, never linked, and stays loaded: NVML counts the inits of a process, and closing it would
 * cost the next sample its start again. Its calls may be made by any thread. A forked child leaves it alone: its locks may have been held at the fork.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os_linux_hardware.h"
#include "util/os.h"
#include "util/text.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define LIBRARY "libnvidia-ml.so.1"

enum { SUCCESS = 0, TEMPERATURE_OF_GPU = 0, NAME_BYTES = 96 };

typedef struct device *device_handle;
typedef struct usage {
  unsigned int gpu; /* percent of the last sample period */
  unsigned int memory;
} usage;
typedef struct memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
} memory;

/* nvmlReturn_t is an enumeration, passed as int. */
typedef struct nvml {
  int (*init)(void);
  int (*shutdown)(void);
  int (*count)(unsigned int *);
  int (*handle)(unsigned int, device_handle *);
  int (*name)(device_handle, char *, unsigned int);
  int (*usage)(device_handle, usage *);
  int (*memory)(device_handle, memory *);
  int (*temperature)(device_handle, int, unsigned int *);
  int (*power)(device_handle, unsigned int *); /* milliwatts */
  int (*fan)(device_handle, unsigned int *);
} nvml;

/* Guarded by `mutex`, which is taken by the process `owner` only; written until `tried`. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static _Atomic int64_t owner; /* the process that tried first. Relaxed: a child sees the value its parent left */
static bool tried;
static void *loaded;
static nvml calls;
static char path_of_library[512];

/* POSIX has dlsym give functions as object pointers; ISO C converts neither way, but copies. */
static void find(void *function, const char *name) {
  void *symbol = dlsym(loaded, name);
  memcpy(function, &symbol, sizeof symbol);
}

static void close_library(void) {
  if (loaded && calls.shutdown) (void)calls.shutdown();
  if (loaded) (void)dlclose(loaded);
  loaded = NULL;
}

static void load_library(void) {
  tried = true;
  memset(&calls, 0, sizeof calls);
  loaded = dlopen(path_of_library[0] ? path_of_library : LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (!loaded) return;
  find(&calls.init, "nvmlInit_v2");
  if (calls.init && calls.init() == SUCCESS) {
    find(&calls.shutdown, "nvmlShutdown");
    find(&calls.count, "nvmlDeviceGetCount_v2");
    find(&calls.handle, "nvmlDeviceGetHandleByIndex_v2");
    find(&calls.name, "nvmlDeviceGetName");
    find(&calls.usage, "nvmlDeviceGetUtilizationRates");
    find(&calls.memory, "nvmlDeviceGetMemoryInfo");
    find(&calls.temperature, "nvmlDeviceGetTemperature");
    find(&calls.power, "nvmlDeviceGetPowerUsage");
    find(&calls.fan, "nvmlDeviceGetFanSpeed");
    if (calls.count && calls.handle) return;
  }
  close_library();
}

void tmon_hardware_replace_nvidia(const char *library) {
  pthread_mutex_lock(&mutex);
  close_library();
  tried = false;
  atomic_store_explicit(&owner, 0, memory_order_relaxed);
  (void)tmon_text_copy(path_of_library, sizeof path_of_library, library);
  pthread_mutex_unlock(&mutex);
}

/* False: not there, or not ours to use. */
static bool is_usable(void) {
  int64_t nobody = 0;
  int64_t self = tmon_process_id();
  if (!atomic_compare_exchange_strong_explicit(&owner, &nobody, self, memory_order_relaxed, memory_order_relaxed) && nobody != self) return false;
  pthread_mutex_lock(&mutex);
  if (!tried) load_library();
  bool usable = loaded != NULL;
  pthread_mutex_unlock(&mutex);
  return usable;
}

static double ask(int (*call)(device_handle, unsigned int *), device_handle device) {
  unsigned int value = 0;
  return call && call(device, &value) == SUCCESS ? (double)value : (double)NAN;
}

static void read_device(tmon_gpu *gpu, device_handle device) {
  char name[NAME_BYTES] = "";
  usage busy = {0, 0};
  memory bytes = {0, 0, 0};
  unsigned int degrees = 0;
  *gpu = (tmon_gpu){
      .vendor = "nvidia", .usage_percent = (double)NAN, .memory_used_bytes = (double)NAN, .memory_total_bytes = (double)NAN, .temperature = (double)NAN};
  if (!calls.name || calls.name(device, name, sizeof name - 1) != SUCCESS || !name[0]) (void)tmon_text_copy(name, sizeof name, "NVIDIA GPU");
  name[sizeof name - 1] = 0;
  tmon_probe_clean(gpu->name, sizeof gpu->name, name);
  if (calls.usage && calls.usage(device, &busy) == SUCCESS) gpu->usage_percent = tmon_probe_within((double)busy.gpu, 0, 100);
  if (calls.memory && calls.memory(device, &bytes) == SUCCESS) {
    gpu->memory_used_bytes = (double)bytes.used;
    gpu->memory_total_bytes = (double)bytes.total;
  }
  gpu->memory_percent = tmon_probe_percent(gpu->memory_used_bytes, gpu->memory_total_bytes);
  if (calls.temperature && calls.temperature(device, TEMPERATURE_OF_GPU, &degrees) == SUCCESS)
    gpu->temperature = tmon_probe_within((double)degrees, 0, 250);
  gpu->power_watts = tmon_probe_within(ask(calls.power, device) / 1000, 0, 10000);
  /* The intended speed, which the documentation lets exceed 100. */
  gpu->fan_percent = tmon_probe_within(ask(calls.fan, device), 0, 1000);
}

void tmon_hardware_read_nvidia(tmon_hardware *out) {
  unsigned int count = 0;
  if (!is_usable() || calls.count(&count) != SUCCESS) return;
  for (unsigned int i = 0; i < count && out->gpu_count < TMON_HARDWARE_GPUS; i++) {
    device_handle device = NULL;
    /* A card that is lost keeps its place, so that the numbers of the others stay. */
    tmon_gpu *gpu = &out->gpus[out->gpu_count++];
    if (calls.handle(i, &device) == SUCCESS) read_device(gpu, device);
    else
      *gpu = (tmon_gpu){.name = "NVIDIA GPU",
          .vendor = "nvidia",
          .usage_percent = (double)NAN,
          .memory_used_bytes = (double)NAN,
          .memory_total_bytes = (double)NAN,
          .memory_percent = (double)NAN,
          .temperature = (double)NAN,
          .power_watts = (double)NAN,
          .fan_percent = (double)NAN};
  }
}
