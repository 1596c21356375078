/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The sampler: one thread a process that reads the sensors and logs them to each session that asked for it. It starts with the first such session and stops
 * with the last. Sensors may be slow (a GPU's driver, a network file system), so they are read without the lock; under it the thread only logs, and only
 * to rings with room, so that no session's end waits for a sensor or a disk. A sampler that does not stop at once is left alone: it touches nothing but its own
 * memory, which the last of its feeds and itself frees.
 */
#include "track/hardware.h"

#include "track/session.h"
#include "util/hardware.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 4097
#define STOP_US 20000     /* of the 60 ms that an end may take */
#define FILL_MAXIMUM 0.75 /* beyond it the room is the training's */
#define MEGABYTE 1048576.0
#define GIGABYTE 1073741824.0
#define NEVER UINT32_MAX /* a metric that the ring had no room for */

typedef struct figure {
  const char *name;
  size_t offset;
  double unit;
} figure;

static const figure machine[] = {
    {"cpu_percent", offsetof(tmon_hardware, cpu_percent), 1},
    {"memory_percent", offsetof(tmon_hardware, memory_percent), 1},
    {"process_cpu_percent", offsetof(tmon_hardware, process_cpu_percent), 1},
    {"process_memory_mb", offsetof(tmon_hardware, process_resident_bytes), MEGABYTE},
    {"disk_free_gb", offsetof(tmon_hardware, disk_free_bytes), GIGABYTE},
    {"disk_read_mb_s", offsetof(tmon_hardware, disk_read_rate), MEGABYTE},
    {"disk_write_mb_s", offsetof(tmon_hardware, disk_write_rate), MEGABYTE},
    {"network_receive_mb_s", offsetof(tmon_hardware, network_receive_rate), MEGABYTE},
    {"network_send_mb_s", offsetof(tmon_hardware, network_send_rate), MEGABYTE},
    {"cpu_temperature", offsetof(tmon_hardware, cpu_temperature), 1},
};

static const figure gpu[] = {
    {"usage_percent", offsetof(tmon_gpu, usage_percent), 1},
    {"memory_percent", offsetof(tmon_gpu, memory_percent), 1},
    {"memory_mb", offsetof(tmon_gpu, memory_used_bytes), MEGABYTE},
    {"temperature", offsetof(tmon_gpu, temperature), 1},
    {"power_w", offsetof(tmon_gpu, power_watts), 1},
};

enum { MACHINE = sizeof machine / sizeof *machine, GPU = sizeof gpu / sizeof *gpu, FIGURES = MACHINE + TMON_HARDWARE_GPUS * GPU };

typedef struct sampler {
  tmon_hardware_feed *feeds; /* those that have not ended; guarded by the lock, as are all counts */
  tmon_thread *thread;
  tmon_wake wake;
  size_t holders; /* feeds that are not freed, and the thread */
  bool stopping;
} sampler;

struct tmon_hardware_feed {
  tmon_hardware_feed *next;
  sampler *sampler;
  tmon_session *session; /* NULL: not begun */
  int64_t pid;
  int64_t number; /* tells feeds apart that came to lie at the same address */
  int64_t period_us;
  int64_t due;
  int64_t step;
  tmon_hardware_counters before;
  uint32_t rank;
  bool ended;
  tmon_metric metrics[FIGURES]; /* 0: not made yet */
  char folder[PATH_BYTES];
};

/* Guards `current`, the feeds and their samplers: a spin flag, as in exit.c. */
static atomic_flag busy = ATOMIC_FLAG_INIT;
static atomic_bool registered;
static sampler *current;
static int64_t numbers;

static void lock(void) {
  while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) tmon_clock_sleep_us(10);
}

static void unlock(void) { atomic_flag_clear_explicit(&busy, memory_order_release); }

/* In a forked child there is no such thread. Its memory goes with the last of the feeds, which the child still frees. */
static void forget(void) {
  if (current != NULL) current->holders--; /* the thread */
  current = NULL;
  atomic_flag_clear(&busy);
}

bool tmon_hardware_is_key(const char *key) { return strncmp(key, TMON_HARDWARE_PREFIX, sizeof TMON_HARDWARE_PREFIX - 1) == 0; }

