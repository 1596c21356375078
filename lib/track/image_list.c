/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Pictures of sessions without a queue, and pictures as they are read: lists as JSON, contents by hash. */
#include "track/image.h"
#include "track/record.h"

#include "util/buffer.h"
#include "util/json.h"
#include "util/media_type.h"

#include <math.h>
#include <string.h>

#define LIST_DEFAULT 20
#define LIST_MAXIMUM 100
#define TEXT_MAXIMUM ((size_t)32 << 20)
#define MEDIA_TYPE_BYTES 32

static int find(int64_t *session, tmon_store *store, const char *id) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_session_key(session, tx, id);
  tmon_tx_abort(tx);
  return result;
}

int tmon_image_add(tmon_store *store, const char *session_id, const tmon_image *image) {
  tmon_picture *picture = NULL;
  tmon_pictures pictures = {.items = &picture, .count = 1, .touch = tmon_session_heard};
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = tmon_check_id(session_id);
  if (result == TMON_OK) result = tmon_picture_make(&picture, image);
  if (result == TMON_OK) result = tmon_db_check_writable(store->db);
  if (result == TMON_OK) result = find(&pictures.session, store, session_id);
  if (result == TMON_OK) result = tmon_pictures_write(store, &pictures, -1);
  tmon_free(picture);
  return result;
}

static void put_int(tmon_json_writer *json, const char *key, tmon_row *row, int column) {
  if (tmon_row_is_null(row, column)) tmon_json_put_null(json, key);
  else tmon_json_put_int(json, key, tmon_row_int(row, column));
}

#define COLUMNS                                                                                                                                           \
  "SELECT i.id, s.id, i.name, i.step, i.epoch, i.time, i.content_hash, i.media_type, i.bytes, i.width, i.height, i.caption, i.prediction, i.label,"       \
  " i.score, i.boxes FROM images i JOIN training_sessions s ON s.key = i.session WHERE "

static void put_row(tmon_json_writer *json, tmon_row *row) {
  char time[TMON_ISO_TIME_BYTES];
  const char *boxes = tmon_row_text(row, 15);
  tmon_text_from_time(time, tmon_row_int(row, 5));
  tmon_json_open(json, NULL, '{');
  tmon_json_put_int(json, "id", tmon_row_int(row, 0));
  tmon_json_put_text(json, "session_id", tmon_row_text(row, 1));
  tmon_json_put_text(json, "name", tmon_row_text(row, 2));
  put_int(json, "step", row, 3);
  put_int(json, "epoch", row, 4);
  tmon_json_put_text(json, "time", time);
  tmon_json_put_text(json, "hash", tmon_row_text(row, 6));
  tmon_json_put_text(json, "media_type", tmon_row_text(row, 7));
  tmon_json_put_int(json, "bytes", tmon_row_int(row, 8));
  put_int(json, "width", row, 9);
  put_int(json, "height", row, 10);
  tmon_json_put_text(json, "caption", tmon_row_text(row, 11));
  tmon_json_put_text(json, "prediction", tmon_row_text(row, 12));
  tmon_json_put_text(json, "label", tmon_row_text(row, 13));
  tmon_json_put_double(json, "score", tmon_row_double(row, 14));
  /* A row may be anybody's. */
  bool whole = boxes != NULL && boxes[0] == '[' && tmon_json_check(boxes, strlen(boxes)) == TMON_OK;
  tmon_json_put_raw(json, "boxes", whole ? boxes : "[]");
  tmon_json_close(json, '}');
}

/* A statement for each way, so that each has its index. */
static const char *statement_of(const tmon_image_filter *filter) {
  if (filter->session_id == NULL) return COLUMNS "i.id < ?3 AND i.id > ?4 ORDER BY i.id DESC LIMIT ?5";
  if (filter->newest) {
    return COLUMNS "i.id IN (SELECT max(id) FROM images WHERE session = ?1 AND (?2 IS NULL OR name = ?2) GROUP BY name) AND i.id < ?3 AND i.id > ?4"
                   " ORDER BY i.id DESC LIMIT ?5";
  }
  if (filter->name != NULL) return COLUMNS "i.session = ?1 AND i.name = ?2 AND i.id < ?3 AND i.id > ?4 ORDER BY i.id DESC LIMIT ?5";
  return COLUMNS "i.session = ?1 AND i.id < ?3 AND i.id > ?4 ORDER BY i.id DESC LIMIT ?5";
}

static int put_images(tmon_json_writer *json, tmon_tx *tx, const tmon_image_filter *filter, int64_t session) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, statement_of(filter));
  if (result != TMON_OK) return result;
  if (filter->session_id != NULL) tmon_bind_int(row, 1, session);
  if (filter->session_id != NULL && (filter->name != NULL || filter->newest)) tmon_bind_text(row, 2, filter->name);
  tmon_bind_int(row, 3, filter->before == 0 ? INT64_MAX : filter->before);
  tmon_bind_int(row, 4, filter->after);
  tmon_bind_int(row, 5, filter->limit == 0 ? LIST_DEFAULT : filter->limit);
  tmon_json_open(json, "images", '[');
  while ((result = tmon_row_step(row)) == TMON_OK) put_row(json, row);
  tmon_json_close(json, ']');
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int put_dropped(tmon_json_writer *json, tmon_tx *tx, const tmon_image_filter *filter, int64_t session) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "SELECT coalesce(sum(dropped), 0) FROM image_sessions WHERE ?1 IS NULL OR session = ?1");
  if (result != TMON_OK) return result;
  if (filter->session_id != NULL) tmon_bind_int(row, 1, session);
  result = tmon_row_step(row);
  if (result == TMON_OK) tmon_json_put_int(json, "dropped_images", tmon_row_int(row, 0));
  tmon_row_reset(row);
  return result;
}

