/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Keeping the newest picture of each stream. Bounded: over it the entry that changed longest ago goes. */
#include "serve/pictures.h"

#include "trainmon/error.h"
#include "trainmon/image.h"
#include "trainmon/record.h"
#include "util/alloc.h"
#include "util/text.h"

#include <string.h>

enum { AT_ONCE = 100, MESSAGE_BYTES = 256 << 10 };

static void drop(tmon_pictures_shown *shown, size_t index) {
  tmon_shown *entry = &shown->entries[index];
  shown->bytes -= entry->size;
  tmon_free(entry->name);
  tmon_free(entry->text);
  *entry = shown->entries[--shown->count];
}

void tmon_pictures_clear(tmon_pictures_shown *shown) {
  while (shown->count > 0) drop(shown, shown->count - 1);
  shown->started = false;
}

static tmon_shown *find(tmon_pictures_shown *shown, const char *session, const char *name) {
  for (size_t i = 0; i < shown->count; i++) {
    if (strcmp(shown->entries[i].session, session) == 0 && strcmp(shown->entries[i].name, name) == 0) return &shown->entries[i];
  }
  return NULL;
}

static void make_room(tmon_pictures_shown *shown, size_t size) {
  while (shown->count > 0 && (shown->count == TMON_PICTURES || shown->bytes + size > TMON_PICTURES_BYTES)) {
    size_t oldest = 0;
    for (size_t i = 1; i < shown->count; i++) {
      if (shown->entries[i].serial < shown->entries[oldest].serial) oldest = i;
    }
    drop(shown, oldest);
  }
}

static char *message_of(const tmon_json *image, const char *session, size_t *size) {
  tmon_buffer buffer;
  tmon_json_writer json;
  tmon_buffer_init(&buffer, MESSAGE_BYTES);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  tmon_json_put_text(&json, "type", "image");
  tmon_json_put_text(&json, "session_id", session);
  tmon_picture_json(&json, "image", image);
  tmon_json_close(&json, '}');
  *size = buffer.size;
  char *text = buffer.error == TMON_OK ? tmon_buffer_take(&buffer) : NULL;
  tmon_buffer_free(&buffer);
  return text;
}

/* Without memory the picture is not shown; the next one of its stream is. */
static bool show(tmon_pictures_shown *shown, const tmon_json *image) {
  const char *session = tmon_json_text(tmon_json_get(image, "session_id"));
  const char *name = tmon_json_text(tmon_json_get(image, "name"));
  size_t size = 0;
  if (session == NULL || name == NULL) return false;
  char *text = message_of(image, session, &size);
  char *copy = tmon_strdup(name);
  if (text == NULL || copy == NULL) {
    tmon_free(text);
    tmon_free(copy);
    return false;
  }
  tmon_shown *old = find(shown, session, name);
  if (old != NULL) drop(shown, (size_t)(old - shown->entries));
  make_room(shown, size);
  tmon_shown *entry = &shown->entries[shown->count++];
  (void)tmon_text_copy(entry->session, sizeof entry->session, session);
  entry->name = copy;
  entry->text = text;
  entry->size = size;
  entry->serial = ++shown->serial;
  shown->bytes += size;
  return true;
}

static bool is_first_of_stream(const tmon_json *first, const tmon_json *image) {
  const char *session = tmon_json_text(tmon_json_get(image, "session_id"));
  const char *name = tmon_json_text(tmon_json_get(image, "name"));
  for (const tmon_json *item = first; item != image; item = tmon_json_next(item)) {
    const char *other = tmon_json_text(tmon_json_get(item, "session_id"));
    const char *its_name = tmon_json_text(tmon_json_get(item, "name"));
    if (session != NULL && name != NULL && other != NULL && its_name != NULL && strcmp(other, session) == 0 && strcmp(its_name, name) == 0) return false;
  }
  return true;
}

static bool take(tmon_pictures_shown *shown, tmon_store *store, const tmon_image_filter *filter, bool only_cursor) {
  char *text = NULL;
  tmon_json *document = NULL;
  bool fresh = false;
  if (tmon_image_list_json(&text, store, filter) == TMON_OK && tmon_json_parse(&document, text, strlen(text)) == TMON_OK) {
    const tmon_json *first = tmon_json_first(tmon_json_get(document, "images"));
    shown->started = true;
    for (const tmon_json *image = first; image != NULL; image = tmon_json_next(image)) {
      int64_t id = 0;
      if (filter->session_id == NULL && tmon_json_int(tmon_json_get(image, "id"), &id) && id > shown->cursor) shown->cursor = id;
      /* The list begins with the newest. */
      if (!only_cursor && is_first_of_stream(first, image)) fresh = show(shown, image) || fresh;
    }
  }
  tmon_json_free(document);
  tmon_text_free(text);
  return fresh;
}

bool tmon_pictures_look(tmon_pictures_shown *shown, tmon_store *store) {
  tmon_image_filter filter = {.size = sizeof filter, .limit = AT_ONCE, .after = shown->cursor};
  if (shown->started) return take(shown, store, &filter, false);
  filter.limit = 1;
  return take(shown, store, &filter, true);
}

void tmon_pictures_adopt(tmon_pictures_shown *shown, tmon_store *store, const char *session) {
  tmon_image_filter filter = {.size = sizeof filter, .session_id = session, .limit = AT_ONCE, .newest = true};
  (void)take(shown, store, &filter, false);
}

const tmon_shown *tmon_pictures_next(const tmon_pictures_shown *shown, uint64_t serial) {
  const tmon_shown *next = NULL;
  for (size_t i = 0; i < shown->count; i++) {
    const tmon_shown *entry = &shown->entries[i];
    if (entry->serial > serial && (next == NULL || entry->serial < next->serial)) next = entry;
  }
  return next;
}
