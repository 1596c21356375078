/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Names that a session itself declares for metrics. A target is no alias of anything, so that to translate a name twice is to translate it once. */
#include "util/own_names.h"

#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/error.h"
#include "util/text.h"

#include <string.h>

#define FIELD "config.metric_aliases"

/* Columns of training_metrics, then fields of metrics_update that are none of them. Documented in docs/reference/metrics.md. */
static const char *const targets[] = {"box_loss", "cls_loss", "dfl_loss", "total_loss", "precision", "recall", "map50", "map50_95", "learning_rate",
    "epoch_time_seconds", "gpu_memory_mb", "val_loss", "train_accuracy", "val_accuracy", "loss.train", "loss.val", "accuracy.train", "accuracy.val",
    "auc_roc.macro", "auc_roc.weighted", "f1_score", "gpu_usage", "gpu_memory", "gpu_temp", "ram_usage"};

const char *tmon_own_names_target(size_t index) { return index < sizeof targets / sizeof *targets ? targets[index] : NULL; }

static const char *find_target(const char *name) {
  for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
    if (strcmp(targets[i], name) == 0) return targets[i];
  }
  return NULL;
}

static int check_alias(const tmon_json *item) {
  const char *name = tmon_json_key(item);
  const char *target = tmon_json_text(item);
  if (!tmon_text_is_key(name)) {
    return tmon_error_set_field(
        TMON_EINVAL, FIELD, FIELD ": \"%.64s\" is no allowed name, expected UTF-8 of 1 to 250 bytes without control characters", name);
  }
  if (find_target(name) != NULL || strcmp(name, "nonfinite") == 0) {
    return tmon_error_set_field(TMON_EINVAL, FIELD, FIELD ": \"%.64s\" has a meaning that can't be changed", name);
  }
  if (target == NULL) return tmon_error_set_field(TMON_EINVAL, FIELD, FIELD ": \"%.64s\" must be a text", name);
  if (find_target(target) == NULL) {
    return tmon_error_set_field(
        TMON_EINVAL, FIELD, FIELD ": \"%.64s\" means \"%.64s\", expected a column or field such as map50 or loss.val", name, target);
  }
  return TMON_OK;
}

/* False: the text says nothing of aliases, which is seen without reading it. JSON may write a letter as \u006d. */
static bool may_have(const char *config_json) {
  return config_json != NULL && (strstr(config_json, "\"metric_aliases\"") != NULL || strstr(config_json, "\\u") != NULL);
}

int tmon_own_names_check(const char *config_json) {
  tmon_json *config = NULL;
  size_t count = 0;
  if (!may_have(config_json)) return TMON_OK;
  int result = tmon_json_parse(&config, config_json, strlen(config_json));
  const tmon_json *own = tmon_json_get(config, "metric_aliases");
  if (result == TMON_OK && own != NULL && tmon_json_type(own) != TMON_JSON_OBJECT) {
    result = tmon_error_set_field(TMON_EINVAL, FIELD, FIELD " must be an object of texts");
  }
  for (const tmon_json *item = tmon_json_first(own); result == TMON_OK && item != NULL; item = tmon_json_next(item)) {
    if (++count > TMON_OWN_NAMES) result = tmon_error_set_field(TMON_EINVAL, FIELD, FIELD " has more than %d names", (int)TMON_OWN_NAMES);
    else result = check_alias(item);
  }
  tmon_json_free(config);
  return result;
}

int tmon_own_names_read(tmon_json **out, const char *config_json) {
  tmon_json *config = NULL;
  *out = NULL;
  if (!may_have(config_json)) return TMON_OK;
  int result = tmon_json_parse(&config, config_json, strlen(config_json));
  const tmon_json *own = tmon_json_get(config, "metric_aliases");
  if (result == TMON_OK && tmon_json_type(own) == TMON_JSON_OBJECT && tmon_json_first(own) != NULL) {
    char *text = tmon_json_print(own);
    result = text == NULL ? tmon_error_no_memory() : tmon_json_parse(out, text, strlen(text));
    tmon_free(text);
  }
  tmon_json_free(config);
  return result == TMON_EINVAL ? TMON_OK : result;
}

const char *tmon_own_name(const tmon_json *own, const char *key) {
  const char *target = own == NULL || find_target(key) != NULL ? NULL : tmon_json_text(tmon_json_get(own, key));
  const char *known = target == NULL ? NULL : find_target(target);
  return known != NULL ? known : key;
}
