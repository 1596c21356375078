/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Lanes: points come out once each, whatever threads come and go; full rings; readers that are lapped. */
#include "series/ring_format.h"
#include "trainmon/error.h"
#include "util/clock.h"
#include "unit/suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BYTES (256u * 1024u)
#define MAXIMUM_POINTS 200000u
static const uint8_t id16[16] = {1};
static char folder[64];
static char path[96];
static tmon_ring *ring;
static uint32_t metric;

/* New: a file of that name may be left by a test that was killed. */
static void make_folder(void) {
  snprintf(folder, sizeof folder, "/tmp/trainmon-lane-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
}

static tmon_ring *make(const char *name, size_t bytes, tmon_wake *wake) {
  tmon_ring *made = NULL;
  make_folder();
  snprintf(path, sizeof path, "%s/%s", folder, name);
  ck_assert_int_eq(tmon_ring_create(&made, path, id16, id16, bytes, wake), TMON_OK);
  unlink(path);
  rmdir(folder);
  ck_assert_int_eq(tmon_ring_metric(made, "loss", &metric), TMON_OK);
  return made;
}

static void set_up(void) { ring = make("a", BYTES, NULL); }
static void tear_down(void) {
  tmon_ring_close(ring);
  ring = NULL;
}

static uint32_t block_count(void) {
  tmon_ring_geometry geometry;
  ck_assert(tmon_ring_geometry_of(&geometry, BYTES));
  return geometry.block_count;
}

/* What step i carries, so that a reader can tell a torn slot. */
static int64_t time_of(int64_t step) { return step * 7 + 3; }
static double value_of(int64_t step) { return (double)step * 0.5; }
static int put(tmon_ring *to, int64_t step) { return tmon_ring_write(to, TMON_SLOT_POINT, metric, step, time_of(step), value_of(step)); }
static bool is_whole(const tmon_slot *slot) {
  return slot->metric == metric && slot->kind == TMON_SLOT_POINT && slot->point.time == time_of(slot->point.step) &&
      slot->point.value == value_of(slot->point.step);
}

/* ---- a drainer that counts how often each step came ---- */
static unsigned char *seen;
static uint64_t torn, lost;
static void drain_once(tmon_ring *from) {
  static tmon_slot slots[1000];
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    uint64_t position = tmon_ring_drained(from, lane);
    bool lapped = false;
    size_t count;
    while ((count = tmon_ring_read(from, lane, &position, slots, 1000, &lapped)) > 0) {
      for (size_t i = 0; i < count; i++) {
        if (!is_whole(&slots[i]) || slots[i].point.step < 0 || slots[i].point.step >= MAXIMUM_POINTS) {
          torn++;
        } else {
          seen[slots[i].point.step]++;
        }
      }
      tmon_ring_release(from, lane, position);
    }
    if (lapped) lost++;
  }
}

static _Atomic bool stop;
static void drainer(void *argument) {
  while (!atomic_load(&stop)) {
    drain_once(argument);
    tmon_clock_sleep_us(200);
  }
}

static _Atomic int64_t next_step;
static _Atomic int failures;
/* Without forks (valgrind) a test starts with what the one before left. */
static tmon_thread *start_drainer(tmon_ring *from) {
  seen = calloc(MAXIMUM_POINTS, 1);
  atomic_store(&next_step, 0);
  atomic_store(&failures, 0);
  torn = lost = 0;
  atomic_store(&stop, false);
  tmon_thread *thread = NULL;
  ck_assert_int_eq(tmon_thread_start(&thread, "drainer", drainer, from), TMON_OK);
  return thread;
}

static void check_once_each(tmon_ring *from, tmon_thread *thread, int64_t points) {
  atomic_store(&stop, true);
  ck_assert(tmon_thread_join(thread, -1));
  drain_once(from);
  ck_assert_uint_eq(torn, 0);
  ck_assert_uint_eq(lost, 0);
  for (int64_t i = 0; i < points; i++) ck_assert_msg(seen[i] == 1, "step %lld came %d times", (long long)i, seen[i]);
  free(seen);
}

