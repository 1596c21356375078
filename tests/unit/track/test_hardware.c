/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Samples as JSON and as metrics of sessions: names, steps, resumed and distributed sessions, forks, exit, and a thread that ends with the last session. */
#define _GNU_SOURCE
#include "track/hardware.h"
#include "unit/fault.h"
#include "unit/hardware_tree.h"
#include "unit/track/help.h"
#include "util/clock.h"
#include "util/hardware.h"
#include "util/json.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { PERIOD_MS = 100 };

#ifdef __SANITIZE_THREAD__
/* An exit waits 60 ms for its drainer; a thread that needs longer, and is over before the process, was not joined and is no leak. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void) { return "report_thread_leaks=0"; }
#endif

static tmon_session *start(tmon_store *store, const char *id, uint32_t rank, uint32_t period_ms) {
  tmon_session *session = NULL;
  tmon_session_options options = {.size = sizeof options, .id = id, .rank = rank, .hardware_period_ms = period_ms};
  ok(tmon_session_start(&session, store, &options));
  return session;
}

static char sampler_task[300]; /* folder of the one that count_samplers found last */

/* The sampler threads of this process; `mask` receives the blocked signals of the last. */
static int count_samplers(char mask[40]) {
  int count = 0;
  DIR *tasks = opendir("/proc/self/task");
  const struct dirent *entry;
  while ((entry = readdir(tasks))) {
    char path[300];
    char line[200];
    bool found = false;
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) {
      if (strcmp(line, "Name:\ttrainmon-sensor\n") == 0) found = true;
      if (found && mask && strncmp(line, "SigBlk:\t", 8) == 0) (void)snprintf(mask, 40, "%.16s", line + 8);
    }
    if (file) (void)fclose(file);
    if (found) (void)snprintf(sampler_task, sizeof sampler_task, "/proc/self/task/%.20s", entry->d_name);
    count += found;
  }
  closedir(tasks);
  return count;
}

/* A thread that ends, or was left alone, is listed a little longer; one that starts has its name a little later. */
static void await_samplers(int expected) {
  for (int i = 0; i < 6000 && count_samplers(NULL) != expected; i++) tmon_clock_sleep_us(10000);
  ck_assert_int_eq(count_samplers(NULL), expected);
}

static bool last_point(tmon_point *out, tmon_store *store, const char *id, const char *key) {
  size_t count = 1;
  return tmon_series_tail(out, &count, store, id, key) == TMON_OK && count == 1;
}

/* Waits until the session has a sample of this step. */
static void await_step(tmon_store *store, const char *id, const char *key, int64_t step) {
  tmon_point point = {0};
  for (int i = 0; i < 12000; i++) {
    if (last_point(&point, store, id, key) && point.step >= step) return;
    tmon_clock_sleep_us(5000);
  }
  ck_abort_msg("%s stands at %lld, expected %lld", key, (long long)point.step, (long long)step);
}

static void use_tree(void) {
  tree_begin();
  tree_put_amd();
  tree_put("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 250 kB\n");
  tree_put("/proc/self/statm", "9 512 1\n");
  tmon_hardware_replace(tree, "/nowhere/libnvidia-ml.so.1");
}

static void leave_tree(void) {
  tmon_hardware_replace(NULL, NULL);
  tree_end();
}

START_TEST(arguments) {
  tmon_hardware now = {.size = sizeof now};
  tmon_session *session = NULL;
  tmon_store *store = test_store();
  expect(TMON_EINVAL, tmon_hardware_sample(NULL));
  expect(TMON_EINVAL, tmon_hardware_json(NULL, NULL));
  expect(TMON_EINVAL, tmon_hardware_info_json(NULL));
  for (int i = 0; i < 3; i++) {
    now.size = (uint32_t[]){0, 4, sizeof now + 1}[i];
    expect(TMON_EINVAL, tmon_hardware_sample(&now));
    ck_assert_str_eq(tmon_error_field(), "size");
  }
  /* A caller of an older version: nothing behind what it knows is touched. */
  memset(&now, 0x5a, sizeof now);
  now.size = offsetof(tmon_hardware, load_5);
  now.folder = NULL;
  ok(tmon_hardware_sample(&now));
  for (size_t i = now.size; i < sizeof now; i++) ck_assert_int_eq(((unsigned char *)&now)[i], 0x5a);
  tmon_session_options options = {.size = sizeof options, .hardware_period_ms = 99};
  expect(TMON_EINVAL, tmon_session_start(&session, store, &options));
  ck_assert_str_eq(tmon_error_field(), "hardware_period_ms");
  options = (tmon_session_options){.size = sizeof options, .hardware_period_ms = 1000, .no_drainer = true};
  expect(TMON_EINVAL, tmon_session_start(&session, store, &options));
  ck_assert_str_eq(tmon_error_field(), "hardware_period_ms");
  ck_assert_int_eq(count_samplers(NULL), 0);
  tmon_store_free(store);
}
END_TEST

