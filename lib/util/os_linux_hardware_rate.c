/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Linux: counters since boot and the rates between two looks. Whole disks only, and none that lie on others (loop, device mapper, RAID): each byte counts
 * once. Of the network the cards that have a device, so that bridges, tunnels and bonds do not count twice; in a container, where none has one, all but the loopback.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os_linux_hardware.h"
#include "util/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SECTOR_BYTES 512.0 /* of /proc/diskstats, whatever the disk's own */
#define SET_BEGIN UINT64_C(14695981039346656037)

enum { NAME_BYTES = 64, CPU_FIELDS = 8, CPU_IDLE = 3, CPU_WAIT = 4, DISK_READ = 2, DISK_WRITE = 6, NET_SEND = 8 };

/* FNV-1a over the names, so that a device that comes or goes is noticed. */
static uint64_t add_name(uint64_t set, const char *name) {
  for (; *name; name++) set = (set ^ (unsigned char)*name) * UINT64_C(1099511628211);
  return (set ^ '/') * UINT64_C(1099511628211);
}

static bool is_name(const char *name) { return name[0] && name[0] != '.' && !strchr(name, '/'); }

static void read_cpu(tmon_hardware_counters *out) {
  char path[TMON_PROBE_PATH_BYTES];
  tmon_probe probe;
  if (!tmon_probe_path(path, "/proc/stat") || !tmon_probe_open(&probe, path)) return;
  const char *at = tmon_probe_line(&probe);
  double total = 0, idle = 0;
  int fields = 0;
  if (at && strncmp(at, "cpu ", 4) == 0) {
    at += 4;
    /* Guest time, which follows, is in user time already. */
    for (; fields < CPU_FIELDS; fields++) {
      double ticks = tmon_probe_take(&at);
      if (!(ticks >= 0)) break;
      total += ticks;
      if (fields == CPU_IDLE || fields == CPU_WAIT) idle += ticks;
    }
  }
  if (fields > CPU_IDLE) {
    out->cpu_total = total;
    out->cpu_busy = total - idle;
  }
  tmon_probe_close(&probe);
}

/* The next word of at most NAME_BYTES - 1 characters, up to `stop`; *at moves behind it. */
static bool take_word(char out[NAME_BYTES], const char **at, const char *stop) {
  const char *from = *at + strspn(*at, " \t");
  size_t length = strcspn(from, stop);
  if (length == 0 || length >= NAME_BYTES) return false;
  memcpy(out, from, length);
  out[length] = 0;
  *at = from + length;
  return true;
}

static bool is_whole_disk(const char *name) {
  static const char *const upon_others[] = {"loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd", "drbd"};
  char path[TMON_PROBE_PATH_BYTES];
  for (size_t i = 0; i < sizeof upon_others / sizeof *upon_others; i++)
    if (strncmp(name, upon_others[i], strlen(upon_others[i])) == 0) return false;
  return is_name(name) && tmon_probe_path(path, "/sys/block/%s", name) && tmon_probe_is_there(path);
}

static void read_disks(tmon_hardware_counters *out) {
  char path[TMON_PROBE_PATH_BYTES];
  char name[NAME_BYTES];
  tmon_probe probe;
  double read = 0, written = 0;
  uint64_t set = SET_BEGIN;
  const char *at;
  if (!tmon_probe_path(path, "/proc/diskstats") || !tmon_probe_open(&probe, path)) return;
  while ((at = tmon_probe_line(&probe))) {
    double values[DISK_WRITE + 1];
    bool whole = !isnan(tmon_probe_take(&at)) && !isnan(tmon_probe_take(&at)) && take_word(name, &at, " ");
    for (size_t i = 0; whole && i <= DISK_WRITE; i++) whole = (values[i] = tmon_probe_take(&at)) >= 0;
    if (!whole || !is_whole_disk(name)) continue;
    read += values[DISK_READ] * SECTOR_BYTES;
    written += values[DISK_WRITE] * SECTOR_BYTES;
    set = add_name(set, name);
  }
  tmon_probe_close(&probe);
  if (set == SET_BEGIN) return;
  out->disk_read = read;
  out->disk_write = written;
  out->disk_set = set;
}

