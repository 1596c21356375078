/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Real forks: the child only drops memory, its parent's store is refused to it, another store works, and the parent loses nothing. */
#include "store/store.h"
#include "unit/track/help.h"

#include <sys/wait.h>

/* A step of a child: the first that fails is its exit status. */
static int step;
#define must(condition) (step++, (condition) ? (void)0 : _exit(step))

static void reap(pid_t child) {
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "step %d of the child failed (status %x)", WEXITSTATUS(status), (unsigned)status);
}

/* What the sqlite3 shell, another process, says of the file. */
static void check_file(const char *folder) {
  char command[500];
  char text[64] = "";
  (void)snprintf(command, sizeof command, "sqlite3 -init /dev/null -readonly %s/trainmon.db 'PRAGMA integrity_check' </dev/null", folder);
  FILE *shell = popen(command, "r");
  ck_assert_ptr_nonnull(shell);
  ck_assert_ptr_nonnull(fgets(text, sizeof text, shell));
  (void)pclose(shell);
  ck_assert_str_eq(text, "ok\n");
}

/* A child of the child is refused as well. */
static void check_grandchild(void) {
  tmon_store *own = NULL;
  int status = -1;
  pid_t grandchild = fork();
  if (grandchild == 0) _exit(tmon_store_open(&own, test_folder, NULL) == TMON_EFORKED ? 0 : 1);
  must(waitpid(grandchild, &status, 0) == grandchild && status == 0);
}

static uint64_t count_points(tmon_point_reader *reader) {
  static tmon_point many[8192];
  uint64_t total = 0;
  size_t count = 0;
  while (tmon_point_reader_next(reader, many, 8192, &count) == TMON_OK) total += count;
  return total;
}

START_TEST(child_frees_everything_and_is_refused) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  tmon_record record;
  tmon_record_list *records = NULL;
  tmon_metric_list *metrics = NULL;
  tmon_point_reader *reader = NULL;
  tmon_follow *follow = NULL;
  tmon_follow_point points[64];
  size_t count = 0;
  bool lapped = false;
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  for (int i = 0; i < 5000; i++) ok(tmon_log(session, metric, i, i));
  ok(tmon_session_flush(session));
  records = test_record(&record, store, id);
  ok(tmon_metric_list_open(&metrics, store, id));
  ok(tmon_point_reader_open(&reader, store, id, "m")); /* a read transaction that is open at the fork */
  ok(tmon_follow_open(&follow, store, id));
  ok(tmon_log(session, metric, 5000, 5000));
  pid_t child = fork();
  if (child == 0) {
    tmon_store *own = NULL;
    must(tmon_log(session, metric, 1, 1) == TMON_EFORKED);
    must(tmon_follow_next(follow, points, 64, &count, &lapped) == TMON_EFORKED && count == 0);
    must(tmon_session_finish(session, TMON_STATUS_FAILED) == TMON_EFORKED);
    tmon_follow_free(follow);
    tmon_point_reader_free(reader);
    tmon_metric_list_free(metrics);
    tmon_record_list_free(records);
    must(tmon_store_open(&own, test_folder, NULL) == TMON_EFORKED && own == NULL);
    must(strstr(tmon_error_message(), "exec or spawn") != NULL);
    tmon_session_free(session);
    tmon_store_free(store);
    must(tmon_store_open(&own, test_folder, NULL) == TMON_EFORKED && own == NULL); /* freeing does not bring SQLite's state back */
    check_grandchild();
    _exit(0);
  }
  reap(child);
  ok(tmon_log(session, metric, 5001, 5001));
  ok(tmon_follow_next(follow, points, 64, &count, &lapped));
  ck_assert(count == 2 && !lapped && points[1].point.step == 5001);
  ck_assert_uint_eq(count_points(reader), 5000);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  ck_assert_uint_eq(test_count(store, id, "m", false), 5002);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_COMPLETED);
  tmon_follow_free(follow);
  tmon_point_reader_free(reader);
  tmon_metric_list_free(metrics);
  tmon_record_list_free(records);
  tmon_session_free(session);
  tmon_store_free(store);
  check_file(test_folder);
}
END_TEST

