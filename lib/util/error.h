/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Setting the thread's last error. */
#ifndef TRAINMON_UTIL_ERROR_H
#define TRAINMON_UTIL_ERROR_H
#include "trainmon/error.h"

/* Stores the text in fixed thread-local storage (never allocates) and returns `code`. One line, no full stop. */
int tmon_error_set(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, naming the argument or JSON field at fault. */
int tmon_error_set_field(int code, const char *field, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same as tmon_error_set for a failed system call: picks the code from `os_errno` (ENOSPC and EDQUOT: EFULL, EACCES and EPERM: EACCESS, ENOENT: ENOTFOUND, EEXIST: EEXISTS,
 * EROFS: EREADONLY, ENOMEM: ENOMEM, else EIO) and appends ": strerror". */
int tmon_error_set_os(int os_errno, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tmon_error_no_memory(void); /* TMON_ENOMEM with its text */

#ifdef __clang_analyzer__
/* The analyzer sees one file at a time; told nothing, it follows paths on which a call that reports an error returns TMON_OK. */
#define tmon_error_set(code, ...) (tmon_error_set((code), __VA_ARGS__), (code))
#define tmon_error_set_field(code, ...) (tmon_error_set_field((code), __VA_ARGS__), (code))
#define tmon_error_set_os(os_errno, ...) (tmon_error_set_os((os_errno), __VA_ARGS__), TMON_EIO)
#define tmon_error_no_memory() (tmon_error_no_memory(), TMON_ENOMEM)
#endif
#endif
