/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The trainings that this server has started from recipes, or an earlier one of its store has: started, adopted, watched, stopped, and their end written down. All of it on the service thread. */
#ifndef TRAINMON_SERVE_CHILD_H
#define TRAINMON_SERVE_CHILD_H
#include "serve/recipe.h"
#include "trainmon/server.h"
#include "util/os.h"

enum {
  TMON_CHILDREN = 64,
  TMON_CHILD_OUTPUT_BYTES = 16 << 20,
  TMON_CHILD_OUTPUTS = 1000,
  TMON_CHILD_OUTPUTS_BYTES = 1 << 30,
  TMON_CHILD_POLL_US = 100000
};

typedef struct tmon_children tmon_children;

int tmon_children_make(tmon_children **out, tmon_server *server);
/* Ends all that may not live on without the server, and waits for that; their sessions become `cancelled`. */
void tmon_children_free(tmon_children *children);
size_t tmon_children_count(const tmon_children *children, const tmon_recipe *recipe); /* running ones; NULL: of all recipes */

/* Takes over what earlier servers left running, and what of that has ended since. Not for a server that may not write. */
void tmon_children_adopt(tmon_children *children);
/* Starts a recipe for the session `id`, which exists. TMON_ELIMIT: too many run. A session whose program did not start is `failed`. */
int tmon_child_start(tmon_children *children, const tmon_recipe *recipe, char *const *arguments, const char *id);
bool tmon_child_lives(const tmon_children *children, const char *id);
/* Its grace time begins: whoever still lives after it is ended. */
void tmon_child_stop(tmon_children *children, const char *id);
void tmon_children_tick(tmon_children *children, int64_t now_us);
/* For an environment: adds "NAME=value" to a list that has room; and the names that are passed on from the server's own, ended by NULL. */
int tmon_environment_add(char **list, size_t *count, const char *name, const char *value);
extern const char *const tmon_environment_passed[];
/* child_files.c. Path of the output of a session; NULL: no memory. It need not exist. */
char *tmon_child_output_path(tmon_server *server, const char *id);
/* What a session has in logs/ by the name session-ID and this end. */
typedef struct tmon_child_file {
  char id[37];
  int64_t size;
  int64_t changed_us; /* by the wall clock */
} tmon_child_file;
int tmon_child_files(tmon_child_file **out, size_t *count, tmon_server *server, const char *suffix); /* no folder: none */

/* child_prune.c. Removes the oldest outputs over TMON_CHILD_OUTPUTS and TMON_CHILD_OUTPUTS_BYTES; those of sessions that are not over stay. */
void tmon_child_outputs_prune(tmon_server *server);

/* child_files.c. What the next server needs to know of a training with keep_running, in logs/session-ID.run. Who has the file locked watches the training. */
typedef struct tmon_child_note {
  tmon_process supervisor;
  char recipe[65];
  int64_t grace_us;
} tmon_child_note;
int tmon_child_note_write(tmon_lock *lock, tmon_server *server, const char *id, const tmon_child_note *note);
/* TMON_EBUSY: another server has it. TMON_ECORRUPT, TMON_EACCESS: not to be believed. */
int tmon_child_note_take(tmon_child_note *out, tmon_lock *lock, tmon_server *server, const char *id);
void tmon_child_note_remove(tmon_lock *lock, tmon_server *server, const char *id);

/* child_output.c. The last line of the file that says something, in one line of clean text; "" where there is none. */
void tmon_output_last_line(char *out, size_t size, const char *path);
/* Up to `size` bytes from `from`; `*read` receives how many, `*end` the size of the file. A character cut in two at the end is left for the next time unless `whole`. */
int tmon_output_read(char **out, size_t *read, int64_t *end, const char *path, int64_t from, size_t size, bool whole);
#endif
