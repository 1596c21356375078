/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Pictures: what is stored and kept, what is refused, and that nobody waits. */
#include "unit/track/image.h"

#include "util/clock.h"
#include "util/sha256.h"

START_TEST(what_was_said_comes_back) {
  char data[64];
  char id[40];
  tmon_store *store = test_store();
  make_rest(id, store);
  tmon_image_box boxes[] = {{1.5, 2, 3, 4, 0.5, "dog \"x\""}, {0, 0, 1, 1, 0, NULL}};
  tmon_image image = encoded(data, "train", 7);
  image.epoch = 0;
  image.time = 1700000000123456;
  image.caption = "a \xC3\xA4";
  image.prediction = "3";
  image.label = "8";
  image.score = 0.25;
  image.boxes = boxes;
  image.box_count = 2;
  image.media_type = "text/html"; /* not asked */
  ok(tmon_image_add(store, id, &image));
  char *text = list(store, id, NULL);
  const char *wanted[] = {"\"name\":\"train\",\"step\":7,\"epoch\":0,\"time\":\"2023-11-14T22:13:20.123456Z\"",
      "\"media_type\":\"image/gif\",\"bytes\":43,\"width\":2,\"height\":1",
      "\"caption\":\"a \xC3\xA4\",\"prediction\":\"3\",\"label\":\"8\",\"score\":0.25",
      "\"boxes\":[{\"x\":1.5,\"y\":2,\"width\":3,\"height\":4,\"label\":\"dog \\\"x\\\"\",\"score\":0.5},{\"x\":0,\"y\":0,\"width\":1,\"height\":1,\"label\":null,"
      "\"score\":null}]",
      "\"dropped_images\":0"};
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s in %s", wanted[i], text);
  char hash[65];
  char type[32];
  char expected[65];
  void *read = NULL;
  size_t size = 0;
  hash_of(hash, text);
  tmon_sha256_text(expected, data, image.bytes);
  ck_assert_str_eq(hash, expected);
  ok(tmon_image_read(&read, &size, type, store, hash));
  ck_assert_str_eq(type, "image/gif");
  ck_assert_uint_eq(size, image.bytes);
  ck_assert_int_eq(memcmp(read, data, size), 0);
  tmon_image_free(read);
  tmon_text_free(text);
  clean_up(store);
}
END_TEST

/* Decoded by hand: what a reader of the BMP format finds at each pixel. */
START_TEST(pixels_become_a_bitmap) {
  const uint32_t channels = (uint32_t[]){1, 3, 4}[_i];
  uint8_t pixels[3 * 2 * 4];
  char id[40];
  char hash[65];
  char type[32];
  void *read = NULL;
  size_t size = 0;
  for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(10 * i + 3);
  tmon_store *store = test_store();
  make_rest(id, store);
  tmon_image image = {.size = sizeof image, .name = "p", .width = 3, .height = 2, .channels = channels, .data = pixels, .bytes = 6 * channels};
  ok(tmon_image_add(store, id, &image));
  char *text = list(store, id, "p");
  hash_of(hash, text);
  tmon_text_free(text);
  ok(tmon_image_read(&read, &size, type, store, hash));
  ck_assert_str_eq(type, "image/bmp");
  const uint8_t *file = read;
  size_t start = file[10] | (size_t)file[11] << 8;
  size_t row = (3 * channels + 3) / 4 * 4;
  ck_assert_uint_eq(size, start + 2 * row);
  ck_assert_uint_eq(file[2] | (unsigned)file[3] << 8, size);
  ck_assert_uint_eq(file[28], 8 * channels);
  for (size_t y = 0; y < 2; y++) {
    for (size_t x = 0; x < 3; x++) {
      const uint8_t *at = file + start + row * (1 - y) + x * channels;
      const uint8_t *pixel = pixels + (y * 3 + x) * channels;
      if (channels == 1) ck_assert_uint_eq(file[54 + 4 * at[0]], pixel[0]);
      else ck_assert(at[0] == pixel[2] && at[1] == pixel[1] && at[2] == pixel[0] && (channels == 3 || at[3] == pixel[3]));
    }
  }
  tmon_image_free(read);
  clean_up(store);
}
END_TEST

static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
static char long_text[5000];
static tmon_image_box bad_box[257];

