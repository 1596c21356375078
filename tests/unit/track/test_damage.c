/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Damage and bad neighbours: flipped and missing bytes in database, WAL and ring, newer and foreign files, locks of stopped and dead processes, other hosts. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/track/help.h"

#include "store/store.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/file.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define ID "01234567-89ab-4def-8123-456789abcdef"

static const char *path_of(const char *name) {
  static char paths[4][600];
  static int next;
  char *path = paths[next++ % 4];
  (void)snprintf(path, sizeof paths[0], "%s/%s", test_folder, name);
  return path;
}

static char *read_file(size_t *size, const char *name) {
  char *text = NULL;
  ok(tmon_file_read(&text, size, path_of(name), 64 << 20));
  return text;
}

static void write_file(const char *name, const void *data, size_t size) { ok(tmon_file_write_atomic(path_of(name), data, size, 0644)); }

static void run_sql(const char *sql) {
  sqlite3 *db = NULL;
  char *text = NULL;
  ck_assert_int_eq(sqlite3_open(path_of("trainmon.db"), &db), SQLITE_OK);
  ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &text) == SQLITE_OK, "%s: %s", sql, text);
  sqlite3_close(db);
}

static void log_some(tmon_session *session, int count) {
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < count; i++) ok(tmon_log(session, metric, i, i * 0.37));
}

static void make_ended(int points) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  log_some(session, points);
  tmon_session_free(session);
  tmon_store_free(store);
}

/* Opening fails with `code`, for writing and for reading, and the file stays as it is, byte by byte. */
static void expect_refused(int code) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .read_only = true};
  size_t before_size = 0;
  size_t after_size = 0;
  char *before = read_file(&before_size, "trainmon.db");
  expect(code, tmon_store_open(&store, test_folder, NULL));
  ck_assert_ptr_null(store);
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), ""));
  ck_assert_uint_gt(strlen(tmon_error_message()), 10);
  expect(code, tmon_store_open(&store, test_folder, &options));
  char *after = read_file(&after_size, "trainmon.db");
  ck_assert_uint_eq(before_size, after_size);
  ck_assert_int_eq(memcmp(before, after, before_size), 0);
  tmon_free(before);
  tmon_free(after);
}

START_TEST(what_is_no_store_is_left_alone) {
  static const char text[] = "epoch,loss\n1,0.5\n";
  static char long_text[40000];
  write_file("trainmon.db", text, sizeof text - 1);
  expect_refused(TMON_ECORRUPT);
  memset(long_text, 'x', sizeof long_text);
  write_file("trainmon.db", long_text, sizeof long_text);
  expect_refused(TMON_ECORRUPT);
  ck_assert_int_eq(unlink(path_of("trainmon.db")), 0);
  run_sql("CREATE TABLE mine (x)");
  expect_refused(TMON_ECORRUPT);
  ck_assert_int_eq(unlink(path_of("trainmon.db")), 0);
  make_ended(10);
  run_sql("PRAGMA application_id = 1234");
  expect_refused(TMON_ECORRUPT);
  run_sql("PRAGMA application_id = 1953329006; PRAGMA user_version = 2000");
  expect_refused(TMON_EVERSION);
  run_sql("PRAGMA user_version = 1999"); /* a newer minor is opened */
  tmon_store *store = test_store();
  ck_assert_uint_eq(test_count(store, ID, "m", false), 10);
  tmon_store_free(store);
}
END_TEST

START_TEST(an_empty_file_becomes_a_store) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .read_only = true};
  write_file("trainmon.db", "", 0);
  expect(TMON_ENOTFOUND, tmon_store_open(&store, test_folder, &options));
  ck_assert_ptr_null(store);
  make_ended(10);
  store = test_store();
  ck_assert_uint_eq(test_count(store, ID, "m", false), 10);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_damaged_header_and_a_cut_file) {
  size_t size = 0;
  make_ended(50000);
  char *whole = read_file(&size, "trainmon.db");
  for (size_t at = 0; at < 16; at += 5) {
    whole[at] ^= 0x20;
    write_file("trainmon.db", whole, size);
    expect_refused(TMON_ECORRUPT);
    whole[at] ^= 0x20;
  }
  write_file("trainmon.db", whole, 50);
  expect_refused(TMON_ECORRUPT);
  write_file("trainmon.db", whole, 16384 + 100); /* not even the schema is whole */
  expect_refused(TMON_ECORRUPT);
  write_file("trainmon.db", whole, size);
  tmon_store *store = test_store();
  ck_assert_uint_eq(test_count(store, ID, "m", false), 50000);
  tmon_store_free(store);
  tmon_free(whole);
}
END_TEST

