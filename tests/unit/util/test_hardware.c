/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sensors read from trees of files: a captured machine, containers, an AMD card, NVML's interface, and files that lie. */
#include "util/hardware.h"
#include "help.h"
#include "unit/hardware_tree.h"
#include "util/clock.h"
#include "util/text.h"

#include <math.h>
#include <sys/wait.h>

static tmon_hardware now;
static tmon_hardware_counters counters;

static void set_up(void) {
  tree_begin();
  tmon_hardware_replace(tree, "/nowhere/libnvidia-ml.so.1");
}

static void tear_down(void) {
  tmon_hardware_replace(NULL, NULL);
  tree_end();
}

static void read_tree(void) { tmon_hardware_read(&now, &counters); }

static void near(double value, double expected) { ck_assert_msg(fabs(value - expected) <= 1e-6 * fabs(expected), "%g, expected %g", value, expected); }

static void put_counters(const char *cpu, const char *disks, const char *cards) {
  tree_put("/proc/stat", cpu);
  tree_put("/proc/diskstats", disks);
  tree_put("/proc/self/net/dev", cards);
}

START_TEST(an_empty_tree_has_no_sensor) {
  read_tree();
  const double *first = &now.cpu_percent;
  for (const double *at = first; at <= &now.process_descriptors; at++) ck_assert_msg(isnan(*at), "figure %d is %g", (int)(at - first), *at);
  ck_assert_uint_eq(now.gpu_count, 0);
  tmon_hardware_about about;
  tmon_hardware_describe(&about);
  ck_assert_str_eq(about.cpu, "");
  ck_assert_uint_eq(about.cores, 0);
}
END_TEST