static double process_us(void) {
  struct timespec spent;
  ck_assert_int_eq(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent), 0);
  return (double)spent.tv_sec * 1e6 + (double)spent.tv_nsec / 1e3;
}

/* The processor may be elsewhere at any time, so what is expected is measured around and between the samples. */
START_TEST(a_sample_of_this_machine) {
  tmon_hardware now = {.size = sizeof now, .folder = test_folder};
  double outer = process_us();
  double began = (double)tmon_clock_monotonic_us();
  ok(tmon_hardware_sample(&now));
  double inner = process_us();
  double between = (double)tmon_clock_monotonic_us();
  ck_assert(isnan(now.cpu_percent) && isnan(now.process_cpu_percent)); /* the first has none */
  ck_assert(now.memory_percent > 0 && now.memory_percent <= 100 && now.disk_free_bytes > 0 && now.process_threads >= 1);
  volatile double burnt = 1;
  while (process_us() - inner < 200000 || (double)tmon_clock_monotonic_us() - between < 200000) burnt = burnt * 1.0000001;
  double least = process_us() - inner;
  between = (double)tmon_clock_monotonic_us() - between;
  ok(tmon_hardware_sample(&now));
  double most = process_us() - outer;
  least = 99 * least / ((double)tmon_clock_monotonic_us() - began);
  most = 101 * most / between;
  ck_assert_msg(now.process_cpu_percent >= least && now.process_cpu_percent <= most, "%g, expected %g to %g", now.process_cpu_percent, least, most);
  ck_assert(now.cpu_percent >= 0 && now.cpu_percent <= 100);
}
END_TEST

/* Where the second of two came within 100 ms of the first. */
START_TEST(a_sample_at_once_is_repeated) {
  tmon_hardware now = {.size = sizeof now, .folder = test_folder};
  bool seen = false;
  for (int i = 0; i < 100 && !seen; i++) {
    ok(tmon_hardware_sample(&now));
    tmon_clock_sleep_us(120000);
    int64_t began = tmon_clock_monotonic_us();
    ok(tmon_hardware_sample(&now));
    double cpu = now.cpu_percent;
    ok(tmon_hardware_sample(&now));
    if (tmon_clock_monotonic_us() - began >= 100000) continue;
    ck_assert(cpu >= 0 && now.cpu_percent == cpu);
    seen = true;
  }
  ck_assert(seen);
}
END_TEST

START_TEST(as_json) {
  char *text = NULL;
  tmon_json *document = NULL;
  use_tree();
  ok(tmon_hardware_json(&text, test_folder));
  ok(tmon_json_parse(&document, text, strlen(text)));
  const tmon_json *machine = tmon_json_get(document, "machine");
  const tmon_json *gpu = tmon_json_first(tmon_json_get(document, "gpus"));
  ck_assert_double_eq(tmon_json_number(tmon_json_get(machine, "memory_percent"), -1), 75);
  ck_assert_int_eq(tmon_json_type(tmon_json_get(machine, "cpu_temperature")), TMON_JSON_NULL);
  ck_assert(tmon_json_number(tmon_json_get(machine, "disk_total_bytes"), -1) > 0);
  ck_assert_double_eq(tmon_json_number(tmon_json_get(gpu, "usage_percent"), -1), 87);
  ck_assert_str_eq(tmon_json_text(tmon_json_get(gpu, "vendor")), "amd");
  tmon_json_free(document);
  tmon_text_free(text);
  ok(tmon_hardware_info_json(&text));
  ck_assert_ptr_nonnull(strstr(text, "\"gpus\":[\"AMD GPU 0x744c\"]"));
  char host[100] = "";
  ck_assert_int_eq(gethostname(host, sizeof host - 1), 0);
  if (strlen(host) > 3) ck_assert_ptr_null(strstr(text, host));
  tmon_text_free(text);
  leave_tree();
}
END_TEST

