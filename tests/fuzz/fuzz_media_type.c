/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Any bytes as a picture's head and as base64: what is told stays within the bounds, and nothing beyond the data is read or written. */
#include "util/alloc.h"
#include "util/base64.h"
#include "util/media_type.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint32_t width = 0;
  uint32_t height = 0;
  const char *type = tmon_media_type(&width, &height, data, size);
  if ((type != NULL) != (width > 0 && height > 0) || width > TMON_MEDIA_SIDE_MAXIMUM || height > TMON_MEDIA_SIDE_MAXIMUM) abort();
  uint8_t *out = tmon_alloc(TMON_BASE64_DECODED_BYTES(size));
  size_t used = 0;
  if (out != NULL && tmon_base64_decode(out, &used, (const char *)data, size) && used > TMON_BASE64_DECODED_BYTES(size)) abort();
  tmon_free(out);
  return 0;
}
