/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Access rules. A loopback address alone is no boundary: any page a browser shows can send requests there, so Host and Origin are checked too. */
#include "serve/access.h"

#include "util/alloc.h"
#include "util/clock.h"
#include "util/error.h"
#include "util/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int make_secret(char out[TMON_ACCESS_SECRET_BYTES]) {
  uint8_t random[(TMON_ACCESS_SECRET_BYTES - 1) / 2];
  int code = tmon_random_bytes(random, sizeof random);
  for (size_t i = 0; code == TMON_OK && i < sizeof random; i++) {
    (void)snprintf(out + 2 * i, 3, "%02x", random[i]);
  }
  return code;
}

int tmon_access_init(tmon_access *access, const char *bound, const char *token, const char *read_token, const char *const *names, size_t name_count) {
  memset(access, 0, sizeof *access);
  int code = make_secret(access->secret);
  if (code == TMON_OK) {
    code = make_secret(access->read_secret);
  }
  if (code != TMON_OK) {
    return code;
  }
  access->bound = tmon_strdup(bound);
  access->token = tmon_strdup(token);
  access->read_token = tmon_strdup(read_token);
  access->names = tmon_alloc_zero(name_count + 1, sizeof *access->names);
  if (access->bound == NULL || (token != NULL && access->token == NULL) || (read_token != NULL && access->read_token == NULL) || access->names == NULL) {
    goto no_memory;
  }
  for (size_t i = 0; i < name_count; i++) {
    access->names[i] = tmon_strdup(names[i]);
    if (access->names[i] == NULL) {
      goto no_memory;
    }
    access->name_count++;
  }
  return TMON_OK;
no_memory:
  tmon_access_free(access);
  return tmon_error_no_memory();
}

void tmon_access_free(tmon_access *access) {
  for (size_t i = 0; access->names != NULL && i < access->name_count; i++) {
    tmon_free(access->names[i]);
  }
  tmon_free(access->names);
  tmon_free(access->read_token);
  tmon_free(access->token);
  tmon_free(access->bound);
  memset(access, 0, sizeof *access);
}

