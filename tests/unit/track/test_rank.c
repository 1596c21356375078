/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Several processes that feed one session: who owns it, what their deaths do, what readers see. */
#include "unit/track/help.h"

#include <signal.h>
#include <sys/wait.h>

static const char id[] = "01234567-89ab-4def-8123-456789abcdef";

/* A process of a rank: forked before any store is opened. It does what it is told by a letter at a time and answers with the code of the call. */
typedef struct peer {
  pid_t pid;
  int to;
  int from;
} peer;

static int start(tmon_session **session, tmon_store *store, uint32_t rank) {
  tmon_session_options options = {
      .size = sizeof options, .id = id, .rank = rank, .no_drainer = true, .ring_bytes = 256 << 10, .name = rank == 0 ? "whole" : "part"};
  return tmon_session_start(session, store, &options);
}

static int log_some(tmon_session *session, uint32_t rank) {
  tmon_metric metric = 0;
  double value = rank;
  tmon_epoch row = {.size = sizeof row, .count = 1, .metrics = &metric, .values = &value};
  tmon_progress progress = {.size = sizeof progress, .epoch = rank == 0 ? 3 : 99, .epochs = 100};
  int result = tmon_session_metric(&metric, session, "loss", NULL);
  for (int i = 0; i < 100 && result == TMON_OK; i++) result = tmon_log(session, metric, i, value);
  if (result == TMON_OK) result = tmon_session_log_epoch(session, 1, &row);
  return result == TMON_OK ? tmon_session_report(session, &progress) : result;
}

static void serve_peer(int from, int to, uint32_t rank) {
  tmon_store *store = NULL;
  tmon_session *session = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder};
  char what = 0;
  while (read(from, &what, 1) == 1 && what != 'q') {
    int result = TMON_OK;
    if (store == NULL) result = tmon_store_open(&store, test_folder, &options);
    if (result == TMON_OK && what == 's') result = start(&session, store, rank);
    if (result == TMON_OK && what == 'l') result = log_some(session, rank);
    if (result == TMON_OK && what == 'f') result = tmon_session_flush(session);
    if (result == TMON_OK && what == 'c') result = (int)tmon_session_control(session);
    if (result == TMON_OK && what == 'e') result = tmon_session_finish(session, rank == 0 ? TMON_STATUS_CANCELLED : TMON_STATUS_FAILED);
    if (write(to, &result, sizeof result) != sizeof result) break;
  }
  _exit(0);
}

static peer make_peer(uint32_t rank) {
  int to[2];
  int from[2];
  ck_assert(pipe(to) == 0 && pipe(from) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    (void)close(to[1]);
    serve_peer(to[0], from[1], rank);
  }
  (void)close(to[0]);
  (void)close(from[1]);
  return (peer){pid, to[1], from[0]};
}

static int tell(const peer *who, char what) {
  int result = -1;
  ck_assert_int_eq(write(who->to, &what, 1), 1);
  ck_assert_int_eq(read(who->from, &result, sizeof result), sizeof result);
  return result;
}

static void end_peer(peer *who, bool cruel) {
  if (cruel) (void)kill(who->pid, SIGKILL);
  else ck_assert_int_eq(write(who->to, "q", 1), 1); /* others have copies of this end: closing it would not be seen */
  (void)close(who->to);
  (void)close(who->from);
  ck_assert_int_eq(waitpid(who->pid, NULL, 0), who->pid);
}

static void check(tmon_store *store, tmon_status status, bool live, int64_t attempts) {
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_msg(record.status == status && record.live == live && record.attempts == attempts, "status %d, live %d, attempts %lld", (int)record.status,
      record.live, (long long)record.attempts);
  tmon_record_list_free(list);
}

static void check_events(tmon_store *store) {
  char *text = NULL;
  ok(tmon_record_events_json(&text, store, id, 0));
  const char *expected[] = {"\"started\"", "\"joined\"", "\"paused\"", "\"rank_lost\"", "\"cancelled\""};
  const char *at = text;
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    at = strstr(at, expected[i]);
    ck_assert_msg(at != NULL, "no %s in %s", expected[i], text);
  }
  tmon_text_free(text);
}

