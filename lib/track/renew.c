/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * A ring file that was removed below its living writer (logout, a container's clean-up) is made again in the store's folder. Log calls hold the mapped
 * ring without any lock, so it can't be exchanged below them: another ring takes its place in the session, with a writer row of its own, and
 * the old one stays mapped until the session is freed. Points that late calls leave there are written into the present ring. docs/design/ring.md.
 */
#include "track/session.h"

#include "util/file.h"

#include <string.h>

#define LOOK_US 1000000
#define OLD_RINGS_MAXIMUM 16 /* each keeps its memory; who removes files more often than that means it */
#define SLOTS_AT_ONCE 128

/* false also when the file can't be examined for another reason: only what is surely gone is made again. */
static bool is_removed(const tmon_session *session) {
  tmon_ring_identity identity;
  uint64_t device = 0;
  uint64_t inode = 0;
  tmon_ring_get_identity(&identity, tmon_session_ring(session));
  int result = tmon_file_identity(session->ring_path, &device, &inode);
  return result == TMON_ENOTFOUND || (result == TMON_OK && (device != identity.device || inode != identity.inode));
}

static int make_ring(tmon_ring **out, char **path, tmon_session *session, char ring_id[TMON_ID_BYTES]) {
  const char *store = tmon_db_folder(session->store->db);
  const char *folders[] = {session->store->ring_folder, store};
  /* Files on a network file system are never mapped: there the ring goes back to where it was. */
  bool mapped = !tmon_folder_is_network(store);
  if (mapped) {
    folders[0] = store;
    folders[1] = session->store->ring_folder;
  }
  return tmon_session_make_ring(out, path, session, folders, mapped ? 2 : 1, ring_id);
}

/* The new writer and the end of the old one in one transaction: at no time two open writers, or none. */
static int write_rows(tmon_session *session, const tmon_ring *ring, const char *path, const char *ring_id, int64_t *writer) {
  tmon_ring_identity identity;
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  tmon_ring_get_identity(&identity, ring);
  int result = tmon_tx_begin(&tx, session->store->db, true, -1);
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx,
        "INSERT INTO writers (session, attempt, rank, ring_id, ring_path, device, inode, boot_id, host, pid, start_ticks, heartbeat_at)"
        " SELECT session, attempt, rank, ?, ?, ?, ?, boot_id, host, pid, start_ticks, ? FROM writers WHERE id = ?");
  }
  if (result == TMON_OK) {
    tmon_bind_text(row, 1, ring_id);
    tmon_bind_text(row, 2, path);
    tmon_bind_int(row, 3, (int64_t)identity.device);
    tmon_bind_int(row, 4, (int64_t)identity.inode);
    tmon_bind_int(row, 5, tmon_clock_now_us());
    tmon_bind_int(row, 6, session->writer);
    result = tmon_row_run(row);
  }
  if (result == TMON_OK) {
    *writer = tmon_tx_last_rowid(tx);
    result = tmon_writer_close(tx, session->writer);
  }
  /* Somebody may have taken the writer for dead meanwhile. It lives. */
  if (result == TMON_OK) {
    result = tmon_tx_prepare(&row, tx, "UPDATE training_sessions SET status = 'running', completed_at = NULL WHERE key = ? AND status = 'interrupted'");
  }
  if (result == TMON_OK) {
    tmon_bind_int(row, 1, session->key);
    result = tmon_row_run(row);
  }
  if (result != TMON_OK) {
    tmon_tx_abort(tx);
    return result;
  }
  return tmon_tx_commit(tx);
}

/* With `words` held: from here to the exchange no name is added and no word is written. */
static int copy_words(tmon_ring *to, const tmon_ring *from, const tmon_session *session) {
  tmon_progress progress;
  tmon_status status = TMON_STATUS_RUNNING;
  int64_t time = 0;
  uint32_t count = tmon_ring_metrics(from);
  for (uint32_t id = 1; id <= count; id++) {
    char key[256];
    uint32_t copy = 0;
    int result = tmon_ring_key(key, from, id);
    if (result == TMON_OK) result = tmon_ring_metric(to, key, &copy);
    if (result != TMON_OK) return result;
    if (copy != id) return tmon_error_set(TMON_ECORRUPT, "metric %u of the old ring would be %u of the new one", id, copy);
  }
  if (tmon_ring_progress(&progress, from)) tmon_ring_set_progress(to, &progress);
  tmon_ring_set_waiting(to, tmon_ring_waiting(from));
  if (session->error_text != NULL) tmon_ring_set_error(to, session->error_text);
  if (tmon_ring_final(from, &status, &time)) tmon_ring_set_final(to, status, time);
  return TMON_OK;
}

