/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The kinds of results: columns with their bounds, and the statements. docs/reference/results.md lists the fields. */
#include "track/result_table.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define WHOLE 9007199254740992.0 /* 2^53: what JSON numbers hold exactly */
#define ANY 1.7976931348623157e308
#define KEEP(column) column " = coalesce(excluded." column ", " column "), "
#define NOW "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
/* What JSON calls null is not kept; a later null takes a field away. */
#define EXTRA(parameter) "json_patch('{}', " parameter ")"
#define EXTRA_AGAIN(parameter) "extra = json_patch(extra, " parameter "), updated_at = " NOW
#define PAGE " LIMIT ?7 OFFSET ?8"
/* clang-format off: one column a line */

static const tmon_result_column validation_columns[] = {
    {"session_id", TMON_COLUMN_ID, true, 0, 0, NULL, NULL},
    {"epoch", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"dataset_split", TMON_COLUMN_NAME, false, 0, 0, "split", NULL},
    {"class_name", TMON_COLUMN_NAME, false, 0, 0, "class", NULL},
    {"class_group", TMON_COLUMN_NAME, false, 0, 0, "group", NULL},
    {"images", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"instances", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"support", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"accuracy", TMON_COLUMN_REAL, false, 0, 1, NULL, NULL},
    {"precision", TMON_COLUMN_REAL, false, 0, 1, NULL, NULL},
    {"recall", TMON_COLUMN_REAL, false, 0, 1, NULL, NULL},
    {"f1_score", TMON_COLUMN_REAL, false, 0, 1, "f1", NULL},
    {"sensitivity", TMON_COLUMN_REAL, false, 0, 1, NULL, NULL},
    {"specificity", TMON_COLUMN_REAL, false, 0, 1, NULL, NULL},
    {"auc_roc", TMON_COLUMN_REAL, false, 0, 1, "auc", NULL},
    {"map50", TMON_COLUMN_REAL, false, 0, 1, "mAP50", NULL},
    {"map50_95", TMON_COLUMN_REAL, false, 0, 1, "mAP50-95", NULL},
};
#define VALIDATION_SELECT                                                                                                                                 \
  "SELECT id, session_id, epoch, dataset_split, class_name, class_group, images, instances, support, accuracy, precision, recall, f1_score, sensitivity," \
  " specificity, auc_roc, map50, map50_95, extra, created_at, updated_at FROM validation_results "
#define VALIDATION_REST " AND (?3 IS NULL OR dataset_split = ?3) AND (?4 IS NULL OR class_name = ?4)"

static const tmon_result_column confusion_columns[] = {
    {"session_id", TMON_COLUMN_ID, true, 0, 0, NULL, NULL},
    {"epoch", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"dataset_split", TMON_COLUMN_NAME, false, 0, 0, "split", NULL},
    {"class_names", TMON_COLUMN_TEXTS, true, 0, 0, "classes", NULL},
    {"class_groups", TMON_COLUMN_OTHER, false, 0, 0, "groups", NULL},
    {"matrix", TMON_COLUMN_OTHER, false, 0, 0, NULL, NULL},
};
#define CONFUSION_SELECT                                                                                                                                  \
  "SELECT id, session_id, epoch, dataset_split, class_names, class_groups, matrix, extra, created_at, updated_at FROM confusion_matrices "

static const tmon_result_column benchmark_columns[] = {
    {"session_id", TMON_COLUMN_ID, false, 0, 0, NULL, NULL},
    {"model_name", TMON_COLUMN_NAME, false, 0, 0, "model", NULL},
    {"model_path", TMON_COLUMN_TEXT, false, 0, 4096, NULL, NULL},
    {"device", TMON_COLUMN_NAME, false, 0, 0, NULL, NULL},
    {"batch_size", TMON_COLUMN_INT, false, 1, WHOLE, NULL, NULL},
    {"img_size", TMON_COLUMN_INT, false, 1, WHOLE, NULL, NULL},
    {"runs", TMON_COLUMN_INT, false, 1, WHOLE, NULL, NULL},
    {"avg_inference_ms", TMON_COLUMN_REAL, false, 0, ANY, "mean_inference_ms", NULL},
    {"min_inference_ms", TMON_COLUMN_REAL, false, 0, ANY, NULL, NULL},
    {"max_inference_ms", TMON_COLUMN_REAL, false, 0, ANY, NULL, NULL},
    {"p50_inference_ms", TMON_COLUMN_REAL, false, 0, ANY, "median_inference_ms", NULL},
    {"p95_inference_ms", TMON_COLUMN_REAL, false, 0, ANY, NULL, NULL},
    {"p99_inference_ms", TMON_COLUMN_REAL, false, 0, ANY, NULL, NULL},
    {"throughput_fps", TMON_COLUMN_REAL, false, 0, ANY, "throughput", NULL},
    {"memory_mb", TMON_COLUMN_REAL, false, 0, ANY, NULL, NULL},
};
#define BENCHMARK_SELECT                                                                                                                                  \
  "SELECT id, session_id, model_name, model_path, device, batch_size, img_size, runs, avg_inference_ms, min_inference_ms, max_inference_ms,"              \
  " p50_inference_ms, p95_inference_ms, p99_inference_ms, throughput_fps, memory_mb, extra, created_at FROM model_benchmarks "

