/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Pictures of a session: what it looks at just now, by stream, the latest few of each kept. */
#ifndef TRAINMON_IMAGE_H
#define TRAINMON_IMAGE_H

#include "export.h"
#include "session.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A rectangle on a picture, in its pixels. `x` and `y` are the left upper corner. All numbers finite, width and height not negative. */
typedef struct tmon_image_box {
  double x;
  double y;
  double width;
  double height;
  double score;      /**< 0 or NaN: not said */
  const char *label; /**< at most 250 bytes; NULL: none */
} tmon_image_box;

/**
 * One picture. `size` is sizeof(tmon_image). Either an encoded one (JPEG, PNG, WebP, GIF or BMP; its first bytes tell which, whatever
 * `media_type` says) of `bytes` bytes, or raw pixels: `media_type` NULL, `width` and `height` 1 to 16,384, `channels` 1 (grey), 3 (RGB) or 4
 * (RGBA), 8 bits each, rows from the top without gaps. At most 8 MiB. Texts are UTF-8 of at most 4,096 bytes, NULL where there is none.
 */
typedef struct tmon_image {
  uint32_t size;
  uint32_t width;  /**< of raw pixels; of an encoded picture its header is read */
  uint32_t height; /**< as width */
  uint32_t channels;
  const char *name;       /**< the stream: as the key of a metric; the latest few of each are kept */
  int64_t step;           /**< INT64_MIN: not said */
  int64_t epoch;          /**< negative: not said */
  int64_t time;           /**< microseconds since 1970; 0: now */
  const void *data;       /**< the encoded picture or the pixels */
  size_t bytes;           /**< of `data` */
  const char *media_type; /**< NULL with a width: raw pixels */
  const char *caption;
  const char *prediction;
  const char *label;
  double score;                /**< of the prediction; 0 or NaN: not said */
  const tmon_image_box *boxes; /**< `box_count` of them */
  size_t box_count;            /**< at most 256 */
} tmon_image;

/** Which pictures to list. All zero means the newest 20 of all sessions; `size` is sizeof(tmon_image_filter). */
typedef struct tmon_image_filter {
  uint32_t size;
  const char *session_id; /**< NULL: all */
  const char *name;       /**< only this stream of the session */
  int64_t limit;          /**< 0 means 20; at most 100 */
  int64_t before;         /**< only those with a lower id, for paging; 0: all */
  int64_t after;          /**< only those with a higher id; 0: all */
  bool newest;            /**< of a session: only the newest of each name */
} tmon_image_filter;

/**
 * Shows a picture: copies it into a queue of the session, whose drainer writes it into the store soon after. The queue takes 64 pictures and 32 MiB;
 * over that the oldest of the same name goes, else the oldest, and is counted. `image` is not kept. Any thread; never touches the disk, takes the
 * time of the copy. What is queued when the process is killed is lost: count what was analysed with tmon_session_report. TMON_EINVAL, with
 * tmon_error_field: no picture of a known type, sizes that do not fit, a bad text. TMON_ELIMIT: over 8 MiB. TMON_ENOMEM, TMON_ESTATE, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_log_image(tmon_session *session, const tmon_image *image);

/**
 * Writes a picture of a session that is fed without a ring; it is in the store when the call returns. The 20 latest of each name are kept, or
 * as many as the session's options said. Any thread; waits for disk and lock. TMON_ENOTFOUND: no such session. TMON_EINVAL and TMON_ELIMIT as
 * tmon_session_log_image. TMON_EREADONLY, TMON_EBUSY, TMON_EFULL, TMON_EIO, TMON_EACCESS, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_image_add(tmon_store *store, const char *session_id, const tmon_image *image);

/**
 * Lists pictures, the newest first, as JSON text: an object with `images` (id, session_id, name, step, epoch, time, hash, media_type, bytes, width,
 * height, caption, prediction, label, score, boxes; null where not said) and `dropped_images`, how many found no room in the queues. `filter` may
 * be NULL. `out` receives the text; free it with tmon_text_free. Any thread. TMON_ENOTFOUND: no such session. TMON_EINVAL, TMON_EIO,
 * TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_image_list_json(char **out, tmon_store *store, const tmon_image_filter *filter);

/**
 * Reads the encoded picture with this content: `hash` is 64 hexadecimal digits in lower case. `data` receives the bytes, free them with
 * tmon_image_free; `size` their number; `media_type` 32 bytes of text, such as "image/png". Any thread. TMON_ENOTFOUND: no row names it, or its file
 * is gone. TMON_ECORRUPT: the file is not the one that was stored. TMON_EINVAL, TMON_EIO, TMON_EACCESS, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_image_read(void **data, size_t *size, char *media_type, tmon_store *store, const char *hash);

/** Frees what tmon_image_read gave. NULL is fine. Since 0.1. */
TMON_API void tmon_image_free(void *data);

#ifdef __cplusplus
}
#endif
#endif
