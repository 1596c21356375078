/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Commands of alerts. What must stay true: no request decides what runs. A command runs where the rule that fired has it and the rules that the server was started with have
 * the same under the same name: rules in the store may come from another program. The supervisor of lib/util/process.h stands between, so that the server never
 * waits for a command, passes it no descriptor, and leaves nothing of it behind.
 */
#include "serve/alert_command.h"

#include "serve/child.h"
#include "serve/server_private.h"

#include "trainmon/alert.h"
#include "trainmon/error.h"
#include "trainmon/store.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/process.h"
#include "util/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS = 16, ARGUMENTS = 32, ALERTS = 256, LIMIT_US = 60000000, GRACE_US = 2000000, LEAVE_US = 10000000, VARIABLES = 24, RULE_BYTES = 129 };

typedef struct run {
  tmon_supervised process;
  char session[37];
  char rule[RULE_BYTES];
  int64_t alert;
  int64_t deadline_us; /* monotonic */
  bool told_to_end;
} run;

struct tmon_alert_runs {
  tmon_server *server;
  tmon_json *document;
  size_t count;
  run items[RUNS];
};

static const tmon_json *rules_of(const tmon_json *document) {
  return tmon_json_type(document) == TMON_JSON_OBJECT ? tmon_json_get(document, "rules") : document;
}

static const tmon_json *command_of(const tmon_json *document, const char *rule) {
  for (const tmon_json *item = tmon_json_first(rules_of(document)); item != NULL && rule != NULL; item = tmon_json_next(item)) {
    const char *name = tmon_json_text(tmon_json_get(item, "name"));
    if (name != NULL && strcmp(name, rule) == 0) {
      return tmon_json_get(item, "command");
    }
  }
  return NULL;
}

/* False: it is none. */
static bool read_command(const char *arguments[ARGUMENTS + 1], const tmon_json *command) {
  size_t count = 0;
  for (const tmon_json *item = tmon_json_first(command); item != NULL; item = tmon_json_next(item)) {
    const char *text = tmon_json_text(item);
    if (text == NULL || count == ARGUMENTS || (count == 0 && text[0] != '/')) {
      return false;
    }
    arguments[count++] = text;
  }
  arguments[count] = NULL;
  return tmon_json_type(command) == TMON_JSON_ARRAY && count > 0;
}

int tmon_alert_runs_make(tmon_alert_runs **out, tmon_server *server, const char *rules) {
  const char *arguments[ARGUMENTS + 1];
  tmon_json *document = NULL;
  bool any = false;
  *out = NULL;
  int code = tmon_json_parse(&document, rules, strlen(rules));
  for (const tmon_json *item = tmon_json_first(rules_of(document)); code == TMON_OK && item != NULL; item = tmon_json_next(item)) {
    const tmon_json *command = tmon_json_get(item, "command");
    if (tmon_json_type(command) == TMON_JSON_ABSENT) {
      continue;
    }
    any = true;
    if (!read_command(arguments, command)) {
      code = tmon_error_set_field(TMON_EINVAL, "alert_rules", "alert_rules: a command is an absolute path and at most %d arguments", (int)ARGUMENTS - 1);
    }
  }
  if (code == TMON_OK && any) {
    *out = tmon_alloc_zero(1, sizeof **out);
    code = *out != NULL ? TMON_OK : tmon_error_no_memory();
  }
  if (*out == NULL) {
    tmon_json_free(document);
    return code;
  }
  (*out)->server = server;
  (*out)->document = document;
  return TMON_OK;
}

size_t tmon_alert_runs_count(const tmon_alert_runs *runs) { return runs != NULL ? runs->count : 0; }

/* ---- starting ---- */

