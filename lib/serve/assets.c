/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Serving the compiled-in page. Its own addresses (deep links) all give index.html. */
#include "serve/assets.h"
#include "serve/router.h"
#include "serve/server_private.h"

#include <stdio.h>
#include <string.h>

static const char *const deep_links[] = {"/", "/index.html", "/training", "/training-monitor", "/models"};

static const tmon_asset *find(const char *path) {
  for (size_t i = 0; i < sizeof deep_links / sizeof deep_links[0]; i++) {
    if (strcmp(path, deep_links[i]) == 0) {
      path = "/index.html";
    }
  }
  if (strncmp(path, "/session/", 9) == 0) {
    path = "/index.html";
  }
  for (const tmon_asset *asset = tmon_assets; asset->path != NULL; asset++) {
    if (strcmp(asset->path, path) == 0) {
      return asset;
    }
  }
  return NULL;
}

void tmon_route_asset(tmon_server *server, const tmon_request *request, tmon_response *response) {
  const tmon_asset *asset = find(request->path);
  char tag[80];
  if (asset == NULL) {
    tmon_reply_error(response, 404, NULL, NULL, "there is no %.200s", request->path);
    return;
  }
  bool gzip = asset->gzip_end > asset->gzip_begin && tmon_request_accepts_gzip(request);
  (void)snprintf(tag, sizeof tag, "\"%.32s%s\"", asset->tag, gzip ? "-gzip" : "");
  response->status = 200;
  response->content_type = asset->type;
  response->policy = server->frame_policy;
  response->fixed = gzip ? asset->gzip_begin : asset->begin;
  response->fixed_size = gzip ? (size_t)(asset->gzip_end - asset->gzip_begin) : (size_t)(asset->end - asset->begin);
  tmon_response_header(response, "cache-control:", asset->hashed ? "public, max-age=31536000, immutable" : "no-cache");
  tmon_response_header(response, "etag:", tag);
  tmon_response_header(response, "vary:", "Accept-Encoding");
  if (gzip) {
    tmon_response_header(response, "content-encoding:", "gzip");
  }
  if (strcmp(request->if_none_match, tag) == 0) {
    response->status = 304;
  }
}
