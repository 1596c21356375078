/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Starting a training from a recipe (two paths, one handler), what recipes there are, and what a started training prints. */
#include "serve/child.h"
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "util/alloc.h"
#include "util/clock.h"

#include <stdio.h>
#include <string.h>

enum { OUTPUT_BYTES = 64 << 10, NAME_BYTES = 200, CONFIG_BYTES = 1 << 20 };

#define DECLARE "declare recipes in a file and start the server with --recipes FILE"

/* What a body asks for. */
typedef struct order {
  const char *name;
  const char *said_as; /* the field that named it */
  const char *session_name;
  const tmon_json *values;
} order;

static bool read_member(order *out, const tmon_json *item, tmon_response *response) {
  const char *key = tmon_json_key(item);
  const char *text = tmon_json_text(item);
  const char *expected = NULL;
  if (tmon_json_type(item) == TMON_JSON_NULL) {
    return true;
  }
  if (strcmp(key, "recipe") == 0 || strcmp(key, "modelType") == 0 || strcmp(key, "model_type") == 0) {
    expected = text == NULL || (out->name != NULL && strcmp(out->name, text) != 0) ? "the name of one recipe" : NULL;
    out->name = text;
    out->said_as = key;
  } else if (strcmp(key, "config") == 0 || strcmp(key, "parameters") == 0) {
    expected = tmon_json_type(item) != TMON_JSON_OBJECT || out->values != NULL ? "one object of parameters (config or parameters)" : NULL;
    out->values = item;
  } else if (strcmp(key, "session_name") == 0) {
    expected = text == NULL || text[0] == '\0' || strlen(text) > NAME_BYTES ? "text of 1 to 200 bytes" : NULL;
    out->session_name = text;
  } else {
    expected = "recipe (or modelType), parameters (or config), session_name";
  }
  if (expected != NULL) {
    tmon_reply_error(response, 400, NULL, key, "%.100s: expected %s", key, expected);
  }
  return expected == NULL;
}

static void reply_unknown(const tmon_server *server, const order *wanted, tmon_response *response) {
  const char *name = wanted->name;
  char message[200];
  (void)snprintf(
      message, sizeof message, name != NULL ? "there is no recipe \"%.64s\"" : "several recipes and none is the default; name one with recipe", name);
  tmon_json_writer *json = tmon_reply_error_begin(response, name != NULL ? 404 : 409, NULL, name != NULL ? wanted->said_as : "recipe", message);
  tmon_json_open(json, "recipes", '[');
  for (size_t i = 0; i < server->recipes->count; i++) {
    tmon_json_put_text(json, NULL, server->recipes->items[i].name);
  }
  tmon_json_close(json, ']');
  tmon_reply_error_end(response);
}

static const tmon_recipe *choose(const tmon_server *server, const order *wanted, tmon_response *response) {
  if (server->recipes == NULL || server->recipes->count == 0) {
    tmon_reply_error(response, 409, "no_recipe", NULL, "this server has no recipe: " DECLARE);
    return NULL;
  }
  const tmon_recipe *recipe = wanted->name != NULL ? tmon_recipes_find(server->recipes, wanted->name) : tmon_recipes_default(server->recipes);
  if (recipe == NULL) {
    reply_unknown(server, wanted, response);
  } else if (tmon_children_count(server->children, recipe) >= (size_t)recipe->max_running ||
      tmon_children_count(server->children, NULL) >= TMON_CHILDREN) {
    tmon_reply_error(response, 409, "running", "recipe", "%s runs already (max_running is %lld, at most %d in all)", recipe->name,
        (long long)recipe->max_running, (int)TMON_CHILDREN);
    recipe = NULL;
  }
  return recipe;
}

static void put_default(tmon_json_writer *json, const char *key, const tmon_recipe_parameter *parameter) {
  if (parameter->type == TMON_PARAMETER_TEXT || parameter->type == TMON_PARAMETER_CHOICE) {
    tmon_json_put_text(json, key, parameter->otherwise);
  } else {
    tmon_json_put_raw(json, key, parameter->otherwise);
  }
}