static void spoil(tmon_image *image, int which) {
  switch (which) {
  case 0: image->name = NULL; break;
  case 1: image->name = "a\nb"; break;
  case 2:
    image->data = svg;
    image->bytes = sizeof svg - 1;
    break;
  case 3:
    image->data = "<html>";
    image->bytes = 6;
    image->media_type = "image/png";
    break;
  case 4: image->bytes = 9; break; /* a cut header */
  case 5: image->data = NULL; break;
  case 6:
    image->width = 5;
    image->height = 5;
    image->channels = 1;
    break; /* 25 pixels, another number of bytes */
  case 7:
    image->width = 5;
    image->height = 0;
    image->channels = 1;
    break;
  case 8:
    image->width = 1;
    image->height = 43;
    image->channels = 2;
    break;
  case 9:
    image->width = 70000;
    image->height = 1;
    image->channels = 1;
    break;
  case 10: image->caption = long_text; break;
  case 11: image->prediction = "\xFF"; break;
  case 12: image->label = long_text; break;
  case 13: image->score = (double)INFINITY; break;
  case 14:
    image->boxes = bad_box;
    image->box_count = 257;
    break;
  case 15:
    image->boxes = bad_box;
    image->box_count = 1;
    bad_box[0].x = (double)NAN;
    break;
  case 16:
    image->boxes = NULL;
    image->box_count = 1;
    break;
  case 17: image->time = -1; break;
  default: image->bytes = ((size_t)8 << 20) + 1; break;
  }
}

START_TEST(what_is_refused_names_its_field) {
  static const char *const fields[] = {"name", "name", "data", "data", "data", "data", "data", "height", "channels", "width", "caption", "prediction",
      "label", "score", "boxes", "boxes", "boxes", "time", "data"};
  char data[64];
  char id[40];
  memset(long_text, 'x', sizeof long_text - 1);
  memset(bad_box, 0, sizeof bad_box);
  tmon_store *store = test_store();
  make_rest(id, store);
  tmon_session *session = test_session(store, NULL);
  tmon_image image = encoded(data, "n", 1);
  spoil(&image, _i);
  int code = _i == 18 ? TMON_ELIMIT : TMON_EINVAL;
  expect(code, tmon_image_add(store, id, &image));
  ck_assert_ptr_nonnull(tmon_error_field());
  ck_assert_str_eq(tmon_error_field(), fields[_i]);
  expect(code, tmon_session_log_image(session, &image));
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 0);
  tmon_session_free(session);
  size_t odd = 0;
  ck_assert_uint_eq(count_files(&odd), 0);
  clean_up(store);
}
END_TEST

START_TEST(odd_arguments) {
  char data[64];
  char type[32];
  char *text = NULL;
  void *read = NULL;
  size_t size = 0;
  tmon_store *store = test_store();
  tmon_image image = encoded(data, "n", 1);
  expect(TMON_EINVAL, tmon_session_log_image(NULL, &image));
  expect(TMON_EINVAL, tmon_image_add(store, "x", &image));
  expect(TMON_ENOTFOUND, tmon_image_add(store, "00000000-0000-4000-8000-000000000000", &image));
  expect(TMON_EINVAL, tmon_image_list_json(NULL, store, NULL));
  tmon_image_filter filters[] = {{.size = sizeof *filters, .limit = 101}, {.size = sizeof *filters, .name = "a"},
      {.size = sizeof *filters, .newest = true}, {.size = 3}, {.size = sizeof *filters, .before = -1}};
  for (size_t i = 0; i < 5; i++) expect(TMON_EINVAL, tmon_image_list_json(&text, store, &filters[i]));
  const char *bad[] = {"", "abc", "../../../../etc/passwd", "ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789", NULL};
  for (size_t i = 0; i < 5; i++) expect(TMON_EINVAL, tmon_image_read(&read, &size, type, store, bad[i]));
  expect(TMON_ENOTFOUND, tmon_image_read(&read, &size, type, store, "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"));
  tmon_image_free(NULL);
  tmon_store_free(store);
}
END_TEST

