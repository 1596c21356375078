/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* gzip by zlib, at its fastest: columns of numbers shrink to about a third at any level, and the thread that compresses serves everybody. */
#include "serve/gzip.h"

#include "trainmon/error.h"
#include "util/alloc.h"

#include <string.h>
#include <zlib.h>

enum { GZIP_WINDOW = 15 + 16, MEMORY_LEVEL = 8, OUT_BYTES = 16 << 10 };

typedef struct gzip_work {
  z_stream stream;
  size_t read; /* of the body */
  tmon_buffer out;
} gzip_work;

static void *take(void *opaque, unsigned count, unsigned size) {
  (void)opaque;
  return tmon_alloc_zero(count, size);
}

static void give(void *opaque, void *memory) {
  (void)opaque;
  tmon_free(memory);
}

static void drop(void *state) {
  gzip_work *work = state;
  (void)deflateEnd(&work->stream);
  tmon_buffer_free(&work->out);
  tmon_free(work);
}

/* Compresses up to a piece of the body. False: that failed. */
static bool deflate_piece(gzip_work *work, const tmon_buffer *body) {
  unsigned char out[OUT_BYTES];
  size_t size = body->size - work->read < TMON_GZIP_PIECE ? body->size - work->read : TMON_GZIP_PIECE;
  bool last = work->read + size == body->size;
  work->stream.next_in = body->data + work->read;
  work->stream.avail_in = (unsigned)size;
  work->read += size;
  do {
    work->stream.next_out = out;
    work->stream.avail_out = sizeof out;
    if (deflate(&work->stream, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR ||
        tmon_buffer_append(&work->out, out, sizeof out - work->stream.avail_out) != TMON_OK) {
      return false;
    }
  } while (work->stream.avail_out == 0);
  return true;
}

static size_t step(void *state, tmon_response *response) {
  gzip_work *work = state;
  if (!deflate_piece(work, &response->body)) {
    return 0; /* it goes out as it is */
  }
  if (work->read < response->body.size) {
    return (response->body.size - work->read) / TMON_GZIP_PIECE + 1;
  }
  tmon_buffer plain = response->body;
  response->body = work->out;
  work->out = plain;
  tmon_response_header(response, "content-encoding:", "gzip");
  return 0;
}

static bool is_worth_it(const tmon_response *response) {
  bool text = strncmp(response->content_type, "application/json", 16) == 0 || strncmp(response->content_type, "text/plain", 10) == 0;
  return response->kind == TMON_RESPONSE_BODY && response->fixed == NULL && text && response->body.size > TMON_GZIP_LEAST;
}

void tmon_gzip_reply(const tmon_request *request, tmon_response *response) {
  if (!is_worth_it(response)) {
    return;
  }
  tmon_response_header(response, "vary:", "Accept-Encoding");
  gzip_work *work = tmon_request_accepts_gzip(request) ? tmon_alloc_zero(1, sizeof *work) : NULL;
  if (work == NULL) {
    return;
  }
  work->stream.zalloc = take;
  work->stream.zfree = give;
  tmon_buffer_init(&work->out, TMON_REPLY_MAXIMUM);
  if (deflateInit2(&work->stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
    tmon_free(work);
    return;
  }
  response->work = (tmon_work){response->body.size / TMON_GZIP_PIECE + 1, step, drop, work};
  if (response->work.left == 1) {
    tmon_response_work(response);
  }
}