/* All that a program does with a store; returns the first failure. */
static int use_store(void) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_series *series = NULL;
  tmon_record_list *list = NULL;
  tmon_metric_list *metrics = NULL;
  tmon_metric_info info;
  tmon_record record;
  char *text = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder};
  int result = tmon_store_open(&store, test_folder, &options);
  if (result != TMON_OK) return result;
#define STEP(call)                                                                                                                                        \
  do {                                                                                                                                                    \
    int step_ = (call);                                                                                                                                   \
    if (result == TMON_OK && step_ != TMON_DONE) result = step_;                                                                                          \
  } while (0)
  STEP(tmon_record_list_open(&list, store, NULL));
  STEP(list ? tmon_record_list_next(list, &record) : TMON_OK);
  STEP(tmon_metric_list_open(&metrics, store, ID));
  while (metrics && tmon_metric_list_next(metrics, &info) == TMON_OK) continue;
  STEP(tmon_series_query(&series, store, ID, "m", NULL));
  STEP(tmon_record_epochs_json(&text, store, ID, -1));
  tmon_point_reader *reader = NULL;
  STEP(tmon_point_reader_open(&reader, store, ID, "m"));
  tmon_point points[256];
  size_t got = 0;
  int next = TMON_OK;
  while (reader && (next = tmon_point_reader_next(reader, points, 256, &got)) == TMON_OK) continue;
  STEP(next);
  tmon_session_options started = {.size = sizeof started, .no_drainer = true};
  STEP(tmon_session_start(&session, store, &started));
  if (session) {
    log_some(session, 100);
    STEP(tmon_session_flush(session));
    STEP(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  }
  tmon_session_free(session);
  tmon_point_reader_free(reader);
  tmon_text_free(text);
  tmon_series_free(series);
  tmon_metric_list_free(metrics);
  tmon_record_list_free(list);
  tmon_store_free(store);
  return result;
}

START_TEST(flipped_bytes_anywhere) {
  enum { ROUNDS = 150 };
  size_t size = 0;
  uint64_t seed = 20;
  int told = 0;
  int unseen = 0;
  make_ended(50000);
  char *whole = read_file(&size, "trainmon.db");
  char *broken = malloc(size);
  ck_assert_ptr_nonnull(broken);
  for (int round = 0; round < ROUNDS; round++) {
    memcpy(broken, whole, size);
    size_t page = test_random(&seed) % (size / 16384) * 16384;
    size_t length = round % 3 == 0 ? 16384 : 1 + test_random(&seed) % 200;
    size_t at = page + (round % 3 == 0 || round % 2 == 0 ? 0 : test_random(&seed) % (16384 - length));
    for (size_t i = at < 100 ? 100 : at; i < at + length; i++) broken[i] = (char)test_random(&seed);
    size_t cut = round % 7 == 6 ? test_random(&seed) % size : size;
    (void)unlink(path_of("trainmon.db-wal"));
    (void)unlink(path_of("trainmon.db-shm"));
    write_file("trainmon.db", broken, cut);
    int result = use_store();
    if (result == TMON_OK) unseen++;
    else if (result == TMON_ECORRUPT) told++;
    else /* where the damage hits a schema text or a number, SQLite sees a wrong statement rather than a wrong file */
      ck_assert_msg(result == TMON_EINVAL || result == TMON_ENOTFOUND || result == TMON_EVERSION || result == TMON_EIO || result == TMON_EEXISTS ||
              result == TMON_ELIMIT,
          "round %d: %s, %s", round, tmon_error_name(result), tmon_error_message());
  }
  printf("%d damaged databases: %d TMON_ECORRUPT, %d not touched by what was read, %d another error\n", ROUNDS, told, unseen, ROUNDS - told - unseen);
  ck_assert_int_gt(told, ROUNDS / 10);
  free(broken);
  tmon_free(whole);
}
END_TEST

