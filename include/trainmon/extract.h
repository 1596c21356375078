/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Full data out of a store: CSV, JSON Lines, TensorBoard. */
#ifndef TRAINMON_EXTRACT_H
#define TRAINMON_EXTRACT_H

#include "export.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The form of what comes out; docs/reference/extract.md has each to the byte. */
typedef enum tmon_extract_format {
  TMON_EXTRACT_CSV = 0,        /**< RFC 4180 with a header line */
  TMON_EXTRACT_JSONL = 1,      /**< one JSON object a line */
  TMON_EXTRACT_TENSORBOARD = 2 /**< an event file of scalars; values become 32-bit floats */
} tmon_extract_format;

/** What comes out. */
typedef enum tmon_extract_what {
  TMON_EXTRACT_POINTS = 0, /**< every logged point of every attempt, name by name, in order of arrival */
  TMON_EXTRACT_EPOCHS = 1  /**< the epoch rows, by epoch */
} tmon_extract_what;

/** What to extract. All zero means all points as CSV; `size` is sizeof(tmon_extract_options). */
typedef struct tmon_extract_options {
  uint32_t size;
  tmon_extract_format format;
  tmon_extract_what what;
  const char *const *keys; /**< only these metrics, in this order; NULL: all, by name. Means something for points only */
  size_t key_count;        /**< at most 1,000 */
  bool exact_text;         /**< CSV: names as they are. Else one that a spreadsheet would take for a formula (= + - @ first) begins with ' */
} tmon_extract_options;

/** Takes `size` bytes of the output, borrowed during the call. 0 goes on, all else stops. Called on the thread of the caller, without locks; any call is allowed. */
typedef int tmon_write_function(const void *data, size_t size, void *payload);

/**
 * Writes all points or epoch rows of a session, those included that are still in a ring, without holding more than a few pieces of some 64 KiB of it in memory.
 * Each metric is read as it is when its turn comes. `options` may be NULL. `write` receives the output in pieces; when it gives anything but 0, the call ends
 * with TMON_EUSER. Any thread. TMON_EINVAL (the field is named), TMON_ENOTFOUND: no such session or metric, TMON_ECORRUPT, TMON_EIO, TMON_ENOMEM,
 * TMON_EFORKED; after an error what was written is a part only. Since 0.1.
 */
TMON_API int tmon_extract(tmon_store *store, const char *session_id, const tmon_extract_options *options, tmon_write_function *write, void *payload);

/** The same by pull, for programs that write when their reader is ready. */
typedef struct tmon_extract_reader tmon_extract_reader;

/**
 * Opens what tmon_extract would write; keeps a snapshot of the store from time to time, so read it to its end or free it soon. `out` receives the reader; free it
 * with tmon_extract_reader_free. `options` may be NULL; its keys are copied. Any thread. Errors as tmon_extract. Since 0.1.
 */
TMON_API int tmon_extract_reader_open(tmon_extract_reader **out, tmon_store *store, const char *session_id, const tmon_extract_options *options);

/**
 * Gives the next piece, never empty, or TMON_DONE. `data` and `size` receive it, borrowed until the next call with this reader. One thread at a time.
 * After an error each further call gives it again. Errors as tmon_extract. Since 0.1.
 */
TMON_API int tmon_extract_reader_next(tmon_extract_reader *reader, const void **data, size_t *size);

/** Frees the reader. NULL is fine. Since 0.1. */
TMON_API void tmon_extract_reader_free(tmon_extract_reader *reader);

#ifdef __cplusplus
}
#endif
#endif
