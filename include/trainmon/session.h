/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A live training session: start, log, report progress, obey, finish. */
#ifndef TRAINMON_SESSION_H
#define TRAINMON_SESSION_H

#include "export.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A session that this process feeds. Any number of threads may log to it at once. */
typedef struct tmon_session tmon_session;

/** A metric of one session: what tmon_session_metric gave. 0 is none. */
typedef uint32_t tmon_metric;

/** Where a session stands. */
typedef enum tmon_status {
  TMON_STATUS_PENDING = 0,
  TMON_STATUS_RUNNING = 1,
  TMON_STATUS_COMPLETED = 2,
  TMON_STATUS_FAILED = 3,
  TMON_STATUS_CANCELLED = 4,
  TMON_STATUS_INTERRUPTED = 5 /**< its process died without a word; never set by a caller */
} tmon_status;

/** What people want of a live session. */
typedef enum tmon_control { TMON_CONTROL_RUN = 0, TMON_CONTROL_PAUSE = 1, TMON_CONTROL_STOP = 2 } tmon_control;

/**
 * How to start a session. All zero is the default; `size` is sizeof(tmon_session_options). Texts are UTF-8 of at most 4,096 bytes, the two
 * JSON texts objects of at most 1 MiB; all are copied.
 */
typedef struct tmon_session_options {
  uint32_t size;
  const char *id;   /**< UUID text; NULL makes one. The id of an ended session resumes it as a new attempt */
  const char *name; /**< NULL means the start of the id, or the name that the session has */
  const char *model_type;
  const char *dataset_name;
  const char *config_json;   /**< hyper-parameters, and metric_aliases (docs/reference/metrics.md); NULL means {} */
  const char *hardware_json; /**< NULL means what tmon_hardware_info_json says */
  int64_t dataset_size;
  int64_t epochs; /**< planned number, also the default of progress */
  int64_t batch_size;
  int64_t img_size;
  double learning_rate;        /**< 0 means not said */
  uint32_t rank;               /**< rank of this process in a distributed training; above 0 with the id of a live session joins it */
  bool no_drainer;             /**< no thread of ours: the caller drains with tmon_session_flush */
  size_t ring_bytes;           /**< 0 means 4 MiB; at least 256 KiB, at most 1 GiB, rounded up to 4 KiB */
  const char *parent_id;       /**< the session that this one belongs to; must exist */
  const char *tags_json;       /**< as in tmon_record_change */
  const char *notes;           /**< at most 64 KiB */
  const char *best_metric;     /**< as in tmon_record_change */
  uint32_t hardware_period_ms; /**< logs the hardware's figures so often as metrics "system/…", from a thread of ours; 0: never, at least 100 */
  uint32_t images_kept;        /**< pictures kept of each name; 0 means 20, at most 10,000 */
} tmon_session_options;

/** How a metric is meant. Reserved: all zero; `size` is sizeof(tmon_metric_options). */
typedef struct tmon_metric_options {
  uint32_t size;
} tmon_metric_options;

/**
 * The row of one epoch. `size` is sizeof(tmon_epoch). `metrics` and `values` have `count` entries: names that the alias table knows fill the
 * columns of `training_metrics`, others go to its column `extra`.
 */
typedef struct tmon_epoch {
  uint32_t size;
  size_t count;
  const tmon_metric *metrics;
  const double *values;
} tmon_epoch;

/**
 * How far the training is. `size` is sizeof(tmon_progress). Counts are of completed things, so 0-based and 1-based loops both end at 100 %.
 * Zero totals mean unknown. `fraction` (0..1) is used when both totals are 0.
 */
typedef struct tmon_progress {
  uint32_t size;
  int64_t epoch;   /**< completed epochs */
  int64_t epochs;  /**< planned epochs; 0 means those of the session */
  int64_t batch;   /**< completed batches of the running epoch */
  int64_t batches; /**< batches an epoch */
  int64_t images;  /**< images analysed since the session began; an exact count */
  double fraction;
} tmon_progress;

/**
 * Starts a session, or resumes the ended one whose id is given, and makes its ring. The status becomes "running".
 * Ranks of one training share an id, given by who starts them: each process has points of its own, which readers merge. Status, progress and epoch rows are those of
 * rank 0, and the session ends with it; another rank may come before it, end or die.
 * Of a session that is there already (made to wait for this trainer, ended, or begun by another rank) counts what rank 0 and who begins the attempt say of it; what
 * they leave out (NULL, empty or 0) stays. Of the two JSON texts each member counts by itself: those that are said replace those of the same name, the others stay.
 * What other ranks say of it is not used.
 * `out` receives the session, NULL on error; free it with tmon_session_free. `options` may be NULL. Any thread. Writes to the store and may wait
 * for its lock, and up to 30 s for an earlier attempt of this rank that is ending. TMON_EINVAL: a bad text, id or JSON, or one that is too long with what the
 * session has. TMON_EEXISTS: this rank of a session of this id is alive. TMON_ENOTFOUND: there is no such parent. TMON_EREADONLY, TMON_EBUSY, TMON_EFULL,
 * TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_start(tmon_session **out, tmon_store *store, const tmon_session_options *options);

/**
 * Returns the id of the session, 36 characters, borrowed until the session is freed; "" for NULL. Any thread. Since 0.1.
 */
