/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What comes out of a store, to the byte: CSV, JSON Lines, and TensorBoard events through a strict parser of their own. */
#include "unit/track/help.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define ID "0b9c2a54-3c1e-4d41-9d8e-6f1f5c1c8a01"

typedef struct text {
  unsigned char *data;
  size_t size;
  size_t pieces;
  size_t stop_after; /* 0: never */
  size_t largest;
} text;

static int take(const void *data, size_t size, void *payload) {
  text *all = payload;
  all->data = realloc(all->data, all->size + size + 1);
  ck_assert_ptr_nonnull(all->data);
  memcpy(all->data + all->size, data, size);
  all->size += size;
  all->data[all->size] = 0;
  all->largest = size > all->largest ? size : all->largest;
  return ++all->pieces == all->stop_after;
}

static text extract(tmon_store *store, tmon_extract_options options) {
  text all = {0};
  options.size = sizeof options;
  ok(tmon_extract(store, ID, &options, take, &all));
  return all;
}

static void is(tmon_store *store, tmon_extract_options options, const char *wanted) {
  text all = extract(store, options);
  ck_assert_str_eq((const char *)all.data, wanted);
  ck_assert_uint_eq(all.size, strlen(wanted));
  free(all.data);
}

static void log_at(tmon_session *session, const char *key, int64_t step, int64_t time, double value) {
  ok(tmon_log_series(session, test_metric(session, key), &step, &time, &value, 1));
}

/* Times chosen so that the texts below can be written down by hand. */
static tmon_session *odd_session(tmon_store *store) {
  tmon_session *session = test_session(store, ID);
  log_at(session, "train/loss", 1, 1736937045123456, 0.1);
  log_at(session, "train/loss", 2, 1736937045123457, NAN);
  log_at(session, "=cmd|'x'", -5, 0, -INFINITY);
  ok(tmon_session_flush(session));
  log_at(session, "a,\"b\"", 9007199254740993, 1, INFINITY);
  log_at(session, "train/loss", 3, 1736937045999999, 5e-324);
  return session;
}

START_TEST(csv_is_what_rfc_4180_says) {
  tmon_store *store = test_store();
  tmon_session *session = odd_session(store);
#define HEAD "session_id,key,step,time,value\r\n"
#define LOSS                                                                                                                                              \
  ID ",train/loss,1,2025-01-15T10:30:45.123456Z,0.1\r\n" ID ",train/loss,2,2025-01-15T10:30:45.123457Z,nan\r\n" ID                                        \
     ",train/loss,3,2025-01-15T10:30:45.999999Z,4.94065645841247e-324\r\n"
#define COMMAS ID ",\"a,\"\"b\"\"\",9007199254740993,1970-01-01T00:00:00.000001Z,inf\r\n"
  is(store, (tmon_extract_options){0}, HEAD ID ",'=cmd|'x',-5,1970-01-01T00:00:00.000000Z,-inf\r\n" COMMAS LOSS);
  is(store, (tmon_extract_options){.exact_text = true}, HEAD ID ",=cmd|'x',-5,1970-01-01T00:00:00.000000Z,-inf\r\n" COMMAS LOSS);
  const char *keys[] = {"train/loss", "a,\"b\""};
  is(store, (tmon_extract_options){.keys = keys, .key_count = 2}, HEAD LOSS COMMAS);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(json_lines_are_one_object_a_point) {
  tmon_store *store = test_store();
  tmon_session *session = odd_session(store);
  const char *keys[] = {"a,\"b\"", "train/loss"};
  is(store, (tmon_extract_options){.format = TMON_EXTRACT_JSONL, .keys = keys, .key_count = 2},
      "{\"session_id\":\"" ID
      "\",\"key\":\"a,\\\"b\\\"\",\"step\":9007199254740993,\"time\":\"1970-01-01T00:00:00.000001Z\",\"value\":null,\"nonfinite\":\"inf\"}\n"
      "{\"session_id\":\"" ID "\",\"key\":\"train/loss\",\"step\":1,\"time\":\"2025-01-15T10:30:45.123456Z\",\"value\":0.1}\n"
      "{\"session_id\":\"" ID "\",\"key\":\"train/loss\",\"step\":2,\"time\":\"2025-01-15T10:30:45.123457Z\",\"value\":null,\"nonfinite\":\"nan\"}\n"
      "{\"session_id\":\"" ID "\",\"key\":\"train/loss\",\"step\":3,\"time\":\"2025-01-15T10:30:45.999999Z\",\"value\":4.94065645841247e-324}\n");
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* ---- TensorBoard ---- */

/* Bit by bit, unlike the library's. */
static uint32_t masked_crc(const unsigned char *data, size_t size) {
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < size * 8; i++) {
    bool bit = ((crc ^ (uint32_t)(data[i / 8] >> (i % 8))) & 1) != 0;
    crc = (crc >> 1) ^ (bit ? 0x82f63b78u : 0);
  }
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static uint64_t little(const unsigned char *data, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | data[i];
  return value;
}

typedef struct slice {
  const unsigned char *at;
  const unsigned char *end;
} slice;

static unsigned char next_byte(slice *in) {
  ck_assert(in->at < in->end);
  return *in->at++;
}

static uint64_t varint(slice *in) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    unsigned char byte = next_byte(in);
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return value;
  }
  ck_abort_msg("a varint has no end");
  return 0;
}

