/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Reads a store for the kill tests. What it finds goes to standard output as words.
 *   points STORE ID THREADS   status, dropped, and for each metric: points, first, last, steps that were skipped, steps that did not ascend
 *   recover STORE ID          opens, says "ready", waits for a line, recovers, gives the status
 *   follow STORE ID           follows until killed; ends with an error when a follow gives a point twice or skips one without saying so
 *   query STORE               queries all sessions until its standard input ends; ends with an error at the first that fails
 */
#include "fault.h"

#include <poll.h>

#define AT_ONCE 65536

static int get_record(tmon_record *out, tmon_record_list **list, tmon_store *store, const char *id) {
  tmon_record_filter filter = {.size = sizeof filter, .id = id};
  int result = tmon_record_list_open(list, store, &filter);
  return result == TMON_OK ? tmon_record_list_next(*list, out) : result;
}

static void say_record(tmon_store *store, const char *id) {
  tmon_record record;
  tmon_record_list *list = NULL;
  if (get_record(&record, &list, store, id) != TMON_OK) fault_die("record");
  printf("status %d\ndropped %lld\nlive %d\n", (int)record.status, (long long)record.dropped, (int)record.live);
  tmon_record_list_free(list);
}

static void say_points(tmon_store *store, const char *id, unsigned index) {
  static tmon_point points[AT_ONCE];
  char key[16];
  size_t count = 0;
  uint64_t total = 0;
  uint64_t gaps = 0;
  uint64_t disorder = 0;
  int64_t first = -1;
  int64_t last = -1;
  tmon_point_reader *reader = NULL;
  snprintf(key, sizeof key, "m%u", index);
  int result = tmon_point_reader_open(&reader, store, id, key);
  if (result != TMON_OK && result != TMON_ENOTFOUND) fault_die("reader");
  while (result == TMON_OK && (result = tmon_point_reader_next(reader, points, AT_ONCE, &count)) == TMON_OK) {
    for (size_t i = 0; i < count; i++) {
      if (points[i].step != (int64_t)points[i].value || points[i].step <= last) disorder++;
      else gaps += (uint64_t)(points[i].step - last - 1);
      if (first < 0) first = points[i].step;
      if (points[i].step > last) last = points[i].step;
    }
    total += count;
  }
  if (result != TMON_DONE && result != TMON_ENOTFOUND) fault_die("points");
  tmon_point_reader_free(reader);
  printf("metric %u %llu %lld %lld %llu %llu\n", index, (unsigned long long)total, (long long)first, (long long)last, (unsigned long long)gaps,
      (unsigned long long)disorder);
}

static int recover(tmon_store *store, const char *id) {
  char line[16];
  size_t adopted = 0;
  fault_say("ready");
  if (fgets(line, sizeof line, stdin) == NULL) return 1;
  int64_t begin = fault_now_us();
  if (tmon_store_recover(store, 0, &adopted) != TMON_OK) fault_die("recover");
  printf("adopted %zu\ntook %lld\n", adopted, (long long)(fault_now_us() - begin));
  say_record(store, id);
  return 0;
}

static int follow(tmon_store *store, const char *id) {
  static tmon_follow_point points[AT_ONCE];
  int64_t last[FAULT_THREADS];
  bool missed[FAULT_THREADS];
  tmon_follow *follows = NULL;
  for (size_t i = 0; i < FAULT_THREADS; i++) {
    last[i] = -1;
    missed[i] = true; /* it begins somewhere */
  }
  if (tmon_follow_open(&follows, store, id) != TMON_OK) fault_die("follow");
  fault_say("ready");
  for (;;) {
    size_t count = 0;
    bool lapped = false;
    if (tmon_follow_next(follows, points, AT_ONCE, &count, &lapped) != TMON_OK) fault_die("next");
    /* What a call misses lies behind its points: never between them, and before the first one only when the last call said so. */
    for (size_t i = 0; i < count; i++) {
      const char *key = tmon_follow_key(follows, points[i].metric);
      if (key == NULL || key[0] != 'm' || key[1] < '0' || key[1] >= '0' + FAULT_THREADS) fault_die("key");
      int64_t *before = &last[key[1] - '0'];
      int64_t step = points[i].point.step;
      bool *allowed = &missed[key[1] - '0'];
      if (step <= *before || (!*allowed && step != *before + 1)) {
        fprintf(stderr, "follow of %s: %lld after %lld\n", key, (long long)step, (long long)*before);
        return 1;
      }
      *before = step;
      *allowed = false;
    }
    for (size_t i = 0; lapped && i < FAULT_THREADS; i++) missed[i] = true;
    if (count == 0) fault_sleep_us(500);
  }
}

/* The buckets of a running session, taken twice, may only grow. */
static void query_one(tmon_store *store, const char *id, uint64_t *queries) {
  uint64_t before = 0;
  for (int round = 0; round < 2; round++) {
    tmon_series *series = NULL;
    size_t count = 0;
    uint64_t total = 0;
    int result = tmon_series_query(&series, store, id, "m0", NULL);
    if (result == TMON_ENOTFOUND) return;
    if (result != TMON_OK) fault_die("query");
    const tmon_bucket *buckets = tmon_series_buckets(series, &count);
    int64_t highest = -1;
    for (size_t i = 0; i < count; i++) {
      total += buckets[i].count;
      highest = buckets[i].last_x;
    }
    tmon_series_free(series);
    (*queries)++;
    if (total != (uint64_t)(highest + 1) || total < before) {
      fprintf(stderr, "%s: %llu points up to step %lld, %llu before\n", id, (unsigned long long)total, (long long)highest, (unsigned long long)before);
      exit(1);
    }
    before = total;
  }
}

static int query(tmon_store *store) {
  struct pollfd input = {.fd = 0, .events = POLLIN};
  uint64_t queries = 0;
  fault_say("ready");
  while (poll(&input, 1, 0) == 0) {
    tmon_record record;
    tmon_record_list *list = NULL;
    int result = tmon_record_list_open(&list, store, NULL);
    while (result == TMON_OK && (result = tmon_record_list_next(list, &record)) == TMON_OK) query_one(store, record.id, &queries);
    if (result != TMON_DONE) fault_die("list");
    tmon_record_list_free(list);
  }
  printf("queries %llu\n", (unsigned long long)queries);
  return 0;
}

int main(int count, char **arguments) {
  if (count < 3) return 2;
  const char *what = arguments[1];
  int64_t begin = fault_now_us();
  tmon_store *store = fault_open(arguments[2]);
  int result = 2;
  if (strcmp(what, "points") == 0 && count > 4) {
    unsigned many = (unsigned)strtoul(arguments[4], NULL, 10);
    printf("opened %lld\n", (long long)(fault_now_us() - begin));
    say_record(store, arguments[3]);
    for (unsigned i = 0; i < many; i++) say_points(store, arguments[3], i);
    result = 0;
  } else if (strcmp(what, "recover") == 0 && count > 3) {
    result = recover(store, arguments[3]);
  } else if (strcmp(what, "follow") == 0 && count > 3) {
    result = follow(store, arguments[3]);
  } else if (strcmp(what, "query") == 0) {
    result = query(store);
  }
  tmon_store_free(store);
  return result;
}
