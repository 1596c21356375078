/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The schema seen from the sqlite3 shell: the queries of the seed document, the triggers, the views. */
#include "fixture.h"

static void create(void) {
  make_scratch();
  tmon_db_close(open_db());
}

#define SHELL_IS(expected, sql) ck_assert_str_eq(shell(sql), expected)

START_TEST(queries_of_the_seed) {
  SHELL_IS("",
      "INSERT INTO training_sessions (session_name, model_type, dataset_name, status, started_at, completed_at, final_map50_95) VALUES"
      " ('a', 'yolov8n', 'd', 'completed', '2025-11-04T14:00:00Z', '2025-11-04T16:00:00Z', 0.5),"
      " ('b', 'yolov8n', 'd', 'completed', '2025-11-04T14:00:00Z', '2025-11-04T15:00:00Z', 0.75),"
      " ('c', 'yolov8s', 'd', 'running', '2025-11-04T14:00:00Z', NULL, NULL)");
  SHELL_IS("b", "SELECT session_name FROM (SELECT * FROM models_leaderboard\nWHERE rank = 1)");
  SHELL_IS("c", "SELECT session_name FROM (SELECT * FROM active_training_sessions\nORDER BY started_at DESC)");
  SHELL_IS("b|0.75|1.0|0.75\na|0.5|2.0|0.25",
      "SELECT\n  session_name,\n  final_map50_95,\n  duration_seconds / 3600.0 as hours,\n  final_map50_95 / (duration_seconds / 3600.0) as efficiency_score\n"
      "FROM training_sessions\nWHERE status = 'completed'\nORDER BY efficiency_score DESC;");
  SHELL_IS("yolov8n|0.625|5400.0|2",
      "SELECT\n  model_type,\n  AVG(final_map50_95) as avg_map,\n  AVG(duration_seconds) as avg_duration,\n"
      "  COUNT(*) as training_runs\nFROM training_sessions\nWHERE status = 'completed'\nGROUP BY model_type\nORDER BY avg_map DESC;");
  SHELL_IS("b|0", "SELECT session_name, epochs_recorded FROM training_performance_summary WHERE final_map50_95 = 0.75");
}
END_TEST

START_TEST(defaults_of_a_session) {
  SHELL_IS("", "INSERT INTO training_sessions (session_name) VALUES ('a'), ('b')");
  SHELL_IS("36|4|pending|{}|1|24\n36|4|pending|{}|2|24",
      "SELECT length(id), substr(id, 15, 1), status, config, key, length(created_at) FROM training_sessions ORDER BY key");
  SHELL_IS(
      "2", "SELECT count(*) FROM training_sessions WHERE substr(id, 20, 1) IN ('8', '9', 'a', 'b') AND id LIKE '________-____-____-____-____________'");
  SHELL_IS("",
      "INSERT INTO metric_keys (session, key) VALUES (2, 'loss'); DELETE FROM training_sessions WHERE key = 2; INSERT INTO training_sessions (session_name) VALUES ('c')");
  SHELL_IS("3", "SELECT key FROM training_sessions WHERE session_name = 'c'");
  ck_assert_ptr_nonnull(strstr(shell("UPDATE training_sessions SET status = 'training'"), "CHECK"));
  ck_assert_ptr_nonnull(strstr(shell("UPDATE training_sessions SET epochs = 'many'"), "cannot store TEXT"));
}
END_TEST

START_TEST(duration_follows_its_ends) {
  SHELL_IS("", "INSERT INTO training_sessions (id, session_name, started_at) VALUES ('a', 'a', '2025-11-04T14:00:00.000Z')");
  SHELL_IS("", "UPDATE training_sessions SET completed_at = '2025-11-05T14:00:01.250Z'");
  SHELL_IS("86401.25", "SELECT duration_seconds FROM training_sessions");
  SHELL_IS("", "UPDATE training_sessions SET completed_at = NULL");
  SHELL_IS("1", "SELECT duration_seconds IS NULL FROM training_sessions");
}
END_TEST

