/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* /metrics: figures of the server and of live sessions in Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
 * The values of metrics come last, a session a piece of work, since reading them takes the longest. */
#include "serve/router.h"
#include "serve/server_private.h"
#include "serve/session_json.h"

#include "trainmon/alert.h"
#include "trainmon/error.h"
#include "trainmon/hardware.h"
#include "trainmon/series.h"
#include "trainmon/version.h"
#include "util/alloc.h"
#include "util/clock.h"
#include "util/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SESSIONS = 1000, METRICS = 200, ALERTS = 1000 };

typedef struct page {
  tmon_server *server;
  tmon_record_list *list;
  tmon_record *records; /* texts are of `list` */
  size_t *left_out;     /* beside `records` */
  size_t count;
  size_t next;
} page;

static void family(tmon_buffer *out, const char *name, const char *type, const char *help) {
  (void)tmon_buffer_append_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void put_number(tmon_buffer *out, double value) {
  if (isnan(value)) {
    (void)tmon_buffer_append_text(out, " NaN\n");
  } else if (isinf(value)) {
    (void)tmon_buffer_append_text(out, value > 0 ? " +Inf\n" : " -Inf\n");
  } else {
    (void)tmon_buffer_append_format(out, " %.17g\n", value);
  }
}

/* Any UTF-8 may stand in a label, with backslash, quote and line feed escaped. */
static void put_label(tmon_buffer *out, const char *before, const char *name, const char *value) {
  (void)tmon_buffer_append_format(out, "%s%s=\"", before, name);
  for (const char *at = value != NULL ? value : ""; *at != '\0'; at++) {
    if (*at == '\n') {
      (void)tmon_buffer_append_text(out, "\\n");
    } else {
      (void)tmon_buffer_append_text(out, *at == '\\' || *at == '"' ? "\\" : "");
      (void)tmon_buffer_append(out, at, 1);
    }
  }
  (void)tmon_buffer_append_text(out, "\"");
}

static void plain(tmon_buffer *out, const char *name, const char *type, const char *help, double value) {
  family(out, name, type, help);
  (void)tmon_buffer_append_text(out, name);
  put_number(out, value);
}

static void of_session(tmon_buffer *out, const char *name, const tmon_record *record) {
  (void)tmon_buffer_append_text(out, name);
  put_label(out, "{", "session", record->id);
  put_label(out, ",", "name", record->name);
}

static bool is_live(const page *of, const char *id) {
  size_t i = 0;
  while (i < of->count && strcmp(of->records[i].id, id) != 0) {
    i++;
  }
  return i < of->count;
}

/* What a session left open when it ended recovers no more: counted, it would ring for ever. */
static int put_alerts(tmon_buffer *out, const page *of) {
  static const char *const severities[] = {"info", "warning", "critical"};
  family(out, "trainmon_alerts_active", "gauge", "Alerts of live sessions that have not recovered, by severity, among the latest 1000 of each.");
  for (size_t i = 0; i < sizeof severities / sizeof *severities; i++) {
    tmon_alert_filter filter = {.size = sizeof filter, .active = true, .severity = severities[i], .limit = ALERTS};
    tmon_json *alerts = NULL;
    char *text = NULL;
    size_t count = 0;
    int code = tmon_alert_list_json(&text, of->server->store, &filter);
    if (code == TMON_OK) {
      code = tmon_json_parse(&alerts, text, strlen(text));
    }
    for (const tmon_json *alert = tmon_json_first(alerts); alert != NULL; alert = tmon_json_next(alert)) {
      count += is_live(of, tmon_json_text(tmon_json_get(alert, "session_id")));
    }
    tmon_json_free(alerts);
    tmon_text_free(text);
    if (code != TMON_OK) {
      return code;
    }
    (void)tmon_buffer_append_format(out, "trainmon_alerts_active{severity=\"%s\"} %zu\n", severities[i], count);
  }
  return TMON_OK;
}

static int put_totals(tmon_buffer *out, tmon_server *server) {
  family(out, "trainmon_sessions", "gauge", "Sessions of the store by status.");
  for (int status = TMON_STATUS_PENDING; status <= TMON_STATUS_INTERRUPTED; status++) {
    tmon_record_filter filter = {.size = sizeof filter, .by_status = true, .status = (tmon_status)status, .limit = 1};
    tmon_record_list *list = NULL;
    int code = tmon_record_list_open(&list, server->store, &filter);
    if (code != TMON_OK) {
      return code;
    }
    (void)tmon_buffer_append_format(
        out, "trainmon_sessions{status=\"%s\"} %lld\n", tmon_status_word((tmon_status)status), (long long)tmon_record_list_total(list));
    tmon_record_list_free(list);
  }
  return TMON_OK;
}

static void put_server(tmon_buffer *out, const tmon_server *server) {
  family(out, "trainmon_build_info", "gauge", "Always 1; the version of the library is its label.");
  (void)tmon_buffer_append_format(out, "trainmon_build_info{version=\"%s\"} 1\n", tmon_version());
  plain(out, "trainmon_uptime_seconds", "gauge", "Time since the server was opened.", (double)(tmon_clock_monotonic_us() - server->started_us) / 1e6);
  family(out, "trainmon_http_requests_total", "counter", "Answered requests by class of status.");
  for (size_t i = 1; i < TMON_REPLY_CLASSES; i++) {
    (void)tmon_buffer_append_format(out, "trainmon_http_requests_total{code=\"%zuxx\"} %llu\n", i, (unsigned long long)server->replies[i]);
  }
  plain(out, "trainmon_websocket_clients", "gauge", "Open WebSockets.", (double)server->websocket_count);
  plain(out, "trainmon_event_streams", "gauge", "Open streams of server-sent events.", (double)(server->client_count - server->websocket_count));
}

/* An absent sensor has no line. */
static void sensor(tmon_buffer *out, const char *name, const char *help, double value) {
  if (isfinite(value)) {
    plain(out, name, "gauge", help, value);
  }
}

static void gpu_family(tmon_buffer *out, const tmon_hardware *from, const char *name, const char *help, size_t offset) {
  bool begun = false;
  for (uint32_t i = 0; i < from->gpu_count; i++) {
    double value;
    memcpy(&value, (const char *)&from->gpus[i] + offset, sizeof value);
    if (!isfinite(value)) {
      continue;
    }
    if (!begun) {
      family(out, name, "gauge", help);
    }
    begun = true;
    (void)tmon_buffer_append_format(out, "%s{gpu=\"%u\"", name, (unsigned)i);
    put_label(out, ",", "model", from->gpus[i].name);
    (void)tmon_buffer_append_text(out, "}");
    put_number(out, value);
  }
}

static void put_hardware(tmon_buffer *out, const tmon_server *server) {
  tmon_hardware is = {.size = sizeof is};
  tmon_store_info info;
  if (tmon_store_get_info(&info, server->store) == TMON_OK) {
    is.folder = info.path;
  }
  if (tmon_hardware_sample(&is) != TMON_OK) {
    return;
  }
  sensor(out, "trainmon_cpu_percent", "CPU in use, of all cores.", is.cpu_percent);
  sensor(out, "trainmon_load1", "Load average over a minute.", is.load_1);
  sensor(out, "trainmon_memory_total_bytes", "Memory of the machine or its control group.", is.memory_total_bytes);
  sensor(out, "trainmon_memory_used_bytes", "Memory in use.", is.memory_used_bytes);
  sensor(out, "trainmon_swap_used_bytes", "Swap in use.", is.swap_used_bytes);
  sensor(out, "trainmon_disk_total_bytes", "Size of the file system of the store.", is.disk_total_bytes);
  sensor(out, "trainmon_disk_free_bytes", "What may still be written there.", is.disk_free_bytes);
  sensor(out, "trainmon_cpu_temperature_celsius", "Of the hottest package.", is.cpu_temperature);
  sensor(out, "process_resident_memory_bytes", "Resident memory of the server.", is.process_resident_bytes);
  sensor(out, "process_open_fds", "Open descriptors of the server.", is.process_descriptors);
  gpu_family(out, &is, "trainmon_gpu_usage_percent", "Time with work on it.", offsetof(tmon_gpu, usage_percent));
  gpu_family(out, &is, "trainmon_gpu_memory_used_bytes", "Memory in use.", offsetof(tmon_gpu, memory_used_bytes));
  gpu_family(out, &is, "trainmon_gpu_memory_total_bytes", "Memory of the card.", offsetof(tmon_gpu, memory_total_bytes));
  gpu_family(out, &is, "trainmon_gpu_temperature_celsius", "Temperature.", offsetof(tmon_gpu, temperature));
  gpu_family(out, &is, "trainmon_gpu_power_watts", "Power drawn.", offsetof(tmon_gpu, power_watts));
}

static void put_sessions(tmon_buffer *out, const page *of) {
  static const struct {
    const char *name, *type, *help;
  } families[] = {{"trainmon_session_progress_percent", "gauge", "Progress of a live session, 0 to 100."},
      {"trainmon_session_epoch", "gauge", "Completed epochs of a live session."},
      {"trainmon_images_total", "counter", "Images that a live session has analysed."},
      {"trainmon_points_dropped_total", "counter", "Points of a live session that found no room."}};
  for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
    family(out, families[i].name, families[i].type, families[i].help);
    for (size_t j = 0; j < of->count; j++) {
      const tmon_record *record = &of->records[j];
      const double values[] = {record->percent, (double)record->progress.epoch, (double)record->progress.images, (double)record->dropped};
      of_session(out, families[i].name, record);
      (void)tmon_buffer_append_text(out, "}");
      put_number(out, values[i]);
    }
  }
}