static slice bytes_of(slice *in, uint64_t size) {
  ck_assert(size <= (uint64_t)(in->end - in->at));
  slice out = {in->at, in->at + size};
  in->at = out.end;
  return out;
}

static slice field(slice *in, unsigned tag) {
  ck_assert_uint_eq(next_byte(in), tag);
  return bytes_of(in, varint(in));
}

static slice fixed(slice *in, unsigned tag, size_t size) {
  ck_assert_uint_eq(next_byte(in), tag);
  return bytes_of(in, size);
}

/* Checks both sums of a record and gives its data. */
static slice record(slice *in) {
  slice head = bytes_of(in, 8);
  ck_assert_uint_eq(little(bytes_of(in, 4).at, 4), masked_crc(head.at, 8));
  slice data = bytes_of(in, little(head.at, 8));
  ck_assert_uint_eq(little(bytes_of(in, 4).at, 4), masked_crc(data.at, (size_t)(data.end - data.at)));
  return data;
}

static double wall_time(slice *in) {
  double seconds;
  memcpy(&seconds, fixed(in, 0x09, 8).at, 8);
  return seconds;
}

static void first_record(slice *in, double seconds) {
  slice event = record(in);
  ck_assert_double_eq(wall_time(&event), seconds);
  slice version = field(&event, 0x1a);
  ck_assert(version.end - version.at == 13 && memcmp(version.at, "brain.Event:2", 13) == 0 && event.at == event.end);
}

static void scalar(slice *in, const char *tag, int64_t step, double seconds, float value) {
  float got;
  slice event = record(in);
  ck_assert_double_eq(wall_time(&event), seconds);
  ck_assert_uint_eq(next_byte(&event), 0x10);
  ck_assert_int_eq((int64_t)varint(&event), step);
  slice summary = field(&event, 0x2a);
  ck_assert(event.at == event.end);
  slice item = field(&summary, 0x0a);
  ck_assert(summary.at == summary.end);
  slice name = field(&item, 0x0a);
  ck_assert((size_t)(name.end - name.at) == strlen(tag) && memcmp(name.at, tag, strlen(tag)) == 0);
  memcpy(&got, fixed(&item, 0x15, 4).at, 4);
  ck_assert(item.at == item.end);
  ck_assert(isnan(value) ? isnan(got) : got == value);
}

