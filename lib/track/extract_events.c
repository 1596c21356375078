/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * TensorBoard's event files. A record of TFRecord: length (u64, little-endian), masked CRC-32C of the length, the data, masked CRC-32C of the data; here
 * each holds an `Event` of tensorflow/core/util/event.proto: wall_time = 1 (double), step = 2 (int64), file_version = 3, summary = 5 { value = 1 { tag = 1,
 * simple_value = 2 (float) } }. The first one says brain.Event:2: a reader then takes steps in any order (older versions drop what was there before).
 */
#include "track/extract.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Castagnoli's polynomial, reflected, four bits at a time. */
static uint32_t crc32c(const uint8_t *data, size_t size) {
  static const uint32_t table[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78,
      0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
  uint32_t crc = UINT32_MAX;
  for (size_t i = 0; i < size; i++) {
    crc ^= data[i];
    crc = (crc >> 4) ^ table[crc & 15];
    crc = (crc >> 4) ^ table[crc & 15];
  }
  return ~crc;
}

/* A CRC over data that holds CRCs is weak, so TFRecord stores it rotated and moved. */
static uint32_t masked(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

static void put_little(tmon_buffer *out, uint64_t value, size_t bytes) {
  uint8_t data[8];
  for (size_t i = 0; i < bytes; i++) data[i] = (uint8_t)(value >> (8 * i));
  tmon_buffer_append(out, data, bytes);
}

static void put_varint(tmon_buffer *out, uint64_t value) {
  uint8_t data[10];
  size_t size = 0;
  for (; value > 127; value >>= 7) data[size++] = (uint8_t)(value | 128);
  data[size++] = (uint8_t)value;
  tmon_buffer_append(out, data, size);
}

static size_t varint_size(uint64_t value) {
  size_t size = 1;
  for (; value > 127; value >>= 7) size++;
  return size;
}

static void put_field(tmon_buffer *out, unsigned number, unsigned wire) { put_varint(out, number << 3 | wire); }

static void put_wall_time(tmon_buffer *out, int64_t time_us) {
  double seconds = (double)time_us / 1e6;
  uint64_t bits;
  memcpy(&bits, &seconds, sizeof bits);
  put_field(out, 1, 1);
  put_little(out, bits, 8);
}

static void put_record(tmon_extract_form *form) {
  const tmon_buffer *body = &form->body;
  uint8_t length[8];
  if (body->error != TMON_OK) {
    form->out->error = body->error;
    return;
  }
  for (size_t i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)body->size >> (8 * i));
  tmon_buffer_append(form->out, length, 8);
  put_little(form->out, masked(crc32c(length, 8)), 4);
  tmon_buffer_append(form->out, body->data, body->size);
  put_little(form->out, masked(crc32c(body->data, body->size)), 4);
}

void tmon_events_begin(tmon_extract_form *form, int64_t time_us) {
  static const char version[] = "brain.Event:2";
  tmon_buffer_clear(&form->body);
  put_wall_time(&form->body, time_us);
  put_field(&form->body, 3, 2);
  put_varint(&form->body, sizeof version - 1);
  tmon_buffer_append(&form->body, version, sizeof version - 1);
  put_record(form);
}

/* A conversion out of range is undefined in C; IEEE 754 says infinity. */
static float to_float(double value) {
  if (isfinite(value) && fabs(value) > (double)FLT_MAX) return value > 0 ? INFINITY : -INFINITY;
  return (float)value;
}

void tmon_events_scalar(tmon_extract_form *form, const char *tag, size_t length, const tmon_point *point) {
  tmon_buffer *body = &form->body;
  float value = to_float(point->value);
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  size_t inner = 1 + varint_size(length) + length + 1 + 4;
  tmon_buffer_clear(body);
  put_wall_time(body, point->time);
  put_field(body, 2, 0);
  put_varint(body, (uint64_t)point->step);
  put_field(body, 5, 2);
  put_varint(body, 1 + varint_size(inner) + inner);
  put_field(body, 1, 2);
  put_varint(body, inner);
  put_field(body, 1, 2);
  put_varint(body, length);
  tmon_buffer_append(body, tag, length);
  put_field(body, 2, 5);
  put_little(body, bits, 4);
  put_record(form);
}
