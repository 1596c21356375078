/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Trees that stand in for /proc, /sys and /etc of another machine, written into a folder of the test. */
#ifndef TRAINMON_TESTS_HARDWARE_TREE_H
#define TRAINMON_TESTS_HARDWARE_TREE_H
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char tree[256];

static inline void tree_begin(void) {
  const char *base = getenv("TMPDIR");
  (void)snprintf(tree, sizeof tree, "%s/trainmon-XXXXXX", base && *base ? base : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(tree));
}

static inline void tree_end(void) {
  char command[300];
  (void)snprintf(command, sizeof command, "rm -rf '%s'", tree);
  ck_assert_int_eq(system(command), 0);
}

static inline void tree_path(char out[600], const char *path) {
  (void)snprintf(out, 600, "%s%s", tree, path);
  for (char *at = out + strlen(tree) + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    (void)mkdir(out, 0777);
    *at = '/';
  }
}

static inline void tree_put_bytes(const char *path, const void *data, size_t size) {
  char full[600];
  tree_path(full, path);
  FILE *file = fopen(full, "wb");
  ck_assert_ptr_nonnull(file);
  if (size) ck_assert_uint_eq(fwrite(data, 1, size, file), size);
  ck_assert_int_eq(fclose(file), 0);
}

static inline void tree_put(const char *path, const char *text) { tree_put_bytes(path, text, strlen(text)); }

/* Copies a file of the machine that runs the test. */
static inline void tree_capture(const char *path) {
  static char data[1 << 20];
  FILE *file = fopen(path, "rb");
  if (!file) return;
  size_t size = fread(data, 1, sizeof data, file);
  (void)fclose(file);
  tree_put_bytes(path, data, size);
}

/* A Radeon with all its sensors, and beside it an Intel card and a plug. */
static inline void tree_put_amd(void) {
  tree_put("/sys/class/drm/card0/device/vendor", "0x8086\n");
  tree_put("/sys/class/drm/card1/device/vendor", "0x1002\n");
  tree_put("/sys/class/drm/card1/device/device", "0x744c\n");
  tree_put("/sys/class/drm/card1-DP-1/status", "connected\n");
  tree_put("/sys/class/drm/card1/device/gpu_busy_percent", "87\n");
  tree_put("/sys/class/drm/card1/device/mem_info_vram_total", "25753026560\n");
  tree_put("/sys/class/drm/card1/device/mem_info_vram_used", "6438256640\n");
  tree_put("/sys/class/drm/card1/device/hwmon/hwmon4/temp1_input", "61000\n");
  tree_put("/sys/class/drm/card1/device/hwmon/hwmon4/power1_average", "215000000\n");
  tree_put("/sys/class/drm/card1/device/hwmon/hwmon4/pwm1", "51\n");
}
#endif
