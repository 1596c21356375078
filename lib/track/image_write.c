/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Rows of pictures and the files they name. A file is placed before its row is committed, and removed after the row's removal is committed, both under the
 * store's lock. A row that goes, whoever removes it, leaves its hash in images_removed (a trigger); after the commit, or at the next recover, the file goes
 * unless another row names it. A kill between file and row leaves a file that never had a row: recover finds it by walking the folder now and then.
 */
#include "track/image.h"

#include "util/buffer.h"
#include "util/json.h"
#include "util/media_type.h"

#include <math.h>
#include <string.h>

#define SWEEP_ROWS 64
#define SWEEPS 1000 /* at once: a large session that went keeps nobody long */
#define WALK_US 600000000

typedef struct prepared {
  const tmon_picture *picture;
  const char *media_type;
  uint32_t width;
  uint32_t height;
  const void *data;
  size_t size;
  void *owned;
  char hash[TMON_SHA256_TEXT_BYTES];
  char draft[TMON_DRAFT_BYTES];
} prepared;

static int prepare(prepared *out, const tmon_store *store, const tmon_picture *picture) {
  out->picture = picture;
  int result = tmon_picture_encode(&out->data, &out->size, &out->owned, picture);
  if (result != TMON_OK) return result;
  out->media_type = tmon_media_type(&out->width, &out->height, out->data, out->size);
  tmon_sha256_text(out->hash, out->data, out->size);
  return tmon_media_prepare(out->draft, store, out->hash, out->data, out->size);
}

static void bind_said_real(tmon_row *row, int index, double value) { tmon_bind_double(row, index, fpclassify(value) == FP_ZERO ? (double)NAN : value); }

static int boxes_json(char **out, const tmon_image *image) {
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_buffer_init(&buffer, 1 << 20);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '[');
  for (size_t i = 0; i < image->box_count; i++) {
    const tmon_image_box *box = &image->boxes[i];
    tmon_json_open(&json, NULL, '{');
    tmon_json_put_double(&json, "x", box->x);
    tmon_json_put_double(&json, "y", box->y);
    tmon_json_put_double(&json, "width", box->width);
    tmon_json_put_double(&json, "height", box->height);
    tmon_json_put_text(&json, "label", box->label);
    tmon_json_put_double(&json, "score", fpclassify(box->score) == FP_ZERO ? (double)NAN : box->score);
    tmon_json_close(&json, '}');
  }
  tmon_json_close(&json, ']');
  int result = buffer.error;
  *out = result == TMON_OK ? tmon_buffer_take(&buffer) : NULL;
  tmon_buffer_free(&buffer);
  if (result == TMON_ENOMEM) return tmon_error_no_memory();
  return result == TMON_OK ? TMON_OK : tmon_error_set_field(TMON_ELIMIT, "boxes", "the boxes are too long as JSON");
}

static int insert(tmon_tx *tx, int64_t session, const prepared *file) {
  const tmon_image *image = &file->picture->image;
  tmon_row *row = NULL;
  char *boxes = NULL;
  int result = boxes_json(&boxes, image);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "INSERT INTO images (session, name, step, epoch, time, content_hash, media_type, bytes, width, height, caption, prediction, label, score, boxes)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  }
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, session);
    tmon_bind_text(row, 2, image->name);
    if (image->step != INT64_MIN) tmon_bind_int(row, 3, image->step);
    if (image->epoch >= 0) tmon_bind_int(row, 4, image->epoch);
    tmon_bind_int(row, 5, image->time);
    tmon_bind_text(row, 6, file->hash);
    tmon_bind_text(row, 7, file->media_type);
    tmon_bind_int(row, 8, (int64_t)file->size);
    tmon_bind_int(row, 9, file->width);
    tmon_bind_int(row, 10, file->height);
    tmon_bind_text(row, 11, image->caption);
    tmon_bind_text(row, 12, image->prediction);
    tmon_bind_text(row, 13, image->label);
    bind_said_real(row, 14, image->score);
    tmon_bind_text(row, 15, boxes);
    result = tmon_row_run(row);
  }
  tmon_free(boxes);
  return result;
}

