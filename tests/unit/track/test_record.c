/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions as rows: listing, writing those that have no ring, leases, control, the cursor of changes. */
#include "unit/track/help.h"

#include <signal.h>
#include <sys/wait.h>

START_TEST(list_filters_and_pages) {
  tmon_store *store = test_store();
  tmon_record_list *list = NULL;
  tmon_record record;
  for (int i = 0; i < 7; i++) {
    char id[37];
    char name[8];
    (void)snprintf(name, sizeof name, "n%d", i);
    tmon_record_change change = {.size = sizeof change, .name = name, .set_status = i < 3, .status = TMON_STATUS_FAILED};
    ok(tmon_record_create(id, store, &change));
  }
  tmon_record_filter filter = {.size = sizeof filter, .limit = 3, .offset = 2};
  ok(tmon_record_list_open(&list, store, &filter));
  ck_assert_int_eq(tmon_record_list_total(list), 7);
  for (int i = 4; i >= 2; i--) {
    char name[8];
    (void)snprintf(name, sizeof name, "n%d", i);
    ok(tmon_record_list_next(list, &record));
    ck_assert_str_eq(record.name, name);
    ck_assert(record.rest && !record.live && record.best_epoch == -1);
  }
  expect(TMON_DONE, tmon_record_list_next(list, &record));
  tmon_record_list_free(list);
  filter = (tmon_record_filter){.size = sizeof filter, .by_status = true, .status = TMON_STATUS_FAILED};
  ok(tmon_record_list_open(&list, store, &filter));
  ck_assert_int_eq(tmon_record_list_total(list), 3);
  tmon_record_list_free(list);
  filter = (tmon_record_filter){.size = sizeof filter, .limit = 1001};
  expect(TMON_EINVAL, tmon_record_list_open(&list, store, &filter));
  filter = (tmon_record_filter){.size = sizeof filter, .offset = -1};
  expect(TMON_EINVAL, tmon_record_list_open(&list, store, &filter));
  filter = (tmon_record_filter){.size = sizeof filter, .by_status = true, .status = (tmon_status)77};
  expect(TMON_EINVAL, tmon_record_list_open(&list, store, &filter));
  ck_assert_int_eq(tmon_record_list_total(NULL), 0);
  tmon_store_free(store);
}
END_TEST

static void expect_changes(tmon_store *store, int64_t after, const char *expected) {
  char *text = NULL;
  ok(tmon_store_changes_json(&text, store, after));
  ck_assert_str_eq(text, expected);
  tmon_text_free(text);
}

START_TEST(changes_after_a_cursor_name_each_session_once) {
  tmon_store *store = test_store();
  char one[37];
  char two[37];
  char expected[300];
  char *text = NULL;
  int64_t cursor = 0;
  int64_t last = 0;
  tmon_record_change change = {.size = sizeof change};
  tmon_epoch_value value = {"loss", 1};
  ok(tmon_record_create(one, store, &change));
  ok(tmon_store_change_cursor(&cursor, store));
  ok(tmon_record_create(two, store, &change));
  ok(tmon_record_log_epoch(store, one, 1, &value, 1));
  ok(tmon_record_log_epoch(store, one, 1, &value, 1));
  ok(tmon_store_change_cursor(&last, store));
  (void)snprintf(expected, sizeof expected,
      "{\"sessions\":[{\"id\":\"%s\",\"created\":true},{\"id\":\"%s\",\"created\":false}],\"cursor\":%lld,\"resync\":false,\"more\":false}", two, one,
      (long long)last);
  expect_changes(store, cursor, expected);
  (void)snprintf(expected, sizeof expected, "{\"sessions\":[],\"cursor\":%lld,\"resync\":false,\"more\":false}", (long long)last);
  expect_changes(store, last, expected);
  ok(tmon_store_changes_json(&text, store, last + 1));
  ck_assert_ptr_nonnull(strstr(text, "\"resync\":true"));
  ck_assert_ptr_nonnull(strstr(text, one));
  tmon_text_free(text);
  expect(TMON_EINVAL, tmon_store_changes_json(&text, store, -1));
  expect(TMON_EINVAL, tmon_store_changes_json(NULL, store, 0));
  expect(TMON_EINVAL, tmon_store_changes_json(&text, NULL, 0));
  tmon_store_free(store);
}
END_TEST

