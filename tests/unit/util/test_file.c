/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Tests of files by path. */
#define _POSIX_C_SOURCE 200809L
#include "unit/fault.h"
#include "help.h"
#include "util/alloc.h"
#include "util/file.h"

#include <dirent.h>
#include <string.h>

static char folder[TEST_PATH_BYTES];
static char path[TEST_PATH_BYTES * 2];

static void set_up(void) {
  make_test_folder(folder);
  test_path(path, folder, "file");
}

static void tear_down(void) {
  unlink(path);
  rmdir(folder);
}

static int entries(void) {
  int count = 0;
  DIR *open_folder = opendir(folder);
  ck_assert_ptr_nonnull(open_folder);
  for (struct dirent *entry = readdir(open_folder); entry; entry = readdir(open_folder))
    count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
  closedir(open_folder);
  return count;
}

START_TEST(paths) {
  static const struct {
    const char *folder;
    const char *name;
    const char *joined;
  } joins[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"/", "b", "/b"}};
  for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
    char *joined = tmon_path_join(joins[i].folder, joins[i].name);
    ck_assert_str_eq(joined, joins[i].joined);
    tmon_free(joined);
  }
  static const struct {
    const char *path;
    const char *absolute;
  } pairs[] = {{"/x/../y", "/x/../y"}, {"a", "/a"}, {"./a", "/a"}, {".//a/b", "/a/b"}, {".", "/"}};
  ck_assert_int_eq(chdir("/"), 0);
  for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
    char *absolute;
    ck_assert_int_eq(tmon_path_absolute(&absolute, pairs[i].path), TMON_OK);
    ck_assert_str_eq(absolute, pairs[i].absolute);
    tmon_free(absolute);
  }
  char *none;
  ck_assert_int_eq(tmon_path_absolute(&none, ""), TMON_EINVAL);
  ck_assert_int_eq(tmon_path_absolute(&none, NULL), TMON_EINVAL);
}
END_TEST

START_TEST(folders_are_made_with_parents) {
  char deep[TEST_PATH_BYTES * 2];
  test_path(deep, folder, "a/b//c/");
  ck_assert_int_eq(tmon_folder_make(deep), TMON_OK);
  ck_assert_int_eq(tmon_folder_make(deep), TMON_OK);
  ck_assert(tmon_folder_is_writable(deep));
  ck_assert_int_eq(tmon_file_write_atomic(path, "", 0, 0600), TMON_OK);
  ck_assert_int_eq(tmon_folder_make(path), TMON_EEXISTS);
  ck_assert(!tmon_folder_is_writable(path));
  ck_assert_int_eq(tmon_folder_make(""), TMON_EINVAL);
  for (char *slash = strrchr(deep, '/'); strlen(deep) > strlen(folder); slash = strrchr(deep, '/')) {
    rmdir(deep);
    *slash = 0;
  }
}
END_TEST

START_TEST(files_are_written_and_read) {
  char *text = NULL;
  size_t size = 0;
  struct stat status;
  ck_assert(!tmon_file_exists(path));
  ck_assert_int_eq(tmon_file_read(&text, &size, path, 100), TMON_ENOTFOUND);
  ck_assert_int_eq(tmon_file_write_atomic(path, "old", 3, 0600), TMON_OK);
  ck_assert_int_eq(tmon_file_write_atomic(path, "ne\0w", 4, 0600), TMON_OK);
  ck_assert_int_eq(stat(path, &status), 0);
  ck_assert_int_eq(status.st_mode & 07777, 0600);
  ck_assert_int_eq(entries(), 1);
  ck_assert(tmon_file_exists(path));
  ck_assert_int_eq(tmon_file_read(&text, &size, path, 4), TMON_OK);
  ck_assert_uint_eq(size, 4);
  ck_assert_int_eq(memcmp(text, "ne\0w", 5), 0);
  tmon_free(text);
  ck_assert_int_eq(tmon_file_read(&text, NULL, path, 3), TMON_ELIMIT);
  ck_assert_ptr_null(text);
  ck_assert_int_eq(tmon_file_read(&text, NULL, path, 0), TMON_ELIMIT);
  ck_assert_int_eq(tmon_file_read(&text, NULL, folder, 100), TMON_EIO);
  ck_assert_int_eq(tmon_file_remove(path), TMON_OK);
  ck_assert_int_eq(tmon_file_remove(path), TMON_OK);
  ck_assert_int_eq(tmon_file_remove(folder), TMON_EIO);
}
END_TEST

START_TEST(a_failed_write_leaves_nothing) {
  char inside[TEST_PATH_BYTES * 2];
  test_path(inside, folder, "none/file");
  ck_assert_int_eq(tmon_file_write_atomic(inside, "x", 1, 0600), TMON_ENOTFOUND);
  ck_assert_int_eq(mkdir(path, 0700), 0);
  ck_assert_int_lt(tmon_file_write_atomic(path, "x", 1, 0600), 0);
  ck_assert_int_eq(entries(), 1);
  rmdir(path);
}
END_TEST

START_TEST(large_files_are_read_whole) {
  size_t size = 300000;
  char *data = malloc(size);
  for (size_t i = 0; i < size; i++) data[i] = (char)(i * 7 % 251);
  ck_assert_int_eq(tmon_file_write_atomic(path, data, size, 0600), TMON_OK);
  char *text;
  size_t got;
  ck_assert_int_eq(tmon_file_read(&text, &got, path, size), TMON_OK);
  ck_assert_uint_eq(got, size);
  ck_assert_int_eq(memcmp(text, data, size), 0);
  tmon_free(text);
  free(data);
}
END_TEST

static int write_and_read(void *argument) {
  char *text = NULL;
  char *absolute = NULL;
  (void)argument;
  int result = tmon_folder_make(folder);
  if (!result) result = tmon_path_absolute(&absolute, "x/y");
  tmon_free(absolute);
  if (!result) result = tmon_file_write_atomic(path, "abc", 3, 0600);
  if (!result) result = tmon_file_read(&text, NULL, path, 100);
  if (!result) ck_assert_str_eq(text, "abc");
  tmon_free(text);
  ck_assert_int_le(entries(), 1);
  return result;
}

START_TEST(out_of_memory_is_clean) { tmon_fault_loop(write_and_read, NULL); }
END_TEST

int main(void) {
  Suite *suite = suite_create("util/file");
  TCase *tests = tcase_create("all");
  tcase_add_checked_fixture(tests, set_up, tear_down);
  tcase_add_test(tests, paths);
  tcase_add_test(tests, folders_are_made_with_parents);
  tcase_add_test(tests, files_are_written_and_read);
  tcase_add_test(tests, a_failed_write_leaves_nothing);
  tcase_add_test(tests, large_files_are_read_whole);
  tcase_add_test(tests, out_of_memory_is_clean);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
