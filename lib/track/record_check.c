/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What a session's tags and its parent must be. */
#include "track/record.h"

#include "util/json.h"

#include <string.h>

enum { TAGS = 64, TAG_BYTES = 64, TAGS_BYTES = 65536 };

static int check_tag(const tmon_json *list, const tmon_json *tag) {
  const char *text = tmon_json_text(tag);
  if (text == NULL || *text == '\0' || strlen(text) > TAG_BYTES) {
    return tmon_error_set_field(TMON_EINVAL, "tags", "a tag is not a text of 1 to %d bytes", (int)TAG_BYTES);
  }
  for (const tmon_json *other = tmon_json_first(list); other != tag; other = tmon_json_next(other)) {
    if (strcmp(tmon_json_text(other), text) == 0) return tmon_error_set_field(TMON_EINVAL, "tags", "the tag \"%.64s\" is there twice", text);
  }
  return TMON_OK;
}

int tmon_tags_parse(char **out, const char *tags_json) {
  tmon_json *list = NULL;
  size_t count = 0;
  *out = NULL;
  if (tags_json == NULL) return TMON_OK;
  int result = tmon_check_text(tags_json, TAGS_BYTES, "tags");
  if (result == TMON_OK && (result = tmon_json_parse(&list, tags_json, strlen(tags_json))) == TMON_EINVAL) {
    result = tmon_error_set_field(TMON_EINVAL, "tags", "tags: %s", tmon_error_message());
  }
  if (result == TMON_OK && tmon_json_type(list) != TMON_JSON_ARRAY)
    result = tmon_error_set_field(TMON_EINVAL, "tags", "tags is not a JSON array of texts");
  for (const tmon_json *tag = tmon_json_first(list); result == TMON_OK && tag != NULL; tag = tmon_json_next(tag)) {
    if (++count > TAGS) result = tmon_error_set_field(TMON_EINVAL, "tags", "more than %d tags", (int)TAGS);
    else result = check_tag(list, tag);
  }
  if (result == TMON_OK && (*out = tmon_json_print(list)) == NULL) result = tmon_error_no_memory();
  tmon_json_free(list);
  return result;
}

/* Upwards from the parent; UNION ends a ring that is there already. */
int tmon_parent_check(tmon_tx *tx, const char *id, const char *parent_id) {
  tmon_row *row = NULL;
  if (parent_id == NULL || *parent_id == '\0') return TMON_OK;
  if (strcmp(id, parent_id) == 0) return tmon_error_set_field(TMON_EINVAL, "parent_id", "session %s can't be its own parent", id);
  int result = tmon_tx_prepare(&row, tx,
      "WITH RECURSIVE above (id) AS (SELECT ?2 UNION SELECT s.parent_id FROM above a JOIN training_sessions s ON s.id = a.id WHERE s.parent_id IS NOT NULL)"
      " SELECT EXISTS (SELECT 1 FROM training_sessions WHERE id = ?2), EXISTS (SELECT 1 FROM above WHERE id = ?1)");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, id);
  tmon_bind_text(row, 2, parent_id);
  result = tmon_row_step(row);
  bool found = result == TMON_OK && tmon_row_int(row, 0) != 0;
  bool below = result == TMON_OK && tmon_row_int(row, 1) != 0;
  tmon_row_reset(row);
  if (result != TMON_OK) return result;
  if (!found) return tmon_error_set_field(TMON_ENOTFOUND, "parent_id", "no session %.64s in this store to be the parent", parent_id);
  return below ? tmon_error_set_field(TMON_EINVAL, "parent_id", "session %s lies below session %s: it can't be its parent", parent_id, id) : TMON_OK;
}
