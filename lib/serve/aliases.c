/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The alias table of messages: names that trainers and frameworks log, and the field that each fills. docs/design/serve.md lists it. */
#include "serve/aliases.h"

#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/own_names.h"
#include "util/text.h"

#include <math.h>
#include <string.h>
#include <strings.h>

static const struct {
  const char *key;
  tmon_field field;
} aliases[] = {
    {"loss", TMON_FIELD_LOSS_TRAIN},
    {"train_loss", TMON_FIELD_LOSS_TRAIN},
    {"train/loss", TMON_FIELD_LOSS_TRAIN},
    {"training_loss", TMON_FIELD_LOSS_TRAIN},
    {"loss/train", TMON_FIELD_LOSS_TRAIN},
    {"loss.train", TMON_FIELD_LOSS_TRAIN},
    {"total_loss", TMON_FIELD_LOSS_TRAIN},
    {"train_loss_step", TMON_FIELD_LOSS_TRAIN},
    {"train_loss_epoch", TMON_FIELD_LOSS_TRAIN},
    {"val_loss", TMON_FIELD_LOSS_VAL},
    {"val/loss", TMON_FIELD_LOSS_VAL},
    {"valid_loss", TMON_FIELD_LOSS_VAL},
    {"validation_loss", TMON_FIELD_LOSS_VAL},
    {"eval_loss", TMON_FIELD_LOSS_VAL},
    {"eval/loss", TMON_FIELD_LOSS_VAL},
    {"loss/val", TMON_FIELD_LOSS_VAL},
    {"loss.val", TMON_FIELD_LOSS_VAL},
    {"test_loss", TMON_FIELD_LOSS_VAL},
    {"accuracy", TMON_FIELD_ACCURACY_TRAIN},
    {"acc", TMON_FIELD_ACCURACY_TRAIN},
    {"train_acc", TMON_FIELD_ACCURACY_TRAIN},
    {"train_accuracy", TMON_FIELD_ACCURACY_TRAIN},
    {"train/accuracy", TMON_FIELD_ACCURACY_TRAIN},
    {"train/acc", TMON_FIELD_ACCURACY_TRAIN},
    {"accuracy/train", TMON_FIELD_ACCURACY_TRAIN},
    {"accuracy.train", TMON_FIELD_ACCURACY_TRAIN},
    {"val_acc", TMON_FIELD_ACCURACY_VAL},
    {"val_accuracy", TMON_FIELD_ACCURACY_VAL},
    {"val/accuracy", TMON_FIELD_ACCURACY_VAL},
    {"val/acc", TMON_FIELD_ACCURACY_VAL},
    {"eval_accuracy", TMON_FIELD_ACCURACY_VAL},
    {"eval/accuracy", TMON_FIELD_ACCURACY_VAL},
    {"accuracy/val", TMON_FIELD_ACCURACY_VAL},
    {"accuracy.val", TMON_FIELD_ACCURACY_VAL},
    {"test_accuracy", TMON_FIELD_ACCURACY_VAL},
    {"auc", TMON_FIELD_AUC_MACRO},
    {"auc_roc", TMON_FIELD_AUC_MACRO},
    {"val_auc", TMON_FIELD_AUC_MACRO},
    {"val/auc", TMON_FIELD_AUC_MACRO},
    {"auc_macro", TMON_FIELD_AUC_MACRO},
    {"auc_roc_macro", TMON_FIELD_AUC_MACRO},
    {"val_auc_macro", TMON_FIELD_AUC_MACRO},
    {"auc_roc/macro", TMON_FIELD_AUC_MACRO},
    {"auc_roc.macro", TMON_FIELD_AUC_MACRO},
    {"auc_weighted", TMON_FIELD_AUC_WEIGHTED},
    {"auc_roc_weighted", TMON_FIELD_AUC_WEIGHTED},
    {"val_auc_weighted", TMON_FIELD_AUC_WEIGHTED},
    {"auc_roc/weighted", TMON_FIELD_AUC_WEIGHTED},
    {"auc_roc.weighted", TMON_FIELD_AUC_WEIGHTED},
    {"f1", TMON_FIELD_F1},
    {"f1_score", TMON_FIELD_F1},
    {"val_f1", TMON_FIELD_F1},
    {"val/f1", TMON_FIELD_F1},
    {"f1_macro", TMON_FIELD_F1},
    {"val_f1_score", TMON_FIELD_F1},
    {"metrics/f1", TMON_FIELD_F1},
    {"lr", TMON_FIELD_LEARNING_RATE},
    {"learning_rate", TMON_FIELD_LEARNING_RATE},
    {"train/learning_rate", TMON_FIELD_LEARNING_RATE},
    {"train/lr", TMON_FIELD_LEARNING_RATE},
    {"lr/pg0", TMON_FIELD_LEARNING_RATE},
    {"lr-adam", TMON_FIELD_LEARNING_RATE},
    {"lr-sgd", TMON_FIELD_LEARNING_RATE},
    {"lr-adamw", TMON_FIELD_LEARNING_RATE},
    {"gpu_usage", TMON_FIELD_GPU_USAGE},
    {"gpu/usage", TMON_FIELD_GPU_USAGE},
    {"system/gpu_usage", TMON_FIELD_GPU_USAGE},
    {"gpu_memory", TMON_FIELD_GPU_MEMORY},
    {"gpu/memory", TMON_FIELD_GPU_MEMORY},
    {"system/gpu_memory", TMON_FIELD_GPU_MEMORY},
    {"gpu_temp", TMON_FIELD_GPU_TEMPERATURE},
    {"gpu/temperature", TMON_FIELD_GPU_TEMPERATURE},
    {"gpu_memory_mb", TMON_FIELD_GPU_MEMORY_MB},
    {"gpu/memory_mb", TMON_FIELD_GPU_MEMORY_MB},
    {"system/gpu_memory_mb", TMON_FIELD_GPU_MEMORY_MB},
    {"system/gpu_temp", TMON_FIELD_GPU_TEMPERATURE},
    {"ram_usage", TMON_FIELD_RAM_USAGE},
    {"ram/usage", TMON_FIELD_RAM_USAGE},
    {"system/ram_usage", TMON_FIELD_RAM_USAGE},
    {"system/memory_percent", TMON_FIELD_RAM_USAGE},
};

