/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What becomes of ring files: removed below a living writer, left without an owner, left by a killed trainer with its error text. */
#include "track/session.h"
#include "unit/track/help.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

static const char *const test_id = "01234567-89ab-4def-8123-456789abcdef";

/* How many ring files lie in the test's folder; `path` receives the last one. */
static int rings(char path[600]) {
  DIR *directory = opendir(test_folder);
  struct dirent *entry;
  int count = 0;
  ck_assert_ptr_nonnull(directory);
  while ((entry = readdir(directory))) {
    if (strncmp(entry->d_name, "trainmon-", 9) != 0) continue;
    ck_assert_int_lt(snprintf(path, 600, "%s/%s", test_folder, entry->d_name), 600);
    count++;
  }
  closedir(directory);
  return count;
}

static void make_old(const char *path) {
  struct timespec times[2] = {{.tv_sec = time(NULL) - 3600}, {.tv_sec = time(NULL) - 3600}};
  ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* The trainer of the test below: says "1" when it logs, logs 300 points more each time it is told, says "2" when it is done. */
static void train(int from_parent, int to_parent) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = test_id};
  char word;
  ok(tmon_session_start(&session, store, &options));
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < 1000; i++) ok(tmon_log(session, metric, i, i));
  ok(tmon_session_set_error(session, "before the removal"));
  for (int round = 0; round < 3; round++) {
    ck_assert_int_eq(write(to_parent, "1", 1), 1);
    ck_assert_int_eq(read(from_parent, &word, 1), 1);
    char key[16];
    (void)snprintf(key, sizeof key, "m%d", round);
    tmon_metric other = test_metric(session, key);
    for (int i = 0; i < 300; i++) {
      ok(tmon_log(session, metric, 1000 + round * 300 + i, i));
      ok(tmon_log(session, other, i, i));
    }
  }
  ck_assert_int_eq(write(to_parent, "2", 1), 1);
  for (;;) pause();
}

/* The heartbeat in a ring file, 0 where none can be read yet. */
static int64_t beat_of(const char *path) {
  tmon_ring *ring = NULL;
  int64_t beat = tmon_ring_open(&ring, path, false) == TMON_OK ? tmon_ring_heartbeat(ring) : 0;
  tmon_ring_close(ring);
  return beat;
}

/* The first heartbeat comes when the ring is made, the next one when the session has it: the exchange follows the row, at any distance. */
static void wait_for_ring(const char *removed) {
  char path[600] = "";
  int64_t made = 0;
  for (int i = 0; i < 6000; i++) {
    int64_t beat = rings(path) == 1 && strcmp(path, removed) != 0 ? beat_of(path) : 0;
    if (made != 0 && beat > made && test_ask("SELECT count(*) FROM writers WHERE closed = 0") == 1 && test_ask("SELECT max(id) FROM writers") > 1) return;
    if (made == 0) made = beat;
    usleep(10000);
  }
  ck_abort_msg("no ring was made in the place of %s", removed);
}

START_TEST(a_removed_ring_is_made_again) {
  int down[2];
  int up[2];
  char word = 0;
  char first[600] = "";
  char second[600] = "";
  tmon_store_free(test_store());
  ck_assert_int_eq(pipe(down), 0);
  ck_assert_int_eq(pipe(up), 0);
  pid_t child = fork();
  if (child == 0) {
    train(down[0], up[1]);
    _exit(1);
  }
  ck_assert_int_eq(read(up[0], &word, 1), 1);
  /* Twice, each time with new names and points before the new ring is there or after it. */
  ck_assert_int_eq(rings(first), 1);
  ck_assert_int_eq(unlink(first), 0);
  ck_assert_int_eq(write(down[1], "g", 1), 1);
  ck_assert_int_eq(read(up[0], &word, 1), 1);
  wait_for_ring(first);
  ck_assert_int_eq(write(down[1], "g", 1), 1);
  ck_assert_int_eq(read(up[0], &word, 1), 1);
  ck_assert_int_eq(rings(second), 1);
  ck_assert_int_eq(unlink(second), 0);
  wait_for_ring(second);
  ck_assert_int_eq(write(down[1], "g", 1), 1);
  ck_assert_int_eq(read(up[0], &word, 1), 1);
  ck_assert_int_eq(word, '2');
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  tmon_store *store = test_store();
  ck_assert_int_eq(test_status(store, test_id), TMON_STATUS_INTERRUPTED);
  ck_assert_uint_eq(test_count(store, test_id, "m", false), 1900);
  for (int round = 0; round < 3; round++) {
    char key[16];
    (void)snprintf(key, sizeof key, "m%d", round);
    ck_assert_uint_eq(test_count(store, test_id, key, false), 300);
  }
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, test_id);
  ck_assert_str_eq(record.error_text, "before the removal");
  ck_assert_int_eq(record.attempts, 1);
  ck_assert_int_eq(record.dropped, 0);
  tmon_record_list_free(list);
  ck_assert_int_eq(rings(first), 0);
  tmon_store_free(store);
}
END_TEST

