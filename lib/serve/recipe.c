/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reads the file of recipes. It decides what this server may run, so nothing in it is guessed: unknown fields, doubles and odd values are refused by name. */
#include "serve/recipe.h"

#include "util/alloc.h"
#include "util/buffer.h"
#include "util/error.h"
#include "util/file.h"
#include "util/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_BYTES = 1 << 20, GRACE_SECONDS = 10, GRACE_SECONDS_MAXIMUM = 3600, RUNNING_MAXIMUM = 64, TEXT_USUAL = 1000, NAME_BYTES = 64 };

/* Where the reader is, for the error's text. */
typedef struct reader {
  const char *path;
  const char *folder; /* of the file */
  const char *recipe; /* NULL: not in one */
  tmon_recipe *into;
  tmon_recipe_parameter *parameter;
} reader;

typedef int field_reader(reader *at, const char *field, const tmon_json *value);
typedef struct field {
  const char *name;
  field_reader *read;
} field;

static int refuse(const reader *at, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int refuse(const reader *at, const char *name, const char *format, ...) {
  char what[256];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(what, sizeof what, format, arguments);
  va_end(arguments);
  const char *parameter = at->parameter != NULL && at->parameter->name != NULL ? at->parameter->name : NULL;
  return tmon_error_set_field(TMON_EINVAL, name, "%s: %s%s%s%s%s%s%s", at->path, at->recipe != NULL ? "recipe " : "", at->recipe != NULL ? at->recipe : "",
      at->recipe != NULL ? ": " : "", parameter != NULL ? "parameter " : "", parameter != NULL ? parameter : "", parameter != NULL ? ": " : "", what);
}

/* Names stand in arguments, paths of the API and error texts. */
static bool is_name(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  size_t length = strlen(name);
  return length > 0 && length <= NAME_BYTES && strchr(letters, name[0]) != NULL &&
      strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == length;
}

static int read_text(const reader *at, const char *name, const tmon_json *value, char **out) {
  const char *text = tmon_json_text(value);
  if (text == NULL || text[0] == '\0' || strlen(text) > TMON_RECIPE_TEXT_BYTES) {
    return refuse(at, name, "%s: expected text of 1 to %d bytes", name, (int)TMON_RECIPE_TEXT_BYTES);
  }
  *out = tmon_strdup(text);
  return *out != NULL ? TMON_OK : tmon_error_no_memory();
}

static int read_bool(const reader *at, const char *name, const tmon_json *value, bool *out) {
  if (tmon_json_type(value) != TMON_JSON_BOOL) {
    return refuse(at, name, "%s: expected true or false", name);
  }
  *out = tmon_json_bool(value, false);
  return TMON_OK;
}

static int read_count(const reader *at, const char *name, const tmon_json *value, int64_t maximum, int64_t *out) {
  if (!tmon_json_int(value, out) || *out < 1 || *out > maximum) {
    return refuse(at, name, "%s: expected a whole number from 1 to %lld", name, (long long)maximum);
  }
  return TMON_OK;
}

static int read_texts(const reader *at, const char *name, const tmon_json *value, size_t maximum, char ***out, size_t *count) {
  size_t size = 0;
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    size++;
  }
  if (tmon_json_type(value) != TMON_JSON_ARRAY || size == 0 || size > maximum) {
    return refuse(at, name, "%s: expected a list of 1 to %zu texts", name, maximum);
  }
  *out = tmon_alloc_zero(size + 1, sizeof **out);
  if (*out == NULL) {
    return tmon_error_no_memory();
  }
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    const char *text = tmon_json_text(item);
    if (text == NULL || strlen(text) > TMON_RECIPE_TEXT_BYTES) {
      return refuse(at, name, "%s: expected texts of at most %d bytes", name, (int)TMON_RECIPE_TEXT_BYTES);
    }
    (*out)[*count] = tmon_strdup(text);
    if ((*out)[(*count)++] == NULL) {
      return tmon_error_no_memory();
    }
  }
  return TMON_OK;
}

