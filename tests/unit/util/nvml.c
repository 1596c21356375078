/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A library with the binary interface of libnvidia-ml.so.1, as NVIDIA's "NVML API Reference Guide" has it: what the tests load in its place. FAKE_NVML chooses how it behaves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum { NVML_SUCCESS = 0, NVML_ERROR_NOT_SUPPORTED = 3, NVML_ERROR_DRIVER_NOT_LOADED = 9, NVML_ERROR_GPU_IS_LOST = 15 } nvmlReturn_t;
typedef enum { NVML_TEMPERATURE_GPU = 0 } nvmlTemperatureSensors_t;
typedef struct nvmlDevice_st {
  unsigned int number;
} * nvmlDevice_t;
typedef struct nvmlUtilization_st {
  unsigned int gpu;
  unsigned int memory;
} nvmlUtilization_t;
typedef struct nvmlMemory_st {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
} nvmlMemory_t;

static struct nvmlDevice_st devices[40];
static int ready;

nvmlReturn_t nvmlInit_v2(void);
nvmlReturn_t nvmlShutdown(void);
nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count);
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device);
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length);
nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *usage);
nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory);
nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *degrees);
nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *milliwatts);
nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *percent);

static int is(const char *how) {
  const char *chosen = getenv("FAKE_NVML");
  return chosen != NULL && strcmp(chosen, how) == 0;
}

nvmlReturn_t nvmlInit_v2(void) {
  if (is("no driver")) return NVML_ERROR_DRIVER_NOT_LOADED;
  ready++;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlShutdown(void) {
  ready--;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
  if (ready <= 0) abort();
  *count = is("many") ? 40 : 3;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
  if (index == 1) return NVML_ERROR_GPU_IS_LOST;
  devices[index].number = index;
  *device = &devices[index];
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) {
  if (is("hostile")) memset(name, '\xff', length);
  else (void)snprintf(name, length, "NVIDIA Test %u", device->number);
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *usage) {
  *usage = (nvmlUtilization_t){is("hostile") ? 4000000000u : 40 + device->number, 7};
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
  (void)device;
  *memory = (nvmlMemory_t){.total = 80ull << 30, .free = 60ull << 30, .used = 20ull << 30};
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor, unsigned int *degrees) {
  if (sensor != NVML_TEMPERATURE_GPU) return NVML_ERROR_NOT_SUPPORTED;
  *degrees = is("hostile") ? 4000000000u : 60 + device->number;
  return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *milliwatts) {
  (void)device;
  *milliwatts = 312500;
  return NVML_SUCCESS;
}

/* A card in a server has no fan of its own. */
nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned int *percent) {
  if (device->number != 0) return NVML_ERROR_NOT_SUPPORTED;
  *percent = 33;
  return NVML_SUCCESS;
}