static const tmon_result_column dataset_columns[] = {
    {"name", TMON_COLUMN_NAME, true, 0, 0, NULL, NULL},
    {"version", TMON_COLUMN_TEXT, false, 0, 250, NULL, NULL},
    {"description", TMON_COLUMN_TEXT, false, 0, 4096, NULL, NULL},
    {"path", TMON_COLUMN_TEXT, false, 0, 4096, NULL, NULL},
    {"format", TMON_COLUMN_TEXT, false, 0, 250, NULL, NULL},
    {"total_images", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"train_images", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"val_images", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"test_images", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"num_classes", TMON_COLUMN_INT, false, 0, WHOLE, NULL, NULL},
    {"class_names", TMON_COLUMN_TEXTS, false, 0, 0, "classes", NULL},
    {"statistics", TMON_COLUMN_OBJECT, false, 0, 0, NULL, NULL},
};
#define DATASET_SELECT                                                                                                                                     \
  "SELECT id, name, version, description, path, format, total_images, train_images, val_images, test_images, num_classes, class_names, statistics, extra," \
  " created_at, updated_at FROM training_datasets "

static const char *const directions[] = {"minimize", "maximize", NULL};
static const char *const statuses[] = {"pending", "running", "completed", "failed", "cancelled", "interrupted", NULL};
static const tmon_result_column trial_columns[] = {
    {"session_id", TMON_COLUMN_ID, false, 0, 0, NULL, NULL},
    {"experiment_name", TMON_COLUMN_NAME, true, 0, 0, "experiment", NULL},
    {"trial", TMON_COLUMN_INT, false, 0, WHOLE, "trial_number", NULL},
    {"parameters", TMON_COLUMN_OBJECT, false, 0, 0, NULL, NULL},
    {"search_space", TMON_COLUMN_OBJECT, false, 0, 0, NULL, NULL},
    {"objective", TMON_COLUMN_NAME, false, 0, 0, NULL, NULL},
    {"objective_value", TMON_COLUMN_REAL, false, -ANY, ANY, NULL, NULL},
    {"direction", TMON_COLUMN_WORD, false, 0, 0, NULL, directions},
    {"status", TMON_COLUMN_WORD, false, 0, 0, NULL, statuses},
    {"started_at", TMON_COLUMN_TIME, false, 0, 0, NULL, NULL},
    {"completed_at", TMON_COLUMN_TIME, false, 0, 0, NULL, NULL},
};
#define TRIAL_SELECT                                                                                                                                         \
  "SELECT id, session_id, experiment_name, trial, parameters, search_space, objective, objective_value, direction, status, started_at, completed_at, extra," \
  " created_at, updated_at FROM hyperparameter_runs "