/* Each member by its reader; NULL members, unknown and doubled ones are refused. */
static int read_fields(reader *at, const tmon_json *object, const field *fields, size_t count) {
  unsigned seen = 0;
  for (const tmon_json *item = tmon_json_first(object); item != NULL; item = tmon_json_next(item)) {
    const char *name = tmon_json_key(item);
    size_t i = 0;
    while (i < count && strcmp(fields[i].name, name) != 0) {
      i++;
    }
    if (i == count) {
      return refuse(at, name, "unknown field \"%.100s\"", name);
    }
    if ((seen & 1u << i) != 0) {
      return refuse(at, name, "the field \"%s\" is there twice", name);
    }
    seen |= 1u << i;
    int code = fields[i].read != NULL ? fields[i].read(at, name, item) : TMON_OK;
    if (code != TMON_OK) {
      return code;
    }
  }
  return TMON_OK;
}

/* ---- parameters ---- */

static int parameter_type(reader *at, const char *name, const tmon_json *value) {
  const char *text = tmon_json_text(value);
  for (int type = TMON_PARAMETER_INTEGER; text != NULL && type <= TMON_PARAMETER_CHOICE; type++) {
    if (strcmp(text, tmon_parameter_type_name((tmon_parameter_type)type)) == 0) {
      at->parameter->type = (tmon_parameter_type)type;
      return TMON_OK;
    }
  }
  return refuse(at, name, "type: expected integer, number, boolean, text or choice");
}

static int bound(reader *at, const char *name, const tmon_json *value, bool *has, double *out) {
  if (tmon_json_type(value) != TMON_JSON_NUMBER || at->parameter->type > TMON_PARAMETER_NUMBER) {
    return refuse(at, name, "%s: expected a number, for an integer or a number", name);
  }
  *has = true;
  *out = tmon_json_number(value, 0);
  return TMON_OK;
}

static int parameter_minimum(reader *at, const char *name, const tmon_json *value) {
  return bound(at, name, value, &at->parameter->has_minimum, &at->parameter->minimum);
}

static int parameter_maximum(reader *at, const char *name, const tmon_json *value) {
  return bound(at, name, value, &at->parameter->has_maximum, &at->parameter->maximum);
}

static int parameter_length(reader *at, const char *name, const tmon_json *value) {
  int64_t length = 0;
  int code = at->parameter->type == TMON_PARAMETER_TEXT ? read_count(at, name, value, TMON_RECIPE_TEXT_BYTES, &length)
                                                        : refuse(at, name, "%s: only a text has one", name);
  at->parameter->max_length = (size_t)length;
  return code;
}

static int parameter_choices(reader *at, const char *name, const tmon_json *value) {
  if (at->parameter->type != TMON_PARAMETER_CHOICE) {
    return refuse(at, name, "%s: only a choice has them", name);
  }
  return read_texts(at, name, value, TMON_RECIPE_CHOICES, &at->parameter->choices, &at->parameter->choice_count);
}

static int parameter_required(reader *at, const char *name, const tmon_json *value) { return read_bool(at, name, value, &at->parameter->required); }

static int parameter_title(reader *at, const char *name, const tmon_json *value) { return read_text(at, name, value, &at->parameter->title); }

static int read_parameter(reader *at, const char *name, const tmon_json *value) {
  static const field fields[] = {{"type", NULL}, {"minimum", parameter_minimum}, {"maximum", parameter_maximum}, {"max_length", parameter_length},
      {"choices", parameter_choices}, {"required", parameter_required}, {"title", parameter_title}, {"default", NULL}};
  tmon_recipe_parameter *parameter = at->parameter;
  const tmon_json *otherwise = tmon_json_get(value, "default");
  parameter->name = tmon_strdup(name);
  parameter->max_length = TEXT_USUAL;
  if (parameter->name == NULL) {
    return tmon_error_no_memory();
  }
  if (tmon_json_type(value) != TMON_JSON_OBJECT) {
    return refuse(at, name, "expected an object");
  }
  /* The type first: what the others may be follows from it. */
  int code = parameter_type(at, "type", tmon_json_get(value, "type"));
  if (code == TMON_OK) {
    code = read_fields(at, value, fields, sizeof fields / sizeof fields[0]);
  }
  if (code == TMON_OK && parameter->type == TMON_PARAMETER_CHOICE && parameter->choices == NULL) {
    code = refuse(at, "choices", "choices are missing");
  }
  if (code == TMON_OK && parameter->has_minimum && parameter->has_maximum && parameter->minimum > parameter->maximum) {
    code = refuse(at, "minimum", "minimum is over maximum");
  }
  if (code == TMON_OK && otherwise != NULL) {
    code = tmon_recipe_value(&parameter->otherwise, parameter, otherwise);
    if (code == TMON_EINVAL) {
      code = refuse(at, "default", "default is no value that this parameter allows");
    }
  }
  return code;
}