static void put_metrics(tmon_buffer *out, page *of, size_t number) {
  tmon_metric_list *list = NULL;
  tmon_metric_info info;
  size_t count = 0;
  int code = tmon_metric_list_open(&list, of->server->store, of->records[number].id);
  while (code == TMON_OK && tmon_metric_list_next(list, &info) == TMON_OK) {
    if (info.count == 0) {
      continue;
    }
    if (count++ < METRICS) {
      of_session(out, "trainmon_metric_value", &of->records[number]);
      put_label(out, ",", "key", info.key);
      (void)tmon_buffer_append_text(out, "}");
      put_number(out, info.last.value);
    }
  }
  of->left_out[number] = count > METRICS ? count - METRICS : 0;
  tmon_metric_list_free(list);
}

static size_t step(void *state, tmon_response *response) {
  page *of = state;
  if (of->next < of->count) {
    put_metrics(&response->body, of, of->next++);
    return of->count - of->next + 1;
  }
  family(&response->body, "trainmon_metrics_left_out", "gauge", "Metrics of a live session beyond the 200 that are shown.");
  for (size_t i = 0; i < of->count; i++) {
    of_session(&response->body, "trainmon_metrics_left_out", &of->records[i]);
    (void)tmon_buffer_append_format(&response->body, "} %zu\n", of->left_out[i]);
  }
  if (response->body.error != TMON_OK) {
    tmon_buffer_clear(&response->body);
    tmon_reply_error(response, 500, NULL, NULL, "the figures do not fit in memory");
  }
  return 0;
}

