/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Who may ask what: Host and Origin, the token, and how often. Pure rules on a request; nothing here touches a socket. */
#ifndef TRAINMON_SERVE_ACCESS_H
#define TRAINMON_SERVE_ACCESS_H
#include "serve/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TMON_ACCESS_PEERS = 256, TMON_ACCESS_SECRET_BYTES = 65, TMON_ACCESS_FRAMES = 8 };

/* What each client address may use: so much a second, and so much at once. */
typedef enum tmon_budget { TMON_BUDGET_WRITES, TMON_BUDGET_READS, TMON_BUDGET_COST, TMON_BUDGETS } tmon_budget;
enum {
  TMON_ACCESS_RATE = 200,
  TMON_ACCESS_BURST = 400,
  TMON_ACCESS_READ_RATE = 1000,
  TMON_ACCESS_READ_BURST = 2000,
  /* In buckets (or points) asked for, of which a core makes about 200,000 a second; each key costs as much as 500 more. */
  TMON_ACCESS_COST_RATE = 100000,
  TMON_ACCESS_COST_BURST = 1000000,
  TMON_ACCESS_COST_KEY = 500
};

typedef struct tmon_bucket_of_peer {
  char peer[64];
  int64_t time_us;
  double tokens[TMON_BUDGETS];
} tmon_bucket_of_peer;

typedef struct tmon_access {
  char *bound;      /* the address that was bound */
  char *token;      /* gives the right to write; NULL: everybody has it */
  char *read_token; /* gives the right to read; NULL: there is none */
  char **names;     /* further names of the Host header, each with or without a port */
  size_t name_count;
  /* Values of the cookie for either token; new with each start of the server. */
  char secret[TMON_ACCESS_SECRET_BYTES];
  char read_secret[TMON_ACCESS_SECRET_BYTES];
  tmon_bucket_of_peer peers[TMON_ACCESS_PEERS];
} tmon_access;

int tmon_access_init(tmon_access *access, const char *bound, const char *token, const char *read_token, const char *const *names, size_t name_count);
void tmon_access_free(tmon_access *access);

bool tmon_address_is_loopback(const char *address);
/* "http://NAME" or "https://NAME", with ":PORT" or without, and nothing more: what a Content-Security-Policy takes as one exact origin. */
bool tmon_access_is_origin(const char *text);
/* Exact port (absent: 80), and a name that a foreign DNS record can't point here. */
bool tmon_access_host(const tmon_access *access, const char *host, uint16_t port);
/* A browser's request comes from a page of this server, or from no page at all. */
bool tmon_access_origin(const tmon_request *request);
/* What the bearer token, or else the cookie, of a request gives. Takes the same time wherever the texts differ. */
tmon_right tmon_access_right(const tmon_access *access, const tmon_request *request);
/* What a token gives, and the `secret` that stands for it in the cookie. */
tmon_right tmon_access_login(const tmon_access *access, const char *token, const char **secret);
void tmon_access_cookie_name(char out[32], uint16_t port);
/* Takes `amount` (at most what a full bucket has) from a budget of this client. 0, or the seconds after which it will be there; nothing was taken then. */
unsigned tmon_access_take(tmon_access *access, const char *peer, tmon_budget budget, double amount, int64_t now_us);
#endif