/* [0]: cards with a device, [1]: all but the loopback. */
typedef struct net_sum {
  double receive;
  double send;
  uint64_t set;
} net_sum;

static void add_card(net_sum *sum, const char *name, double receive, double send) {
  sum->receive += receive;
  sum->send += send;
  sum->set = add_name(sum->set, name);
}

static void read_network(tmon_hardware_counters *out) {
  char path[TMON_PROBE_PATH_BYTES];
  char name[NAME_BYTES];
  tmon_probe probe;
  net_sum sums[2] = {{0, 0, SET_BEGIN}, {0, 0, SET_BEGIN}};
  const char *at;
  if (!tmon_probe_path(path, "/proc/self/net/dev") || !tmon_probe_open(&probe, path)) return;
  while ((at = tmon_probe_line(&probe))) {
    double values[NET_SEND + 1];
    if (!strchr(at, ':') || !take_word(name, &at, ":") || *at++ != ':' || !is_name(name) || strcmp(name, "lo") == 0) continue;
    bool whole = true;
    for (size_t i = 0; whole && i <= NET_SEND; i++) whole = (values[i] = tmon_probe_take(&at)) >= 0;
    if (!whole) continue;
    if (tmon_probe_path(path, "/sys/class/net/%s/device", name) && tmon_probe_is_there(path)) add_card(&sums[0], name, values[0], values[NET_SEND]);
    add_card(&sums[1], name, values[0], values[NET_SEND]);
  }
  tmon_probe_close(&probe);
  const net_sum *sum = sums[0].set != SET_BEGIN ? &sums[0] : &sums[1];
  if (sum->set == SET_BEGIN) return;
  out->network_receive = sum->receive;
  out->network_send = sum->send;
  out->network_set = sum->set;
}

void tmon_hardware_read_counters(tmon_hardware_counters *out) {
  struct timespec spent;
  *out = (tmon_hardware_counters){.cpu_busy = (double)NAN,
      .cpu_total = (double)NAN,
      .process_us = (double)NAN,
      .disk_read = (double)NAN,
      .disk_write = (double)NAN,
      .network_receive = (double)NAN,
      .network_send = (double)NAN};
  read_cpu(out);
  read_disks(out);
  read_network(out);
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent) == 0) out->process_us = (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
  out->time_us = tmon_clock_monotonic_us();
}

static double rate(double before, double now, double seconds) { return now >= before && seconds > 0 ? (now - before) / seconds : (double)NAN; }

void tmon_hardware_rate(tmon_hardware *out, const tmon_hardware_counters *before, const tmon_hardware_counters *now) {
  double seconds = before->time_us ? (double)(now->time_us - before->time_us) / 1e6 : 0;
  double busy = now->cpu_busy - before->cpu_busy;
  out->cpu_percent = out->process_cpu_percent = (double)NAN;
  out->disk_read_rate = out->disk_write_rate = out->network_receive_rate = out->network_send_rate = (double)NAN;
  if (!(seconds > 0)) return;
  /* Waiting time may go back a little, which makes others seem busier than there was time. */
  out->cpu_percent = tmon_probe_percent(busy < 0 ? 0 : busy, now->cpu_total - before->cpu_total);
  out->process_cpu_percent = rate(before->process_us, now->process_us, seconds * 1e4);
  if (before->disk_set == now->disk_set) {
    out->disk_read_rate = rate(before->disk_read, now->disk_read, seconds);
    out->disk_write_rate = rate(before->disk_write, now->disk_write, seconds);
  }
  if (before->network_set == now->network_set) {
    out->network_receive_rate = rate(before->network_receive, now->network_receive, seconds);
    out->network_send_rate = rate(before->network_send, now->network_send, seconds);
  }
}
