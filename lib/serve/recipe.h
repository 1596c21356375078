/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Recipes: the commands that the operator's file declares, and how the parameters of a request become arguments. */
#ifndef TRAINMON_SERVE_RECIPE_H
#define TRAINMON_SERVE_RECIPE_H
#include "util/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TMON_RECIPES = 256, TMON_RECIPE_ARGUMENTS = 256, TMON_RECIPE_PARAMETERS = 100, TMON_RECIPE_CHOICES = 1000, TMON_RECIPE_TEXT_BYTES = 4096 };

typedef enum tmon_parameter_type {
  TMON_PARAMETER_INTEGER,
  TMON_PARAMETER_NUMBER,
  TMON_PARAMETER_BOOLEAN,
  TMON_PARAMETER_TEXT,
  TMON_PARAMETER_CHOICE
} tmon_parameter_type;

/* One declared parameter. A value is checked against it and becomes text; that text is what a default is kept as. */
typedef struct tmon_recipe_parameter {
  char *name;
  char *title;
  tmon_parameter_type type;
  bool required;
  char *otherwise;  /* the default; NULL: none */
  bool has_minimum; /* integer, number */
  bool has_maximum;
  double minimum;
  double maximum;
  size_t max_length; /* text, in bytes */
  char **choices;    /* choice */
  size_t choice_count;
  bool placed; /* "{name}" stands in the command; else "--name=value" follows it */
} tmon_recipe_parameter;

typedef struct tmon_recipe {
  char *name;
  char *title;
  char *description;
  char *model_type;
  char *folder;   /* absolute */
  char **command; /* ended by NULL */
  size_t command_count;
  char **environment; /* "NAME=value", ended by NULL */
  size_t environment_count;
  tmon_recipe_parameter *parameters;
  size_t parameter_count;
  bool is_default;
  bool keep_running;
  int64_t grace_us;
  int64_t max_running;
} tmon_recipe;

typedef struct tmon_recipes {
  tmon_recipe *items;
  size_t count;
} tmon_recipes;

/* Reads the file. TMON_EINVAL says file, recipe and field; TMON_EACCESS: others may write the file. */
int tmon_recipes_load(tmon_recipes **out, const char *path);
void tmon_recipes_free(tmon_recipes *recipes);
const tmon_recipe *tmon_recipes_find(const tmon_recipes *recipes, const char *name);
const tmon_recipe *tmon_recipes_default(const tmon_recipes *recipes); /* the one so marked, else the only one, else NULL */

/* The arguments of one start, ended by NULL. `values` is an object or NULL. TMON_EINVAL with the name of the parameter as field. */
int tmon_recipe_arguments(char ***out, const tmon_recipe *recipe, const tmon_json *values);
void tmon_texts_free(char **texts); /* ended by NULL; NULL is fine */

/* recipe_value.c. The text of a value that `parameter` allows; TMON_EINVAL otherwise. */
int tmon_recipe_value(char **out, const tmon_recipe_parameter *parameter, const tmon_json *value);
const char *tmon_parameter_type_name(tmon_parameter_type type);
/* Finds the first "{name}" of a declared parameter in `text`; `length` receives its size. NULL: none. */
const char *tmon_recipe_placeholder(const char *text, const tmon_recipe *recipe, size_t *parameter, size_t *length);
#endif