START_TEST(this_machine_captured_reads_as_live) {
  static const char *const files[] = {"/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/cpuinfo", "/proc/diskstats", "/proc/self/net/dev",
      "/proc/self/stat", "/proc/self/statm", "/proc/sys/kernel/osrelease", "/etc/os-release"};
  tmon_hardware live;
  tmon_hardware_about about, captured;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) tree_capture(files[i]);
  read_tree();
  tmon_hardware_describe(&captured);
  tmon_hardware_replace(NULL, "/nowhere/libnvidia-ml.so.1");
  tmon_hardware_read(&live, &counters);
  tmon_hardware_describe(&about);
  ck_assert(live.memory_total_bytes > 0 && live.memory_total_bytes <= now.memory_total_bytes);
  ck_assert(now.memory_used_bytes > 0 && now.memory_free_bytes > 0);
  near(now.memory_used_bytes + now.memory_free_bytes, now.memory_total_bytes);
  ck_assert(live.process_threads >= 1 && live.process_resident_bytes > 100000 && live.process_descriptors >= 3);
  near(now.process_threads, live.process_threads);
  ck_assert(isnan(live.load_1) == isnan(now.load_1));
  ck_assert_str_eq(captured.cpu, about.cpu);
  ck_assert_str_eq(captured.os, about.os);
  ck_assert_uint_eq(captured.cores, (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
}
END_TEST

START_TEST(rates_between_two_looks) {
  tmon_hardware_counters before;
  tree_put("/sys/block/sda/size", "1");
  tree_put("/sys/block/dm-0/size", "1");
  tree_put("/sys/class/net/eth0/device/vendor", "1");
  put_counters("cpu  100 0 50 800 50 0 0 0 30 0\ncpu0 1 2 3 4\n",
      "8 0 sda 10 0 1000 0 20 0 3000 0 0 0 0\n8 1 sda1 10 0 1000 0 20 0 3000 0\n253 0 dm-0 10 0 900 0 20 0 2900 0\n",
      "a|b\n  lo: 9000 0 0 0 0 0 0 0 9000 0 0\n  eth0: 1000 1 0 0 0 0 0 0 500 0 0\n docker0:7 0 0 0 0 0 0 0 7 0 0\n");
  tmon_hardware_read(&now, &before);
  put_counters("cpu  160 0 50 830 60 0 0 0 99 0\n",
      "8 0 sda 10 0 5000 0 20 0 3200 0 0 0 0\n8 1 sda1 10 0 5000 0 20 0 3000 0\n253 0 dm-0 10 0 4900 0 20 0 2900 0\n",
      "a|b\n  lo: 99999 0 0 0 0 0 0 0 9000 0 0\n  eth0: 7000 1 0 0 0 0 0 0 2500 0 0\n docker0:7777 0 0 0 0 0 0 0 7 0 0\n");
  read_tree();
  counters.time_us = before.time_us + 2000000;
  counters.process_us = before.process_us + 3000000;
  tmon_hardware_rate(&now, &before, &counters);
  near(now.cpu_percent, 60);
  near(now.process_cpu_percent, 150);
  near(now.disk_read_rate, 4000 * 512 / 2.0);
  near(now.disk_write_rate, 200 * 512 / 2.0);
  near(now.network_receive_rate, 3000);
  near(now.network_send_rate, 1000);
}
END_TEST

START_TEST(counters_that_go_back_or_change_devices_have_no_rate) {
  tmon_hardware_counters before;
  tree_put("/sys/block/sda/size", "1");
  tree_put("/sys/block/sdb/size", "1");
  put_counters("cpu  100 0 50 800 50 0 0 0\n", "8 0 sda 1 0 5000 0 1 0 3000 0\n", "eth0: 1000 1 0 0 0 0 0 0 500 0\n");
  tmon_hardware_read(&now, &before);
  put_counters("cpu  90 0 50 800 50 0 0 0\n", "8 0 sda 1 0 6000 0 1 0 3000 0\n8 16 sdb 1 0 9000 0 1 0 3000 0\n", "eth0: 900 1 0 0 0 0 0 0 600 0\n");
  read_tree();
  counters.time_us = before.time_us + 1000000;
  tmon_hardware_rate(&now, &before, &counters);
  ck_assert(isnan(now.cpu_percent) && isnan(now.disk_read_rate) && isnan(now.disk_write_rate) && isnan(now.network_receive_rate));
  near(now.network_send_rate, 100);
  /* Waiting time goes back a little on real machines; the rest is still of use. */
  put_counters("cpu  190 0 50 800 40 0 0 0\n", "", "");
  read_tree();
  tmon_hardware_rate(&now, &before, &counters);
  ck_assert(now.cpu_percent <= 100 && isnan(now.network_send_rate));
  /* No look before: no rate. */
  before.time_us = 0;
  counters.time_us = 1000;
  tmon_hardware_rate(&now, &before, &counters);
  ck_assert(isnan(now.cpu_percent) && isnan(now.process_cpu_percent));
}
END_TEST

#define MEMINFO "MemTotal: 16777216 kB\nMemFree: 1 kB\nMemAvailable: 8388608 kB\nSwapTotal: 2048 kB\nSwapFree: 512 kB\n"
#define GIB (1024.0 * 1024 * 1024)

START_TEST(limits_of_control_groups) {
  tree_put("/proc/meminfo", MEMINFO);
  read_tree();
  near(now.memory_total_bytes, 16 * GIB);
  near(now.memory_percent, 50);
  near(now.swap_used_bytes, 1536 * 1024);
  /* Version 2: our group has no limit, the one above has. */
  tree_put("/proc/self/cgroup", "0::/box/job\n");
  tree_put("/sys/fs/cgroup/box/job/memory.max", "max\n");
  tree_put("/sys/fs/cgroup/box/job/memory.current", "1073741824\n");
  tree_put("/sys/fs/cgroup/box/memory.max", "4294967296\n");
  tree_put("/sys/fs/cgroup/box/memory.current", "3221225472\n");
  tree_put("/sys/fs/cgroup/box/memory.stat", "anon 5\ninactive_file 1073741824\nactive_file 7\n");
  read_tree();
  near(now.memory_total_bytes, 4 * GIB);
  near(now.memory_used_bytes, 2 * GIB);
  near(now.memory_free_bytes, 2 * GIB);
  near(now.memory_percent, 50);
  /* A limit above the machine's memory is none. */
  tree_put("/sys/fs/cgroup/box/memory.max", "99999999999999\n");
  read_tree();
  near(now.memory_total_bytes, 16 * GIB);
  /* Version 1, whose path is that of the host: only the root of the mount is there. */
  tree_put("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory2:/\n3:memory:/docker/abc\n0::/\n");
  tree_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n");
  tree_put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "536870912\n");
  read_tree();
  near(now.memory_total_bytes, 2 * GIB);
  near(now.memory_percent, 25);
  tree_put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  read_tree();
  near(now.memory_total_bytes, 16 * GIB);
}
END_TEST

