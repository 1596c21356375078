/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Where a store may lie and what may happen to its place: read-only, full, moved, deleted, replaced, spelled differently, on a network file system. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unit/track/help.h"

#include "util/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char place[400];
static char rings[400];

static void set_up_place(void) {
  (void)snprintf(place, sizeof place, "%s/store", test_folder);
  (void)snprintf(rings, sizeof rings, "%s/rings", test_folder);
  ck_assert_int_eq(mkdir(rings, 0700), 0);
}

static bool skip(const char *what, const char *why) {
  printf("skipped: %s: %s\n", what, why);
  return true;
}

/* False, with a reason printed, where the machine forbids mounts. */
static bool mount_memory(const char *what, const char *options) {
  if (mkdir(place, 0755) == 0 && mount("tmpfs", place, "tmpfs", 0, options) == 0) return true;
  (void)skip(what, strerror(errno));
  return false;
}

static tmon_store *open_at(const char *path) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = rings};
  ok(tmon_store_open(&store, path, &options));
  return store;
}

static void log_some(tmon_session *session, int count) {
  tmon_metric metric = test_metric(session, "m");
  for (int i = 0; i < count; i++) ok(tmon_log(session, metric, i, i));
}

/* A store with one ended session of 100 points; `id` has 40 bytes. */
static void make_ended(char *id) {
  tmon_store *store = open_at(place);
  tmon_session *session = test_session(store, NULL);
  (void)snprintf(id, 40, "%s", tmon_session_id(session));
  log_some(session, 100);
  tmon_session_free(session);
  tmon_store_free(store);
}

