/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The calls of calls.h by which a program adds what it says itself, and the one that copies a store. Included there, behind calls_env. */
#ifndef TRAINMON_TESTS_TRACK_CALLS_ADDS_H
#define TRAINMON_TESTS_TRACK_CALLS_ADDS_H
static inline int calls_alert_add(calls_env *env) {
  tmon_alert_note note = {.size = sizeof note, .title = "note", .text = "a text", .step = env->round};
  return tmon_alert_add(NULL, env->fresh, env->rest, &note);
}

static inline int calls_add_event(calls_env *env) {
  return tmon_record_add_event(env->fresh, env->rest, "checkpoint", "saved", "{\"path\":\"a.pt\"}", env->round);
}

/* Something or nothing: no draft is left. */
static inline int calls_backup(calls_env *env) {
  static int turn;
  char folder[300];
  struct dirent *entry;
  (void)snprintf(folder, sizeof folder, "%s-copy%d", test_folder, turn++);
  int result = tmon_store_backup(env->fresh, folder, NULL, NULL);
  ck_assert((access(folder, F_OK) == 0) == (result == TMON_OK));
  test_remove(folder);
  char *name = strrchr(folder, '/');
  *name++ = '\0';
  DIR *list = opendir(folder);
  while (list && (entry = readdir(list))) ck_assert_msg(strncmp(entry->d_name, name, strlen(name)) != 0, "%s is left", entry->d_name);
  if (list) (void)closedir(list);
  return result;
}
#endif
