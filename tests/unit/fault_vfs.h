/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A SQLite VFS over the usual one whose k-th operation fails, once or from then on. Installed as the default before the first connection. */
#ifndef TRAINMON_TESTS_FAULT_VFS_H
#define TRAINMON_TESTS_FAULT_VFS_H
#include <check.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { FAULT_READ = 1, FAULT_WRITE = 2, FAULT_SYNC = 4, FAULT_TRUNCATE = 8, FAULT_OPEN = 16, FAULT_MAP = 32, FAULT_MEMORY = 64, FAULT_ALL = 63 };

/* Set while no operation runs. */
static struct {
  _Atomic size_t fail_at; /* from 1; 0: none */
  _Atomic bool persistent;
  _Atomic bool full;      /* SQLITE_FULL where more space is asked for */
  _Atomic unsigned which; /* of FAULT_* */
  _Atomic size_t count;
  _Atomic size_t failed;
} fault_vfs;

typedef struct fault_file {
  sqlite3_file base;
  sqlite3_file *real; /* behind this struct */
} fault_file;

static sqlite3_vfs *fault_vfs_real;
static sqlite3_vfs fault_vfs_shim;

static inline bool fault_vfs_due(unsigned kind) {
  if (!(atomic_load(&fault_vfs.which) & kind)) return false;
  size_t number = atomic_fetch_add(&fault_vfs.count, 1) + 1;
  size_t at = atomic_load(&fault_vfs.fail_at);
  bool due = at && (number == at || (atomic_load(&fault_vfs.persistent) && number > at));
  if (due) atomic_fetch_add(&fault_vfs.failed, 1);
  return due;
}

#define FAULT_FILE(file) (((fault_file *)(file))->real)
#define FAULT_REAL(file) (FAULT_FILE(file)->pMethods)

static inline int fault_close(sqlite3_file *file) { return FAULT_REAL(file)->xClose(FAULT_FILE(file)); }
static inline int fault_read(sqlite3_file *file, void *out, int size, sqlite3_int64 at) {
  return fault_vfs_due(FAULT_READ) ? SQLITE_IOERR_READ : FAULT_REAL(file)->xRead(FAULT_FILE(file), out, size, at);
}
static inline int fault_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at) {
  if (!fault_vfs_due(FAULT_WRITE)) return FAULT_REAL(file)->xWrite(FAULT_FILE(file), data, size, at);
  /* As a disk that fills up does: the first part lands. */
  if (size > 512) (void)FAULT_REAL(file)->xWrite(FAULT_FILE(file), data, 512, at);
  return atomic_load(&fault_vfs.full) ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}
static inline int fault_truncate(sqlite3_file *file, sqlite3_int64 size) {
  return fault_vfs_due(FAULT_TRUNCATE) ? SQLITE_IOERR_TRUNCATE : FAULT_REAL(file)->xTruncate(FAULT_FILE(file), size);
}
static inline int fault_sync(sqlite3_file *file, int flags) {
  return fault_vfs_due(FAULT_SYNC) ? SQLITE_IOERR_FSYNC : FAULT_REAL(file)->xSync(FAULT_FILE(file), flags);
}
static inline int fault_size(sqlite3_file *file, sqlite3_int64 *size) { return FAULT_REAL(file)->xFileSize(FAULT_FILE(file), size); }
static inline int fault_lock(sqlite3_file *file, int level) { return FAULT_REAL(file)->xLock(FAULT_FILE(file), level); }
static inline int fault_unlock(sqlite3_file *file, int level) { return FAULT_REAL(file)->xUnlock(FAULT_FILE(file), level); }
static inline int fault_reserved(sqlite3_file *file, int *out) { return FAULT_REAL(file)->xCheckReservedLock(FAULT_FILE(file), out); }
static inline int fault_control(sqlite3_file *file, int what, void *argument) { return FAULT_REAL(file)->xFileControl(FAULT_FILE(file), what, argument); }
static inline int fault_sector(sqlite3_file *file) { return FAULT_REAL(file)->xSectorSize(FAULT_FILE(file)); }
static inline int fault_device(sqlite3_file *file) { return FAULT_REAL(file)->xDeviceCharacteristics(FAULT_FILE(file)); }
static inline int fault_map(sqlite3_file *file, int region, int size, int extend, void volatile **out) {
  if (!fault_vfs_due(FAULT_MAP)) return FAULT_REAL(file)->xShmMap(FAULT_FILE(file), region, size, extend, out);
  *out = NULL;
  return extend && atomic_load(&fault_vfs.full) ? SQLITE_FULL : SQLITE_IOERR_SHMMAP;
}
static inline int fault_map_lock(sqlite3_file *file, int at, int count, int flags) {
  return FAULT_REAL(file)->xShmLock(FAULT_FILE(file), at, count, flags);
}
static inline void fault_map_barrier(sqlite3_file *file) { FAULT_REAL(file)->xShmBarrier(FAULT_FILE(file)); }
static inline int fault_unmap(sqlite3_file *file, int remove) { return FAULT_REAL(file)->xShmUnmap(FAULT_FILE(file), remove); }

