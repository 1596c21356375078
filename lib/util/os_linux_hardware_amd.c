/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: AMD's GPUs, whose driver shows its figures as files (kernel documentation: gpu/amdgpu/thermal, driver-misc). */
#include "os_linux_hardware.h"
#include "util/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void read_hwmon(tmon_gpu *gpu, unsigned card) {
  unsigned numbers[TMON_PROBE_ENTRIES];
  char path[TMON_PROBE_PATH_BYTES];
  if (!tmon_probe_path(path, "/sys/class/drm/card%u/device/hwmon", card) || tmon_probe_list(numbers, path, "hwmon") == 0) return;
  char folder[96];
  (void)snprintf(folder, sizeof folder, "/sys/class/drm/card%u/device/hwmon/hwmon%u", card, numbers[0]);
  gpu->temperature = tmon_probe_within(tmon_probe_number("%s/temp1_input", folder) / 1000, -60, 250);
  /* Microwatts; older cards give the mean, newer ones the present value. */
  double power = tmon_probe_number("%s/power1_average", folder);
  if (isnan(power)) power = tmon_probe_number("%s/power1_input", folder);
  gpu->power_watts = tmon_probe_within(power / 1e6, 0, 10000);
  gpu->fan_percent = tmon_probe_percent(tmon_probe_number("%s/pwm1", folder), 255);
}

void tmon_hardware_read_amd(tmon_hardware *out) {
  unsigned numbers[TMON_PROBE_ENTRIES];
  char path[TMON_PROBE_PATH_BYTES];
  char id[16];
  size_t count = tmon_probe_path(path, "/sys/class/drm") ? tmon_probe_list(numbers, path, "card") : 0;
  for (size_t i = 0; i < count && out->gpu_count < TMON_HARDWARE_GPUS; i++) {
    unsigned card = numbers[i];
    if (!tmon_probe_text(id, sizeof id, "/sys/class/drm/card%u/device/vendor", card) || strcmp(id, "0x1002") != 0) continue;
    tmon_gpu *gpu = &out->gpus[out->gpu_count++];
    *gpu = (tmon_gpu){.vendor = "amd", .temperature = (double)NAN, .power_watts = (double)NAN, .fan_percent = (double)NAN};
    if (!tmon_probe_text(gpu->name, sizeof gpu->name, "/sys/class/drm/card%u/device/product_name", card)) {
      (void)tmon_probe_text(id, sizeof id, "/sys/class/drm/card%u/device/device", card);
      (void)snprintf(gpu->name, sizeof gpu->name, "AMD GPU %s", id);
    }
    gpu->usage_percent = tmon_probe_within(tmon_probe_number("/sys/class/drm/card%u/device/gpu_busy_percent", card), 0, 100);
    gpu->memory_used_bytes = tmon_probe_within(tmon_probe_number("/sys/class/drm/card%u/device/mem_info_vram_used", card), 0, 1e15);
    gpu->memory_total_bytes = tmon_probe_within(tmon_probe_number("/sys/class/drm/card%u/device/mem_info_vram_total", card), 0, 1e15);
    gpu->memory_percent = tmon_probe_percent(gpu->memory_used_bytes, gpu->memory_total_bytes);
    read_hwmon(gpu, card);
  }
}