/* The values that hold, given or default, and the recipe's name: what somebody needs to do it again. */
static char *make_config(const tmon_recipe *recipe, const tmon_json *values) {
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_buffer_init(&buffer, CONFIG_BYTES);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "recipe", recipe->name);
  for (size_t i = 0; i < recipe->parameter_count; i++) {
    const tmon_recipe_parameter *parameter = &recipe->parameters[i];
    const tmon_json *value = tmon_json_get(values, parameter->name);
    if (value != NULL) {
      char *text = tmon_json_print(value);
      tmon_json_put_raw(&json, parameter->name, text);
      tmon_free(text);
    } else if (parameter->otherwise != NULL) {
      put_default(&json, parameter->name, parameter);
    }
  }
  tmon_json_close(&json, '}');
  char *text = tmon_buffer_take(&buffer);
  tmon_buffer_free(&buffer);
  return text;
}

static void reply_started(tmon_server *server, const tmon_recipe *recipe, const char *id, tmon_response *response) {
  tmon_record_list *list = NULL;
  tmon_record record;
  if (!tmon_route_load(server, id, response, &list, &record)) {
    return;
  }
  tmon_json_writer *json = tmon_reply_begin(response, 201);
  tmon_json_put_text(json, "session_id", id);
  tmon_json_put_text(json, "sessionId", id);
  tmon_json_put_text(json, "recipe", recipe->name);
  tmon_session_json(json, "session", &record, true, tmon_clock_now_us());
  tmon_reply_end(response);
  tmon_record_list_free(list);
}

static void start(tmon_server *server, const tmon_recipe *recipe, const order *wanted, char *const *arguments, tmon_response *response) {
  char id[37];
  char *config = make_config(recipe, wanted->values);
  tmon_record_change change = {.size = sizeof change,
      .name = wanted->session_name != NULL ? wanted->session_name
          : recipe->title != NULL          ? recipe->title
                                           : recipe->name,
      .model_type = recipe->model_type != NULL ? recipe->model_type : recipe->name,
      .config_json = config};
  int code = config != NULL ? tmon_record_create(id, server->store, &change) : TMON_ENOMEM;
  tmon_free(config);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  code = tmon_child_start(server->children, recipe, arguments, id);
  if (code == TMON_OK) {
    reply_started(server, recipe, id, response);
    return;
  }
  /* Not 404 for a program that is missing: what was asked for exists, this machine is at fault. */
  tmon_json_writer *json = tmon_reply_error_begin(response, 500, "not_started", NULL, tmon_error_message());
  tmon_json_put_text(json, "session_id", id);
  tmon_reply_error_end(response);
}

void tmon_route_start(tmon_server *server, const tmon_request *request, tmon_response *response) {
  order wanted = {0};
  char **arguments = NULL;
  for (const tmon_json *item = tmon_json_first(request->json); item != NULL; item = tmon_json_next(item)) {
    if (!read_member(&wanted, item, response)) {
      return;
    }
  }
  const tmon_recipe *recipe = choose(server, &wanted, response);
  if (recipe == NULL) {
    return;
  }
  int code = tmon_recipe_arguments(&arguments, recipe, wanted.values);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, NULL);
    return;
  }
  start(server, recipe, &wanted, arguments, response);
  tmon_texts_free(arguments);
}

