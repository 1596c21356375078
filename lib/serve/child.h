/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The trainings that this server has started from recipes: started, watched, stopped, and their end written down. All of it on the service thread. */
#ifndef TRAINMON_SERVE_CHILD_H
#define TRAINMON_SERVE_CHILD_H
#include "serve/recipe.h"
#include "trainmon/server.h"

enum { TMON_CHILDREN = 64, TMON_CHILD_OUTPUT_BYTES = 16 << 20, TMON_CHILD_POLL_US = 100000 };

typedef struct tmon_children tmon_children;

int tmon_children_make(tmon_children **out, tmon_server *server);
/* Ends all that may not live on without the server, and waits for that; their sessions become `cancelled`. */
void tmon_children_free(tmon_children *children);
size_t tmon_children_count(const tmon_children *children, const tmon_recipe *recipe); /* running ones; NULL: of all recipes */

/* Starts a recipe for the session `id`, which exists. TMON_ELIMIT: too many run. A session whose program did not start is `failed`. */
int tmon_child_start(tmon_children *children, const tmon_recipe *recipe, char *const *arguments, const char *id);
bool tmon_child_lives(const tmon_children *children, const char *id);
/* Its grace time begins: whoever still lives after it is ended. */
void tmon_child_stop(tmon_children *children, const char *id);
void tmon_children_tick(tmon_children *children, int64_t now_us);
/* For an environment: adds "NAME=value" to a list that has room; and the names that are passed on from the server's own, ended by NULL. */
int tmon_environment_add(char **list, size_t *count, const char *name, const char *value);
extern const char *const tmon_environment_passed[];
/* Path of the output of a session; NULL: no memory. It need not exist. */
char *tmon_child_output_path(tmon_server *server, const char *id);
/* child_output.c. The last line of the file that says something, in one line of clean text; "" where there is none. */
void tmon_output_last_line(char *out, size_t size, const char *path);
/* Up to `size` bytes from `from`; `*read` receives how many, `*end` the size of the file. A character cut in two at the end is left for the next time unless `whole`. */
int tmon_output_read(char **out, size_t *read, int64_t *end, const char *path, int64_t from, size_t size, bool whole);
#endif