static void drop(void *state) {
  page *of = state;
  tmon_record_list_free(of->list);
  tmon_free(of->records);
  tmon_free(of->left_out);
  tmon_free(of);
}

static int load(page *of) {
  tmon_record_filter filter = {.size = sizeof filter, .active = true, .limit = SESSIONS};
  of->records = tmon_alloc_zero(SESSIONS, sizeof *of->records);
  of->left_out = tmon_alloc_zero(SESSIONS, sizeof *of->left_out);
  if (of->records == NULL || of->left_out == NULL) {
    return TMON_ENOMEM;
  }
  int code = tmon_record_list_open(&of->list, of->server->store, &filter);
  while (code == TMON_OK && of->count < SESSIONS && (code = tmon_record_list_next(of->list, &of->records[of->count])) == TMON_OK) {
    of->count++;
  }
  return code == TMON_DONE ? TMON_OK : code;
}

void tmon_route_prometheus(tmon_server *server, const tmon_request *request, tmon_response *response) {
  tmon_buffer *out = &response->body;
  page *of = tmon_alloc_zero(1, sizeof *of);
  (void)request;
  if (of == NULL) {
    tmon_reply_failure(response, TMON_ENOMEM, NULL);
    return;
  }
  of->server = server;
  int code = load(of);
  if (code == TMON_OK) {
    code = put_totals(out, server);
  }
  if (code == TMON_OK) {
    code = put_alerts(out, of);
  }
  if (code != TMON_OK) {
    tmon_buffer_clear(out);
    tmon_reply_failure(response, code, NULL);
    drop(of);
    return;
  }
  put_server(out, server);
  put_hardware(out, server);
  put_sessions(out, of);
  family(out, "trainmon_metric_value", "gauge", "Latest value of each metric of a live session, 200 of them at most.");
  response->status = 200;
  response->content_type = "text/plain; version=0.0.4; charset=utf-8";
  response->work = (tmon_work){of->count + 1, step, drop, of};
}
