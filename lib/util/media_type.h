/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What a picture is by its first bytes, whatever its sender says. */
#ifndef TRAINMON_UTIL_MEDIA_TYPE_H
#define TRAINMON_UTIL_MEDIA_TYPE_H
#include <stddef.h>
#include <stdint.h>

#define TMON_MEDIA_SIDE_MAXIMUM 65535u

/* "image/jpeg", "image/png", "image/webp", "image/gif" or "image/bmp" (static) with width and height from the header; NULL: none of these, a header that
 * is cut or contradicts itself, or a side that is 0 or over the maximum. Reads `size` bytes at most, decodes nothing. */
const char *tmon_media_type(uint32_t *width, uint32_t *height, const void *data, size_t size);
#endif
