/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The behaviour table (tests/behaviour/table.json) through the public C interface. Each binding has such a runner. */
#include "unit/track/help.h"

#include "util/alloc.h"
#include "util/json.h"

#include <inttypes.h>

#define MAXIMUM 8

static tmon_json *table;
static tmon_store *store;
static struct {
  char id[40];
  tmon_session *session;
} runs[MAXIMUM];
static size_t run_count;
static const char *case_name;
static tmon_json *given; /* what a call that reads gave */
static tmon_buffer answer;
static tmon_json_writer writer;

static const char *const status_names[] = {"pending", "running", "completed", "failed", "cancelled", "interrupted"};
static const char *const control_names[] = {"run", "pause", "stop"};

/* Arguments of a call */

static const char *text(const tmon_json *call, const char *name) { return tmon_json_text(tmon_json_get(call, name)); }

static double real_of(const tmon_json *value) {
  const char *said = tmon_json_text(value);
  return said ? strtod(said, NULL) : tmon_json_number(value, 0); /* nan, inf, -inf are texts */
}

static double real(const tmon_json *call, const char *name) { return real_of(tmon_json_get(call, name)); }

/* Numbers beyond 2^53 are texts in the table. */
static int64_t whole(const tmon_json *call, const char *name, int64_t absent) {
  const tmon_json *value = tmon_json_get(call, name);
  const char *said = tmon_json_text(value);
  if (value == NULL) return absent;
  return said ? strtoll(said, NULL, 10) : (int64_t)tmon_json_number(value, 0);
}

static int choice(const char *const *names, size_t count, const char *name) {
  for (size_t i = 0; i < count; i++)
    if (name && strcmp(names[i], name) == 0) return (int)i;
  ck_abort_msg("unknown word %s", name ? name : "(none)");
}

static size_t run_of(const tmon_json *call) { return (size_t)whole(call, "run", (int64_t)run_count - 1); }
static tmon_session *session_of(const tmon_json *call) { return runs[run_of(call)].session; }

static const char *id_of(const tmon_json *call) {
  const char *id = text(call, "id");
  return id ? id : runs[run_of(call)].id;
}

static void read_answer(const char *json) { ok(tmon_json_parse(&given, json, strlen(json))); }

/* Takes a text of the library as the answer. */
static int take(int result, char *json) {
  if (result == TMON_OK) read_answer(json);
  tmon_text_free(json);
  return result;
}

/* Takes what was written as the answer. */
static int take_written(void) {
  read_answer((const char *)answer.data);
  tmon_buffer_clear(&answer);
  return TMON_OK;
}

/* Stores and sessions */

static int do_open(const tmon_json *call) {
  tmon_store_options options = {.size = sizeof options, .ring_folder = test_folder};
  const char *path = text(call, "path") ? text(call, "path") : "store";
  char location[600] = "";
  options.must_exist = tmon_json_bool(tmon_json_get(call, "must_exist"), false);
  options.read_only = tmon_json_bool(tmon_json_get(call, "read_only"), false);
  if (strstr(path, "://") || !*path) (void)snprintf(location, sizeof location, "%s", path);
  else (void)snprintf(location, sizeof location, "%s/%s", test_folder, path);
  return tmon_store_open(&store, location, &options);
}

static int do_free(const tmon_json *call) {
  tmon_session_free(session_of(call));
  runs[run_of(call)].session = NULL;
  return TMON_OK;
}

static int do_close(const tmon_json *call) {
  (void)call;
  for (size_t i = 0; i < run_count; i++) {
    tmon_session_free(runs[i].session);
    runs[i].session = NULL;
  }
  tmon_store_free(store);
  store = NULL;
  return TMON_OK;
}

static int do_start(const tmon_json *call) {
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .hardware_json = "{}"};
  options.id = text(call, "id");
  options.name = text(call, "name");
  options.model_type = text(call, "model_type");
  options.dataset_name = text(call, "dataset_name");
  options.config_json = text(call, "config_json");
  options.tags_json = text(call, "tags_json");
  options.notes = text(call, "notes");
  options.parent_id = text(call, "parent_id");
  options.best_metric = text(call, "best_metric");
  options.epochs = whole(call, "epochs", 0);
  options.batch_size = whole(call, "batch_size", 0);
  options.img_size = whole(call, "img_size", 0);
  options.learning_rate = real(call, "learning_rate");
  options.ring_bytes = (size_t)whole(call, "ring_bytes", 0);
  tmon_session *session = NULL;
  int result = tmon_session_start(&session, store, &options);
  if (result != TMON_OK) return result;
  ck_assert_uint_lt(run_count, MAXIMUM);
  (void)snprintf(runs[run_count].id, sizeof runs->id, "%s", tmon_session_id(session));
  runs[run_count++].session = session;
  return TMON_OK;
}