static void put_parameter(tmon_json_writer *json, const tmon_recipe_parameter *parameter) {
  tmon_json_open(json, NULL, '{');
  tmon_json_put_text(json, "name", parameter->name);
  tmon_json_put_text(json, "title", parameter->title);
  tmon_json_put_text(json, "type", tmon_parameter_type_name(parameter->type));
  tmon_json_put_bool(json, "required", parameter->required);
  put_default(json, "default", parameter);
  if (parameter->has_minimum) {
    tmon_json_put_double(json, "minimum", parameter->minimum);
  }
  if (parameter->has_maximum) {
    tmon_json_put_double(json, "maximum", parameter->maximum);
  }
  if (parameter->type == TMON_PARAMETER_TEXT) {
    tmon_json_put_int(json, "max_length", (int64_t)parameter->max_length);
  }
  if (parameter->type == TMON_PARAMETER_CHOICE) {
    tmon_json_open(json, "choices", '[');
    for (size_t i = 0; i < parameter->choice_count; i++) {
      tmon_json_put_text(json, NULL, parameter->choices[i]);
    }
    tmon_json_close(json, ']');
  }
  tmon_json_close(json, '}');
}

/* Command, folder and environment stay with the server: they may hold what is not for every reader. */
void tmon_route_recipes(tmon_server *server, const tmon_request *request, tmon_response *response) {
  size_t count = server->recipes != NULL ? server->recipes->count : 0;
  const tmon_recipe *usual = tmon_recipes_default(server->recipes);
  (void)request;
  tmon_json_writer *json = tmon_reply_begin(response, 200);
  tmon_json_open(json, "recipes", '[');
  for (size_t i = 0; i < count; i++) {
    const tmon_recipe *recipe = &server->recipes->items[i];
    tmon_json_open(json, NULL, '{');
    tmon_json_put_text(json, "name", recipe->name);
    tmon_json_put_text(json, "title", recipe->title);
    tmon_json_put_text(json, "description", recipe->description);
    tmon_json_put_text(json, "model_type", recipe->model_type != NULL ? recipe->model_type : recipe->name);
    tmon_json_put_bool(json, "default", recipe == usual);
    tmon_json_put_bool(json, "keep_running", recipe->keep_running);
    tmon_json_put_double(json, "grace_seconds", (double)recipe->grace_us / 1e6);
    tmon_json_put_int(json, "max_running", recipe->max_running);
    tmon_json_put_int(json, "running", (int64_t)tmon_children_count(server->children, recipe));
    tmon_json_open(json, "parameters", '[');
    for (size_t k = 0; k < recipe->parameter_count; k++) {
      put_parameter(json, &recipe->parameters[k]);
    }
    tmon_json_close(json, ']');
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
  tmon_json_put_int(json, "count", (int64_t)count);
  tmon_reply_end(response);
}

void tmon_route_output(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_record_list *list = NULL;
  tmon_record record;
  int64_t from = 0;
  int64_t end = 0;
  size_t got = 0;
  char *text = NULL;
  if (!tmon_request_int(request, "from", 0, INT64_MAX, 0, &from)) {
    tmon_reply_error(response, 400, NULL, "from", "from must be a whole number, 0 or more");
    return;
  }
  if (!tmon_route_load(server, request->id, response, &list, &record)) {
    return;
  }
  char *path = tmon_child_output_path(server, record.id);
  bool running = tmon_child_lives(server->children, record.id);
  int code = path != NULL ? tmon_output_read(&text, &got, &end, path, from, OUTPUT_BYTES, !running) : TMON_ENOMEM;
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    tmon_json_put_text(json, "session_id", record.id);
    tmon_json_put_text(json, "output", text);
    tmon_json_put_int(json, "from", from);
    tmon_json_put_int(json, "next", from + (int64_t)got);
    tmon_json_put_int(json, "size", end);
    tmon_json_put_bool(json, "running", running);
    tmon_reply_end(response);
  } else if (code == TMON_ENOTFOUND) {
    tmon_reply_error(
        response, 404, "no_output", NULL, "session %s was not started from a recipe, or its output was removed as one of the oldest", record.id);
  } else {
    tmon_reply_failure(response, code, NULL);
  }
  tmon_free(text);
  tmon_free(path);
  tmon_record_list_free(list);
}