static const sqlite3_io_methods fault_methods = {
    .iVersion = 2,
    .xClose = fault_close,
    .xRead = fault_read,
    .xWrite = fault_write,
    .xTruncate = fault_truncate,
    .xSync = fault_sync,
    .xFileSize = fault_size,
    .xLock = fault_lock,
    .xUnlock = fault_unlock,
    .xCheckReservedLock = fault_reserved,
    .xFileControl = fault_control,
    .xSectorSize = fault_sector,
    .xDeviceCharacteristics = fault_device,
    .xShmMap = fault_map,
    .xShmLock = fault_map_lock,
    .xShmBarrier = fault_map_barrier,
    .xShmUnmap = fault_unmap,
};

static inline int fault_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *given) {
  (void)vfs;
  fault_file *ours = (fault_file *)file;
  ours->base.pMethods = NULL;
  if (fault_vfs_due(FAULT_OPEN)) return SQLITE_CANTOPEN;
  ours->real = (sqlite3_file *)(void *)(ours + 1);
  int result = fault_vfs_real->xOpen(fault_vfs_real, name, ours->real, flags, given);
  if (ours->real->pMethods) ours->base.pMethods = &fault_methods;
  return result;
}

static sqlite3_mem_methods fault_memory_real;

static inline void *fault_memory_allocate(int size) { return fault_vfs_due(FAULT_MEMORY) ? NULL : fault_memory_real.xMalloc(size); }
static inline void *fault_memory_resize(void *memory, int size) { return fault_vfs_due(FAULT_MEMORY) ? NULL : fault_memory_real.xRealloc(memory, size); }

static inline void fault_vfs_install(void) {
  sqlite3_mem_methods memory;
  ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &fault_memory_real), SQLITE_OK);
  memory = fault_memory_real;
  memory.xMalloc = fault_memory_allocate;
  memory.xRealloc = fault_memory_resize;
  ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory), SQLITE_OK);
  /* Small pieces would come from a cache of each connection. */
  ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
  ck_assert_int_eq(sqlite3_initialize(), SQLITE_OK);
  fault_vfs_real = sqlite3_vfs_find(NULL);
  ck_assert_ptr_nonnull(fault_vfs_real);
  fault_vfs_shim = *fault_vfs_real;
  fault_vfs_shim.zName = "trainmon-fault";
  fault_vfs_shim.szOsFile = (int)sizeof(fault_file) + fault_vfs_real->szOsFile;
  fault_vfs_shim.pNext = NULL;
  fault_vfs_shim.xOpen = fault_open;
  ck_assert_int_eq(sqlite3_vfs_register(&fault_vfs_shim, 1), SQLITE_OK);
}

static inline void fault_vfs_arm(unsigned which, size_t at, bool persistent, bool full) {
  atomic_store(&fault_vfs.count, 0);
  atomic_store(&fault_vfs.failed, 0);
  atomic_store(&fault_vfs.persistent, persistent);
  atomic_store(&fault_vfs.full, full);
  atomic_store(&fault_vfs.which, which);
  atomic_store(&fault_vfs.fail_at, at);
}

static inline size_t fault_vfs_disarm(void) {
  atomic_store(&fault_vfs.fail_at, 0);
  return atomic_load(&fault_vfs.failed);
}
#endif