/* What the session's options said and how many found no room. */
static int write_stream(tmon_tx *tx, const tmon_pictures *pictures) {
  tmon_row *row = NULL;
  if (!pictures->tell_kept && pictures->dropped == 0) return TMON_OK;
  int result = tmon_tx_prepare(&row, tx,
      "INSERT INTO image_sessions (session, kept, dropped) VALUES (?1, ?2, ?3)"
      " ON CONFLICT (session) DO UPDATE SET kept = CASE WHEN ?4 THEN ?2 ELSE kept END, dropped = dropped + ?3");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, pictures->session);
  tmon_bind_int(row, 2, pictures->kept);
  tmon_bind_int(row, 3, (int64_t)pictures->dropped);
  tmon_bind_int(row, 4, pictures->tell_kept);
  return tmon_row_run(row);
}

static int prune(int64_t *removed, tmon_tx *tx, const tmon_pictures *pictures, const char *name) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx,
      "DELETE FROM images WHERE session = ?1 AND name = ?2 AND id <= (SELECT id FROM images WHERE session = ?1 AND name = ?2 ORDER BY id DESC LIMIT 1"
      " OFFSET CASE WHEN ?3 > 0 THEN ?3 ELSE coalesce((SELECT kept FROM image_sessions WHERE session = ?1), ?4) END)");
  if (result != TMON_OK) return result;
  tmon_bind_int(row, 1, pictures->session);
  tmon_bind_text(row, 2, name);
  tmon_bind_int(row, 3, pictures->kept);
  tmon_bind_int(row, 4, TMON_PICTURES_KEPT);
  result = tmon_row_run(row);
  if (result == TMON_OK) *removed += tmon_tx_changes(tx);
  return result;
}

static int write_rows(int64_t *removed, tmon_store *store, const tmon_pictures *pictures, prepared *files, int64_t timeout_us) {
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, store->db, true, timeout_us);
  for (size_t i = 0; result == TMON_OK && i < pictures->count; i++) {
    result = tmon_media_place(store, files[i].hash, files[i].draft, files[i].data, files[i].size);
    if (result != TMON_OK) break;
    files[i].draft[0] = '\0';
    result = insert(tx, pictures->session, &files[i]);
  }
  if (result == TMON_OK) result = write_stream(tx, pictures);
  if (result == TMON_OK && pictures->touch != NULL) result = pictures->touch(tx, pictures->session);
  for (size_t i = 0; result == TMON_OK && i < pictures->count; i++) result = prune(removed, tx, pictures, pictures->items[i]->image.name);
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
}

static int is_named(bool *named, tmon_tx *tx, const char *hash) {
  tmon_row *row = NULL;
  int result =
      tmon_tx_prepare(&row, tx, "SELECT 1 FROM images WHERE content_hash = ?1 UNION ALL SELECT 1 FROM collection_files WHERE content_hash = ?1 LIMIT 1");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, hash);
  result = tmon_row_step(row);
  *named = result == TMON_OK;
  tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

static int has_removed(bool *some, tmon_store *store) {
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  *some = false;
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "SELECT 1 FROM images_removed LIMIT 1");
  if (result == TMON_OK) {
    result = tmon_row_step(row);
    *some = result == TMON_OK;
    tmon_row_reset(row);
  }
  tmon_tx_abort(tx);
  return result == TMON_DONE ? TMON_OK : result;
}

static int read_removed(char (*hashes)[TMON_SHA256_TEXT_BYTES], size_t *count, tmon_tx *tx) {
  tmon_row *row = NULL;
  *count = 0;
  int result = tmon_tx_prepare(&row, tx, "SELECT content_hash FROM images_removed LIMIT 64");
  while (result == TMON_OK && *count < SWEEP_ROWS && (result = tmon_row_step(row)) == TMON_OK) {
    (void)tmon_text_copy(hashes[(*count)++], TMON_SHA256_TEXT_BYTES, tmon_row_text(row, 0));
  }
  if (row != NULL) tmon_row_reset(row);
  return result == TMON_DONE ? TMON_OK : result;
}

