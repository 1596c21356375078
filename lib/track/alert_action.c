/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * What follows from an alert outside the store: callback, pause, stop, command. After the commit, by the drainer that lives: who adopts the points of a dead trainer has
 * nobody to tell. A command is the argument vector of the rule and nothing else; what happened is in its environment. It has a process group of its own, no signal
 * blocked, at most one runs a rule, and it is killed after a minute.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "track/session.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Since glibc 2.34. Elsewhere those are closed that are open now. */
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
#define CLOSE_FROM
#endif
#endif

#define COMMAND_US 60000000
#define KILLED_US 1000000 /* for a killed one to be gone; the end of the session waits no longer */
#define POLL_US 10000

extern char **environ;

/* Never waits: one that hangs in the kernel, on a disk that does not answer, must not keep the drainer. It is looked at again. */
static void reap(tmon_alert_command *command, int64_t now) {
  int status = 0;
  pid_t ended = waitpid((pid_t)command->pid, &status, WNOHANG);
  /* Not reaped, so the number is still its own. */
  if (ended == 0 && now >= command->deadline) (void)kill(-(pid_t)command->pid, SIGKILL);
  /* ECHILD: the host program waits for all its children. */
  if (ended != 0) memset(command, 0, sizeof *command);
}

void tmon_alert_commands_reap(tmon_session *session) {
  int64_t now = tmon_clock_monotonic_us();
  for (size_t i = 0; i < TMON_ALERT_COMMANDS; i++) {
    if (session->commands[i].pid != 0) reap(&session->commands[i], now);
  }
}

void tmon_alert_commands_end(tmon_session *session, int64_t wait_us) {
  int64_t deadline = tmon_clock_monotonic_us() + wait_us;
  for (;;) {
    bool running = false;
    int64_t now = tmon_clock_monotonic_us();
    for (size_t i = 0; i < TMON_ALERT_COMMANDS; i++) {
      tmon_alert_command *command = &session->commands[i];
      if (command->pid == 0) continue;
      if (now >= deadline) command->deadline = now;
      reap(command, now);
      running = running || command->pid != 0;
    }
    if (!running || now >= deadline + KILLED_US) return;
    tmon_clock_sleep_us(POLL_US);
  }
}

enum { VARIABLES = 12 };

static void add(tmon_buffer *text, size_t *starts, size_t *count, const char *name, const char *value) {
  starts[(*count)++] = text->size;
  (void)tmon_buffer_append_format(text, "%s=%s", name, value);
  tmon_buffer_append(text, "", 1);
}

/* The environment of this process, and after it what happened. `text` holds the new variables. */
static char **make_environment(tmon_buffer *text, const tmon_session *session, const tmon_alert_event *event) {
  char number[TMON_DOUBLE_BYTES];
  char whole[32];
  size_t starts[VARIABLES];
  size_t count = 0;
  size_t used = 0;
  size_t inherited = 0;
  add(text, starts, &count, "TRAINMON_SESSION_ID", session->id);
  add(text, starts, &count, "TRAINMON_STORE", tmon_db_folder(session->store->db));
  add(text, starts, &count, "TRAINMON_ALERT_RULE", event->rule);
  add(text, starts, &count, "TRAINMON_ALERT_TYPE", tmon_alert_type_name(event->type));
  add(text, starts, &count, "TRAINMON_ALERT_SEVERITY", tmon_alert_severity_name(event->severity));
  add(text, starts, &count, "TRAINMON_ALERT_METRIC", event->metric);
  add(text, starts, &count, "TRAINMON_ALERT_MESSAGE", event->message);
  (void)snprintf(whole, sizeof whole, "%lld", (long long)event->id);
  add(text, starts, &count, "TRAINMON_ALERT_ID", whole);
  (void)snprintf(whole, sizeof whole, "%lld", (long long)event->step);
  add(text, starts, &count, "TRAINMON_ALERT_STEP", whole);
  tmon_text_from_double(number, event->value);
  add(text, starts, &count, "TRAINMON_ALERT_VALUE", number);
  tmon_text_from_double(number, event->threshold);
  add(text, starts, &count, "TRAINMON_ALERT_THRESHOLD", isnan(event->threshold) ? "" : number);
  while (environ != NULL && environ[inherited] != NULL) inherited++;
  char **all = text->error == TMON_OK ? tmon_alloc_zero(inherited + VARIABLES + 1, sizeof *all) : NULL;
  for (size_t i = 0; all != NULL && i < inherited; i++) {
    if (strncmp(environ[i], "TRAINMON_ALERT_", 15) != 0 && strncmp(environ[i], "TRAINMON_SESSION_ID=", 20) != 0 &&
        strncmp(environ[i], "TRAINMON_STORE=", 15) != 0)
      all[used++] = environ[i];
  }
  for (size_t i = 0; all != NULL && i < count; i++) all[used++] = (char *)text->data + starts[i];
  return all;
}