static int recipe_parameters(reader *at, const char *name, const tmon_json *value) {
  size_t count = 0;
  if (tmon_json_type(value) != TMON_JSON_OBJECT) {
    return refuse(at, name, "parameters: expected an object of objects");
  }
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    count++;
  }
  if (count > TMON_RECIPE_PARAMETERS) {
    return refuse(at, name, "%zu parameters, at most %d are allowed", count, (int)TMON_RECIPE_PARAMETERS);
  }
  at->into->parameters = tmon_alloc_zero(count + 1, sizeof *at->into->parameters);
  if (at->into->parameters == NULL) {
    return tmon_error_no_memory();
  }
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    for (size_t i = 0; i < at->into->parameter_count; i++) {
      if (strcmp(at->into->parameters[i].name, key) == 0) {
        return refuse(at, key, "the parameter \"%s\" is there twice", key);
      }
    }
    if (!is_name(key) || strcmp(key, "recipe") == 0) { /* the session's config says the recipe's name under that */
      return refuse(at, key, "\"%.100s\" is no name of a parameter (a letter, then letters, digits, _ and -)", key);
    }
    at->parameter = &at->into->parameters[at->into->parameter_count++];
    int code = read_parameter(at, key, item);
    if (code != TMON_OK) {
      return code;
    }
    at->parameter = NULL;
  }
  return TMON_OK;
}

/* ---- recipes ---- */

static int recipe_command(reader *at, const char *name, const tmon_json *value) {
  int code = read_texts(at, name, value, TMON_RECIPE_ARGUMENTS, &at->into->command, &at->into->command_count);
  return code == TMON_OK && at->into->command[0][0] == '\0' ? refuse(at, name, "command: the program has no name") : code;
}

/* Relative folders start at the file's own, so that a recipe file can be moved with what it runs. */
static int recipe_folder(reader *at, const char *name, const tmon_json *value) {
  char *folder = NULL;
  int code = read_text(at, name, value, &folder);
  if (code == TMON_OK) {
    at->into->folder = folder[0] == '/' ? tmon_strdup(folder) : tmon_path_join(at->folder, folder);
    code = at->into->folder != NULL ? TMON_OK : tmon_error_no_memory();
  }
  tmon_free(folder);
  return code;
}

static int recipe_environment(reader *at, const char *name, const tmon_json *value) {
  size_t count = 0;
  if (tmon_json_type(value) != TMON_JSON_OBJECT) {
    return refuse(at, name, "environment: expected an object of texts");
  }
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    count++;
  }
  at->into->environment = tmon_alloc_zero(count + 1, sizeof *at->into->environment);
  if (at->into->environment == NULL) {
    return tmon_error_no_memory();
  }
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    const char *text = tmon_json_text(item);
    if (key[0] == '\0' || strchr(key, '=') != NULL || strncmp(key, "TRAINMON_", 9) == 0) {
      return refuse(at, name, "environment: \"%.100s\" can't be set here", key);
    }
    if (text == NULL || strlen(text) > TMON_RECIPE_TEXT_BYTES) {
      return refuse(at, name, "environment: %.100s: expected text of at most %d bytes", key, (int)TMON_RECIPE_TEXT_BYTES);
    }
    tmon_buffer buffer;
    tmon_buffer_init(&buffer, FILE_BYTES);
    (void)tmon_buffer_append_format(&buffer, "%s=%s", key, text);
    char *entry = tmon_buffer_take(&buffer);
    tmon_buffer_free(&buffer);
    if (entry == NULL) {
      return tmon_error_no_memory();
    }
    at->into->environment[at->into->environment_count++] = entry;
  }
  return TMON_OK;
}

static int recipe_default(reader *at, const char *name, const tmon_json *value) { return read_bool(at, name, value, &at->into->is_default); }

static int recipe_keep(reader *at, const char *name, const tmon_json *value) { return read_bool(at, name, value, &at->into->keep_running); }

static int recipe_title(reader *at, const char *name, const tmon_json *value) { return read_text(at, name, value, &at->into->title); }

static int recipe_description(reader *at, const char *name, const tmon_json *value) { return read_text(at, name, value, &at->into->description); }

static int recipe_model(reader *at, const char *name, const tmon_json *value) { return read_text(at, name, value, &at->into->model_type); }