typedef struct job {
  int64_t count;
  int threads;
  _Atomic int begun;
} job;
/* All hold their lanes before any goes on, however the scheduler starts them. A machine so busy that the drainer stands still for 100 ms makes the
 * ring drop and say so: the point is written again. */
static void writer(void *argument) {
  job *work = argument;
  int64_t first = atomic_fetch_add(&next_step, work->count);
  for (int64_t i = first; i < first + work->count; i++) {
    int result;
    while ((result = put(ring, i)) == TMON_EDROPPED) tmon_clock_sleep_us(1000);
    if (result != TMON_OK) atomic_fetch_add(&failures, 1);
    if (i > first) continue;
    atomic_fetch_add(&work->begun, 1);
    while (atomic_load(&work->begun) < work->threads) tmon_clock_sleep_us(50);
  }
}

static void run_writers(int threads, int64_t each) {
  tmon_thread *all[32] = {NULL};
  job work = {.count = each, .threads = threads};
  ck_assert_int_le(threads, 32);
  for (int i = 0; i < threads; i++) ck_assert_int_eq(tmon_thread_start(&all[i], "writer", writer, &work), TMON_OK);
  for (int i = 0; i < threads; i++) ck_assert(tmon_thread_join(all[i], -1));
  ck_assert_int_eq(atomic_load(&failures), 0);
}

START_TEST(every_bit_comes_back) {
  const double values[] = {0.0, -0.0, NAN, INFINITY, -INFINITY, 1e-310, 0.1};
  const int64_t steps[] = {0, -1, INT64_MAX, INT64_MIN, 5, 5, 4};
  for (int i = 0; i < 7; i++) ck_assert_int_eq(tmon_ring_write(ring, i % 2 ? TMON_SLOT_EPOCH : TMON_SLOT_POINT, metric, steps[i], -i, values[i]), TMON_OK);
  tmon_slot slots[10];
  uint64_t position = 0;
  bool lapped = true;
  ck_assert_uint_eq(tmon_ring_read(ring, 0, &position, slots, 3, &lapped), 3);
  ck_assert_uint_eq(tmon_ring_read(ring, 0, &position, slots + 3, 7, &lapped), 4);
  ck_assert(!lapped);
  ck_assert_uint_eq(position, 7);
  ck_assert_uint_eq(tmon_ring_read(ring, 0, &position, slots, 3, &lapped), 0);
  for (int i = 0; i < 7; i++) {
    ck_assert_int_eq(slots[i].kind, i % 2 ? TMON_SLOT_EPOCH : TMON_SLOT_POINT);
    ck_assert_int_eq(slots[i].point.step, steps[i]);
    ck_assert_int_eq(slots[i].point.time, -i);
    ck_assert_mem_eq(&slots[i].point.value, &values[i], sizeof(double));
  }
  ck_assert_uint_eq(tmon_ring_tail(ring, 1), 0);
  ck_assert_uint_eq(tmon_ring_read(ring, 99, &position, slots, 3, &lapped), 0);
}
END_TEST

START_TEST(long_stream_while_drained) {
  tmon_thread *thread = start_drainer(ring);
  run_writers(1, 100000); /* fifteen times what the ring holds */
  check_once_each(ring, thread, 100000);
  ck_assert_double_le(tmon_ring_fill(ring), 2.0 / block_count());
}
END_TEST

START_TEST(many_threads_share_what_lanes_there_are) {
  tmon_thread *thread = start_drainer(ring);
  run_writers(24, 3000);
  check_once_each(ring, thread, 24 * 3000);
  ck_assert_uint_gt(tmon_ring_tail(ring, TMON_RING_SHARED), 0); /* 24 threads, 6 private lanes */
}
END_TEST

