/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* trainmon-dashboard: serves a store until SIGINT or SIGTERM. */
#include <trainmon/server.h>
#include <trainmon/trainmon.h>

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PORTS = 8, NAMES = 32, FRAMES = 8, LOOK_MS = 500, TOKEN = 258, RULES = 1 << 20 };

typedef struct settings {
  const char *store;
  const char *token_file;
  const char *read_token_file;
  const char *alert_rules;
  char token[TOKEN];
  char read_token[TOKEN];
  uint16_t ports[PORTS];
  size_t port_count;
  const char *names[NAMES];
  size_t name_count;
  const char *frames[FRAMES];
  size_t frame_count;
  unsigned long parent; /* ends with this process; 0: with none */
  bool compression_said;
  tmon_server_options server;
} settings;

static tmon_server *volatile running; /* for the signal handler, and the thread that watches the parent */
static pthread_mutex_t run_lock = PTHREAD_MUTEX_INITIALIZER;

static void stop(int signal_number) {
  (void)signal_number;
  tmon_server_stop(running);
}

static const char usage[] =
    "usage: trainmon-dashboard STORE [--host H] [--port N ...] [--token-file F] [--read-token-file F] [--allow-host NAME ...] [--recipes FILE]\n"
    "                          [--alert-rules FILE] [--allow-frame ORIGIN ...] [--parent PID] [--read-only]\n"
    "                          [--ws-compression | --no-ws-compression]\n"
    "\n"
    "Serves the page, REST (/api/...), WebSocket (/ws) and server-sent events (/events) of a store.\n"
    "\n"
    "  STORE             folder of the store, made when missing (MONITORING_DB_PATH)\n"
    "  --host H          address to listen on; default 127.0.0.1 (MONITORING_HOST); localhost is 127.0.0.1 and ::1. Another one than loopback\n"
    "                    needs a token\n"
    "  --port N          port, default 8000; 0 takes a free one; up to 8 times (MONITORING_PORT)\n"
    "  --token-file F    file of mode 0600 whose first line is the token, 32 to 256 characters\n"
    "  --read-token-file F\n"
    "                    the same with a second token, which gives the right to read only; needs --token-file\n"
    "  --allow-host NAME further name accepted in the Host header, NAME or NAME:PORT; up to 32 times\n"
    "  --recipes FILE    commands that may be started from the page and over REST, as JSON (MONITORING_RECIPES); see docs/reference/recipes.md\n"
    "  --alert-rules FILE\n"
    "                    the rules that each new session begins with, as JSON, commands included (MONITORING_ALERT_RULES); they replace those of the\n"
    "                    store, and their commands run for sessions fed over REST; see docs/reference/alerts.md\n"
    "  --allow-frame ORIGIN\n"
    "                    origin whose pages may show the page in a frame, such as http://localhost:8888; up to 8 times. Nobody may otherwise\n"
    "  --parent PID      end when the parent of this process ends, which is the process PID, however it ends\n"
    "  --read-only       no control and no writes\n"
    "  --ws-compression, --no-ws-compression\n"
    "                    permessage-deflate on WebSockets; on when another address than loopback is listened on, since there it saves more than it costs\n"
    "  --help, --version\n"
    "\n"
    "Also read: MONITORING_CACHE_SIZE (points of /api/metrics/history), WS_MAX_CONNECTIONS, WS_UPDATE_FREQUENCY (updates a second),\n"
    "MONITORING_DEBUG (true: logs/monitoring.log has the reads too).\n"
    "Options win over the environment.\n";

static bool number(const char *what, const char *text, unsigned long maximum, unsigned long *out) {
  char *end = NULL;
  errno = 0;
  if (text != NULL && text[0] >= '0' && text[0] <= '9') {
    *out = strtoul(text, &end, 10);
    if (errno == 0 && *end == '\0' && *out <= maximum) {
      return true;
    }
  }
  fprintf(stderr, "trainmon-dashboard: %s is \"%s\", expected a number up to %lu\n", what, text != NULL ? text : "", maximum);
  return false;
}

