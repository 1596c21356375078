/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Sessions and their latest values as JSON. */
#include "serve/session_json.h"

#include "util/text.h"

#include <math.h>
#include <string.h>

static const char *const status_names[] = {"pending", "running", "completed", "failed", "cancelled", "interrupted"};

const char *tmon_status_word(tmon_status status) {
  return (size_t)status < sizeof status_names / sizeof status_names[0] ? status_names[status] : "interrupted";
}

bool tmon_status_from_name(const char *name, tmon_status *out) {
  for (size_t i = 0; i < sizeof status_names / sizeof status_names[0]; i++) {
    if (strcmp(name, status_names[i]) == 0) {
      *out = (tmon_status)i;
      return true;
    }
  }
  *out = TMON_STATUS_RUNNING;
  return strcmp(name, "training") == 0;
}

const char *tmon_control_name(tmon_control control) { return control == TMON_CONTROL_PAUSE ? "pause" : control == TMON_CONTROL_STOP ? "stop" : "run"; }

void tmon_json_put_time(tmon_json_writer *json, const char *key, int64_t time_us) {
  char text[TMON_ISO_TIME_BYTES];
  if (time_us == 0) {
    tmon_json_put_null(json, key);
    return;
  }
  tmon_text_from_time(text, time_us);
  tmon_json_put_text(json, key, text);
}

static void put_known(tmon_json_writer *json, const char *key, bool known, int64_t value) {
  if (known) {
    tmon_json_put_int(json, key, value);
  } else {
    tmon_json_put_null(json, key);
  }
}

static void put_count(tmon_json_writer *json, const char *key, int64_t value) { put_known(json, key, value != 0, value); }

/* A trainer that never says how far it is, such as a plain loop, is not at epoch 0. */
static void put_epoch(tmon_json_writer *json, const tmon_record *record) {
  const tmon_progress *progress = &record->progress;
  put_known(json, "epoch", progress->epoch != 0 || progress->epochs != 0 || record->epochs != 0, progress->epoch);
}

static void put_batch(tmon_json_writer *json, const tmon_progress *progress) {
  put_known(json, "batch", progress->batch != 0 || progress->batches != 0, progress->batch);
}

static void put_progress(tmon_json_writer *json, const tmon_record *record, int64_t now_us) {
  const tmon_progress *progress = &record->progress;
  double elapsed = record->duration_seconds;
  if (!isfinite(elapsed) && record->started_at != 0 && record->completed_at == 0) {
    elapsed = (double)(now_us - record->started_at) / 1e6;
  }
  int64_t epochs = progress->epochs != 0 ? progress->epochs : record->epochs;
  tmon_json_open(json, "progress", '{');
  put_epoch(json, record);
  put_count(json, "epochs", epochs);
  put_batch(json, progress);
  put_count(json, "batches", progress->batches);
  tmon_json_put_int(json, "images", progress->images);
  tmon_json_put_double(json, "percent", record->percent > 0 || epochs != 0 || progress->batches != 0 ? record->percent : NAN);
  tmon_json_put_double(json, "elapsed_seconds", elapsed);
  tmon_json_put_double(json, "eta_seconds", record->eta_seconds);
  tmon_json_close(json, '}');
}

static void put_results(tmon_json_writer *json, const tmon_record *record) {
  if (record->best_epoch < 0) {
    tmon_json_put_null(json, "best_epoch");
  } else {
    tmon_json_put_int(json, "best_epoch", record->best_epoch);
  }
  tmon_json_put_double(json, "final_map50", record->final_map50);
  tmon_json_put_double(json, "final_map50_95", record->final_map50_95);
  tmon_json_put_double(json, "final_precision", record->final_precision);
  tmon_json_put_double(json, "final_recall", record->final_recall);
  tmon_json_put_double(json, "final_loss", record->final_loss);
  tmon_json_put_text(json, "model_path", record->model_path);
  tmon_json_put_text(json, "error_message", record->error_text);
  tmon_json_put_int(json, "dropped", record->dropped);
  tmon_json_put_int(json, "attempts", record->attempts);
}