START_TEST(lanes_are_handed_on) {
  tmon_thread *thread = start_drainer(ring);
  for (int wave = 0; wave < 150; wave++) run_writers(4, 50);
  check_once_each(ring, thread, 150 * 4 * 50);
  for (unsigned lane = 4; lane < TMON_RING_LANES; lane++) ck_assert_uint_eq(tmon_ring_tail(ring, lane), 0); /* never more than four at once */
}
END_TEST

START_TEST(full_ring_drops_exactly) {
  struct rusage before, after;
  int64_t room = (int64_t)block_count() * TMON_RING_SLOTS;
  for (int64_t i = 0; i < room; i++) ck_assert_int_eq(put(ring, i), TMON_OK);
  ck_assert_double_eq(tmon_ring_fill(ring), 1);
  int64_t start = tmon_clock_monotonic_us();
  ck_assert_int_eq(put(ring, room), TMON_EDROPPED);
  int64_t waited = tmon_clock_monotonic_us() - start;
  ck_assert_int_ge(waited, 100000);
  start = tmon_clock_monotonic_us();
  ck_assert_int_eq(getrusage(RUSAGE_SELF, &before), 0);
  for (int i = 1; i < 1000; i++) ck_assert_int_eq(put(ring, room), TMON_EDROPPED);
  ck_assert_int_eq(getrusage(RUSAGE_SELF, &after), 0);
  /* No second wait: it would take that long, in some hundred naps. The processor may have been elsewhere for as long. */
  ck_assert(tmon_clock_monotonic_us() - start < 100000 || after.ru_nvcsw - before.ru_nvcsw < 100);
  ck_assert_uint_eq(tmon_ring_dropped(ring), 1000);
  tmon_ring_release(ring, 0, TMON_RING_SLOTS);
  for (int64_t i = 0; i < TMON_RING_SLOTS; i++) ck_assert_int_eq(put(ring, room + i), TMON_OK);
  start = tmon_clock_monotonic_us();
  ck_assert_int_eq(put(ring, room), TMON_EDROPPED);
  ck_assert_int_ge(tmon_clock_monotonic_us() - start, 100000); /* progress was seen: patient again */
  ck_assert_uint_eq(tmon_ring_dropped(ring), 1001);
  tmon_slot slot;
  bool lapped = false;
  uint64_t position = TMON_RING_SLOTS;
  for (int64_t i = TMON_RING_SLOTS; i < room + TMON_RING_SLOTS; i++) {
    ck_assert_uint_eq(tmon_ring_read(ring, 0, &position, &slot, 1, &lapped), 1);
    ck_assert_int_eq(slot.point.step, i);
  }
}
END_TEST

/* After this many readings of the clock the thread stands still for a while, as one that the processor has left. */
static _Thread_local int stand_still;
int clock_gettime(clockid_t clock, struct timespec *out) {
  int result = (int)syscall(SYS_clock_gettime, clock, out);
  if (stand_still > 0 && --stand_still == 0) (void)usleep(150000);
  return result;
}

/* A drainer that gives some slots back each 40 ms: slow, but it moves, so nothing may be dropped. It notes its longest pause. */
static uint64_t slots_at_once;
static int64_t longest_pause;
static void slow_drainer(void *argument) {
  int64_t last = tmon_clock_monotonic_us();
  longest_pause = 0;
  for (uint64_t i = 1; i <= 6; i++) {
    tmon_clock_sleep_us(40000);
    int64_t before = tmon_clock_monotonic_us();
    tmon_ring_release(argument, 0, i * slots_at_once);
    int64_t pause = tmon_clock_monotonic_us() - last;
    if (pause > longest_pause) longest_pause = pause;
    last = before;
  }
}