START_TEST(best_epoch) {
  SHELL_IS("", "INSERT INTO training_sessions (id, session_name) VALUES ('a', 'a'), ('b', 'b')");
  SHELL_IS("", "INSERT INTO training_metrics (session_id, epoch, total_loss) VALUES ('a', 1, 0.5), ('a', 2, 0.4), ('a', 3, 0.4), ('b', 9, 0.1)");
  SHELL_IS("2", "SELECT best_epoch FROM training_sessions WHERE id = 'a'");
  SHELL_IS("", "UPDATE training_metrics SET val_loss = 1 - epoch / 10.0 WHERE epoch <> 2");
  SHELL_IS("3", "SELECT best_epoch FROM training_sessions WHERE id = 'a'");
  SHELL_IS("",
      "INSERT INTO training_metrics (session_id, epoch, map50_95) VALUES ('a', 2, 0.3), ('a', 1, 0.3) ON CONFLICT (session_id, epoch) DO UPDATE SET map50_95 = excluded.map50_95");
  SHELL_IS("1", "SELECT best_epoch FROM training_sessions WHERE id = 'a'");
  SHELL_IS("", "DELETE FROM training_metrics WHERE epoch = 1");
  SHELL_IS("2|9", "SELECT (SELECT best_epoch FROM training_sessions WHERE id = 'a'), (SELECT best_epoch FROM training_sessions WHERE id = 'b')");
  SHELL_IS("", "DELETE FROM training_metrics");
  SHELL_IS("1", "SELECT best_epoch IS NULL FROM training_sessions WHERE id = 'a'");
}
END_TEST

START_TEST(changes_feed) {
  SHELL_IS("", "INSERT INTO training_sessions (id, session_name, started_at, completed_at) VALUES ('a', 'a', '2025-01-01', '2025-01-02')");
  SHELL_IS("training_sessions|INSERT|a\ntraining_sessions|UPDATE|a", "SELECT table_name, op, row_id FROM changes ORDER BY seq");
  SHELL_IS("",
      "DELETE FROM changes; UPDATE training_sessions SET lease_at = 5; INSERT INTO training_datasets (id, name) VALUES (7, 'd'); DELETE FROM training_datasets");
  SHELL_IS("training_datasets|INSERT|7\ntraining_datasets|DELETE|7", "SELECT table_name, op, row_id FROM changes ORDER BY seq");
  SHELL_IS("",
      "UPDATE training_sessions SET control = 1; INSERT INTO validation_results (session_id) VALUES ('a'); INSERT INTO model_benchmarks (session_id) VALUES ('a');"
      " INSERT INTO hyperparameter_runs (experiment_name) VALUES ('h'); INSERT INTO training_metrics (session_id, epoch) VALUES ('a', 1)");
  SHELL_IS("training_sessions|UPDATE\nvalidation_results|INSERT\nmodel_benchmarks|INSERT\nhyperparameter_runs|INSERT\ntraining_metrics|INSERT",
      "SELECT table_name, op FROM changes WHERE row_id <> '7' ORDER BY seq");
}
END_TEST

START_TEST(changes_keep_the_latest) {
  SHELL_IS("",
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100600) INSERT INTO changes (table_name, op, row_id) SELECT 't', 'INSERT', i FROM n");
  SHELL_IS("1|1|100600", "SELECT count(*) >= 100000, count(*) < 100256, max(seq) FROM changes");
}
END_TEST

START_TEST(updated_at_moves_by_itself) {
  SHELL_IS("", "INSERT INTO training_sessions (id, session_name, updated_at) VALUES ('a', 'a', '2000-01-01T00:00:00.000Z')");
  SHELL_IS("", "UPDATE training_sessions SET lease_at = 1");
  SHELL_IS("2000", "SELECT substr(updated_at, 1, 4) FROM training_sessions");
  SHELL_IS("", "UPDATE training_sessions SET epochs = 3");
  SHELL_IS("1", "SELECT updated_at > '2020' FROM training_sessions");
  SHELL_IS("", "UPDATE training_sessions SET epochs = 4, updated_at = '2001-01-01T00:00:00.000Z'");
  SHELL_IS("2001", "SELECT substr(updated_at, 1, 4) FROM training_sessions");
}
END_TEST

