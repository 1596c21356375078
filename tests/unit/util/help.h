/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What every test file of util shares: a folder of its own, and the run of a suite. */
#ifndef TRAINMON_TESTS_UTIL_HELP_H
#define TRAINMON_TESTS_UTIL_HELP_H
#include "unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEST_PATH_BYTES = 512 };

/* A new empty folder below $TMPDIR or /tmp. */
static inline void make_test_folder(char out[TEST_PATH_BYTES]) {
  const char *base = getenv("TMPDIR");
  (void)snprintf(out, TEST_PATH_BYTES, "%s/trainmon-XXXXXX", base && *base ? base : "/tmp");
  ck_assert_ptr_nonnull(mkdtemp(out));
}

static inline void test_path(char out[TEST_PATH_BYTES * 2], const char *folder, const char *name) {
  (void)snprintf(out, TEST_PATH_BYTES * 2, "%s/%s", folder, name);
}

#endif
