/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* How SQLite reads the lists of sessions: by an index, in its order, without a look at every row. */
#include "store/driver.h"
#include "track/record.h"
#include "unit/track/help.h"

#include <sqlite3.h>

/* The plan of what `filter` asks for, a line a step. */
static void plan_of(char *out, size_t size, tmon_store *store, const tmon_record_filter *given, bool count) {
  tmon_record_filter filter;
  tmon_buffer sql;
  tmon_tx *tx = NULL;
  tmon_row *row = NULL;
  size_t used = 0;
  int result;
  tmon_buffer_init(&sql, 16384);
  tmon_buffer_append_text(&sql, "EXPLAIN QUERY PLAN ");
  ok(tmon_record_filter_check(&filter, given));
  ok(tmon_record_find_sql(&sql, &filter, count));
  ok(tmon_tx_begin(&tx, store->db, false, -1));
  ok(tmon_tx_prepare_once(&row, tx, (const char *)sql.data));
  out[0] = '\0';
  while ((result = tmon_row_step(row)) == TMON_OK) used += (size_t)snprintf(out + used, size - used, "%s\n", tmon_row_text(row, 3));
  ck_assert_int_eq(result, TMON_DONE);
  tmon_row_free(row);
  tmon_tx_abort(tx);
  tmon_buffer_free(&sql);
}

START_TEST(pages_come_from_an_index) {
  static const struct {
    tmon_record_filter filter;
    const char *index;
  } cases[] = {{{.limit = 0}, "USING COVERING INDEX training_sessions_created"},
      {{.by_status = true, .status = TMON_STATUS_FAILED}, "USING COVERING INDEX training_sessions_status (status=?)"},
      {{.model_type = "a"}, "USING COVERING INDEX training_sessions_model (model_type=?)"},
      {{.dataset_name = "a"}, "USING COVERING INDEX training_sessions_dataset (dataset_name=?)"},
      {{.parent_id = "01234567-89ab-4def-8123-456789abcdef"}, "USING COVERING INDEX training_sessions_parent (parent_id=?)"},
      {{.ascending = true}, "USING COVERING INDEX training_sessions_created"}};
  tmon_store *store = test_store();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char plan[4096];
    tmon_record_filter filter = cases[i].filter;
    filter.size = sizeof filter;
    plan_of(plan, sizeof plan, store, &filter, false);
    ck_assert_msg(strstr(plan, cases[i].index) != NULL, "case %zu:\n%s", i, plan);
    ck_assert_msg(strstr(plan, "SCAN training_sessions\n") == NULL, "case %zu:\n%s", i, plan);
    /* The one sort is that of the page by its places. */
    char *sort = strstr(plan, "TEMP B-TREE");
    ck_assert_msg(sort == NULL || strstr(sort + 1, "TEMP B-TREE") == NULL, "case %zu:\n%s", i, plan);
    plan_of(plan, sizeof plan, store, &filter, true);
    ck_assert_msg(strstr(plan, "USING COVERING INDEX") != NULL, "case %zu:\n%s", i, plan);
  }
  tmon_store_free(store);
}
END_TEST

START_TEST(one_and_active_are_looked_up) {
  tmon_store *store = test_store();
  char plan[4096];
  tmon_record_filter filter = {.size = sizeof filter, .id = "01234567-89ab-4def-8123-456789abcdef"};
  plan_of(plan, sizeof plan, store, &filter, false);
  ck_assert_msg(strstr(plan, "SCAN training_sessions") == NULL, "%s", plan);
  filter = (tmon_record_filter){.size = sizeof filter, .active = true};
  plan_of(plan, sizeof plan, store, &filter, false);
  ck_assert_msg(strstr(plan, "training_sessions_status (status=?)") != NULL, "%s", plan);
  tmon_status statuses[] = {TMON_STATUS_FAILED, TMON_STATUS_CANCELLED};
  filter = (tmon_record_filter){.size = sizeof filter, .statuses = statuses, .status_count = 2};
  plan_of(plan, sizeof plan, store, &filter, false);
  ck_assert_msg(strstr(plan, "training_sessions_status (status=?)") != NULL, "%s", plan);
  tmon_store_free(store);
}
END_TEST