/* A call that got hold of the old ring before the exchange and writes after it. */
START_TEST(late_points_and_losses_of_an_old_ring_count) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_metric metric = test_metric(session, "m");
  tmon_ring *old = tmon_session_ring(session);
  ok(tmon_log(session, metric, 1, 1));
  tmon_ring_add_dropped(old, 3);
  ok(tmon_session_request(session, TMON_CONTROL_PAUSE));
  ck_assert_int_eq(unlink(session->ring_path), 0);
  session->looked = 0;
  ok(tmon_session_flush(session));
  ck_assert_ptr_ne(tmon_session_ring(session), old);
  ck_assert_int_eq(tmon_session_control(session), TMON_CONTROL_PAUSE);
  ck_assert_uint_eq(tmon_session_dropped(session), 3);
  for (int i = 2; i < 1002; i++) ok(tmon_ring_write(old, TMON_SLOT_POINT, metric, i, i, i));
  tmon_ring_add_dropped(old, 2);
  ok(tmon_log(session, metric, 1002, 1));
  ok(tmon_session_flush(session));
  ok(tmon_session_flush(session));
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 1002);
  ck_assert_uint_eq(tmon_session_dropped(session), 5);
  for (int i = 1003; i < 1100; i++) ok(tmon_ring_write(old, TMON_SLOT_POINT, metric, i, i, i));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 1099);
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, tmon_session_id(session));
  ck_assert_int_eq(record.dropped, 5);
  ck_assert_int_eq(record.status, TMON_STATUS_COMPLETED);
  tmon_record_list_free(list);
  tmon_session_free(session);
  ok(tmon_store_recover(store, 0, NULL)); /* a slow machine leaves the end to adoption */
  ck_assert_int_eq(test_ask("SELECT count(*) FROM writers WHERE closed = 0"), 0);
  tmon_store_free(store);
}
END_TEST

START_TEST(another_file_in_its_place_is_left_alone) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  char path[600];
  (void)snprintf(path, sizeof path, "%s", session->ring_path);
  ck_assert_int_eq(unlink(path), 0);
  FILE *file = fopen(path, "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fclose(file), 0);
  session->looked = 0;
  ok(tmon_session_flush(session));
  ck_assert_str_ne(session->ring_path, path);
  ck_assert_int_eq(access(session->ring_path, F_OK), 0);
  tmon_session_free(session);
  ck_assert_int_eq(access(path, F_OK), 0);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_ring_is_not_made_again_for_ever) {
  tmon_store *store = test_store();
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .ring_bytes = 256 << 10};
  tmon_session *session = NULL;
  ok(tmon_session_start(&session, store, &options));
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < 20; i++) {
    ok(tmon_log(session, metric, i, i));
    (void)unlink(session->ring_path);
    session->looked = 0;
    ok(tmon_session_flush(session));
  }
  ck_assert_int_ne(access(session->ring_path, F_OK), 0);
  ck_assert_int_eq(test_ask("SELECT count(*) FROM writers"), 17);
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 20);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

enum { LOGGERS = 3, RENEWALS = 15 };