static const tmon_result_table tables[] = {
    [TMON_RESULT_VALIDATION] = {"validation_results", "validation_result", validation_columns, COUNT(validation_columns),
        TMON_FILTER_SESSION | TMON_FILTER_EPOCH | TMON_FILTER_CLASS, true,
        "INSERT INTO validation_results (session_id, epoch, dataset_split, class_name, class_group, images, instances, support, accuracy, precision, recall,"
        " f1_score, sensitivity, specificity, auc_roc, map50, map50_95, extra)"
        " VALUES (?1, ?2, coalesce(?3, 'val'), ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, " EXTRA(
            "?18") ")"
                   " ON CONFLICT (session_id, coalesce(epoch, -1), dataset_split, coalesce(class_name, '')) DO UPDATE SET " KEEP("class_group")
                       KEEP("images") KEEP("instances") KEEP("support") KEEP("accuracy") KEEP("precision") KEEP("recall") KEEP("f1_score")
                           KEEP("sensitivity") KEEP("specificity") KEEP("auc_roc") KEEP("map50") KEEP("map50_95") EXTRA_AGAIN("?18") " RETURNING id",
        VALIDATION_SELECT "WHERE id = ?1" PAGE, VALIDATION_SELECT "WHERE session_id = ?1 AND epoch IS ?2" VALIDATION_REST " ORDER BY id" PAGE,
        VALIDATION_SELECT "WHERE session_id = ?1" VALIDATION_REST " ORDER BY epoch DESC, id" PAGE, NULL,
        VALIDATION_SELECT "WHERE 1" VALIDATION_REST " ORDER BY id DESC" PAGE},
    [TMON_RESULT_CONFUSION] = {"confusion_matrices", "confusion_matrix", confusion_columns, COUNT(confusion_columns),
        TMON_FILTER_SESSION | TMON_FILTER_EPOCH | TMON_FILTER_MATRIX, true,
        "INSERT INTO confusion_matrices (session_id, epoch, dataset_split, classes, class_names, class_groups, matrix, extra)"
        " VALUES (?1, ?2, coalesce(?3, 'val'), ?4, ?5, ?6, ?7, " EXTRA(
            "?8") ")"
                  " ON CONFLICT (session_id, coalesce(epoch, -1), dataset_split) DO UPDATE SET classes = excluded.classes, class_names = excluded.class_names,"
                  " class_groups = excluded.class_groups, matrix = excluded.matrix, extra = excluded.extra, updated_at = " NOW " RETURNING id",
        CONFUSION_SELECT "WHERE id = ?1" PAGE,
        CONFUSION_SELECT "WHERE session_id = ?1 AND epoch IS ?2 AND (?3 IS NULL OR dataset_split = ?3) ORDER BY id" PAGE,
        CONFUSION_SELECT "WHERE session_id = ?1 AND (?3 IS NULL OR dataset_split = ?3) ORDER BY epoch DESC, id" PAGE, NULL,
        CONFUSION_SELECT "WHERE (?3 IS NULL OR dataset_split = ?3) ORDER BY id DESC" PAGE},
    [TMON_RESULT_BENCHMARK] = {"benchmarks", "benchmark", benchmark_columns, COUNT(benchmark_columns), TMON_FILTER_SESSION | TMON_FILTER_NAME, false,
        "INSERT INTO model_benchmarks (session_id, model_name, model_path, device, batch_size, img_size, runs, avg_inference_ms, min_inference_ms,"
        " max_inference_ms, p50_inference_ms, p95_inference_ms, p99_inference_ms, throughput_fps, memory_mb, extra)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, " EXTRA("?16") ") RETURNING id",
        BENCHMARK_SELECT "WHERE id = ?1" PAGE, NULL,
        BENCHMARK_SELECT "WHERE session_id = ?1 AND (?5 IS NULL OR model_name = ?5) ORDER BY created_at DESC, id DESC" PAGE, NULL,
        BENCHMARK_SELECT "WHERE (?5 IS NULL OR model_name = ?5) ORDER BY id DESC" PAGE},
    [TMON_RESULT_DATASET] = {"datasets", "dataset", dataset_columns, COUNT(dataset_columns), TMON_FILTER_NAME, true,
        "INSERT INTO training_datasets (name, version, description, path, format, total_images, train_images, val_images, test_images, num_classes, class_names,"
        " statistics, extra)"
        " VALUES (?1, coalesce(?2, ''), ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, coalesce(?11, '[]'), coalesce(?12, '{}'), " EXTRA("?13") ") RETURNING id",
        DATASET_SELECT "WHERE id = ?1" PAGE, NULL, NULL, DATASET_SELECT "WHERE name = ?1 ORDER BY id DESC" PAGE, DATASET_SELECT "ORDER BY id DESC" PAGE},
    [TMON_RESULT_TRIAL] = {"hyperparameter_runs", "hyperparameter_run", trial_columns, COUNT(trial_columns), TMON_FILTER_SESSION | TMON_FILTER_EXPERIMENT,
        true,
        "INSERT INTO hyperparameter_runs (session_id, experiment_name, trial, parameters, search_space, objective, objective_value, direction, status, started_at,"
        " completed_at, extra)"
        " VALUES (?1, ?2, ?3, coalesce(?4, '{}'), coalesce(?5, '{}'), ?6, ?7, ?8, coalesce(?9, CASE WHEN ?7 IS NULL THEN 'pending' ELSE 'completed' END),"
        " ?10, ?11, " EXTRA("?12") ") ON CONFLICT (experiment_name, trial) DO UPDATE SET " KEEP(
            "session_id") "parameters = coalesce(?4, parameters), search_space = coalesce(?5, search_space), " KEEP("objective") KEEP("objective_value")
            KEEP("direction") "status = coalesce(?9, CASE WHEN ?7 IS NULL THEN status ELSE 'completed' END), " KEEP("started_at") KEEP("completed_at")
                EXTRA_AGAIN("?12") " RETURNING id",
        TRIAL_SELECT "WHERE id = ?1" PAGE, NULL, TRIAL_SELECT "WHERE session_id = ?1 ORDER BY id DESC" PAGE,
        TRIAL_SELECT "WHERE experiment_name = ?1 AND (?6 IS NULL OR session_id = ?6) ORDER BY trial, id" PAGE, TRIAL_SELECT "ORDER BY id DESC" PAGE},
};
/* clang-format on */

const tmon_result_table *tmon_result_table_of(tmon_result_kind kind) {
  if ((unsigned)kind < COUNT(tables)) return &tables[kind];
  (void)tmon_error_set_field(TMON_EINVAL, "kind", "%d is no kind of result", (int)kind);
  return NULL;
}
