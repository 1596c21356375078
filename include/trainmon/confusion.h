/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Confusion matrices from an array of counts. */
#ifndef TRAINMON_CONFUSION_H
#define TRAINMON_CONFUSION_H

#include "export.h"
#include "store.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A confusion matrix; `size` is sizeof(tmon_confusion). Everything is copied. */
typedef struct tmon_confusion {
  uint32_t size;
  int64_t epoch;                   /**< -1: of no epoch, such as a final test */
  const char *dataset_split;       /**< NULL: "val" */
  size_t class_count;              /**< 1 to 1,000 */
  const char *const *class_names;  /**< class_count different names of 1 to 250 bytes */
  const char *const *class_groups; /**< NULL: no groups; else class_count names, NULL for a class without one */
  const uint64_t *counts;          /**< class_count rows of class_count counts: rows are true classes, columns predicted ones; in all at most 2^53 */
} tmon_confusion;

/**
 * Writes a confusion matrix of a session and returns when it is in the store; one of the same epoch and split is replaced. Read it with tmon_result_list_json.
 * `id` receives the row's number; NULL is fine. Any thread. TMON_EINVAL (tmon_error_field() names the member), TMON_ENOTFOUND: no such session.
 * TMON_EREADONLY, TMON_EBUSY, TMON_EFULL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_confusion_add(int64_t *id, tmon_store *store, const char *session_id, const tmon_confusion *confusion);

#ifdef __cplusplus
}
#endif
#endif
