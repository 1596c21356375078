/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* How SQLite reads the lists of sessions: by an index, in its order, without a look at every row. */
#include "track/record.h"
#include "unit/track/help.h"

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

int main(void) {
  TCase *tests = tcase_create("record_find");
  tcase_add_test(tests, pages_come_from_an_index);
  tcase_add_test(tests, one_and_active_are_looked_up);
  return test_run(suite_create("track/record_find"), tests);
}