bool tmon_hardware_is_metric(const tmon_ring *ring, uint32_t metric) {
  char key[256];
  return tmon_ring_key(key, ring, metric) == TMON_OK && tmon_hardware_is_key(key);
}

static void name_of(char *out, size_t size, uint32_t rank, const char *name) {
  if (rank == 0) (void)snprintf(out, size, TMON_HARDWARE_PREFIX "%s", name);
  else (void)snprintf(out, size, TMON_HARDWARE_PREFIX "rank%u/%s", rank, name);
}

int64_t tmon_hardware_last_step(tmon_store *store, const char *id, uint32_t rank) {
  char key[64];
  tmon_point point;
  size_t count = 1;
  name_of(key, sizeof key, rank, "memory_percent");
  return tmon_series_tail(&point, &count, store, id, key) == TMON_OK && count == 1 && point.step > 0 ? point.step : 0;
}

/* Adds a figure to the batch; the first one of a sensor makes its metric. */
static void add(tmon_hardware_feed *feed, size_t index, const char *name, double value, tmon_metric *metrics, double *values, size_t *count) {
  char key[96];
  if (isnan(value) || feed->metrics[index] == NEVER) return;
  if (feed->metrics[index] == 0) {
    name_of(key, sizeof key, feed->rank, name);
    if (tmon_session_metric(&feed->metrics[index], feed->session, key, NULL) != TMON_OK) feed->metrics[index] = NEVER;
    if (feed->metrics[index] == NEVER) return;
  }
  metrics[*count] = feed->metrics[index];
  values[(*count)++] = value;
}

static double figure_of(const void *from, const figure *which) {
  double value;
  memcpy(&value, (const char *)from + which->offset, sizeof value);
  return value / which->unit;
}

/* With the lock held: the session lives as long as its feed has not ended. */
static void log_sample(tmon_hardware_feed *feed, const tmon_hardware *now) {
  tmon_metric metrics[FIGURES];
  double values[FIGURES];
  char name[48];
  size_t count = 0;
  if (tmon_ring_fill(tmon_session_ring(feed->session)) > FILL_MAXIMUM) return;
  for (size_t i = 0; i < MACHINE; i++) add(feed, i, machine[i].name, figure_of(now, &machine[i]), metrics, values, &count);
  for (uint32_t g = 0; g < now->gpu_count && g < TMON_HARDWARE_GPUS; g++) {
    for (size_t i = 0; i < GPU; i++) {
      (void)snprintf(name, sizeof name, "gpu%u/%s", g, gpu[i].name);
      add(feed, MACHINE + g * GPU + i, name, figure_of(&now->gpus[g], &gpu[i]), metrics, values, &count);
    }
  }
  (void)tmon_log_batch(feed->session, ++feed->step, metrics, values, count);
}

/* The first feed that is due at `time`; the others wait for the next turn of the loop. */
static tmon_hardware_feed *find_due(const sampler *of, int64_t time) {
  tmon_hardware_feed *feed = of->feeds;
  while (feed != NULL && (feed->session == NULL || feed->due > time)) feed = feed->next;
  return feed;
}

static tmon_hardware_feed *find_number(const sampler *of, int64_t number) {
  tmon_hardware_feed *feed = of->feeds;
  while (feed != NULL && feed->number != number) feed = feed->next;
  return feed;
}

/* Gives the next time at which a feed is due. */
static int64_t serve(sampler *of, tmon_hardware *now, const tmon_hardware_counters *counters) {
  char folder[PATH_BYTES];
  int64_t next = counters->time_us + 3600000000;
  tmon_hardware_feed *feed;
  lock();
  while (!of->stopping && (feed = find_due(of, counters->time_us)) != NULL) {
    int64_t number = feed->number;
    /* A late sample is not made up for. */
    feed->due += feed->period_us;
    if (feed->due <= counters->time_us) feed->due = counters->time_us + feed->period_us;
    if (feed->before.time_us == 0) {
      feed->before = *counters;
      continue;
    }
    memcpy(folder, feed->folder, sizeof folder);
    unlock();
    now->disk_total_bytes = now->disk_free_bytes = now->disk_percent = (double)NAN;
    tmon_hardware_read_folder(now, folder);
    lock();
    feed = find_number(of, number);
    if (feed == NULL) continue;
    tmon_hardware_rate(now, &feed->before, counters);
    feed->before = *counters;
    log_sample(feed, now);
  }
  for (feed = of->feeds; feed != NULL; feed = feed->next)
    if (feed->session != NULL && feed->due < next) next = feed->due;
  unlock();
  return next;
}