tmon_field tmon_alias_field(const char *key) {
  for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
    if (strcasecmp(aliases[i].key, key) == 0) {
      return aliases[i].field;
    }
  }
  return TMON_FIELD_NONE;
}

const char *tmon_alias_class(const char *key) {
  static const char prefix[] = "per_class/";
  return strncmp(key, prefix, sizeof prefix - 1) == 0 && key[sizeof prefix - 1] != '\0' ? key + sizeof prefix - 1 : NULL;
}

/* The figures "system/gpuN/NAME" that the library's sampler logs. */
static const struct {
  const char *name;
  tmon_field field;
} gpu_figures[TMON_GPU_FIGURES] = {{"usage_percent", TMON_FIELD_GPU_USAGE}, {"memory_percent", TMON_FIELD_GPU_MEMORY},
    {"memory_mb", TMON_FIELD_GPU_MEMORY_MB}, {"temperature", TMON_FIELD_GPU_TEMPERATURE}};

/* False: `key` is no such figure. */
static bool find_gpu(const char *key, size_t *gpu, size_t *figure) {
  static const char prefix[] = "system/gpu";
  if (strncmp(key, prefix, sizeof prefix - 1) != 0) return false;
  key += sizeof prefix - 1;
  size_t digits = strspn(key, "0123456789");
  if (digits == 0 || digits > 2 || key[digits] != '/') return false;
  *gpu = digits == 1 ? (size_t)(key[0] - '0') : (size_t)((key[0] - '0') * 10 + (key[1] - '0'));
  for (*figure = 0; *gpu < TMON_GPUS && *figure < TMON_GPU_FIGURES; (*figure)++) {
    if (strcmp(key + digits + 1, gpu_figures[*figure].name) == 0) return true;
  }
  return false;
}