static int recipe_running(reader *at, const char *name, const tmon_json *value) {
  return read_count(at, name, value, RUNNING_MAXIMUM, &at->into->max_running);
}

static int recipe_grace(reader *at, const char *name, const tmon_json *value) {
  double seconds = tmon_json_number(value, -1);
  if (!(seconds >= 0 && seconds <= GRACE_SECONDS_MAXIMUM)) {
    return refuse(at, name, "grace_seconds: expected a number from 0 to %d", (int)GRACE_SECONDS_MAXIMUM);
  }
  at->into->grace_us = (int64_t)(seconds * 1e6);
  return TMON_OK;
}

static bool is_shell(const char *program) {
  static const char *const shells[] = {"sh", "bash", "dash", "zsh", "ksh", "fish", "ash"};
  const char *slash = strrchr(program, '/');
  const char *name = slash != NULL ? slash + 1 : program;
  for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
    if (strcmp(shells[i], name) == 0) {
      return true;
    }
  }
  return false;
}

/* Which parameters stand in the command. The program itself is the file's alone, and a shell would read a value as commands. */
static int mark_placed(reader *at) {
  tmon_recipe *recipe = at->into;
  for (size_t i = 0; i < recipe->command_count; i++) {
    size_t parameter = 0;
    size_t length = 0;
    for (const char *rest = recipe->command[i]; (rest = tmon_recipe_placeholder(rest, recipe, &parameter, &length)) != NULL; rest += length) {
      const tmon_recipe_parameter *placed = &recipe->parameters[parameter];
      if (i == 0 || is_shell(recipe->command[0])) {
        return refuse(at, "command", "command: {%s} may not stand in %s", placed->name, i == 0 ? "the program" : "the command of a shell");
      }
      if (!placed->required && placed->otherwise == NULL) {
        return refuse(at, "command", "command: {%s} needs a parameter that is required or has a default", placed->name);
      }
      recipe->parameters[parameter].placed = true;
    }
  }
  return TMON_OK;
}

static int read_recipe(reader *at, const char *name, const tmon_json *value) {
  static const field fields[] = {{"command", recipe_command}, {"folder", recipe_folder}, {"environment", recipe_environment},
      {"parameters", recipe_parameters}, {"default", recipe_default}, {"grace_seconds", recipe_grace}, {"keep_running", recipe_keep},
      {"max_running", recipe_running}, {"title", recipe_title}, {"description", recipe_description}, {"model_type", recipe_model}};
  tmon_recipe *recipe = at->into;
  recipe->name = tmon_strdup(name);
  recipe->grace_us = GRACE_SECONDS * INT64_C(1000000);
  recipe->max_running = 1;
  if (recipe->name == NULL) {
    return tmon_error_no_memory();
  }
  if (tmon_json_type(value) != TMON_JSON_OBJECT) {
    return refuse(at, name, "expected an object");
  }
  int code = read_fields(at, value, fields, sizeof fields / sizeof fields[0]);
  if (code == TMON_OK && recipe->command == NULL) {
    code = refuse(at, "command", "command is missing");
  }
  if (code == TMON_OK && recipe->folder == NULL && (recipe->folder = tmon_strdup(at->folder)) == NULL) {
    code = tmon_error_no_memory();
  }
  if (code == TMON_OK && recipe->environment == NULL && (recipe->environment = tmon_alloc_zero(1, sizeof *recipe->environment)) == NULL) {
    code = tmon_error_no_memory();
  }
  return code == TMON_OK ? mark_placed(at) : code;
}

static int read_document(reader *at, tmon_recipes *recipes, const tmon_json *document) {
  const tmon_json *list = tmon_json_get(document, "recipes");
  const char *marked = NULL;
  size_t count = 0;
  static const field fields[] = {{"recipes", NULL}};
  int code = read_fields(at, document, fields, 1);
  if (code != TMON_OK) {
    return code;
  }
  for (const tmon_json *item = tmon_json_first(list); item != NULL; item = tmon_json_next(item)) {
    count++;
  }
  if (tmon_json_type(list) != TMON_JSON_OBJECT || count > TMON_RECIPES) {
    return refuse(at, "recipes", "recipes: expected an object of at most %d recipes", (int)TMON_RECIPES);
  }
  recipes->items = tmon_alloc_zero(count + 1, sizeof *recipes->items);
  if (recipes->items == NULL) {
    return tmon_error_no_memory();
  }
  for (const tmon_json *item = tmon_json_first(list); item != NULL; item = tmon_json_next(item)) {
    const char *name = tmon_json_key(item);
    at->recipe = NULL;
    at->parameter = NULL;
    if (!is_name(name) || tmon_recipes_find(recipes, name) != NULL) {
      return refuse(at, name,
          is_name(name) ? "two recipes are named \"%.100s\"" : "\"%.100s\" is no name of a recipe (a letter, then letters, digits, _ and -)", name);
    }
    at->recipe = name;
    at->into = &recipes->items[recipes->count++];
    code = read_recipe(at, name, item);
    at->parameter = NULL;
    if (code == TMON_OK && at->into->is_default && marked != NULL) {
      code = refuse(at, "default", "default: %s is it already", marked);
    }
    if (code != TMON_OK) {
      return code;
    }
    marked = at->into->is_default ? name : marked;
  }
  return TMON_OK;
}

