/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the files of the extract share: how a form writes one point. */
#ifndef TRAINMON_TRACK_EXTRACT_H
#define TRAINMON_TRACK_EXTRACT_H
#include "track/track.h"
#include "util/buffer.h"

/* One form of output. All append to `out`, whose first error sticks. */
typedef struct tmon_extract_form {
  tmon_extract_format format;
  tmon_extract_what what;
  bool exact_text;
  const char *id; /* of the session */
  tmon_buffer *out;
  tmon_buffer head; /* what every row of the metric at hand begins with; TensorBoard: its name */
  tmon_buffer body; /* scratch */
  bool begun;       /* the beginning of the file is written */
} tmon_extract_form;

void tmon_extract_metric(tmon_extract_form *form, const char *key); /* the points that follow are of this metric */
void tmon_extract_point(tmon_extract_form *form, const tmon_point *point);
void tmon_extract_begin(tmon_extract_form *form, int64_t time_us); /* writes the beginning of the file once; `time_us`: of the first thing in it */
int tmon_extract_epoch(tmon_extract_form *form, tmon_row *row);    /* a row of TMON_EPOCH_SELECT */

/* extract_events.c */
void tmon_events_begin(tmon_extract_form *form, int64_t time_us);
void tmon_events_scalar(tmon_extract_form *form, const char *tag, size_t length, const tmon_point *point);
#endif