START_TEST(events_are_records_with_sums) {
  ck_assert_uint_eq(masked_crc((const unsigned char *)"123456789", 9), ((0xe3069283u >> 15) | (0xe3069283u << 17)) + 0xa282ead8u);
  tmon_store *store = test_store();
  tmon_session *session = odd_session(store);
  log_at(session, "train/loss", 4, 2000000, 1e300);
  text all = extract(store, (tmon_extract_options){.format = TMON_EXTRACT_TENSORBOARD});
  slice in = {all.data, all.data + all.size};
  first_record(&in, 0);
  scalar(&in, "=cmd|'x'", -5, 0, -INFINITY);
  scalar(&in, "a,\"b\"", 9007199254740993, 1e-6, INFINITY);
  scalar(&in, "train/loss", 1, 1736937045.123456, 0.1f);
  scalar(&in, "train/loss", 2, 1736937045.123457, NAN);
  scalar(&in, "train/loss", 3, 1736937045.999999, 0);
  scalar(&in, "train/loss", 4, 2, INFINITY);
  ck_assert(in.at == in.end);
  free(all.data);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* Read back by TensorBoard itself, where tests/checks/tensorboard.sh or a person has installed it. */
START_TEST(tensorboard_reads_what_was_logged) {
  const char *python = getenv("TENSORBOARD_PYTHON");
  if (python == NULL || access(python, X_OK) != 0) {
    printf("skipped: TENSORBOARD_PYTHON names no Python with tensorboard\n");
    return;
  }
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  tmon_metric metric = test_metric(session, "train/loss");
  for (int i = 0; i < 5000; i++) ok(tmon_log(session, metric, i, i * 0.5));
  double value = 0.25;
  tmon_epoch row = {.size = sizeof row, .count = 1, .metrics = &metric, .values = &value};
  ok(tmon_session_log_epoch(session, 3, &row));
  ok(tmon_session_flush(session));
  for (int what = 0; what < 2; what++) {
    char path[400];
    char command[1500];
    text all = extract(store, (tmon_extract_options){.format = TMON_EXTRACT_TENSORBOARD, .what = (tmon_extract_what)what});
    (void)snprintf(path, sizeof path, "%s/%d", test_folder, what);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof path, "%s/%d/events.out.tfevents.0.%s", test_folder, what, ID);
    FILE *file = fopen(path, "wb");
    ck_assert(file != NULL && fwrite(all.data, 1, all.size, file) == all.size && fclose(file) == 0);
    (void)snprintf(command, sizeof command,
        "%s -c 'from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E\n"
        "a = E(\"%s/%d\", size_guidance={\"scalars\": 0}); a.Reload(); what = %d\n"
        "if what == 0: s = a.Scalars(\"train/loss\"); assert [(x.step, x.value) for x in s] == [(i, i * 0.5) for i in range(5000)], s[:3]\n"
        "else: assert a.Tags()[\"scalars\"] == [\"epoch/total_loss\"], a.Tags(); assert [(x.step, x.value) for x in a.Scalars(\"epoch/total_loss\")] == [(3, 0.25)]'",
        python, test_folder, what, what);
    ck_assert_int_eq(system(command), 0);
    free(all.data);
  }
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

/* ---- all of them ---- */

START_TEST(no_point_is_left_out_wherever_it_lies) {
  enum { COUNT = 40000 };
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  tmon_metric metrics[2] = {test_metric(session, "b"), test_metric(session, "a")};
  for (int i = 0; i < COUNT; i++) {
    ok(tmon_log(session, metrics[0], i, i));
    ok(tmon_log(session, metrics[1], i, -i));
    if (i % 3000 == 2999 && i < COUNT - 4000) ok(tmon_session_flush(session));
  }
  text all = extract(store, (tmon_extract_options){0});
  ck_assert_uint_gt(all.pieces, 20);
  ck_assert_uint_lt(all.largest, 128u << 10);
  const char *line = (const char *)all.data + strlen(HEAD);
  for (int i = 0; i < 2 * COUNT; i++) {
    char wanted[100];
    (void)snprintf(wanted, sizeof wanted, ID ",%c,%d,", i < COUNT ? 'a' : 'b', i % COUNT);
    ck_assert_msg(strncmp(line, wanted, strlen(wanted)) == 0, "point %d: %.100s", i, line);
    ck_assert_double_eq(strtod(line + strlen(wanted) + 28, NULL), i < COUNT ? -i : i - COUNT);
    line = strchr(line, '\n') + 1;
  }
  ck_assert_int_eq(*line, 0);
  free(all.data);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(every_attempt_is_there) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  for (int i = 0; i < 4; i++) log_at(session, "m", i, i, i);
  ok(tmon_session_finish(session, TMON_STATUS_FAILED));
  tmon_session_free(session);
  session = test_session(store, ID);
  log_at(session, "m", 2, 9, 7);
#define LINE(step, time, value) ID ",m," step ",1970-01-01T00:00:00.00000" time "Z," value "\r\n"
  is(store, (tmon_extract_options){0}, HEAD LINE("0", "0", "0") LINE("1", "1", "1") LINE("2", "2", "2") LINE("3", "3", "3") LINE("2", "9", "7"));
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(epoch_rows_come_out) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  tmon_epoch_value values[] = {{"box_loss", 0.1}, {"mine", 2}, {"map50", NAN}};
  for (int i = 0; i < 500; i++) ok(tmon_record_log_epoch(store, ID, i, values, 3));
  text all = extract(store, (tmon_extract_options){.what = TMON_EXTRACT_EPOCHS});
  const char *head =
      "session_id,epoch,box_loss,cls_loss,dfl_loss,total_loss,precision,recall,map50,map50_95,learning_rate,epoch_time_seconds,gpu_memory_mb,"
      "val_loss,train_accuracy,val_accuracy,extra,created_at\r\n" ID ",0,0.1,,,,,,,,,,,,,,\"{";
  ck_assert_msg(strncmp((const char *)all.data, head, strlen(head)) == 0, "%.600s", (const char *)all.data);
  size_t lines = 0;
  for (size_t i = 0; i < all.size; i++) lines += all.data[i] == '\n';
  ck_assert_uint_eq(lines, 501);
  free(all.data);
  /* The lines of the same rows as JSON are the items of tmon_record_epochs_json. */
  char *json = NULL;
  all = extract(store, (tmon_extract_options){.what = TMON_EXTRACT_EPOCHS, .format = TMON_EXTRACT_JSONL});
  ok(tmon_record_epochs_json(&json, store, ID, -1));
  ck_assert_uint_eq(strlen(json), all.size + 1);
  for (size_t i = 0; i + 1 < all.size; i++) ck_assert(json[i + 1] == (all.data[i] == '\n' ? ',' : (char)all.data[i]));
  tmon_text_free(json);
  free(all.data);
  all = extract(store, (tmon_extract_options){.what = TMON_EXTRACT_EPOCHS, .format = TMON_EXTRACT_TENSORBOARD});
  slice in = {all.data, all.data + all.size};
  (void)record(&in);
  for (int i = 0; i < 1000; i++) (void)record(&in); /* box_loss and mine */
  ck_assert(in.at == in.end);
  free(all.data);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(nothing_gives_the_beginning_alone) {
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, ID);
  is(store, (tmon_extract_options){0}, HEAD);
  text all = {0};
  tmon_extract_options options = {.size = sizeof options, .format = TMON_EXTRACT_JSONL};
  ok(tmon_extract(store, ID, &options, take, &all));
  ck_assert_uint_eq(all.pieces, 0);
  all = extract(store, (tmon_extract_options){.format = TMON_EXTRACT_TENSORBOARD, .what = TMON_EXTRACT_EPOCHS});
  slice in = {all.data, all.data + all.size};
  first_record(&in, 0);
  ck_assert(in.at == in.end);
  free(all.data);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static void refused(tmon_store *store, int code, const char *named, tmon_extract_options options) {
  text all = {0};
  options.size = sizeof options;
  expect(code, tmon_extract(store, ID, &options, take, &all));
  ck_assert_str_eq(tmon_error_field(), named);
  ck_assert_uint_eq(all.pieces, 0);
}

START_TEST(wrong_arguments_are_named) {
  tmon_store *store = test_store();
  tmon_session *session = odd_session(store);
  text all = {0};
  const char *twice[] = {"train/loss", "train/loss"};
  const char *none[] = {"train/loss", "nothing"};
  const char *null[] = {NULL};
  refused(store, TMON_EINVAL, "format", (tmon_extract_options){.format = (tmon_extract_format)3});
  refused(store, TMON_EINVAL, "what", (tmon_extract_options){.what = (tmon_extract_what)2});
  refused(store, TMON_EINVAL, "keys", (tmon_extract_options){.keys = twice, .key_count = 2});
  refused(store, TMON_EINVAL, "keys", (tmon_extract_options){.keys = twice, .key_count = 0});
  refused(store, TMON_EINVAL, "keys", (tmon_extract_options){.keys = NULL, .key_count = 1});
  refused(store, TMON_EINVAL, "keys", (tmon_extract_options){.keys = null, .key_count = 1});
  refused(store, TMON_EINVAL, "keys", (tmon_extract_options){.keys = none, .key_count = 1, .what = TMON_EXTRACT_EPOCHS});
  refused(store, TMON_ENOTFOUND, "keys", (tmon_extract_options){.keys = none, .key_count = 2});
  expect(TMON_EINVAL, tmon_extract(store, ID, NULL, NULL, NULL));
  expect(TMON_EINVAL, tmon_extract(NULL, ID, NULL, take, &all));
  expect(TMON_EINVAL, tmon_extract(store, "x", NULL, take, &all));
  expect(TMON_EINVAL, tmon_extract_reader_open(NULL, store, ID, NULL));
  expect(TMON_EINVAL, tmon_extract_reader_next(NULL, NULL, NULL));
  for (int what = 0; what < 2; what++) {
    tmon_extract_options options = {.size = sizeof options, .what = (tmon_extract_what)what};
    expect(TMON_ENOTFOUND, tmon_extract(store, "00000000-0000-4000-8000-000000000000", &options, take, &all));
  }
  all.stop_after = 1;
  expect(TMON_EUSER, tmon_extract(store, ID, NULL, take, &all));
  ck_assert_uint_eq(all.pieces, 1);
  free(all.data);
  tmon_extract_reader_free(NULL);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("extract");
  tcase_add_test(tests, csv_is_what_rfc_4180_says);
  tcase_add_test(tests, json_lines_are_one_object_a_point);
  tcase_add_test(tests, events_are_records_with_sums);
  tcase_add_test(tests, tensorboard_reads_what_was_logged);
  tcase_add_test(tests, no_point_is_left_out_wherever_it_lies);
  tcase_add_test(tests, every_attempt_is_there);
  tcase_add_test(tests, epoch_rows_come_out);
  tcase_add_test(tests, nothing_gives_the_beginning_alone);
  tcase_add_test(tests, wrong_arguments_are_named);
  return test_run(suite_create("track/extract"), tests);
}
