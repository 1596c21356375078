/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* SQLite's result codes as ours. */
#include "store/driver.h"
#include "util/error.h"

#include <errno.h>

/* driver.h explains it to the analyzer; here is the function itself. */
#undef tmon_sqlite_error

static int code_of_os(sqlite3 *handle, int otherwise) {
  switch (handle ? sqlite3_system_errno(handle) : 0) {
  case ENOSPC:
  case EDQUOT: return TMON_EFULL;
  case EACCES:
  case EPERM: return TMON_EACCESS;
  case EROFS: return TMON_EREADONLY;
  case ENOENT: return TMON_ENOTFOUND;
  default: return otherwise;
  }
}

/* A full disk under the WAL index or a file that grows comes as IOERR; the system's own number tells it apart. */
static int code_of_io(sqlite3 *handle, int result) {
  if (result == SQLITE_IOERR_NOMEM) return TMON_ENOMEM;
  int code = code_of_os(handle, TMON_EIO);
  return code == TMON_EFULL ? code : TMON_EIO;
}

static int code_of_constraint(int result) {
  return result == SQLITE_CONSTRAINT_UNIQUE || result == SQLITE_CONSTRAINT_PRIMARYKEY || result == SQLITE_CONSTRAINT_ROWID ? TMON_EEXISTS : TMON_EINVAL;
}

int tmon_sqlite_code(sqlite3 *handle, int result) {
  switch (result & 0xff) {
  case SQLITE_OK: return TMON_OK;
  case SQLITE_FULL: return TMON_EFULL;
  case SQLITE_BUSY:
  case SQLITE_LOCKED: return TMON_EBUSY;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return TMON_ECORRUPT;
  case SQLITE_READONLY: return TMON_EREADONLY;
  case SQLITE_NOMEM: return TMON_ENOMEM;
  case SQLITE_IOERR: return code_of_io(handle, result);
  case SQLITE_CANTOPEN: return code_of_os(handle, TMON_EIO);
  case SQLITE_CONSTRAINT: return code_of_constraint(result);
  case SQLITE_PERM:
  case SQLITE_AUTH: return TMON_EACCESS;
  case SQLITE_TOOBIG: return TMON_ELIMIT;
  case SQLITE_ERROR:
  case SQLITE_MISMATCH:
  case SQLITE_RANGE:
  case SQLITE_MISUSE: return TMON_EINVAL;
  default: return TMON_EIO;
  }
}

int tmon_sqlite_error(sqlite3 *handle, int result, const char *doing) {
  int code = tmon_sqlite_code(handle, result);
  if (code == TMON_OK) return TMON_OK;
  if (code == TMON_EBUSY) return tmon_error_set(code, "%s: a program outside the library holds the database (%s)", doing, sqlite3_errstr(result));
  return tmon_error_set(code, "%s: %s", doing, handle ? sqlite3_errmsg(handle) : sqlite3_errstr(result));
}
