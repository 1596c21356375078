/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * From the values of a request to the arguments of a program. What must stay true: the number of arguments, and which of them are options, follows from the
 * recipe alone. A value fills "--name=value" or a placeholder inside one argument; it is never split, seen by a shell, or the start of an option.
 */
#include "serve/recipe.h"

#include "util/alloc.h"
#include "util/buffer.h"
#include "util/error.h"
#include "util/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ARGUMENT_BYTES = 64 << 10 };

const char *tmon_parameter_type_name(tmon_parameter_type type) {
  static const char *const names[] = {"integer", "number", "boolean", "text", "choice"};
  return names[type];
}

void tmon_texts_free(char **texts) {
  for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
    tmon_free(texts[i]);
  }
  tmon_free(texts);
}

static int wrong(const tmon_recipe_parameter *parameter, const char *expected) {
  return tmon_error_set_field(TMON_EINVAL, parameter->name, "%s: expected %s", parameter->name, expected);
}

static int check_bounds(const tmon_recipe_parameter *parameter, double value) {
  char bound[TMON_DOUBLE_BYTES];
  bool low = parameter->has_minimum && value < parameter->minimum;
  if (!low && !(parameter->has_maximum && value > parameter->maximum)) {
    return TMON_OK;
  }
  tmon_text_from_double(bound, low ? parameter->minimum : parameter->maximum);
  return tmon_error_set_field(TMON_EINVAL, parameter->name, "%s: expected at %s %s", parameter->name, low ? "least" : "most", bound);
}

/* Control characters end lines in logs and steer terminals; no setting of a training needs one. */
static bool is_plain(const char *text) {
  for (const char *at = text; *at != '\0'; at++) {
    if ((unsigned char)*at < 0x20 || (unsigned char)*at == 0x7f) {
      return false;
    }
  }
  return tmon_text_is_utf8(text, strlen(text));
}

/* Their names, as many as a message has room for: GET /api/training/recipes has all. */
static int no_choice(const tmon_recipe_parameter *parameter) {
  char expected[200] = "";
  size_t used = 0;
  for (size_t i = 0; i < parameter->choice_count && used < sizeof expected; i++) {
    used += (size_t)snprintf(expected + used, sizeof expected - used, "%s%s",
        i == 0                                 ? ""
            : i + 1 == parameter->choice_count ? " or "
                                               : ", ",
        parameter->choices[i]);
  }
  return wrong(parameter, used < sizeof expected ? expected : "one of its choices");
}

static int text_value(char **out, const tmon_recipe_parameter *parameter, const char *text) {
  char expected[80];
  if (parameter->type == TMON_PARAMETER_CHOICE) {
    for (size_t i = 0; text != NULL && i < parameter->choice_count; i++) {
      if (strcmp(parameter->choices[i], text) == 0) {
        *out = tmon_strdup(text);
        return *out != NULL ? TMON_OK : tmon_error_no_memory();
      }
    }
    return no_choice(parameter);
  }
  if (text == NULL || strlen(text) > parameter->max_length || !is_plain(text)) {
    (void)snprintf(expected, sizeof expected, "text of at most %zu bytes without control characters", parameter->max_length);
    return wrong(parameter, expected);
  }
  *out = tmon_strdup(text);
  return *out != NULL ? TMON_OK : tmon_error_no_memory();
}

int tmon_recipe_value(char **out, const tmon_recipe_parameter *parameter, const tmon_json *value) {
  char text[TMON_DOUBLE_BYTES];
  int64_t whole = 0;
  double real = 0;
  *out = NULL;
  switch (parameter->type) {
  case TMON_PARAMETER_INTEGER:
    if (!tmon_json_int(value, &whole)) {
      return wrong(parameter, "a whole number");
    }
    (void)snprintf(text, sizeof text, "%lld", (long long)whole);
    real = (double)whole;
    break;
  case TMON_PARAMETER_NUMBER:
    real = tmon_json_number(value, (double)NAN);
    if (!isfinite(real)) {
      return wrong(parameter, "a number");
    }
    tmon_text_from_double(text, real);
    break;
  case TMON_PARAMETER_BOOLEAN:
    if (tmon_json_type(value) != TMON_JSON_BOOL) {
      return wrong(parameter, "true or false");
    }
    (void)snprintf(text, sizeof text, "%s", tmon_json_bool(value, false) ? "true" : "false");
    break;
  case TMON_PARAMETER_TEXT:
  case TMON_PARAMETER_CHOICE: return text_value(out, parameter, tmon_json_text(value));
  }
  int code = check_bounds(parameter, real);
  if (code == TMON_OK) {
    *out = tmon_strdup(text);
    code = *out != NULL ? TMON_OK : tmon_error_no_memory();
  }
  return code;
}

const char *tmon_recipe_placeholder(const char *text, const tmon_recipe *recipe, size_t *parameter, size_t *length) {
  for (const char *at = strchr(text, '{'); at != NULL; at = strchr(at + 1, '{')) {
    size_t size = strcspn(at, "}");
    for (size_t i = 0; at[size] == '}' && i < recipe->parameter_count; i++) {
      const char *name = recipe->parameters[i].name;
      if (strlen(name) == size - 1 && memcmp(name, at + 1, size - 1) == 0) {
        *parameter = i;
        *length = size + 1;
        return at;
      }
    }
  }
  return NULL;
}

