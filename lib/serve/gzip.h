/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Replies in gzip, for clients that take it. */
#ifndef TRAINMON_SERVE_GZIP_H
#define TRAINMON_SERVE_GZIP_H
#include "serve/reply.h"
#include "serve/request.h"

enum { TMON_GZIP_LEAST = 1024, TMON_GZIP_PIECE = 256 << 10 };

/* Compresses the body of a complete reply where that is worth it and the client takes it; a large one is left as work. Without memory it stays as it is. */
void tmon_gzip_reply(const tmon_request *request, tmon_response *response);
#endif
