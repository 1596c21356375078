/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions as rows: listing, reading and, for trainers without a ring, writing them; steering live ones. */
#ifndef TRAINMON_RECORD_H
#define TRAINMON_RECORD_H

#include "export.h"
#include "session.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One session as the store and its live ring show it. Absent texts are NULL, absent times 0, absent reals NaN, absent counts 0.
 * Times are microseconds since 1970.
 */
typedef struct tmon_record {
  const char *id;
  const char *name;
  const char *model_type;
  const char *dataset_name;
  const char *config_json;
  const char *hardware_json;
  const char *model_path;
  const char *error_text;
  int64_t dataset_size;
  int64_t epochs;
  int64_t batch_size;
  int64_t img_size;
  int64_t best_epoch; /**< -1 when there is none */
  double learning_rate;
  double final_map50;
  double final_map50_95;
  double final_precision;
  double final_recall;
  double final_loss;
  double duration_seconds;
  int64_t created_at;
  int64_t started_at;
  int64_t completed_at;
  int64_t updated_at;
  tmon_status status;
  tmon_control control; /**< what was asked for */
  bool paused;          /**< the trainer waits; of a session without a ring: it was asked to */
  bool live;            /**< its process lives, which the lock on its ring shows, and its ring can be read from here */
  bool unreachable;     /**< running, but its ring lies on another host or in another container: only `heartbeat_at` tells of it */
  bool rest;            /**< fed over REST: no ring */
  tmon_progress progress;
  double percent;          /**< 0..100 */
  double eta_seconds;      /**< NaN when it can't be told */
  int64_t dropped;         /**< points dropped, exact */
  int64_t attempts;        /**< how many times it was started */
  int64_t heartbeat_at;    /**< last sign of life that is known here: of its ring, its last commit or its last REST write */
  const char *best_metric; /**< what decides best_epoch, as in tmon_record_change; NULL: the default rule */
  const char *notes;
  const char *tags_json;    /**< JSON array of texts; NULL when there are none */
  const char *parent_id;    /**< the session that this one belongs to, such as the search of a trial */
  int64_t children;         /**< sessions whose parent this one is */
  const char *summary_json; /**< JSON object of final figures; NULL when there is none */
} tmon_record;

/** What a list of sessions is sorted by. Those without the value come last, whichever the direction; equals by their age. */
typedef enum tmon_record_sort {
  TMON_SORT_CREATED_AT = 0,
  TMON_SORT_STARTED_AT = 1,
  TMON_SORT_UPDATED_AT = 2,
  TMON_SORT_SESSION_NAME = 3,     /**< letters of ASCII without regard to case */
  TMON_SORT_STATUS = 4,           /**< by the word */
  TMON_SORT_DURATION_SECONDS = 5, /**< of ended sessions */
  TMON_SORT_FINAL_MAP50 = 6,
  TMON_SORT_FINAL_MAP50_95 = 7,
  TMON_SORT_FINAL_LOSS = 8,
  TMON_SORT_FINAL_PRECISION = 9,
  TMON_SORT_FINAL_RECALL = 10,
  TMON_SORT_BEST_EPOCH = 11
} tmon_record_sort;

/** Which sessions to list. All zero means the newest 50; `size` is sizeof(tmon_record_filter). */
typedef struct tmon_record_filter {
  uint32_t size;
  const char *id; /**< only this one */
  bool by_status; /**< when true, only those in `status` */
  tmon_status status;
  bool active;   /**< only pending or running ones whose process lives; those without a reachable ring: heard of within the lease */
  int64_t limit; /**< 0 means 50; at most 1,000 */
  int64_t offset;
  int64_t lease_us;            /**< for `active`: after so long a silence a session that can't be seen counts as gone; 0 means 10 minutes */
  const tmon_status *statuses; /**< `status_count` of them: only sessions in one of these; beside `by_status` */
  size_t status_count;         /**< at most 6 */
  const char *text;            /**< only those with this, of at most 256 bytes, in name, notes, model type, data set or a tag; ASCII case is ignored */
  const char *model_type;      /**< only of exactly this model type */
  const char *dataset_name;    /**< only of exactly this data set */
  const char *tag;             /**< only those with exactly this tag */
  const char *parent_id;       /**< only the children of this session */
  tmon_record_sort sort;
  bool ascending;
} tmon_record_filter;

/** A list of sessions, newest first unless the filter says otherwise, that is being read. */
typedef struct tmon_record_list tmon_record_list;

/**
 * Reads the sessions that `filter` (NULL: the newest 50) selects, from one consistent state. `out` receives the list; free it with
 * tmon_record_list_free. Any thread. TMON_EINVAL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_record_list_open(tmon_record_list **out, tmon_store *store, const tmon_record_filter *filter);

/**
 * Gives the next session: TMON_OK, or TMON_DONE after the last. Texts are borrowed until the list is freed. One thread at a time. Since 0.1.
 */
