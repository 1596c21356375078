/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Nothing lost: a process that logs is killed at random instants; each point whose call had returned is read back once. */
#include "series/ring.h"
#include "trainmon/error.h"
#include "util/clock.h"
#include "unit/suite.h"

#include <check.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 50
#define WRITERS 3
static const uint8_t id16[16] = {7};
static char path[96];

/* Memory that outlives the child: how far each of its threads got, and what its drainer has "committed". */
typedef struct shared {
  _Atomic int64_t returned[WRITERS];
  _Atomic bool started;
  _Atomic uint64_t drained[TMON_RING_LANES];
} shared;
static shared *outside;

typedef struct writer {
  tmon_ring *ring;
  uint32_t metric;
  int number;
} writer;
static void write_for_ever(void *argument) {
  const writer *self = argument;
  for (int64_t i = 0;; i++) {
    int result; /* a machine too busy to drain makes the ring drop and say so: such a point is logged again */
    while ((result = tmon_ring_write(self->ring, TMON_SLOT_POINT, self->metric, i, i * 3, (double)i)) == TMON_EDROPPED) tmon_clock_sleep_us(1000);
    if (result != TMON_OK) _exit(3);
    atomic_store_explicit(&outside->returned[self->number], i + 1, memory_order_release);
    atomic_store(&outside->started, true);
  }
}

/* Takes slots as the real drainer does: "commits" a lane's position together with what it held, then releases. */
static void drain_for_ever(tmon_ring *ring) {
  static tmon_slot slots[2000];
  for (;;) {
    for (unsigned lane = 0; lane < WRITERS; lane++) {
      uint64_t position = tmon_ring_drained(ring, lane);
      bool lapped = false;
      if (tmon_ring_read(ring, lane, &position, slots, 2000, &lapped) == 0) continue;
      atomic_store(&outside->drained[lane], position);
      tmon_ring_release(ring, lane, position);
    }
  }
}

static void child_logs(void) {
  tmon_ring *ring = NULL;
  static writer writers[WRITERS];
  if (tmon_ring_create(&ring, path, id16, id16, 256 * 1024, NULL) != TMON_OK) _exit(1);
  for (int i = 0; i < WRITERS; i++) {
    char key[16];
    tmon_thread *thread = NULL;
    snprintf(key, sizeof key, "writer/%d", i);
    writers[i] = (writer){.ring = ring, .number = i};
    if (tmon_ring_metric(ring, key, &writers[i].metric) != TMON_OK) _exit(1);
    if (tmon_thread_start(&thread, "writer", write_for_ever, &writers[i]) != TMON_OK) _exit(1);
  }
  drain_for_ever(ring);
}

/* Every lane belongs to one writer, whose steps count up from 0: slot p of the lane is step p. So from the committed position on, steps must follow
 * without a gap or a repeat, up to the last one whose call returned; at most one more was published before its call could return. */
static void check_what_is_left(tmon_ring *ring) {
  bool found[WRITERS] = {false};
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    static tmon_slot slots[500];
    uint64_t position = atomic_load(&outside->drained[lane]);
    uint64_t tail = tmon_ring_tail(ring, lane);
    ck_assert_uint_ge(tail, position);
    if (tail == 0) continue;
    ck_assert_uint_lt(lane, WRITERS);
    uint64_t expected = position;
    uint32_t metric = 0;
    while (expected < tail) {
      bool lapped = false;
      size_t count = tmon_ring_read(ring, lane, &position, slots, 500, &lapped);
      ck_assert(!lapped);
      ck_assert_uint_gt(count, 0);
      for (size_t i = 0; i < count; i++, expected++) {
        if (metric == 0) metric = slots[i].metric;
        ck_assert_uint_eq(slots[i].metric, metric);
        ck_assert_int_eq(slots[i].point.step, (int64_t)expected);
        ck_assert_int_eq(slots[i].point.time, (int64_t)expected * 3);
        ck_assert_double_eq(slots[i].point.value, (double)expected);
      }
      ck_assert_uint_eq(expected, position);
    }
    if (metric == 0) continue; /* all was committed: nothing tells the writer, the total below does */
    ck_assert_uint_le(metric, WRITERS);
    ck_assert(!found[metric - 1]);
    found[metric - 1] = true;
    int64_t returned = atomic_load(&outside->returned[metric - 1]);
    ck_assert_int_ge((int64_t)tail, returned);
    ck_assert_int_le((int64_t)tail, returned + 1);
  }
  int64_t returned = 0;
  int64_t published = 0;
  for (int i = 0; i < WRITERS; i++) {
    returned += atomic_load(&outside->returned[i]);
    published += (int64_t)tmon_ring_tail(ring, (unsigned)i);
  }
  ck_assert_int_ge(published, returned);
  ck_assert_int_le(published, returned + WRITERS);
}

START_TEST(killed_at_any_instant) {
  outside = mmap(NULL, sizeof *outside, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ck_assert_ptr_ne(outside, MAP_FAILED);
  char folder[] = "/tmp/trainmon-kill-XXXXXX";
  ck_assert_ptr_nonnull(mkdtemp(folder));
  for (int round = 0; round < ROUNDS; round++) {
    memset(outside, 0, sizeof *outside);
    snprintf(path, sizeof path, "%s/%d", folder, round);
    pid_t child = fork();
    if (child == 0) {
      child_logs();
      _exit(2);
    }
    while (!atomic_load(&outside->started) && waitpid(child, NULL, WNOHANG) == 0) usleep(100);
    uint16_t random = 0;
    ck_assert_int_eq(tmon_random_bytes(&random, sizeof random), 0);
    usleep(random % 20000);
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    bool alive = true;
    ck_assert_int_eq(tmon_ring_is_alive(path, &alive), TMON_OK);
    ck_assert(!alive);
    tmon_ring *ring = NULL;
    ck_assert_int_eq(tmon_ring_open(&ring, path, true), TMON_OK);
    check_what_is_left(ring);
    for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) tmon_ring_release(ring, lane, tmon_ring_tail(ring, lane));
    ck_assert_double_le(tmon_ring_fill(ring), (WRITERS + 3.0) / 40); /* a block each, and one each that was just being linked */
    tmon_ring_close(ring);
    unlink(path);
  }
  (void)rmdir(folder);
  munmap(outside, sizeof *outside);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ring_kill");
  TCase *test = tcase_create("kill");
  tcase_add_test(test, killed_at_any_instant);
  suite_add_tcase(suite, test);
  return run_suite(suite);
}
