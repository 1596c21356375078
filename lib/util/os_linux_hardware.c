/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: load, process, temperature, file system, and what the machine is. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os_linux_hardware.h"
#include "util/text.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { DESCRIPTORS_MAXIMUM = 65536, THREADS_FIELD = 20 };

void tmon_hardware_clear(tmon_hardware *out) {
  double *const figures[] = {&out->cpu_percent, &out->load_1, &out->load_5, &out->load_15, &out->memory_total_bytes, &out->memory_used_bytes,
      &out->memory_free_bytes, &out->memory_percent, &out->swap_total_bytes, &out->swap_used_bytes, &out->disk_total_bytes, &out->disk_free_bytes,
      &out->disk_percent, &out->disk_read_rate, &out->disk_write_rate, &out->network_receive_rate, &out->network_send_rate, &out->cpu_temperature,
      &out->process_cpu_percent, &out->process_resident_bytes, &out->process_threads, &out->process_descriptors};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) *figures[i] = (double)NAN;
  out->gpu_count = 0;
  memset(out->gpus, 0, sizeof out->gpus);
}

static void read_load(tmon_hardware *out) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  double *const loads[] = {&out->load_1, &out->load_5, &out->load_15};
  if (!tmon_probe_path(path, "/proc/loadavg") || !tmon_probe_open(&probe, path)) return;
  char *at = tmon_probe_line(&probe);
  for (size_t i = 0; at && i < 3; i++) {
    char *stop = strchr(at, ' ');
    if (!stop) break;
    *stop = 0;
    double value;
    if (tmon_text_to_double(at, &value)) *loads[i] = tmon_probe_within(value, 0, 1e9);
    at = stop + 1;
  }
  tmon_probe_close(&probe);
}

static void read_threads(tmon_hardware *out) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  if (!tmon_probe_path(path, "/proc/self/stat") || !tmon_probe_open(&probe, path)) return;
  char *line = tmon_probe_line(&probe);
  /* The name in the second field may hold anything, so fields are counted from the last bracket. */
  const char *at = line ? strrchr(line, ')') : NULL;
  for (int field = 2; at && field < THREADS_FIELD; field++) {
    at = strchr(at, ' ');
    if (at) at++;
  }
  if (at) out->process_threads = tmon_probe_within(tmon_probe_take(&at), 1, 1e9);
  tmon_probe_close(&probe);
}

static void read_descriptors(tmon_hardware *out) {
  char path[TMON_PROBE_PATH_BYTES];
  struct stat status;
  if (!tmon_probe_path(path, "/proc/self/fd")) return;
  /* Since Linux 6.2 the folder's size is their number. */
  if (stat(path, &status) == 0 && status.st_size > 0 && strcmp(path, "/proc/self/fd") == 0) {
    out->process_descriptors = status.st_size > DESCRIPTORS_MAXIMUM ? DESCRIPTORS_MAXIMUM : (double)status.st_size;
    return;
  }
  DIR *folder = opendir(path);
  if (!folder) return;
  double count = 0;
  const struct dirent *entry;
  while (count < DESCRIPTORS_MAXIMUM && (entry = readdir(folder))) count += entry->d_name[0] != '.';
  closedir(folder);
  /* Less the one that reads the folder, in a real one. */
  out->process_descriptors = count > 0 && strcmp(path, "/proc/self/fd") == 0 ? count - 1 : count;
}

static void read_resident(tmon_hardware *out) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  if (!tmon_probe_path(path, "/proc/self/statm") || !tmon_probe_open(&probe, path)) return;
  const char *at = tmon_probe_line(&probe);
  if (at && !isnan(tmon_probe_take(&at))) out->process_resident_bytes = tmon_probe_within(tmon_probe_take(&at), 0, 1e15) * (double)sysconf(_SC_PAGESIZE);
  tmon_probe_close(&probe);
}