/* A row of the table may be anybody's: what is no hash names no file. */
static int drop_odd(tmon_tx *tx) {
  tmon_row *row = NULL;
  int result = tmon_tx_prepare(&row, tx, "DELETE FROM images_removed WHERE length(content_hash) <> 64 OR content_hash GLOB '*[^0-9a-f]*'");
  return result == TMON_OK ? tmon_row_run(row) : result;
}

static int sweep_one(tmon_tx *tx, const tmon_store *store, const char *hash) {
  tmon_row *row = NULL;
  bool named = true;
  int result = tmon_hash_is_valid(hash) ? is_named(&named, tx, hash) : TMON_OK;
  if (result == TMON_OK && !named) result = tmon_media_remove(store, hash);
  if (result == TMON_OK) result = tmon_tx_prepare(&row, tx, "DELETE FROM images_removed WHERE content_hash = ?");
  if (result != TMON_OK) return result;
  tmon_bind_text(row, 1, hash);
  return tmon_row_run(row);
}

static int sweep(tmon_store *store, int64_t timeout_us) {
  char hashes[SWEEP_ROWS][TMON_SHA256_TEXT_BYTES];
  size_t count = 0;
  tmon_tx *tx = NULL;
  int result = tmon_tx_begin(&tx, store->db, true, timeout_us);
  if (result == TMON_OK) result = drop_odd(tx);
  if (result == TMON_OK) result = read_removed(hashes, &count, tx);
  for (size_t i = 0; result == TMON_OK && i < count; i++) result = sweep_one(tx, store, hashes[i]);
  if (result == TMON_OK) return tmon_tx_commit(tx);
  tmon_tx_abort(tx);
  return result;
}

int tmon_pictures_write(tmon_store *store, const tmon_pictures *pictures, int64_t timeout_us) {
  prepared files[TMON_QUEUE_BATCH];
  int64_t removed = 0;
  int result = TMON_OK;
  memset(files, 0, sizeof files);
  for (size_t i = 0; result == TMON_OK && i < pictures->count; i++) result = prepare(&files[i], store, pictures->items[i]);
  if (result == TMON_OK) result = write_rows(&removed, store, pictures, files, timeout_us);
  for (size_t i = 0; i < pictures->count; i++) {
    tmon_media_forget(store, files[i].hash, files[i].draft);
    tmon_free(files[i].owned);
  }
  /* The pictures are in; files that stay longer are the next sweep's. */
  if (result == TMON_OK && removed > 0) (void)sweep(store, timeout_us);
  return result;
}

static int look(tmon_store *store, const char *hash) {
  tmon_tx *tx = NULL;
  bool named = true;
  int result = tmon_tx_begin(&tx, store->db, false, -1);
  if (result == TMON_OK) result = is_named(&named, tx, hash);
  tmon_tx_abort(tx);
  if (result != TMON_OK || named) return result;
  /* Again with the lock held: its row may be about to be committed. */
  tx = NULL;
  result = tmon_tx_begin(&tx, store->db, true, -1);
  if (result == TMON_OK) result = is_named(&named, tx, hash);
  if (result == TMON_OK && !named) result = tmon_media_remove(store, hash);
  tmon_tx_abort(tx);
  return result;
}

int tmon_pictures_clean(tmon_store *store) {
  bool some = true;
  int64_t now = tmon_clock_monotonic_us();
  int result = has_removed(&some, store);
  for (int rounds = 0; result == TMON_OK && some && rounds < SWEEPS; rounds++) {
    result = sweep(store, -1);
    if (result == TMON_OK) result = has_removed(&some, store);
  }
  int64_t last = atomic_load_explicit(&store->walked, memory_order_relaxed);
  if (result != TMON_OK || (last != 0 && now - last < WALK_US)) return result;
  if (!atomic_compare_exchange_strong_explicit(&store->walked, &last, now, memory_order_relaxed, memory_order_relaxed)) return TMON_OK;
  return tmon_media_walk(store, look);
}