typedef struct logger {
  tmon_session *session;
  tmon_metric metric;
  _Atomic bool *stop;
  int64_t logged;
  uint64_t dropped; /* where the disk is slower than this */
} logger;

static void *log_without_pause(void *argument) {
  logger *self = argument;
  while (!atomic_load_explicit(self->stop, memory_order_relaxed)) {
    int result = tmon_log(self->session, self->metric, self->logged, 1);
    if (result == TMON_OK) self->logged++;
    else self->dropped++;
  }
  return NULL;
}

/* Each point of `key` once, in the order of the calls. */
static void check_points(tmon_store *store, const char *id, const char *key, int64_t count) {
  static tmon_point points[4096];
  tmon_point_reader *reader = NULL;
  int64_t expected = 0;
  size_t got = 0;
  int result = TMON_OK;
  ok(tmon_point_reader_open(&reader, store, id, key));
  while ((result = tmon_point_reader_next(reader, points, 4096, &got)) == TMON_OK) {
    for (size_t i = 0; i < got; i++, expected++) {
      if (points[i].step != expected) ck_abort_msg("point %lld is where %lld is due", (long long)points[i].step, (long long)expected);
    }
  }
  expect(TMON_DONE, result);
  ck_assert_int_eq(expected, count);
  tmon_point_reader_free(reader);
}

/* Makes the ring again, as after a removal. No point has been logged through the session, so no drainer runs. */
static void make_again(tmon_session *session) {
  ck_assert_int_eq(unlink(session->ring_path), 0);
  session->looked = 0;
  ok(tmon_session_flush(session));
}

static tmon_session *small_session(tmon_store *store) {
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .ring_bytes = 256 << 10};
  ok(tmon_session_start(&session, store, &options));
  return session;
}

/* A call wrote into the old ring before its thread filled the whole new one. */
START_TEST(late_points_find_room_in_a_full_ring) {
  tmon_store *store = test_store();
  tmon_session *session = small_session(store);
  tmon_metric metric = test_metric(session, "m");
  tmon_ring *old = tmon_session_ring(session);
  int64_t count = 0;
  make_again(session);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 1000; i++, count++) ok(tmon_ring_write(old, TMON_SLOT_POINT, metric, count, 1, 1));
    while (tmon_ring_write(tmon_session_ring(session), TMON_SLOT_POINT, metric, count, 1, 1) == TMON_OK) count++;
    ck_assert_uint_eq(tmon_session_dropped(session), (uint64_t)round + 1);
    ok(tmon_session_flush(session));
  }
  check_points(store, tmon_session_id(session), "m", count);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static tmon_ring *held_up;

/* A thread that was held up in a call since the first exchange goes on between the last drain of the second ring and the second exchange. */
static bool take_and_go_on(void *payload) {
  tmon_session *session = payload;
  bool all = tmon_old_rings_take(session);
  ok(tmon_ring_write(held_up, TMON_SLOT_POINT, 1, 0, 1, 1));
  for (int i = 1; i < 300; i++) ok(tmon_ring_write(tmon_session_ring(session), TMON_SLOT_POINT, 1, i, 1, 1));
  tmon_ring_add_dropped(tmon_session_ring(session), 2);
  return all;
}