static int wait_for(pid_t child) {
  int status = 0;
  ck_assert_int_eq(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void expect_reading_only(const char *journal, const char *id) {
  tmon_store_info info;
  tmon_session *session = NULL;
  tmon_store *store = open_at(place);
  ok(tmon_store_get_info(&info, store));
  ck_assert(info.read_only);
  ck_assert_str_eq(info.journal, journal);
  ck_assert_uint_eq(test_count(store, id, "m", false), 100);
  expect(TMON_EREADONLY, tmon_session_start(&session, store, NULL));
  ck_assert_ptr_null(session);
  tmon_store_free(store);
}

START_TEST(read_only_mount_at_rest_and_after_a_kill) {
  char id[40] = "";
  if (!mount_memory("read-only mount", "size=16m")) return;
  make_ended(id);
  ck_assert_int_eq(mount(NULL, place, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
  expect_reading_only("immutable", id);
  ck_assert_int_eq(mount(NULL, place, NULL, MS_REMOUNT, NULL), 0);
  pid_t child = fork(); /* leaves a WAL behind */
  if (child == 0) {
    tmon_store *store = open_at(place);
    tmon_session *session = test_session(store, "01234567-89ab-4def-8123-456789abcdef");
    log_some(session, 100);
    ok(tmon_session_flush(session));
    _exit(0);
  }
  ck_assert_int_eq(wait_for(child), 0);
  ck_assert_int_eq(mount(NULL, place, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
  expect_reading_only("wal", "01234567-89ab-4def-8123-456789abcdef");
  ck_assert_int_eq(umount(place), 0);
}
END_TEST

START_TEST(another_user_reads_and_does_not_write) {
  char id[40] = "";
  if (getuid() != 0) {
    (void)skip("another user", "not root");
    return;
  }
  ck_assert_int_eq(chmod(test_folder, 0755), 0);
  make_ended(id);
  pid_t child = fork();
  if (child == 0) {
    if (setgid(65534) || setuid(65534)) _exit(10);
    char other[500];
    tmon_store *store = NULL;
    (void)snprintf(other, sizeof other, "%s/other", test_folder);
    expect_reading_only("immutable", id);
    expect(TMON_EACCESS, tmon_store_open(&store, other, NULL));
    ck_assert_ptr_null(store);
    _exit(access(other, F_OK) == 0 ? 11 : 0);
  }
  ck_assert_int_eq(wait_for(child), 0);
}
END_TEST

START_TEST(full_memory_file_system) {
  if (!mount_memory("full disk", "size=4m")) return;
  tmon_store *store = open_at(place);
  tmon_session *session = test_session(store, NULL);
  char path[500];
  static char zeros[65536];
  (void)snprintf(path, sizeof path, "%s/filler", place);
  int filler = open(path, O_WRONLY | O_CREAT, 0600);
  while (write(filler, zeros, sizeof zeros) > 0) continue;
  (void)close(filler);
  log_some(session, 50000); /* half the ring */
  expect(TMON_EFULL, tmon_session_flush(session));
  tmon_store *second = NULL;
  tmon_session *refused = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = place};
  int result = tmon_store_open(&second, place, &options);
  if (result == TMON_OK) expect(TMON_EFULL, tmon_session_start(&refused, second, NULL)); /* no room for its ring: an error now, no SIGBUS later */
  else expect(TMON_EFULL, result);
  ck_assert_ptr_null(refused);
  tmon_store_free(second);
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 50000); /* readable from the ring */
  ck_assert_int_eq(unlink(path), 0);
  ok(tmon_session_flush(session));
  ck_assert_uint_eq(tmon_session_dropped(session), 0);
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 50000);
  tmon_session_free(session);
  tmon_store_free(store);
  ck_assert_int_eq(umount(place), 0);
}
END_TEST

START_TEST(moved_away_and_back) {
  char away[500];
  tmon_store *store = open_at(place);
  tmon_session *session = test_session(store, NULL);
  tmon_record_list *list = NULL;
  (void)snprintf(away, sizeof away, "%s/away", test_folder);
  log_some(session, 100);
  ck_assert_int_eq(rename(place, away), 0);
  expect(TMON_ENOTFOUND, tmon_session_flush(session));
  ck_assert_ptr_nonnull(strstr(tmon_error_message(), "was deleted, moved or replaced"));
  expect(TMON_ENOTFOUND, tmon_record_list_open(&list, store, NULL));
  log_some(session, 100); /* training goes on */
  ck_assert_int_ne(access(place, F_OK), 0);
  ck_assert_int_eq(rename(away, place), 0);
  ok(tmon_session_flush(session));
  ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 200);
  tmon_session_free(session);
  tmon_store_free(store);
}
END_TEST

START_TEST(deleted_while_open) {
  tmon_store *store = open_at(place);
  tmon_session *session = test_session(store, NULL);
  log_some(session, 100);
  test_remove(place);
  expect(TMON_ENOTFOUND, tmon_session_flush(session));
  log_some(session, 100);
  (void)tmon_session_finish(session, TMON_STATUS_COMPLETED);
  tmon_session_free(session);
  tmon_store_free(store);
  ck_assert_int_ne(access(place, F_OK), 0); /* nothing is made again behind the user's back */
}
END_TEST

START_TEST(replaced_while_open) {
  char away[500];
  char wal[500];
  tmon_store *old = open_at(place);
  tmon_session *session = test_session(old, NULL);
  log_some(session, 100);
  ok(tmon_session_flush(session));
  (void)snprintf(away, sizeof away, "%s/away", test_folder);
  (void)snprintf(wal, sizeof wal, "%s/trainmon.db-wal", place);
  ck_assert_int_eq(rename(place, away), 0);
  tmon_store *new = open_at(place);
  tmon_session *other = test_session(new, NULL);
  log_some(other, 100);
  ok(tmon_session_flush(other));
  log_some(session, 100);
  expect(TMON_ENOTFOUND, tmon_session_flush(session));
  tmon_session_free(session);
  tmon_store_free(old);
  ck_assert_int_eq(access(wal, F_OK), 0); /* the old one's close leaves the new one's WAL alone */
  ck_assert_uint_eq(test_count(new, tmon_session_id(other), "m", false), 100);
  log_some(other, 100);
  ok(tmon_session_flush(other));
  tmon_session_free(other);
  tmon_store_free(new);
}
END_TEST

START_TEST(odd_paths) {
  static const char *names[] = {"with blank", " leading", "h\xc3\xa4user \xf0\x9f\x8f\xa0", "q?mode=memory&x=1", "hash#x", "per%20cent", "new\nline",
      "quote'\"`$(x)", "file:x", ":memory:"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    char path[700];
    char file[750];
    (void)snprintf(path, sizeof path, "%s/%s", test_folder, names[i]);
    (void)snprintf(file, sizeof file, "%s/trainmon.db", path);
    tmon_store *store = open_at(path);
    tmon_session *session = test_session(store, NULL);
    log_some(session, 10);
    tmon_session_free(session);
    tmon_store_free(store);
    ck_assert_msg(access(file, F_OK) == 0, "no database at %s", file);
    store = open_at(path);
    tmon_store_info info;
    ok(tmon_store_get_info(&info, store));
    ck_assert_str_eq(info.path, path);
    ck_assert_int_eq(info.sessions, 1);
    tmon_store_free(store);
  }
  static char endless[6000];
  memset(endless, 'x', sizeof endless - 1);
  endless[0] = '/';
  tmon_store *store = NULL;
  expect(TMON_EINVAL, tmon_store_open(&store, endless, NULL));
  ck_assert_ptr_null(store);
}
END_TEST

START_TEST(relative_paths_outlive_a_chdir) {
  tmon_store *store = NULL;
  tmon_store_options options = {.size = sizeof options, .ring_folder = "rings"};
  ck_assert_int_eq(chdir(test_folder), 0);
  ok(tmon_store_open(&store, "./store", &options));
  ck_assert_int_eq(chdir("/"), 0);
  tmon_session *session = test_session(store, NULL);
  log_some(session, 100);
  tmon_store *other = open_at(place);
  ck_assert_uint_eq(test_count(other, tmon_session_id(session), "m", false), 100); /* not committed: the ring was found */
  ok(tmon_session_flush(session));
  tmon_store_free(other);
  tmon_session_free(session);
  tmon_store_free(store);
  options.ring_folder = "";
  expect(TMON_EINVAL, tmon_store_open(&store, place, &options));
  options.ring_folder = "\xff";
  expect(TMON_EINVAL, tmon_store_open(&store, place, &options));
}
END_TEST

START_TEST(one_store_by_two_names) {
  char link[500];
  char dotted[500];
  (void)snprintf(link, sizeof link, "%s/link", test_folder);
  (void)snprintf(dotted, sizeof dotted, "%s/rings/..//store/.", test_folder);
  tmon_store *stores[3] = {open_at(place)};
  ck_assert_int_eq(symlink(place, link), 0);
  stores[1] = open_at(link);
  stores[2] = open_at(dotted);
  tmon_session *sessions[3];
  for (int i = 0; i < 3; i++) sessions[i] = test_session(stores[i], NULL);
  tmon_session *twice = NULL;
  tmon_session_options options = {.size = sizeof options, .id = tmon_session_id(sessions[1])};
  expect(TMON_EEXISTS, tmon_session_start(&twice, stores[0], &options));
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < 3; i++) {
      log_some(sessions[i], 10);
      ok(tmon_session_flush(sessions[i]));
    }
  }
  for (int i = 0; i < 3; i++) ck_assert_uint_eq(test_count(stores[(i + 1) % 3], tmon_session_id(sessions[i]), "m", false), 100);
  for (int i = 0; i < 3; i++) tmon_session_free(sessions[i]);
  for (int i = 0; i < 3; i++) tmon_store_free(stores[i]);
  char database[500];
  tmon_store *store = NULL;
  (void)snprintf(link, sizeof link, "%s/rings/trainmon.db", test_folder);
  (void)snprintf(database, sizeof database, "%s/trainmon.db", place);
  ck_assert_int_eq(symlink(database, link), 0);
  expect(TMON_EINVAL, tmon_store_open(&store, rings, NULL)); /* its WAL would lie elsewhere */
  ck_assert_ptr_null(store);
}
END_TEST

