/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the files of os_linux share. */
#ifndef TRAINMON_UTIL_OS_LINUX_H
#define TRAINMON_UTIL_OS_LINUX_H
#include <stdbool.h>

/* Makes sure that the fork handlers are installed; false when the system had no memory for them. */
bool tmon_fork_watch(void);

/* os_linux_lock.c, called by the fork handlers. Before and after keep the table of locks whole over the fork; the child closes its copies. */
void tmon_lock_before_fork(void);
void tmon_lock_after_fork(bool child);
#endif
