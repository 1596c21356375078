/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The checks and small conversions that the files of this room share. */
#include "track/track.h"

#include "util/json.h"

#include <stdatomic.h>
#include <string.h>

static const char *const status_names[] = {"pending", "running", "completed", "failed", "cancelled", "interrupted"};

int tmon_store_check(const tmon_store *store) {
  if (store == NULL) return tmon_error_set(TMON_EINVAL, "the store is NULL");
  if (store->pid != tmon_process_id()) {
    return tmon_error_set(TMON_EFORKED, "the store was opened by process %lld, this is its forked child %lld: open it again here", (long long)store->pid,
        (long long)tmon_process_id());
  }
  return TMON_OK;
}

tmon_store *tmon_store_hold(tmon_store *store) {
  atomic_fetch_add_explicit(&store->references, 1, memory_order_relaxed);
  return store;
}

int tmon_options_copy(void *out, size_t size, const void *options, const char *what) {
  uint32_t given = 0;
  memset(out, 0, size);
  if (options == NULL) return TMON_OK;
  memcpy(&given, options, sizeof given);
  if (given < sizeof given || given > size) {
    return tmon_error_set(TMON_EINVAL, "%s: size is %u, expected %zu: set it to sizeof the struct", what, given, size);
  }
  memcpy(out, options, given);
  return TMON_OK;
}

int tmon_check_text(const char *text, size_t maximum, const char *what) {
  if (text == NULL) return TMON_OK;
  size_t length = strnlen(text, maximum + 1);
  if (length > maximum) return tmon_error_set_field(TMON_EINVAL, what, "%s is longer than %zu bytes", what, maximum);
  if (!tmon_text_is_utf8(text, length)) return tmon_error_set_field(TMON_EINVAL, what, "%s is not UTF-8", what);
  return TMON_OK;
}

int tmon_check_json_object(const char *text, const char *what) {
  tmon_json *document = NULL;
  int result = tmon_check_text(text, TMON_JSON_MAXIMUM, what);
  if (result != TMON_OK || text == NULL) return result;
  result = tmon_json_parse(&document, text, strlen(text));
  if (result == TMON_EINVAL) {
    result = tmon_error_set_field(TMON_EINVAL, what, "%s: %s", what, tmon_error_message());
  } else if (result == TMON_OK && tmon_json_type(document) != TMON_JSON_OBJECT) {
    result = tmon_error_set_field(TMON_EINVAL, what, "%s is not a JSON object", what);
  }
  tmon_json_free(document);
  return result;
}

int tmon_check_id(const char *id) {
  if (id == NULL || !tmon_id_is_valid(id)) {
    return tmon_error_set(TMON_EINVAL, "the session id \"%.64s\" is not UUID text", id == NULL ? "(NULL)" : id);
  }
  return TMON_OK;
}

const char *tmon_status_name(tmon_status status) {
  return (unsigned)status < sizeof status_names / sizeof *status_names ? status_names[status] : "unknown";
}

bool tmon_status_parse(const char *name, tmon_status *out) {
  for (unsigned i = 0; name != NULL && i < sizeof status_names / sizeof *status_names; i++) {
    if (strcmp(name, status_names[i]) == 0) {
      *out = (tmon_status)i;
      return true;
    }
  }
  return false;
}

bool tmon_status_is_final(tmon_status status) {
  return status == TMON_STATUS_COMPLETED || status == TMON_STATUS_FAILED || status == TMON_STATUS_CANCELLED;
}

int tmon_session_key(int64_t *out, tmon_tx *tx, const char *id) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT key FROM training_sessions WHERE id = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  result = tmon_row_step(row);
  if (result == TMON_OK) *out = tmon_row_int(row, 0);
  tmon_row_reset(row);
  return result == TMON_DONE ? tmon_error_set(TMON_ENOTFOUND, "no session %s in this store", id) : result;
}