/* Gives how many were dropped. All the room that the drainer makes is needed: some blocks, or one that comes in pieces. */
static uint64_t write_beside_slow_drainer(bool pieces) {
  int64_t room = (int64_t)block_count() * TMON_RING_SLOTS;
  for (int64_t i = 0; i < room; i++) ck_assert_int_eq(put(ring, i), TMON_OK);
  tmon_thread *thread = NULL;
  slots_at_once = pieces ? TMON_RING_SLOTS / 6 : TMON_RING_SLOTS;
  ck_assert_int_eq(tmon_thread_start(&thread, "slow", slow_drainer, ring), TMON_OK);
  stand_still = pieces ? 4 : 0;
  for (int64_t i = 0; i < (pieces ? 1 : 5 * TMON_RING_SLOTS + 1); i++) {
    int result = put(ring, room + i);
    ck_assert(result == TMON_OK || result == TMON_EDROPPED);
  }
  ck_assert(tmon_thread_join(thread, -1));
  return tmon_ring_dropped(ring);
}

/* 1: the waiting thread stands still for longer than its patience, the drainer does not. A machine that keeps the drainer from its work for 100 ms may make
 * points drop: then once more. */
START_TEST(a_slow_drainer_is_waited_for) {
  uint64_t dropped;
  for (int i = 0; (dropped = write_beside_slow_drainer(_i == 1)) > 0 && i < 50; i++) {
    ck_assert_int_ge(longest_pause, 100000);
    tear_down();
    set_up();
  }
  ck_assert_uint_eq(dropped, 0);
}
END_TEST

START_TEST(late_readers_are_told) {
  for (int64_t i = 0; i < 300; i++) ck_assert_int_eq(put(ring, i), TMON_OK);
  tmon_slot slots[400];
  bool lapped = false;
  uint64_t position = 0;
  tmon_ring_release(ring, 0, 200); /* one whole block */
  ck_assert_uint_eq(tmon_ring_drained(ring, 0), 200);
  ck_assert_uint_eq(tmon_ring_read(ring, 0, &position, slots, 400, &lapped), 0);
  ck_assert(lapped);
  ck_assert_uint_eq(position, 0);
  position = tmon_ring_drained(ring, 0);
  ck_assert_uint_eq(tmon_ring_read(ring, 0, &position, slots, 400, &lapped), 100);
  ck_assert(!lapped);
  ck_assert_int_eq(slots[0].point.step, 200);
  tmon_ring_release(ring, 0, UINT64_MAX); /* no further than the tail */
  ck_assert_uint_eq(tmon_ring_drained(ring, 0), 300);
  tmon_ring_release(ring, 0, 10); /* never back */
  ck_assert_uint_eq(tmon_ring_drained(ring, 0), 300);
}
END_TEST

/* Follows at its own pace while blocks change hands under it: whatever it gets must be whole and in order. */
static _Atomic uint64_t followed, laps, wrong;
static void follower(void *argument) {
  static tmon_slot slots[64];
  uint64_t position = 0;
  int64_t last = -1;
  while (!atomic_load(&stop)) {
    bool lapped = false;
    size_t count = tmon_ring_read(argument, 0, &position, slots, 64, &lapped);
    for (size_t i = 0; i < count; i++) {
      if (!is_whole(&slots[i]) || slots[i].point.step <= last) atomic_fetch_add(&wrong, 1);
      last = slots[i].point.step;
    }
    atomic_fetch_add(&followed, count);
    if (!lapped) continue;
    atomic_fetch_add(&laps, 1);
    position = tmon_ring_drained(argument, 0);
  }
}

START_TEST(lapped_while_reading) {
  atomic_store(&wrong, 0);
  atomic_store(&followed, 0);
  tmon_thread *thread = start_drainer(ring);
  tmon_thread *reader = NULL;
  ck_assert_int_eq(tmon_thread_start(&reader, "follower", follower, ring), TMON_OK);
  for (int64_t i = 0; i < 150000; i++) {
    int result;
    while ((result = put(ring, i)) == TMON_EDROPPED) tmon_clock_sleep_us(1000);
    ck_assert_int_eq(result, TMON_OK);
    /* The first block is not given back yet: there is something to follow for a reader that begins late. */
    for (int wait = 0; i == 100 && atomic_load(&followed) == 0 && wait < 600000; wait++) tmon_clock_sleep_us(100);
  }
  check_once_each(ring, thread, 150000);
  ck_assert(tmon_thread_join(reader, -1));
  ck_assert_uint_eq(atomic_load(&wrong), 0);
  ck_assert_uint_gt(atomic_load(&followed), 0);
}
END_TEST

