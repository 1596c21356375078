/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The public calls on hardware: a sample with the rates since the one before it, and the same as JSON. */
#include "util/hardware.h"
#include "track/track.h"

#include "util/buffer.h"
#include "util/json.h"

#include <math.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#define BETWEEN_US 100000 /* sooner, a core's tick of 10 ms is too coarse */
#define JSON_MAXIMUM (64u << 10)

/* What the rates of the process's samples start from, and those given last. Guarded by `busy`, a spin flag: a sample copies a few numbers under it. */
static atomic_flag busy = ATOMIC_FLAG_INIT;
static atomic_bool registered;
static tmon_hardware_counters before;
static struct {
  double cpu, process, disk_read, disk_write, receive, send;
} rates = {(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN};

/* A thread that does not exist in the child may have held the flag; the counters of the parent's process mean nothing there. */
static void forget(void) {
  before = (tmon_hardware_counters){0};
  atomic_flag_clear(&busy);
}

static void put_rates(tmon_hardware *out, const tmon_hardware_counters *now) {
  if (!atomic_exchange(&registered, true) && tmon_fork_register(forget) != TMON_OK) atomic_store(&registered, false);
  while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) tmon_clock_sleep_us(10);
  if (before.time_us == 0 || now->time_us - before.time_us >= BETWEEN_US) {
    tmon_hardware_rate(out, &before, now);
    before = *now;
    rates.cpu = out->cpu_percent;
    rates.process = out->process_cpu_percent;
    rates.disk_read = out->disk_read_rate;
    rates.disk_write = out->disk_write_rate;
    rates.receive = out->network_receive_rate;
    rates.send = out->network_send_rate;
  } else {
    out->cpu_percent = rates.cpu;
    out->process_cpu_percent = rates.process;
    out->disk_read_rate = rates.disk_read;
    out->disk_write_rate = rates.disk_write;
    out->network_receive_rate = rates.receive;
    out->network_send_rate = rates.send;
  }
  atomic_flag_clear_explicit(&busy, memory_order_release);
}

static void sample(tmon_hardware *out, const char *folder) {
  tmon_hardware_counters now;
  tmon_hardware_read(out, &now);
  tmon_hardware_read_folder(out, folder);
  put_rates(out, &now);
}

int tmon_hardware_sample(tmon_hardware *out) {
  if (out == NULL) return tmon_error_set_field(TMON_EINVAL, "out", "out is NULL");
  /* A caller that was built before knows the first members only. */
  uint32_t size = out->size;
  if (size < offsetof(tmon_hardware, cpu_percent) || size > sizeof *out) {
    return tmon_error_set_field(TMON_EINVAL, "size", "tmon_hardware: size is %u, expected %zu: set it to sizeof the struct", size, sizeof *out);
  }
  tmon_hardware full = {.size = size, .folder = out->folder};
  sample(&full, out->folder);
  memcpy(out, &full, size);
  return TMON_OK;
}

static void put_machine(tmon_json_writer *json, const tmon_hardware *from) {
  tmon_json_open(json, "machine", '{');
  tmon_json_put_double(json, "cpu_percent", from->cpu_percent);
  tmon_json_put_double(json, "load_1", from->load_1);
  tmon_json_put_double(json, "load_5", from->load_5);
  tmon_json_put_double(json, "load_15", from->load_15);
  tmon_json_put_double(json, "memory_total_bytes", from->memory_total_bytes);
  tmon_json_put_double(json, "memory_used_bytes", from->memory_used_bytes);
  tmon_json_put_double(json, "memory_free_bytes", from->memory_free_bytes);
  tmon_json_put_double(json, "memory_percent", from->memory_percent);
  tmon_json_put_double(json, "swap_total_bytes", from->swap_total_bytes);
  tmon_json_put_double(json, "swap_used_bytes", from->swap_used_bytes);
  tmon_json_put_double(json, "disk_total_bytes", from->disk_total_bytes);
  tmon_json_put_double(json, "disk_free_bytes", from->disk_free_bytes);
  tmon_json_put_double(json, "disk_percent", from->disk_percent);
  tmon_json_put_double(json, "disk_read_rate", from->disk_read_rate);
  tmon_json_put_double(json, "disk_write_rate", from->disk_write_rate);
  tmon_json_put_double(json, "network_receive_rate", from->network_receive_rate);
  tmon_json_put_double(json, "network_send_rate", from->network_send_rate);
  tmon_json_put_double(json, "cpu_temperature", from->cpu_temperature);
  tmon_json_close(json, '}');
}