static int do_finish(const tmon_json *call) { return tmon_session_finish(session_of(call), (tmon_status)choice(status_names, 6, text(call, "status"))); }
static int do_set_error(const tmon_json *call) { return tmon_session_set_error(session_of(call), text(call, "text")); }
static int do_flush(const tmon_json *call) { return tmon_session_flush(session_of(call)); }

/* Logging */

static int metric_of(tmon_metric *metric, const tmon_json *call, const char *key) { return tmon_session_metric(metric, session_of(call), key, NULL); }

static int do_metric(const tmon_json *call) {
  tmon_metric metric = 0;
  return metric_of(&metric, call, text(call, "key"));
}

static int do_log(const tmon_json *call) {
  tmon_metric metric = 0;
  int result = metric_of(&metric, call, text(call, "key"));
  return result != TMON_OK ? result : tmon_log(session_of(call), metric, whole(call, "step", 0), real(call, "value"));
}

static int do_log_number(const tmon_json *call) {
  return tmon_log(session_of(call), (tmon_metric)whole(call, "metric", 0), whole(call, "step", 0), real(call, "value"));
}

static int do_epoch(const tmon_json *call) {
  tmon_metric metrics[MAXIMUM];
  double values[MAXIMUM];
  tmon_epoch row = {.size = sizeof row, .metrics = metrics, .values = values};
  for (const tmon_json *value = tmon_json_first(tmon_json_get(call, "values")); value; value = tmon_json_next(value)) {
    ck_assert_uint_lt(row.count, MAXIMUM);
    int result = metric_of(&metrics[row.count], call, tmon_json_key(value));
    if (result != TMON_OK) return result;
    values[row.count++] = real_of(value);
  }
  return tmon_session_log_epoch(session_of(call), whole(call, "epoch", 0), &row);
}

static int do_report(const tmon_json *call) {
  tmon_progress progress = {.size = sizeof progress, .fraction = real(call, "fraction")};
  progress.epoch = whole(call, "epoch", 0);
  progress.epochs = whole(call, "epochs", 0);
  progress.batch = whole(call, "batch", 0);
  progress.batches = whole(call, "batches", 0);
  progress.images = whole(call, "images", 0);
  return tmon_session_report(session_of(call), &progress);
}

static int do_control(const tmon_json *call) {
  tmon_json_begin(&writer, &answer);
  tmon_json_put_text(&writer, NULL, control_names[tmon_session_control(session_of(call))]);
  return take_written();
}

static int do_request(const tmon_json *call) {
  return tmon_session_request(session_of(call), (tmon_control)choice(control_names, 3, text(call, "control")));
}

static int do_request_record(const tmon_json *call) {
  return tmon_record_request(store, id_of(call), (tmon_control)choice(control_names, 3, text(call, "control")));
}

/* Rows */

static tmon_record_change change_of(const tmon_json *call) {
  tmon_record_change change = {
      .size = sizeof change, .name = text(call, "name"), .notes = text(call, "notes"), .summary_json = text(call, "summary_json")};
  change.learning_rate = change.final_map50 = change.final_map50_95 = change.final_precision = change.final_recall = change.final_loss = NAN;
  change.set_status = text(call, "status") != NULL;
  if (change.set_status) change.status = (tmon_status)choice(status_names, 6, text(call, "status"));
  return change;
}

static int do_create(const tmon_json *call) {
  tmon_record_change change = change_of(call);
  ck_assert_uint_lt(run_count, MAXIMUM);
  int result = tmon_record_create(runs[run_count].id, store, &change);
  if (result == TMON_OK) run_count++;
  return result;
}

static int do_update(const tmon_json *call) {
  tmon_record_change change = change_of(call);
  return tmon_record_update(store, id_of(call), &change);
}

static int do_delete(const tmon_json *call) { return tmon_record_delete(store, id_of(call)); }

static int do_row(const tmon_json *call) {
  tmon_epoch_value values[MAXIMUM];
  size_t count = 0;
  for (const tmon_json *value = tmon_json_first(tmon_json_get(call, "values")); value; value = tmon_json_next(value)) {
    ck_assert_uint_lt(count, MAXIMUM);
    values[count++] = (tmon_epoch_value){.key = tmon_json_key(value), .value = real_of(value)};
  }
  return tmon_record_log_epoch(store, id_of(call), whole(call, "epoch", 0), values, count);
}

