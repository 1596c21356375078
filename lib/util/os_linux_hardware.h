/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the files os_linux_hardware*.c share: reading small text files of the system through fixed buffers. */
#ifndef TRAINMON_UTIL_OS_LINUX_HARDWARE_H
#define TRAINMON_UTIL_OS_LINUX_HARDWARE_H
#include "util/hardware.h"

#include <stdbool.h>
#include <stddef.h>

#define TMON_PROBE_PATH_BYTES 1024
#define TMON_PROBE_LINE_BYTES 4096
#define TMON_PROBE_ENTRIES 64

/* A file read line by line. A line that does not fit is cut, the rest of it skipped; a file ends after 4 MiB at the latest. */
typedef struct tmon_probe {
  int fd; /* -1: the file is not there */
  size_t begin;
  size_t end;
  size_t read;
  bool skips; /* up to the next line break */
  char data[TMON_PROBE_LINE_BYTES];
} tmon_probe;

/* Paths are formats below the root. */
bool tmon_probe_path(char out[TMON_PROBE_PATH_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));
bool tmon_probe_open(tmon_probe *probe, const char *path);
char *tmon_probe_line(tmon_probe *probe); /* without its line break, valid until the next call; NULL: no more */
void tmon_probe_close(tmon_probe *probe);
/* The decimal number that begins at *text, after blanks; *text moves behind it. NaN: there is none. */
double tmon_probe_take(const char **text);
/* The one number of a file; NaN when it is not there or holds anything else. */
double tmon_probe_number(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The first line of a file as printable ASCII; false and "" when there is none. */
bool tmon_probe_text(char *out, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
void tmon_probe_clean(char *out, size_t size, const char *text); /* trims, and puts '?' for what is not printable ASCII */
bool tmon_probe_is_there(const char *path);
bool tmon_probe_value(const char *line, const char *name, double *out); /* of "name: 12 kB" and "name 12": the number as it stands */
/* Numbers of the entries "PREFIXnumber" of a folder, ascending, at most TMON_PROBE_ENTRIES. */
size_t tmon_probe_list(unsigned out[TMON_PROBE_ENTRIES], const char *path, const char *prefix);
double tmon_probe_percent(double part, double whole);            /* 0..100, NaN when it makes no sense */
double tmon_probe_within(double value, double low, double high); /* NaN when it lies outside */

void tmon_hardware_read_memory(tmon_hardware *out);
void tmon_hardware_read_counters(tmon_hardware_counters *out);
void tmon_hardware_read_amd(tmon_hardware *out);    /* adds to `gpus` */
void tmon_hardware_read_nvidia(tmon_hardware *out); /* adds to `gpus` */
void tmon_hardware_replace_nvidia(const char *library);
#endif
