/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The words of a ring's header: control, progress, waiting, final status, error text, store, heartbeat, dropped. */
#include "series/ring_private.h"

#include "util/text.h"

#include <string.h>

/* A store into a mapping without write access would kill the process. */
static bool can_write(const tmon_ring *ring) { return ring != NULL && ring->writable; }

tmon_control tmon_ring_control(const tmon_ring *ring) {
  if (ring == NULL) return TMON_CONTROL_RUN;
  uint32_t control = atomic_load_explicit(&ring->header->control, memory_order_relaxed);
  return control <= TMON_CONTROL_STOP ? (tmon_control)control : TMON_CONTROL_RUN;
}

void tmon_ring_set_control(tmon_ring *ring, tmon_control control) {
  if (can_write(ring)) atomic_store_explicit(&ring->header->control, (uint32_t)control, memory_order_relaxed);
}

void tmon_ring_set_waiting(tmon_ring *ring, bool waiting) {
  if (can_write(ring)) atomic_store_explicit(&ring->header->waiting, waiting, memory_order_relaxed);
}

bool tmon_ring_waiting(const tmon_ring *ring) { return ring != NULL && atomic_load_explicit(&ring->header->waiting, memory_order_relaxed) != 0; }

void tmon_ring_beat(tmon_ring *ring, int64_t time) {
  if (can_write(ring)) atomic_store_explicit(&ring->header->heartbeat, (uint64_t)time, memory_order_relaxed);
}

int64_t tmon_ring_heartbeat(const tmon_ring *ring) {
  return ring == NULL ? 0 : (int64_t)atomic_load_explicit(&ring->header->heartbeat, memory_order_relaxed);
}

uint64_t tmon_ring_dropped(const tmon_ring *ring) { return ring == NULL ? 0 : atomic_load_explicit(&ring->header->dropped, memory_order_relaxed); }

void tmon_ring_add_dropped(tmon_ring *ring, uint64_t count) {
  if (can_write(ring)) atomic_fetch_add_explicit(&ring->header->dropped, count, memory_order_relaxed);
}

void tmon_ring_set_store(tmon_ring *ring, const uint64_t store[2]) {
  if (!can_write(ring)) return;
  for (int i = 0; i < 2; i++) atomic_store_explicit(&ring->header->store[i], store[i], memory_order_relaxed);
}

bool tmon_ring_is_of_store(const tmon_ring *ring, const uint64_t store[2]) {
  if (ring == NULL || (store[0] == 0 && store[1] == 0)) return false;
  return atomic_load_explicit(&ring->header->store[0], memory_order_relaxed) == store[0] &&
      atomic_load_explicit(&ring->header->store[1], memory_order_relaxed) == store[1];
}

/* Two copies, as of progress: the one that is not being written is whole. Nobody reads them while the writer lives, so the bytes are plain. */
void tmon_ring_set_error(tmon_ring *ring, const char *text) {
  if (!can_write(ring)) return;
  tmon_ring_header *header = ring->header;
  tmon_mutex_lock(ring->mutex);
  uint32_t sequence = atomic_load_explicit(&header->error_sequence, memory_order_relaxed) + 1;
  if (sequence == 0) sequence = 2; /* 0 would say "none yet" */
  (void)tmon_text_copy(header->error[sequence & 1], TMON_RING_ERROR_BYTES, text == NULL ? "" : text);
  /* Release: a kill after this store finds the new text, one before it the old one. */
  atomic_store_explicit(&header->error_sequence, sequence, memory_order_release);
  tmon_mutex_unlock(ring->mutex);
}

bool tmon_ring_error(char out[TMON_RING_ERROR_BYTES], const tmon_ring *ring) {
  out[0] = '\0';
  if (ring == NULL) return false;
  uint32_t sequence = atomic_load_explicit(&ring->header->error_sequence, memory_order_acquire);
  if (sequence == 0) return false;
  memcpy(out, ring->header->error[sequence & 1], TMON_RING_ERROR_BYTES);
  out[TMON_RING_ERROR_BYTES - 1] = '\0';
  if (!tmon_text_is_utf8(out, strlen(out))) out[0] = '\0';
  return out[0] != '\0';
}

void tmon_ring_set_final(tmon_ring *ring, tmon_status status, int64_t time) {
  if (!can_write(ring)) return;
  atomic_store_explicit(&ring->header->final_time, (uint64_t)time, memory_order_relaxed);
  /* Release, with the acquire in tmon_ring_final: who sees the status sees its time. */
  atomic_store_explicit(&ring->header->final_status, (uint32_t)status, memory_order_release);
}

bool tmon_ring_final(const tmon_ring *ring, tmon_status *status, int64_t *time) {
  if (ring == NULL) return false;
  uint32_t ended = atomic_load_explicit(&ring->header->final_status, memory_order_acquire);
  if (ended < TMON_STATUS_COMPLETED || ended > TMON_STATUS_INTERRUPTED) return false;
  if (status != NULL) *status = (tmon_status)ended;
  if (time != NULL) *time = (int64_t)atomic_load_explicit(&ring->header->final_time, memory_order_relaxed);
  return true;
}

/* Two copies, written in turn: a process killed in the middle leaves the whole one before it readable, which a plain seqlock would not. */
void tmon_ring_set_progress(tmon_ring *ring, const tmon_progress *progress) {
  if (!can_write(ring) || progress == NULL) return;
  uint64_t words[TMON_RING_REPORT_WORDS] = {
      (uint64_t)progress->epoch, (uint64_t)progress->epochs, (uint64_t)progress->batch, (uint64_t)progress->batches, (uint64_t)progress->images, 0};
  memcpy(&words[5], &progress->fraction, sizeof words[5]);
  tmon_ring_header *header = ring->header;
  tmon_mutex_lock(ring->mutex);
  uint64_t sequence = atomic_load_explicit(&header->report_sequence, memory_order_relaxed) + 1;
  /* With the reader's acquire fence: who saw a word of this report also sees that the sequence had moved on to the one before it. */
  atomic_thread_fence(memory_order_release);
  for (int i = 0; i < TMON_RING_REPORT_WORDS; i++) atomic_store_explicit(&header->report[sequence & 1][i], words[i], memory_order_relaxed);
  atomic_store_explicit(&header->report_sequence, sequence, memory_order_release); /* with the acquire in tmon_ring_progress */
  tmon_mutex_unlock(ring->mutex);
}

bool tmon_ring_progress(tmon_progress *out, const tmon_ring *ring) {
  if (ring == NULL || out == NULL) return false;
  const tmon_ring_header *header = ring->header;
  for (int attempt = 0; attempt < 1000; attempt++) {
    uint64_t words[TMON_RING_REPORT_WORDS];
    uint64_t sequence = atomic_load_explicit(&header->report_sequence, memory_order_acquire);
    if (sequence == 0) return false;
    for (int i = 0; i < TMON_RING_REPORT_WORDS; i++) words[i] = atomic_load_explicit(&header->report[sequence & 1][i], memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&header->report_sequence, memory_order_relaxed) != sequence) continue;
    memset(out, 0, sizeof *out);
    out->size = (uint32_t)sizeof *out;
    out->epoch = (int64_t)words[0];
    out->epochs = (int64_t)words[1];
    out->batch = (int64_t)words[2];
    out->batches = (int64_t)words[3];
    out->images = (int64_t)words[4];
    memcpy(&out->fraction, &words[5], sizeof out->fraction);
    return true;
  }
  return false;
}