START_TEST(fork_in_mid_transaction) {
  tmon_store *store = test_store();
  tmon_db *db = NULL;
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  ok(tmon_db_open(&db, test_folder, false, true, 1000000));
  ok(tmon_tx_begin(&tx, db, true, -1));
  ok(tmon_tx_prepare(&row, tx, "INSERT INTO training_sessions (id, session_name) VALUES ('a', 'n')"));
  ok(tmon_row_run(row));
  pid_t child = fork();
  if (child == 0) {
    tmon_store *own = NULL;
    must(tmon_store_open(&own, test_folder, NULL) == TMON_EFORKED);
    must(tmon_tx_commit(tx) == TMON_EFORKED);
    tmon_tx_abort(tx);
    tmon_db_close(db);
    tmon_store_free(store);
    _exit(0);
  }
  reap(child);
  ok(tmon_tx_prepare(&row, tx, "INSERT INTO training_sessions (id, session_name) VALUES ('b', 'n')"));
  ok(tmon_row_run(row));
  ok(tmon_tx_commit(tx));
  tmon_record_list *list = NULL;
  ok(tmon_record_list_open(&list, store, NULL));
  ck_assert_int_eq(tmon_record_list_total(list), 2);
  tmon_record_list_free(list);
  tmon_db_close(db);
  tmon_store_free(store);
  check_file(test_folder);
}
END_TEST

START_TEST(closed_before_the_fork_and_other_stores_work) {
  tmon_store *store = test_store();
  char other[300];
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder};
  (void)snprintf(other, sizeof other, "%s/other", test_folder);
  tmon_store_free(store);
  pid_t child = fork();
  if (child == 0) {
    tmon_store *own = NULL;
    tmon_session *session = NULL;
    tmon_metric metric = 0;
    tmon_session_options no_drainer = {.size = sizeof no_drainer, .no_drainer = true};
    must(tmon_store_open(&own, test_folder, &options) == TMON_OK);
    must(tmon_session_start(&session, own, &no_drainer) == TMON_OK);
    must(tmon_session_metric(&metric, session, "m", NULL) == TMON_OK);
    must(tmon_log(session, metric, 1, 1) == TMON_OK);
    must(tmon_session_finish(session, TMON_STATUS_COMPLETED) == TMON_OK);
    tmon_session_free(session);
    tmon_store_free(own);
    _exit(0);
  }
  reap(child);
  store = test_store();
  child = fork();
  if (child == 0) {
    tmon_store *own = NULL;
    must(tmon_store_open(&own, other, &options) == TMON_OK);
    tmon_store_free(own);
    _exit(0);
  }
  reap(child);
  tmon_record_list *list = NULL;
  ok(tmon_record_list_open(&list, store, NULL));
  ck_assert_int_eq(tmon_record_list_total(list), 1);
  tmon_record_list_free(list);
  tmon_store_free(store);
}
END_TEST

START_TEST(two_sessions_in_two_stores) {
  tmon_store *stores[2] = {test_store(), NULL};
  tmon_session *sessions[2];
  tmon_metric metrics[2];
  char other[300];
  char ids[2][40];
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder};
  (void)snprintf(other, sizeof other, "%s/other", test_folder);
  ok(tmon_store_open(&stores[1], other, &options));
  for (int i = 0; i < 2; i++) {
    sessions[i] = test_session(stores[i], NULL);
    metrics[i] = test_metric(sessions[i], "m");
    (void)snprintf(ids[i], sizeof ids[i], "%s", tmon_session_id(sessions[i]));
  }
  for (int i = 0; i < 3000; i++) /* one thread, two rings: the lane cache changes hands each time */
    ok(tmon_log(sessions[i % 2], metrics[i % 2], i / 2, i));
  pid_t child = fork();
  if (child == 0) {
    tmon_store *own = NULL;
    for (int i = 0; i < 2; i++) {
      must(tmon_log(sessions[i], metrics[i], 0, 0) == TMON_EFORKED);
      must(tmon_store_open(&own, i == 0 ? test_folder : other, NULL) == TMON_EFORKED);
    }
    tmon_store_free(stores[0]); /* in another order than they were made */
    tmon_session_free(sessions[1]);
    tmon_session_free(sessions[0]);
    tmon_store_free(stores[1]);
    _exit(0);
  }
  reap(child);
  for (int i = 0; i < 2; i++) {
    ok(tmon_log(sessions[i], metrics[i], 1500, 1));
    ok(tmon_session_finish(sessions[i], TMON_STATUS_COMPLETED));
    ck_assert_uint_eq(test_count(stores[i], ids[i], "m", false), 1501);
    tmon_session_free(sessions[i]);
    tmon_store_free(stores[i]);
  }
  check_file(test_folder);
  check_file(other);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("fork");
  tcase_add_test(tests, child_frees_everything_and_is_refused);
  tcase_add_test(tests, fork_in_mid_transaction);
  tcase_add_test(tests, closed_before_the_fork_and_other_stores_work);
  tcase_add_test(tests, two_sessions_in_two_stores);
  return test_run(suite_create("track/fork"), tests);
}