/* Who may write the file may run what he likes as this server. */
static int check_writers(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) {
    return tmon_error_set_os(errno, "can't read the recipes %s", path);
  }
  if (!S_ISREG(status.st_mode)) {
    return tmon_error_set(TMON_EINVAL, "%s: expected a file", path);
  }
  return (status.st_mode & S_IWOTH) == 0 ? TMON_OK : tmon_error_set(TMON_EACCESS, "%s: everybody may write it; chmod o-w it", path);
}

int tmon_recipes_load(tmon_recipes **out, const char *path) {
  tmon_json *document = NULL;
  char *text = NULL;
  char *absolute = NULL;
  size_t size = 0;
  tmon_recipes *recipes = tmon_alloc_zero(1, sizeof *recipes);
  *out = NULL;
  int code = recipes != NULL ? check_writers(path) : tmon_error_no_memory();
  if (code == TMON_OK) {
    code = tmon_path_absolute(&absolute, path);
  }
  if (code == TMON_OK) {
    code = tmon_file_read(&text, &size, path, FILE_BYTES);
  }
  if (code == TMON_OK && (code = tmon_json_parse(&document, text, size)) == TMON_EINVAL) {
    code = tmon_error_set(TMON_EINVAL, "%s: not JSON", path);
  }
  if (code == TMON_OK) {
    *strrchr(absolute, '/') = '\0';
    reader at = {.path = path, .folder = absolute[0] != '\0' ? absolute : "/"};
    code = tmon_json_type(document) == TMON_JSON_OBJECT ? read_document(&at, recipes, document) : refuse(&at, "recipes", "expected {\"recipes\": {…}}");
  }
  if (code == TMON_OK) {
    *out = recipes;
    recipes = NULL;
  }
  tmon_json_free(document);
  tmon_free(text);
  tmon_free(absolute);
  tmon_recipes_free(recipes);
  return code;
}

static void free_recipe(tmon_recipe *recipe) {
  for (size_t i = 0; i < recipe->parameter_count; i++) {
    tmon_recipe_parameter *parameter = &recipe->parameters[i];
    tmon_free(parameter->name);
    tmon_free(parameter->title);
    tmon_free(parameter->otherwise);
    tmon_texts_free(parameter->choices);
  }
  tmon_free(recipe->parameters);
  tmon_texts_free(recipe->command);
  tmon_texts_free(recipe->environment);
  tmon_free(recipe->name);
  tmon_free(recipe->title);
  tmon_free(recipe->description);
  tmon_free(recipe->model_type);
  tmon_free(recipe->folder);
}

void tmon_recipes_free(tmon_recipes *recipes) {
  for (size_t i = 0; recipes != NULL && i < recipes->count; i++) {
    free_recipe(&recipes->items[i]);
  }
  if (recipes != NULL) {
    tmon_free(recipes->items);
    tmon_free(recipes);
  }
}

const tmon_recipe *tmon_recipes_find(const tmon_recipes *recipes, const char *name) {
  for (size_t i = 0; recipes != NULL && i < recipes->count; i++) {
    if (recipes->items[i].name != NULL && strcmp(recipes->items[i].name, name) == 0) {
      return &recipes->items[i];
    }
  }
  return NULL;
}

const tmon_recipe *tmon_recipes_default(const tmon_recipes *recipes) {
  for (size_t i = 0; recipes != NULL && i < recipes->count; i++) {
    if (recipes->items[i].is_default) {
      return &recipes->items[i];
    }
  }
  return recipes != NULL && recipes->count == 1 ? &recipes->items[0] : NULL;
}
