/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A server that is opened, asked and stopped with each of its allocations failing; no call of the library may be missing here. */
#include "trainmon/server.h"
#include "unit/fault.h"
#include "unit/track/help.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>
#include <time.h>

static tmon_store *store;
static char id[40];
static tmon_fault fault;
static char recipes[300];

static void write_recipes(void) {
  (void)snprintf(recipes, sizeof recipes, "%s/recipes.json", test_folder);
  FILE *file = fopen(recipes, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_ge(
      fputs("{\"recipes\": {\"a\": {\"command\": [\"true\"], \"max_running\": 64, \"parameters\": {\"n\": {\"type\": \"integer\", \"default\": 1}}}}}",
          file),
      0);
  ck_assert_int_eq(fclose(file), 0);
}

static void arm(size_t at, bool persistent) {
  atomic_store(&fault.count, 0);
  atomic_store(&fault.failed, 0);
  atomic_store(&fault.persistent, persistent);
  atomic_store(&fault.fail_at, at);
}

static size_t disarm(void) {
  atomic_store(&fault.fail_at, 0);
  return atomic_load(&fault.failed);
}

static int open_server(tmon_server **server) {
  static const uint16_t any = 0;
  static const char *const origins[] = {"http://localhost:8888"};
  static const char *const hosts[] = {"one.example", "two.example:443"};
  tmon_server_options options = {.size = sizeof options,
      .ports = &any,
      .port_count = 1,
      .token = "0123456789abcdef0123456789abcdef",
      .allowed_hosts = hosts,
      .allowed_host_count = 2,
      .frame_origins = origins,
      .frame_origin_count = 1,
      .recipes_path = recipes};
  return tmon_server_open(server, store, &options);
}

static int open_and_free(void *unused) {
  tmon_server *server = NULL;
  (void)unused;
  int result = open_server(&server);
  ck_assert((result == TMON_OK) == (server != NULL));
  if (server) ck_assert_uint_ne(tmon_server_port(server, 0), 0);
  tmon_server_free(server);
  return result;
}

START_TEST(opening) {
  test_setup();
  store = test_store();
  write_recipes();
  /* The store was made with the usual allocator; what it keeps from a first question (its statement) must be of that one too. */
  ok(open_and_free(NULL));
  tmon_fault_loop(open_and_free, NULL);
  tmon_store_free(store);
  test_teardown();
}
END_TEST

START_TEST(who_may_frame_is_checked) {
  static const uint16_t any = 0;
  static const char *const origins[9] = {"http://a", "http://b", "http://c", "http://d", "http://e", "http://f", "http://g", "http://h", "http://i"};
  static const char *const wrong[] = {"http://a", "*"};
  static const char *const missing[] = {NULL};
  tmon_server *server = NULL;
  test_setup();
  store = test_store();
  tmon_server_options options = {.size = sizeof options, .ports = &any, .port_count = 1, .frame_origins = origins, .frame_origin_count = 8};
  ok(tmon_server_open(&server, store, &options));
  tmon_server_free(server);
  const struct {
    const char *const *origins;
    size_t count;
  } bad[] = {{origins, 9}, {NULL, 1}, {wrong, 2}, {missing, 1}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    options.frame_origins = bad[i].origins;
    options.frame_origin_count = bad[i].count;
    ck_assert_int_eq(tmon_server_open(&server, store, &options), TMON_EINVAL);
    ck_assert_str_eq(tmon_error_field(), "frame_origins");
    ck_assert_ptr_null(server);
  }
  options.size = offsetof(tmon_server_options, frame_origins); /* a program that knows nothing of it */
  ok(tmon_server_open(&server, store, &options));
  tmon_server_free(server);
  tmon_store_free(store);
  test_teardown();
}
END_TEST

static void *serve(void *argument) { return (void *)(intptr_t)tmon_server_run(argument); }

/* One request on a connection of its own; the reply's status, 0 when the server hung up. */
static int ask(const tmon_server *server, const char *request) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(tmon_server_port(server, 0)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  char text[1500];
  char reply[4000];
  size_t size = 0;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  (void)snprintf(text, sizeof text, request, (unsigned)tmon_server_port(server, 0));
  ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
  while (size < sizeof reply - 1) {
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    ck_assert_msg(poll(&waited, 1, 60000) == 1, "no reply to %s", text);
    ssize_t got = recv(fd, reply + size, sizeof reply - 1 - size, 0);
    if (got <= 0) break;
    size += (size_t)got;
    reply[size] = 0;
    if (strstr(reply, "\r\n\r\n")) break;
  }
  (void)close(fd);
  reply[size] = 0;
  return size > 12 && memcmp(reply, "HTTP/1.1 ", 9) == 0 ? (int)strtol(reply + 9, NULL, 10) : 0;
}

#define HEAD " HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\nConnection: close\r\n"
static const char *const requests[] = {
    "GET /api/status" HEAD "\r\n",
    "GET /api/training/sessions" HEAD "\r\n",
    "GET /api/metrics/current" HEAD "\r\n",
    "GET /api/metrics/history" HEAD "\r\n",
    "GET /api/metrics/history" HEAD "Accept-Encoding: gzip\r\n\r\n", /* large enough to be compressed */
    "GET /api/series?key=loss&width=10" HEAD "\r\n",
    "GET /api/training/metrics" HEAD "If-None-Match: W/\"other\"\r\n\r\n",
    "POST /api/training/sessions" HEAD "Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"session_name\":\"a\"}",
    "GET /events" HEAD "\r\n",
    "GET /events?tables=alerts,training_metrics&filter=id%%3Dgt.1" HEAD "\r\n",
    "GET /metrics" HEAD "\r\n",
    "GET /openapi.json" HEAD "\r\n",
    "GET /api/training/recipes" HEAD "\r\n",
    "GET /api/ml/training-data" HEAD "\r\n",
    "GET /api/ml/real-time-updates?since=0" HEAD "\r\n",
    "POST /api/training/start" HEAD "Content-Type: application/json\r\nContent-Length: 24\r\n\r\n{\"parameters\":{\"n\": 22}}",
};

START_TEST(answering) {
  const char *request = requests[_i / 2];
  const char *text = getenv("LONG");
  bool is_long = text && *text == '1';
  bool persistent = _i % 2;
  tmon_server *server = NULL;
  pthread_t thread;
  size_t runs = 0;
  test_setup();
  memset(&fault, 0, sizeof fault);
  tmon_fault_install(&fault);
  store = test_store();
  tmon_session *session = test_session(store, NULL);
  (void)snprintf(id, sizeof id, "%s", tmon_session_id(session));
  tmon_metric metric = test_metric(session, "loss");
  for (int step = 1; step <= 50; step++) {
    ok(tmon_log(session, metric, step, 1));
  }
  ok(tmon_session_flush(session));
  write_recipes();
  ok(open_server(&server));
  ck_assert_int_eq(pthread_create(&thread, NULL, serve, server), 0);
  int good = ask(server, request);
  ck_assert_msg(good >= 200 && good < 300, "status %d to %s", good, request);
  size_t calm = 0; /* its tick allocates too, so one run without a failure could be chance */
  for (size_t at = 1; calm < 3 && runs < 300; at += is_long ? 1 : persistent ? 7 : 2) {
    arm(at, persistent);
    int status = ask(server, request);
    size_t failed = disarm();
    ck_assert_msg(status == 0 || status == good || status == 500 || status == 503, "status %d at allocation %zu", status, at);
    calm = failed ? 0 : calm + 1;
    runs += failed > 0;
    status = ask(server, request);
    ck_assert_msg(status == good, "status %d after the failure at %zu", status, at);
  }
  ck_assert_uint_gt(runs, 0);
  if (getenv("SHOW")) fprintf(stderr, "%.30s: %zu\n", request, runs);
  tmon_server_stop(server);
  void *result = NULL;
  ck_assert_int_eq(pthread_join(thread, &result), 0);
  ck_assert_int_eq((int)(intptr_t)result, TMON_OK);
  tmon_server_free(server);
  tmon_session_free(session);
  tmon_store_free(store);
  tmon_fault_await(&fault);
  ck_assert_int_eq(tmon_allocator_set(NULL), TMON_OK);
  ck_assert_msg(atomic_load(&fault.alive) == 0, "%ld pieces leaked", (long)atomic_load(&fault.alive));
  test_teardown();
}
END_TEST

START_TEST(no_call_is_missing) {
  static const char *const known[] = {"tmon_server_free", "tmon_server_open", "tmon_server_port", "tmon_server_run", "tmon_server_stop"};
  char line[200];
  size_t seen = 0;
  FILE *file = fopen(TMON_TEST_SOURCE "/tests/exports.txt", "r");
  ck_assert_ptr_nonnull(file);
  while (fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    if (strncmp(line, "libtrainmon-serve ", 18) != 0) continue;
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) found = found || strcmp(known[i], line + 18) == 0;
    ck_assert_msg(found, "%s has no fault case here", line + 18);
    seen++;
  }
  (void)fclose(file);
  ck_assert_uint_eq(seen, sizeof known / sizeof *known);
}
END_TEST

int main(void) {
  TCase *tests = tcase_create("server");
  Suite *suite = suite_create("serve/server_fault");
  if (!getenv("TMPDIR") && access("/dev/shm", W_OK | X_OK) == 0) (void)setenv("TMPDIR", "/dev/shm", 1);
  tcase_add_test(tests, opening);
  tcase_add_test(tests, who_may_frame_is_checked);
  tcase_add_test(tests, no_call_is_missing);
  tcase_add_loop_test(tests, answering, 0, 2 * (int)(sizeof requests / sizeof *requests));
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
