/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * The queue between the training thread and the drainer. The training thread copies a picture and moves a pointer under a mutex that nobody holds over a
 * wait; memory that goes is freed outside of it. A batch that the disk refused stays taken and counts in the bounds, so that the next tick tries it again.
 */
#include "track/image.h"
#include "track/session.h"

#include <string.h>

#define TICK_US 100000    /* at most so often, and TMON_QUEUE_BATCH pictures each time: points come first */
#define FAILED_US 1000000 /* after a failure */

int tmon_image_queue_init(tmon_image_queue *queue, uint32_t kept) {
  queue->kept = kept == 0 ? TMON_PICTURES_KEPT : kept;
  queue->told = kept == 0;
  int result = tmon_mutex_make(&queue->mutex);
  return result == TMON_OK ? tmon_mutex_make(&queue->draining) : result;
}

void tmon_image_queue_free(tmon_image_queue *queue, bool ours) {
  if (!ours) return; /* in a forked child: another thread may have been in the middle of a change when the fork came */
  for (size_t i = 0; i < queue->count; i++) tmon_free(queue->waiting[i]);
  for (size_t i = 0; i < queue->batched; i++) tmon_free(queue->batch[i]);
  queue->count = queue->batched = 0;
  tmon_mutex_free(queue->mutex);
  tmon_mutex_free(queue->draining);
}

/* Takes the oldest of this name off the queue, else the oldest. There is one. */
static tmon_picture *evict(tmon_image_queue *queue, const char *name) {
  size_t at = 0;
  while (at < queue->count && strcmp(queue->waiting[at]->image.name, name) != 0) at++;
  if (at == queue->count) at = 0;
  tmon_picture *gone = queue->waiting[at];
  queue->count--;
  memmove(&queue->waiting[at], &queue->waiting[at + 1], (queue->count - at) * sizeof *queue->waiting);
  queue->bytes -= gone->total;
  queue->dropped++;
  return gone;
}

bool tmon_image_queue_add(tmon_image_queue *queue, tmon_picture *picture) {
  tmon_picture *gone[TMON_QUEUE_PICTURES + 1];
  size_t count = 0;
  tmon_mutex_lock(queue->mutex);
  bool empty = queue->count == 0 && queue->batched == 0;
  while (queue->count > 0 && (queue->count + queue->batched >= TMON_QUEUE_PICTURES || queue->bytes + picture->total > TMON_QUEUE_BYTES)) {
    gone[count++] = evict(queue, picture->image.name);
  }
  if (queue->bytes + picture->total > TMON_QUEUE_BYTES) { /* all the room is with the disk */
    gone[count++] = picture;
    queue->dropped++;
  } else {
    queue->waiting[queue->count++] = picture;
    queue->bytes += picture->total;
  }
  tmon_mutex_unlock(queue->mutex);
  for (size_t i = 0; i < count; i++) tmon_free(gone[i]);
  return empty;
}

/* Fills the batch; gives what is not told of the drops. */
static uint64_t take(tmon_image_queue *queue) {
  tmon_mutex_lock(queue->mutex);
  size_t count = 0;
  while (queue->batched < TMON_QUEUE_BATCH && count < queue->count) queue->batch[queue->batched++] = queue->waiting[count++];
  queue->count -= count;
  memmove(queue->waiting, &queue->waiting[count], queue->count * sizeof *queue->waiting);
  uint64_t dropped = queue->dropped;
  tmon_mutex_unlock(queue->mutex);
  return dropped;
}

static void written(tmon_image_queue *queue, uint64_t dropped) {
  tmon_picture *done[TMON_QUEUE_BATCH];
  tmon_mutex_lock(queue->mutex);
  size_t count = queue->batched;
  for (size_t i = 0; i < count; i++) {
    done[i] = queue->batch[i];
    queue->bytes -= done[i]->total;
  }
  queue->batched = 0;
  queue->dropped -= dropped;
  tmon_mutex_unlock(queue->mutex);
  for (size_t i = 0; i < count; i++) tmon_free(done[i]);
}

/* With `draining` held. TMON_DONE: nothing was there. */
static int write_batch(tmon_session *session, int64_t timeout_us) {
  tmon_image_queue *queue = &session->images;
  uint64_t dropped = take(queue);
  if (queue->batched == 0 && dropped == 0) return TMON_DONE;
  tmon_pictures pictures = {session->key, queue->batch, queue->batched, queue->kept, !queue->told, dropped, NULL};
  int result = tmon_pictures_write(session->store, &pictures, timeout_us);
  if (result == TMON_OK) {
    queue->told = true;
    written(queue, dropped);
  }
  return result;
}

void tmon_session_tick_images(tmon_session *session) {
  tmon_image_queue *queue = &session->images;
  int64_t now = tmon_clock_monotonic_us();
  tmon_mutex_lock(queue->draining);
  if (now >= queue->not_before) {
    int result = write_batch(session, -1);
    if (result != TMON_DONE) queue->not_before = tmon_clock_monotonic_us() + (result == TMON_OK ? TICK_US : FAILED_US);
  }
  tmon_mutex_unlock(queue->draining);
}

int tmon_session_drain_images(tmon_session *session, int64_t deadline_us) {
  int result = TMON_OK;
  tmon_mutex_lock(session->images.draining);
  /* What was there at the call, not what comes meanwhile. */
  for (size_t rounds = TMON_QUEUE_PICTURES / TMON_QUEUE_BATCH + 1; result == TMON_OK && rounds > 0; rounds--) {
    int64_t left = deadline_us == 0 ? -1 : deadline_us - tmon_clock_monotonic_us();
    if (deadline_us != 0 && left <= 0) result = tmon_error_set(TMON_EBUSY, "the time to write the pictures of session %s is over", session->id);
    else result = write_batch(session, left);
  }
  tmon_mutex_unlock(session->images.draining);
  return result == TMON_DONE ? TMON_OK : result;
}

int tmon_session_log_image(tmon_session *session, const tmon_image *image) {
  tmon_picture *picture = NULL;
  int result = tmon_session_check(session);
  if (result == TMON_OK) result = tmon_picture_make(&picture, image);
  if (result != TMON_OK) return result;
  /* A first picture after a pause goes at once; those of a stream wait for the tick. */
  if (tmon_image_queue_add(&session->images, picture)) tmon_wake_signal(&session->wake);
  (void)tmon_drainer_start(session);
  return TMON_OK;
}