START_TEST(rest_session_lives_by_its_lease) {
  tmon_store *store = test_store();
  tmon_record record;
  char id[37];
  size_t changed = 0;
  int64_t before = 0;
  int64_t after = 0;
  tmon_record_change change = {.size = sizeof change, .epochs = 10, .learning_rate = NAN};
  tmon_epoch_value values[] = {{"loss", 0.5}, {"mine", NAN}};
  ok(tmon_record_create(id, store, &change));
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_PENDING);
  ok(tmon_store_change_cursor(&before, store));
  ok(tmon_record_log_epoch(store, id, 2, values, 2));
  ok(tmon_store_change_cursor(&after, store));
  ck_assert_int_gt(after, before);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING);
  ok(tmon_record_request(store, id, TMON_CONTROL_PAUSE));
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(record.control == TMON_CONTROL_PAUSE && record.paused && record.progress.epoch == 2 && isnan(record.learning_rate));
  tmon_record_list_free(list);
  (void)usleep(3000);
  ok(tmon_store_recover(store, 1000, &changed));
  ck_assert_uint_eq(changed, 1);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_INTERRUPTED);
  expect(TMON_ESTATE, tmon_record_request(store, id, TMON_CONTROL_RUN));
  ok(tmon_record_log_epoch(store, id, 3, values, 1));
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING);
  change = (tmon_record_change){.size = sizeof change, .set_status = true, .status = TMON_STATUS_COMPLETED, .final_loss = 0.25, .name = "b"};
  ok(tmon_record_update(store, id, &change));
  list = test_record(&record, store, id);
  ck_assert_int_eq(record.status, TMON_STATUS_COMPLETED);
  ck_assert_double_eq(record.final_loss, 0.25);
  ck_assert_str_eq(record.name, "b");
  ck_assert(record.completed_at > 0 && record.epochs == 10);
  tmon_record_list_free(list);
  tmon_store_free(store);
}
END_TEST

START_TEST(errors) {
  static const char unknown[] = "01234567-89ab-4def-8123-456789abcdef";
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  char id[37];
  char *text = NULL;
  tmon_epoch_value value = {"loss", 1};
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = TMON_STATUS_INTERRUPTED};
  expect(TMON_EINVAL, tmon_record_create(id, store, &change));
  expect(TMON_EINVAL, tmon_record_create(id, store, NULL));
  change = (tmon_record_change){.size = sizeof change, .config_json = "nope"};
  expect(TMON_EINVAL, tmon_record_create(id, store, &change));
  change = (tmon_record_change){.size = sizeof change, .epochs = -1};
  expect(TMON_EINVAL, tmon_record_create(id, store, &change));
  change = (tmon_record_change){.size = sizeof change, .set_status = true, .status = TMON_STATUS_FAILED};
  expect(TMON_ESTATE, tmon_record_update(store, tmon_session_id(session), &change));
  expect(TMON_ENOTFOUND, tmon_record_update(store, unknown, &change));
  expect(TMON_ENOTFOUND, tmon_record_log_epoch(store, unknown, 1, &value, 1));
  expect(TMON_EINVAL, tmon_record_log_epoch(store, unknown, 1, &value, 0));
  expect(TMON_EINVAL, tmon_record_log_epoch(store, unknown, -1, &value, 1));
  value.key = "";
  expect(TMON_EINVAL, tmon_record_log_epoch(store, unknown, 1, &value, 1));
  expect(TMON_ENOTFOUND, tmon_record_epochs_json(&text, store, unknown, -1));
  ck_assert_ptr_null(text);
  expect(TMON_ENOTFOUND, tmon_record_request(store, unknown, TMON_CONTROL_STOP));
  expect(TMON_EINVAL, tmon_record_request(store, unknown, (tmon_control)9));
  expect(TMON_EINVAL, tmon_record_request(store, "x", TMON_CONTROL_STOP));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* Starts a session in a child that then waits to be killed; `id` and the child's number come back. */