START_TEST(temperatures) {
  tree_put("/sys/class/thermal/thermal_zone0/type", "acpitz\n");
  tree_put("/sys/class/thermal/thermal_zone0/temp", "99000\n");
  read_tree();
  ck_assert(isnan(now.cpu_temperature)); /* of the case, not of the processor */
  tree_put("/sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n");
  tree_put("/sys/class/thermal/thermal_zone1/temp", "48500\n");
  read_tree();
  near(now.cpu_temperature, 48.5);
  tree_put("/sys/class/hwmon/hwmon0/name", "nvme\n");
  tree_put("/sys/class/hwmon/hwmon0/temp1_input", "70000\n");
  tree_put("/sys/class/hwmon/hwmon2/name", "coretemp\n");
  tree_put("/sys/class/hwmon/hwmon2/temp1_input", "51000\n");
  tree_put("/sys/class/hwmon/hwmon3/name", "coretemp\n");
  tree_put("/sys/class/hwmon/hwmon3/temp1_input", "55000\n");
  read_tree();
  near(now.cpu_temperature, 55);
  tree_put("/sys/class/hwmon/hwmon3/temp1_input", "-274000\n");
  read_tree();
  near(now.cpu_temperature, 51);
}
END_TEST

START_TEST(an_amd_card) {
  tmon_hardware_about about;
  tree_put_amd();
  read_tree();
  ck_assert_uint_eq(now.gpu_count, 1);
  ck_assert_str_eq(now.gpus[0].vendor, "amd");
  ck_assert_str_eq(now.gpus[0].name, "AMD GPU 0x744c");
  near(now.gpus[0].usage_percent, 87);
  near(now.gpus[0].memory_percent, 25);
  near(now.gpus[0].temperature, 61);
  near(now.gpus[0].power_watts, 215);
  near(now.gpus[0].fan_percent, 20);
  tree_put("/sys/class/drm/card1/device/product_name", "Radeon RX 7900 XTX\n");
  tree_put("/sys/class/drm/card1/device/gpu_busy_percent", "101\n");
  tree_put("/sys/class/drm/card1/device/mem_info_vram_total", "0\n");
  read_tree();
  ck_assert_str_eq(now.gpus[0].name, "Radeon RX 7900 XTX");
  ck_assert(isnan(now.gpus[0].usage_percent) && isnan(now.gpus[0].memory_percent));
  tree_put("/proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H200\nIRQ: 5\n");
  tmon_hardware_describe(&about);
  ck_assert_uint_eq(about.gpu_count, 2);
  ck_assert_str_eq(about.gpus[0], "NVIDIA H200");
  ck_assert_str_eq(about.gpus[1], "Radeon RX 7900 XTX");
}
END_TEST

START_TEST(nvidia_cards_through_their_library) {
  tree_put_amd();
  tmon_hardware_replace(tree, TMON_TEST_NVML);
  read_tree();
  ck_assert_uint_eq(now.gpu_count, 4);
  ck_assert_str_eq(now.gpus[0].vendor, "nvidia");
  ck_assert_str_eq(now.gpus[0].name, "NVIDIA Test 0");
  near(now.gpus[0].usage_percent, 40);
  near(now.gpus[0].memory_used_bytes, 20 * GIB);
  near(now.gpus[0].memory_total_bytes, 80 * GIB);
  near(now.gpus[0].memory_percent, 25);
  near(now.gpus[0].temperature, 60);
  near(now.gpus[0].power_watts, 312.5);
  near(now.gpus[0].fan_percent, 33);
  /* The lost card keeps its place. */
  ck_assert(isnan(now.gpus[1].usage_percent) && isnan(now.gpus[1].fan_percent) && isnan(now.gpus[1].power_watts));
  ck_assert_str_eq(now.gpus[2].name, "NVIDIA Test 2");
  near(now.gpus[2].usage_percent, 42);
  ck_assert(isnan(now.gpus[2].fan_percent));
  ck_assert_str_eq(now.gpus[3].vendor, "amd");
  pid_t child = fork();
  if (child == 0) {
    read_tree();
    _exit(now.gpu_count == 1 && strcmp(now.gpus[0].vendor, "amd") == 0 ? 0 : 1);
  }
  int status = -1;
  ck_assert(waitpid(child, &status, 0) == child && status == 0);
}
END_TEST

