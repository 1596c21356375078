/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Linux: reads small text files of /proc and /sys through fixed buffers; no byte of them is trusted. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "os_linux_hardware.h"
#include "util/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAXIMUM = 4 << 20, DIGITS_MAXIMUM = 19, ENTRIES_READ_MAXIMUM = 4096 };

static char root[512]; /* "" but in tests */

void tmon_hardware_replace(const char *other, const char *library) {
  (void)tmon_text_copy(root, sizeof root, other);
  tmon_hardware_replace_nvidia(library);
}

static bool make_path(char out[TMON_PROBE_PATH_BYTES], const char *format, va_list arguments) {
  size_t used = strlen(root);
  memcpy(out, root, used + 1);
  int more = vsnprintf(out + used, TMON_PROBE_PATH_BYTES - used, format, arguments);
  return more >= 0 && (size_t)more < TMON_PROBE_PATH_BYTES - used;
}

bool tmon_probe_path(char out[TMON_PROBE_PATH_BYTES], const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  bool fits = make_path(out, format, arguments);
  va_end(arguments);
  return fits;
}

bool tmon_probe_open(tmon_probe *probe, const char *path) {
  probe->begin = probe->end = probe->read = 0;
  probe->skips = false;
  /* Not blocking: a pipe that lies there must not stop us. */
  probe->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  return probe->fd >= 0;
}

void tmon_probe_close(tmon_probe *probe) {
  if (probe->fd >= 0) close(probe->fd);
  probe->fd = -1;
}

/* Moves what is left to the front and reads on. False: nothing came. */
static bool fill(tmon_probe *probe) {
  memmove(probe->data, probe->data + probe->begin, probe->end - probe->begin);
  probe->end -= probe->begin;
  probe->begin = 0;
  if (probe->read >= FILE_BYTES_MAXIMUM) return false;
  ssize_t got;
  do got = read(probe->fd, probe->data + probe->end, sizeof probe->data - 1 - probe->end);
  while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  probe->end += (size_t)got;
  probe->read += (size_t)got;
  return true;
}

char *tmon_probe_line(tmon_probe *probe) {
  if (probe->fd < 0) return NULL;
  for (;;) {
    char *from = probe->data + probe->begin;
    char *stop = memchr(from, '\n', probe->end - probe->begin);
    if (stop) {
      bool skipped = probe->skips;
      *stop = 0;
      probe->begin = (size_t)(stop - probe->data) + 1;
      probe->skips = false;
      if (skipped) continue;
      return from;
    }
    if (probe->skips) probe->begin = probe->end;
    bool full = probe->begin == 0 && probe->end == sizeof probe->data - 1;
    if (!full && fill(probe)) continue;
    if (probe->begin == probe->end) return NULL;
    /* A line without an end, or the last one: given as far as it goes. */
    probe->data[probe->end] = 0;
    from = probe->data + probe->begin;
    probe->begin = probe->end;
    probe->skips = full;
    return from;
  }
}

double tmon_probe_take(const char **text) {
  const char *at = *text + strspn(*text, " \t");
  bool negative = *at == '-';
  at += negative;
  size_t digits = strspn(at, "0123456789");
  if (digits == 0 || digits > DIGITS_MAXIMUM) return (double)NAN;
  double value = 0;
  for (size_t i = 0; i < digits; i++) value = value * 10 + (at[i] - '0');
  *text = at + digits;
  return negative ? -value : value;
}

/* Reads a file that should be one short line. */
static bool read_short(char *out, size_t size, const char *path) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return false;
  ssize_t got;
  do got = read(fd, out, size - 1);
  while (got < 0 && errno == EINTR);
  close(fd);
  if (got <= 0) return false;
  out[got] = 0;
  return true;
}

double tmon_probe_number(const char *format, ...) {
  char path[TMON_PROBE_PATH_BYTES];
  char text[40];
  va_list arguments;
  va_start(arguments, format);
  bool fits = make_path(path, format, arguments);
  va_end(arguments);
  if (!fits || !read_short(text, sizeof text, path)) return (double)NAN;
  const char *at = text;
  double value = tmon_probe_take(&at);
  return at[strspn(at, " \t\n")] ? (double)NAN : value;
}

void tmon_probe_clean(char *out, size_t size, const char *text) {
  text += strspn(text, " \t\"");
  size_t used = 0;
  for (; used + 1 < size && *text && *text != '\n'; text++) out[used++] = *text >= ' ' && *text <= '~' ? *text : '?';
  while (used && (out[used - 1] == ' ' || out[used - 1] == '"')) used--;
  out[used] = 0;
}

bool tmon_probe_text(char *out, size_t size, const char *format, ...) {
  char path[TMON_PROBE_PATH_BYTES];
  char text[256];
  va_list arguments;
  va_start(arguments, format);
  bool fits = make_path(path, format, arguments);
  va_end(arguments);
  out[0] = 0;
  if (fits && read_short(text, sizeof text, path)) tmon_probe_clean(out, size, text);
  return out[0] != 0;
}

bool tmon_probe_is_there(const char *path) { return access(path, F_OK) == 0; }

bool tmon_probe_value(const char *line, const char *name, double *out) {
  size_t length = strlen(name);
  if (strncmp(line, name, length) != 0 || (line[length] != ':' && line[length] != ' ')) return false;
  line += length + 1;
  *out = tmon_probe_take(&line);
  return !isnan(*out);
}

static int compare(const void *a, const void *b) {
  unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
  return (left > right) - (left < right);
}

size_t tmon_probe_list(unsigned out[TMON_PROBE_ENTRIES], const char *path, const char *prefix) {
  DIR *folder = opendir(path);
  size_t length = strlen(prefix);
  size_t count = 0;
  if (!folder) return 0;
  for (size_t seen = 0; count < TMON_PROBE_ENTRIES && seen < ENTRIES_READ_MAXIMUM; seen++) {
    const struct dirent *entry = readdir(folder);
    if (!entry) break;
    const char *name = entry->d_name;
    if (strncmp(name, prefix, length) != 0) continue;
    size_t digits = strspn(name + length, "0123456789");
    /* "card0-DP-1" is a plug of card 0. */
    if (digits == 0 || digits > 6 || name[length + digits]) continue;
    unsigned number = 0;
    for (size_t i = 0; i < digits; i++) number = number * 10 + (unsigned)(name[length + i] - '0');
    out[count++] = number;
  }
  closedir(folder);
  qsort(out, count, sizeof *out, compare);
  return count;
}

double tmon_probe_within(double value, double low, double high) { return value >= low && value <= high ? value : (double)NAN; }

double tmon_probe_percent(double part, double whole) {
  if (!(whole > 0) || !(part >= 0)) return (double)NAN;
  double percent = 100 * part / whole;
  return percent > 100 ? 100 : percent;
}
