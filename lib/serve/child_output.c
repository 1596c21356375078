/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What a started training has printed: a file under logs/, read in pieces. Its bytes are a stranger's: any length, any encoding. */
#include "serve/child.h"

#include "util/alloc.h"
#include "util/error.h"
#include "util/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES = 2048 };

static int open_output(int *fd, int64_t *end, const char *path) {
  struct stat status;
  *end = 0;
  *fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (*fd < 0) {
    return tmon_error_set_os(errno, "can't read the output");
  }
  if (fstat(*fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    (void)close(*fd);
    *fd = -1;
    return tmon_error_set(TMON_EIO, "the output is no file");
  }
  *end = (int64_t)status.st_size;
  return TMON_OK;
}

/* Bytes at the end of `text` that begin a character and do not finish it. */
static size_t unfinished(const char *text, size_t size) {
  for (size_t back = 1; back <= 3 && back <= size; back++) {
    unsigned char lead = (unsigned char)text[size - back];
    if ((lead & 0xc0) == 0x80) {
      continue;
    }
    size_t needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}

int tmon_output_read(char **out, size_t *got, int64_t *end, const char *path, int64_t from, size_t size, bool whole) {
  int fd = -1;
  *out = NULL;
  *got = 0;
  int code = open_output(&fd, end, path);
  if (code != TMON_OK) {
    return code;
  }
  *out = tmon_alloc(size + 1);
  ssize_t count = *out != NULL ? pread(fd, *out, size, (off_t)from) : 0;
  if (*out == NULL) {
    code = tmon_error_no_memory();
  } else if (count < 0) {
    code = tmon_error_set_os(errno, "can't read the output");
  } else {
    *got = (size_t)count;
    size_t cut = whole && from + count >= *end ? 0 : unfinished(*out, *got);
    *got -= cut < *got || !whole ? cut : 0;
    (*out)[*got] = '\0';
  }
  (void)close(fd);
  if (code != TMON_OK) {
    tmon_free(*out);
    *out = NULL;
  }
  return code;
}

static void clean_copy(char *out, size_t size, const char *line, size_t length) {
  size_t used = 0;
  for (size_t at = 0; at < length;) {
    uint32_t codepoint = 0;
    size_t bytes = tmon_text_next(&codepoint, line + at, length - at);
    bool good = bytes > 0 && codepoint >= 0x20 && codepoint != 0x7f;
    size_t taken = good ? bytes : 1;
    if (used + taken >= size) {
      break;
    }
    if (good) {
      memcpy(out + used, line + at, taken);
    } else {
      out[used] = line[at] == '\t' ? ' ' : '?';
    }
    used += taken;
    at += bytes > 0 ? bytes : 1;
  }
  out[used] = '\0';
}

void tmon_output_last_line(char *out, size_t size, const char *path) {
  char *text = NULL;
  size_t length = 0;
  int64_t end = 0;
  int fd = -1;
  out[0] = '\0';
  if (open_output(&fd, &end, path) != TMON_OK) {
    return;
  }
  (void)close(fd);
  if (tmon_output_read(&text, &length, &end, path, end > TAIL_BYTES ? end - TAIL_BYTES : 0, TAIL_BYTES, true) != TMON_OK) {
    return;
  }
  while (length > 0 && (unsigned char)text[length - 1] <= ' ') {
    length--;
  }
  size_t begin = length;
  while (begin > 0 && text[begin - 1] != '\n' && text[begin - 1] != '\r') {
    begin--;
  }
  clean_copy(out, size, text + begin, length - begin);
  tmon_free(text);
}
