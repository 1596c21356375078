/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* All memory of the library, taken through the allocator that the host program may have set. */
#include "util/alloc.h"
#include "util/error.h"
#include "util/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *system_allocate(size_t size, void *payload) {
  (void)payload;
  return malloc(size);
}

static void *system_resize(void *memory, size_t size, void *payload) {
  (void)payload;
  return realloc(memory, size);
}

static void system_release(void *memory, void *payload) {
  (void)payload;
  free(memory);
}

static const tmon_allocator system_allocator = {system_allocate, system_resize, system_release, NULL};
static tmon_allocator current = {system_allocate, system_resize, system_release, NULL};

int tmon_allocator_set(const tmon_allocator *allocator) {
  if (allocator && (!allocator->allocate || !allocator->resize || !allocator->release))
    return tmon_error_set(TMON_EINVAL, "the allocator lacks a function, all of allocate, resize and release are needed");
  current = allocator ? *allocator : system_allocator;
  tmon_json_allocator_changed(allocator != NULL);
  return TMON_OK;
}

void *tmon_alloc(size_t size) { return current.allocate(size ? size : 1, current.payload); }

/* False when count * size overflows. */
static int multiply(size_t *out, size_t count, size_t size) {
  if (size && count > SIZE_MAX / size) return 0;
  *out = count * size;
  return 1;
}

void *tmon_alloc_zero(size_t count, size_t size) {
  size_t total;
  if (!multiply(&total, count, size)) return NULL;
  void *memory = tmon_alloc(total);
  if (memory) memset(memory, 0, total);
  return memory;
}

void *tmon_realloc(void *memory, size_t count, size_t size) {
  size_t total;
  if (!multiply(&total, count, size)) return NULL;
  if (!memory) return tmon_alloc(total);
  return current.resize(memory, total ? total : 1, current.payload);
}

char *tmon_strndup(const char *text, size_t length) {
  if (!text) return NULL;
  const char *end = memchr(text, 0, length);
  size_t size = end ? (size_t)(end - text) : length;
  if (size == SIZE_MAX) return NULL;
  char *copy = tmon_alloc(size + 1);
  if (copy) {
    memcpy(copy, text, size);
    copy[size] = 0;
  }
  return copy;
}

char *tmon_strdup(const char *text) { return text ? tmon_strndup(text, strlen(text)) : NULL; }

void tmon_free(void *memory) {
  if (memory) current.release(memory, current.payload);
}
