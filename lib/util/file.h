/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Files by path. All return 0 or a negative tmon_error with its text. */
#ifndef TRAINMON_UTIL_FILE_H
#define TRAINMON_UTIL_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

char *tmon_path_join(const char *folder, const char *name); /* NULL: no memory */
int tmon_path_absolute(char **out, const char *path);       /* need not exist; symlinks not resolved */
bool tmon_file_exists(const char *path);
int tmon_folder_make(const char *path); /* with parents, mode 0777 & ~umask */
bool tmon_folder_is_writable(const char *path);
int tmon_file_read(char **out, size_t *size, const char *path, size_t maximum); /* NUL appended; TMON_ELIMIT when larger */
int tmon_file_write_atomic(const char *path, const void *data, size_t size, unsigned mode);
int tmon_file_remove(const char *path); /* missing is fine */
#endif
