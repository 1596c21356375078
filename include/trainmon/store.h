/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A store: the folder that holds the history of trainings. */
#ifndef TRAINMON_STORE_H
#define TRAINMON_STORE_H

#include "export.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A store that is open in this process. Any number of threads may use it at once. */
typedef struct tmon_store tmon_store;

/** How to open a store. All zero is the default; `size` is sizeof(tmon_store_options). */
typedef struct tmon_store_options {
  uint32_t size;
  bool read_only;           /**< never write, never adopt; a missing store is an error */
  bool must_exist;          /**< a missing store is an error instead of being created */
  uint32_t lock_timeout_ms; /**< how long a write waits for other processes before TMON_EBUSY; 0 means 5,000 */
  const char *ring_folder;  /**< where the rings of sessions started here lie; NULL means /dev/shm, else $XDG_RUNTIME_DIR, else the store */
} tmon_store_options;

/** What is known of an open store. The texts live as long as the store. */
typedef struct tmon_store_info {
  const char *path; /**< absolute path of the folder */
  const char *ring_folder;
  const char *journal; /**< "wal", "delete" (network file system) or "immutable" */
  int64_t schema_version;
  int64_t sessions;       /**< number of sessions */
  int64_t database_bytes; /**< size of trainmon.db */
  bool read_only;
} tmon_store_info;

/**
 * Opens the store at `location`, creating it (folder, database, schema) when it is not there, and adopts the rings that dead trainers left.
 * `out` receives the store, NULL on error; free it with tmon_store_free. `location` is a folder; a name that ends in ".db" means
 * the folder of that name without the suffix. `options` may be NULL. Any thread. A folder that can't be written opens read-only.
 * TMON_EFORKED: the process that forked this one had the store open then; use exec or spawn, or close it before the fork.
 * TMON_ENOTFOUND: missing and not to be created. TMON_ECORRUPT: not a store of ours, or damaged. TMON_EVERSION: written by a newer version, left
 * untouched. TMON_EBUSY: a process holds the lock. TMON_EACCESS, TMON_EFULL, TMON_EIO, TMON_ENOMEM, TMON_EINVAL. Since 0.1.
 */
TMON_API int tmon_store_open(tmon_store **out, const char *location, const tmon_store_options *options);

/**
 * Closes the store once its last session, query and iterator is freed. Closing moves the write-ahead log into the database and waits for the
 * disk; a program that must leave at once just exits, nothing is lost by that. NULL is fine, in a forked child it only drops memory. Since 0.1.
 */
TMON_API void tmon_store_free(tmon_store *store);

/**
 * Fills `out` with what is known of the store. Any thread. TMON_EINVAL, TMON_EIO, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_store_get_info(tmon_store_info *out, tmon_store *store);

/**
 * Adopts the rings of trainers that have died since the store was opened: takes their points over, sets the final status they left, else
 * "interrupted". Expires sessions fed over REST that are silent longer than `rest_lease_us` microseconds (0: 10 minutes).
 * `adopted` receives the number of sessions whose status changed; NULL is fine. Any thread; takes milliseconds when there is nothing to do.
 * TMON_EREADONLY, TMON_EBUSY, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_store_recover(tmon_store *store, int64_t rest_lease_us, size_t *adopted);

/**
 * Told how far a backup is: bytes of the database and its pictures, nearly all there is. 0 goes on, all else stops. Called on the thread of the caller, without locks; any call
 * is allowed, but in a store without a WAL (network file systems) those that write give TMON_EBUSY while the database is copied.
 */
typedef int tmon_backup_callback(int64_t done, int64_t total, void *payload);

/**
 * Copies the store, while others go on writing it, into a new one at `folder`: the database as of one moment, the pictures that it names, the output of
 * recipes. The rings of trainers that have died are adopted first, where the store can be written. Of live trainers the copy holds what is committed, which
 * is all but about the last second; it has no part in their rings, so their sessions read `interrupted` there. `folder` must not be there, or be empty, and lie outside the
 * store; it gets its name when all is copied and on the disk. `callback` may be NULL; anything but 0 from it ends the call with TMON_EUSER. After an error nothing is left. Any
 * thread; writers are not held up, except in a store without a WAL (network file systems), whose commits wait for the database's part.
 * TMON_EEXISTS: there is something at `folder`. TMON_EINVAL, TMON_EACCESS, TMON_EFULL, TMON_EBUSY, TMON_EIO, TMON_ENOMEM, TMON_EFORKED. Since 0.1.
 */
TMON_API int tmon_store_backup(tmon_store *store, const char *folder, tmon_backup_callback *callback, void *payload);

#ifdef __cplusplus
}
#endif
#endif