START_TEST(a_session_knows_its_machine) {
  tmon_store *store = test_store();
  tmon_record record;
  char *text = NULL;
  tmon_session *session = test_session(store, NULL);
  tmon_record_list *list = test_record(&record, store, tmon_session_id(session));
  ok(tmon_hardware_info_json(&text));
  ck_assert_str_eq(record.hardware_json, text);
  ck_assert_ptr_nonnull(strstr(text, "\"cores\":"));
  tmon_text_free(text);
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_session_options options = {.size = sizeof options, .no_drainer = true, .hardware_json = "{\"gpu\":\"mine\"}"};
  ok(tmon_session_start(&session, store, &options));
  list = test_record(&record, store, tmon_session_id(session));
  ck_assert_str_eq(record.hardware_json, "{\"gpu\":\"mine\"}");
  tmon_record_list_free(list);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(names_steps_and_values) {
  static const char *const names[] = {"system/memory_percent", "system/process_cpu_percent", "system/process_memory_mb", "system/disk_free_gb",
      "system/gpu0/usage_percent", "system/gpu0/memory_percent", "system/gpu0/memory_mb", "system/gpu0/temperature", "system/gpu0/power_w"};
  const double values[] = {75, NAN, 512.0 * (double)sysconf(_SC_PAGESIZE) / 1048576, NAN, 87, 25, 6140, 61, 215};
  use_tree();
  tmon_store *store = test_store();
  int64_t begun = tmon_clock_now_us();
  tmon_session *session = start(store, NULL, 0, PERIOD_MS);
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  await_step(store, id, names[0], 4);
  tmon_session_free(session);
  tmon_metric_list *list = NULL;
  tmon_metric_info info;
  size_t found = 0;
  ok(tmon_metric_list_open(&list, store, id));
  while (tmon_metric_list_next(list, &info) == TMON_OK) {
    size_t i = 0;
    while (i < sizeof names / sizeof *names && strcmp(names[i], info.key) != 0) i++;
    /* No counters of processor, disk and network, no temperature: no metrics of them. */
    ck_assert_msg(i < sizeof names / sizeof *names, "%s has no sensor here", info.key);
    if (!isnan(values[i])) ck_assert_double_eq_tol(info.last.value, values[i], 1e-6 * values[i]);
    found++;
  }
  tmon_metric_list_free(list);
  ck_assert_uint_eq(found, sizeof names / sizeof *names);
  tmon_point points[100];
  size_t count = 100;
  ok(tmon_series_tail(points, &count, store, id, names[0]));
  for (size_t i = 0; i < count; i++) ck_assert_int_eq(points[i].step, (int64_t)i + 1);
  /* One may be late and the next on time, but none comes before its time. */
  ck_assert(count >= 4 && points[count - 1].time - begun >= (int64_t)count * PERIOD_MS * 900);
  tmon_store_free(store);
  leave_tree();
}
END_TEST

START_TEST(one_thread_for_all_and_none_afterwards) {
  tmon_store *store = test_store();
  char mask[40] = "";
  char ids[2][40];
  tmon_session *first = start(store, NULL, 0, PERIOD_MS);
  tmon_session *second = start(store, NULL, 0, 2 * PERIOD_MS);
  (void)snprintf(ids[0], sizeof ids[0], "%s", tmon_session_id(first));
  (void)snprintf(ids[1], sizeof ids[1], "%s", tmon_session_id(second));
  await_step(store, ids[0], "system/memory_percent", 2);
  await_step(store, ids[1], "system/memory_percent", 1);
  ck_assert_int_eq(count_samplers(mask), 1);
  uint64_t blocked = strtoull(mask, NULL, 16);
  ck_assert(blocked >> (SIGTERM - 1) & 1 && blocked >> (SIGINT - 1) & 1 && blocked >> (SIGUSR1 - 1) & 1);
  ok(tmon_session_finish(first, TMON_STATUS_COMPLETED));
  uint64_t there = test_count(store, ids[0], "system/memory_percent", false);
  tmon_point point;
  ck_assert(last_point(&point, store, ids[1], "system/memory_percent"));
  await_step(store, ids[1], "system/memory_percent", point.step + 2); /* the other goes on */
  ck_assert_uint_eq(test_count(store, ids[0], "system/memory_percent", false), there);
  tmon_session_free(first);
  tmon_session_free(second);
  await_samplers(0);
  first = start(store, NULL, 0, PERIOD_MS); /* and once more */
  await_samplers(1);
  tmon_session_free(first);
  await_samplers(0);
  tmon_store_free(store);
}
END_TEST

/* Sample 1 of a resumed session must not hide training steps from 1 on, nor step 500 of the training the samples from 500 on. */
START_TEST(resumed_sessions_hide_nothing) {
  tmon_store *store = test_store();
  tmon_session *session = start(store, NULL, 0, PERIOD_MS);
  tmon_metric metric = test_metric(session, "m");
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  for (int i = 0; i < 1000; i++) ok(tmon_log(session, metric, i, i));
  await_step(store, id, "system/memory_percent", 3);
  tmon_session_free(session);
  test_settle(store);
  tmon_point before, after;
  ck_assert(last_point(&before, store, id, "system/memory_percent"));
  session = start(store, id, 0, PERIOD_MS);
  metric = test_metric(session, "m");
  ok(tmon_log(session, metric, 500, 1));
  ok(tmon_log(session, metric, 501, 1));
  await_step(store, id, "system/memory_percent", before.step + 2);
  ck_assert_uint_eq(test_count(store, id, "m", false), 502); /* while the samples are in the ring */
  tmon_session_free(session);
  test_settle(store);
  ck_assert_uint_eq(test_count(store, id, "m", false), 502); /* and from the store */
  ck_assert(last_point(&after, store, id, "system/memory_percent"));
  ck_assert_int_gt(after.step, before.step); /* numbers go on */
  session = start(store, id, 0, PERIOD_MS);
  ok(tmon_log(session, test_metric(session, "m"), 1, 1));
  await_step(store, id, "system/memory_percent", after.step + 1);
  tmon_session_free(session);
  ck_assert_uint_eq(test_count(store, id, "m", false), 2);
  ck_assert(last_point(&after, store, id, "system/memory_percent"));
  ck_assert_uint_eq(test_count(store, id, "system/memory_percent", false), (uint64_t)after.step);
  tmon_store_free(store);
}
END_TEST

START_TEST(ranks_have_names_of_their_own) {
  tmon_store *store = test_store();
  tmon_session *first = start(store, NULL, 0, PERIOD_MS);
  tmon_session *second = start(store, tmon_session_id(first), 1, PERIOD_MS);
  await_step(store, tmon_session_id(first), "system/rank1/memory_percent", 1);
  await_step(store, tmon_session_id(first), "system/memory_percent", 1);
  tmon_session_free(second);
  tmon_session_free(first);
  tmon_store_free(store);
}
END_TEST

START_TEST(forked_children_leave_the_sampler_alone) {
  tmon_store *store = test_store();
  tmon_session *session = start(store, NULL, 0, PERIOD_MS);
  tmon_session *finished = start(store, NULL, 0, PERIOD_MS);
  char id[40];
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  ok(tmon_session_finish(finished, TMON_STATUS_COMPLETED));
  for (int i = 0; i < 20; i++) {
    pid_t child = fork();
    if (child == 0) {
      tmon_hardware now = {.size = sizeof now};
      bool good = tmon_hardware_sample(&now) == TMON_OK && count_samplers(NULL) == 0;
      tmon_session_free(finished);
      tmon_session_free(session);
      tmon_store_free(store);
      _exit(good ? 0 : 1);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    tmon_clock_sleep_us(3000);
  }
  tmon_point point = {0};
  (void)last_point(&point, store, id, "system/memory_percent");
  await_step(store, id, "system/memory_percent", point.step + 2);
  tmon_session_free(finished);
  tmon_session_free(session);
  await_samplers(0);
  tmon_store_free(store);
}
END_TEST

START_TEST(a_child_may_sample_for_itself) {
  pid_t child = fork();
  if (child == 0) {
    /* The regular end of a program that forgot its session. */
    tmon_store *store = test_store();
    (void)start(store, "01234567-89ab-4def-8123-456789abcdef", 0, PERIOD_MS);
    await_step(store, "01234567-89ab-4def-8123-456789abcdef", "system/memory_percent", 2);
    (void)close(1);
    exit(0);
  }
  int status = -1;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert_int_eq(status, 0);
  tmon_store *store = test_store();
  ck_assert_int_eq(test_status(store, "01234567-89ab-4def-8123-456789abcdef"), TMON_STATUS_COMPLETED);
  ck_assert_uint_ge(test_count(store, "01234567-89ab-4def-8123-456789abcdef", "system/memory_percent", false), 2);
  tmon_store_free(store);
}
END_TEST

static void *churn(void *argument) {
  for (int i = 0; i < 6; i++) {
    tmon_hardware now = {.size = sizeof now};
    tmon_session *session = start(argument, NULL, 0, PERIOD_MS);
    ok(tmon_hardware_sample(&now));
    tmon_metric metric = test_metric(session, "m");
    for (int step = 0; step < 50; step++) {
      ok(tmon_log(session, metric, step, step));
      tmon_clock_sleep_us(1000);
    }
    tmon_session_free(session);
  }
  return NULL;
}

START_TEST(sessions_come_and_go_in_threads) {
  tmon_store *store = test_store();
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, store), 0);
  for (int i = 0; i < 3; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  await_samplers(0);
  tmon_store_free(store);
}
END_TEST

/* Prints; a time is no test. */
START_TEST(what_the_sampler_costs) {
  enum { SAMPLES = 12 };
  tmon_store *store = test_store();
  tmon_session *session = start(store, NULL, 0, PERIOD_MS);
  char path[400];
  char text[100] = "";
  await_step(store, tmon_session_id(session), "system/memory_percent", SAMPLES);
  ck_assert_int_eq(count_samplers(NULL), 1);
  (void)snprintf(path, sizeof path, "%s/schedstat", sampler_task);
  FILE *file = fopen(path, "r");
  if (file && fgets(text, sizeof text, file)) {
    double each = strtod(text, NULL) / (SAMPLES + 1);
    printf("the sampler takes %.0f us of processor a sample: at one a second %.3f %% of a core\n", each / 1e3, each / 1e7);
  }
  if (file) (void)fclose(file);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

static int count_threads(void) {
  int count = 0;
  DIR *tasks = opendir("/proc/self/task");
  while (readdir(tasks)) count++;
  closedir(tasks);
  return count;
}

/* A sampler that has not got its name yet holds memory too, so all threads are counted. */
static int make_feed(void *argument) {
  tmon_hardware_feed *feed = NULL;
  const int *before = argument;
  int result = tmon_hardware_feed_make(&feed, 1000, 0, test_folder);
  ck_assert((result == TMON_OK) == (feed != NULL));
  tmon_hardware_feed_free(feed);
  for (int i = 0; i < 60000 && count_threads() > *before; i++) tmon_clock_sleep_us(1000);
  ck_assert_int_eq(count_threads(), *before);
  return result;
}

static void *do_nothing(void *argument) { return argument; }

START_TEST(no_memory_for_a_feed) {
  pthread_t first; /* a sanitizer starts a thread of its own with it */
  ck_assert_int_eq(pthread_create(&first, NULL, do_nothing, NULL), 0);
  ck_assert_int_eq(pthread_join(first, NULL), 0);
  for (int i = 0; i < 100 && count_threads() > 3; i++) tmon_clock_sleep_us(10000);
  int before = count_threads();
  tmon_fault_loop(make_feed, &before);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("hardware");
  tcase_add_test(tests, arguments);
  tcase_add_test(tests, a_sample_of_this_machine);
  tcase_add_test(tests, a_sample_at_once_is_repeated);
  tcase_add_test(tests, as_json);
  tcase_add_test(tests, a_session_knows_its_machine);
  tcase_add_test(tests, names_steps_and_values);
  tcase_add_test(tests, one_thread_for_all_and_none_afterwards);
  tcase_add_test(tests, resumed_sessions_hide_nothing);
  tcase_add_test(tests, ranks_have_names_of_their_own);
  tcase_add_test(tests, forked_children_leave_the_sampler_alone);
  tcase_add_test(tests, a_child_may_sample_for_itself);
  tcase_add_test(tests, sessions_come_and_go_in_threads);
  tcase_add_test(tests, what_the_sampler_costs);
  tcase_add_test(tests, no_memory_for_a_feed);
  return test_run(suite_create("track/hardware"), tests);
}