TMON_API int tmon_record_list_next(tmon_record_list *list, tmon_record *out);

/** Returns how many sessions match without limit and offset; 0 for NULL. Since 0.1. */
TMON_API int64_t tmon_record_list_total(const tmon_record_list *list);

/** Frees the list and all texts it gave. NULL is fine. Since 0.1. */
TMON_API void tmon_record_list_free(tmon_record_list *list);

/** A session fed without a ring. Fields as in tmon_session_options; NULL, 0 and NaN mean not said. `size` is sizeof(tmon_record_change). */
typedef struct tmon_record_change {
  uint32_t size;
  const char *name;
  const char *model_type;
  const char *dataset_name;
  const char *config_json;
  const char *hardware_json;
  const char *model_path;
  const char *error_text;
  int64_t dataset_size;
  int64_t epochs;
  int64_t batch_size;
  int64_t img_size;
  double learning_rate;
  double final_map50;
  double final_map50_95;
  double final_precision;
  double final_recall;
  double final_loss;
  bool set_status;
  tmon_status status;
  int64_t started_at;
  int64_t completed_at;
  /** "NAME:max" or "NAME:min": which epoch is the best. "" goes back to: highest map50_95, else lowest val_loss, else lowest total_loss. */
  const char *best_metric;
  const char *notes;        /**< at most 64 KiB; "" takes them away */
  const char *tags_json;    /**< JSON array of at most 64 different texts of 1 to 64 bytes; "[]" takes them away */
  const char *parent_id;    /**< an existing session, not this one and none below it; "" takes it away */
  const char *id;           /**< for tmon_record_create: UUID text of the new session; NULL makes one */
  bool zero_is_said;        /**< reals: 0 is a value like others, only NaN means not said */
  const char *summary_json; /**< JSON object of at most 1 MiB, such as the final figures; it replaces the one before; "{}" takes it away */
  /**
   * How far a trainer without a ring is, as for tmon_session_report, but members below 0 stay as they are, and an epoch that is said alone begins with batch 0;
   * epoch rows move it on too. NULL: not said.
   */
  const tmon_progress *progress;
} tmon_record_change;

/**
 * Creates a session without a ring (for trainers that report over REST), pending unless `change` says otherwise. `id_out` receives 37 bytes.
 * Any thread. TMON_EEXISTS: there is a session of the given id. TMON_ENOTFOUND: there is no such parent. TMON_EINVAL, TMON_EREADONLY, TMON_EBUSY, TMON_EFULL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_record_create(char *id_out, tmon_store *store, const tmon_record_change *change);

/**
 * Changes what `change` says of a session. Name, notes, tags, parent and best metric are what people write; any other change, also none, is a sign of life
 * of a trainer without a ring, which reopens its interrupted session; a trainer with a ring lives by its ring alone. The status and progress of a session whose trainer lives in a ring can't be set so: TMON_ESTATE; use control.
 * The first progress of a pending session is its start.
 * A session that had ended and is set back to pending or running has no end and no error text any more, unless `change` gives them; it counts as one
 * without a ring from then on, and lives by its lease.
 * TMON_ENOTFOUND: no such session, or no such parent. Else as tmon_record_create. Since 0.1.
 */
TMON_API int tmon_record_update(tmon_store *store, const char *id, const tmon_record_change *change);

/**
 * Deletes a session and all that belongs to it: rows, points, the rings of dead writers. Its children lose their parent. Goes in short transactions, so that live
 * trainers are not held up; cut short (an error, a kill), the session is still there with a part of its rows and can be deleted again. Any thread.
 * TMON_ENOTFOUND; TMON_ESTATE: the session is live. Else as tmon_record_create. Since 0.1.
 */
TMON_API int tmon_record_delete(tmon_store *store, const char *id);

/** One named value of an epoch row. */
typedef struct tmon_epoch_value {
  const char *key;
  double value;
} tmon_epoch_value;

/**
 * Records values of an epoch of a session by its id: of one fed without a ring, or beside the trainer of a live one, from any process. A second call overwrites
 * the values it names. An interrupted REST session reopens.
 * `count` is 1 to 1,000. TMON_ENOTFOUND, TMON_EINVAL and as tmon_record_create. Since 0.1.
 */
TMON_API int tmon_record_log_epoch(tmon_store *store, const char *id, int64_t epoch, const tmon_epoch_value *values, size_t count);

/**
 * Reads the epoch rows of a session as JSON text: an array of objects with the columns of `training_metrics` (null where missing) and
 * `extra`. `after` skips rows up to that epoch (-1: none). `out` receives the text; free it with tmon_text_free. Any thread.
 * TMON_ENOTFOUND, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_record_epochs_json(char **out, tmon_store *store, const char *id, int64_t after);

/**
 * Reads the latest epoch row of a session, as an object like those of tmon_record_epochs_json; "null" when there is none. `out` receives the text; free it with
 * tmon_text_free. Any thread. Errors as tmon_record_epochs_json. Since 0.1.
 */