/* A search, a tag and each order, alone and beside what has an index: sessions are read, by an index where one fits, and nothing else. */
START_TEST(a_search_reads_sessions_alone) {
  static const tmon_record_filter cases[] = {{.text = "a"}, {.tag = "a"}, {.text = "a", .tag = "b"}, {.text = "a", .active = true},
      {.text = "a", .by_status = true, .status = TMON_STATUS_RUNNING}, {.text = "a", .model_type = "m"}, {.text = "a", .dataset_name = "d"},
      {.text = "a", .parent_id = "01234567-89ab-4def-8123-456789abcdef"}, {.text = "a", .id = "01234567-89ab-4def-8123-456789abcdef"}, {.limit = 0}};
  static const char *const indexes[] = {"training_sessions_created", "training_sessions_created", "training_sessions_created",
      "training_sessions_status (status=?", "training_sessions_status (status=?", "training_sessions_model (model_type=?",
      "training_sessions_dataset (dataset_name=?", "training_sessions_parent (parent_id=?", "(id=?)", "training_sessions_created"};
  tmon_store *store = test_store();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int sort = TMON_SORT_CREATED_AT; sort <= TMON_SORT_BEST_EPOCH; sort++) {
      for (int count = 0; count < 2; count++) {
        char plan[4096];
        char *rest = plan;
        tmon_record_filter filter = cases[i];
        filter.size = sizeof filter;
        filter.sort = (tmon_record_sort)sort;
        plan_of(plan, sizeof plan, store, &filter, count == 1);
        ck_assert_msg(count == 1 || sort != TMON_SORT_CREATED_AT || strstr(plan, indexes[i]) != NULL, "case %zu:\n%s", i, plan);
        for (const char *step; (step = strsep(&rest, "\n")) != NULL;) {
          bool fine = strncmp(step, "SCAN ", 5) != 0 || strncmp(step + 5, "training_sessions", 17) == 0 || strncmp(step + 5, "j VIRTUAL TABLE", 15) == 0 ||
              strncmp(step + 5, "p", 2) == 0 || strncmp(step + 5, "(subquery", 9) == 0;
          ck_assert_msg(fine && strstr(step, "training_metrics") == NULL, "case %zu, sort %d: %s", i, sort, step);
        }
      }
    }
  }
  tmon_store_free(store);
}
END_TEST

enum { SESSIONS = 3, EPOCHS = 400 };

/* SQLite counts the steps of loops that no index narrows. Gives how many statements there were that know the epoch rows, a third of which are of one session. */
static size_t check_steps(tmon_store *store) {
  size_t seen = 0;
  for (const tmon_connection *connection = store->db->idle; connection != NULL; connection = connection->next) {
    for (size_t i = 0; i < connection->row_capacity; i++) {
      sqlite3_stmt *statement = connection->rows[i] == NULL ? NULL : connection->rows[i]->statement;
      if (statement == NULL) continue;
      seen += strstr(sqlite3_sql(statement), "training_metrics") != NULL;
      int steps = sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0);
      ck_assert_msg(steps < EPOCHS, "%d steps of a full scan: %s", steps, sqlite3_sql(statement));
    }
  }
  return seen;
}

/* Makes a call, one that gives `text`, and looks at what it has run. */
#define RUN(call) (ok(call), seen += check_steps(store))
#define READ(call) (RUN(call), tmon_text_free(text))

/* All that reads or writes sessions, epochs and what belongs to them. */
static size_t call_everything(tmon_store *store, char id[SESSIONS][37]) {
  const char *ids[] = {id[0], id[1]};
  char *text = NULL;
  size_t seen = 0;
  char json[200];
  tmon_record record;
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = TMON_STATUS_COMPLETED, .best_metric = "mine:max"};
  tmon_leaderboard_options board = {.size = sizeof board, .metric = "total_loss"};
  tmon_compare_options compare = {.size = sizeof compare};
  tmon_result_filter results = {.size = sizeof results, .session_id = id[0], .latest = true};
  for (int i = 0; i < SESSIONS; i++) {
    tmon_record_list *list = test_record(&record, store, id[i]);
    READ(tmon_record_epochs_json(&text, store, id[i], -1));
    tmon_record_list_free(list);
    (void)snprintf(json, sizeof json, "{\"session_id\":\"%s\",\"epoch\":1,\"class\":\"DR\",\"sensitivity\":0.5}", id[i]);
    RUN(tmon_result_add(NULL, store, TMON_RESULT_VALIDATION, json));
    RUN(tmon_record_update(store, id[i], &change));
  }
  READ(tmon_leaderboard_json(&text, store, &board));
  board.metric = "mine";
  READ(tmon_leaderboard_json(&text, store, &board));
  READ(tmon_compare_json(&text, store, ids, 2, &compare));
  READ(tmon_result_list_json(&text, store, TMON_RESULT_VALIDATION, &results));
  READ(tmon_alert_replay_json(&text, store, id[0], NULL));
  READ(tmon_alert_conditions_json(&text, store, id[0]));
  READ(tmon_store_changes_json(&text, store, 0));
  RUN(tmon_store_recover(store, 0, NULL));
  RUN(tmon_record_delete(store, id[2]));
  return seen;
}

START_TEST(no_call_scans_the_epochs) {
  static const char rules[] = "[{\"name\":\"high\",\"type\":\"threshold\",\"metric\":\"*\",\"above\":1e9}]";
  tmon_store *store = test_store();
  char id[SESSIONS][37];
  ok(tmon_alert_set_rules(store, NULL, rules, false));
  for (int i = 0; i < SESSIONS; i++) {
    tmon_record_change change = {.size = sizeof change, .name = "s"};
    ok(tmon_record_create(id[i], store, &change));
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
      tmon_epoch_value values[] = {{"loss", 1.0 / (epoch + 1)}, {"mine", epoch}};
      ok(tmon_record_log_epoch(store, id[i], epoch, values, 2));
    }
  }
  ck_assert_uint_gt(check_steps(store) + call_everything(store, id), 20);
  tmon_store_free(store);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("record_find");
  tcase_add_test(tests, pages_come_from_an_index);
  tcase_add_test(tests, one_and_active_are_looked_up);
  tcase_add_test(tests, a_search_reads_sessions_alone);
  tcase_add_test(tests, no_call_scans_the_epochs);
  return test_run(suite_create("track/record_find"), tests);
}
