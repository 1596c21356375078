/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Error codes and the text of the last error. */
#ifndef TRAINMON_ERROR_H
#define TRAINMON_ERROR_H

#include "export.h"

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What a fallible call returns. The numbers are fixed for ever; new ones are appended. */
typedef enum tmon_error {
  TMON_DONE = 1, /**< an iteration has no further item (not an error) */
  TMON_OK = 0,
  TMON_EINVAL = -1,        /**< an argument is not allowed; nothing was changed */
  TMON_ENOMEM = -2,        /**< memory could not be had */
  TMON_EIO = -3,           /**< the system refused a read or write for another reason than those below */
  TMON_ENOTFOUND = -4,     /**< no such store, session, metric or row */
  TMON_EEXISTS = -5,       /**< it exists already */
  TMON_EBUSY = -6,         /**< another process holds the lock and did not release it in time */
  TMON_EFULL = -7,         /**< no space: disk or memory file system */
  TMON_EREADONLY = -8,     /**< the store was opened read-only or lies in a folder that can't be written */
  TMON_ECORRUPT = -9,      /**< the file is not what it claims to be */
  TMON_EVERSION = -10,     /**< written by a newer version */
  TMON_EFORKED = -11,      /**< called in a forked child on an object of its parent */
  TMON_ESTATE = -12,       /**< not allowed in the present state, such as logging to a finished session */
  TMON_ELIMIT = -13,       /**< over a documented limit */
  TMON_EDROPPED = -14,     /**< the point was dropped and counted: the ring is full and nothing was drained for 100 ms */
  TMON_EUSER = -15,        /**< a callback asked to stop */
  TMON_EUNSUPPORTED = -16, /**< this build or this system lacks what the call needs */
  TMON_EACCESS = -17       /**< permission denied */
} tmon_error;

/**
 * Returns the text of the last error on this thread: one line, what was found and what was expected; "" before any error.
 * Valid until the next failing call on this thread. Any thread. Never fails, never NULL. Since 0.1.
 */
TMON_API const char *tmon_error_message(void);

/**
 * Returns the name of the argument or JSON field that the last error on this thread is about, such as "epoch"; NULL where none is at fault.
 * Valid until the next failing call on this thread. Any thread. Never fails. Since 0.1.
 */
TMON_API const char *tmon_error_field(void);

/**
 * Copies the text of the last error on this thread, for callers that move to another thread before they report.
 * `out` receives at most `size` bytes with the final NUL, cut at a character; NULL or 0 copies nothing.
 * Returns the length of the whole text without NUL. Never fails. Since 0.1.
 */
TMON_API size_t tmon_error_copy(char *out, size_t size);

/**
 * Returns the name of a code, such as "TMON_EINVAL"; "TMON_EUNKNOWN" for a number that is none.
 * Static text. Any thread. Never fails. Since 0.1.
 */
TMON_API const char *tmon_error_name(int code);

#ifdef __cplusplus
}
#endif
#endif