START_TEST(woken_at_half) {
  tmon_wake wake;
  ck_assert_int_eq(tmon_wake_open(&wake), TMON_OK);
  tmon_ring *own = make("b", BYTES, &wake);
  int64_t half = (int64_t)(block_count() / 2 - 1) * TMON_RING_SLOTS;
  for (int64_t i = 0; i < half; i++) ck_assert_int_eq(put(own, i), TMON_OK);
  int64_t start = tmon_clock_monotonic_us();
  tmon_wake_wait(&wake, 20000);
  ck_assert_int_ge(tmon_clock_monotonic_us() - start, 20000);
  ck_assert_int_eq(put(own, half), TMON_OK);
  start = tmon_clock_monotonic_us();
  tmon_wake_wait(&wake, 60000000);
  ck_assert_int_lt(tmon_clock_monotonic_us() - start, 50000000);
  tmon_ring_close(own);
  tmon_wake_close(&wake);
}
END_TEST

static int drains;
static int drain_all(void *argument) {
  drains++;
  tmon_ring_release(argument, 0, tmon_ring_tail(argument, 0));
  return TMON_OK;
}
static int drain_nothing(void *argument) {
  (void)argument;
  drains++;
  return TMON_EIO;
}

START_TEST(caller_drains) {
  int64_t room = (int64_t)block_count() * TMON_RING_SLOTS;
  drains = 0;
  tmon_ring_set_drained_by_caller(ring, drain_all, ring);
  for (int64_t i = 0; i < 3 * room; i++) ck_assert_int_eq(put(ring, i), TMON_OK);
  ck_assert_int_ge(drains, 2);
  ck_assert_uint_eq(tmon_ring_dropped(ring), 0);
  tmon_ring_set_drained_by_caller(ring, drain_nothing, NULL);
  while (put(ring, 0) == TMON_OK) continue;
  drains = 0;
  int64_t start = tmon_clock_monotonic_us();
  for (int i = 0; i < 1000; i++) ck_assert_int_eq(put(ring, 0), TMON_EDROPPED);
  ck_assert_int_le(drains, 1 + (tmon_clock_monotonic_us() - start) / 100000); /* not one try for each point */
  ck_assert_uint_eq(tmon_ring_dropped(ring), 1001);
}
END_TEST

/* A thread that logs to two rings in turn, one of which is closed before the thread ends. */
static tmon_ring *second;
static _Atomic int stage;
static void two_rings(void *argument) {
  (void)argument;
  for (int64_t i = 0; i < 1000; i++) {
    if (put(ring, i) != TMON_OK || put(second, i) != TMON_OK) atomic_fetch_add(&failures, 1);
  }
  atomic_store(&stage, 1);
  while (atomic_load(&stage) != 2) tmon_clock_sleep_us(100);
  for (int64_t i = 1000; i < 1100; i++) {
    if (put(ring, i) != TMON_OK) atomic_fetch_add(&failures, 1);
  }
}

