/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * Started trainings. The server makes the session first, so that its id is known; the program takes it over. lib/util/process.h keeps the program and all that it starts in
 * hand; here is what that means for a session. What must stay true: a session whose program has ended gets a final status, with the reason, also when the
 * store is busy at that moment; and a program that was asked to stop is gone after twice its grace time at most.
 */
#include "serve/child.h"

#include "serve/server_private.h"

#include "trainmon/error.h"
#include "trainmon/store.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/file.h"
#include "util/process.h"
#include "util/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_US = 250000, SETTLE_US = 60000000, LEAVE_US = 10000000, VARIABLES = 16, LINE_BYTES = 400 };

typedef struct child {
  tmon_supervised process;
  const tmon_recipe *recipe; /* NULL: an adopted one, whose recipe this server does not have */
  tmon_lock note;            /* what the next server knows of it; held while this one watches */
  int64_t grace_us;
  bool keep_running;
  char id[37];
  int64_t stopped_us; /* monotonic, when a stop was seen; 0: none */
  int64_t ended_us;   /* monotonic, when its end was seen; 0: it runs */
  bool told_to_end;
  bool settled; /* its session has a final status */
} child;

struct tmon_children {
  tmon_server *server;
  int64_t looked_us;
  size_t count;
  child items[TMON_CHILDREN];
};

int tmon_children_make(tmon_children **out, tmon_server *server) {
  *out = tmon_alloc_zero(1, sizeof **out);
  if (*out == NULL) {
    return tmon_error_no_memory();
  }
  (*out)->server = server;
  return TMON_OK;
}

size_t tmon_children_count(const tmon_children *children, const tmon_recipe *recipe) {
  size_t count = 0;
  for (size_t i = 0; i < children->count; i++) {
    count += recipe == NULL || children->items[i].recipe == recipe;
  }
  return count;
}

static child *find(const tmon_children *children, const char *id) {
  for (size_t i = 0; i < children->count; i++) {
    if (strcmp(children->items[i].id, id) == 0) {
      return (child *)(uintptr_t)&children->items[i];
    }
  }
  return NULL;
}

bool tmon_child_lives(const tmon_children *children, const char *id) {
  const child *found = find(children, id);
  return found != NULL && !found->process.ended;
}

void tmon_child_stop(tmon_children *children, const char *id) {
  child *found = find(children, id);
  if (found != NULL && found->stopped_us == 0) {
    found->stopped_us = tmon_clock_monotonic_us();
  }
}

static int make_output(char **path, tmon_server *server, const char *id) {
  *path = tmon_child_output_path(server, id);
  if (*path == NULL) {
    return tmon_error_no_memory();
  }
  char *slash = strrchr(*path, '/');
  *slash = '\0';
  int code = tmon_folder_make(*path);
  *slash = '/';
  return code;
}

/* ---- environment ---- */

int tmon_environment_add(char **list, size_t *count, const char *name, const char *value) {
  size_t size = strlen(name) + strlen(value) + 2;
  list[*count] = tmon_alloc(size);
  if (list[*count] == NULL) {
    return tmon_error_no_memory();
  }
  (void)snprintf(list[(*count)++], size, "%s=%s", name, value);
  return TMON_OK;
}

static bool is_set(const tmon_recipe *recipe, const char *name) {
  size_t length = strlen(name);
  for (size_t i = 0; i < recipe->environment_count; i++) {
    if (strncmp(recipe->environment[i], name, length) == 0 && recipe->environment[i][length] == '=') {
      return true;
    }
  }
  return false;
}

static void write_url(char *out, size_t size, const tmon_server *server) {
  const char *host = server->access.bound;
  if (strcmp(host, "0.0.0.0") == 0) {
    host = "127.0.0.1";
  } else if (strcmp(host, "::") == 0) {
    host = "::1";
  }
  bool six = strchr(host, ':') != NULL;
  (void)snprintf(out, size, "http://%s%s%s:%u", six ? "[" : "", host, six ? "]" : "", (unsigned)tmon_http_port(server->http, 0));
}