static bool add_port(settings *to, const char *what, const char *text) {
  unsigned long port = 0;
  if (!number(what, text, 65535, &port)) {
    return false;
  }
  if (to->port_count == PORTS) {
    fprintf(stderr, "trainmon-dashboard: more than %d ports\n", PORTS);
    return false;
  }
  to->ports[to->port_count++] = (uint16_t)port;
  return true;
}

static bool environment_number(const char *name, unsigned long maximum, uint32_t *out) {
  const char *text = getenv(name);
  unsigned long value = 0;
  if (text == NULL || text[0] == '\0') {
    return true;
  }
  if (!number(name, text, maximum, &value)) {
    return false;
  }
  *out = (uint32_t)value;
  return true;
}

static bool environment_switch(const char *name, bool *out) {
  static const char *const words[] = {"", "0", "false", "no", "off", "1", "true", "yes", "on"};
  const char *text = getenv(name);
  size_t i = 0;
  while (text != NULL && i < sizeof words / sizeof words[0] && strcasecmp(words[i], text) != 0) {
    i++;
  }
  if (i == sizeof words / sizeof words[0]) {
    fprintf(stderr, "trainmon-dashboard: %s is \"%s\", expected true or false\n", name, text);
    return false;
  }
  *out = text != NULL && i > 4;
  return true;
}

static bool read_environment(settings *to) {
  const char *port = getenv("MONITORING_PORT");
  to->server.host = getenv("MONITORING_HOST");
  const char *recipes = getenv("MONITORING_RECIPES");
  if (to->server.recipes_path == NULL && recipes != NULL && recipes[0] != '\0') {
    to->server.recipes_path = recipes;
  }
  const char *rules = getenv("MONITORING_ALERT_RULES");
  if (to->alert_rules == NULL && rules != NULL && rules[0] != '\0') {
    to->alert_rules = rules;
  }
  to->store = to->store != NULL ? to->store : getenv("MONITORING_DB_PATH");
  return environment_switch("MONITORING_DEBUG", &to->server.debug) && environment_number("MONITORING_CACHE_SIZE", 100000, &to->server.window) &&
      environment_number("WS_MAX_CONNECTIONS", 400, &to->server.max_websockets) &&
      environment_number("WS_UPDATE_FREQUENCY", 60, &to->server.updates_per_second) &&
      (to->port_count > 0 || port == NULL || port[0] == '\0' || add_port(to, "MONITORING_PORT", port));
}

static bool add_text(const char **texts, size_t *count, size_t limit, const char *what, const char *text) {
  if (*count == limit) {
    fprintf(stderr, "trainmon-dashboard: more than %zu %s\n", limit, what);
    return false;
  }
  texts[(*count)++] = text;
  return true;
}

/* A number alone may be that of a stranger by now; the parent's is not given away while its child has it as parent. */
static bool read_parent(settings *to, const char *text) {
  if (!number("--parent", text, INT_MAX, &to->parent)) {
    return false;
  }
  if (to->parent == 0 || to->parent != (unsigned long)getppid()) {
    fprintf(stderr, "trainmon-dashboard: --parent: process %lu is not the parent of this one, or has ended\n", to->parent);
    return false;
  }
  return true;
}

/* 1: an option with a value was read; 0: it is none; -1: wrong, said so. */
static int read_option(settings *to, const char *name, const char *value, const char **host) {
  static const char *const known[] = {
      "--host", "--port", "--token-file", "--read-token-file", "--allow-host", "--recipes", "--alert-rules", "--allow-frame", "--parent"};
  size_t i = 0;
  while (i < sizeof known / sizeof known[0] && strcmp(known[i], name) != 0) {
    i++;
  }
  if (i == sizeof known / sizeof known[0]) {
    return 0;
  }
  if (value == NULL) {
    fprintf(stderr, "trainmon-dashboard: %s needs a value\n", name);
    return -1;
  }
  switch (i) {
  case 0: *host = value; return 1;
  case 1: return add_port(to, name, value) ? 1 : -1;
  case 2: to->token_file = value; return 1;
  case 3: to->read_token_file = value; return 1;
  case 5: to->server.recipes_path = value; return 1;
  case 6: to->alert_rules = value; return 1;
  case 7: return add_text(to->frames, &to->frame_count, FRAMES, "origins of frames", value) ? 1 : -1;
  case 8: return read_parent(to, value) ? 1 : -1;
  default: return add_text(to->names, &to->name_count, NAMES, "names", value) ? 1 : -1;
  }
}