static void put_process(tmon_json_writer *json, const tmon_hardware *from) {
  tmon_json_open(json, "process", '{');
  tmon_json_put_double(json, "cpu_percent", from->process_cpu_percent);
  tmon_json_put_double(json, "resident_bytes", from->process_resident_bytes);
  tmon_json_put_double(json, "threads", from->process_threads);
  tmon_json_put_double(json, "descriptors", from->process_descriptors);
  tmon_json_close(json, '}');
}

static void put_gpus(tmon_json_writer *json, const tmon_hardware *from) {
  tmon_json_open(json, "gpus", '[');
  for (uint32_t i = 0; i < from->gpu_count; i++) {
    const tmon_gpu *gpu = &from->gpus[i];
    tmon_json_open(json, NULL, '{');
    tmon_json_put_int(json, "index", i);
    tmon_json_put_text(json, "name", gpu->name);
    tmon_json_put_text(json, "vendor", gpu->vendor);
    tmon_json_put_double(json, "usage_percent", gpu->usage_percent);
    tmon_json_put_double(json, "memory_used_bytes", gpu->memory_used_bytes);
    tmon_json_put_double(json, "memory_total_bytes", gpu->memory_total_bytes);
    tmon_json_put_double(json, "memory_percent", gpu->memory_percent);
    tmon_json_put_double(json, "temperature", gpu->temperature);
    tmon_json_put_double(json, "power_watts", gpu->power_watts);
    tmon_json_put_double(json, "fan_percent", gpu->fan_percent);
    tmon_json_close(json, '}');
  }
  tmon_json_close(json, ']');
}

/* Gives the text, or the error that stuck in the buffer. */
static int take_json(char **out, tmon_buffer *buffer) {
  int result = buffer->error;
  if (result == TMON_OK) *out = tmon_buffer_take(buffer);
  tmon_buffer_free(buffer);
  return result == TMON_ENOMEM ? tmon_error_no_memory() : result;
}

int tmon_hardware_json(char **out, const char *folder) {
  tmon_hardware now = {.size = sizeof now};
  tmon_buffer buffer;
  tmon_json_writer json;
  if (out == NULL) return tmon_error_set_field(TMON_EINVAL, "out", "out is NULL");
  *out = NULL;
  sample(&now, folder);
  tmon_buffer_init(&buffer, JSON_MAXIMUM);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  put_machine(&json, &now);
  put_process(&json, &now);
  put_gpus(&json, &now);
  tmon_json_close(&json, '}');
  return take_json(out, &buffer);
}

static void put_known_text(tmon_json_writer *json, const char *key, const char *text) {
  if (text[0] != '\0') tmon_json_put_text(json, key, text);
}

int tmon_hardware_info_json(char **out) {
  tmon_hardware_about about;
  tmon_buffer buffer;
  tmon_json_writer json;
  if (out == NULL) return tmon_error_set_field(TMON_EINVAL, "out", "out is NULL");
  *out = NULL;
  tmon_hardware_describe(&about);
  tmon_buffer_init(&buffer, JSON_MAXIMUM);
  tmon_json_begin(&json, &buffer);
  tmon_json_open(&json, NULL, '{');
  put_known_text(&json, "cpu", about.cpu);
  if (about.cores != 0) tmon_json_put_int(&json, "cores", about.cores);
  if (!isnan(about.memory_total_bytes)) tmon_json_put_double(&json, "memory_bytes", about.memory_total_bytes);
  if (about.gpu_count != 0) tmon_json_put_text(&json, "gpu", about.gpus[0]);
  tmon_json_open(&json, "gpus", '[');
  for (uint32_t i = 0; i < about.gpu_count; i++) tmon_json_put_text(&json, NULL, about.gpus[i]);
  tmon_json_close(&json, ']');
  put_known_text(&json, "os", about.os);
  put_known_text(&json, "kernel", about.kernel);
  tmon_json_close(&json, '}');
  return take_json(out, &buffer);
}