static pid_t start_trainer(char id[40]) {
  int tubes[2];
  ck_assert_int_eq(pipe(tubes), 0);
  pid_t child = fork();
  if (child == 0) {
    tmon_store *store = test_store();
    tmon_session *session = test_session(store, NULL);
    if (write(tubes[1], tmon_session_id(session), 37) != 37) _exit(1);
    for (;;) pause();
  }
  ck_assert_int_eq(read(tubes[0], id, 37), 37);
  (void)close(tubes[0]);
  (void)close(tubes[1]);
  return child;
}

static void check_active(tmon_store *store, int64_t lease_us, int64_t expected) {
  tmon_record_list *list = NULL;
  tmon_record record;
  tmon_record_filter filter = {.size = sizeof filter, .active = true, .lease_us = lease_us, .limit = 1};
  ok(tmon_record_list_open(&list, store, &filter));
  ck_assert_int_eq(tmon_record_list_total(list), expected);
  for (int i = 0; i < 2; i++) ck_assert_int_eq(tmon_record_list_next(list, &record), i < expected ? (i < 1 ? TMON_OK : TMON_DONE) : TMON_DONE);
  tmon_record_list_free(list);
}

START_TEST(life_is_shown_by_the_lock) {
  char id[40];
  tmon_record record;
  pid_t child = start_trainer(id);
  tmon_store *store = test_store();
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(record.live && !record.unreachable && record.status == TMON_STATUS_RUNNING && record.heartbeat_at > 0);
  tmon_record_list_free(list);
  check_active(store, 0, 1);
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  list = test_record(&record, store, id); /* nobody has recovered */
  ck_assert(!record.live && !record.unreachable && !record.paused && record.status == TMON_STATUS_INTERRUPTED);
  tmon_record_list_free(list);
  check_active(store, 0, 0);
  size_t adopted = 0;
  ok(tmon_store_recover(store, 0, &adopted)); /* what was shown is what is written, and looking has kept nobody from adopting */
  ck_assert_uint_eq(adopted, 1);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_INTERRUPTED);
  tmon_store_free(store);
}
END_TEST

START_TEST(out_of_reach_is_judged_by_heartbeat) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  tmon_record record;
  char command[400];
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  (void)snprintf(command, sizeof command, "sqlite3 %s/trainmon.db \"UPDATE writers SET host = 'elsewhere', ring_path = '/nowhere'\"", test_folder);
  ck_assert_int_eq(system(command), 0);
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(!record.live && record.unreachable && record.status == TMON_STATUS_RUNNING && record.heartbeat_at > 0);
  tmon_record_list_free(list);
  check_active(store, 0, 1);
  (void)usleep(3000);
  check_active(store, 1000, 0);
  size_t adopted = 0;
  ok(tmon_store_recover(store, 0, &adopted));
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING); /* never interrupted */
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(active_is_pending_or_running_within_the_lease) {
  tmon_store *store = test_store();
  char ids[3][37];
  tmon_record_list *list = NULL;
  for (int i = 0; i < 3; i++) {
    tmon_record_change change = {.size = sizeof change,
        .set_status = true,
        .status = i == 0 ? TMON_STATUS_PENDING
            : i == 1     ? TMON_STATUS_RUNNING
                         : TMON_STATUS_FAILED};
    ok(tmon_record_create(ids[i], store, &change));
  }
  check_active(store, 0, 2);
  (void)usleep(3000);
  check_active(store, 1000, 0);
  tmon_record_filter filter = {.size = sizeof filter, .active = true, .offset = 1};
  ok(tmon_record_list_open(&list, store, &filter));
  tmon_record record;
  ok(tmon_record_list_next(list, &record));
  ck_assert_str_eq(record.id, ids[0]);
  expect(TMON_DONE, tmon_record_list_next(list, &record));
  ck_assert_int_eq(tmon_record_list_total(list), 2);
  tmon_record_list_free(list);
  filter = (tmon_record_filter){.size = sizeof filter, .lease_us = -1};
  expect(TMON_EINVAL, tmon_record_list_open(&list, store, &filter));
  tmon_store_free(store);
}
END_TEST