TMON_API const char *tmon_session_id(const tmon_session *session);

/**
 * Gives the metric of this name, making it at its first use. `key` is UTF-8 of 1 to 250 bytes without control characters.
 * `options` may be NULL. Any thread; never touches the disk. TMON_EINVAL: a bad key. TMON_ELIMIT: the ring's dictionary is full (about 10,000
 * names of 40 bytes in a ring of 4 MiB). TMON_ESTATE: the session is finished. TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_metric(tmon_metric *out, tmon_session *session, const char *key, const tmon_metric_options *options);

/**
 * Logs one point. Any step and any value is allowed: steps that repeat or go back, NaN and infinities are kept as they are.
 * Any thread; takes tens of nanoseconds, no lock and no system call while the drainer keeps up. A point whose call returned TMON_OK
 * survives a kill of the process. TMON_EDROPPED: nothing has drained the full ring for 100 ms; the point is counted as dropped. TMON_EINVAL: no session
 * or no such metric. TMON_ESTATE: the session is finished. TMON_EFORKED: in a forked child; nothing is logged and nothing
 * counted. Since 0.1.
 */
TMON_API int tmon_log(tmon_session *session, tmon_metric metric, int64_t step, double value);

/**
 * Logs `count` points of one step with one time. `metrics` and `values` have `count` entries; 0 does nothing. Threads and errors as tmon_log; on
 * TMON_EDROPPED the first points may have been kept (the drop count is exact). Since 0.1.
 */
TMON_API int tmon_log_batch(tmon_session *session, int64_t step, const tmon_metric *metrics, const double *values, size_t count);

/**
 * Logs `count` points of one metric, such as a finished epoch at once. `steps` and `values` have `count` entries; `times` too, in microseconds since
 * 1970, or NULL for now. Threads and errors as tmon_log_batch. Since 0.1.
 */
TMON_API int tmon_log_series(tmon_session *session, tmon_metric metric, const int64_t *steps, const int64_t *times, const double *values, size_t count);

/**
 * Records the row of an epoch; a second call for the same epoch overwrites the values it names. Travels like points: no wait, survives a kill.
 * `row` is not kept. Any thread. Errors as tmon_log_batch. Since 0.1.
 */
TMON_API int tmon_session_log_epoch(tmon_session *session, int64_t epoch, const tmon_epoch *row);

/**
 * Reports progress; readers see it at once, the store within a second. `progress` is not kept. Any thread, the latest call counts.
 * TMON_EINVAL: negative counts or a fraction outside 0..1. TMON_ESTATE, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_report(tmon_session *session, const tmon_progress *progress);

/**
 * Returns what people want of the session: one atomic load. TMON_CONTROL_RUN for NULL and in a forked child. Any thread. Since 0.1.
 */
TMON_API tmon_control tmon_session_control(const tmon_session *session);

/**
 * Blocks while the session is paused, at most `timeout_ms` milliseconds (0: without limit), and returns what is wanted then. Reports to readers
 * that the trainer really waits. Any thread, none of our locks held. Since 0.1.
 */
TMON_API tmon_control tmon_session_wait_while_paused(tmon_session *session, uint32_t timeout_ms);

/**
 * Asks this session to run, pause or stop, as a person on the page would. Any thread. TMON_EINVAL, TMON_ESTATE, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_request(tmon_session *session, tmon_control control);

/**
 * Commits all that was logged before the call to the store. Any thread; waits for disk and lock.
 * TMON_EBUSY, TMON_EFULL, TMON_EIO: the points stay in the ring. TMON_ENOMEM, TMON_ESTATE, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_flush(tmon_session *session);

/**
 * Returns the exact number of points that were dropped because nothing drained the ring; 0 for NULL. Any thread. Since 0.1.
 */
TMON_API uint64_t tmon_session_dropped(const tmon_session *session);

/**
 * Sets the text that explains why a session failed; shown wherever the session is shown. At most 4,096 bytes, NULL clears. If the process is killed,
 * the first 1,000 bytes survive. Any thread.
 * TMON_EINVAL, TMON_ESTATE, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_set_error(tmon_session *session, const char *text);

/**
 * Ends the session as completed, failed or cancelled: puts status and time into the ring, then waits at most 100 ms for the drainer to commit. A slower
 * disk keeps the drainer and not the caller; what is not committed when the process ends is adopted from the ring by the next process that opens the
 * store. With no_drainer the caller commits, and a write under way takes as long as the disk takes. Afterwards only tmon_session_id, _dropped and _free are allowed.
 * One thread. TMON_EINVAL: another status. TMON_ESTATE: finished before. TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_session_finish(tmon_session *session, tmon_status status);

/**
 * Frees the session; one that was not finished is ended as completed, as tmon_session_finish does it. NULL is fine; in a forked child it only drops memory. No
 * other thread may use the session any more. Since 0.1.
 */
TMON_API void tmon_session_free(tmon_session *session);

#ifdef __cplusplus
}
#endif
#endif
