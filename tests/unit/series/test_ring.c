/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Ring files: creation, identity, words, names, liveness, forks, and files that lie. */
#include "series/ring_format.h"
#include "trainmon/error.h"
#include "util/file.h"
#include "unit/suite.h"

#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES (256u * 1024u)
static const uint8_t ring_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
static const uint8_t session_id[16] = {16, 15, 14};
static char folder[64];
static char path[96];

static void set_up(void) {
  snprintf(folder, sizeof folder, "/tmp/trainmon-ring-XXXXXX");
  ck_assert_ptr_nonnull(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/a.ring", folder);
}

static void tear_down(void) {
  unlink(path);
  rmdir(folder);
}

static tmon_ring *make(void) {
  tmon_ring *ring = NULL;
  ck_assert_int_eq(tmon_ring_create(&ring, path, ring_id, session_id, BYTES, NULL), TMON_OK);
  return ring;
}

START_TEST(create_and_open_agree) {
  tmon_ring *ring = make();
  struct stat status;
  ck_assert_int_eq(stat(path, &status), 0);
  ck_assert_int_eq(status.st_size, BYTES);
  ck_assert_int_eq(status.st_mode & 0777, 0600);
  tmon_ring *reader = NULL;
  ck_assert_int_eq(tmon_ring_open(&reader, path, false), TMON_OK);
  tmon_ring_identity identity;
  tmon_ring_get_identity(&identity, reader);
  ck_assert_mem_eq(identity.ring, ring_id, 16);
  ck_assert_mem_eq(identity.session, session_id, 16);
  ck_assert_int_eq(identity.process.pid, getpid());
  ck_assert_uint_eq(identity.inode, status.st_ino);
  ck_assert_uint_eq(identity.device, status.st_dev);
  ck_assert_uint_eq(strlen(identity.process.boot_id), 36);
  tmon_ring *second = NULL;
  ck_assert_int_eq(tmon_ring_create(&second, path, ring_id, session_id, BYTES, NULL), TMON_EEXISTS);
  ck_assert_ptr_null(second);
  tmon_ring_close(reader);
  tmon_ring_close(ring);
  ck_assert(tmon_file_exists(path));
  tmon_ring_close(NULL);
}
END_TEST

START_TEST(bad_arguments) {
  tmon_ring *ring = NULL;
  ck_assert_int_eq(tmon_ring_create(&ring, path, ring_id, session_id, BYTES - 1, NULL), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_create(&ring, path, ring_id, session_id, (size_t)2 << 30, NULL), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_create(&ring, NULL, ring_id, session_id, BYTES, NULL), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_create(&ring, path, ring_id, session_id, BYTES + 1, NULL), TMON_OK);
  uint32_t id = 0;
  ck_assert_int_eq(tmon_ring_write(ring, TMON_SLOT_POINT, 1, 0, 0, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_metric(ring, "loss", &id), TMON_OK);
  ck_assert_int_eq(tmon_ring_write(ring, TMON_SLOT_POINT, 0, 0, 0, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_write(ring, TMON_SLOT_POINT, 2, 0, 0, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_write(ring, (tmon_slot_kind)2, 1, 0, 0, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_write(NULL, TMON_SLOT_POINT, 1, 0, 0, 0), TMON_EINVAL);
  tmon_ring *opened = NULL;
  ck_assert_int_eq(tmon_ring_open(&opened, path, true), TMON_OK);
  ck_assert_int_eq(tmon_ring_write(opened, TMON_SLOT_POINT, 1, 0, 0, 0), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_metric(opened, "x", &id), TMON_EINVAL);
  tmon_ring_close(opened);
  tmon_ring_close(ring);
}
END_TEST

START_TEST(words_travel) {
  tmon_ring *ring = make();
  tmon_ring *other = NULL;
  ck_assert_int_eq(tmon_ring_open(&other, path, true), TMON_OK);
  tmon_progress progress = {0};
  tmon_status status = TMON_STATUS_PENDING;
  int64_t time = 0;
  ck_assert(!tmon_ring_progress(&progress, other));
  ck_assert(!tmon_ring_final(other, &status, &time));
  ck_assert(!tmon_ring_waiting(other));
  ck_assert_int_eq(tmon_ring_control(ring), TMON_CONTROL_RUN);
  tmon_ring_set_control(other, TMON_CONTROL_PAUSE);
  ck_assert_int_eq(tmon_ring_control(ring), TMON_CONTROL_PAUSE);
  tmon_ring_set_waiting(ring, true);
  ck_assert(tmon_ring_waiting(other));
  tmon_ring_beat(ring, 1234567);
  ck_assert_int_eq(tmon_ring_heartbeat(other), 1234567);
  for (int64_t i = 1; i < 4; i++) {
    tmon_progress said = {.epoch = i, .epochs = 10, .batch = i * 2, .batches = 50, .images = -i, .fraction = 0.25};
    tmon_ring_set_progress(ring, &said);
    ck_assert(tmon_ring_progress(&progress, other));
    ck_assert_int_eq(progress.epoch, i);
    ck_assert_int_eq(progress.epochs, 10);
    ck_assert_int_eq(progress.batch, i * 2);
    ck_assert_int_eq(progress.batches, 50);
    ck_assert_int_eq(progress.images, -i);
    ck_assert_double_eq(progress.fraction, 0.25);
  }
  tmon_ring_set_final(ring, TMON_STATUS_FAILED, 99);
  ck_assert(tmon_ring_final(other, &status, &time));
  ck_assert_int_eq(status, TMON_STATUS_FAILED);
  ck_assert_int_eq(time, 99);
  tmon_ring_close(other);
  ck_assert_int_eq(tmon_ring_open(&other, path, false), TMON_OK);
  tmon_ring_set_control(other, TMON_CONTROL_STOP); /* not writable: ignored */
  ck_assert_int_eq(tmon_ring_control(ring), TMON_CONTROL_PAUSE);
  tmon_ring_close(other);
  tmon_ring_close(ring);
}
END_TEST

START_TEST(names_have_stable_numbers) {
  tmon_ring *ring = make();
  tmon_ring *reader = NULL;
  ck_assert_int_eq(tmon_ring_open(&reader, path, false), TMON_OK);
  char key[256];
  for (uint32_t i = 1; i <= 500; i++) {
    uint32_t id = 0;
    snprintf(key, sizeof key, "layer/%u/loss", i);
    ck_assert_int_eq(tmon_ring_metric(ring, key, &id), TMON_OK);
    ck_assert_uint_eq(id, i);
  }
  ck_assert_uint_eq(tmon_ring_metrics(reader), 500);
  for (uint32_t i = 1; i <= 500; i++) {
    uint32_t id = 0;
    char found[256];
    snprintf(key, sizeof key, "layer/%u/loss", i);
    ck_assert_int_eq(tmon_ring_key(found, reader, i), TMON_OK);
    ck_assert_str_eq(found, key);
    ck_assert_int_eq(tmon_ring_metric(ring, key, &id), TMON_OK);
    ck_assert_uint_eq(id, i);
  }
  uint32_t id = 7;
  ck_assert_int_eq(tmon_ring_metric(ring, "", &id), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_metric(ring, "a\nb", &id), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_metric(ring, "\xff", &id), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_metric(ring, NULL, &id), TMON_EINVAL);
  ck_assert_int_eq(tmon_ring_key(key, reader, 501), TMON_ECORRUPT);
  ck_assert_int_eq(tmon_ring_key(key, reader, 0), TMON_ECORRUPT);
  tmon_ring_close(reader);
  tmon_ring_close(ring);
}
END_TEST

/* 32 KiB of dictionary in the smallest ring, 48 bytes a name of 40: 682 of them. */
START_TEST(dictionary_fills) {
  tmon_ring *ring = make();
  uint32_t id = 0;
  uint32_t count = 0;
  char key[256];
  int error = TMON_OK;
  while (error == TMON_OK && count < 10000) {
    snprintf(key, sizeof key, "%040u", count);
    error = tmon_ring_metric(ring, key, &id);
    if (error == TMON_OK) count++;
  }
  ck_assert_int_eq(error, TMON_ELIMIT);
  ck_assert_uint_eq(count, 32768 / 48);
  ck_assert_int_eq(tmon_ring_metric(ring, "0000000000000000000000000000000000000000", &id), TMON_OK);
  ck_assert_uint_eq(id, 1);
  ck_assert_int_eq(tmon_ring_key(key, ring, count), TMON_OK);
  tmon_ring_close(ring);
}
END_TEST

START_TEST(liveness) {
  bool alive = false;
  ck_assert_int_eq(tmon_ring_is_alive(path, &alive), TMON_ENOTFOUND);
  tmon_ring *ring = make();
  ck_assert_int_eq(tmon_ring_is_alive(path, &alive), TMON_OK);
  ck_assert(alive);
  tmon_ring_close(ring);
  ck_assert_int_eq(tmon_ring_is_alive(path, &alive), TMON_OK);
  ck_assert(!alive);
}
END_TEST

/* A child that forgets keeps neither the lock nor the parent from its own; one that lives on does not keep the ring alive. */
START_TEST(forgotten_in_a_child) {
  tmon_ring *ring = make();
  uint32_t id = 0;
  ck_assert_int_eq(tmon_ring_metric(ring, "loss", &id), TMON_OK);
  ck_assert_int_eq(tmon_ring_write(ring, TMON_SLOT_POINT, id, 1, 1, 1), TMON_OK);
  int stop[2];
  int ready[2];
  ck_assert_int_eq(pipe(stop), 0);
  ck_assert_int_eq(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    close(stop[1]);
    tmon_ring_forget(ring);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    _exit(read(stop[0], &byte, 1) == 0 ? 0 : 1);
  }
  char byte;
  ck_assert_int_eq(read(ready[0], &byte, 1), 1);
  bool alive = false;
  ck_assert_int_eq(tmon_ring_is_alive(path, &alive), TMON_OK);
  ck_assert(alive);
  ck_assert_int_eq(tmon_ring_write(ring, TMON_SLOT_POINT, id, 2, 2, 2), TMON_OK);
  ck_assert_uint_eq(tmon_ring_tail(ring, 0), 2);
  tmon_ring_close(ring);
  ck_assert_int_eq(tmon_ring_is_alive(path, &alive), TMON_OK);
  ck_assert(!alive);
  close(stop[1]);
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  close(stop[0]);
  close(ready[0]);
  close(ready[1]);
}
END_TEST

static void patch(size_t offset, const void *data, size_t size) {
  int fd = open(path, O_RDWR);
  ck_assert_int_ge(fd, 0);
  ck_assert_int_eq(pwrite(fd, data, size, (off_t)offset), (ssize_t)size);
  close(fd);
}

/* What one changed field does to an otherwise sound file. */
static int open_patched(size_t offset, uint32_t word) {
  tmon_ring_close(make());
  patch(offset, &word, sizeof word);
  tmon_ring *ring = NULL;
  int error = tmon_ring_open(&ring, path, false);
  tmon_ring_close(ring);
  unlink(path);
  return error;
}

START_TEST(lying_headers) {
  ck_assert_int_eq(open_patched(offsetof(tmon_ring_header, header_bytes), 4096), TMON_OK);
  ck_assert_int_eq(open_patched(offsetof(tmon_ring_header, minor), 77), TMON_OK);
  ck_assert_int_eq(open_patched(offsetof(tmon_ring_header, major), 2), TMON_EVERSION);
  const size_t fields[] = {offsetof(tmon_ring_header, magic), offsetof(tmon_ring_header, endian), offsetof(tmon_ring_header, header_bytes),
      offsetof(tmon_ring_header, total_bytes), offsetof(tmon_ring_header, lane_count), offsetof(tmon_ring_header, block_bytes),
      offsetof(tmon_ring_header, block_count), offsetof(tmon_ring_header, dictionary_offset), offsetof(tmon_ring_header, dictionary_bytes),
      offsetof(tmon_ring_header, blocks_offset), offsetof(tmon_ring_header, host)};
  for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) ck_assert_int_eq(open_patched(fields[i], UINT32_C(0xfffffff0)), TMON_ECORRUPT);
  tmon_ring_close(make());
  ck_assert_int_eq(truncate(path, BYTES + 4096), 0);
  tmon_ring *ring = NULL;
  ck_assert_int_eq(tmon_ring_open(&ring, path, false), TMON_ECORRUPT);
  ck_assert_int_eq(truncate(path, BYTES + 1), 0);
  ck_assert_int_eq(tmon_ring_open(&ring, path, false), TMON_ECORRUPT);
  ck_assert_int_eq(truncate(path, 4096), 0);
  ck_assert_int_eq(tmon_ring_open(&ring, path, false), TMON_ECORRUPT);
  unlink(path);
  ck_assert_int_eq(tmon_ring_open(&ring, path, false), TMON_ENOTFOUND);
  ck_assert_ptr_null(ring);
}
END_TEST

START_TEST(lying_words_and_names) {
  tmon_ring *ring = make();
  uint32_t id = 0;
  char key[256];
  ck_assert_int_eq(tmon_ring_metric(ring, "loss", &id), TMON_OK);
  tmon_ring_geometry geometry;
  ck_assert(tmon_ring_geometry_of(&geometry, BYTES));
  uint32_t many = UINT32_MAX;
  patch(offsetof(tmon_ring_header, control), &many, 4);
  ck_assert_int_eq(tmon_ring_control(ring), TMON_CONTROL_RUN);
  patch(offsetof(tmon_ring_header, final_status), &many, 4);
  ck_assert(!tmon_ring_final(ring, NULL, NULL));
  patch(offsetof(tmon_ring_header, used), &many, 4);
  ck_assert_double_le(tmon_ring_fill(ring), 1);
  const uint64_t entries[] = {0, UINT64_MAX, UINT64_C(100000) << 16 | 4, 251, UINT64_C(32768) << 16 | 1, 5 /* "loss" and a NUL */};
  for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
    patch(geometry.dictionary_offset + geometry.dictionary_bytes - 8, &entries[i], 8);
    ck_assert_int_eq(tmon_ring_key(key, ring, 1), TMON_ECORRUPT);
  }
  patch(offsetof(tmon_ring_header, metrics), &many, 4);
  uint32_t count = tmon_ring_metrics(ring);
  ck_assert_uint_le(count, geometry.dictionary_bytes);
  for (uint32_t i = 1; i <= count; i++) (void)tmon_ring_key(key, ring, i);
  tmon_ring_close(ring);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("ring");
  TCase *test = tcase_create("file");
  tcase_add_checked_fixture(test, set_up, tear_down);
  tcase_add_test(test, create_and_open_agree);
  tcase_add_test(test, bad_arguments);
  tcase_add_test(test, words_travel);
  tcase_add_test(test, names_have_stable_numbers);
  tcase_add_test(test, dictionary_fills);
  tcase_add_test(test, liveness);
  tcase_add_test(test, forgotten_in_a_child);
  tcase_add_test(test, lying_headers);
  tcase_add_test(test, lying_words_and_names);
  suite_add_tcase(suite, test);
  return run_suite(suite);
}
