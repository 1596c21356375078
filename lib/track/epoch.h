/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What decides the best epoch of a session. */
#ifndef TRAINMON_TRACK_EPOCH_H
#define TRAINMON_TRACK_EPOCH_H

/* Checks "NAME:max" or "NAME:min" and gives it as the store wants it, aliases of columns replaced by the columns (tmon_free). NULL gives NULL, "" gives "". */
int tmon_best_metric_parse(char **out, const char *text);
#endif
