/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * A state as bytes, little-endian: version, type, flags (firing 1, begun 2, status << 2), 0; then held, count, next and the window's size as u32; held_since, time, step,
 * lane and position as i64; best, smoothed and weight as doubles; then `count` values of the window from its first place on.
 */
#include "track/alert_rule.h"

#include "util/error.h"

#include <math.h>
#include <string.h>

enum { VERSION = 1, HEAD = 4 + 4 * 4 + 8 * 8 };

static void put(uint8_t *out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *data, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; i++) value |= (uint64_t)data[i] << (8 * i);
  return value;
}

static void put_double(uint8_t *out, double value) {
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof bits);
  put(out, bits, 8);
}

static double get_double(const uint8_t *data) {
  double value = 0;
  uint64_t bits = get(data, 8);
  memcpy(&value, &bits, sizeof value);
  return value;
}

int tmon_alert_state_pack(tmon_buffer *out, const tmon_alert_rule *rule, const tmon_alert_state *state) {
  uint8_t head[HEAD] = {VERSION, (uint8_t)rule->type, (uint8_t)((state->firing ? 1 : 0) | (state->begun ? 2 : 0) | ((unsigned)state->status << 2)), 0};
  const uint32_t numbers[] = {state->held, state->count, state->next, rule->type == TMON_ALERT_OUTLIER ? rule->points : 0};
  const int64_t times[] = {state->held_since, state->time, state->step, state->lane, state->position};
  const double values[] = {state->best, state->smoothed, state->weight};
  for (size_t i = 0; i < 4; i++) put(head + 4 + 4 * i, numbers[i], 4);
  for (size_t i = 0; i < 5; i++) put(head + 20 + 8 * i, (uint64_t)times[i], 8);
  for (size_t i = 0; i < 3; i++) put_double(head + 60 + 8 * i, values[i]);
  tmon_buffer_append(out, head, sizeof head);
  for (uint32_t i = 0; numbers[3] > 0 && i < state->count; i++) {
    uint8_t bytes[8];
    put_double(bytes, state->window[i]);
    tmon_buffer_append(out, bytes, sizeof bytes);
  }
  return out->error;
}

static bool is_sound(const tmon_alert_rule *rule, const tmon_alert_state *state, const uint8_t *data, size_t size) {
  bool window = rule->type == TMON_ALERT_OUTLIER;
  if (data[2] >> 2 > TMON_ALERT_BELOW || get(data + 16, 4) != (window ? rule->points : 0)) return false;
  if (!(state->weight >= 0 && state->weight <= 1)) return false;
  /* Mean and squares of a window may have overflowed; it is summed anew. */
  if (!window) return isfinite(state->best) && isfinite(state->smoothed) && size == HEAD;
  /* A window that is not full is filled from its first place on. */
  return state->count <= rule->points && state->next < rule->points && size == HEAD + 8 * (size_t)state->count &&
      (state->count == rule->points || state->next == state->count);
}

int tmon_alert_state_unpack(tmon_alert_state *state, const tmon_alert_rule *rule, const void *data, size_t size) {
  const uint8_t *bytes = data;
  double *window = state->window;
  tmon_alert_state found = {.window = window};
  bool sound = bytes != NULL && size >= HEAD && bytes[0] == VERSION && bytes[1] == (uint8_t)rule->type;
  if (sound) {
    found.firing = (bytes[2] & 1) != 0;
    found.begun = (bytes[2] & 2) != 0;
    found.held = (uint32_t)get(bytes + 4, 4);
    found.count = (uint32_t)get(bytes + 8, 4);
    found.next = (uint32_t)get(bytes + 12, 4);
    found.held_since = (int64_t)get(bytes + 20, 8);
    found.time = (int64_t)get(bytes + 28, 8);
    found.step = (int64_t)get(bytes + 36, 8);
    found.lane = (int64_t)get(bytes + 44, 8);
    found.position = (int64_t)get(bytes + 52, 8);
    found.best = get_double(bytes + 60);
    found.smoothed = get_double(bytes + 68);
    found.weight = get_double(bytes + 76);
    sound = is_sound(rule, &found, bytes, size);
  }
  for (uint32_t i = 0; sound && window != NULL && i < found.count; i++) {
    window[i] = get_double(bytes + HEAD + 8 * (size_t)i);
    sound = isfinite(window[i]);
  }
  if (!sound) return tmon_error_set(TMON_ECORRUPT, "the state of alert rule \"%s\" is damaged", rule->name);
  found.status = (tmon_alert_status)(bytes[2] >> 2);
  *state = found;
  return TMON_OK;
}