START_TEST(the_latest_of_each_name_are_kept) {
  char data[64];
  size_t odd = 0;
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .images_kept = 3};
  ok(tmon_session_start(&session, store, &options));
  for (int i = 0; i < 10; i++) {
    tmon_image image = encoded(data, i % 2 ? "odd" : "even", i);
    ok(tmon_session_log_image(session, &image));
    if (i % 3 == 0) ok(tmon_session_flush(session));
  }
  ok(tmon_session_flush(session));
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images WHERE name = 'odd' AND step IN (5, 7, 9)"), 3);
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 6);
  ck_assert_uint_eq(count_files(&odd), 6);
  ck_assert_uint_eq(odd, 0);
  /* Without a ring the session's own number holds. */
  tmon_image image = encoded(data, "odd", 11);
  ok(tmon_image_add(store, tmon_session_id(session), &image));
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images WHERE name = 'odd'"), 3);
  char *text = NULL;
  tmon_image_filter newest = {.size = sizeof newest, .session_id = tmon_session_id(session), .newest = true};
  ok(tmon_image_list_json(&text, store, &newest));
  const char *first = strstr(text, "\"step\":11");
  ck_assert(first != NULL && strstr(first, "\"step\":8") != NULL && strstr(text, "\"step\":9") == NULL);
  tmon_text_free(text);
  tmon_session_free(session);
  clean_up(store);
}
END_TEST

START_TEST(a_content_that_others_name_stays) {
  char data[64];
  char other[64];
  char one[40];
  char two[40];
  char sql[200];
  size_t odd = 0;
  tmon_store *store = test_store();
  make_rest(one, store);
  make_rest(two, store);
  tmon_image image = encoded(data, "same", 0);
  ok(tmon_image_add(store, one, &image));
  ok(tmon_image_add(store, two, &image));
  ck_assert_uint_eq(count_files(&odd), 1);
  for (int i = 1; i <= 20; i++) { /* pushes the first out of the one session */
    tmon_image next = encoded(other, "same", i);
    ok(tmon_image_add(store, one, &next));
  }
  ck_assert_uint_eq(count_files(&odd), 21);
  char *text = list(store, two, NULL);
  char hash[65];
  char type[32];
  void *read = NULL;
  size_t size = 0;
  hash_of(hash, text);
  tmon_text_free(text);
  ok(tmon_image_read(&read, &size, type, store, hash));
  tmon_image_free(read);
  (void)snprintf(sql, sizeof sql, "DELETE FROM training_sessions WHERE id = '%s'", one);
  run_sql(sql);
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_uint_eq(count_files(&odd), 1);
  ok(tmon_image_read(&read, &size, type, store, hash));
  tmon_image_free(read);
  (void)snprintf(sql, sizeof sql, "DELETE FROM training_sessions WHERE id = '%s'", two);
  run_sql(sql);
  ok(tmon_store_recover(store, 0, NULL));
  ck_assert_uint_eq(count_files(&odd), 0);
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images_removed"), 0);
  expect(TMON_ENOTFOUND, tmon_image_read(&read, &size, type, store, hash));
  clean_up(store);
}
END_TEST

START_TEST(a_store_that_is_read_only) {
  char data[64];
  char id[40];
  tmon_store *store = test_store();
  make_rest(id, store);
  tmon_image image = encoded(data, "n", 1);
  ok(tmon_image_add(store, id, &image));
  tmon_store *reader = NULL;
  tmon_store_options options = {.size = sizeof options, .read_only = true};
  ok(tmon_store_open(&reader, test_folder, &options));
  expect(TMON_EREADONLY, tmon_image_add(reader, id, &image));
  char *text = list(reader, id, NULL);
  char hash[65];
  char type[32];
  void *read = NULL;
  size_t size = 0;
  hash_of(hash, text);
  ok(tmon_image_read(&read, &size, type, reader, hash));
  tmon_image_free(read);
  tmon_text_free(text);
  tmon_store_free(reader);
  clean_up(store);
}
END_TEST

START_TEST(the_queue_is_bounded_in_bytes) {
  enum { SIDE = 2896 }; /* 8 MiB but for a little */
  tmon_store *store = test_store();
  tmon_session *session = test_session(store, NULL);
  uint8_t *pixels = calloc(SIDE, SIDE);
  ck_assert_ptr_nonnull(pixels);
  tmon_image image = {.size = sizeof image, .name = "n", .width = SIDE, .height = SIDE, .channels = 1, .data = pixels, .bytes = (size_t)SIDE * SIDE};
  for (int i = 0; i < 6; i++) {
    image.step = i;
    pixels[0] = (uint8_t)i;
    ok(tmon_session_log_image(session, &image));
  }
  ok(tmon_session_flush(session));
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 4); /* of 8 MiB, 4 and not 5 are within 32 MiB */
  ck_assert_int_eq(ask_sql("SELECT min(step) FROM images"), 2);
  free(pixels);
  tmon_session_free(session);
  clean_up(store);
}
END_TEST

