/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The version that was compiled in. */
#include "trainmon/version.h"

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *tmon_version(void) { return VERSION_TEXT(TMON_VERSION_MAJOR, TMON_VERSION_MINOR, TMON_VERSION_PATCH); }

int tmon_version_number(void) { return TMON_VERSION_MAJOR * 10000 + TMON_VERSION_MINOR * 100 + TMON_VERSION_PATCH; }
