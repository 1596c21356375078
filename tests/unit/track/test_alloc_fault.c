/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Each public call on live objects with each of its allocations failing; no call of the core may be missing here. */
#include "unit/fault.h"
#include "unit/track/calls.h"

/* What cannot fail, or only by its arguments. */
static const char *const infallible[] = {
    "tmon_image_free",
    "tmon_allocator_set",
    "tmon_error_copy",
    "tmon_error_field",
    "tmon_error_message",
    "tmon_error_name",
    "tmon_extract_reader_free",
    "tmon_follow_free",
    "tmon_follow_key",
    "tmon_hardware_sample",
    "tmon_metric_list_free",
    "tmon_point_reader_free",
    "tmon_record_list_free",
    "tmon_record_list_total",
    "tmon_series_bucket_width",
    "tmon_series_buckets",
    "tmon_series_free",
    "tmon_session_control",
    "tmon_session_dropped",
    "tmon_session_free",
    "tmon_session_id",
    "tmon_session_on_alert",
    "tmon_session_wait_while_paused",
    "tmon_store_free",
    "tmon_table_column",
    "tmon_text_free",
    "tmon_version",
    "tmon_version_number",
};

/* These need no memory on the calling thread, or hide its lack. */
static const char *const without[] = {
    "tmon_metric_list_next",
    "tmon_record_list_next",
    "tmon_session_finish",
    "tmon_log",
    "tmon_log_batch",
    "tmon_log_series",
    "tmon_session_log_epoch",
};

static tmon_fault fault;

static void arm(size_t at, bool persistent) {
  atomic_store(&fault.count, 0);
  atomic_store(&fault.failed, 0);
  atomic_store(&fault.persistent, persistent);
  atomic_store(&fault.fail_at, at);
}

static size_t disarm(void) {
  atomic_store(&fault.fail_at, 0);
  return atomic_load(&fault.failed);
}

/* The thread sanitizer looks for something else than what one more failing allocation shows, and takes minutes. */
#ifdef __SANITIZE_THREAD__
#define SPARSE 5U
#else
#define SPARSE 1U
#endif

static bool allowed(int code) { return code == TMON_ENOMEM; }

static bool is_in(const char *name, const char *const *list, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(list[i], name) == 0) return true;
  return false;
}

START_TEST(each_allocation_of_a_call_may_fail) {
  const calls_entry *entry = &calls_table[_i / 2];
  bool persistent = _i % 2;
  calls_trouble trouble = {arm, disarm, allowed, calls_long() ? 1 : (persistent ? 7U : 2U) * SPARSE};
  memset(&fault, 0, sizeof fault);
  tmon_fault_install(&fault);
  size_t runs = calls_loop(entry, &trouble, persistent);
  if (getenv("SHOW")) fprintf(stderr, "%s %zu\n", entry->name, runs);
  tmon_fault_await(&fault);
  ck_assert_int_eq(tmon_allocator_set(NULL), TMON_OK);
  ck_assert_msg(atomic_load(&fault.alive) == 0, "%ld pieces leaked by %s", (long)atomic_load(&fault.alive), entry->name);
  ck_assert_msg(runs || is_in(entry->name, without, sizeof without / sizeof *without), "%s met no failure", entry->name);
}
END_TEST

/* Calls that take several paths have an entry for each. */
static size_t distinct(void) {
  size_t count = 0;
  for (size_t i = 0; i < CALLS_COUNT; i++) count += i == 0 || strcmp(calls_table[i].name, calls_table[i - 1].name) != 0;
  return count;
}

static bool is_in_table(const char *name) {
  for (size_t i = 0; i < CALLS_COUNT; i++)
    if (strcmp(calls_table[i].name, name) == 0) return true;
  return false;
}

START_TEST(no_call_is_missing) {
  char line[200];
  size_t seen = 0;
  FILE *file = fopen(TMON_TEST_SOURCE "/tests/exports.txt", "r");
  ck_assert_ptr_nonnull(file);
  while (fgets(line, sizeof line, file)) {
    char *name = strchr(line, ' ');
    line[strcspn(line, "\n")] = 0;
    if (line[0] == '#' || !name || strncmp(line, "libtrainmon ", 12) != 0) continue;
    name++;
    seen++;
    ck_assert_msg(is_in_table(name) != is_in(name, infallible, sizeof infallible / sizeof *infallible),
        "%s is to be either in the table of calls.h or in the list of infallible calls", name);
  }
  (void)fclose(file);
  ck_assert_uint_eq(seen, distinct() + sizeof infallible / sizeof *infallible);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("calls");
  calls_choose_folder();
  tcase_add_test(tests, no_call_is_missing);
  tcase_add_loop_test(tests, each_allocation_of_a_call_may_fail, 0, 2 * CALLS_COUNT);
  return test_run(suite_create("track/alloc_fault"), tests);
}