static int add_alert(char **list, size_t *count, const tmon_json *alert) {
  static const char *const names[][2] = {{"rule", "TRAINMON_ALERT_RULE"}, {"type", "TRAINMON_ALERT_TYPE"}, {"severity", "TRAINMON_ALERT_SEVERITY"},
      {"metric", "TRAINMON_ALERT_METRIC"}, {"message", "TRAINMON_ALERT_MESSAGE"}, {"id", "TRAINMON_ALERT_ID"}, {"step", "TRAINMON_ALERT_STEP"},
      {"value", "TRAINMON_ALERT_VALUE"}, {"threshold", "TRAINMON_ALERT_THRESHOLD"}};
  int code = TMON_OK;
  for (size_t i = 0; code == TMON_OK && i < sizeof names / sizeof names[0]; i++) {
    const tmon_json *value = tmon_json_get(alert, names[i][0]);
    char number[40] = "";
    int64_t whole = 0;
    if (tmon_json_int(value, &whole)) {
      (void)snprintf(number, sizeof number, "%lld", (long long)whole);
    } else if (tmon_json_type(value) == TMON_JSON_NUMBER) {
      tmon_text_from_double(number, tmon_json_number(value, (double)NAN));
    }
    code = tmon_environment_add(list, count, names[i][1], tmon_json_text(value) != NULL ? tmon_json_text(value) : number);
  }
  return code;
}

/* As that of a recipe, but without the token: an alert's command has nothing to ask the server for. */
static int make_environment(char ***out, const tmon_server *server, const char *session, const tmon_json *alert) {
  tmon_store_info info;
  size_t count = 0;
  *out = NULL;
  int code = tmon_store_get_info(&info, server->store);
  char **list = code == TMON_OK ? tmon_alloc_zero(VARIABLES, sizeof *list) : NULL;
  if (code == TMON_OK && list == NULL) {
    code = tmon_error_no_memory();
  }
  for (size_t i = 0; code == TMON_OK && tmon_environment_passed[i] != NULL; i++) {
    const char *value = getenv(tmon_environment_passed[i]);
    code = value != NULL ? tmon_environment_add(list, &count, tmon_environment_passed[i], value) : TMON_OK;
  }
  if (code == TMON_OK) {
    code = tmon_environment_add(list, &count, "TRAINMON_SESSION_ID", session);
  }
  if (code == TMON_OK) {
    code = tmon_environment_add(list, &count, "TRAINMON_STORE", info.path);
  }
  if (code == TMON_OK) {
    code = add_alert(list, &count, alert);
  }
  if (code != TMON_OK) {
    tmon_texts_free(list);
    return code;
  }
  *out = list;
  return TMON_OK;
}

static void note(tmon_server *server, const run *one, const char *what, const char *detail) {
  char rule[4 * RULE_BYTES];
  char text[400];
  tmon_log_file_escape(rule, sizeof rule, one->rule);
  tmon_log_file_escape(text, sizeof text, detail);
  tmon_log_file_line(&server->writes, "alert-command session=%s alert=%lld rule=\"%s\" %s=%s", one->session, (long long)one->alert, rule, what, text);
}

static void start(tmon_alert_runs *runs, const tmon_json *alert, const char *session, const char *const *arguments) {
  char **environment = NULL;
  const char *rule = tmon_json_text(tmon_json_get(alert, "rule"));
  run *into = &runs->items[runs->count];
  for (size_t i = 0; i < runs->count; i++) {
    if (strcmp(runs->items[i].rule, rule) == 0 && strcmp(runs->items[i].session, session) == 0) {
      return;
    }
  }
  if (runs->count == RUNS) {
    return;
  }
  *into = (run){.process = {.fd = -1}, .deadline_us = tmon_clock_monotonic_us() + LIMIT_US};
  (void)tmon_text_copy(into->session, sizeof into->session, session);
  (void)tmon_text_copy(into->rule, sizeof into->rule, rule);
  (void)tmon_json_int(tmon_json_get(alert, "id"), &into->alert);
  int code = make_environment(&environment, runs->server, session, alert);
  if (code == TMON_OK) {
    tmon_program program = {.arguments = arguments, .environment = (const char *const *)environment, .folder = "/", .grace_us = GRACE_US};
    code = tmon_supervised_start(&into->process, &program);
  }
  tmon_texts_free(environment);
  if (code != TMON_OK) {
    note(runs->server, into, "error", tmon_error_message());
    return;
  }
  runs->count++;
  tmon_http_timer(runs->server->http, TMON_CHILD_POLL_US);
}

/* ---- around a write ---- */

