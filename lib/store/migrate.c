/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The schema's version: looked at before anything is touched, brought up to date in one transaction. */
#include "store/driver.h"
#include "util/error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Append only. The first step makes a new store; each later one goes from one version to the next. */
static const tmon_migration migrations[] = {
    {0, 1001, tmon_sql_schema, NULL},
    /* The column came while the number was still 1000. */
    {1000, 1001, tmon_sql_schema_1001, "SELECT count(*) FROM pragma_table_info('training_sessions') WHERE name = 'summary'"},
};

static int64_t major_of(int64_t version) { return version / 1000; }

int tmon_schema_check(int64_t *version, tmon_connection *connection, const char *path) {
  int64_t application = 0;
  int64_t objects = 0;
  int result = tmon_connection_int(&application, connection, "PRAGMA application_id", "reading the database");
  if (!result) result = tmon_connection_int(version, connection, "PRAGMA user_version", "reading the database");
  if (!result) result = tmon_connection_int(&objects, connection, "SELECT count(*) FROM sqlite_schema", "reading the database");
  if (result) return result;
  if (application == 0 && *version == 0 && objects == 0) return TMON_OK;
  if (application != TMON_APPLICATION_ID || *version <= 0)
    return tmon_error_set(TMON_ECORRUPT, "%s is no store: application_id is %" PRId64 ", expected %d", path, application, TMON_APPLICATION_ID);
  if (major_of(*version) > major_of(TMON_SCHEMA_VERSION))
    return tmon_error_set(
        TMON_EVERSION, "%s has schema %" PRId64 ", written by a newer version; this one knows up to %d.x", path, *version, TMON_SCHEMA_VERSION / 1000);
  return TMON_OK;
}

static int is_done(int64_t *done, tmon_connection *connection, const tmon_migration *step) {
  *done = 0;
  return step->done ? tmon_connection_int(done, connection, step->done, "reading the schema") : TMON_OK;
}

int tmon_schema_check_columns(int64_t version, tmon_connection *connection, const char *path) {
  for (size_t i = 0; version != 0 && i < sizeof migrations / sizeof *migrations; i++) {
    int64_t done = 0;
    if (migrations[i].from < version || migrations[i].from == 0) continue;
    int result = is_done(&done, connection, &migrations[i]);
    if (result) return result;
    if (!done)
      return tmon_error_set(
          TMON_EVERSION, "%s has schema %" PRId64 ": open it for writing once, which brings it to %d", path, version, TMON_SCHEMA_VERSION);
  }
  return TMON_OK;
}

static int run_steps(tmon_connection *connection, const tmon_migration *steps, size_t count, int64_t from, int64_t to) {
  char text[120];
  int64_t version = from;
  for (size_t i = 0; i < count && version < to; i++) {
    int64_t done = 0;
    if (steps[i].from != version) continue;
    int result = is_done(&done, connection, &steps[i]);
    if (!result && !done) result = tmon_connection_run(connection, steps[i].sql, "bringing the schema up to date");
    if (result) return result;
    version = steps[i].to;
  }
  if (version < to) return tmon_error_set(TMON_EVERSION, "no way from schema %" PRId64 " to %" PRId64, from, to);
  snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %" PRId64, TMON_APPLICATION_ID, version);
  return tmon_connection_run(connection, text, "bringing the schema up to date");
}

int tmon_schema_migrate(tmon_connection *connection, const tmon_migration *steps, size_t count, int64_t from, int64_t to) {
  int result = tmon_connection_run(connection, "BEGIN IMMEDIATE", "bringing the schema up to date");
  if (result) return result;
  result = run_steps(connection, steps, count, from, to);
  if (!result) result = tmon_connection_run(connection, "COMMIT", "bringing the schema up to date");
  if (!sqlite3_get_autocommit(connection->handle)) sqlite3_exec(connection->handle, "ROLLBACK", NULL, NULL, NULL);
  return result;
}

/* The answer of the pragma is the mode that holds now: SQLite keeps the old one without an error when it can't change it. */
static int set_journal(tmon_db *db, const char *mode) {
  char sql[40];
  snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s", mode);
  sqlite3_stmt *statement = NULL;
  int result = sqlite3_prepare_v2(db->writer->handle, sql, -1, &statement, NULL);
  if (result == SQLITE_OK) result = sqlite3_step(statement);
  int code = TMON_OK;
  if (result != SQLITE_ROW) code = tmon_sqlite_error(db->writer->handle, result, "setting the journal");
  else if (sqlite3_stricmp((const char *)sqlite3_column_text(statement, 0), mode) != 0)
    code = tmon_error_set(TMON_EUNSUPPORTED, "%s can't use the journal mode %s", db->path, mode);
  sqlite3_finalize(statement);
  return code;
}

int tmon_schema_prepare(tmon_db *db, bool network) {
  int64_t version = 0;
  int result = tmon_schema_check(&version, db->writer, db->path);
  if (result) return result;
  char text[120];
  snprintf(text, sizeof text, "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL", TMON_PAGE_BYTES);
  if (version == 0) result = tmon_connection_run(db->writer, text, "creating the database");
  if (!result) result = set_journal(db, network ? "delete" : "wal");
  /* So that a WAL that a long reader made grow shrinks again at its next reset. */
  if (!result) result = tmon_connection_run(db->writer, "PRAGMA journal_size_limit = 16777216", "creating the database");
  if (!result && version < TMON_SCHEMA_VERSION) {
    result = tmon_schema_migrate(db->writer, migrations, sizeof migrations / sizeof *migrations, version, TMON_SCHEMA_VERSION);
    version = TMON_SCHEMA_VERSION;
  }
  if (result) return result;
  db->journal = network ? "delete" : "wal";
  db->schema_version = version;
  return TMON_OK;
}
