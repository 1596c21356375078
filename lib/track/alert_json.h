/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* One alert as JSON: the same from the table and from a replay. */
#ifndef TRAINMON_TRACK_ALERT_JSON_H
#define TRAINMON_TRACK_ALERT_JSON_H
#include "track/alert_watch.h"

typedef struct tmon_alert_row {
  const char *session_id;
  const char *rule;
  const char *type;
  const char *severity;
  const char *metric;
  bool has_step; /* false: a note that names none */
  int64_t step;
  double value;
  double threshold;
  const char *message;
  int64_t time;
  bool recovered;
  int64_t recovered_at;
  bool has_recovered_step;
  int64_t recovered_step;
} tmon_alert_row;

void tmon_alert_json(tmon_json_writer *json, const tmon_alert_row *alert); /* its members, into an open object */
void tmon_alert_json_time(tmon_json_writer *json, const char *key, bool known, int64_t time);
#endif