/* Of the trainer's descriptors a command has standard output and error, and no other: a socket or a lock must not live on in it. */
static int keep_standard(posix_spawn_file_actions_t *files) {
  int result = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
#ifdef CLOSE_FROM
  if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(files, 3);
#else
  DIR *folder = opendir("/proc/self/fd");
  if (folder == NULL) return errno;
  for (const struct dirent *entry = readdir(folder); entry != NULL && result == 0; entry = readdir(folder)) {
    int64_t fd = -1;
    if (tmon_text_to_int(entry->d_name, &fd) && fd > 2 && fd != dirfd(folder)) result = posix_spawn_file_actions_addclose(files, (int)fd);
  }
  (void)closedir(folder);
#endif
  return result;
}

static void spawn(tmon_alert_command *slot, char *const *command, char *const *environment) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  sigset_t none;
  sigset_t all;
  pid_t pid = 0;
  (void)sigemptyset(&none);
  (void)sigfillset(&all);
  if (posix_spawn_file_actions_init(&files) != 0) return;
  if (posix_spawnattr_init(&how) == 0) {
    (void)posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    (void)posix_spawnattr_setpgroup(&how, 0);
    (void)posix_spawnattr_setsigmask(&how, &none);
    (void)posix_spawnattr_setsigdefault(&how, &all);
    if (keep_standard(&files) == 0 && posix_spawn(&pid, command[0], &files, &how, command, environment) == 0) {
      slot->pid = pid;
      slot->deadline = tmon_clock_monotonic_us() + COMMAND_US;
    }
    (void)posix_spawnattr_destroy(&how);
  }
  (void)posix_spawn_file_actions_destroy(&files);
}

static void run_command(tmon_session *session, const tmon_alert_event *event) {
  tmon_alert_command *slot = NULL;
  tmon_buffer text;
  for (size_t i = 0; i < TMON_ALERT_COMMANDS; i++) {
    tmon_alert_command *command = &session->commands[i];
    if (command->pid == 0) slot = command;
    else if (strcmp(command->rule, event->rule) == 0) return;
  }
  if (slot == NULL) return;
  tmon_buffer_init(&text, 64 << 10);
  char **environment = make_environment(&text, session, event);
  if (environment != NULL) {
    (void)tmon_text_copy(slot->rule, sizeof slot->rule, event->rule);
    spawn(slot, event->command, environment);
  }
  tmon_free(environment);
  tmon_buffer_free(&text);
}

static void call_back(tmon_session *session, const tmon_alert_event *event) {
  tmon_mutex_lock(session->words);
  tmon_alert_callback *callback = session->on_alert;
  void *payload = session->on_alert_payload;
  tmon_mutex_unlock(session->words);
  if (callback == NULL) return;
  tmon_alert alert = {.id = event->id,
      .session_id = session->id,
      .rule = event->rule,
      .type = tmon_alert_type_name(event->type),
      .severity = tmon_alert_severity_name(event->severity),
      .metric = event->metric,
      .step = event->step,
      .value = event->value,
      .threshold = event->threshold,
      .time = event->time,
      .recovered = event->recovered,
      .message = event->message};
  (void)callback(&alert, payload);
}