static int check_filter(tmon_image_filter *out, const tmon_image_filter *given) {
  int result = tmon_options_copy(out, sizeof *out, given, "tmon_image_filter");
  if (result != TMON_OK) return result;
  if (out->limit < 0 || out->limit > LIST_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "limit", "limit is %lld, expected 1 to %d", (long long)out->limit, LIST_MAXIMUM);
  }
  if (out->before < 0) return tmon_error_set_field(TMON_EINVAL, "before", "before is %lld, expected 0 or more", (long long)out->before);
  if (out->after < 0) return tmon_error_set_field(TMON_EINVAL, "after", "after is %lld, expected 0 or more", (long long)out->after);
  if (out->name != NULL && !tmon_text_is_key(out->name)) return tmon_error_set_field(TMON_EINVAL, "name", "the name is no name of a picture");
  if (out->session_id == NULL && (out->name != NULL || out->newest)) {
    return tmon_error_set_field(TMON_EINVAL, "session_id", "a name, or the newest of each name, is that of a session: session_id is missing");
  }
  return out->session_id == NULL ? TMON_OK : tmon_check_id(out->session_id);
}

int tmon_image_list_json(char **out, tmon_store *store, const tmon_image_filter *filter) {
  tmon_image_filter chosen;
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_tx *tx = NULL;
  int64_t session = 0;
  if (out == NULL) return tmon_error_set(TMON_EINVAL, "out is NULL");
  *out = NULL;
  int result = tmon_store_check(store);
  if (result == TMON_OK) result = check_filter(&chosen, filter);
  if (result != TMON_OK) return result;
  tmon_buffer_init(&buffer, TEXT_MAXIMUM);
  tmon_json_begin(&json, &buffer);
  result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK && chosen.session_id != NULL) result = tmon_session_key(&session, tx, chosen.session_id);
  if (result == TMON_OK) {
    tmon_json_open(&json, NULL, '{');
    result = put_images(&json, tx, &chosen, session);
  }
  if (result == TMON_OK) result = put_dropped(&json, tx, &chosen, session);
  tmon_tx_abort(tx);
  if (result == TMON_OK) {
    tmon_json_close(&json, '}');
    result = buffer.error;
    if (result == TMON_ENOMEM) result = tmon_error_no_memory();
    else if (result != TMON_OK) result = tmon_error_set_field(result, "limit", "the list is over %zu bytes", TEXT_MAXIMUM);
  }
  if (result == TMON_OK) *out = tmon_buffer_take(&buffer);
  tmon_buffer_free(&buffer);
  return result;
}

static int read_row(int64_t *bytes, char media_type[MEDIA_TYPE_BYTES], tmon_store *store, const char *hash) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT bytes, media_type FROM images WHERE content_hash = ? ORDER BY id LIMIT 1");
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, hash);
    result = tmon_row_step(row);
    if (result == TMON_OK) {
      *bytes = tmon_row_int(row, 0);
      (void)tmon_text_copy(media_type, MEDIA_TYPE_BYTES, tmon_row_text(row, 1));
    }
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return result == TMON_DONE ? tmon_error_set_field(TMON_ENOTFOUND, "hash", "no picture %s in this store", hash) : result;
}

int tmon_image_read(void **data, size_t *size, char *media_type, tmon_store *store, const char *hash) {
  char type[MEDIA_TYPE_BYTES];
  uint32_t width = 0;
  uint32_t height = 0;
  void *found = NULL;
  int64_t bytes = 0;
  if (data == NULL || size == NULL || media_type == NULL) return tmon_error_set(TMON_EINVAL, "data, size or media_type is NULL");
  *data = NULL;
  *size = 0;
  *media_type = '\0';
  int result = tmon_store_check(store);
  if (result == TMON_OK && !tmon_hash_is_valid(hash)) {
    result = tmon_error_set_field(TMON_EINVAL, "hash", "\"%.80s\" is not 64 hexadecimal digits in lower case", hash == NULL ? "(NULL)" : hash);
  }
  if (result == TMON_OK) result = read_row(&bytes, type, store, hash);
  if (result == TMON_OK && (bytes <= 0 || bytes > (int64_t)(2 * TMON_PICTURE_BYTES))) {
    result = tmon_error_set(TMON_ECORRUPT, "the row of picture %s says %lld bytes", hash, (long long)bytes);
  }
  if (result == TMON_OK) result = tmon_media_load(&found, store, hash, (size_t)bytes);
  if (result != TMON_OK) return result;
  const char *real = tmon_media_type(&width, &height, found, (size_t)bytes);
  if (real == NULL || strcmp(real, type) != 0) {
    tmon_free(found);
    return tmon_error_set(TMON_ECORRUPT, "the row of picture %s says %s, its content is %s", hash, type, real == NULL ? "no picture" : real);
  }
  *data = found;
  *size = (size_t)bytes;
  (void)tmon_text_copy(media_type, MEDIA_TYPE_BYTES, real);
  return TMON_OK;
}

void tmon_image_free(void *data) { tmon_free(data); }