static int wait_for(pid_t child) {
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

START_TEST(flipped_bytes_in_the_wal) {
  for (int round = 0; round < 12; round++) {
    pid_t child = fork(); /* ten commits in a WAL that nobody checkpoints */
    if (child == 0) {
      tmon_session *session = test_session(test_store(), ID);
      for (int i = 0; i < 10; i++) {
        log_some(session, 100);
        ok(tmon_session_flush(session));
      }
      _exit(0);
    }
    ck_assert_int_eq(wait_for(child), 0);
    size_t size = 0;
    char *wal = read_file(&size, "trainmon.db-wal");
    size_t at = size * (size_t)round / 12; /* round 0: the header, the whole WAL goes */
    for (size_t i = at; i < at + 40 && i < size; i++) wal[i] = (char)~wal[i];
    write_file("trainmon.db-wal", wal, round == 11 ? size / 2 : size);
    (void)unlink(path_of("trainmon.db-shm"));
    tmon_free(wal);
    tmon_store *store = test_store(); /* what was committed before the damage stands; no error */
    tmon_record_list *list = NULL;
    ok(tmon_record_list_open(&list, store, NULL));
    if (tmon_record_list_total(list) == 1) {
      ck_assert_int_eq(test_status(store, ID), TMON_STATUS_INTERRUPTED);
      tmon_series *series = NULL;
      int result = tmon_series_query(&series, store, ID, "m", NULL);
      ck_assert(result == TMON_OK || result == TMON_ENOTFOUND);
      if (result == TMON_OK) ck_assert_uint_le(test_count(store, ID, "m", false), 1000);
      tmon_series_free(series);
    }
    tmon_record_list_free(list);
    tmon_store_free(store);
    run_sql("PRAGMA integrity_check");
    test_teardown();
    test_setup();
  }
}
END_TEST

/* A child that, once told to, holds the store's lock until it is killed. It is forked before this process opens the store, because afterwards it could not. */
typedef struct holder {
  pid_t pid;
  int go[2];
  int told[2];
} holder;

static holder prepare_holder(bool stopped) {
  holder made;
  ck_assert_int_eq(pipe(made.go), 0);
  ck_assert_int_eq(pipe(made.told), 0);
  made.pid = fork();
  if (made.pid == 0) {
    char byte;
    tmon_db *db = NULL;
    tmon_tx *tx = NULL;
    ck_assert_int_eq(read(made.go[0], &byte, 1), 1);
    ok(tmon_db_open(&db, test_folder, false, true, 5000000));
    ok(tmon_tx_begin(&tx, db, true, -1));
    ck_assert_int_eq(write(made.told[1], "x", 1), 1);
    if (stopped) (void)raise(SIGSTOP); /* stands still, as in a debugger */
    for (;;) (void)pause();
  }
  return made;
}

static void hold_lock(holder *prepared, bool stopped) {
  char byte;
  ck_assert_int_eq(write(prepared->go[1], "x", 1), 1);
  close(prepared->told[1]); /* so that a child that died is noticed */
  ck_assert_int_eq(read(prepared->told[0], &byte, 1), 1);
  if (stopped) ck_assert_int_eq(waitpid(prepared->pid, NULL, WUNTRACED), prepared->pid);
  close(prepared->told[0]);
  close(prepared->go[0]);
  close(prepared->go[1]);
}

static void expect_names(pid_t pid) {
  char text[40];
  (void)snprintf(text, sizeof text, "process %d held the lock", (int)pid);
  ck_assert_msg(strstr(tmon_error_message(), text) != NULL, "\"%s\" is not in \"%s\"", text, tmon_error_message());
}

START_TEST(a_stopped_holder_is_named_and_a_dead_one_forgotten) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder, .lock_timeout_ms = 300};
  tmon_store_free(test_store());
  holder stopped = prepare_holder(true);
  ok(tmon_store_open(&store, test_folder, &options));
  tmon_session *session = test_session(store, ID);
  hold_lock(&stopped, true);
  log_some(session, 100);    /* training does not notice */
  int64_t taken = INT64_MAX; /* the shortest of some: 300 ms were asked for, 5 s are the default */
  for (int i = 0; i < 5 && taken >= 3000000; i++) {
    int64_t begun = tmon_clock_monotonic_us();
    expect(TMON_EBUSY, tmon_session_flush(session));
    expect_names(stopped.pid);
    taken = tmon_clock_monotonic_us() - begun;
  }
  ck_assert_int_lt(taken, 3000000);
  tmon_store *other = NULL;
  expect(TMON_EBUSY, tmon_store_open(&other, test_folder, &options));
  expect_names(stopped.pid);
  options.read_only = true;
  ok(tmon_store_open(&other, test_folder, &options)); /* readers need no lock */
  ck_assert_uint_eq(test_count(other, ID, "m", false), 100);
  tmon_store_free(other);
  ck_assert_int_eq(kill(stopped.pid, SIGKILL), 0);
  ck_assert_int_eq(wait_for(stopped.pid), 1000 + SIGKILL);
  ok(tmon_session_flush(session));
  ck_assert_uint_eq(test_count(store, ID, "m", false), 100);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_lock_file_that_was_deleted_or_replaced) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder, .lock_timeout_ms = 300};
  tmon_store_free(test_store());
  holder holders[2] = {prepare_holder(false), prepare_holder(false)};
  ok(tmon_store_open(&store, test_folder, &options));
  tmon_session *session = test_session(store, ID);
  for (int round = 0; round < 2; round++) {
    ck_assert_int_eq(unlink(path_of("trainmon.lock")), 0);
    if (round == 1) write_file("trainmon.lock", "", 0);
    hold_lock(&holders[round], false); /* locks the file that has the name now */
    log_some(session, 50);
    expect(TMON_EBUSY, tmon_session_flush(session));
    expect_names(holders[round].pid); /* the same lock: SQLite's own would not know who */
    ck_assert_int_eq(kill(holders[round].pid, SIGKILL), 0);
    ck_assert_int_eq(wait_for(holders[round].pid), 1000 + SIGKILL);
    ok(tmon_session_flush(session));
  }
  ck_assert_int_eq(access(path_of("trainmon.lock"), F_OK), 0);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* A trainer in a process of its own that has committed 100 points, logged 50 more and waits. */