/* With the lock held. True: nobody has it any more, the caller frees it without the lock. */
static bool drop(sampler *of) { return --of->holders == 0; }

static void dispose(sampler *of) {
  tmon_wake_close(&of->wake);
  tmon_free(of);
}

static void run(void *argument) {
  sampler *self = argument;
  tmon_hardware now = {.size = sizeof now};
  tmon_hardware_counters counters;
  for (;;) {
    lock();
    bool stopping = self->stopping;
    unlock();
    if (stopping) break;
    tmon_hardware_read(&now, &counters);
    int64_t next = serve(self, &now, &counters);
    int64_t left = next - tmon_clock_monotonic_us();
    if (left > 0) tmon_wake_wait(&self->wake, left);
  }
  lock();
  bool last = drop(self);
  unlock();
  if (last) dispose(self);
}

/* With the lock held, so that two first sessions start one thread. */
static int start(sampler **out) {
  sampler *made = tmon_alloc_zero(1, sizeof *made);
  if (made == NULL) return tmon_error_no_memory();
  int result = tmon_wake_open(&made->wake);
  if (result != TMON_OK) {
    tmon_free(made);
    return result;
  }
  made->holders = 1;
  result = tmon_thread_start(&made->thread, "trainmon-sensor", run, made);
  if (result != TMON_OK) dispose(made);
  else *out = made;
  return result;
}

int tmon_hardware_feed_make(tmon_hardware_feed **out, uint32_t period_ms, uint32_t rank, const char *folder) {
  *out = NULL;
  if (!atomic_exchange(&registered, true)) {
    int result = tmon_fork_register(forget);
    if (result != TMON_OK) {
      atomic_store(&registered, false);
      return result;
    }
  }
  tmon_hardware_feed *feed = tmon_alloc_zero(1, sizeof *feed);
  if (feed == NULL) return tmon_error_no_memory();
  feed->pid = tmon_process_id();
  feed->period_us = (int64_t)period_ms * 1000;
  feed->rank = rank;
  (void)tmon_text_copy(feed->folder, sizeof feed->folder, folder);
  int result = TMON_OK;
  lock();
  if (current == NULL) result = start(&current);
  if (result == TMON_OK) {
    feed->number = ++numbers;
    feed->sampler = current;
    current->holders++;
    feed->next = current->feeds;
    current->feeds = feed;
  }
  unlock();
  if (result == TMON_OK) *out = feed;
  else tmon_free(feed);
  return result;
}

void tmon_hardware_feed_begin(tmon_hardware_feed *feed, tmon_session *session, int64_t step) {
  lock();
  feed->session = session;
  feed->step = step;
  feed->due = 0;
  unlock();
  tmon_wake_signal(&feed->sampler->wake);
}

void tmon_hardware_feed_end(tmon_hardware_feed *feed) {
  if (feed == NULL || feed->ended || feed->pid != tmon_process_id()) return;
  sampler *of = feed->sampler;
  lock();
  feed->ended = true;
  for (tmon_hardware_feed **at = &of->feeds; *at != NULL; at = &(*at)->next) {
    if (*at == feed) {
      *at = feed->next;
      break;
    }
  }
  bool last = of->feeds == NULL;
  if (last) {
    of->stopping = true;
    current = NULL;
  }
  unlock();
  if (!last) return;
  tmon_wake_signal(&of->wake);
  if (!tmon_thread_join(of->thread, STOP_US)) tmon_thread_leave(of->thread);
  of->thread = NULL; /* gone, or its own: a child that is forked from here on has nothing to free */
}

void tmon_hardware_feed_free(tmon_hardware_feed *feed) {
  if (feed == NULL) return;
  sampler *of = feed->sampler;
  tmon_hardware_feed_end(feed);
  lock();
  bool last = drop(of);
  unlock();
  if (last) {
    if (feed->pid != tmon_process_id()) tmon_thread_forget(of->thread);
    dispose(of);
  }
  tmon_free(feed);
}
