/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /api/training/images: lists, contents by hash, and pictures of trainers that report over REST. */
#include "serve/pictures.h"
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/error.h"
#include "trainmon/image.h"
#include "util/alloc.h"
#include "util/base64.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BOXES = 256, LIMIT = 100 };

void tmon_picture_json(tmon_json_writer *json, const char *key, const tmon_json *image) {
  char url[128];
  const char *hash = tmon_json_text(tmon_json_get(image, "hash"));
  tmon_json_open(json, key, '{');
  for (const tmon_json *item = tmon_json_first(image); item != NULL; item = tmon_json_next(item)) {
    char *text = tmon_json_print(item);
    if (text == NULL) json->out->error = TMON_ENOMEM;
    tmon_json_put_raw(json, tmon_json_key(item), text);
    tmon_free(text);
  }
  (void)snprintf(url, sizeof url, "/api/training/images/%.64s", hash != NULL ? hash : "");
  tmon_json_put_text(json, "url", url);
  tmon_json_close(json, '}');
}

/* The list with addresses, or only its first picture as `image`. */
static int put_list(tmon_json_writer *json, const char *text, bool single) {
  tmon_json *document = NULL;
  int64_t dropped = 0;
  int64_t count = 0;
  int code = tmon_json_parse(&document, text, strlen(text));
  if (code != TMON_OK) return code;
  const tmon_json *image = tmon_json_first(tmon_json_get(document, "images"));
  if (single) {
    if (image != NULL) tmon_picture_json(json, "image", image);
  } else {
    tmon_json_open(json, "images", '[');
    for (; image != NULL; image = tmon_json_next(image), count++) tmon_picture_json(json, NULL, image);
    tmon_json_close(json, ']');
    tmon_json_put_int(json, "count", count);
    (void)tmon_json_int(tmon_json_get(document, "dropped_images"), &dropped);
    tmon_json_put_int(json, "dropped_images", dropped);
  }
  tmon_json_free(document);
  return TMON_OK;
}

void tmon_route_images(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  char *text = NULL;
  tmon_image_filter filter = {.size = sizeof filter, .name = tmon_request_parameter(request, "name", 0)};
  if (!tmon_request_limit(request, LIMIT, 20, &filter.limit, response)) {
    return;
  }
  if (!tmon_request_int(request, "before", 1, INT64_MAX, 0, &filter.before)) {
    tmon_reply_error(response, 400, NULL, "before", "before must be the id of a picture");
    return;
  }
  filter.session_id = tmon_route_session_id(server, request, response, true, id);
  if (filter.session_id == NULL) return;
  int code = tmon_image_list_json(&text, server->store, &filter);
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 200);
    tmon_json_put_text(json, "session_id", id);
    code = put_list(json, text, false);
    if (code == TMON_OK) tmon_reply_end(response);
  }
  if (code != TMON_OK) tmon_reply_failure(response, code, code == TMON_ENOTFOUND ? "session_id" : NULL);
  tmon_text_free(text);
}

/* The types that the store can hold, as static text. */
static const char *static_type(const char *type) {
  static const char *const types[] = {"image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"};
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strcmp(types[i], type) == 0) return types[i];
  }
  return NULL;
}

void tmon_route_image(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char tag[80];
  char type[32];
  void *data = NULL;
  size_t size = 0;
  int code = tmon_image_read(&data, &size, type, server->store, request->id);
  const char *known = code == TMON_OK ? static_type(type) : NULL;
  if (code == TMON_OK && (known == NULL || tmon_buffer_append(&response->body, data, size) != TMON_OK)) code = known == NULL ? TMON_ECORRUPT : TMON_ENOMEM;
  tmon_image_free(data);
  if (code != TMON_OK) {
    tmon_reply_failure(response, code, code == TMON_EINVAL || code == TMON_ENOTFOUND ? "hash" : NULL);
    return;
  }
  (void)snprintf(tag, sizeof tag, "\"%s\"", request->id);
  response->status = strcmp(request->if_none_match, tag) == 0 ? 304 : 200;
  response->content_type = known;
  tmon_response_header(response, "etag:", tag);
  tmon_response_header(response, "cache-control:", "private, max-age=31536000, immutable");
  tmon_response_header(response, "content-disposition:", "inline");
  /* Beside the policy of every reply: should anything ever read the picture as a page, it has no origin and runs nothing. */
  tmon_response_header(response, "content-security-policy:", "sandbox");
}

typedef struct given {
  tmon_image image;
  tmon_image_box boxes[BOXES];
  uint8_t *data;
} given;

static bool read_int(const tmon_json *value, int64_t low, int64_t high, int64_t *out) { return tmon_json_int(value, out) && *out >= low && *out <= high; }

/* NULL, or what was expected. */
static const char *read_box(tmon_image_box *out, const tmon_json *value) {
  double *const numbers[] = {&out->x, &out->y, &out->width, &out->height, &out->score};
  static const char *const names[] = {"x", "y", "width", "height", "score"};
  for (size_t i = 0; i < 5; i++) {
    const tmon_json *number = tmon_json_get(value, names[i]);
    bool absent = tmon_json_type(number) == TMON_JSON_ABSENT || tmon_json_type(number) == TMON_JSON_NULL;
    if (absent ? i < 4 : tmon_json_type(number) != TMON_JSON_NUMBER) return "an array of objects with the numbers x, y, width and height";
    *numbers[i] = tmon_json_number(number, 0);
  }
  const tmon_json *label = tmon_json_get(value, "label");
  out->label = tmon_json_text(label);
  return out->label != NULL || tmon_json_type(label) <= TMON_JSON_NULL ? NULL : "boxes whose label is text";
}

