/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the files about session rows share: checks, the statements of a list, events. */
#ifndef TRAINMON_TRACK_RECORD_H
#define TRAINMON_TRACK_RECORD_H
#include "track/track.h"

#define TMON_NOTES_MAXIMUM 65536

/* record_check.c. `tags_json` NULL gives NULL, no tag "[]"; else the array in its shortest form, to be freed by the caller. */
int tmon_tags_parse(char **out, const char *tags_json);
int tmon_parent_check(tmon_tx *tx, const char *id, const char *parent_id); /* NULL and "" are fine. TMON_EINVAL: a cycle; TMON_ENOTFOUND */

/* What a search compares with: LIKE patterns of the text, plain and as JSON writes it, and the tag in JSON. Absent ones are NULL. */
typedef struct tmon_record_patterns {
  char *text;
  char *text_json;
  char *tag_json;
} tmon_record_patterns;

/* record_find.c: the statements of a list, with what they need bound. Free with tmon_row_free. */
int tmon_record_filter_check(tmon_record_filter *out, const tmon_record_filter *given);
int tmon_record_find_sql(tmon_buffer *out, const tmon_record_filter *filter, bool count); /* `count`: how many; else the page, of `active` all */
int tmon_record_find(tmon_row **out, tmon_tx *tx, const tmon_record_filter *filter, const tmon_record_patterns *patterns, bool count);
int tmon_record_patterns_make(tmon_record_patterns *out, const tmon_record_filter *filter);
void tmon_record_patterns_free(tmon_record_patterns *patterns);
enum { TMON_RECORD_TEXTS = 12, TMON_RECORD_KEY = 40, TMON_RECORD_LEASE = 41, TMON_RECORD_CHILDREN = 42, TMON_RECORD_SUMMARY = 43 }; /* columns */

/* control.c: the word in every ring of the session that can be opened */
int tmon_control_signal(tmon_tx *tx, const char *id, tmon_control control);

/* event.c */
int tmon_event_write(tmon_tx *tx, const char *id, const char *kind, const char *level, const char *message); /* by this process, now */
int tmon_status_event(tmon_tx *tx, const char *id, tmon_status before, tmon_status after);                   /* of a session without a ring */
/* A sign of life: of a session fed over REST, one that had not begun or was given up runs, and one that ended stays so. Others: nothing. */
int tmon_session_heard(tmon_tx *tx, int64_t session);
#endif