START_TEST(set_back_to_running_has_no_end) {
  tmon_store *store = test_store();
  tmon_record record;
  char id[37];
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = TMON_STATUS_FAILED, .error_text = "out of memory"};
  ok(tmon_record_create(id, store, &change));
  change = (tmon_record_change){.size = sizeof change, .name = "still failed"};
  ok(tmon_record_update(store, id, &change));
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(record.completed_at > 0 && record.error_text != NULL && record.status == TMON_STATUS_FAILED);
  tmon_record_list_free(list);
  change = (tmon_record_change){.size = sizeof change, .set_status = true, .status = TMON_STATUS_RUNNING};
  ok(tmon_record_update(store, id, &change));
  list = test_record(&record, store, id);
  ck_assert(record.completed_at == 0 && record.error_text == NULL && record.status == TMON_STATUS_RUNNING);
  tmon_record_list_free(list);
  change.error_text = "a warning"; /* of a session that runs already: kept */
  ok(tmon_record_update(store, id, &change));
  change.error_text = NULL;
  ok(tmon_record_update(store, id, &change));
  list = test_record(&record, store, id);
  ck_assert_str_eq(record.error_text, "a warning");
  tmon_record_list_free(list);
  tmon_store_free(store);
}
END_TEST

static int64_t best_of(tmon_store *store, const char *id) {
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  tmon_record_list_free(list);
  return record.best_epoch;
}

static void log_value(tmon_store *store, const char *id, int64_t epoch, const char *key, double value) {
  tmon_epoch_value values[] = {{key, value}};
  ok(tmon_record_log_epoch(store, id, epoch, values, 1));
}

START_TEST(best_epoch_by_default_and_as_wished) {
  tmon_store *store = test_store();
  char id[37];
  tmon_record_change change = {.size = sizeof change};
  ok(tmon_record_create(id, store, &change));
  ck_assert_int_eq(best_of(store, id), -1);
  log_value(store, id, 1, "loss", 0.5);
  log_value(store, id, 2, "loss", 0.5); /* a tie: the earlier one */
  ck_assert_int_eq(best_of(store, id), 1);
  log_value(store, id, 2, "val/loss", 0.9);
  ck_assert_int_eq(best_of(store, id), 2);
  log_value(store, id, 4, "map50_95", 0.3);
  log_value(store, id, 3, "map50_95", 0.3);
  ck_assert_int_eq(best_of(store, id), 3);
  log_value(store, id, 5, "my \"own\" score", 7);
  log_value(store, id, 6, "my \"own\" score", 9);
  log_value(store, id, 7, "my \"own\" score", NAN);
  ck_assert_int_eq(best_of(store, id), 3);
  change = (tmon_record_change){.size = sizeof change, .best_metric = "my \"own\" score:max"};
  ok(tmon_record_update(store, id, &change));
  ck_assert_int_eq(best_of(store, id), 6);
  log_value(store, id, 6, "my \"own\" score", 1);
  ck_assert_int_eq(best_of(store, id), 5);
  change.best_metric = "train/loss:min"; /* an alias of a column */
  ok(tmon_record_update(store, id, &change));
  ck_assert_int_eq(best_of(store, id), 1);
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert_str_eq(record.best_metric, "total_loss:min");
  tmon_record_list_free(list);
  change = (tmon_record_change){.size = sizeof change, .name = "x"}; /* not said: stays */
  ok(tmon_record_update(store, id, &change));
  ck_assert_int_eq(best_of(store, id), 1);
  change.best_metric = "";
  ok(tmon_record_update(store, id, &change));
  ck_assert_int_eq(best_of(store, id), 3);
  static const char *const wrong[] = {"val_loss", ":min", "val_loss:most", "a\nb:max"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    change.best_metric = wrong[i];
    expect(TMON_EINVAL, tmon_record_update(store, id, &change));
  }
  tmon_store_free(store);
}
END_TEST

static const char *name_of(tmon_store *store, const tmon_record_filter *filter, size_t index, int64_t total) {
  static char name[40];
  tmon_record_list *list = NULL;
  tmon_record record;
  ok(tmon_record_list_open(&list, store, filter));
  ck_assert_int_eq(tmon_record_list_total(list), total);
  for (size_t i = 0; i <= index; i++) {
    int result = tmon_record_list_next(list, &record);
    if (result == TMON_OK) (void)snprintf(name, sizeof name, "%s", record.name);
    else (void)snprintf(name, sizeof name, "none");
  }
  tmon_record_list_free(list);
  return name;
}