START_TEST(views_tell_the_latest) {
  SHELL_IS("",
      "INSERT INTO training_sessions (id, session_name, status, learning_rate) VALUES ('a', 'a', 'running', 0.01), ('b', 'b', 'running', 0.1), ('c', 'c', 'failed', 0)");
  SHELL_IS("", "INSERT INTO training_metrics (session_id, epoch, total_loss, learning_rate) VALUES ('a', 1, 0.5, 0.01), ('a', 2, 0.25, 0.005)");
  SHELL_IS("a|2|0.25|0.01|0.005\nb||||",
      "SELECT id, current_epoch, latest_total_loss, CASE WHEN id = 'a' THEN learning_rate END, latest_learning_rate FROM active_training_sessions ORDER BY id");
  SHELL_IS("a|2|2|0.25|0.375", "SELECT id, epochs_recorded, last_epoch, min_total_loss, avg_total_loss FROM training_performance_summary WHERE id = 'a'");
}
END_TEST

START_TEST(leaderboard_ranks) {
  SHELL_IS("",
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60) INSERT INTO training_sessions (id, session_name, status, completed_at, final_map50_95)"
      " SELECT printf('%02d', i), i, 'completed', printf('2025-01-01T00:00:%02dZ', i % 60), CASE WHEN i IN (1, 2) THEN 0.99 ELSE 0.9 - i / 100.0 END FROM n");
  SHELL_IS("", "INSERT INTO training_sessions (session_name, status, final_map50_95) VALUES ('live', 'running', 1), ('none', 'completed', NULL)");
  SHELL_IS("50|50", "SELECT count(*), max(rank) FROM models_leaderboard");
  SHELL_IS("1|01\n1|02\n3|03", "SELECT rank, id FROM models_leaderboard LIMIT 3");
  SHELL_IS("", "INSERT INTO model_benchmarks (session_id, avg_inference_ms, created_at) VALUES ('03', 9, '2025-01-01'), ('03', 7, '2025-01-02')");
  SHELL_IS("50|7.0", "SELECT count(*), max(avg_inference_ms) FROM models_leaderboard");
}
END_TEST

START_TEST(deleting_a_session_deletes_its_points) {
  SHELL_IS("",
      "PRAGMA foreign_keys = ON; INSERT INTO training_sessions (id, session_name, key) VALUES ('a', 'a', 5); INSERT INTO metric_keys VALUES (1, 5, 'loss');"
      " INSERT INTO writers (id, session) VALUES (1, 5); INSERT INTO deltas VALUES (1, 1, 0, 1, x'00'); INSERT INTO lane_positions VALUES (1, 0, 9);"
      " INSERT INTO folded (metric, writer, seq) VALUES (1, 1, 1); INSERT INTO chunks (metric, writer, seq, count, min_step, max_step, min_time, max_time, data) VALUES (1, 1, 1, 1, 0, 0, 0, 0, x'00');"
      " INSERT INTO summaries VALUES (1, 1, 1, 1, 1, 1, 0, 0, 0, 0, x'00', x'00'); DELETE FROM training_sessions");
  SHELL_IS("0|0|0|0|0|0|0",
      "SELECT (SELECT count(*) FROM metric_keys), (SELECT count(*) FROM writers), (SELECT count(*) FROM deltas), (SELECT count(*) FROM lane_positions),"
      " (SELECT count(*) FROM folded), (SELECT count(*) FROM chunks), (SELECT count(*) FROM summaries)");
}
END_TEST

int main(void) {
  Suite *suite = suite_create("schema");
  TCase *cases = tcase_create("schema");
  tcase_add_checked_fixture(cases, create, drop_scratch);
  tcase_add_test(cases, queries_of_the_seed);
  tcase_add_test(cases, defaults_of_a_session);
  tcase_add_test(cases, duration_follows_its_ends);
  tcase_add_test(cases, best_epoch);
  tcase_add_test(cases, changes_feed);
  tcase_add_test(cases, changes_keep_the_latest);
  tcase_add_test(cases, updated_at_moves_by_itself);
  tcase_add_test(cases, views_tell_the_latest);
  tcase_add_test(cases, leaderboard_ranks);
  tcase_add_test(cases, deleting_a_session_deletes_its_points);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