static pid_t start_trainer(void) { /* before this process opens the store */
  int told[2];
  ck_assert_int_eq(pipe(told), 0);
  pid_t child = fork();
  if (child == 0) {
    tmon_session *session = test_session(test_store(), ID);
    log_some(session, 100);
    ok(tmon_session_flush(session));
    log_some(session, 50);
    ck_assert_int_eq(write(told[1], "x", 1), 1);
    for (;;) (void)pause();
  }
  char byte;
  ck_assert_int_eq(read(told[0], &byte, 1), 1);
  close(told[0]);
  close(told[1]);
  return child;
}

static const char *ring_path(void) {
  DIR *directory = opendir(test_folder);
  struct dirent *entry;
  const char *found = NULL;
  while (directory && (entry = readdir(directory)))
    if (strncmp(entry->d_name, "trainmon-", 9) == 0) found = path_of(entry->d_name);
  if (directory) closedir(directory);
  ck_assert_ptr_nonnull(found);
  return found;
}

START_TEST(a_ring_truncated_below_its_readers) {
  static const off_t sizes[] = {0, 4096, 100000, 1 << 20};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    pid_t trainer = start_trainer();
    tmon_store *store = test_store();
    tmon_follow *follow = NULL;
    tmon_follow_point points[256];
    size_t count = 0;
    bool lapped = false;
    ok(tmon_follow_open(&follow, store, ID));
    ok(tmon_follow_next(follow, points, 256, &count, &lapped));
    ck_assert(!lapped);
    ck_assert_uint_eq(test_count(store, ID, "m", false), 150);
    ck_assert_int_eq(truncate(ring_path(), sizes[i]), 0);
    ok(tmon_follow_next(follow, points, 256, &count, &lapped));
    ck_assert(lapped); /* told once, then what is committed */
    ok(tmon_follow_next(follow, points, 256, &count, &lapped));
    ck_assert(!lapped);
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(test_count(store, ID, "m", false), 100);
    tmon_record record;
    tmon_record_list *list = test_record(&record, store, ID);
    ck_assert(!record.live && !record.unreachable);
    tmon_record_list_free(list);
    ck_assert_int_eq(kill(trainer, SIGKILL), 0);
    ck_assert_int_eq(wait_for(trainer), 1000 + SIGKILL);
    ok(tmon_store_recover(store, 0, &count));
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(test_status(store, ID), TMON_STATUS_INTERRUPTED);
    tmon_follow_free(follow);
    tmon_store_free(store);
    test_teardown();
    test_setup();
  }
}
END_TEST

