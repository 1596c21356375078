/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The one export token. Readers of the headers for other languages delete the word TMON_API. */
#ifndef TRAINMON_EXPORT_H
#define TRAINMON_EXPORT_H

#ifdef _WIN32
#ifdef TMON_BUILDING
#define TMON_API __declspec(dllexport)
#else
#define TMON_API __declspec(dllimport)
#endif
#else
#define TMON_API __attribute__((visibility("default")))
#endif

#endif