/* The seam: what the library asks the system about the file system. Only the place of the store claims to be NFS. */
static bool claim_network;

int statfs(const char *path, struct statfs *out) {
  int result = (int)syscall(SYS_statfs, path, out);
  if (result == 0 && claim_network && strncmp(path, place, strlen(place)) == 0) out->f_type = 0x6969;
  return result;
}

START_TEST(network_file_system) {
  char wal[500];
  char id[40];
  tmon_store_info info;
  (void)snprintf(wal, sizeof wal, "%s/trainmon.db-wal", place);
  make_ended(id); /* made on a local disk, then copied to the network */
  claim_network = true;
  tmon_store *store = open_at(place);
  ok(tmon_store_get_info(&info, store));
  ck_assert_str_eq(info.journal, "delete");
  ck_assert(!info.read_only);
  tmon_session *session = test_session(store, NULL);
  for (int i = 0; i < 5; i++) {
    log_some(session, 100);
    ok(tmon_session_flush(session));
    ck_assert_uint_eq(test_count(store, tmon_session_id(session), "m", false), 100 * ((unsigned)i + 1));
    ck_assert_int_ne(access(wal, F_OK), 0);
  }
  ck_assert_uint_eq(test_count(store, id, "m", false), 100);
  tmon_store_options options = {.size = sizeof options, .read_only = true};
  tmon_store *reader = NULL;
  ok(tmon_store_open(&reader, place, &options));
  ok(tmon_store_get_info(&info, reader));
  ck_assert_str_eq(info.journal, "delete");
  tmon_store_free(reader);
  tmon_session_free(session);
  tmon_store_free(store);
  claim_network = false; /* and back */
  store = open_at(place);
  ok(tmon_store_get_info(&info, store));
  ck_assert_str_eq(info.journal, "wal");
  ck_assert_int_eq(info.sessions, 2);
  tmon_store_free(store);
}
END_TEST