/* One number for all GPUs: the mean of percents, the sum of memory, the hottest. */
static double sum_up(const tmon_latest *latest, size_t figure) {
  double sum = 0;
  double most = (double)NAN;
  size_t count = 0;
  for (size_t i = 0; i < TMON_GPUS; i++) {
    double value = latest->gpus[i][figure];
    if (!isfinite(value)) continue;
    sum += value;
    count++;
    if (!(value <= most)) most = value;
  }
  if (count == 0 || gpu_figures[figure].field == TMON_FIELD_GPU_TEMPERATURE) return most;
  return gpu_figures[figure].field == TMON_FIELD_GPU_MEMORY_MB ? sum : sum / (double)count;
}

void tmon_latest_init(tmon_latest *latest) {
  memset(latest, 0, sizeof *latest);
  for (size_t i = 0; i < TMON_GPUS * TMON_GPU_FIGURES; i++) latest->gpus[i / TMON_GPU_FIGURES][i % TMON_GPU_FIGURES] = (double)NAN;
  for (size_t i = 0; i < TMON_FIELD_COUNT; i++) {
    latest->value[i] = NAN;
    latest->time[i] = INT64_MIN;
  }
}

void tmon_latest_free(tmon_latest *latest) {
  tmon_free(latest->classes);
  tmon_free(latest->epoch_row);
  tmon_free(latest->config);
  tmon_json_free(latest->own);
  tmon_latest_init(latest);
}

void tmon_latest_configure(tmon_latest *latest, const char *config_json) {
  tmon_json *own = NULL;
  if (config_json == NULL || (latest->config != NULL && strcmp(latest->config, config_json) == 0)) {
    return;
  }
  char *copy = tmon_strdup(config_json);
  if (copy == NULL || tmon_own_names_read(&own, config_json) != TMON_OK) {
    tmon_free(copy);
    return;
  }
  tmon_free(latest->config);
  tmon_json_free(latest->own);
  latest->config = copy;
  latest->own = own;
}

tmon_field tmon_latest_field(const tmon_latest *latest, const char *key) { return tmon_alias_field(tmon_own_name(latest->own, key)); }

static void set_class(tmon_latest *latest, const char *name, const tmon_point *point) {
  size_t i = 0;
  while (i < latest->class_count && strncmp(latest->classes[i].name, name, TMON_CLASS_NAME_BYTES - 1) != 0) {
    i++;
  }
  if (i == latest->class_count) {
    if (i == TMON_CLASSES) {
      return;
    }
    if (i == latest->class_capacity) {
      tmon_class_value *grown = tmon_realloc(latest->classes, i + 32, sizeof *grown);
      if (grown == NULL) {
        return;
      }
      latest->classes = grown;
      latest->class_capacity = i + 32;
    }
    (void)tmon_text_copy(latest->classes[i].name, TMON_CLASS_NAME_BYTES, name);
    latest->classes[i].time = INT64_MIN;
    latest->class_count++;
  }
  if (point->time >= latest->classes[i].time) {
    latest->classes[i].time = point->time;
    latest->classes[i].value = point->value;
  }
}

void tmon_latest_set(tmon_latest *latest, const char *key, const tmon_point *point) {
  tmon_field field = tmon_latest_field(latest, key);
  const char *name = tmon_alias_class(key);
  size_t gpu = 0;
  size_t figure = 0;
  if (find_gpu(key, &gpu, &figure)) {
    latest->gpus[gpu][figure] = point->value;
    field = gpu_figures[figure].field;
    if (point->time >= latest->time[field]) {
      latest->time[field] = point->time;
      latest->value[field] = sum_up(latest, figure);
    }
    return;
  }
  if (field != TMON_FIELD_NONE && point->time >= latest->time[field]) {
    latest->time[field] = point->time;
    latest->value[field] = point->value;
  } else if (name != NULL) {
    set_class(latest, name, point);
  }
}