static const char *read_boxes(given *out, const tmon_json *value) {
  if (tmon_json_type(value) != TMON_JSON_ARRAY) return "an array of boxes";
  for (const tmon_json *item = tmon_json_first(value); item != NULL; item = tmon_json_next(item)) {
    if (out->image.box_count == BOXES) return "at most 256 boxes";
    const char *expected = read_box(&out->boxes[out->image.box_count++], item);
    if (expected != NULL) return expected;
  }
  out->image.boxes = out->boxes;
  return NULL;
}

static const char *read_data(given *out, const tmon_json *value) {
  const char *text = tmon_json_text(value);
  size_t length = text != NULL ? strlen(text) : 0;
  if (text == NULL || out->data != NULL) return "one text in base64";
  out->data = tmon_alloc(TMON_BASE64_DECODED_BYTES(length) + 1);
  if (out->data == NULL) return "less than the memory there is";
  out->image.data = out->data;
  return tmon_base64_decode(out->data, &out->image.bytes, text, length) ? NULL : "base64 without line breaks";
}

static const char *read_count(uint32_t *out, const tmon_json *value) {
  int64_t number = 0;
  if (!read_int(value, 0, UINT32_MAX, &number)) return "a whole number, 0 or more";
  *out = (uint32_t)number;
  return NULL;
}

static const char *read_text(const char **out, const tmon_json *value) {
  *out = tmon_json_text(value);
  return *out != NULL ? NULL : "text";
}

static const char *read_field(given *out, const char *name, const tmon_json *value) {
  tmon_image *image = &out->image;
  if (strcmp(name, "session_id") == 0) return NULL; /* the router's */
  if (strcmp(name, "data") == 0) return read_data(out, value);
  if (strcmp(name, "boxes") == 0) return read_boxes(out, value);
  if (strcmp(name, "name") == 0) return read_text(&image->name, value);
  if (strcmp(name, "caption") == 0) return read_text(&image->caption, value);
  if (strcmp(name, "prediction") == 0) return read_text(&image->prediction, value);
  if (strcmp(name, "label") == 0) return read_text(&image->label, value);
  if (strcmp(name, "width") == 0) return read_count(&image->width, value);
  if (strcmp(name, "height") == 0) return read_count(&image->height, value);
  if (strcmp(name, "channels") == 0) return read_count(&image->channels, value);
  if (strcmp(name, "step") == 0) return tmon_json_int(value, &image->step) ? NULL : "a whole number";
  if (strcmp(name, "epoch") == 0) return read_int(value, 0, INT64_MAX, &image->epoch) ? NULL : "a whole number, 0 or more";
  if (strcmp(name, "score") == 0) {
    image->score = tmon_json_number(value, 0);
    return tmon_json_type(value) == TMON_JSON_NUMBER ? NULL : "a number";
  }
  return "a field of a picture (this one is unknown)";
}

static bool read_body(given *out, const tmon_json *body, tmon_response *response) {
  out->image = (tmon_image){.size = sizeof out->image, .step = INT64_MIN, .epoch = -1};
  for (const tmon_json *item = tmon_json_first(body); item != NULL; item = tmon_json_next(item)) {
    const char *name = tmon_json_key(item);
    const char *expected = tmon_json_type(item) == TMON_JSON_NULL ? NULL : read_field(out, name, item);
    if (expected != NULL) {
      tmon_reply_error(response, 400, NULL, name, "%.100s: expected %s", name, expected);
      return false;
    }
  }
  return true;
}

static void reply(tmon_server *server, const char *id, const char *name, tmon_response *response) {
  tmon_image_filter filter = {.size = sizeof filter, .session_id = id, .name = name, .limit = 1};
  tmon_record_list *records = NULL;
  tmon_record record;
  char *text = NULL;
  if (!tmon_route_load(server, id, response, &records, &record)) return;
  int code = tmon_image_list_json(&text, server->store, &filter);
  if (code == TMON_OK) {
    tmon_json_writer *json = tmon_reply_begin(response, 201);
    tmon_json_put_text(json, "session_id", id);
    tmon_json_put_text(json, "control", tmon_control_name(record.control));
    code = put_list(json, text, true);
    if (code == TMON_OK) tmon_reply_end(response);
  }
  if (code != TMON_OK) tmon_reply_failure(response, code, NULL);
  tmon_text_free(text);
  tmon_record_list_free(records);
}

void tmon_route_image_add(tmon_server *server, const tmon_request *request, tmon_response *response) {
  char id[37];
  given *body = tmon_alloc_zero(1, sizeof *body);
  if (body == NULL) {
    tmon_reply_error(response, 503, NULL, NULL, "no memory");
    return;
  }
  if (tmon_route_session_id(server, request, response, false, id) != NULL && read_body(body, request->json, response)) {
    int code = tmon_image_add(server->store, id, &body->image);
    if (code == TMON_OK) reply(server, id, body->image.name, response);
    else tmon_reply_failure(response, code, code == TMON_ENOTFOUND ? "session_id" : NULL);
  }
  tmon_free(body->data);
  tmon_free(body);
}