START_TEST(a_call_held_up_over_two_exchanges_keeps_its_place) {
  tmon_store *store = test_store();
  tmon_session *session = small_session(store);
  ck_assert_uint_eq(test_metric(session, "m"), 1);
  held_up = tmon_session_ring(session);
  make_again(session);
  session->drain.take = take_and_go_on;
  make_again(session);
  ok(tmon_session_flush(session));
  check_points(store, tmon_session_id(session), "m", 300);
  ck_assert_uint_eq(tmon_session_dropped(session), 2);
  ck_assert_int_eq(test_ask("SELECT dropped FROM training_sessions"), 2);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* Rings are removed while threads log: no point is lost, and none leaves its place. */
START_TEST(points_keep_their_order_over_removals) {
  tmon_store *store = test_store();
  tmon_session_options options = {.size = sizeof options, .ring_bytes = _i < 2 ? 0 : 256 << 10}; /* the small one is full most of the time */
  tmon_session *session = NULL;
  _Atomic bool stop = false;
  logger loggers[LOGGERS];
  pthread_t threads[LOGGERS];
  int count = _i % 2 == 0 ? 1 : LOGGERS;
  uint64_t dropped = 0;
  char path[600] = "";
  ok(tmon_session_start(&session, store, &options));
  for (int i = 0; i < count; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "m%d", i);
    loggers[i] = (logger){session, test_metric(session, key), &stop, 0, 0};
    ck_assert_int_eq(pthread_create(&threads[i], NULL, log_without_pause, &loggers[i]), 0);
  }
  for (int i = 0; i < RENEWALS; i++) {
    tmon_mutex_lock(session->mutex);
    (void)snprintf(path, sizeof path, "%s", session->ring_path);
    ck_assert_int_eq(unlink(path), 0);
    session->looked = 0;
    tmon_mutex_unlock(session->mutex);
    ok(tmon_session_flush(session));
    ck_assert_str_ne(session->ring_path, path);
  }
  atomic_store(&stop, true);
  for (int i = 0; i < count; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  ok(tmon_session_flush(session));
  ck_assert_int_eq(test_ask("SELECT count(*) FROM writers"), RENEWALS + 1);
  for (int i = 0; i < count; i++) {
    char key[16];
    (void)snprintf(key, sizeof key, "m%d", i);
    check_points(store, tmon_session_id(session), key, loggers[i].logged);
    dropped += loggers[i].dropped;
  }
  ck_assert_uint_eq(tmon_session_dropped(session), dropped);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(error_text_survives_a_kill) {
  static char text[2000];
  for (size_t i = 0; i + 2 < sizeof text; i += 2) memcpy(text + i, "\xc3\xa4", 2);
  text[0] = 'a';
  text[1] = 'b';
  memmove(text + 1, text + 2, sizeof text - 2); /* one byte, then pairs: 1,000 bytes end within a character */
  tmon_store_free(test_store());
  pid_t child = fork();
  if (child == 0) {
    tmon_session *session = test_session(test_store(), test_id);
    ok(tmon_session_set_error(session, "first"));
    ok(tmon_session_set_error(session, text));
    raise(SIGKILL);
  }
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  tmon_store *store = test_store();
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, test_id);
  ck_assert_int_eq(record.status, TMON_STATUS_INTERRUPTED);
  ck_assert_uint_eq(strlen(record.error_text), 999);
  ck_assert_int_eq(strncmp(record.error_text, text, 999), 0);
  tmon_record_list_free(list);
  tmon_store_free(store);
}
END_TEST

/* A ring as it lies there when its process is killed before the row is written. */
static tmon_ring *leave_ring(char path[600], const char *ring_id, const uint64_t store[2], bool dead) {
  uint8_t ring[16];
  tmon_ring *made = NULL;
  ok(tmon_id_parse(ring, ring_id));
  ck_assert_int_lt(snprintf(path, 600, "%s/trainmon-%s", test_folder, ring_id), 600);
  ok(tmon_ring_create(&made, path, ring, ring, 256 << 10, NULL));
  tmon_ring_set_store(made, store);
  make_old(path);
  if (!dead) return made;
  tmon_ring_close(made);
  return NULL;
}

START_TEST(rings_without_an_owner_go) {
  tmon_store *store = test_store();
  uint64_t ours[2];
  char gone[600], young[600], foreign[600], alive[600], junk[600], renamed[600], closed[600];
  ok(tmon_store_identity(ours, store));
  const uint64_t theirs[2] = {ours[0], ours[1] + 1};
  (void)leave_ring(gone, "00000000-0000-4000-8000-000000000001", ours, true);
  (void)leave_ring(young, "00000000-0000-4000-8000-000000000002", ours, true);
  ck_assert_int_eq(utimensat(AT_FDCWD, young, NULL, 0), 0);
  (void)leave_ring(foreign, "00000000-0000-4000-8000-000000000003", theirs, true);
  tmon_ring *living = leave_ring(alive, "00000000-0000-4000-8000-000000000004", ours, false);
  (void)leave_ring(closed, "00000000-0000-4000-8000-000000000007", ours, true);
  (void)leave_ring(junk, "00000000-0000-4000-8000-000000000005", ours, true);
  (void)snprintf(renamed, sizeof renamed, "%s/trainmon-00000000-0000-4000-8000-000000000006", test_folder);
  ck_assert_int_eq(rename(junk, renamed), 0);
  FILE *file = fopen(junk, "wb");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_eq(fclose(file), 0);
  make_old(junk);
  tmon_session *session = test_session(store, NULL);
  make_old(session->ring_path);
  (void)test_ask("INSERT INTO writers (session, ring_id, closed) SELECT key, '00000000-0000-4000-8000-000000000007', 1 FROM training_sessions");
  ok(tmon_store_recover(store, 0, NULL)); /* looked a moment ago, when the store was opened */
  ck_assert_int_eq(access(gone, F_OK), 0);
  atomic_store(&store->cleaned, 0);
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_int_ne(access(gone, F_OK), 0);
  ck_assert_int_ne(access(closed, F_OK), 0);
  ck_assert_int_eq(access(young, F_OK), 0);
  ck_assert_int_eq(access(foreign, F_OK), 0);
  ck_assert_int_eq(access(alive, F_OK), 0);
  ck_assert_int_eq(access(junk, F_OK), 0);
  ck_assert_int_eq(access(renamed, F_OK), 0);
  ck_assert_int_eq(access(session->ring_path, F_OK), 0);
  tmon_ring_close(living);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(an_idle_writer_says_that_it_lives) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, test_id);
  (void)test_ask("UPDATE writers SET heartbeat_at = 1");
  ok(tmon_session_flush(session));
  ck_assert_int_eq(test_ask("SELECT heartbeat_at FROM writers"), 1);
  session->drain.beat -= TMON_BEAT_US;
  int64_t before = tmon_clock_now_us();
  ok(tmon_session_flush(session));
  int64_t beat = test_ask("SELECT heartbeat_at FROM writers");
  ck_assert_int_ge(beat, before);
  ck_assert(!tmon_writer_is_gone(beat, beat + 2 * TMON_BEAT_US));
  ck_assert(tmon_writer_is_gone(beat, beat + 4 * TMON_BEAT_US));
  /* Its ring is gone: the heartbeat alone decides. */
  ck_assert_int_eq(unlink(session->ring_path), 0);
  (void)test_ask("UPDATE writers SET heartbeat_at = heartbeat_at - 5000000");
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_int_eq(test_status(store, test_id), TMON_STATUS_RUNNING);
  (void)test_ask("UPDATE writers SET heartbeat_at = heartbeat_at - 35000000");
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_int_eq(test_status(store, test_id), TMON_STATUS_INTERRUPTED);
  /* It was not dead after all. */
  session->looked = 0;
  ok(tmon_session_flush(session));
  ck_assert_int_eq(test_status(store, test_id), TMON_STATUS_RUNNING);
  tmon_session_free(session);
  ck_assert_int_eq(test_status(store, test_id), TMON_STATUS_COMPLETED);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("renew");
  tcase_add_test(tests, a_removed_ring_is_made_again);
  tcase_add_test(tests, late_points_and_losses_of_an_old_ring_count);
  tcase_add_test(tests, another_file_in_its_place_is_left_alone);
  tcase_add_test(tests, a_ring_is_not_made_again_for_ever);
  tcase_add_test(tests, late_points_find_room_in_a_full_ring);
  tcase_add_test(tests, a_call_held_up_over_two_exchanges_keeps_its_place);
  tcase_add_loop_test(tests, points_keep_their_order_over_removals, 0, 4);
  tcase_add_test(tests, error_text_survives_a_kill);
  tcase_add_test(tests, rings_without_an_owner_go);
  tcase_add_test(tests, an_idle_writer_says_that_it_lives);
  return test_run(suite_create("track/renew"), tests);
}