START_TEST(ranks_feed_one_session) {
  peer first = make_peer(0);
  peer second = make_peer(1);
  peer third = make_peer(2);
  peer twice = make_peer(0);
  peer again = make_peer(2); /* before the store is opened here */
  ok(tell(&first, 's'));
  ok(tell(&second, 's'));
  ok(tell(&third, 's'));
  expect(TMON_EEXISTS, tell(&twice, 's'));
  ok(tell(&second, 'l'));
  ok(tell(&third, 'l'));
  ok(tell(&first, 'l'));
  tmon_store *store = test_store();
  ck_assert_uint_eq(test_count(store, id, "loss", false), 300); /* out of the live rings */
  ok(tell(&second, 'f'));
  ok(tell(&first, 'f'));
  ck_assert_uint_eq(test_count(store, id, "loss", false), 300);
  check(store, TMON_STATUS_RUNNING, true, 1);
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_int_eq(record.progress.epoch, 3); /* that of rank 0 */
  ck_assert_str_eq(record.name, "whole");
  tmon_record_list_free(list);
  char *text = NULL;
  ok(tmon_record_latest_epoch_json(&text, store, id));
  ck_assert_msg(strstr(text, "\"total_loss\":0,") != NULL, "%s", text); /* its epoch row as well */
  tmon_text_free(text);
  ok(tmon_record_request(store, id, TMON_CONTROL_PAUSE));
  ck_assert_int_eq(tell(&second, 'c'), TMON_CONTROL_PAUSE);
  end_peer(&third, true); /* its death ends nothing, and its points stay */
  ok(tmon_store_recover(store, 0, NULL));
  check(store, TMON_STATUS_RUNNING, true, 1);
  ck_assert_uint_eq(test_count(store, id, "loss", false), 300);
  third = again;
  ok(tell(&third, 's')); /* and it may come again */
  ck_assert_int_eq(tell(&third, 'c'), TMON_CONTROL_PAUSE);
  ok(tell(&third, 'e')); /* nor does its end */
  check(store, TMON_STATUS_RUNNING, true, 1);
  ok(tmon_record_ranks_json(&text, store, id));
  ck_assert_msg(
      strstr(text, "\"rank\":1,\"attempt\":1") != NULL && strstr(text, "\"live\":true") != NULL && strstr(text, "\"live\":false") != NULL, "%s", text);
  tmon_text_free(text);
  ok(tell(&first, 'e'));
  check(store, TMON_STATUS_CANCELLED, false, 1);
  ok(tell(&second, 'l')); /* late points of a rank that still runs */
  ok(tell(&second, 'e'));
  check(store, TMON_STATUS_CANCELLED, false, 1);
  ck_assert_uint_eq(test_count(store, id, "loss", false), 400);
  test_settle(store);
  check_events(store);
  tmon_store_free(store);
  end_peer(&first, false);
  end_peer(&second, false);
  end_peer(&third, false);
  end_peer(&twice, false);
}
END_TEST

START_TEST(death_of_rank_0_interrupts) {
  peer first = make_peer(0);
  peer second = make_peer(1);
  peer again = make_peer(0);
  ok(tell(&first, 's'));
  ok(tell(&second, 's'));
  tmon_store *store = test_store();
  end_peer(&first, true);
  check(store, TMON_STATUS_INTERRUPTED, false, 1); /* nobody has recovered */
  ok(tmon_store_recover(store, 0, NULL));
  check(store, TMON_STATUS_INTERRUPTED, false, 1);
  expect(TMON_ESTATE, tmon_record_delete(store, id)); /* rank 1 lives */
  first = again;
  ok(tell(&first, 's')); /* a new attempt */
  check(store, TMON_STATUS_RUNNING, true, 2);
  ok(tell(&second, 'e')); /* of the attempt before: no end of this one */
  check(store, TMON_STATUS_RUNNING, true, 2);
  ok(tell(&first, 'e'));
  check(store, TMON_STATUS_CANCELLED, false, 2);
  ok(tmon_record_delete(store, id));
  tmon_store_free(store);
  end_peer(&first, false);
  end_peer(&second, false);
}
END_TEST

START_TEST(rank_0_may_come_last) {
  peer first = make_peer(0);
  peer second = make_peer(1);
  peer again = make_peer(1);
  tmon_store *store = test_store();
  ok(tell(&second, 's'));
  check(store, TMON_STATUS_RUNNING, true, 1);
  ok(tell(&first, 's'));
  check(store, TMON_STATUS_RUNNING, true, 1); /* not another attempt */
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_str_eq(record.name, "whole");
  tmon_record_list_free(list);
  ok(tell(&second, 'e'));
  check(store, TMON_STATUS_RUNNING, true, 1);
  ok(tell(&first, 'e'));
  check(store, TMON_STATUS_CANCELLED, false, 1);
  end_peer(&first, false);
  end_peer(&second, false);
  second = again;
  ok(tell(&second, 's')); /* all ranks are started again, this one is quickest */
  check(store, TMON_STATUS_RUNNING, true, 2);
  ok(tell(&second, 'e')); /* and rank 0 never comes */
  check(store, TMON_STATUS_FAILED, false, 2);
  end_peer(&second, false);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("rank");
  tcase_add_test(tests, ranks_feed_one_session);
  tcase_add_test(tests, death_of_rank_0_interrupts);
  tcase_add_test(tests, rank_0_may_come_last);
  return test_run(suite_create("track/rank"), tests);
}
