/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The calls of calls.h that write and read results. Included there, behind calls_env. */
#ifndef TRAINMON_TESTS_TRACK_CALLS_RESULTS_H
#define TRAINMON_TESTS_TRACK_CALLS_RESULTS_H
static inline int calls_confusion_add(calls_env *env) {
  static const char *const names[] = {"a", "b"};
  static const char *const groups[] = {"g", NULL};
  uint64_t counts[] = {1, (uint64_t)env->round, 0, 3};
  tmon_confusion confusion = {.size = sizeof confusion, .epoch = 1, .class_count = 2, .class_names = names, .class_groups = groups, .counts = counts};
  return tmon_confusion_add(NULL, env->fresh, env->rest, &confusion);
}

static inline int calls_result_add(calls_env *env) {
  char text[400];
  (void)snprintf(text, sizeof text,
      "{\"session_id\":\"%s\",\"epoch\":%d,\"results\":[{\"class_name\":\"a\",\"recall\":1,\"x\":[1]},{\"class_name\":\"b\",\"extra\":{\"k\":2}}]}",
      env->rest, env->round);
  return tmon_result_add(NULL, env->fresh, TMON_RESULT_VALIDATION, text);
}

static inline int calls_result_add_matrix(calls_env *env) {
  char text[400];
  (void)snprintf(text, sizeof text,
      "{\"session_id\":\"%s\",\"epoch\":%d,\"class_names\":[\"a\",\"b\"],\"class_groups\":[\"g\",null],\"matrix\":[[1,2],[0,3]],\"x\":{\"y\":1}}",
      env->rest, env->round);
  return tmon_result_add(NULL, env->fresh, TMON_RESULT_CONFUSION, text);
}

/* Given rows, rows that follow from a matrix, and the matrix. */
static inline int calls_result_list(calls_env *env) {
  char *text = NULL;
  tmon_result_filter filter = {.size = sizeof filter, .session_id = env->rest, .latest = true};
  int result = tmon_result_list_json(&text, env->fresh, TMON_RESULT_VALIDATION, &filter);
  ck_assert((result == TMON_OK) == (text != NULL));
  tmon_text_free(text);
  text = NULL;
  filter.latest = false;
  if (result == TMON_OK) result = tmon_result_list_json(&text, env->fresh, TMON_RESULT_CONFUSION, &filter);
  tmon_text_free(text);
  return result;
}

static inline int calls_take(const void *data, size_t size, void *payload) {
  (void)data;
  *(size_t *)payload += size;
  return 0;
}

/* Points in each form, then epoch rows. */
static inline int calls_extract(calls_env *env) {
  size_t bytes = 0;
  int result = TMON_OK;
  for (int format = 0; result == TMON_OK && format < 3; format++) {
    tmon_extract_options options = {.size = sizeof options, .format = (tmon_extract_format)format};
    result = tmon_extract(env->fresh, env->id, &options, calls_take, &bytes);
    options.what = TMON_EXTRACT_EPOCHS;
    if (result == TMON_OK) result = tmon_extract(env->fresh, env->rest, &options, calls_take, &bytes);
  }
  return result;
}

static inline int calls_extract_open(calls_env *env) {
  tmon_extract_reader *reader = NULL;
  const char *keys[] = {"m"};
  tmon_extract_options options = {.size = sizeof options, .keys = keys, .key_count = 1};
  int result = tmon_extract_reader_open(&reader, env->fresh, env->id, &options);
  ck_assert((result == TMON_OK) == (reader != NULL));
  tmon_extract_reader_free(reader);
  return result;
}

/* After an error the same error, after the end the end. */
static inline int calls_extract_next(calls_env *env) {
  tmon_extract_reader *reader = NULL;
  const void *data = NULL;
  size_t size = 0;
  int result = tmon_extract_reader_open(&reader, env->fresh, env->id, NULL);
  if (result != TMON_OK) return result;
  while ((result = tmon_extract_reader_next(reader, &data, &size)) == TMON_OK) ck_assert(data != NULL && size > 0);
  ck_assert_int_eq(tmon_extract_reader_next(reader, &data, &size), result);
  tmon_extract_reader_free(reader);
  return result;
}
#endif