void tmon_session_json(tmon_json_writer *json, const char *key, const tmon_record *record, bool full, int64_t now_us) {
  tmon_json_open(json, key, '{');
  tmon_json_put_text(json, "id", record->id);
  tmon_json_put_text(json, "session_name", record->name);
  tmon_json_put_text(json, "model_type", record->model_type);
  tmon_json_put_text(json, "dataset_name", record->dataset_name);
  put_count(json, "dataset_size", record->dataset_size);
  put_count(json, "epochs", record->epochs);
  put_count(json, "batch_size", record->batch_size);
  tmon_json_put_double(json, "learning_rate", record->learning_rate);
  put_count(json, "img_size", record->img_size);
  if (full) {
    tmon_json_put_raw(json, "config", record->config_json != NULL ? record->config_json : "{}");
    tmon_json_put_raw(json, "hardware_info", record->hardware_json != NULL ? record->hardware_json : "{}");
    tmon_json_put_raw(json, "summary", record->summary_json != NULL ? record->summary_json : "{}");
    tmon_json_put_text(json, "notes", record->notes);
  }
  tmon_json_put_raw(json, "tags", record->tags_json != NULL ? record->tags_json : "[]");
  tmon_json_put_text(json, "parent_id", record->parent_id);
  tmon_json_put_int(json, "children", record->children);
  tmon_json_put_text(json, "best_metric", record->best_metric);
  tmon_json_put_text(json, "status", tmon_status_word(record->status));
  tmon_json_put_text(json, "control", tmon_control_name(record->control));
  tmon_json_put_bool(json, "paused", record->paused);
  tmon_json_put_bool(json, "live", record->live);
  tmon_json_put_bool(json, "unreachable", record->unreachable);
  tmon_json_put_bool(json, "rest", record->rest);
  tmon_json_put_time(json, "created_at", record->created_at);
  tmon_json_put_time(json, "started_at", record->started_at);
  tmon_json_put_time(json, "completed_at", record->completed_at);
  tmon_json_put_time(json, "updated_at", record->updated_at);
  tmon_json_put_double(json, "duration_seconds", record->duration_seconds);
  put_results(json, record);
  put_progress(json, record, now_us);
  tmon_json_close(json, '}');
}

static void put_pair(tmon_json_writer *json, const char *key, const char *first, double first_value, const char *second, double second_value) {
  tmon_json_open(json, key, '{');
  tmon_json_put_double(json, first, first_value);
  tmon_json_put_double(json, second, second_value);
  tmon_json_close(json, '}');
}

void tmon_metrics_json(tmon_json_writer *json, const tmon_record *record, const tmon_latest *latest, const char *conditions, int64_t now_us) {
  const double *value = latest->value;
  tmon_json_put_text(json, "session_id", record->id);
  put_epoch(json, record);
  put_batch(json, &record->progress);
  put_count(json, "total_batches", record->progress.batches);
  tmon_json_open(json, "metrics", '{');
  put_pair(json, "loss", "train", value[TMON_FIELD_LOSS_TRAIN], "val", value[TMON_FIELD_LOSS_VAL]);
  put_pair(json, "accuracy", "train", value[TMON_FIELD_ACCURACY_TRAIN], "val", value[TMON_FIELD_ACCURACY_VAL]);
  put_pair(json, "auc_roc", "macro", value[TMON_FIELD_AUC_MACRO], "weighted", value[TMON_FIELD_AUC_WEIGHTED]);
  tmon_json_put_double(json, "f1_score", value[TMON_FIELD_F1]);
  tmon_json_put_double(json, "learning_rate", isfinite(value[TMON_FIELD_LEARNING_RATE]) ? value[TMON_FIELD_LEARNING_RATE] : record->learning_rate);
  tmon_json_put_raw(json, "critical_conditions", conditions != NULL ? conditions : "{}");
  tmon_json_open(json, "per_class", '{');
  for (size_t i = 0; i < latest->class_count; i++) {
    tmon_json_put_double(json, latest->classes[i].name, latest->classes[i].value);
  }
  tmon_json_close(json, '}');
  tmon_json_close(json, '}');
  tmon_json_open(json, "system", '{');
  tmon_json_put_double(json, "gpu_usage", value[TMON_FIELD_GPU_USAGE]);
  tmon_json_put_double(json, "gpu_memory", value[TMON_FIELD_GPU_MEMORY]);
  tmon_json_put_double(json, "gpu_memory_mb", value[TMON_FIELD_GPU_MEMORY_MB]);
  tmon_json_put_double(json, "gpu_temp", value[TMON_FIELD_GPU_TEMPERATURE]);
  tmon_json_put_double(json, "ram_usage", value[TMON_FIELD_RAM_USAGE]);
  tmon_json_put_double(json, "eta_seconds", record->eta_seconds);
  tmon_json_close(json, '}');
  tmon_json_put_time(json, "timestamp", now_us);
}