/* Values are put in once: one that looks like a placeholder stays as it is. */
static int fill(char **out, const char *element, const tmon_recipe *recipe, char *const *values) {
  tmon_buffer buffer;
  size_t parameter = 0;
  size_t length = 0;
  const char *rest = element;
  const char *first = NULL;
  tmon_buffer_init(&buffer, ARGUMENT_BYTES);
  for (const char *at = NULL; (at = tmon_recipe_placeholder(rest, recipe, &parameter, &length)) != NULL; rest = at + length) {
    first = at == element ? recipe->parameters[parameter].name : first;
    (void)tmon_buffer_append(&buffer, rest, (size_t)(at - rest));
    (void)tmon_buffer_append_text(&buffer, values[parameter]);
  }
  (void)tmon_buffer_append_text(&buffer, rest);
  int error = buffer.error;
  *out = tmon_buffer_take(&buffer);
  tmon_buffer_free(&buffer);
  if (*out == NULL) {
    return error == TMON_ELIMIT ? tmon_error_set(TMON_EINVAL, "an argument is over %d bytes", (int)ARGUMENT_BYTES) : tmon_error_no_memory();
  }
  if (first != NULL && (*out)[0] == '-') {
    tmon_free(*out);
    *out = NULL;
    return tmon_error_set_field(TMON_EINVAL, first, "%s: a value that begins an argument may not begin with \"-\"", first);
  }
  return TMON_OK;
}

/* The text of each parameter: given, default, or NULL. */
static int read_values(char **texts, const tmon_recipe *recipe, const tmon_json *values) {
  for (const tmon_json *item = tmon_json_first(values); item != NULL; item = tmon_json_next(item)) {
    const char *key = tmon_json_key(item);
    size_t i = 0;
    while (i < recipe->parameter_count && strcmp(recipe->parameters[i].name, key) != 0) {
      i++;
    }
    if (i == recipe->parameter_count) {
      return tmon_error_set_field(TMON_EINVAL, key, "the recipe %s has no parameter \"%.100s\"", recipe->name, key);
    }
    if (texts[i] != NULL) {
      return tmon_error_set_field(TMON_EINVAL, key, "\"%.100s\" is there twice", key);
    }
    int code = tmon_recipe_value(&texts[i], &recipe->parameters[i], item);
    if (code != TMON_OK) {
      return code;
    }
  }
  for (size_t i = 0; i < recipe->parameter_count; i++) {
    const tmon_recipe_parameter *parameter = &recipe->parameters[i];
    if (texts[i] == NULL && parameter->otherwise != NULL && (texts[i] = tmon_strdup(parameter->otherwise)) == NULL) {
      return tmon_error_no_memory();
    }
    if (texts[i] == NULL && parameter->required) {
      return tmon_error_set_field(TMON_EINVAL, parameter->name, "the recipe %s needs the parameter \"%s\"", recipe->name, parameter->name);
    }
  }
  return TMON_OK;
}

static int write_arguments(char **out, const tmon_recipe *recipe, char *const *texts) {
  size_t count = 0;
  for (size_t i = 0; i < recipe->command_count; i++) {
    int code = fill(&out[count++], recipe->command[i], recipe, texts);
    if (code != TMON_OK) {
      return code;
    }
  }
  for (size_t i = 0; i < recipe->parameter_count; i++) {
    tmon_buffer buffer;
    if (texts[i] == NULL || recipe->parameters[i].placed) {
      continue;
    }
    tmon_buffer_init(&buffer, ARGUMENT_BYTES);
    (void)tmon_buffer_append_format(&buffer, "--%s=", recipe->parameters[i].name);
    (void)tmon_buffer_append_text(&buffer, texts[i]);
    out[count] = tmon_buffer_take(&buffer);
    tmon_buffer_free(&buffer);
    if (out[count++] == NULL) {
      return tmon_error_no_memory();
    }
  }
  return TMON_OK;
}

int tmon_recipe_arguments(char ***out, const tmon_recipe *recipe, const tmon_json *values) {
  char **texts = tmon_alloc_zero(recipe->parameter_count + 1, sizeof *texts);
  char **arguments = tmon_alloc_zero(recipe->command_count + recipe->parameter_count + 1, sizeof *arguments);
  int code = texts != NULL && arguments != NULL ? TMON_OK : tmon_error_no_memory();
  *out = NULL;
  if (code == TMON_OK) {
    code = read_values(texts, recipe, values);
  }
  if (code == TMON_OK) {
    code = write_arguments(arguments, recipe, texts);
  }
  if (code == TMON_OK) {
    *out = arguments;
    arguments = NULL;
  }
  for (size_t i = 0; texts != NULL && i < recipe->parameter_count; i++) {
    tmon_free(texts[i]);
  }
  tmon_free(texts);
  tmon_texts_free(arguments);
  return code;
}