bool tmon_address_is_loopback(const char *address) {
  struct in_addr four;
  struct in6_addr six;
  if (inet_pton(AF_INET, address, &four) == 1) {
    return (ntohl(four.s_addr) >> 24) == 127;
  }
  return inet_pton(AF_INET6, address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* Splits "name:port" or "[address]:port". False: malformed. `port` receives 80 when none is said. */
static bool split_host(const char *host, char *name, size_t size, int64_t *port) {
  const char *end = NULL;
  if (host[0] == '[') {
    host++;
    end = strchr(host, ']');
    if (end == NULL) {
      return false;
    }
  } else {
    end = host + strcspn(host, ":");
  }
  size_t length = (size_t)(end - host);
  if (length == 0 || length >= size) {
    return false;
  }
  memcpy(name, host, length);
  name[length] = '\0';
  if (*end == ']') {
    end++;
  }
  *port = 80;
  if (*end == '\0') {
    return true;
  }
  return *end == ':' && end[1] >= '1' && end[1] <= '9' && tmon_text_to_int(end + 1, port) && *port > 0 && *port <= 65535;
}

bool tmon_access_is_origin(const char *text) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-";
  const char *rest = strncmp(text, "http://", 7) == 0 ? text + 7 : strncmp(text, "https://", 8) == 0 ? text + 8 : "";
  int64_t port = 0;
  char name[256];
  /* No IPv6 address: policies have no way to write one. */
  if (rest[strcspn(rest, "[")] != '\0' || !split_host(rest, name, sizeof name, &port)) {
    return false;
  }
  for (const char *label = name;;) {
    size_t length = strspn(label, letters);
    if (length == 0 || (label[length] != '.' && label[length] != '\0')) {
      return false;
    }
    if (label[length] == '\0') {
      return true;
    }
    label += length + 1;
  }
}

static bool is_address(const char *name) {
  uint8_t address[16];
  return inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1;
}

bool tmon_access_host(const tmon_access *access, const char *host, uint16_t port) {
  char name[256];
  int64_t said = 0;
  /* A name that was allowed with its port is one that a proxy in front of us answers to. */
  for (size_t i = 0; i < access->name_count; i++) {
    if (strcasecmp(access->names[i], host) == 0 && strchr(host, ':') != NULL) {
      return true;
    }
  }
  if (!split_host(host, name, sizeof name, &said)) {
    return false;
  }
  for (size_t i = 0; i < access->name_count; i++) {
    size_t length = strlen(name);
    const char *allowed = access->names[i];
    if (strncasecmp(allowed, name, length) != 0) {
      continue;
    }
    if ((allowed[length] == '\0' && said == port) ||
        (strchr(host, ':') == NULL && (strcmp(allowed + length, ":80") == 0 || strcmp(allowed + length, ":443") == 0))) {
      return true;
    }
  }
  if (said != port) {
    return false;
  }
  if (strcasecmp(name, "localhost") == 0 || tmon_address_is_loopback(name) || strcmp(name, access->bound) == 0) {
    return true;
  }
  /* Bound to all addresses, any address may be ours; a DNS name can't pose as one. */
  bool everywhere = strcmp(access->bound, "0.0.0.0") == 0 || strcmp(access->bound, "::") == 0;
  return everywhere && is_address(name);
}

bool tmon_access_origin(const tmon_request *request) {
  if (strcasecmp(request->fetch_site, "cross-site") == 0 || strcasecmp(request->fetch_site, "same-site") == 0) {
    return false;
  }
  if (request->origin[0] == '\0') {
    return true;
  }
  const char *rest = request->origin;
  if (strncasecmp(rest, "http://", 7) == 0) {
    rest += 7;
  } else if (strncasecmp(rest, "https://", 8) == 0) {
    rest += 8;
  } else {
    return false;
  }
  return strcasecmp(rest, request->host) == 0;
}

static bool same(const char *wanted, const char *given) {
  size_t length = strlen(wanted);
  size_t given_length = strlen(given);
  unsigned difference = length != given_length;
  for (size_t i = 0; i < length; i++) {
    unsigned char other = given_length > 0 ? (unsigned char)given[i % given_length] : 0;
    difference |= (unsigned)((unsigned char)wanted[i] ^ other);
  }
  return difference == 0;
}

/* Which of two secrets was given. Both are compared, so that the time does not tell which. */
static tmon_right right_of(const char *write, const char *read, const char *given) {
  bool writes = same(write, given);
  bool reads = read != NULL && same(read, given);
  return writes ? TMON_RIGHT_WRITE : reads ? TMON_RIGHT_READ : TMON_RIGHT_NONE;
}

tmon_right tmon_access_login(const tmon_access *access, const char *token, const char **secret) {
  tmon_right right = access->token == NULL ? TMON_RIGHT_WRITE : right_of(access->token, access->read_token, token);
  *secret = right == TMON_RIGHT_WRITE ? access->secret : access->read_secret;
  return right;
}

void tmon_access_cookie_name(char out[32], uint16_t port) {
  /* Cookies ignore ports, so two servers on one machine need two names. */
  (void)snprintf(out, 32, "trainmon_%u", (unsigned)port);
}

tmon_right tmon_access_right(const tmon_access *access, const tmon_request *request) {
  char name[32];
  char value[TMON_ACCESS_SECRET_BYTES];
  if (access->token == NULL) {
    return TMON_RIGHT_WRITE;
  }
  if (strncasecmp(request->authorization, "Bearer ", 7) == 0) {
    return right_of(access->token, access->read_token, request->authorization + 7);
  }
  tmon_access_cookie_name(name, request->port);
  return tmon_request_cookie(request, name, value, sizeof value) ? right_of(access->secret, access->read_secret, value) : TMON_RIGHT_NONE;
}

static const double rates[] = {
    [TMON_BUDGET_WRITES] = TMON_ACCESS_RATE, [TMON_BUDGET_READS] = TMON_ACCESS_READ_RATE, [TMON_BUDGET_COST] = TMON_ACCESS_COST_RATE};
static const double bursts[] = {
    [TMON_BUDGET_WRITES] = TMON_ACCESS_BURST, [TMON_BUDGET_READS] = TMON_ACCESS_READ_BURST, [TMON_BUDGET_COST] = TMON_ACCESS_COST_BURST};

/* The buckets of a client, filled up to now. One not seen before takes the place of the one not seen for longest. */
static tmon_bucket_of_peer *bucket_of(tmon_access *access, const char *peer, int64_t now_us) {
  tmon_bucket_of_peer *bucket = NULL;
  tmon_bucket_of_peer *oldest = &access->peers[0];
  for (size_t i = 0; i < TMON_ACCESS_PEERS && bucket == NULL; i++) {
    tmon_bucket_of_peer *candidate = &access->peers[i];
    if (candidate->peer[0] != '\0' && strcmp(candidate->peer, peer) == 0) {
      bucket = candidate;
    } else if (candidate->time_us < oldest->time_us) {
      oldest = candidate;
    }
  }
  bool fresh = bucket == NULL;
  if (fresh) {
    bucket = oldest;
    (void)tmon_text_copy(bucket->peer, sizeof bucket->peer, peer);
    bucket->time_us = now_us;
  }
  for (size_t i = 0; i < TMON_BUDGETS; i++) {
    double tokens = bucket->tokens[i] + (double)(now_us - bucket->time_us) * rates[i] / 1e6;
    bucket->tokens[i] = fresh || tokens > bursts[i] ? bursts[i] : tokens;
  }
  bucket->time_us = now_us;
  return bucket;
}

unsigned tmon_access_take(tmon_access *access, const char *peer, tmon_budget budget, double amount, int64_t now_us) {
  double *tokens = &bucket_of(access, peer[0] != '\0' ? peer : "?", now_us)->tokens[budget];
  if (*tokens < amount) {
    return 1 + (unsigned)((amount - *tokens) / rates[budget]);
  }
  *tokens -= amount;
  return 0;
}
