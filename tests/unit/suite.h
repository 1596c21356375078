/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The end of every main here: a suite is run, and says whether all of it passed. */
#ifndef TRAINMON_TESTS_SUITE_H
#define TRAINMON_TESTS_SUITE_H
#include <check.h>
#include <stdlib.h>

/* Check gives a test four seconds, which one slow fsync or a processor that is elsewhere for a moment uses up. Under a sanitizer on a busy
 * machine some need minutes. */
__attribute__((constructor)) static void suite_give_time(void) { (void)setenv("CK_DEFAULT_TIMEOUT", "400", 0); }

static inline int run_suite(Suite *suite) {
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
#endif