/* Takes over what the old ring held when its tails were noted, and the losses it counted. false: there was no room for all of it. */
static bool take_rest(tmon_ring *ring, tmon_old_ring *old) {
  tmon_slot slots[SLOTS_AT_ONCE];
  for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) {
    uint64_t tail = old->tails[lane];
    while (old->positions[lane] < tail) {
      bool lapped = false;
      /* This thread is the one that drains: it must never wait for room. */
      size_t room = tmon_ring_first_room(ring);
      if (room == 0) return false;
      if (room > tail - old->positions[lane]) room = (size_t)(tail - old->positions[lane]);
      size_t count = tmon_ring_read(old->ring, lane, &old->positions[lane], slots, room < SLOTS_AT_ONCE ? room : SLOTS_AT_ONCE, &lapped);
      if (lapped) { /* nobody else gives slots of this ring back, so this can't be; a loss it would be all the same */
        tmon_ring_add_dropped(ring, tail - old->positions[lane]);
        old->positions[lane] = tail;
      }
      for (size_t i = 0; i < count; i++) tmon_ring_write_first(ring, &slots[i]);
      tmon_ring_release(old->ring, lane, old->positions[lane]);
    }
  }
  uint64_t dropped = tmon_ring_dropped(old->ring);
  tmon_ring_add_dropped(ring, dropped - old->dropped);
  old->dropped = dropped;
  return true;
}

/* What a thread wrote into a ring came before what it wrote into a newer one. So the tails are noted from the newest ring on, and taken from the oldest on: what
 * belongs before a point that is taken is taken before it. Once: calls that still write would keep this thread here. */
static bool take_all(const tmon_session *session, tmon_ring *ring) {
  tmon_old_ring *rings[OLD_RINGS_MAXIMUM];
  size_t count = 0;
  for (tmon_old_ring *old = session->old; old != NULL && count < OLD_RINGS_MAXIMUM; old = old->next) {
    for (unsigned lane = 0; lane < TMON_RING_LANES; lane++) old->tails[lane] = tmon_ring_tail(old->ring, lane);
    rings[count++] = old;
  }
  while (count > 0) {
    if (!take_rest(ring, rings[--count])) return false;
  }
  return true;
}

static bool take_old_rings(void *payload) { return tmon_old_rings_take(payload); }

/* The new ring is in the store; from the exchange on log calls go there. What the old rings hold is taken before it: then nothing else is in the new one, so
 * that there is room for all of it. */
static void exchange(tmon_session *session, tmon_old_ring *old, tmon_ring *ring, char *path, int64_t writer) {
  memcpy(old->positions, session->drain.positions, sizeof old->positions);
  old->dropped = (uint64_t)session->drain.dropped;
  old->ring = tmon_session_ring(session);
  old->next = session->old;
  session->old = old;
  /* Before the new ring takes over the losses that the old writer's row has not. */
  atomic_fetch_add_explicit(&session->dropped, old->dropped, memory_order_relaxed);
  tmon_ring_keep_first(ring);
  (void)take_all(session, ring);
  atomic_store_explicit(&session->ring, ring, memory_order_release);
  tmon_drain_free(&session->drain);
  tmon_drain_init(&session->drain, session->store->db, ring, writer, session->key, session->id);
  session->drain.take = take_old_rings;
  session->drain.payload = session;
  tmon_free(session->ring_path);
  session->ring_path = path;
  session->writer = writer;
}

static int renew(tmon_session *session) {
  char ring_id[TMON_ID_BYTES];
  tmon_ring *ring = NULL;
  char *path = NULL;
  int64_t writer = 0;
  tmon_old_ring *old = tmon_alloc_zero(1, sizeof *old);
  if (old == NULL) return tmon_error_no_memory();
  int result = make_ring(&ring, &path, session, ring_id);
  if (result != TMON_OK) goto out;
  tmon_ring_set_control(ring, tmon_ring_control(tmon_session_ring(session)));
  tmon_ring_beat(ring, tmon_clock_now_us());
  /* Committed and folded first, so that the closed writer leaves nothing that another process would fold. */
  result = tmon_drain_run(&session->drain, -1, 0);
  if (result == TMON_OK) result = tmon_fold_run(&session->drain, -1, 1);
  if (result != TMON_OK) goto out;
  tmon_mutex_lock(session->words);
  result = copy_words(ring, tmon_session_ring(session), session);
  tmon_mutex_unlock(session->words);
  if (result == TMON_OK) result = write_rows(session, ring, path, ring_id, &writer);
  if (result != TMON_OK) goto out;
  tmon_mutex_lock(session->words);
  result = copy_words(ring, tmon_session_ring(session), session); /* what was added meanwhile */
  if (result == TMON_OK) exchange(session, old, ring, path, writer);
  tmon_mutex_unlock(session->words);
  if (result == TMON_OK) return TMON_OK;
out:
  tmon_ring_close(ring);
  if (path != NULL) (void)tmon_file_remove(path);
  tmon_free(path);
  tmon_free(old);
  return result;
}

void tmon_ring_renew(tmon_session *session) {
  int64_t now = tmon_clock_monotonic_us();
  size_t count = 0;
  for (tmon_old_ring *old = session->old; old != NULL; old = old->next) count++;
  if (now - session->looked >= LOOK_US && count < OLD_RINGS_MAXIMUM) {
    session->looked = now;
    /* An error leaves all as it was; the next look tries again. */
    if (is_removed(session)) (void)renew(session);
  }
  (void)tmon_old_rings_take(session); /* what finds no room waits for the drain */
}

bool tmon_old_rings_take(tmon_session *session) { return take_all(session, tmon_session_ring(session)); }

void tmon_old_rings_free(tmon_session *session) {
  while (session->old != NULL) {
    tmon_old_ring *old = session->old;
    session->old = old->next;
    tmon_ring_close(old->ring);
    tmon_free(old);
  }
}