static int do_event(const tmon_json *call) {
  return tmon_record_add_event(store, id_of(call), text(call, "kind"), text(call, "message"), NULL, whole(call, "step", INT64_MIN));
}

static int do_alert(const tmon_json *call) {
  tmon_alert_note note = {.size = sizeof note, .title = text(call, "title"), .text = text(call, "text"), .severity = text(call, "severity")};
  note.step = whole(call, "step", INT64_MIN);
  return tmon_alert_add(NULL, store, id_of(call), &note);
}

static int do_rules(const tmon_json *call) { return tmon_alert_set_rules(store, id_of(call), text(call, "json"), true); }

static tmon_result_kind kind_of(const tmon_json *call) {
  static const char *const names[] = {"validation", "confusion", "benchmark", "dataset", "trial"};
  return (tmon_result_kind)choice(names, 5, text(call, "kind"));
}

/* "$0" in the row is the id of the first session. */
static int do_result(const tmon_json *call) {
  char *json = tmon_json_print(tmon_json_get(call, "row"));
  char row[1000];
  char *place = strstr(json, "$0");
  if (place) (void)snprintf(row, sizeof row, "%.*s%s%s", (int)(place - json), json, runs[0].id, place + 2);
  int result = tmon_result_add(NULL, store, kind_of(call), place ? row : json);
  tmon_free(json);
  return result;
}

static int do_confusion(const tmon_json *call) {
  const char *classes[MAXIMUM] = {NULL};
  const char *groups[MAXIMUM] = {NULL};
  uint64_t counts[MAXIMUM * MAXIMUM];
  size_t count = 0;
  size_t filled = 0;
  const tmon_json *entry = tmon_json_first(tmon_json_get(call, "classes"));
  for (; entry; entry = tmon_json_next(entry)) classes[count++ % MAXIMUM] = tmon_json_text(entry);
  entry = tmon_json_first(tmon_json_get(call, "counts"));
  for (; entry; entry = tmon_json_next(entry)) counts[filled++ % (MAXIMUM * MAXIMUM)] = (uint64_t)tmon_json_number(entry, 0);
  tmon_confusion matrix = {.size = sizeof matrix, .epoch = whole(call, "epoch", -1), .class_count = count, .class_names = classes, .counts = counts};
  entry = tmon_json_first(tmon_json_get(call, "groups"));
  if (entry) matrix.class_groups = groups;
  for (count = 0; entry; entry = tmon_json_next(entry)) groups[count++ % MAXIMUM] = tmon_json_text(entry);
  return tmon_confusion_add(NULL, store, id_of(call), &matrix);
}

/* Reading */

static int do_record(const tmon_json *call) {
  tmon_record record;
  tmon_record_list *list = test_record(&record, store, id_of(call));
  tmon_json_begin(&writer, &answer);
  tmon_json_open(&writer, NULL, '{');
  tmon_json_put_text(&writer, "id", record.id);
  tmon_json_put_text(&writer, "name", record.name);
  tmon_json_put_text(&writer, "model_type", record.model_type);
  tmon_json_put_text(&writer, "dataset_name", record.dataset_name);
  tmon_json_put_text(&writer, "error_text", record.error_text);
  tmon_json_put_text(&writer, "notes", record.notes);
  tmon_json_put_text(&writer, "parent_id", record.parent_id);
  tmon_json_put_text(&writer, "best_metric", record.best_metric);
  tmon_json_put_raw(&writer, "config", record.config_json);
  tmon_json_put_raw(&writer, "tags", record.tags_json);
  tmon_json_put_raw(&writer, "summary", record.summary_json);
  tmon_json_put_text(&writer, "status", status_names[record.status]);
  tmon_json_put_text(&writer, "control", control_names[record.control]);
  tmon_json_put_int(&writer, "epochs", record.epochs);
  tmon_json_put_int(&writer, "batch_size", record.batch_size);
  tmon_json_put_int(&writer, "img_size", record.img_size);
  tmon_json_put_double(&writer, "learning_rate", record.learning_rate);
  tmon_json_put_double(&writer, "best_epoch", record.best_epoch < 0 ? NAN : (double)record.best_epoch);
  tmon_json_put_int(&writer, "attempts", record.attempts);
  tmon_json_put_int(&writer, "children", record.children);
  tmon_json_put_double(&writer, "percent", record.percent);
  tmon_json_open(&writer, "progress", '{');
  tmon_json_put_int(&writer, "epoch", record.progress.epoch);
  tmon_json_put_int(&writer, "epochs", record.progress.epochs);
  tmon_json_put_int(&writer, "batch", record.progress.batch);
  tmon_json_put_int(&writer, "batches", record.progress.batches);
  tmon_json_put_int(&writer, "images", record.progress.images);
  tmon_json_close(&writer, '}');
  tmon_json_close(&writer, '}');
  tmon_record_list_free(list);
  return take_written();
}