#define FIND(total, index, ...) name_of(store, &(tmon_record_filter){.size = sizeof(tmon_record_filter), __VA_ARGS__}, index, total)

START_TEST(notes_tags_and_parents) {
  tmon_store *store = test_store();
  char top[37];
  char child[37];
  tmon_record record;
  tmon_record_change change = {.size = sizeof change, .name = "top", .notes = "first\nlines", .tags_json = " [ \"a\", \"b\\\"\" ] "};
  ok(tmon_record_create(top, store, &change));
  change = (tmon_record_change){.size = sizeof change, .name = "child", .parent_id = top, .id = "01234567-89ab-4def-8123-456789abcdef"};
  ok(tmon_record_create(child, store, &change));
  ck_assert_str_eq(child, change.id);
  expect(TMON_EEXISTS, tmon_record_create(child, store, &change));
  ck_assert_str_eq(tmon_error_field(), "id");
  (void)snprintf(child, sizeof child, "%s", change.id);
  tmon_record_list *list = test_record(&record, store, top);
  ck_assert_str_eq(record.notes, "first\nlines");
  ck_assert_str_eq(record.tags_json, "[\"a\",\"b\\\"\"]");
  ck_assert(record.children == 1 && record.parent_id == NULL);
  tmon_record_list_free(list);
  list = test_record(&record, store, child);
  ck_assert(record.tags_json == NULL && record.notes == NULL && record.children == 0);
  ck_assert_str_eq(record.parent_id, top);
  tmon_record_list_free(list);
  change = (tmon_record_change){.size = sizeof change, .name = "renamed", .notes = "", .tags_json = "[]", .parent_id = ""};
  ok(tmon_record_update(store, child, &change));
  ok(tmon_record_update(store, top, &change));
  list = test_record(&record, store, top);
  ck_assert(record.notes == NULL && record.tags_json == NULL && record.children == 0);
  ck_assert_str_eq(record.name, "renamed");
  tmon_record_list_free(list);
  tmon_store_free(store);
}
END_TEST

START_TEST(what_notes_tags_and_parents_may_not_be) {
  tmon_store *store = test_store();
  char ids[3][37];
  static char notes[65538];
  char tags[65 * 8];
  char *at = tags;
  memset(notes, 'n', sizeof notes - 1);
  for (int i = 0; i < 65; i++) at += snprintf(at, (size_t)(tags + sizeof tags - at), "%s\"%d\"", i == 0 ? "[" : ",", i);
  (void)snprintf(at, (size_t)(tags + sizeof tags - at), "]");
  for (int i = 0; i < 3; i++) {
    tmon_record_change change = {.size = sizeof change, .parent_id = i == 0 ? NULL : ids[i - 1]};
    ok(tmon_record_create(ids[i], store, &change));
  }
  const struct {
    const char *field;
    int code;
    tmon_record_change change;
  } wrong[] = {{"notes", TMON_EINVAL, {.notes = notes}}, {"notes", TMON_EINVAL, {.notes = "\xff"}}, {"tags", TMON_EINVAL, {.tags_json = "{}"}},
      {"tags", TMON_EINVAL, {.tags_json = "[1]"}}, {"tags", TMON_EINVAL, {.tags_json = "[\"\"]"}}, {"tags", TMON_EINVAL, {.tags_json = "[\"a\",\"a\"]"}},
      {"tags", TMON_EINVAL, {.tags_json = "[\"a\""}}, {"tags", TMON_EINVAL, {.tags_json = tags}},
      {"tags", TMON_EINVAL, {.tags_json = "[\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]"}},
      {"parent_id", TMON_EINVAL, {.parent_id = "x"}}, {"parent_id", TMON_EINVAL, {.parent_id = ids[0]}}, {"parent_id", TMON_EINVAL, {.parent_id = ids[2]}},
      {"parent_id", TMON_ENOTFOUND, {.parent_id = "01234567-89ab-4def-8123-456789abcdef"}}, {"id", TMON_EINVAL, {.id = ids[0]}},
      {"epochs", TMON_EINVAL, {.epochs = -1}}, {"final_map50", TMON_EINVAL, {.final_map50 = 101}}, {"final_recall", TMON_EINVAL, {.final_recall = -0.1}},
      {"final_loss", TMON_EINVAL, {.final_loss = INFINITY}}, {"completed_at", TMON_EINVAL, {.started_at = 5, .completed_at = 4}},
      {"config", TMON_EINVAL, {.config_json = "[]"}}, {"status", TMON_EINVAL, {.set_status = true, .status = TMON_STATUS_INTERRUPTED}}};
  int64_t before = 0;
  int64_t after = 0;
  ok(tmon_store_change_cursor(&before, store));
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    tmon_record_change change = wrong[i].change;
    change.size = sizeof change;
    expect(wrong[i].code, tmon_record_update(store, ids[0], &change));
    ck_assert_msg(tmon_error_field() != NULL && strcmp(tmon_error_field(), wrong[i].field) == 0, "case %zu names %s: %s", i,
        tmon_error_field() == NULL ? "none" : tmon_error_field(), tmon_error_message());
  }
  ok(tmon_store_change_cursor(&after, store));
  ck_assert_int_eq(before, after);
  *strrchr(tags, ',') = ']'; /* 64 are allowed */
  tags[strchr(tags, ']') - tags + 1] = '\0';
  tmon_record_change change = {.size = sizeof change, .tags_json = tags};
  ok(tmon_record_update(store, ids[0], &change));
  tmon_store_free(store);
}
END_TEST

