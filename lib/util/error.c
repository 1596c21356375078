/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The thread's last error: fixed thread-local storage, so that reporting never fails. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "util/error.h"
#include "util/text.h"

#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* error.h explains them to the analyzer; here are the functions themselves. */
#undef tmon_error_set
#undef tmon_error_set_field
#undef tmon_error_set_os
#undef tmon_error_no_memory

enum { ERROR_TEXT_BYTES = 512, ERROR_FIELD_BYTES = 64 };

static _Thread_local char error_text[ERROR_TEXT_BYTES];
static _Thread_local char error_field[ERROR_FIELD_BYTES];

/* Takes the text over from a second buffer, because an argument of the format may be the present text itself. No field is at fault until one is set. */
static void store_text(char *text) {
  for (char *at = text; *at; at++)
    if ((unsigned char)*at < 0x20 || *at == 0x7f) *at = ' ';
  tmon_text_copy(error_text, sizeof error_text, text);
  error_field[0] = 0;
}

/* One byte larger than the store, so that tmon_text_copy sees a text that was cut and cuts it at a character. */
typedef char draft[ERROR_TEXT_BYTES + 1];

int tmon_error_set(int code, const char *format, ...) {
  draft text;
  va_list arguments;
  va_start(arguments, format);
  if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = 0;
  va_end(arguments);
  store_text(text);
  return code;
}

int tmon_error_set_field(int code, const char *field, const char *format, ...) {
  draft text;
  char name[ERROR_FIELD_BYTES]; /* `field` may be the present one */
  va_list arguments;
  tmon_text_copy(name, sizeof name, field);
  va_start(arguments, format);
  if (vsnprintf(text, sizeof text, format, arguments) < 0) text[0] = 0;
  va_end(arguments);
  store_text(text);
  tmon_text_copy(error_field, sizeof error_field, name);
  return code;
}

static int code_of_errno(int os_errno) {
  switch (os_errno) {
  case ENOSPC:
  case EDQUOT: return TMON_EFULL;
  case EACCES:
  case EPERM: return TMON_EACCESS;
  case ENOENT: return TMON_ENOTFOUND;
  case EEXIST: return TMON_EEXISTS;
  case EROFS: return TMON_EREADONLY;
  case ENOMEM: return TMON_ENOMEM;
  default: return TMON_EIO;
  }
}

int tmon_error_set_os(int os_errno, const char *format, ...) {
  draft text;
  va_list arguments;
  va_start(arguments, format);
  int written = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  size_t used = written < 0 ? 0 : (size_t)written;
  if (used < sizeof text) {
    /* The C locale's object is static: no allocation, and the text is the same in every language. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (plain) {
      (void)snprintf(text + used, sizeof text - used, ": %s", strerror_l(os_errno, plain));
      freelocale(plain);
    } else {
      (void)snprintf(text + used, sizeof text - used, ": system error %d", os_errno);
    }
  }
  store_text(text);
  return code_of_errno(os_errno);
}

int tmon_error_no_memory(void) { return tmon_error_set(TMON_ENOMEM, "out of memory"); }

const char *tmon_error_message(void) { return error_text; }

const char *tmon_error_field(void) { return error_field[0] == 0 ? NULL : error_field; }

size_t tmon_error_copy(char *out, size_t size) {
  if (out && size) tmon_text_copy(out, size, error_text);
  return strlen(error_text);
}

const char *tmon_error_name(int code) {
  switch (code) {
  case TMON_DONE: return "TMON_DONE";
  case TMON_OK: return "TMON_OK";
  case TMON_EINVAL: return "TMON_EINVAL";
  case TMON_ENOMEM: return "TMON_ENOMEM";
  case TMON_EIO: return "TMON_EIO";
  case TMON_ENOTFOUND: return "TMON_ENOTFOUND";
  case TMON_EEXISTS: return "TMON_EEXISTS";
  case TMON_EBUSY: return "TMON_EBUSY";
  case TMON_EFULL: return "TMON_EFULL";
  case TMON_EREADONLY: return "TMON_EREADONLY";
  case TMON_ECORRUPT: return "TMON_ECORRUPT";
  case TMON_EVERSION: return "TMON_EVERSION";
  case TMON_EFORKED: return "TMON_EFORKED";
  case TMON_ESTATE: return "TMON_ESTATE";
  case TMON_ELIMIT: return "TMON_ELIMIT";
  case TMON_EDROPPED: return "TMON_EDROPPED";
  case TMON_EUSER: return "TMON_EUSER";
  case TMON_EUNSUPPORTED: return "TMON_EUNSUPPORTED";
  case TMON_EACCESS: return "TMON_EACCESS";
  default: return "TMON_EUNKNOWN";
  }
}
