/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* How many outputs of started trainings are kept. Each has a bounded size; without a bound on their number a server that starts trainings all day fills the disk. */
#include "serve/child.h"

#include "serve/server_private.h"

#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/file.h"

#include <stdlib.h>

static int compare_age(const void *left, const void *right) {
  const tmon_child_file *one = left;
  const tmon_child_file *other = right;
  return (one->changed_us > other->changed_us) - (one->changed_us < other->changed_us);
}

/* False also where the store can't say: then it is asked again at the next start. */
static bool is_over(tmon_server *server, const char *id) {
  tmon_record_filter filter = {.size = sizeof filter, .id = id, .limit = 1};
  tmon_record_list *list = NULL;
  tmon_record record;
  if (tmon_child_lives(server->children, id)) {
    return false;
  }
  int code = tmon_record_list_open(&list, server->store, &filter);
  if (code == TMON_OK) {
    code = tmon_record_list_next(list, &record);
  }
  bool over = code == TMON_DONE || (code == TMON_OK && record.status != TMON_STATUS_PENDING && record.status != TMON_STATUS_RUNNING);
  tmon_record_list_free(list);
  return over;
}

void tmon_child_outputs_prune(tmon_server *server) {
  tmon_child_file *files = NULL;
  size_t count = 0;
  int64_t bytes = 0;
  if (tmon_child_files(&files, &count, server, ".log") != TMON_OK) {
    tmon_free(files);
    return;
  }
  for (size_t i = 0; i < count; i++) {
    bytes += files[i].size;
  }
  if (count > TMON_CHILD_OUTPUTS || bytes > TMON_CHILD_OUTPUTS_BYTES) {
    qsort(files, count, sizeof *files, compare_age);
  }
  size_t left = count;
  for (size_t i = 0; i < count && (left > TMON_CHILD_OUTPUTS || bytes > TMON_CHILD_OUTPUTS_BYTES); i++) {
    char *path = is_over(server, files[i].id) ? tmon_child_output_path(server, files[i].id) : NULL;
    if (path != NULL && tmon_file_remove(path) == TMON_OK) {
      left--;
      bytes -= files[i].size;
    }
    tmon_free(path);
  }
  tmon_free(files);
}