/* Answers what the kernel asks a FUSE server that has an empty root folder and nothing else, until it is killed. */
static void serve_fuse(int fd) {
  static union {
    struct fuse_in_header header;
    char bytes[1 << 18];
  } in;
  while (read(fd, &in, sizeof in) > 0) {
    struct {
      struct fuse_out_header header;
      union {
        struct fuse_init_out init;
        struct fuse_statfs_out statfs;
        struct fuse_attr_out attr;
      } body;
    } out = {.header = {.unique = in.header.unique}};
    size_t size = 0;
    if (in.header.opcode == FUSE_INIT) {
      out.body.init = (struct fuse_init_out){.major = 7, .minor = 31, .max_write = 4096};
      size = sizeof out.body.init;
    } else if (in.header.opcode == FUSE_STATFS) {
      out.body.statfs.st.bsize = 4096;
      size = sizeof out.body.statfs;
    } else if (in.header.opcode == FUSE_GETATTR) {
      out.body.attr.attr = (struct fuse_attr){.ino = 1, .mode = S_IFDIR | 0755, .nlink = 2};
      size = sizeof out.body.attr;
    } else {
      out.header.error = -ENOSYS;
    }
    out.header.len = (uint32_t)(sizeof out.header + size);
    if (write(fd, &out, out.header.len) < 0) return;
  }
}

START_TEST(real_fuse_mounts_are_told_apart) {
  static const struct {
    const char *type;
    bool network;
  } kinds[] = {{"fuse.sshfs", true}, {"fuse.unheard", true}, {"fuse.ntfs-3g", false}};
  ck_assert_int_eq(mkdir(place, 0755), 0);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    char options[100];
    int fd = open("/dev/fuse", O_RDWR);
    (void)snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
    if (fd < 0 || mount("trainmon-test", place, kinds[i].type, MS_NOSUID | MS_NODEV, options) != 0) {
      (void)skip("FUSE mounts", strerror(errno));
      return;
    }
    pid_t server = fork();
    if (server == 0) {
      serve_fuse(fd);
      _exit(0);
    }
    bool network = tmon_folder_is_network(place);
    ck_assert_int_eq(umount2(place, MNT_DETACH), 0);
    ck_assert_int_eq(close(fd), 0);
    (void)kill(server, SIGKILL);
    (void)wait_for(server);
    ck_assert_msg(network == kinds[i].network, "%s", kinds[i].type);
  }
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("places");
  tcase_add_checked_fixture(tests, test_setup, test_teardown);
  tcase_add_checked_fixture(tests, set_up_place, NULL);
  tcase_add_test(tests, read_only_mount_at_rest_and_after_a_kill);
  tcase_add_test(tests, another_user_reads_and_does_not_write);
  tcase_add_test(tests, full_memory_file_system);
  tcase_add_test(tests, moved_away_and_back);
  tcase_add_test(tests, deleted_while_open);
  tcase_add_test(tests, replaced_while_open);
  tcase_add_test(tests, odd_paths);
  tcase_add_test(tests, relative_paths_outlive_a_chdir);
  tcase_add_test(tests, one_store_by_two_names);
  tcase_add_test(tests, network_file_system);
  tcase_add_test(tests, real_fuse_mounts_are_told_apart);
  Suite *suite = suite_create("track/places");
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