TMON_API int tmon_record_latest_epoch_json(char **out, tmon_store *store, const char *id);

/**
 * Reads what happened to a session as JSON text: an array of {time, kind, level, step, message, data}, oldest first, of the latest `limit` (0: 100; at most 1,000).
 * Kinds: created, started, joined, paused, resumed, stop_asked, reopened, rank_lost, completed, failed, cancelled, interrupted, where `data` says which process did
 * it; and those of tmon_record_add_event.
 * `out` receives the text; free it with tmon_text_free. Any thread. TMON_ENOTFOUND, TMON_EINVAL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_record_events_json(char **out, tmon_store *store, const char *id, int64_t limit);

/**
 * Adds to what happened to a session, whatever its status: `kind` is a name of the caller's such as "checkpoint", 1 to 32 of a-z, 0-9 and _, not a kind of the
 * library's (see tmon_record_events_json) and no status. `message`: at most 4,096 bytes; `data_json`: an object of at most 64 KiB; NULL: none. `step`
 * INT64_MIN: not said. Of callers' events the latest 10,000 of a session are kept. No sign of life of a session without a ring. Any thread.
 * TMON_EINVAL names the field. TMON_ENOTFOUND, TMON_EREADONLY, TMON_EBUSY, TMON_EFULL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_record_add_event(tmon_store *store, const char *id, const char *kind, const char *message, const char *data_json, int64_t step);

/**
 * Reads the processes that fed a session as JSON text: an array of {rank, attempt, pid, host, live, dropped, heartbeat_at}, by attempt and rank.
 * `out` receives the text; free it with tmon_text_free. Any thread. TMON_ENOTFOUND, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_record_ranks_json(char **out, tmon_store *store, const char *id);

/** Frees a text that the library gave. NULL is fine. Since 0.1. */
TMON_API void tmon_text_free(char *text);

/**
 * Asks a live session to run, pause or stop: a row in the store, and at once a word in its ring where that can be opened.
 * Any thread, any process. TMON_ENOTFOUND, TMON_ESTATE: the session is not live. TMON_EREADONLY, TMON_EBUSY, TMON_EIO, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_record_request(tmon_store *store, const char *id, tmon_control control);

/**
 * Returns a number that grows with each committed change of a session, epoch or control row, for cheap polling. 0 and an error code
 * otherwise. TMON_EIO, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_store_change_cursor(int64_t *out, tmon_store *store);

/**
 * Reads which sessions changed after a cursor of tmon_store_change_cursor (0: since the store was made), as JSON text: {"sessions": [{"id", "created"}, …],
 * "cursor", "resync", "more"}. A session changes with its row and its epochs, and is named once; "created" says that it is new. "resync": changes after
 * `after` are forgotten already (the latest 100,000 are kept) or it is no cursor of this store. "more": ask again at once with "cursor". A session that
 * is not there any more was deleted. `out` receives the text; free it with tmon_text_free. Any thread.
 * TMON_EINVAL, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_store_changes_json(char **out, tmon_store *store, int64_t after);

/** Which changes tmon_store_rows_json reads. Zero is all defaults but for the tables. */
typedef struct tmon_rows_query {
  uint32_t size;             /**< sizeof(tmon_rows_query) */
  const char *const *tables; /**< names of tables; borrowed for the call */
  size_t table_count;        /**< how many; none: nothing is read but the cursor */
  int64_t after;             /**< "cursor" of the call before, or of tmon_store_change_cursor; 0: all that the feed still knows */
  int64_t after_image;       /**< "image_cursor" of the call before, for the table images; -1: from now on, 0: all there are */
  int64_t limit;             /**< rows at most; 0: 100, at most 1,000 */
} tmon_rows_query;

/**
 * Reads which rows changed after a cursor, as JSON text: {"changes": [{"table", "eventType" (INSERT, UPDATE, DELETE), "at", "new", "old", "whole"}, …],
 * "cursor", "image_cursor", "behind", "resync", "more"}. A row is named once, with what it holds now: "new" is an object of its columns (JSON columns as
 * JSON, times as ISO 8601), empty for a DELETE; "old" has its id, empty for an INSERT. A row over 64 KiB is given by its id, and "whole" is false. Pictures are
 * told when they come, not when they go. "resync": changes after `after` are forgotten already, or it is no cursor of this store; then go on from "cursor".
 * "behind": changes after "cursor"; "more": ask again at once. Free with tmon_text_free. Any thread.
 * TMON_EINVAL: no such table (field "tables"), a bad limit or cursor. TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_store_rows_json(char **out, tmon_store *store, const tmon_rows_query *query);

/** Returns the name of a column of a table that tmon_store_rows_json reads, from 0; NULL when there is none or no such table. Static. Any thread. Since 0.1. */
TMON_API const char *tmon_table_column(const char *table, size_t index);

#ifdef __cplusplus
}
#endif
#endif