START_TEST(nvidia_libraries_that_fail_or_lie) {
  ck_assert_int_eq(setenv("FAKE_NVML", "no driver", 1), 0);
  tmon_hardware_replace(tree, TMON_TEST_NVML);
  read_tree();
  ck_assert_uint_eq(now.gpu_count, 0);
  ck_assert_int_eq(setenv("FAKE_NVML", "many", 1), 0);
  tmon_hardware_replace(tree, TMON_TEST_NVML);
  read_tree();
  ck_assert_uint_eq(now.gpu_count, 16);
  ck_assert_int_eq(setenv("FAKE_NVML", "hostile", 1), 0);
  read_tree();
  ck_assert(isnan(now.gpus[0].usage_percent) && isnan(now.gpus[0].temperature));
  ck_assert_uint_eq(strspn(now.gpus[0].name, "?"), sizeof now.gpus[0].name - 1);
  ck_assert_int_eq(unsetenv("FAKE_NVML"), 0);
  /* A library that has nothing of the kind. */
  tmon_hardware_replace(tree, "libm.so.6");
  read_tree();
  ck_assert_uint_eq(now.gpu_count, 0);
}
END_TEST

static const char *const texts[] = {"/proc/stat", "/proc/meminfo", "/proc/loadavg", "/proc/cpuinfo", "/proc/diskstats", "/proc/self/net/dev",
    "/proc/self/stat", "/proc/self/statm", "/proc/self/cgroup", "/proc/sys/kernel/osrelease", "/etc/os-release", "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat", "/sys/class/hwmon/hwmon0/name", "/sys/class/hwmon/hwmon0/temp1_input",
    "/sys/class/drm/card0/device/gpu_busy_percent", "/sys/class/drm/card0/device/product_name", "/sys/class/drm/card0/device/hwmon/hwmon0/temp1_input",
    "/proc/driver/nvidia/gpus/0/information"};
enum { TEXTS = sizeof texts / sizeof *texts };

/* Whatever was read: percent are percent, texts are printable. */
static void check_sane(void) {
  const double percents[] = {now.cpu_percent, now.memory_percent, now.gpus[0].usage_percent, now.gpus[0].memory_percent};
  tmon_hardware_counters later = counters;
  tmon_hardware_about about;
  later.time_us += 1000000;
  tmon_hardware_rate(&now, &counters, &later);
  for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) ck_assert(isnan(percents[i]) || (percents[i] >= 0 && percents[i] <= 100));
  ck_assert(isnan(now.memory_total_bytes) || now.memory_total_bytes >= 0);
  ck_assert_uint_le(now.gpu_count, 16);
  tmon_hardware_describe(&about);
  ck_assert(tmon_text_is_utf8(about.cpu, strlen(about.cpu)) && tmon_text_is_utf8(about.os, strlen(about.os)));
  ck_assert(tmon_text_is_utf8(now.gpus[0].name, strlen(now.gpus[0].name)));
}

static uint64_t random_bits(uint64_t *state) /* splitmix64 */
{
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  return z ^ (z >> 27);
}

START_TEST(files_of_noise) {
  static const char alphabet[] = "0123456789999  ::\n\n\t-/.cpuMemTotalkBmaxlo\xff\x01"
                                 "eth0)(";
  static char noise[20000];
  uint64_t state = 7;
  tree_put("/sys/class/drm/card0/device/vendor", "0x1002");
  tree_put("/sys/block/cpu/size", "1");
  for (int round = 0; round < 60; round++) {
    for (size_t t = 0; t < TEXTS; t++) {
      size_t size = round % 3 == 0 ? 3 + random_bits(&state) % 40 : random_bits(&state) % sizeof noise;
      for (size_t i = 0; i < size; i++) noise[i] = round % 7 == 6 ? (char)random_bits(&state) : alphabet[random_bits(&state) % (sizeof alphabet - 1)];
      tree_put_bytes(texts[t], noise, size);
    }
    read_tree();
    check_sane();
  }
}
END_TEST