/* Little of the server's own: what programs need to run, not what somebody has put into the shell that started the server. */
const char *const tmon_environment_passed[] = {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", NULL};

static int make_environment(char ***out, const tmon_server *server, const tmon_recipe *recipe, const char *id) {
  const char *const *passed = tmon_environment_passed;
  tmon_store_info info;
  char url[320];
  size_t count = 0;
  *out = NULL;
  int code = tmon_store_get_info(&info, server->store);
  char **list = code == TMON_OK ? tmon_alloc_zero(recipe->environment_count + VARIABLES, sizeof *list) : NULL;
  if (code == TMON_OK && list == NULL) {
    code = tmon_error_no_memory();
  }
  for (size_t i = 0; code == TMON_OK && passed[i] != NULL; i++) {
    const char *value = getenv(passed[i]);
    code = value != NULL && !is_set(recipe, passed[i]) ? tmon_environment_add(list, &count, passed[i], value) : TMON_OK;
  }
  for (size_t i = 0; code == TMON_OK && i < recipe->environment_count; i++) {
    list[count] = tmon_strdup(recipe->environment[i]);
    code = list[count++] != NULL ? TMON_OK : tmon_error_no_memory();
  }
  write_url(url, sizeof url, server);
  const struct {
    const char *name;
    const char *value;
  } ours[] = {{"TRAINMON_SESSION_ID", id}, {"TRAINMON_STORE", info.path}, {"TRAINMON_URL", url}, {"TRAINMON_TOKEN", server->access.token}};
  for (size_t i = 0; code == TMON_OK && i < sizeof ours / sizeof ours[0]; i++) {
    code = ours[i].value != NULL ? tmon_environment_add(list, &count, ours[i].name, ours[i].value) : TMON_OK;
  }
  if (code != TMON_OK) {
    tmon_texts_free(list);
    return code;
  }
  *out = list;
  return TMON_OK;
}

/* ---- starting ---- */

static int set_status(tmon_server *server, const char *id, tmon_status status, const char *why) {
  tmon_record_change change = {.size = sizeof change, .set_status = true, .status = status, .error_text = why};
  return tmon_record_update(server->store, id, &change);
}

static int start_program(child *into, tmon_server *server, const tmon_recipe *recipe, char *const *arguments) {
  char **environment = NULL;
  char *output = NULL;
  int code = make_environment(&environment, server, recipe, into->id);
  if (code == TMON_OK) {
    code = make_output(&output, server, into->id);
  }
  if (code == TMON_OK) {
    tmon_program program = {.arguments = (const char *const *)arguments,
        .environment = (const char *const *)environment,
        .folder = recipe->folder,
        .output_path = output,
        .output_maximum = TMON_CHILD_OUTPUT_BYTES,
        .grace_us = recipe->grace_us,
        .keep_running = recipe->keep_running};
    code = tmon_supervised_start(&into->process, &program);
  }
  tmon_free(output);
  tmon_texts_free(environment);
  return code;
}

/* Without the note the training runs all the same; the next server will not know of it. */
static void write_note(child *of, tmon_server *server) {
  tmon_child_note note = {.grace_us = of->grace_us};
  (void)tmon_text_copy(note.recipe, sizeof note.recipe, of->recipe->name);
  if (tmon_process_look(&note.supervisor, of->process.supervisor) == TMON_OK) {
    (void)tmon_child_note_write(&of->note, server, of->id, &note);
  }
}

int tmon_child_start(tmon_children *children, const tmon_recipe *recipe, char *const *arguments, const char *id) {
  if (children->count == TMON_CHILDREN) {
    return tmon_error_set(TMON_ELIMIT, "%d trainings run already", (int)TMON_CHILDREN);
  }
  child *into = &children->items[children->count];
  *into = (child){.process = {.fd = -1}, .recipe = recipe, .note = {.fd = -1}, .grace_us = recipe->grace_us, .keep_running = recipe->keep_running};
  (void)tmon_text_copy(into->id, sizeof into->id, id);
  int code = start_program(into, children->server, recipe, arguments);
  if (code != TMON_OK) {
    char why[512];
    (void)tmon_text_copy(why, sizeof why, tmon_error_message());
    (void)set_status(children->server, id, TMON_STATUS_FAILED, why);
    return tmon_error_set(code, "%s", why);
  }
  if (into->keep_running) {
    write_note(into, children->server);
  }
  children->count++;
  tmon_child_outputs_prune(children->server);
  tmon_http_timer(children->server->http, TMON_CHILD_POLL_US);
  return TMON_OK;
}

/* One that has ended since is taken too: its session is ended by the next tick. */
static int adopt(child *into, tmon_server *server, const char *id) {
  tmon_child_note note;
  *into = (child){.process = {.fd = -1}, .note = {.fd = -1}, .keep_running = true};
  (void)tmon_text_copy(into->id, sizeof into->id, id);
  int code = tmon_child_note_take(&note, &into->note, server, id);
  if (code != TMON_OK) {
    return code;
  }
  into->recipe = tmon_recipes_find(server->recipes, note.recipe);
  into->grace_us = note.grace_us;
  code = tmon_supervised_adopt(&into->process, &note.supervisor);
  if (code == TMON_ENOTFOUND) {
    into->process = (tmon_supervised){.fd = -1, .adopted = true, .ended = true, .gone = true};
    return TMON_OK;
  }
  if (code != TMON_OK) {
    tmon_lock_close(&into->note);
  }
  return code;
}

void tmon_children_adopt(tmon_children *children) {
  tmon_child_file *files = NULL;
  size_t count = 0;
  /* A note that can't be used must not keep the server from its work. */
  (void)tmon_child_files(&files, &count, children->server, ".run");
  for (size_t i = 0; i < count && children->count < TMON_CHILDREN; i++) {
    if (adopt(&children->items[children->count], children->server, files[i].id) == TMON_OK) {
      children->count++;
    }
  }
  tmon_free(files);
}

/* ---- watching ---- */

/* TMON_DONE: there is no such session. */
static int look(tmon_server *server, const char *id, tmon_record *record) {
  tmon_record_filter filter = {.size = sizeof filter, .id = id, .limit = 1};
  tmon_record_list *list = NULL;
  int code = tmon_record_list_open(&list, server->store, &filter);
  if (code == TMON_OK) {
    code = tmon_record_list_next(list, record);
  }
  tmon_record_list_free(list); /* only numbers of the record are used after this */
  return code;
}

static void describe(const child *ended, char *out, size_t size, tmon_server *server) {
  char line[LINE_BYTES] = "";
  char *path = tmon_child_output_path(server, ended->id);
  if (path != NULL) {
    tmon_output_last_line(line, sizeof line, path);
  }
  tmon_free(path);
  if (ended->process.adopted) {
    (void)snprintf(out, size, "%sended without a final status; its exit status is not known, because an earlier server started it%s%s",
        ended->stopped_us != 0 ? "stopped: " : "", line[0] != '\0' ? ": " : "", line);
    return;
  }
  (void)snprintf(out, size, "%s%s %d%s%s%s", ended->stopped_us != 0 ? "stopped: " : "", ended->process.signalled ? "killed by signal" : "exit status",
      ended->process.value, ended->process.signalled || ended->process.value != 0 ? "" : " without a final status", line[0] != '\0' ? ": " : "", line);
}

/* True: the session has a final status, or there is none. The rings of a program that was killed are read first: its last word may lie there. */
static bool settle(const child *ended, tmon_server *server) {
  tmon_record record;
  char why[LINE_BYTES + 150];
  (void)tmon_store_recover(server->store, 0, NULL);
  int code = look(server, ended->id, &record);
  if (code == TMON_DONE) {
    return true;
  }
  if (code != TMON_OK) {
    return false;
  }
  if (record.status == TMON_STATUS_COMPLETED || record.status == TMON_STATUS_FAILED || record.status == TMON_STATUS_CANCELLED) {
    return true;
  }
  /* While nobody watched, another program may have resumed the session; that one tells its end itself. */
  if (ended->process.adopted && record.live && !record.rest) {
    return true;
  }
  describe(ended, why, sizeof why, server);
  bool stopped = ended->stopped_us != 0 || record.control == TMON_CONTROL_STOP;
  code = set_status(server, ended->id, stopped ? TMON_STATUS_CANCELLED : TMON_STATUS_FAILED, why);
  return code == TMON_OK || code == TMON_ENOTFOUND;
}

static void watch(child *one, tmon_server *server, bool look_now, int64_t now) {
  tmon_record record;
  if (look_now && one->stopped_us == 0 && look(server, one->id, &record) == TMON_OK && record.control == TMON_CONTROL_STOP) {
    one->stopped_us = now;
  }
  if (one->stopped_us != 0 && !one->told_to_end && now - one->stopped_us >= one->grace_us) {
    tmon_supervised_end(&one->process);
    one->told_to_end = true;
  }
}

/* One whose end could not be written is left to the next server. */
static void forget_note(child *one, tmon_server *server) {
  if (one->settled) {
    tmon_child_note_remove(&one->note, server, one->id);
  }
  tmon_lock_close(&one->note);
}

void tmon_children_tick(tmon_children *children, int64_t now_us) {
  bool look_now = now_us - children->looked_us >= LOOK_US;
  if (look_now) {
    children->looked_us = now_us;
  }
  for (size_t i = children->count; i > 0; i--) {
    child *one = &children->items[i - 1];
    tmon_supervised_poll(&one->process);
    if (!one->process.ended) {
      watch(one, children->server, look_now, now_us);
      continue;
    }
    if (one->ended_us == 0) {
      one->ended_us = now_us;
    }
    one->settled = one->settled || settle(one, children->server);
    /* A store that can't be written for a minute is not waited for. */
    if (one->process.gone && (one->settled || now_us - one->ended_us > SETTLE_US)) {
      tmon_supervised_close(&one->process);
      forget_note(one, children->server);
      *one = children->items[--children->count];
    }
  }
}

/* All are told before one is waited for. */
void tmon_children_free(tmon_children *children) {
  if (children == NULL) {
    return;
  }
  int64_t now = tmon_clock_monotonic_us();
  for (size_t i = 0; i < children->count; i++) {
    child *one = &children->items[i];
    if (!one->keep_running && !one->process.ended) {
      one->stopped_us = one->stopped_us != 0 ? one->stopped_us : now;
      tmon_supervised_end(&one->process);
    }
  }
  for (size_t i = 0; i < children->count; i++) {
    child *one = &children->items[i];
    bool leave = one->keep_running && !one->process.ended;
    if (!leave && tmon_supervised_wait(&one->process, one->grace_us + LEAVE_US) && !one->settled) {
      one->settled = settle(one, children->server);
    }
    tmon_supervised_close(&one->process);
    forget_note(one, children->server);
  }
  tmon_free(children);
}
