/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Confusion matrices: checked, packed, written. */
#include "track/alert_watch.h"
#include "track/result.h"

#include "series/counts.h"

#include <stdio.h>
#include <string.h>

#define TOTAL_MAXIMUM (UINT64_C(1) << 53) /* so that all sums are exact, as integers and as doubles */
enum { PACKED_MAXIMUM = 16 << 20, NAMES_MAXIMUM = 4 << 20 };

static int check_names(const tmon_confusion *confusion) {
  if (confusion->class_names == NULL) return tmon_error_set_field(TMON_EINVAL, "class_names", "class_names is NULL");
  for (size_t i = 0; i < confusion->class_count; i++) {
    const char *name = confusion->class_names[i];
    const char *group = confusion->class_groups == NULL ? NULL : confusion->class_groups[i];
    if (name == NULL || !tmon_text_is_key(name)) {
      return tmon_error_set_field(TMON_EINVAL, "class_names", "class %zu has no name of 1 to 250 bytes without control characters", i);
    }
    if (group != NULL && !tmon_text_is_key(group)) {
      return tmon_error_set_field(TMON_EINVAL, "class_groups", "the group of class %zu has no name of 1 to 250 bytes without control characters", i);
    }
    for (size_t j = 0; j < i; j++) {
      if (strcmp(confusion->class_names[j], name) == 0) {
        return tmon_error_set_field(TMON_EINVAL, "class_names", "\"%.250s\" is the name of classes %zu and %zu", name, j, i);
      }
    }
  }
  return TMON_OK;
}

static int check_counts(const tmon_confusion *confusion) {
  uint64_t total = 0;
  size_t count = confusion->class_count;
  if (confusion->counts == NULL) return tmon_error_set_field(TMON_EINVAL, "matrix", "counts is NULL");
  for (size_t i = 0; i < count * count; i++) {
    if (confusion->counts[i] > TOTAL_MAXIMUM - total) return tmon_error_set_field(TMON_EINVAL, "matrix", "the counts add up to more than 2^53");
    total += confusion->counts[i];
  }
  return TMON_OK;
}

int tmon_confusion_check(const tmon_confusion *confusion) {
  if (confusion->class_count == 0 || confusion->class_count > TMON_COUNTS_DIMENSION_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "class_names", "%zu classes, expected 1 to %d", confusion->class_count, TMON_COUNTS_DIMENSION_MAXIMUM);
  }
  if (confusion->epoch < -1 || confusion->epoch > (int64_t)TOTAL_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "epoch", "epoch is %lld, expected 0 or more, or -1 for none", (long long)confusion->epoch);
  }
  if (confusion->dataset_split != NULL && !tmon_text_is_key(confusion->dataset_split)) {
    return tmon_error_set_field(TMON_EINVAL, "dataset_split", "dataset_split must have 1 to 250 bytes without control characters");
  }
  int result = check_names(confusion);
  return result == TMON_OK ? check_counts(confusion) : result;
}

/* NULL entries become null. */
static int pack_texts(tmon_buffer *out, const char *const *texts, size_t count) {
  tmon_json_writer json;
  tmon_buffer_init(out, NAMES_MAXIMUM);
  tmon_json_begin(&json, out);
  tmon_json_open(&json, NULL, '[');
  for (size_t i = 0; i < count; i++) tmon_json_put_text(&json, NULL, texts[i]);
  tmon_json_close(&json, ']');
  return out->error == TMON_OK ? TMON_OK : tmon_error_set(out->error, "the names of the classes do not fit in memory");
}

static int write_row(int64_t *id, tmon_tx *tx, const char *session_id, const tmon_confusion *confusion, const tmon_buffer *packed, const char *extra) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, tmon_result_table_of(TMON_RESULT_CONFUSION)->insert);
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, session_id);
  if (confusion->epoch < 0) tmon_bind_null(row, 2);
  else tmon_bind_int(row, 2, confusion->epoch);
  tmon_bind_text(row, 3, confusion->dataset_split);
  tmon_bind_int(row, 4, (int64_t)confusion->class_count);
  tmon_bind_text(row, 5, (const char *)packed[0].data);
  tmon_bind_text(row, 6, confusion->class_groups == NULL ? NULL : (const char *)packed[1].data);
  tmon_bind_blob(row, 7, packed[2].data, packed[2].size);
  tmon_bind_text(row, 8, extra);
  result = tmon_row_step(row);
  if (result == TMON_OK) {
    *id = tmon_row_int(row, 0);
    result = tmon_row_step(row);
  }
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_confusion_write(int64_t *id, tmon_store *store, const char *session_id, const tmon_confusion *confusion, const char *extra) {
  tmon_buffer packed[3]; /* names, groups, counts */
  tmon_alert_told told = {0};
  tmon_tx *tx = NULL;
  for (int i = 0; i < 3; i++) tmon_buffer_init(&packed[i], PACKED_MAXIMUM);
  int result = pack_texts(&packed[0], confusion->class_names, confusion->class_count);
  if (result == TMON_OK && confusion->class_groups != NULL) result = pack_texts(&packed[1], confusion->class_groups, confusion->class_count);
  if (result == TMON_OK) result = tmon_counts_encode(&packed[2], confusion->counts, confusion->class_count);
  if (result == TMON_OK) result = tmon_result_begin(&tx, store, session_id);
  if (result == TMON_OK) {
    result = write_row(id, tx, session_id, confusion, packed, extra);
    if (result == TMON_OK) result = tmon_alerts_matrix_row(&told, tx, session_id, *id);
    result = tmon_result_end(tx, result);
    tmon_alerts_give(&told, store, session_id, result);
  }
  for (int i = 0; i < 3; i++) tmon_buffer_free(&packed[i]);
  return result;
}

int tmon_confusion_add(int64_t *id, tmon_store *store, const char *session_id, const tmon_confusion *confusion) {
  tmon_confusion given;
  int64_t made = 0;
  if (id != NULL) *id = 0;
  int result = tmon_store_check(store);
  if (result == TMON_OK && confusion == NULL) result = tmon_error_set(TMON_EINVAL, "the confusion matrix is NULL");
  if (result == TMON_OK) result = tmon_options_copy(&given, sizeof given, confusion, "tmon_confusion");
  if (result == TMON_OK && tmon_check_id(session_id) != TMON_OK) {
    result = tmon_error_set_field(TMON_EINVAL, "session_id", "%s", tmon_error_message());
  }
  if (result == TMON_OK) result = tmon_confusion_check(&given);
  if (result == TMON_OK) result = tmon_confusion_write(&made, store, session_id, &given, "{}");
  if (result == TMON_OK && id != NULL) *id = made;
  return result;
}