START_TEST(list_finds_and_sorts) {
  tmon_store *store = test_store();
  char ids[5][37];
  const tmon_record_change made[] = {{.name = "Beta 100%", .model_type = "yolo", .dataset_name = "coco", .tags_json = "[\"x\",\"y\"]", .final_map50 = 0.5},
      {.name = "alpha", .model_type = "YOLO", .notes = "as beta_", .final_map50 = 0.9}, {.name = "gamma", .model_type = "yolo", .final_map50 = NAN},
      {.name = "delta", .dataset_name = "coco", .tags_json = "[\"xy\"]", .final_map50 = 0.5}, {.name = "\"], [", .tags_json = "[\"\\\"x\"]"}};
  for (size_t i = 0; i < 5; i++) {
    tmon_record_change change = made[i];
    change.size = sizeof change;
    change.set_status = i == 2;
    change.status = TMON_STATUS_FAILED;
    if (i == 3) change.parent_id = ids[0];
    ok(tmon_record_create(ids[i], store, &change));
  }
  ck_assert_str_eq(FIND(2, 0, .model_type = "yolo"), "gamma");
  ck_assert_str_eq(FIND(2, 1, .model_type = "yolo"), "Beta 100%");
  ck_assert_str_eq(FIND(2, 0, .dataset_name = "coco"), "delta");
  ck_assert_str_eq(FIND(1, 0, .dataset_name = "coco", .model_type = "yolo"), "Beta 100%");
  ck_assert_str_eq(FIND(1, 0, .tag = "x"), "Beta 100%");
  ck_assert_str_eq(FIND(1, 0, .tag = "xy"), "delta");
  ck_assert_str_eq(FIND(0, 0, .tag = "X"), "none");
  ck_assert_str_eq(FIND(1, 0, .parent_id = ids[0]), "delta");
  ck_assert_str_eq(FIND(2, 0, .text = "BETA"), "alpha"); /* in the notes */
  ck_assert_str_eq(FIND(1, 0, .text = "0%"), "Beta 100%");
  ck_assert_str_eq(FIND(1, 0, .text = "a_"), "alpha");
  ck_assert_str_eq(FIND(3, 2, .text = "x"), "Beta 100%"); /* in tags */
  ck_assert_str_eq(FIND(1, 0, .text = "\"], ["), "\"], [");
  ck_assert_str_eq(FIND(0, 0, .text = "\\"), "none");
  ck_assert_str_eq(FIND(3, 0, .text = "yolo"), "gamma");
  tmon_status both[] = {TMON_STATUS_FAILED, TMON_STATUS_RUNNING};
  ck_assert_str_eq(FIND(1, 0, .statuses = both, .status_count = 2), "gamma");
  both[1] = TMON_STATUS_PENDING;
  ck_assert_str_eq(FIND(5, 4, .statuses = both, .status_count = 2), "Beta 100%");
  ck_assert_str_eq(FIND(5, 1, .sort = TMON_SORT_SESSION_NAME, .ascending = true), "alpha");
  ck_assert_str_eq(FIND(5, 2, .sort = TMON_SORT_SESSION_NAME, .ascending = true), "Beta 100%");
  ck_assert_str_eq(FIND(5, 0, .sort = TMON_SORT_FINAL_MAP50), "alpha");
  ck_assert_str_eq(FIND(5, 1, .sort = TMON_SORT_FINAL_MAP50), "delta"); /* equals: the younger first */
  ck_assert_str_eq(FIND(5, 0, .sort = TMON_SORT_FINAL_MAP50, .ascending = true), "Beta 100%");
  ck_assert_str_eq(FIND(5, 2, .sort = TMON_SORT_FINAL_MAP50, .ascending = true), "alpha");
  ck_assert_str_eq(FIND(5, 3, .sort = TMON_SORT_FINAL_MAP50, .ascending = true), "gamma"); /* without the value: last */
  ck_assert_str_eq(FIND(5, 3, .sort = TMON_SORT_FINAL_MAP50), "\"], [");
  ck_assert_str_eq(FIND(5, 0, .sort = TMON_SORT_STATUS, .ascending = true), "gamma");
  ck_assert_str_eq(FIND(5, 0, .ascending = true), "Beta 100%");
  tmon_record_list *list = NULL;
  tmon_record_filter wrong = {.size = sizeof wrong, .sort = (tmon_record_sort)12};
  expect(TMON_EINVAL, tmon_record_list_open(&list, store, &wrong));
  wrong = (tmon_record_filter){.size = sizeof wrong, .parent_id = "x"};
  expect(TMON_EINVAL, tmon_record_list_open(&list, store, &wrong));
  wrong = (tmon_record_filter){.size = sizeof wrong, .status_count = 1};
  expect(TMON_EINVAL, tmon_record_list_open(&list, store, &wrong));
  ck_assert_str_eq(tmon_error_field(), "status");
  tmon_store_free(store);
}
END_TEST

