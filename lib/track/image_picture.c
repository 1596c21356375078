/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A picture as it is given: checked, copied into one piece of memory, and made a BMP where it is raw pixels. */
#include "track/image.h"

#include "util/media_type.h"

#include <math.h>
#include <string.h>

#define SIDE_MAXIMUM 16384u
#define BOX_LABEL_BYTES 250

static int check_text(const char *text, size_t maximum, const char *field) {
  if (text == NULL) return TMON_OK;
  size_t length = strnlen(text, maximum + 1);
  if (length > maximum) return tmon_error_set_field(TMON_EINVAL, field, "%s is longer than %zu bytes", field, maximum);
  return tmon_text_is_utf8(text, length) ? TMON_OK : tmon_error_set_field(TMON_EINVAL, field, "%s is not UTF-8", field);
}

static int check_box(const tmon_image_box *box, size_t index) {
  bool good = isfinite(box->x) && isfinite(box->y) && isfinite(box->width) && isfinite(box->height) && box->width >= 0 && box->height >= 0;
  if (!good) return tmon_error_set_field(TMON_EINVAL, "boxes", "box %zu is no rectangle: numbers must be finite, width and height not negative", index);
  if (isinf(box->score)) return tmon_error_set_field(TMON_EINVAL, "boxes", "the score of box %zu is infinite", index);
  if (box->label != NULL && check_text(box->label, BOX_LABEL_BYTES, "boxes") != TMON_OK) {
    return tmon_error_set_field(TMON_EINVAL, "boxes", "the label of box %zu is not UTF-8 of at most %d bytes", index, BOX_LABEL_BYTES);
  }
  return TMON_OK;
}

static int check_pixels(const tmon_image *image) {
  if (image->width > SIDE_MAXIMUM) return tmon_error_set_field(TMON_EINVAL, "width", "width is %u, expected 1 to %u", image->width, SIDE_MAXIMUM);
  if (image->height == 0 || image->height > SIDE_MAXIMUM) {
    return tmon_error_set_field(TMON_EINVAL, "height", "height is %u, expected 1 to %u", image->height, SIDE_MAXIMUM);
  }
  if (image->channels != 1 && image->channels != 3 && image->channels != 4) {
    return tmon_error_set_field(TMON_EINVAL, "channels", "channels is %u, expected 1, 3 or 4", image->channels);
  }
  size_t expected = (size_t)image->width * image->height * image->channels;
  if (image->bytes != expected) {
    return tmon_error_set_field(
        TMON_EINVAL, "data", "%u x %u pixels of %u channels are %zu bytes, not %zu", image->width, image->height, image->channels, expected, image->bytes);
  }
  return TMON_OK;
}

static int check_data(tmon_image *image, const char **media_type) {
  *media_type = NULL;
  if (image->data == NULL || image->bytes == 0) return tmon_error_set_field(TMON_EINVAL, "data", "the picture is empty");
  if (image->bytes > TMON_PICTURE_BYTES) {
    return tmon_error_set_field(TMON_ELIMIT, "data", "the picture has %zu bytes, at most %zu are allowed", image->bytes, TMON_PICTURE_BYTES);
  }
  if (image->media_type == NULL && image->width > 0) return check_pixels(image);
  *media_type = tmon_media_type(&image->width, &image->height, image->data, image->bytes);
  image->channels = 0;
  return *media_type != NULL ? TMON_OK : tmon_error_set_field(TMON_EINVAL, "data", "the data is no JPEG, PNG, WebP, GIF or BMP with a whole header");
}

static int check(tmon_image *image, const char **media_type) {
  if (image->name == NULL || !tmon_text_is_key(image->name)) {
    return tmon_error_set_field(TMON_EINVAL, "name", "the name of a picture is UTF-8 of 1 to 250 bytes without control characters");
  }
  int result = check_text(image->caption, TMON_TEXT_MAXIMUM, "caption");
  if (result == TMON_OK) result = check_text(image->prediction, TMON_TEXT_MAXIMUM, "prediction");
  if (result == TMON_OK) result = check_text(image->label, TMON_TEXT_MAXIMUM, "label");
  if (result == TMON_OK && isinf(image->score)) result = tmon_error_set_field(TMON_EINVAL, "score", "the score is infinite");
  if (result == TMON_OK && image->time < 0) result = tmon_error_set_field(TMON_EINVAL, "time", "time is %lld, expected 0 or more", (long long)image->time);
  if (result == TMON_OK && (image->box_count > TMON_PICTURE_BOXES || (image->box_count > 0 && image->boxes == NULL))) {
    result = tmon_error_set_field(TMON_EINVAL, "boxes", "%zu boxes, at most %d are allowed", image->box_count, TMON_PICTURE_BOXES);
  }
  for (size_t i = 0; result == TMON_OK && i < image->box_count; i++) result = check_box(&image->boxes[i], i);
  return result == TMON_OK ? check_data(image, media_type) : result;
}

static size_t text_bytes(const char *text) { return text == NULL ? 0 : strlen(text) + 1; }