int64_t tmon_alert_runs_before(tmon_server *server) {
  int64_t cursor = -1;
  return server->alert_runs != NULL && tmon_store_change_cursor(&cursor, server->store) == TMON_OK ? cursor : -1;
}

/* The same command in the rules of the session, which must have come from the same file. */
static bool is_same(const tmon_json *ours, const tmon_json *theirs) {
  char *one = tmon_json_print(ours);
  char *two = tmon_json_print(theirs);
  bool same = one != NULL && two != NULL && strcmp(one, two) == 0;
  tmon_free(one);
  tmon_free(two);
  return same;
}

static void consider(tmon_alert_runs *runs, const tmon_json *alert, const tmon_record *record, int64_t before) {
  const char *arguments[ARGUMENTS + 1];
  tmon_json *rules = NULL;
  char *text = NULL;
  int64_t fired = 0;
  const char *rule = tmon_json_text(tmon_json_get(alert, "rule"));
  const char *type = tmon_json_text(tmon_json_get(alert, "type"));
  const char *state = tmon_json_text(tmon_json_get(alert, "state"));
  const tmon_json *command = command_of(runs->document, rule);
  bool is_new = tmon_json_int(tmon_json_get(alert, "fired_revision"), &fired) && fired > before;
  /* A stall is told by the point that ends it. */
  bool over = type == NULL || state == NULL || (strcmp(type, "stalled") == 0 && strcmp(state, "recovered") == 0);
  if (!is_new || over || !read_command(arguments, command)) {
    return;
  }
  if (tmon_alert_rules_json(&text, runs->server->store, record->id) == TMON_OK && tmon_json_parse(&rules, text, strlen(text)) == TMON_OK &&
      is_same(command, command_of(rules, rule))) {
    start(runs, alert, record->id, arguments);
  }
  tmon_json_free(rules);
  tmon_text_free(text);
}

void tmon_alert_runs_after(tmon_server *server, const tmon_record *record, int64_t before) {
  tmon_alert_filter filter = {.size = sizeof filter, .session_id = record->id, .changed_since = before, .limit = ALERTS};
  tmon_json *alerts = NULL;
  char *text = NULL;
  /* A session with a ring has a process, which runs what its rules say. */
  if (server->alert_runs == NULL || before < 0 || !record->rest) {
    return;
  }
  if (tmon_alert_list_json(&text, server->store, &filter) == TMON_OK && tmon_json_parse(&alerts, text, strlen(text)) == TMON_OK) {
    for (const tmon_json *alert = tmon_json_first(alerts); alert != NULL; alert = tmon_json_next(alert)) {
      consider(server->alert_runs, alert, record, before);
    }
  }
  tmon_json_free(alerts);
  tmon_text_free(text);
}

/* ---- watching ---- */

static void tell_end(tmon_server *server, const run *one) {
  char value[24];
  (void)snprintf(value, sizeof value, "%d", one->process.value);
  note(server, one, one->process.signalled ? "signal" : "status", value);
}

void tmon_alert_runs_tick(tmon_alert_runs *runs, int64_t now_us) {
  for (size_t i = tmon_alert_runs_count(runs); i > 0; i--) {
    run *one = &runs->items[i - 1];
    tmon_supervised_poll(&one->process);
    if (one->process.gone) {
      tell_end(runs->server, one);
      tmon_supervised_close(&one->process);
      *one = runs->items[--runs->count];
    } else if (!one->told_to_end && now_us >= one->deadline_us) {
      tmon_supervised_end(&one->process);
      one->told_to_end = true;
    }
  }
}

void tmon_alert_runs_free(tmon_alert_runs *runs) {
  if (runs == NULL) {
    return;
  }
  for (size_t i = 0; i < runs->count; i++) {
    tmon_supervised_end(&runs->items[i].process);
  }
  int64_t end = tmon_clock_monotonic_us() + GRACE_US + LEAVE_US;
  for (size_t i = 0; i < runs->count; i++) {
    run *one = &runs->items[i];
    int64_t left = end - tmon_clock_monotonic_us();
    if (tmon_supervised_wait(&one->process, left > 0 ? left : 0)) {
      tell_end(runs->server, one);
    }
    tmon_supervised_close(&one->process);
  }
  tmon_json_free(runs->document);
  tmon_free(runs);
}
