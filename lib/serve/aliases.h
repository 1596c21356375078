/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which field of a message a metric's name fills, and the latest value of each field. */
#ifndef TRAINMON_SERVE_ALIASES_H
#define TRAINMON_SERVE_ALIASES_H
#include "trainmon/series.h"
#include "util/json.h"

#include <stddef.h>

typedef enum tmon_field {
  TMON_FIELD_LOSS_TRAIN,
  TMON_FIELD_LOSS_VAL,
  TMON_FIELD_ACCURACY_TRAIN,
  TMON_FIELD_ACCURACY_VAL,
  TMON_FIELD_AUC_MACRO,
  TMON_FIELD_AUC_WEIGHTED,
  TMON_FIELD_F1,
  TMON_FIELD_LEARNING_RATE,
  TMON_FIELD_GPU_USAGE,
  TMON_FIELD_GPU_MEMORY,
  TMON_FIELD_GPU_MEMORY_MB,
  TMON_FIELD_GPU_TEMPERATURE,
  TMON_FIELD_RAM_USAGE,
  TMON_FIELD_COUNT,
  TMON_FIELD_NONE = -1
} tmon_field;

enum { TMON_CLASSES = 256, TMON_CLASS_NAME_BYTES = 64, TMON_GPUS = 16, TMON_GPU_FIGURES = 4 };

typedef struct tmon_class_value {
  char name[TMON_CLASS_NAME_BYTES];
  int64_t time;
  double value;
} tmon_class_value;

/* The latest value of each field, NaN where there is none. Of several metrics that fill one field the latest point counts. */
typedef struct tmon_latest {
  double value[TMON_FIELD_COUNT];
  int64_t time[TMON_FIELD_COUNT];
  double gpus[TMON_GPUS][TMON_GPU_FIGURES]; /* of the library's sampler; the fields hold what they make together */
  size_t class_count;
  size_t class_capacity;
  tmon_class_value *classes;
  tmon_json *own;     /* names of the session's own, NULL: none */
  char *config;       /* what they were read from; NULL: nothing was */
  char *epoch_row;    /* the epoch row that was taken last, as JSON */
  int64_t epoch_time; /* its time, which is that of the fields it filled */
} tmon_latest;

tmon_field tmon_alias_field(const char *key);  /* without regard to case */
const char *tmon_alias_class(const char *key); /* the class of "per_class/NAME"; NULL: another metric */

void tmon_latest_init(tmon_latest *latest);
void tmon_latest_free(tmon_latest *latest);
/* What the session's configuration says of names counts for what is set from now on. No memory: what it said before. */
void tmon_latest_configure(tmon_latest *latest, const char *config_json);
tmon_field tmon_latest_field(const tmon_latest *latest, const char *key);            /* the field that the name fills in this session */
void tmon_latest_set(tmon_latest *latest, const char *key, const tmon_point *point); /* no memory: the class is left out */
#endif
