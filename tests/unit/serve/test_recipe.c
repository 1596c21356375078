/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The file of recipes, what it refuses, and what values of a request may become. */
#include "serve/recipe.h"

#include "unit/fault.h"
#include "util/alloc.h"
#include "util/error.h"
#include "unit/suite.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void write_file(const char *text) {
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_ge(fputs(text, file), 0);
  ck_assert_int_eq(fclose(file), 0);
}

static void setup(void) {
  (void)snprintf(path, sizeof path, "/tmp/trainmon-recipes-XXXXXX");
  int fd = mkstemp(path);
  ck_assert_int_ge(fd, 0);
  (void)close(fd);
}

static void teardown(void) { (void)unlink(path); }

#define WHOLE                                                                                                                                                    \
  "{\"recipes\": {\"forest\": {\"command\": [\"python3\", \"forest.py\", \"--data={data}\", \"{mode}\"], \"folder\": \"sub\","                                   \
  "\"environment\": {\"OMP_NUM_THREADS\": \"1\"}, \"title\": \"Forest\", \"description\": \"d\", \"model_type\": \"rf\", \"default\": true,"                     \
  "\"grace_seconds\": 0.5, \"keep_running\": false, \"max_running\": 2, \"parameters\": {"                                                                       \
  "\"trees\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 500, \"default\": 100, \"title\": \"Trees\"},"                                                \
  "\"rate\": {\"type\": \"number\", \"minimum\": 0}, \"fast\": {\"type\": \"boolean\"}, \"data\": {\"type\": \"text\", \"max_length\": 20, \"required\": true}," \
  "\"mode\": {\"type\": \"choice\", \"choices\": [\"gini\", \"-x\"], \"default\": \"gini\"}}}, \"other\": {\"command\": [\"/bin/true\"]}}}"

static tmon_recipes *load(const char *text) {
  tmon_recipes *recipes = NULL;
  write_file(text);
  int code = tmon_recipes_load(&recipes, path);
  ck_assert_msg(code == TMON_OK, "%s", tmon_error_message());
  return recipes;
}

/* The arguments joined by '|'; NULL: refused. */
static const char *arguments(const tmon_recipe *recipe, const char *values) {
  static char joined[8192];
  tmon_json *json = NULL;
  char **list = NULL;
  ck_assert_msg(tmon_json_parse(&json, values, strlen(values)) == TMON_OK, "%s", values);
  int code = tmon_recipe_arguments(&list, recipe, json);
  tmon_json_free(json);
  ck_assert((code == TMON_OK) == (list != NULL));
  ck_assert(code == TMON_OK || code == TMON_EINVAL);
  joined[0] = '\0';
  for (size_t i = 0; list != NULL && list[i] != NULL; i++) {
    size_t used = strlen(joined);
    (void)snprintf(joined + used, sizeof joined - used, "%s%s", i > 0 ? "|" : "", list[i]);
  }
  tmon_texts_free(list);
  return code == TMON_OK ? joined : NULL;
}

START_TEST(a_file_is_read) {
  tmon_recipes *recipes = load(WHOLE);
  ck_assert_uint_eq(recipes->count, 2);
  const tmon_recipe *forest = tmon_recipes_find(recipes, "forest");
  ck_assert_ptr_eq(tmon_recipes_default(recipes), forest);
  ck_assert_str_eq(forest->folder, "/tmp/sub");
  ck_assert_str_eq(forest->environment[0], "OMP_NUM_THREADS=1");
  ck_assert_str_eq(forest->model_type, "rf");
  ck_assert_int_eq(forest->grace_us, 500000);
  ck_assert_int_eq(forest->max_running, 2);
  const tmon_recipe *other = tmon_recipes_find(recipes, "other");
  ck_assert_str_eq(other->folder, "/tmp");
  ck_assert_int_eq(other->grace_us, 10000000);
  ck_assert_int_eq(other->max_running, 1);
  ck_assert_ptr_null(tmon_recipes_find(recipes, "Forest"));
  tmon_recipes_free(recipes);
}
END_TEST

START_TEST(values_become_arguments) {
  tmon_recipes *recipes = load(WHOLE);
  const tmon_recipe *forest = tmon_recipes_find(recipes, "forest");
  ck_assert_str_eq(arguments(forest, "{\"data\": \"a b\"}"), "python3|forest.py|--data=a b|gini|--trees=100");
  ck_assert_str_eq(arguments(forest, "{\"data\": \"\", \"trees\": 7, \"rate\": 0.1, \"fast\": false}"),
      "python3|forest.py|--data=|gini|--trees=7|--rate=0.1|--fast=false");
  ck_assert_str_eq(arguments(tmon_recipes_find(recipes, "other"), "{}"), "/bin/true");
  tmon_recipes_free(recipes);
}
END_TEST

