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
#endif
