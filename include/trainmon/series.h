/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reading points: exact buckets over any range, the latest points, all points, and a live follow. */
#ifndef TRAINMON_SERIES_H
#define TRAINMON_SERIES_H

#include "export.h"
#include "session.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One logged point. */
typedef struct tmon_point {
  int64_t step;
  int64_t time; /**< microseconds since 1970 */
  double value;
} tmon_point;

/** What the buckets divide. */
typedef enum tmon_axis { TMON_AXIS_STEP = 0, TMON_AXIS_TIME = 1 } tmon_axis;

/**
 * One bucket: all points with start <= x < end, where x is step or time. All figures are exact. `last` is the value with the highest x, of several
 * the latest to arrive; `first` that with the lowest x, of several the earliest. min, max and sum are over finite values (NaN when there is none).
 */
typedef struct tmon_bucket {
  int64_t start;
  int64_t end;
  int64_t first_x;
  int64_t last_x;
  uint64_t count; /**< all points, those that are not finite included */
  uint64_t nan_count;
  uint64_t inf_count;
  double first;
  double last;
  double min;
  double max;
  double sum;
} tmon_bucket;

/** What to read. All zero means all steps in about 1,000 buckets; `size` is sizeof(tmon_series_options). */
typedef struct tmon_series_options {
  uint32_t size;
  tmon_axis axis;
  bool bounded; /**< when true, only from <= x <= to */
  int64_t from;
  int64_t to;
  uint32_t width;    /**< wanted buckets: between width / 2 and width come (fewer when points are); 0 means 1,000; at most 100,000 */
  bool all_attempts; /**< also points that a later attempt superseded */
} tmon_series_options;

/** The answer to one query. */
typedef struct tmon_series tmon_series;

/**
 * Reads the points of one metric into buckets of a power-of-two width on a fixed grid; empty buckets are left out. The answer is consistent and includes
 * points that are not committed yet. `out` receives it; free it with tmon_series_free. `options` may be NULL. Any thread.
 * TMON_ENOTFOUND: no such session or metric. TMON_ECORRUPT, TMON_EIO, TMON_ENOMEM, TMON_EINVAL, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_series_query(tmon_series **out, tmon_store *store, const char *session_id, const char *key, const tmon_series_options *options);

/** Returns the buckets in ascending order, borrowed until the series is freed; `count` receives their number. NULL gives NULL and 0. Since 0.1. */
TMON_API const tmon_bucket *tmon_series_buckets(const tmon_series *series, size_t *count);

/** Returns the width of a bucket on its axis, a power of two; 0 for NULL. Since 0.1. */
TMON_API uint64_t tmon_series_bucket_width(const tmon_series *series);

/** Frees the answer. NULL is fine. Since 0.1. */
TMON_API void tmon_series_free(tmon_series *series);

/**
 * Copies the latest points of a metric in order of arrival, those not committed yet included. `points` has room for `*count`, at most 100,000;
 * `*count` receives how many came. Any thread. Errors as tmon_series_query. Since 0.1.
 */
TMON_API int tmon_series_tail(tmon_point *points, size_t *count, tmon_store *store, const char *session_id, const char *key);

/** A reader of all points of one metric, chunk after chunk, in order of arrival. */
typedef struct tmon_point_reader tmon_point_reader;

/**
 * Opens a reader over all points of a metric as they are now, every attempt included. Free it with tmon_point_reader_free. Any thread. Errors as tmon_series_query.
 * Since 0.1.
 */
TMON_API int tmon_point_reader_open(tmon_point_reader **out, tmon_store *store, const char *session_id, const char *key);

/**
 * Fills `points` with up to `capacity` further points; `count` receives how many. TMON_DONE when there are no more. One thread at a time.
 * TMON_ECORRUPT, TMON_EIO, TMON_ENOMEM, TMON_EINVAL. Since 0.1.
 */
TMON_API int tmon_point_reader_next(tmon_point_reader *reader, tmon_point *points, size_t capacity, size_t *count);

/** Frees the reader. NULL is fine. Since 0.1. */
TMON_API void tmon_point_reader_free(tmon_point_reader *reader);

/** What a session logged under one name. */
typedef struct tmon_metric_info {
  const char *key;
  uint64_t count;  /**< points in the store and in the ring */
  tmon_point last; /**< the latest to arrive */
} tmon_metric_info;

/** The metrics of one session. */
typedef struct tmon_metric_list tmon_metric_list;

/** Reads the metrics of a session, by name. Free with tmon_metric_list_free. Any thread. Errors as tmon_series_query. Since 0.1. */
TMON_API int tmon_metric_list_open(tmon_metric_list **out, tmon_store *store, const char *session_id);

/** Gives the next metric, or TMON_DONE. Texts are borrowed until the list is freed. One thread at a time. Since 0.1. */
TMON_API int tmon_metric_list_next(tmon_metric_list *list, tmon_metric_info *out);

/** Frees the list. NULL is fine. Since 0.1. */
TMON_API void tmon_metric_list_free(tmon_metric_list *list);

/** A live follow of one session: new points as they are logged, from other threads or processes. */
typedef struct tmon_follow tmon_follow;

/** A point that a follow found. `metric` indexes tmon_follow_key. */
typedef struct tmon_follow_point {
  uint32_t metric;
  tmon_point point;
} tmon_follow_point;

/**
 * Follows a session from now on. Points come straight from its ring where that can be read, else from the store, at most 1.5 s old.
 * Free it with tmon_follow_free. Any thread; each follow one thread at a time. TMON_ENOTFOUND, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_follow_open(tmon_follow **out, tmon_store *store, const char *session_id);

/**
 * Takes the points that came since the last call, at most `capacity`, without waiting; `count` receives how many (0: nothing new).
 * `lapped` receives true when points were missed because the follow lagged: they lie between the points of this call and those of the
 * next; read them with a query. What comes from the store is never missed. A session that is resumed later is followed on. TMON_EIO, TMON_ENOMEM, TMON_EINVAL. Since 0.1.
 */
TMON_API int tmon_follow_next(tmon_follow *follow, tmon_follow_point *points, size_t capacity, size_t *count, bool *lapped);

/** Returns the name of a metric of this follow, borrowed until the follow is freed; NULL for a number that it never gave. Since 0.1. */
TMON_API const char *tmon_follow_key(const tmon_follow *follow, uint32_t metric);

/** Frees the follow. NULL is fine. Since 0.1. */
TMON_API void tmon_follow_free(tmon_follow *follow);

#ifdef __cplusplus
}
#endif
#endif