START_TEST(hostile_values_stay_values) {
  tmon_recipes *recipes = load(WHOLE);
  const tmon_recipe *forest = tmon_recipes_find(recipes, "forest");
  ck_assert_str_eq(arguments(forest, "{\"data\": \"; rm -rf /\"}"), "python3|forest.py|--data=; rm -rf /|gini|--trees=100");
  ck_assert_str_eq(arguments(forest, "{\"data\": \"--evil\"}"), "python3|forest.py|--data=--evil|gini|--trees=100");
  ck_assert_str_eq(arguments(forest, "{\"data\": \"{mode}{data}\"}"), "python3|forest.py|--data={mode}{data}|gini|--trees=100");
  ck_assert_str_eq(arguments(forest, "{\"data\": \"$(id) `id`\"}"), "python3|forest.py|--data=$(id) `id`|gini|--trees=100");
  tmon_recipes_free(recipes);
}
END_TEST

static const struct {
  const char *values;
  const char *field;
} bad_values[] = {
    {"{}", "data"},
    {"{\"data\": \"a\\nb\"}", "data"},
    {"{\"data\": \"a\\u007f\"}", "data"},
    {"{\"data\": \"123456789012345678901\"}", "data"},
    {"{\"data\": 1}", "data"},
    {"{\"data\": null}", "data"},
    {"{\"data\": [\"a\", \"b\"]}", "data"},
    {"{\"data\": \"a\", \"trees\": 0}", "trees"},
    {"{\"data\": \"a\", \"trees\": 501}", "trees"},
    {"{\"data\": \"a\", \"trees\": 1.5}", "trees"},
    {"{\"data\": \"a\", \"trees\": \"7\"}", "trees"},
    {"{\"data\": \"a\", \"rate\": -0.1}", "rate"},
    {"{\"data\": \"a\", \"rate\": true}", "rate"},
    {"{\"data\": \"a\", \"fast\": \"true\"}", "fast"},
    {"{\"data\": \"a\", \"fast\": 1}", "fast"},
    {"{\"data\": \"a\", \"mode\": \"entropy\"}", "mode"},
    {"{\"data\": \"a\", \"mode\": \"-x\"}", "mode"}, /* allowed, but it would be an option of its own */
    {"{\"data\": \"a\", \"evil\": 1}", "evil"},
    {"{\"data\": \"a\", \"--evil\": 1}", "--evil"},
    {"{\"data\": \"a\", \"data\": \"b\"}", "data"},
};

START_TEST(wrong_values_are_refused_by_name) {
  tmon_recipes *recipes = load(WHOLE);
  ck_assert_ptr_null(arguments(tmon_recipes_find(recipes, "forest"), bad_values[_i].values));
  ck_assert_str_eq(tmon_error_field(), bad_values[_i].field);
  tmon_recipes_free(recipes);
}
END_TEST

static const struct {
  const char *text;
  const char *said;
} bad_files[] = {
    {"", "not JSON"},
    {"[]", "recipes"},
    {"{}", "recipes: expected"},
    {"{\"recipes\": {}, \"more\": 1}", "unknown field \"more\""},
    {"{\"recipes\": {\"a\": 1}}", "recipe a: expected an object"},
    {"{\"recipes\": {\"a b\": {\"command\": [\"x\"]}}}", "\"a b\" is no name"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"]}, \"a\": {\"command\": [\"x\"]}}}", "two recipes"},
    {"{\"recipes\": {\"a\": {}}}", "recipe a: command is missing"},
    {"{\"recipes\": {\"a\": {\"command\": \"x y\"}}}", "recipe a: command: expected a list"},
    {"{\"recipes\": {\"a\": {\"command\": []}}}", "recipe a: command: expected a list"},
    {"{\"recipes\": {\"a\": {\"command\": [\"\"]}}}", "the program has no name"},
    {"{\"recipes\": {\"a\": {\"command\": [1]}}}", "recipe a: command: expected texts"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"colour\": 1}}}", "recipe a: unknown field \"colour\""},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"command\": [\"y\"]}}}", "recipe a: the field \"command\" is there twice"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"grace_seconds\": -1}}}", "grace_seconds"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"max_running\": 0}}}", "max_running"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"keep_running\": \"yes\"}}}", "keep_running"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"environment\": {\"A=B\": \"c\"}}}}", "environment"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"environment\": {\"TRAINMON_TOKEN\": \"c\"}}}}", "TRAINMON_TOKEN"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"environment\": {\"A\": 1}}}}", "environment: A"},
    {"{\"recipes\": {\"a\": {\"command\": [\"{p}\"], \"parameters\": {\"p\": {\"type\": \"text\", \"required\": true}}}}}",
        "may not stand in the program"},
    {"{\"recipes\": {\"a\": {\"command\": [\"/bin/sh\", \"-c\", \"x {p}\"], \"parameters\": {\"p\": {\"type\": \"text\", \"required\": true}}}}}",
        "shell"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\", \"{p}\"], \"parameters\": {\"p\": {\"type\": \"text\"}}}}}", "required or has a default"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"parameters\": {\"p\": {}}}}}", "recipe a: parameter p: type: expected"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"parameters\": {\"-p\": {\"type\": \"text\"}}}}}", "no name of a parameter"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"parameters\": {\"p\": {\"type\": \"integer\", \"default\": \"1\"}}}}}", "parameter p: default"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"parameters\": {\"p\": {\"type\": \"integer\", \"minimum\": 2, \"maximum\": 1}}}}}",
        "minimum is over"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"parameters\": {\"p\": {\"type\": \"choice\"}}}}}", "choices are missing"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"parameters\": {\"p\": {\"type\": \"text\", \"minimum\": 1}}}}}", "parameter p: minimum"},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"parameters\": {\"p\": {\"type\": \"text\", \"pattern\": \"x\"}}}}}", "unknown field \"pattern\""},
    {"{\"recipes\": {\"a\": {\"command\": [\"x\"], \"default\": true}, \"b\": {\"command\": [\"x\"], \"default\": true}}}", "recipe b: default: a is it"},
};