START_TEST(people_do_not_reopen) {
  tmon_store *store = test_store();
  tmon_epoch_value value = {"loss", 1};
  char id[37];
  tmon_record_change change = {.size = sizeof change};
  ok(tmon_record_create(id, store, &change));
  ok(tmon_record_log_epoch(store, id, 1, &value, 1));
  (void)usleep(3000);
  ok(tmon_store_recover(store, 1000, NULL));
  change = (tmon_record_change){.size = sizeof change, .name = "n", .notes = "why did it stop", .tags_json = "[\"lost\"]"};
  ok(tmon_record_update(store, id, &change));
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_INTERRUPTED);
  change.final_loss = 0;
  change.zero_is_said = true;
  change.final_map50 = change.final_map50_95 = change.final_precision = change.final_recall = change.learning_rate = NAN;
  ok(tmon_record_update(store, id, &change));
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_RUNNING);
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(record.final_loss == 0 && isnan(record.final_map50));
  tmon_record_list_free(list);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("record");
  tcase_add_test(tests, list_filters_and_pages);
  tcase_add_test(tests, changes_after_a_cursor_name_each_session_once);
  tcase_add_test(tests, rest_session_lives_by_its_lease);
  tcase_add_test(tests, errors);
  tcase_add_test(tests, life_is_shown_by_the_lock);
  tcase_add_test(tests, out_of_reach_is_judged_by_heartbeat);
  tcase_add_test(tests, active_is_pending_or_running_within_the_lease);
  tcase_add_test(tests, set_back_to_running_has_no_end);
  tcase_add_test(tests, best_epoch_by_default_and_as_wished);
  tcase_add_test(tests, notes_tags_and_parents);
  tcase_add_test(tests, what_notes_tags_and_parents_may_not_be);
  tcase_add_test(tests, list_finds_and_sorts);
  tcase_add_test(tests, people_do_not_reopen);
  return test_run(suite_create("track/record"), tests);
}
