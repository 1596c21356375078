/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions as rows: listing, writing those that have no ring, leases, control, the cursor of changes. */
#include "unit/track/help.h"

START_TEST(list_filters_and_pages)
{
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

START_TEST(rest_session_lives_by_its_lease)
{
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

START_TEST(errors)
{
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

int main(void)
{
  TCase *tests = tcase_create("record");
  tcase_add_test(tests, list_filters_and_pages);
  tcase_add_test(tests, rest_session_lives_by_its_lease);
  tcase_add_test(tests, errors);
  return test_run(suite_create("track/record"), tests);
}