static bool is_cpu_sensor(const char *name) {
  static const char *const names[] = {
      "coretemp", "k10temp", "zenpower", "k8temp", "cpu_thermal", "cpu-thermal", "soc_thermal", "x86_pkg_temp", "soc-thermal"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  return strncmp(name, "cpu", 3) == 0;
}

static double hotter(double known, double value) { return isnan(known) || value > known ? value : known; }

static void read_temperature(tmon_hardware *out) {
  unsigned numbers[TMON_PROBE_ENTRIES];
  char path[TMON_PROBE_PATH_BYTES];
  char name[64];
  size_t count = tmon_probe_path(path, "/sys/class/hwmon") ? tmon_probe_list(numbers, path, "hwmon") : 0;
  for (size_t i = 0; i < count; i++) {
    if (!tmon_probe_text(name, sizeof name, "/sys/class/hwmon/hwmon%u/name", numbers[i]) || !is_cpu_sensor(name)) continue;
    double value = tmon_probe_within(tmon_probe_number("/sys/class/hwmon/hwmon%u/temp1_input", numbers[i]) / 1000, -60, 250);
    if (!isnan(value)) out->cpu_temperature = hotter(out->cpu_temperature, value);
  }
  if (!isnan(out->cpu_temperature)) return;
  count = tmon_probe_path(path, "/sys/class/thermal") ? tmon_probe_list(numbers, path, "thermal_zone") : 0;
  for (size_t i = 0; i < count; i++) {
    if (!tmon_probe_text(name, sizeof name, "/sys/class/thermal/thermal_zone%u/type", numbers[i]) || !is_cpu_sensor(name)) continue;
    double value = tmon_probe_within(tmon_probe_number("/sys/class/thermal/thermal_zone%u/temp", numbers[i]) / 1000, -60, 250);
    if (!isnan(value)) out->cpu_temperature = hotter(out->cpu_temperature, value);
  }
}

void tmon_hardware_read_folder(tmon_hardware *out, const char *folder) {
  struct statvfs status;
  if (!folder || statvfs(folder, &status) != 0 || status.f_blocks == 0) return;
  double unit = (double)(status.f_frsize ? status.f_frsize : status.f_bsize);
  double used = (double)status.f_blocks - (double)status.f_bfree;
  out->disk_total_bytes = unit * (double)status.f_blocks;
  out->disk_free_bytes = unit * (double)status.f_bavail;
  /* As df counts: blocks kept for root are neither used nor to be had. */
  out->disk_percent = tmon_probe_percent(used, used + (double)status.f_bavail);
}

void tmon_hardware_read(tmon_hardware *out, tmon_hardware_counters *counters) {
  tmon_hardware_clear(out);
  tmon_hardware_read_counters(counters);
  read_load(out);
  tmon_hardware_read_memory(out);
  read_temperature(out);
  read_threads(out);
  read_resident(out);
  read_descriptors(out);
  tmon_hardware_read_nvidia(out);
  tmon_hardware_read_amd(out);
}

static void describe_cpu(tmon_hardware_about *out) {
  static const char *const names[] = {"model name", "Model", "Hardware", "cpu model", "cpu"};
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  const char *line;
  if (tmon_probe_path(path, "/proc/stat") && tmon_probe_open(&probe, path)) {
    /* The lines "cpuN" of the cores come first. */
    while ((line = tmon_probe_line(&probe)) && strncmp(line, "cpu", 3) == 0) out->cores += line[3] >= '0' && line[3] <= '9';
    tmon_probe_close(&probe);
  }
  if (!tmon_probe_path(path, "/proc/cpuinfo") || !tmon_probe_open(&probe, path)) return;
  while (!out->cpu[0] && (line = tmon_probe_line(&probe))) {
    const char *colon = strchr(line, ':');
    size_t length = strcspn(line, "\t:");
    for (size_t i = 0; colon && !out->cpu[0] && i < sizeof names / sizeof *names; i++)
      if (strlen(names[i]) == length && strncmp(line, names[i], length) == 0) tmon_probe_clean(out->cpu, sizeof out->cpu, colon + 1);
  }
  tmon_probe_close(&probe);
}

static void describe_system(tmon_hardware_about *out) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  const char *line;
  (void)tmon_probe_text(out->kernel, sizeof out->kernel, "/proc/sys/kernel/osrelease");
  if (tmon_probe_path(path, "/etc/os-release") && tmon_probe_open(&probe, path)) {
    while ((line = tmon_probe_line(&probe)))
      if (strncmp(line, "PRETTY_NAME=", 12) == 0) tmon_probe_clean(out->os, sizeof out->os, line + 12);
    tmon_probe_close(&probe);
  }
  if (!out->os[0]) (void)tmon_text_copy(out->os, sizeof out->os, "Linux");
}

/* The driver's own files name the cards; the library, which may take long to load, is not needed. */
static void describe_nvidia(tmon_hardware_about *out) {
  char path[TMON_PROBE_PATH_BYTES];
  DIR *folder = tmon_probe_path(path, "/proc/driver/nvidia/gpus") ? opendir(path) : NULL;
  const struct dirent *entry;
  tmon_probe probe;
  const char *line;
  if (!folder) return;
  while (out->gpu_count < TMON_HARDWARE_GPUS && (entry = readdir(folder))) {
    if (entry->d_name[0] == '.') continue;
    if (!tmon_probe_path(path, "/proc/driver/nvidia/gpus/%s/information", entry->d_name) || !tmon_probe_open(&probe, path)) continue;
    while ((line = tmon_probe_line(&probe))) {
      if (strncmp(line, "Model:", 6) != 0) continue;
      tmon_probe_clean(out->gpus[out->gpu_count++], sizeof out->gpus[0], line + 6 + strspn(line + 6, " \t"));
      break;
    }
    tmon_probe_close(&probe);
  }
  closedir(folder);
}

void tmon_hardware_describe(tmon_hardware_about *out) {
  tmon_hardware now;
  memset(out, 0, sizeof *out);
  tmon_hardware_clear(&now);
  tmon_hardware_read_memory(&now);
  tmon_hardware_read_amd(&now);
  out->memory_total_bytes = now.memory_total_bytes;
  describe_cpu(out);
  describe_system(out);
  describe_nvidia(out);
  for (uint32_t i = 0; i < now.gpu_count && out->gpu_count < TMON_HARDWARE_GPUS; i++)
    (void)tmon_text_copy(out->gpus[out->gpu_count++], sizeof out->gpus[0], now.gpus[i].name);
}
