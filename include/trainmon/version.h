/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The version of the library; CMake and the bindings read it from here. */
#ifndef TRAINMON_VERSION_H
#define TRAINMON_VERSION_H

#include "export.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TMON_VERSION_MAJOR 0
#define TMON_VERSION_MINOR 1
#define TMON_VERSION_PATCH 0

/**
 * Returns the version of the library that is loaded, such as "0.1.0".
 * The text is static. Any thread. Never fails. Since 0.1.
 */
TMON_API const char *tmon_version(void);

/**
 * Returns the version of the library that is loaded as a number:
 * major * 10000 + minor * 100 + patch. Any thread. Never fails. Since 0.1.
 */
TMON_API int tmon_version_number(void);

#ifdef __cplusplus
}
#endif
#endif