static int do_points(const tmon_json *call) {
  tmon_point_reader *reader = NULL;
  tmon_point point;
  size_t count = 0;
  int result = tmon_point_reader_open(&reader, store, id_of(call), text(call, "key"));
  if (result != TMON_OK) return result;
  tmon_json_begin(&writer, &answer);
  tmon_json_open(&writer, NULL, '[');
  while ((result = tmon_point_reader_next(reader, &point, 1, &count)) == TMON_OK) {
    char step[32];
    (void)snprintf(step, sizeof step, "%" PRId64, point.step);
    tmon_json_open(&writer, NULL, '[');
    if (strlen(step) < 16) tmon_json_put_int(&writer, NULL, point.step);
    else tmon_json_put_text(&writer, NULL, step);
    if (isfinite(point.value)) tmon_json_put_double(&writer, NULL, point.value);
    else tmon_json_put_text(&writer, NULL, isnan(point.value) ? "nan" : point.value > 0 ? "inf" : "-inf");
    tmon_json_close(&writer, ']');
  }
  tmon_json_close(&writer, ']');
  tmon_point_reader_free(reader);
  ck_assert_int_eq(result, TMON_DONE);
  return take_written();
}

static int do_epochs(const tmon_json *call) {
  char *json = NULL;
  int result = tmon_record_epochs_json(&json, store, id_of(call), -1);
  return take(result, json);
}

/* Those of one kind. */
static int do_events(const tmon_json *call) {
  char *json = NULL;
  int result = tmon_record_events_json(&json, store, id_of(call), 1000);
  result = take(result, json);
  if (result != TMON_OK) return result;
  tmon_json *all = given;
  tmon_json_begin(&writer, &answer);
  tmon_json_open(&writer, NULL, '[');
  for (const tmon_json *event = tmon_json_first(all); event; event = tmon_json_next(event)) {
    if (strcmp(text(event, "kind"), text(call, "kind")) != 0) continue;
    char *one = tmon_json_print(event);
    tmon_json_put_raw(&writer, NULL, one);
    tmon_free(one);
  }
  tmon_json_close(&writer, ']');
  tmon_json_free(all);
  return take_written();
}

static int do_alerts(const tmon_json *call) {
  char *json = NULL;
  tmon_alert_filter filter = {.size = sizeof filter, .session_id = id_of(call)};
  int result = tmon_alert_list_json(&json, store, &filter);
  return take(result, json);
}

static int do_results(const tmon_json *call) {
  char *json = NULL;
  tmon_result_filter filter = {.size = sizeof filter, .session_id = id_of(call)};
  int result = tmon_result_list_json(&json, store, kind_of(call), &filter);
  return take(result, json);
}

static int do_leaderboard(const tmon_json *call) {
  char *json = NULL;
  tmon_leaderboard_options options = {
      .size = sizeof options, .metric = text(call, "metric"), .limit = whole(call, "limit", 0), .offset = whole(call, "offset", 0)};
  int result = tmon_leaderboard_json(&json, store, &options);
  return take(result, json);
}

static const struct {
  const char *name;
  int (*make)(const tmon_json *call);
} operations[] = {
    {"alert", do_alert},
    {"alerts", do_alerts},
    {"close", do_close},
    {"confusion", do_confusion},
    {"control", do_control},
    {"create", do_create},
    {"delete", do_delete},
    {"epoch", do_epoch},
    {"epochs", do_epochs},
    {"event", do_event},
    {"events", do_events},
    {"finish", do_finish},
    {"flush", do_flush},
    {"free", do_free},
    {"log", do_log},
    {"leaderboard", do_leaderboard},
    {"metric", do_metric},
    {"open", do_open},
    {"points", do_points},
    {"log_number", do_log_number},
    {"record", do_record},
    {"report", do_report},
    {"row", do_row},
    {"request", do_request},
    {"result", do_result},
    {"results", do_results},
    {"rules", do_rules},
    {"request_record", do_request_record},
    {"start", do_start},
    {"update", do_update},
    {"set_error", do_set_error},
};

/* The table against what was found */