static int by_size(const void *a, const void *b) {
  int64_t left = *(const int64_t *)a;
  int64_t right = *(const int64_t *)b;
  return (left > right) - (left < right);
}

/* Two threads' worth of pictures at once: the trainer goes on, the drainer writes what it can, all others are counted. */
START_TEST(a_thousand_pictures_a_second) {
  enum { COUNT = 1000 };
  static int64_t taken[COUNT];
  static uint8_t pixels[64 * 64];
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options};
  char id[40];
  ok(tmon_session_start(&session, store, &options));
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  tmon_image image = {
      .size = sizeof image, .name = "train", .width = 64, .height = 64, .channels = 1, .data = pixels, .bytes = sizeof pixels, .label = "3"};
  int64_t start = tmon_clock_monotonic_us();
  for (int i = 0; i < COUNT; i++) {
    image.step = i;
    memcpy(pixels, &i, sizeof i);
    int64_t before = tmon_clock_monotonic_us();
    ok(tmon_session_log_image(session, &image));
    taken[i] = tmon_clock_monotonic_us() - before;
    tmon_clock_sleep_us(start + 1000 * (i + 1) - tmon_clock_monotonic_us());
  }
  qsort(taken, COUNT, sizeof *taken, by_size);
  fprintf(stderr, "tmon_session_log_image at 1,000 a second: p50 %lld us, p99 %lld us, longest %lld us\n", (long long)taken[COUNT / 2],
      (long long)taken[COUNT * 99 / 100], (long long)taken[COUNT - 1]);
  ck_assert_int_lt(taken[COUNT / 2], 5000); /* far above any copy, far below a wait for a disk at each call */
  ok(tmon_session_flush(session));
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 20);
  ck_assert_int_eq(ask_sql("SELECT max(step) FROM images"), COUNT - 1);
  ck_assert_int_gt(ask_sql("SELECT dropped FROM image_sessions"), 0);
  ok(tmon_session_finish(session, TMON_STATUS_COMPLETED));
  expect(TMON_ESTATE, tmon_session_log_image(session, &image));
  tmon_session_free(session);
  clean_up(store);
}
END_TEST

/* What is queued at the end is written; the drainer's thread does it alone, without a flush. */
START_TEST(the_end_writes_what_is_queued) {
  char data[64];
  tmon_store *store = test_store();
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options};
  ok(tmon_session_start(&session, store, &options));
  tmon_image image = encoded(data, "first", 1);
  ok(tmon_session_log_image(session, &image));
  for (int i = 0; i < 6000 && ask_sql("SELECT count(*) FROM images") == 0; i++) tmon_clock_sleep_us(10000);
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 1);
  image = encoded(data, "last", 2);
  ok(tmon_session_log_image(session, &image));
  tmon_session_free(session);
  for (int i = 0; i < 6000 && ask_sql("SELECT count(*) FROM images") == 1; i++) tmon_clock_sleep_us(10000);
  ck_assert_int_eq(ask_sql("SELECT count(*) FROM images"), 2);
  clean_up(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("image");
  if (!getenv("TMPDIR") && access("/dev/shm", W_OK | X_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 1);
  tcase_add_test(tests, what_was_said_comes_back);
  tcase_add_loop_test(tests, pixels_become_a_bitmap, 0, 3);
  tcase_add_loop_test(tests, what_is_refused_names_its_field, 0, 19);
  tcase_add_test(tests, odd_arguments);
  tcase_add_test(tests, the_latest_of_each_name_are_kept);
  tcase_add_test(tests, a_content_that_others_name_stays);
  tcase_add_test(tests, a_store_that_is_read_only);
  tcase_add_test(tests, the_queue_is_bounded_in_bytes);
  tcase_add_test(tests, a_thousand_pictures_a_second);
  tcase_add_test(tests, the_end_writes_what_is_queued);
  return test_run(suite_create("track/image"), tests);
}
