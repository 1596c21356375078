/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions side by side: ranked by a metric, or compared in all that they did. */
#ifndef TRAINMON_LEADERBOARD_H
#define TRAINMON_LEADERBOARD_H

#include "export.h"
#include "series.h"
#include "session.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which value of a metric stands for a session. */
typedef enum tmon_rank_mode {
  TMON_RANK_BEST = 0,     /**< the highest or lowest */
  TMON_RANK_LAST = 1,     /**< that of the last epoch or step */
  TMON_RANK_SMOOTHED = 2, /**< the exponential mean at the end, weight 0.6, debiased */
  TMON_RANK_FINAL =
      3 /**< what the session's row says: final_map50, final_map50_95, final_precision, final_recall, final_loss; of other metrics the last */
} tmon_rank_mode;

/** Which values are better. */
typedef enum tmon_direction {
  TMON_DIRECTION_AUTO = 0, /**< told from the name: loss, error, time, perplexity and their like are better when low, all else when high */
  TMON_DIRECTION_HIGHER = 1,
  TMON_DIRECTION_LOWER = 2
} tmon_direction;

/** What to rank. All zero means the 20 completed sessions with the highest map50_95; `size` is sizeof(tmon_leaderboard_options). */
typedef struct tmon_leaderboard_options {
  uint32_t size;
  tmon_rank_mode mode;
  tmon_direction direction;
  bool any_status;          /**< sessions of every status; else completed ones, or with by_status those in `status` */
  bool by_status;           /**< only those in `status` */
  tmon_status status;       /**< means something with by_status */
  const char *metric;       /**< any name of a column of an epoch row (docs/reference/metrics.md), a name in `extra`, or a logged metric; NULL: map50_95 */
  const char *model_type;   /**< only sessions with this; NULL: all */
  const char *dataset_name; /**< only sessions with this; NULL: all */
  int64_t limit;            /**< 0 means 20; at most 50 */
  int64_t offset;           /**< how many to leave out first */
} tmon_leaderboard_options;

/**
 * Ranks sessions by one metric, as JSON text: {metric, mode, order, total, count, limit, offset, leaderboard: [{rank, value, source, epoch, step, the fields of
 * the session, avg_inference_ms, min_inference_ms, max_inference_ms, throughput_fps, device}]}. Equal values share a rank, as SQL's rank() counts; of equals the
 * earlier finished come first. Sessions without a finite value are not ranked. The value comes from the session's epoch rows, else from the points it
 * logged (of a running session those that are folded), else from its row; `source` says which: epochs, series, final. The speed is that of the newest benchmark.
 * `out` receives the text; free it with tmon_text_free. `options` may be NULL. Any thread. Reads no epoch row and no point.
 * TMON_EINVAL (the field is named): a bad metric, limit, offset, mode, direction or status. TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_leaderboard_json(char **out, tmon_store *store, const tmon_leaderboard_options *options);

/**
 * Makes the figures that rankings read anew from the epoch rows of one session, or of all with NULL. Only needed after other programs, such as the sqlite3
 * shell, have changed epoch rows. Any thread; a microsecond or two a row. TMON_ENOTFOUND: no such session. TMON_EINVAL, TMON_EREADONLY, TMON_EBUSY, TMON_EFULL,
 * TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_leaderboard_rebuild(tmon_store *store, const char *session_id);

/** What to compare. All zero means all metrics that the sessions share, at most 64, over steps; `size` is sizeof(tmon_compare_options). */
typedef struct tmon_compare_options {
  uint32_t size;
  const char *const *keys; /**< names of metrics, key_count entries; NULL with 0 */
  size_t key_count;        /**< 0: those that all sessions have, at most 64 */
  tmon_axis axis;
  uint32_t width; /**< wanted buckets a series; 0 means 200; at most 2,000. Sessions times keys times width is at most 1,000,000 */
} tmon_compare_options;

/**
 * Compares sessions, as JSON text: {sessions: [its fields], settings, config: {same: [{path, value}], different: [{path, values, absent}], truncated},
 * metrics: [{name, sessions: [{source, count, best, best_at, final, final_at, smoothed} or null]}], series: {axis, bucket_width a key, keys}}. Arrays named
 * `sessions`, `values` and `absent` are in the order of `ids`. All series of one key lie on one grid of buckets. `ids` are `count` different ids, 2 to 32.
 * `out` receives the text; free it with tmon_text_free. `options` may be NULL. Any thread. TMON_ENOTFOUND (field session_id): no such session.
 * TMON_EINVAL (the field is named), TMON_ELIMIT: more than 64 MiB of text. TMON_ECORRUPT, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_compare_json(char **out, tmon_store *store, const char *const *ids, size_t count, const tmon_compare_options *options);

#ifdef __cplusplus
}
#endif
#endif