START_TEST(ring_closed_before_its_thread) {
  second = make("b", BYTES, NULL);
  tmon_thread *thread = NULL;
  atomic_store(&stage, 0);
  ck_assert_int_eq(tmon_thread_start(&thread, "two", two_rings, NULL), TMON_OK);
  while (atomic_load(&stage) != 1) tmon_clock_sleep_us(100);
  ck_assert_uint_eq(tmon_ring_tail(second, 0), 1000);
  tmon_ring_close(second);
  second = make("c", BYTES, NULL); /* may lie where the closed one lay: a stale lane must not be used */
  atomic_store(&stage, 2);
  ck_assert(tmon_thread_join(thread, -1));
  ck_assert_int_eq(atomic_load(&failures), 0);
  ck_assert_uint_eq(tmon_ring_tail(ring, 0), 1100);
  ck_assert_uint_eq(tmon_ring_tail(second, 0), 0);
  ck_assert_int_eq(put(second, 1), TMON_OK);
  ck_assert_uint_eq(tmon_ring_tail(second, 0), 1);
  tmon_ring_close(second);
}
END_TEST

/* Chains that lead astray: reads and releases end and copy nothing. */
START_TEST(lying_chains) {
  for (int64_t i = 0; i < 1000; i++) ck_assert_int_eq(put(ring, i), TMON_OK);
  tmon_ring_geometry geometry;
  ck_assert(tmon_ring_geometry_of(&geometry, BYTES));
  tmon_ring *view = NULL;
  char file[96];
  make_folder();
  snprintf(file, sizeof file, "%s/lie", folder);
  tmon_mapping mapping;
  const uint32_t heads[] = {0, UINT32_MAX, 9};
  for (int variant = 0; variant < 5; variant++) {
    tmon_ring *own = NULL;
    ck_assert_int_eq(tmon_ring_create(&own, file, id16, id16, BYTES, NULL), TMON_OK);
    ck_assert_int_eq(tmon_ring_metric(own, "loss", &metric), TMON_OK);
    for (int64_t i = 0; i < 1000; i++) ck_assert_int_eq(put(own, i), TMON_OK);
    ck_assert_int_eq(tmon_map_open(&mapping, file, true, 1, BYTES), TMON_OK);
    tmon_ring_lane *lane = (tmon_ring_lane *)(void *)(mapping.data + geometry.lanes_offset);
    tmon_ring_block *blocks = (tmon_ring_block *)(void *)(mapping.data + geometry.blocks_offset);
    atomic_store(&lane->tail, UINT64_MAX);
    atomic_store(&lane->tail_block, UINT32_MAX);
    if (variant < 3) atomic_store(&lane->head, heads[variant]);
    if (variant == 3) atomic_store(&blocks[0].next, 1); /* itself */
    if (variant == 4) atomic_store(&blocks[1].base, UINT64_MAX - 3);
    ck_assert_int_eq(tmon_ring_open(&view, file, true), TMON_OK);
    tmon_slot slots[300];
    bool lapped = false;
    uint64_t position = 500;
    ck_assert_uint_eq(tmon_ring_read(view, 0, &position, slots, 300, &lapped), 0);
    ck_assert(lapped);
    ck_assert_uint_eq(position, 500);
    tmon_ring_release(view, 0, UINT64_MAX);
    tmon_ring_close(view);
    tmon_map_close(&mapping);
    tmon_ring_close(own);
    unlink(file);
  }
  rmdir(folder);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("lane");
  TCase *test = tcase_create("lane");
  tcase_add_checked_fixture(test, set_up, tear_down);
  tcase_add_test(test, every_bit_comes_back);
  tcase_add_test(test, long_stream_while_drained);
  tcase_add_test(test, many_threads_share_what_lanes_there_are);
  tcase_add_test(test, lanes_are_handed_on);
  tcase_add_test(test, full_ring_drops_exactly);
  tcase_add_loop_test(test, a_slow_drainer_is_waited_for, 0, 2);
  tcase_add_test(test, late_readers_are_told);
  tcase_add_test(test, lapped_while_reading);
  tcase_add_test(test, woken_at_half);
  tcase_add_test(test, caller_drains);
  tcase_add_test(test, ring_closed_before_its_thread);
  tcase_add_test(test, lying_chains);
  suite_add_tcase(suite, test);
  return run_suite(suite);
}
