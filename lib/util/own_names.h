/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Names that a session itself declares for metrics: `metric_aliases` in its configuration. They come before the built-in tables. */
#ifndef TRAINMON_UTIL_OWN_NAMES_H
#define TRAINMON_UTIL_OWN_NAMES_H
#include "util/json.h"

enum { TMON_OWN_NAMES = 64 };

const char *tmon_own_names_target(size_t index); /* the columns and fields that a name may mean; NULL: no more */
/* The text is JSON. TMON_EINVAL with the field when what it says of aliases is wrong. NULL is fine. */
int tmon_own_names_check(const char *config_json);
/* The aliases, to be freed with tmon_json_free; NULL: none. A text from outside that says nothing sound has none. TMON_ENOMEM. */
int tmon_own_names_read(tmon_json **out, const char *config_json);
const char *tmon_own_name(const tmon_json *own, const char *key); /* what a name means: a target, else the name itself */
#endif
