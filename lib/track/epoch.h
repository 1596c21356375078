/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What decides the best epoch of a session, and the names of its values. */
#ifndef TRAINMON_TRACK_EPOCH_H
#define TRAINMON_TRACK_EPOCH_H
#include <stddef.h>

/* Checks "NAME:max" or "NAME:min" and gives it as the store wants it, aliases of columns replaced by the columns (tmon_free). NULL gives NULL, "" gives "". */
int tmon_best_metric_parse(char **out, const char *text);
const char *tmon_epoch_name(const char *key);                 /* the column that a name fills, else the name */
const char *tmon_epoch_alias(const char *name, size_t index); /* the names that fill the column of `name`; NULL: no more */
#endif