static bool read_arguments(settings *to, int count, char **arguments) {
  const char *host = NULL;
  for (int i = 1; i < count; i++) {
    int taken = read_option(to, arguments[i], i + 1 < count ? arguments[i + 1] : NULL, &host);
    if (taken < 0) {
      return false;
    }
    if (taken > 0) {
      i++;
    } else if (strcmp(arguments[i], "--read-only") == 0) {
      to->server.read_only = true;
    } else if (strcmp(arguments[i], "--ws-compression") == 0 || strcmp(arguments[i], "--no-ws-compression") == 0) {
      to->compression_said = true;
      to->server.compress_websocket = arguments[i][2] == 'w';
    } else if (arguments[i][0] != '-' && to->store == NULL) {
      to->store = arguments[i];
    } else {
      fprintf(stderr, "trainmon-dashboard: unknown argument \"%s\" (see --help)\n", arguments[i]);
      return false;
    }
  }
  if (!read_environment(to)) {
    return false;
  }
  to->server.host = host != NULL ? host : to->server.host;
  if (to->store == NULL || to->store[0] == '\0') {
    fprintf(stderr, "trainmon-dashboard: which store? (see --help)\n");
    return false;
  }
  return true;
}

static bool read_token(const char *path, char token[TOKEN]) {
  struct stat status;
  FILE *file = fopen(path, "re");
  if (file == NULL || fstat(fileno(file), &status) != 0) {
    fprintf(stderr, "trainmon-dashboard: can't read the token file %s: %s\n", path, strerror(errno));
    if (file != NULL) {
      (void)fclose(file);
    }
    return false;
  }
  bool good = (status.st_mode & 077) == 0;
  if (!good) {
    fprintf(stderr, "trainmon-dashboard: others may read the token file %s; chmod 600 it\n", path);
  } else if (fgets(token, TOKEN, file) == NULL) {
    fprintf(stderr, "trainmon-dashboard: the token file %s is empty\n", path);
    good = false;
  }
  (void)fclose(file);
  token[strcspn(token, "\r\n")] = '\0';
  return good;
}

static bool read_tokens(settings *to) {
  if (to->token_file != NULL) {
    if (!read_token(to->token_file, to->token)) {
      return false;
    }
    to->server.token = to->token;
  }
  if (to->read_token_file != NULL) {
    if (!read_token(to->read_token_file, to->read_token)) {
      return false;
    }
    to->server.read_token = to->read_token;
  }
  return true;
}

static bool is_loopback(const char *host) {
  struct in_addr four;
  return host == NULL || host[0] == '\0' || strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
      (inet_pton(AF_INET, host, &four) == 1 && (ntohl(four.s_addr) >> 24) == 127);
}

static void announce(const settings *from, const tmon_server *server) {
  const char *host = from->server.host != NULL ? from->server.host : "127.0.0.1";
  for (size_t i = 0; tmon_server_port(server, i) != 0; i++) {
    bool six = strchr(host, ':') != NULL;
    printf("http://%s%s%s:%u/\n", six ? "[" : "", host, six ? "]" : "", (unsigned)tmon_server_port(server, i));
  }
  if (!is_loopback(from->server.host)) {
    fprintf(stderr, "trainmon-dashboard: other machines can reach this server, unencrypted; put a TLS proxy in front or use ssh -L\n");
  }
  (void)fflush(stdout);
}

/* Whoever may name a file on this machine's command line may also say what runs on it, so commands are allowed. */
static bool set_rules(tmon_store *store, settings *from) {
  const char *path = from->alert_rules;
  static char text[RULES];
  FILE *file = fopen(path, "re");
  size_t size = file != NULL ? fread(text, 1, sizeof text, file) : 0;
  bool good = file != NULL && ferror(file) == 0 && size < sizeof text && memchr(text, '\0', size) == NULL;
  if (!good) {
    bool large = file != NULL && ferror(file) == 0;
    fprintf(stderr, "trainmon-dashboard: can't read the alert rules %s: %s\n", path, large ? "not text, or more than 1 MiB" : strerror(errno));
  }
  if (file != NULL) {
    (void)fclose(file);
  }
  if (!good) {
    return false;
  }
  text[size] = '\0';
  if (tmon_alert_set_rules(store, NULL, text, true) != TMON_OK) {
    const char *field = tmon_error_field();
    bool named = field == NULL || strstr(tmon_error_message(), field) != NULL;
    fprintf(stderr, "trainmon-dashboard: %s: %s%s%s\n", path, named ? "" : field, named ? "" : ": ", tmon_error_message());
    return false;
  }
  from->server.alert_rules = text;
  return true;
}