/* Points that came late can tell of a stall that is over: nothing is stopped for it. */
static bool is_over(const tmon_alert_event *events, size_t count, size_t index) {
  if (events[index].type != TMON_ALERT_STALLED) return false;
  for (size_t i = index + 1; i < count; i++) {
    if (events[i].recovered && events[i].id == events[index].id) return true;
  }
  return false;
}

/* Given alerts come after those of the points that are committed by now. */
static void take_given(tmon_session *session, tmon_alerts *alerts) {
  tmon_mutex_lock(session->words);
  tmon_alert_told given = session->given;
  session->given = (tmon_alert_told){0};
  tmon_mutex_unlock(session->words);
  for (size_t i = 0; i < given.count; i++) (void)tmon_alert_told_keep(&alerts->told, &given.events[i]);
  alerts->committed = alerts->told.count;
  tmon_alert_told_cut(&given, 0);
}

void tmon_alert_events_take(tmon_alert_told *out, tmon_session *session) {
  tmon_alerts *alerts = &session->drain.alerts;
  *out = (tmon_alert_told){0};
  tmon_alert_commands_reap(session);
  if (alerts->committed != alerts->told.count) return;
  take_given(session, alerts);
  *out = alerts->told;
  alerts->told = (tmon_alert_told){0};
  alerts->committed = 0;
  for (size_t i = 0; i < out->count; i++) {
    if (out->events[i].command != NULL && !is_over(out->events, out->count, i)) run_command(session, &out->events[i]);
  }
}

void tmon_alert_events_act(tmon_session *session, tmon_alert_told *told) {
  for (size_t i = 0; i < told->count; i++) {
    const tmon_alert_event *event = &told->events[i];
    bool acts = !event->recovered && !is_over(told->events, told->count, i);
    if (acts && event->actions & TMON_ALERT_DO_STOP) (void)tmon_record_request(session->store, session->id, TMON_CONTROL_STOP);
    else if (acts && event->actions & TMON_ALERT_DO_PAUSE) (void)tmon_alert_pause(session);
    if (event->actions & TMON_ALERT_DO_CALLBACK) call_back(session, event);
  }
  tmon_alert_told_cut(told, 0);
}

/* Its drainer acts, as on alerts of points, or without one who flushes: the callback has one thread to expect. */
static void give(tmon_session *session, void *payload) {
  tmon_alert_told *told = payload;
  tmon_mutex_lock(session->words);
  bool finished = atomic_load_explicit(&session->finished, memory_order_acquire);
  for (size_t i = 0; !finished && i < told->count; i++) (void)tmon_alert_told_keep(&session->given, &told->events[i]);
  tmon_mutex_unlock(session->words);
  if (!finished) tmon_drainer_start_if_free(session);
}

void tmon_alerts_give(tmon_alert_told *told, tmon_store *store, const char *session_id, int result) {
  if (result == TMON_OK && told->count > 0) tmon_exit_with(store, session_id, give, told);
  tmon_alert_told_cut(told, 0);
}

/* A pause does not take back a stop that somebody asked for. */
int tmon_alert_pause(tmon_session *session) {
  if (tmon_ring_control(tmon_session_ring(session)) == TMON_CONTROL_STOP) return TMON_OK;
  return tmon_record_request(session->store, session->id, TMON_CONTROL_PAUSE);
}

int tmon_session_on_alert(tmon_session *session, tmon_alert_callback *callback, void *payload) {
  int result = tmon_session_check(session);
  if (result != TMON_OK) return result;
  tmon_mutex_lock(session->words);
  session->on_alert = callback;
  session->on_alert_payload = payload;
  tmon_mutex_unlock(session->words);
  return TMON_OK;
}
