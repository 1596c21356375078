/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Linux: memory of the machine and of the control groups around this process. A container sees the whole machine in /proc/meminfo, but is killed at its
 * group's limit: so the lowest limit from our group up to the root is the total where it is lower than the machine's memory.
 */
#include "os_linux_hardware.h"

#include <math.h>
#include <string.h>

enum { GROUPS_MAXIMUM = 32 };

typedef struct group_files {
  const char *mount; /* before the group's path */
  const char *limit;
  const char *usage;
  const char *cache; /* of memory.stat: file pages that can be given back at once */
} group_files;

static const group_files version_2 = {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"};
static const group_files version_1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};

/* "0::/path" (version 2) or "4:memory:/path" (version 1, which wins: then version 2 does not count memory). Absent: "". */
static const group_files *find_group(char *out, size_t size) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  const group_files *found = NULL;
  const char *line;
  out[0] = 0;
  if (!tmon_probe_path(path, "/proc/self/cgroup") || !tmon_probe_open(&probe, path)) return NULL;
  while (found != &version_1 && (line = tmon_probe_line(&probe))) {
    const char *kinds = strchr(line, ':');
    const char *group = kinds ? strchr(kinds + 1, ':') : NULL;
    if (!group || group[1] != '/') continue;
    if (strncmp(line, "0::", 3) == 0) found = &version_2;
    else if ((size_t)(group - kinds - 1) == 6 && strncmp(kinds + 1, "memory", 6) == 0) found = &version_1;
    else continue;
    /* Outside of what our name space shows, or longer than any real one: only the root of the mount can be looked at. */
    size_t length = strlen(group + 1);
    if (length >= size || strstr(group, "/..")) length = 0;
    memcpy(out, group + 1, length);
    out[length] = 0;
  }
  tmon_probe_close(&probe);
  return found;
}

static double read_cache(const group_files *files, const char *group) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  double cache = 0;
  const char *line;
  if (!tmon_probe_path(path, "%s%s/memory.stat", files->mount, group) || !tmon_probe_open(&probe, path)) return 0;
  while ((line = tmon_probe_line(&probe)))
    if (tmon_probe_value(line, files->cache, &cache)) break;
  tmon_probe_close(&probe);
  return cache;
}

/* The lowest limit on the way up. A limit of version 1 that was never set is a number near 2^63; "max" of version 2 is none. */
static void apply_limits(tmon_hardware *out) {
  char group[512];
  const group_files *files = find_group(group, sizeof group);
  double limit = out->memory_total_bytes;
  double used = (double)NAN;
  for (int depth = 0; files && depth < GROUPS_MAXIMUM; depth++) {
    size_t length = strlen(group);
    if (length && group[length - 1] == '/') group[length - 1] = 0;
    double own = tmon_probe_number("%s%s/%s", files->mount, group, files->limit);
    double usage = tmon_probe_number("%s%s/%s", files->mount, group, files->usage);
    if (own > 0 && usage >= 0 && (own < limit || isnan(limit))) {
      double cache = read_cache(files, group);
      limit = own;
      used = usage > cache ? usage - cache : 0;
    }
    char *slash = strrchr(group, '/');
    if (!slash) break;
    *slash = 0;
  }
  if (isnan(used)) return;
  double left = limit > used ? limit - used : 0;
  out->memory_total_bytes = limit;
  out->memory_used_bytes = used;
  out->memory_free_bytes = out->memory_free_bytes < left ? out->memory_free_bytes : left;
}

void tmon_hardware_read_memory(tmon_hardware *out) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  double swap_free = (double)NAN;
  struct {
    const char *name;
    double *to;
  } wanted[] = {
      {"MemTotal", &out->memory_total_bytes}, {"MemAvailable", &out->memory_free_bytes}, {"SwapTotal", &out->swap_total_bytes}, {"SwapFree", &swap_free}};
  if (tmon_probe_path(path, "/proc/meminfo") && tmon_probe_open(&probe, path)) {
    const char *line;
    while ((line = tmon_probe_line(&probe))) {
      double kilobytes;
      for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        if (tmon_probe_value(line, wanted[i].name, &kilobytes)) *wanted[i].to = tmon_probe_within(kilobytes, 0, 1e15) * 1024;
    }
    tmon_probe_close(&probe);
  }
  if (out->memory_total_bytes >= out->memory_free_bytes) out->memory_used_bytes = out->memory_total_bytes - out->memory_free_bytes;
  if (out->swap_total_bytes >= swap_free) out->swap_used_bytes = out->swap_total_bytes - swap_free;
  apply_limits(out);
  out->memory_percent = tmon_probe_percent(out->memory_used_bytes, out->memory_total_bytes);
}