START_TEST(files_that_are_none) {
  char path[600];
  for (size_t t = 0; t < TEXTS; t++) {
    tree_path(path, texts[t]);
    /* Folders, pipes without a writer, links that go round. */
    int failed = t % 3 == 0 ? mkdir(path, 0777) : t % 3 == 1 ? mkfifo(path, 0666) : symlink(path, path);
    ck_assert_int_eq(failed, 0);
  }
  tree_put("/sys/class/drm/card0/device/vendor", "0x1002");
  read_tree();
  check_sane();
  ck_assert(isnan(now.memory_total_bytes) && isnan(now.load_1));
}
END_TEST

START_TEST(long_lines_and_odd_numbers) {
  static char line[3 * 4096 + 200];
  memset(line, 'x', sizeof line);
  static const char rest[] = "\nMemTotal: 1000 kB\nMemAvailable: 99999999999999999999999 kB\nMemAvailable: 400 kB";
  memcpy(line + 3 * 4096, rest, sizeof rest - 1);
  tree_put_bytes("/proc/meminfo", line, 3 * 4096 + sizeof rest - 1);
  tree_put("/proc/self/stat", "1 (a) b) ) R 1 1 1 0 -1 4194304 1 0 0 0 1 1 0 0 20 0 7 0 100 1 1");
  tree_put("/proc/loadavg", "1.25 nan 1e999 1/2 3\n");
  read_tree();
  near(now.memory_total_bytes, 1000 * 1024);
  near(now.memory_percent, 60);
  near(now.process_threads, 7);
  near(now.load_1, 1.25);
  ck_assert(isnan(now.load_5) && isnan(now.load_15));
  tree_put("/proc/self/cgroup", "0::/../../../etc\n");
  tree_put("/sys/fs/cgroup/memory.max", "512000\n");
  tree_put("/sys/fs/cgroup/memory.current", "128000\n");
  read_tree();
  near(now.memory_total_bytes, 512000);
}
END_TEST

START_TEST(disk_of_a_folder) {
  tmon_hardware_clear(&now);
  tmon_hardware_read_folder(&now, "/nowhere/at/all");
  tmon_hardware_read_folder(&now, NULL);
  ck_assert(isnan(now.disk_total_bytes));
  tmon_hardware_read_folder(&now, tree);
  ck_assert(now.disk_total_bytes > 0 && now.disk_free_bytes <= now.disk_total_bytes && now.disk_percent >= 0);
}
END_TEST

/* Prints; a time is no test. */
START_TEST(what_a_look_costs) {
  enum { LOOKS = 200 };
  tmon_hardware_replace(NULL, "/nowhere/libnvidia-ml.so.1");
  int64_t begin = tmon_clock_monotonic_us();
  tmon_hardware_read(&now, &counters);
  double process = counters.process_us;
  for (int i = 0; i < LOOKS; i++) tmon_hardware_read(&now, &counters);
  double each = (counters.process_us - process) / LOOKS;
  printf("a look at the sensors without GPU: %.0f us of processor, %.0f us in all; once a second %.3f %% of a core\n", each,
      (double)(tmon_clock_monotonic_us() - begin) / (LOOKS + 1), each / 1e4);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("util/hardware");
  TCase *tests = tcase_create("hardware");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, an_empty_tree_has_no_sensor);
  tcase_add_test(tests, this_machine_captured_reads_as_live);
  tcase_add_test(tests, rates_between_two_looks);
  tcase_add_test(tests, counters_that_go_back_or_change_devices_have_no_rate);
  tcase_add_test(tests, limits_of_control_groups);
  tcase_add_test(tests, temperatures);
  tcase_add_test(tests, an_amd_card);
  tcase_add_test(tests, nvidia_cards_through_their_library);
  tcase_add_test(tests, nvidia_libraries_that_fail_or_lie);
  tcase_add_test(tests, files_of_noise);
  tcase_add_test(tests, files_that_are_none);
  tcase_add_test(tests, long_lines_and_odd_numbers);
  tcase_add_test(tests, disk_of_a_folder);
  tcase_add_test(tests, what_a_look_costs);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
