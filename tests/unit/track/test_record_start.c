/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* How a session without a ring begins: its start and its name where nobody says them. */
#include "unit/track/help.h"

/* Trainers that only send epochs, results or pictures never say that they start. */
START_TEST(first_sign_of_life_is_the_start) {
  tmon_store *store = test_store();
  tmon_record record;
  char id[37];
  char *events = NULL;
  uint8_t grey[4] = {0};
  size_t changed = 0;
  for (int i = 0; i < 3; i++) {
    char row[128];
    tmon_record_change change = {.size = sizeof change, .learning_rate = NAN};
    tmon_image image = {.size = sizeof image, .name = "train", .width = 2, .height = 2, .channels = 1, .data = grey, .bytes = sizeof grey};
    ok(tmon_record_create(id, store, &change));
    for (int again = 0; again < 2; again++) {
      (void)usleep(3000);
      (void)snprintf(row, sizeof row, "{\"session_id\": \"%s\", \"recall\": 0.5}", id);
      if (i == 0) ok(tmon_record_log_epoch(store, id, again, &(tmon_epoch_value){"loss", 0.5}, 1));
      if (i == 1) ok(tmon_result_add(NULL, store, TMON_RESULT_VALIDATION, row));
      if (i == 2) ok(tmon_image_add(store, id, &image));
      tmon_record_list *list = test_record(&record, store, id);
      ck_assert(record.status == TMON_STATUS_RUNNING && record.started_at > record.created_at && record.completed_at == 0);
      tmon_record_list_free(list);
      (void)usleep(3000);
      ok(tmon_store_recover(store, 1000, &changed));
      ck_assert_uint_eq(changed, 1);
    }
    ok(tmon_record_events_json(&events, store, id, 0));
    const char *told = events;
    static const char *const kinds[] = {"\"created\"", "\"started\"", "\"interrupted\"", "\"reopened\"", "\"interrupted\""};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
      told = strstr(told, kinds[k]);
      ck_assert_msg(told != NULL, "no %s in its place in %s", kinds[k], events);
    }
    tmon_text_free(events);
    change = (tmon_record_change){.size = sizeof change, .set_status = true, .status = TMON_STATUS_COMPLETED, .learning_rate = NAN};
    ok(tmon_record_update(store, id, &change));
    tmon_record_list *list = test_record(&record, store, id);
    ck_assert_double_ge(record.duration_seconds, 0.009);
    tmon_record_list_free(list);
  }
  tmon_store_free(store);
}
END_TEST

START_TEST(first_progress_is_the_start) {
  tmon_store *store = test_store();
  tmon_record record;
  char id[37];
  tmon_progress progress = {.size = sizeof progress, .epoch = -1, .epochs = 4, .batch = 3, .batches = 6, .images = 48, .fraction = -1};
  tmon_record_change change = {.size = sizeof change};
  ok(tmon_record_create(id, store, &change));
  change.progress = &progress;
  ok(tmon_record_update(store, id, &change));
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(record.status == TMON_STATUS_RUNNING && record.started_at != 0);
  ck_assert_int_eq(record.progress.images, 48);
  ck_assert_double_eq(record.percent, 12.5);
  tmon_record_list_free(list);
  progress.fraction = NAN;
  ck_assert_int_eq(tmon_record_update(store, id, &change), TMON_EINVAL);
  progress = (tmon_progress){.size = 1};
  ck_assert_int_eq(tmon_record_update(store, id, &change), TMON_EINVAL);
  /* A trainer with a ring says it through the ring alone. */
  tmon_session *session = NULL;
  ok(tmon_session_start(&session, store, NULL));
  progress = (tmon_progress){.size = sizeof progress, .epoch = 9};
  ck_assert_int_eq(tmon_record_update(store, tmon_session_id(session), &change), TMON_ESTATE);
  ck_assert_str_eq(tmon_error_field(), "progress");
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(session_always_has_a_name) {
  tmon_store *store = test_store();
  tmon_record record;
  char id[37];
  tmon_record_change change = {.size = sizeof change, .name = "", .learning_rate = NAN};
  ok(tmon_record_create(id, store, &change));
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(strlen(record.name) == 8 && strncmp(record.name, id, 8) == 0);
  tmon_record_list_free(list);
  static const char *const names[] = {"a", ""};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    change.name = names[i];
    ok(tmon_record_update(store, id, &change));
    list = test_record(&record, store, id);
    ck_assert_str_eq(record.name, "a");
    tmon_record_list_free(list);
  }
  tmon_store_free(store);
}
END_TEST

/* Whoever it was that trained it, and however it ended: who sets it back to work over REST goes on with it. */
START_TEST(an_ended_session_goes_on_without_a_ring) {
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_record record;
  char id[37];
  size_t changed = 0;
  ok(tmon_session_start(&session, store, NULL));
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  ok(tmon_record_request(store, id, TMON_CONTROL_STOP));
  ok(tmon_session_finish(session, TMON_STATUS_CANCELLED));
  tmon_session_free(session);
  test_settle(store); /* until then its trainer counts as live */
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = TMON_STATUS_RUNNING, .learning_rate = NAN};
  ok(tmon_record_update(store, id, &change));
  tmon_record_list *list = test_record(&record, store, id);
  ck_assert(record.status == TMON_STATUS_RUNNING && record.rest && record.control == TMON_CONTROL_RUN && !record.paused && record.completed_at == 0);
  tmon_record_list_free(list);
  ok(tmon_record_request(store, id, TMON_CONTROL_PAUSE));
  ok(tmon_record_update(store, id, &change)); /* it runs already: a pause that was asked for holds */
  list = test_record(&record, store, id);
  ck_assert(record.control == TMON_CONTROL_PAUSE && record.paused);
  tmon_record_list_free(list);
  (void)usleep(3000);
  ok(tmon_store_recover(store, 1000, &changed)); /* nobody feeds it: it does not run for ever */
  ck_assert_uint_eq(changed, 1);
  ck_assert_int_eq(test_status(store, id), TMON_STATUS_INTERRUPTED);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("record_start");
  tcase_add_test(tests, first_sign_of_life_is_the_start);
  tcase_add_test(tests, first_progress_is_the_start);
  tcase_add_test(tests, session_always_has_a_name);
  tcase_add_test(tests, an_ended_session_goes_on_without_a_ring);
  return test_run(suite_create("track/record_start"), tests);
}