/* A thread, so that nothing but the end of the whole parent counts: PR_SET_PDEATHSIG comes when the thread ends that started us. */
static void *watch_parent(void *argument) {
  pid_t parent = (pid_t) * (const unsigned long *)argument;
  struct pollfd waited = {.fd = -1, .events = POLLIN};
#ifdef SYS_pidfd_open
  waited.fd = (int)syscall(SYS_pidfd_open, parent, 0U);
#endif
  /* In this order: while it is our parent, the descriptor is of it. Without one (before Linux 5.3) it is looked at twice a second. */
  while (getppid() == parent && poll(&waited, 1, waited.fd >= 0 ? -1 : LOOK_MS) <= 0) {
  }
  (void)pthread_mutex_lock(&run_lock);
  tmon_server_stop(running);
  (void)pthread_mutex_unlock(&run_lock);
  return NULL;
}

static int serve(settings *from) {
  tmon_store *store = NULL;
  tmon_server *server = NULL;
  tmon_store_options options = {.size = sizeof options, .read_only = from->server.read_only};
  struct sigaction action = {.sa_handler = stop};
  int code = tmon_store_open(&store, from->store, &options);
  if (code == TMON_OK && from->alert_rules != NULL && !set_rules(store, from)) {
    tmon_store_free(store);
    return 2;
  }
  if (code == TMON_OK) {
    code = tmon_server_open(&server, store, &from->server);
  }
  if (code == TMON_OK) {
    running = server;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    announce(from, server);
    pthread_t watcher;
    if (from->parent != 0 && (errno = pthread_create(&watcher, NULL, watch_parent, &from->parent)) == 0) {
      (void)pthread_detach(watcher);
    } else if (from->parent != 0) {
      fprintf(stderr, "trainmon-dashboard: can't watch process %lu: %s\n", from->parent, strerror(errno));
    }
    code = tmon_server_run(server);
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)pthread_mutex_lock(&run_lock);
    running = NULL;
    (void)pthread_mutex_unlock(&run_lock);
  }
  if (code != TMON_OK) {
    fprintf(stderr, "trainmon-dashboard: %s\n", tmon_error_message());
  }
  tmon_server_free(server);
  tmon_store_free(store);
  return code == TMON_OK ? 0 : 1;
}

int main(int count, char **arguments) {
  static settings set;
  set.server.size = sizeof set.server;
  for (int i = 1; i < count; i++) {
    if (strcmp(arguments[i], "--help") == 0) {
      (void)fputs(usage, stdout);
      return 0;
    }
    if (strcmp(arguments[i], "--version") == 0) {
      printf("trainmon-dashboard %s\n", tmon_version());
      return 0;
    }
  }
  if (!read_arguments(&set, count, arguments) || !read_tokens(&set)) {
    return 2;
  }
  if (!is_loopback(set.server.host) && set.token_file == NULL) {
    fprintf(stderr,
        "trainmon-dashboard: %s can be reached from other machines, which needs a token. Make one and name it:\n"
        "  (umask 077; head -c 32 /dev/urandom | base64 | tr -d '/+=\\n' > trainmon.token)\n"
        "  trainmon-dashboard %s --host %s --token-file trainmon.token\n",
        set.server.host, set.store, set.server.host);
    return 2;
  }
  if (!set.compression_said) {
    set.server.compress_websocket = !is_loopback(set.server.host);
  }
  set.server.ports = set.port_count > 0 ? set.ports : NULL;
  set.server.port_count = set.port_count;
  set.server.allowed_hosts = set.names;
  set.server.allowed_host_count = set.name_count;
  set.server.frame_origins = set.frames;
  set.server.frame_origin_count = set.frame_count;
  return serve(&set);
}