START_TEST(a_wrong_file_is_refused_with_file_recipe_and_field) {
  tmon_recipes *recipes = NULL;
  write_file(bad_files[_i].text);
  ck_assert_msg(tmon_recipes_load(&recipes, path) == TMON_EINVAL, "%s", bad_files[_i].text);
  ck_assert_ptr_null(recipes);
  ck_assert_msg(strstr(tmon_error_message(), bad_files[_i].said) != NULL, "%s", tmon_error_message());
  ck_assert_ptr_eq(strstr(tmon_error_message(), path), tmon_error_message());
}
END_TEST

START_TEST(a_file_that_everybody_may_write_is_refused) {
  tmon_recipes *recipes = NULL;
  write_file(WHOLE);
  ck_assert_int_eq(chmod(path, 0666), 0);
  ck_assert_int_eq(tmon_recipes_load(&recipes, path), TMON_EACCESS);
  ck_assert_int_eq(tmon_recipes_load(&recipes, "/no/such/file"), TMON_ENOTFOUND);
  ck_assert_int_eq(tmon_recipes_load(&recipes, "/tmp"), TMON_EINVAL);
}
END_TEST

START_TEST(the_only_recipe_is_the_default) {
  tmon_recipes *recipes = load("{\"recipes\": {\"a\": {\"command\": [\"x\"]}}}");
  ck_assert_str_eq(tmon_recipes_default(recipes)->name, "a");
  tmon_recipes_free(recipes);
  recipes = load("{\"recipes\": {\"a\": {\"command\": [\"x\"]}, \"b\": {\"command\": [\"x\"]}}}");
  ck_assert_ptr_null(tmon_recipes_default(recipes));
  tmon_recipes_free(recipes);
  ck_assert_ptr_null(tmon_recipes_default(NULL));
}
END_TEST

static int load_and_ask(void *unused) {
  tmon_recipes *recipes = NULL;
  tmon_json *json = NULL;
  char **list = NULL;
  (void)unused;
  int code = tmon_recipes_load(&recipes, path);
  if (code == TMON_OK) code = tmon_json_parse(&json, "{\"data\": \"a\", \"trees\": 3}", 25);
  if (code == TMON_OK) code = tmon_recipe_arguments(&list, tmon_recipes_find(recipes, "forest"), json);
  ck_assert((code == TMON_OK) == (list != NULL));
  tmon_texts_free(list);
  tmon_json_free(json);
  tmon_recipes_free(recipes);
  return code;
}

START_TEST(without_memory_it_fails_cleanly) {
  write_file(WHOLE);
  tmon_fault_loop(load_and_ask, NULL);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("recipe");
  Suite *suite = suite_create("serve/recipe");
  tcase_add_checked_fixture(tests, setup, teardown);
  tcase_add_test(tests, a_file_is_read);
  tcase_add_test(tests, values_become_arguments);
  tcase_add_test(tests, hostile_values_stay_values);
  tcase_add_loop_test(tests, wrong_values_are_refused_by_name, 0, (int)(sizeof bad_values / sizeof bad_values[0]));
  tcase_add_loop_test(tests, a_wrong_file_is_refused_with_file_recipe_and_field, 0, (int)(sizeof bad_files / sizeof bad_files[0]));
  tcase_add_test(tests, a_file_that_everybody_may_write_is_refused);
  tcase_add_test(tests, the_only_recipe_is_the_default);
  tcase_add_test(tests, without_memory_it_fails_cleanly);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
