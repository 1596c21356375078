/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The page's files, compiled in. The table is made by assets.cmake. */
#ifndef TRAINMON_SERVE_ASSETS_H
#define TRAINMON_SERVE_ASSETS_H
#include <stdbool.h>

typedef struct tmon_asset {
  const char *path;
  const char *type;
  const char *tag; /* hash of the content, for ETag */
  bool hashed;     /* the name carries a hash: it never changes */
  const unsigned char *begin;
  const unsigned char *end;
  const unsigned char *gzip_begin; /* equal to gzip_end: there is none */
  const unsigned char *gzip_end;
} tmon_asset;

extern const tmon_asset tmon_assets[]; /* ended by an entry without path */
#endif