static size_t texts_bytes(const tmon_image *image) {
  size_t total = text_bytes(image->name) + text_bytes(image->caption) + text_bytes(image->prediction) + text_bytes(image->label);
  for (size_t i = 0; i < image->box_count; i++) total += text_bytes(image->boxes[i].label);
  return total;
}

static const char *put_text(char **at, const char *text) {
  if (text == NULL) return NULL;
  size_t size = strlen(text) + 1;
  char *copy = *at;
  memcpy(copy, text, size);
  *at += size;
  return copy;
}

int tmon_picture_make(tmon_picture **out, const tmon_image *given) {
  tmon_image image;
  const char *media_type = NULL;
  *out = NULL;
  if (given == NULL) return tmon_error_set(TMON_EINVAL, "the image is NULL");
  int result = tmon_options_copy(&image, sizeof image, given, "tmon_image");
  if (result == TMON_OK) result = check(&image, &media_type);
  if (result != TMON_OK) return result;
  /* Boxes directly behind the struct, which aligns them; then texts, then the data. All sizes were bounded above. */
  size_t boxes = image.box_count * sizeof *image.boxes;
  size_t total = sizeof(tmon_picture) + boxes + texts_bytes(&image) + image.bytes;
  tmon_picture *picture = tmon_alloc(total);
  if (picture == NULL) return tmon_error_no_memory();
  tmon_image_box *copies = (tmon_image_box *)(void *)(picture + 1);
  char *at = (char *)(picture + 1) + boxes;
  picture->image = image;
  picture->media_type = media_type;
  picture->total = total;
  picture->image.media_type = NULL;
  picture->image.name = put_text(&at, image.name);
  picture->image.caption = put_text(&at, image.caption);
  picture->image.prediction = put_text(&at, image.prediction);
  picture->image.label = put_text(&at, image.label);
  for (size_t i = 0; i < image.box_count; i++) {
    copies[i] = image.boxes[i];
    copies[i].label = put_text(&at, image.boxes[i].label);
  }
  picture->image.boxes = copies;
  picture->image.data = at;
  memcpy(at, image.data, image.bytes);
  if (image.time == 0) picture->image.time = tmon_clock_now_us();
  *out = picture;
  return TMON_OK;
}

static void put16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)value;
  at[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *at, uint32_t value) {
  put16(at, value);
  put16(at + 2, value >> 16);
}

/* Blue comes before red, alpha last; grey goes through a palette. */
static void put_row(uint8_t *out, const uint8_t *pixels, uint32_t width, uint32_t channels) {
  if (channels == 1) {
    memcpy(out, pixels, width);
    return;
  }
  for (uint32_t x = 0; x < width; x++, out += channels, pixels += channels) {
    out[0] = pixels[2];
    out[1] = pixels[1];
    out[2] = pixels[0];
    if (channels == 4) out[3] = pixels[3];
  }
}

static void put_head(uint8_t *out, const tmon_image *image, uint32_t head, uint32_t start, uint32_t total) {
  put16(out, 0x4D42u); /* "BM" */
  put32(out + 2, total);
  put32(out + 10, start);
  put32(out + 14, head);
  put32(out + 18, image->width);
  put32(out + 22, image->height);
  put16(out + 26, 1);
  put16(out + 28, 8 * image->channels);
  put32(out + 34, total - start);
  if (image->channels == 1) {
    put32(out + 46, 256);
    for (uint32_t i = 0; i < 256; i++) put32(out + 54 + (size_t)4 * i, i * 0x010101u);
  } else if (image->channels == 4) { /* the masks of version 4, without which readers take alpha for padding */
    put32(out + 30, 3);
    put32(out + 54, 0x00FF0000u);
    put32(out + 58, 0x0000FF00u);
    put32(out + 62, 0x000000FFu);
    put32(out + 66, 0xFF000000u);
    put32(out + 70, 0x73524742u); /* sRGB */
  }
}

int tmon_picture_encode(const void **data, size_t *size, void **owned, const tmon_picture *picture) {
  const tmon_image *image = &picture->image;
  *owned = NULL;
  *data = image->data;
  *size = image->bytes;
  if (picture->media_type != NULL) return TMON_OK;
  size_t line = (size_t)image->width * image->channels;
  size_t row = (line + 3) / 4 * 4;
  uint32_t head = image->channels == 4 ? 108 : 40;
  uint32_t start = 14 + head + (image->channels == 1 ? 1024 : 0);
  size_t total = start + row * image->height;
  uint8_t *out = tmon_alloc_zero(1, total);
  if (out == NULL) return tmon_error_no_memory();
  put_head(out, image, head, start, (uint32_t)total);
  const uint8_t *pixels = image->data;
  for (uint32_t y = 0; y < image->height; y++) { /* the lowest row comes first */
    put_row(out + start + row * (image->height - 1 - y), pixels + line * y, image->width, image->channels);
  }
  *owned = out;
  *data = out;
  *size = total;
  return TMON_OK;
}
