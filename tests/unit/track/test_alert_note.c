/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Alerts that a program raises itself: listed like others, never active, untouched by the rules of the session. */
#include "unit/track/help.h"

#include "util/json.h"

#define ID "11111111-2222-4333-8444-555555555555"

/* The alerts that `filter` selects; NULL: all. */
static tmon_json *alerts(tmon_store *store, const tmon_alert_filter *filter) {
  char *text = NULL;
  tmon_json *list = NULL;
  ok(tmon_alert_list_json(&text, store, filter));
  ok(tmon_json_parse(&list, text, strlen(text)));
  tmon_text_free(text);
  return list;
}

static const char *text_of(const tmon_json *alert, const char *key) { return tmon_json_text(tmon_json_get(alert, key)); }

START_TEST(a_note_is_listed_and_never_active) {
  int64_t id = 0;
  int64_t value = 0;
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  tmon_alert_note note = {.size = sizeof note, .title = "Low accuracy", .text = "below 0.5 – späť", .severity = "critical", .step = -7};
  ok(tmon_alert_add(&id, store, ID, &note));
  ck_assert_int_gt(id, 0);
  tmon_json *list = alerts(store, NULL);
  const tmon_json *alert = tmon_json_first(list);
  ck_assert(tmon_json_int(tmon_json_get(alert, "id"), &value) && value == id);
  ck_assert_str_eq(text_of(alert, "session_id"), ID);
  ck_assert_str_eq(text_of(alert, "rule"), "Low accuracy");
  ck_assert_str_eq(text_of(alert, "type"), "note");
  ck_assert_str_eq(text_of(alert, "message"), "below 0.5 – späť");
  ck_assert_str_eq(text_of(alert, "severity"), "critical");
  ck_assert_str_eq(text_of(alert, "metric"), "");
  ck_assert_str_eq(text_of(alert, "state"), "recovered");
  ck_assert_str_eq(text_of(alert, "time"), text_of(alert, "recovered_at"));
  ck_assert(tmon_json_int(tmon_json_get(alert, "step"), &value) && value == -7);
  ck_assert_int_eq(tmon_json_type(tmon_json_get(alert, "recovered_step")), TMON_JSON_NULL);
  ck_assert_int_eq(tmon_json_type(tmon_json_get(alert, "value")), TMON_JSON_NULL);
  tmon_json_free(list);
  list = alerts(store, &(tmon_alert_filter){.size = sizeof(tmon_alert_filter), .active = true});
  ck_assert_ptr_null(tmon_json_first(list));
  tmon_json_free(list);
  ok(tmon_alert_acknowledge(store, id));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* The same title again, nothing but a title, on a session that has ended and whose rules change: all stay, in order, each with a revision of its own. */
START_TEST(notes_are_kept_in_order) {
  int64_t ids[3] = {0};
  int64_t last = 0;
  size_t count = 0;
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  tmon_alert_note note = {.size = sizeof note, .title = "again", .step = INT64_MIN};
  ok(tmon_alert_add(&ids[0], store, ID, &note));
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  tmon_session_free(session);
  ok(tmon_alert_add(&ids[1], store, ID, &note));
  ok(tmon_alert_set_rules(store, ID, "[{\"name\":\"again\",\"type\":\"nonfinite\",\"metric\":\"*\"}]", false));
  note.text = "";
  ok(tmon_alert_add(&ids[2], store, ID, &note));
  ok(tmon_alert_add(NULL, store, ID, &note));
  ck_assert_int_eq(test_status(store, ID), TMON_STATUS_COMPLETED);
  /* The cursor of the session's row: all of them, oldest first. */
  tmon_json *list = alerts(store, &(tmon_alert_filter){.size = sizeof(tmon_alert_filter), .session_id = ID, .changed_since = 1, .severity = "warning"});
  for (const tmon_json *alert = tmon_json_first(list); alert; alert = tmon_json_next(alert), count++) {
    int64_t revision = 0;
    int64_t fired = 0;
    int64_t id = 0;
    ck_assert(tmon_json_int(tmon_json_get(alert, "id"), &id));
    if (count < 3) ck_assert_int_eq(id, ids[count]);
    ck_assert(tmon_json_int(tmon_json_get(alert, "revision"), &revision) && tmon_json_int(tmon_json_get(alert, "fired_revision"), &fired));
    ck_assert_int_gt(revision, last);
    ck_assert_int_eq(revision, fired);
    last = revision;
    ck_assert_str_eq(text_of(alert, "message"), "again");
    ck_assert_int_eq(tmon_json_type(tmon_json_get(alert, "step")), TMON_JSON_NULL);
  }
  ck_assert_uint_eq(count, 4);
  tmon_json_free(list);
  tmon_store_free(store);
}
END_TEST

START_TEST(what_is_refused_changes_nothing) {
  char longer[4098];
  int64_t id = 5;
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  tmon_alert_note note = {.size = sizeof note, .title = "t", .step = INT64_MIN};
  memset(longer, 'x', sizeof longer);
  longer[4097] = '\0';
  expect(TMON_EINVAL, tmon_alert_add(&id, NULL, ID, &note));
  ck_assert_int_eq(id, 0);
  expect(TMON_EINVAL, tmon_alert_add(&id, store, ID, NULL));
  expect(TMON_EINVAL, tmon_alert_add(&id, store, "x", &note));
  expect(TMON_ENOTFOUND, tmon_alert_add(&id, store, "99999999-2222-4333-8444-555555555555", &note));
  const struct {
    tmon_alert_note note;
    const char *field;
  } wrong[] = {{{.size = sizeof note}, "title"}, {{.size = sizeof note, .title = ""}, "title"}, {{.size = sizeof note, .title = longer}, "title"},
      {{.size = sizeof note, .title = "\xff"}, "title"}, {{.size = sizeof note, .title = "t", .text = longer}, "text"},
      {{.size = sizeof note, .title = "t", .severity = "error"}, "severity"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    expect(TMON_EINVAL, tmon_alert_add(&id, store, ID, &wrong[i].note));
    ck_assert_str_eq(tmon_error_field(), wrong[i].field);
  }
  tmon_json *list = alerts(store, NULL);
  ck_assert_ptr_null(tmon_json_first(list));
  tmon_json_free(list);
  note.text = longer + 1; /* 4,096 bytes are fine */
  note.title = longer + 4097 - 256;
  ok(tmon_alert_add(&id, store, ID, &note));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("alert_note");
  tcase_add_test(tests, a_note_is_listed_and_never_active);
  tcase_add_test(tests, notes_are_kept_in_order);
  tcase_add_test(tests, what_is_refused_changes_nothing);
  return test_run(suite_create("track/alert_note"), tests);
}