static bool agrees(const tmon_json *expected, const tmon_json *found);

static bool members_agree(const tmon_json *expected, const tmon_json *found) {
  const tmon_json *other = tmon_json_first(found);
  bool named = tmon_json_type(expected) == TMON_JSON_OBJECT;
  for (const tmon_json *member = tmon_json_first(expected); member; member = tmon_json_next(member)) {
    if (!named && other == NULL) return false;
    if (!agrees(member, named ? tmon_json_get(found, tmon_json_key(member)) : other)) return false;
    other = other ? tmon_json_next(other) : NULL;
  }
  return named || other == NULL;
}

/* Of objects the named members, of all else everything; null may be missing. */
static bool agrees(const tmon_json *expected, const tmon_json *found) {
  tmon_json_kind kind = tmon_json_type(expected);
  if (kind == TMON_JSON_NULL) return tmon_json_type(found) <= TMON_JSON_NULL;
  if (kind != tmon_json_type(found)) return false;
  switch (kind) {
  case TMON_JSON_BOOL: return tmon_json_bool(expected, false) == tmon_json_bool(found, false);
  case TMON_JSON_NUMBER: return tmon_json_number(expected, 0) == tmon_json_number(found, 0);
  case TMON_JSON_TEXT: return strcmp(tmon_json_text(expected), tmon_json_text(found)) == 0;
  default: return members_agree(expected, found);
  }
}

static void make(const tmon_json *call) {
  const char *name = text(call, "do");
  const char *expected = text(call, "gives") ? text(call, "gives") : "TMON_OK";
  const tmon_json *wanted = tmon_json_get(call, "expect");
  int (*operation)(const tmon_json *) = NULL;
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
    if (strcmp(operations[i].name, name) == 0) operation = operations[i].make;
  ck_assert_msg(operation != NULL, "the table has an operation that the runner lacks: %s", name);
  if (wanted && strcmp(name, "control") != 0)
    for (size_t i = 0; i < run_count; i++)
      if (runs[i].session) (void)tmon_session_flush(runs[i].session);
  int result = operation(call);
  char *said = tmon_json_print(call);
  ck_assert_msg(strcmp(tmon_error_name(result), expected) == 0, "%s: %s gave %s: %s", case_name, said, tmon_error_name(result), tmon_error_message());
  if (text(call, "field"))
    ck_assert_msg(tmon_error_field() && strcmp(tmon_error_field(), text(call, "field")) == 0, "%s: %s: field %s", case_name, said, tmon_error_field());
  if (wanted) {
    const tmon_json *part = given;
    if (strcmp(name, "results") == 0) part = tmon_json_get(given, kind_of(call) == TMON_RESULT_VALIDATION ? "validation_results" : "confusion_matrices");
    char *found = tmon_json_print(part);
    ck_assert_msg(agrees(wanted, part), "%s: %s found %s", case_name, said, found ? found : "nothing");
    tmon_free(found);
  }
  tmon_free(said);
  tmon_json_free(given);
  given = NULL;
}

START_TEST(behaves) {
  const tmon_json *entry = tmon_json_first(tmon_json_get(table, "cases"));
  for (int i = 0; i < _i; i++) entry = tmon_json_next(entry);
  case_name = text(entry, "name");
  tmon_buffer_init(&answer, 1 << 20);
  for (const tmon_json *call = tmon_json_first(tmon_json_get(entry, "calls")); call; call = tmon_json_next(call)) make(call);
  (void)do_close(NULL);
  tmon_buffer_free(&answer);
}
END_TEST

/* Gives the number of cases; 0: there is no table. */
static int read_table(void) {
  FILE *file = fopen(TMON_TEST_SOURCE "/tests/behaviour/table.json", "rb");
  static char json[1 << 20];
  int count = 0;
  if (file == NULL) return 0;
  size_t length = fread(json, 1, sizeof json, file);
  (void)fclose(file);
  if (length == sizeof json || tmon_json_parse(&table, json, length) != TMON_OK) return 0;
  for (const tmon_json *entry = tmon_json_first(tmon_json_get(table, "cases")); entry; entry = tmon_json_next(entry)) count++;
  return count;
}

int main(void) {
  int count = read_table();
  if (count == 0) {
    (void)fputs("no tests/behaviour/table.json\n", stderr);
    return EXIT_FAILURE;
  }
  TCase *tests = tcase_create("behaviour");
  tcase_add_loop_test(tests, behaves, 0, count);
  int failed = test_run(suite_create("behaviour"), tests);
  tmon_json_free(table);
  return failed;
}