START_TEST(a_trainer_on_another_host) {
  pid_t trainer = start_trainer();
  tmon_store *store = test_store();
  tmon_record record;
  tmon_follow *follow = NULL;
  tmon_follow_point points[256];
  size_t count = 9;
  run_sql(
      "UPDATE writers SET host = 'elsewhere', boot_id = 'ffffffff-ffff-4fff-8fff-ffffffffffff', ring_path = '/nonexistent/trainmon-x', heartbeat_at = 1");
  tmon_record_list *list = test_record(&record, store, ID);
  ck_assert_int_eq(record.status, TMON_STATUS_RUNNING);
  ck_assert(record.unreachable && !record.live);
  tmon_record_list_free(list);
  ok(tmon_store_recover(store, 0, &count)); /* never judged from here, however long it is silent */
  ck_assert_uint_eq(count, 0);
  ck_assert_int_eq(test_status(store, ID), TMON_STATUS_RUNNING);
  ck_assert_uint_eq(test_count(store, ID, "m", false), 100); /* what is committed */
  ok(tmon_follow_open(&follow, store, ID));
  ok(tmon_follow_next(follow, points, 256, &count, NULL));
  ck_assert_uint_eq(count, 0);
  tmon_follow_free(follow);
  ok(tmon_record_request(store, ID, TMON_CONTROL_STOP)); /* its own drainer finds the row */
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = ID};
  expect(TMON_EEXISTS, tmon_session_start(&session, store, &options));
  ck_assert_ptr_null(session);
  /* The same host after a reboot: the ring went with its memory, and nobody has been heard of since. */
  run_sql("UPDATE writers SET host = (SELECT host FROM writers LIMIT 1)");
  char sql[200];
  char host[65] = "";
  ck_assert_int_eq(gethostname(host, sizeof host - 1), 0);
  (void)snprintf(sql, sizeof sql, "UPDATE writers SET host = '%s'", host);
  run_sql(sql);
  list = test_record(&record, store, ID);
  ck_assert(!record.unreachable && !record.live);
  tmon_record_list_free(list);
  ok(tmon_store_recover(store, 0, &count));
  ck_assert_uint_eq(count, 1);
  ck_assert_int_eq(test_status(store, ID), TMON_STATUS_INTERRUPTED);
  ck_assert_int_eq(kill(trainer, SIGKILL), 0);
  ck_assert_int_eq(wait_for(trainer), 1000 + SIGKILL);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_locale_with_decimal_commas) {
  char command[700];
  (void)snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s' >/dev/null 2>&1", path_of("de_DE.UTF-8"));
  int made = system(command);
  ck_assert_int_eq(setenv("LOCPATH", test_folder, 1), 0);
  if (made < 0 || !setlocale(LC_ALL, "de_DE.UTF-8")) {
    printf("skipped: decimal commas: the locale de_DE.UTF-8 can't be made here\n");
    return;
  }
  char text[20];
  (void)snprintf(text, sizeof text, "%.1f", 0.5);
  ck_assert_str_eq(text, "0,5"); /* it is in force */
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = ID, .no_drainer = true, .learning_rate = 0.001, .config_json = "{\"lr\":0.25}"};
  ok(tmon_session_start(&session, store, &options));
  tmon_metric metrics[] = {test_metric(session, "train/loss"), test_metric(session, "other")};
  double values[] = {0.5, 1e-7};
  tmon_epoch row = {.size = sizeof row, .count = 2, .metrics = metrics, .values = values};
  ok(tmon_session_log_epoch(session, 1, &row));
  ok(tmon_log(session, metrics[0], 1, 2.75));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  test_settle(store); /* the figures of the end come with it */
  char *json = NULL;
  ok(tmon_record_epochs_json(&json, store, ID, -1));
  ck_assert_msg(strstr(json, "\"total_loss\":0.5") && strstr(json, "\"other\":1e-07") && !strstr(json, "0,5"), "%s", json);
  tmon_text_free(json);
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, ID);
  ck_assert_double_eq(record.learning_rate, 0.001);
  ck_assert_double_eq(record.final_loss, 0.5);
  ck_assert_str_eq(record.config_json, "{\"lr\":0.25}");
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
  run_sql("CREATE TEMP TABLE t (x CHECK (x)); INSERT INTO t SELECT total_loss = 0.5 AND typeof(total_loss) = 'real' AND json_valid(extra) AND"
          " json_extract(extra, '$.other') = 1e-7 FROM training_metrics");
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("damage");
  tcase_add_test(tests, what_is_no_store_is_left_alone);
  tcase_add_test(tests, an_empty_file_becomes_a_store);
  tcase_add_test(tests, a_damaged_header_and_a_cut_file);
  tcase_add_test(tests, flipped_bytes_anywhere);
  tcase_add_test(tests, flipped_bytes_in_the_wal);
  tcase_add_test(tests, a_stopped_holder_is_named_and_a_dead_one_forgotten);
  tcase_add_test(tests, a_lock_file_that_was_deleted_or_replaced);
  tcase_add_test(tests, a_ring_truncated_below_its_readers);
  tcase_add_test(tests, a_trainer_on_another_host);
  tcase_add_test(tests, a_locale_with_decimal_commas);
  return test_run(suite_create("track/damage"), tests);
}
