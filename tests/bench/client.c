/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/*
 * client PORT CLIENTS SECONDS PERIOD_US SKIP: CLIENTS WebSocket clients of one server on this machine; prints percentiles of how long a point took from
 * its log call (its `time`) to the socket's reader, one sample a client and message that carries points.
 *
 * A message carries the latest of `count` points a metric; the logger logs one each PERIOD_US, so the oldest of them is (count - 1) periods
 * older and that one is taken. Messages before SKIP samples a client are left out: connecting and finding the session are not what is timed.
 */
#include "common.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST_CLIENTS 50
#define MOST_BYTES (1 << 20)
#define MOST_SAMPLES 400000

typedef struct client {
  size_t used;
  int64_t seen;
  unsigned char bytes[MOST_BYTES + 1];
} client;

static client clients[MOST_CLIENTS];
static struct pollfd polls[MOST_CLIENTS];
static double samples[MOST_SAMPLES];
static size_t sample_count;
static int64_t period_us, skip, message_count, byte_count, resyncs;

static int connect_to(uint16_t port) {
  char text[512];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) bench_die("the server does not answer");
  int length = snprintf(text, sizeof text,
      "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nOrigin: http://127.0.0.1:%u\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      port, port);
  if (write(fd, text, (size_t)length) != length) bench_die("the server does not read");
  size_t used = 0;
  while (used < sizeof text - 1 && (used < 4 || memcmp(text + used - 4, "\r\n\r\n", 4) != 0)) {
    if (read(fd, text + used, 1) != 1) bench_die("the server closed during the handshake");
    used++;
  }
  text[used] = '\0';
  if (strncmp(text, "HTTP/1.1 101", 12) != 0) bench_die(text);
  return fd;
}

static int64_t field(const char *json, const char *name) {
  const char *at = strstr(json, name);
  return at == NULL ? -1 : strtoll(at + strlen(name), NULL, 10);
}

static void message(client *c, char *json, int64_t now) {
  message_count++;
  if (strstr(json, "\"resync\"") != NULL) resyncs++;
  if (strstr(json, "\"metrics_update\"") == NULL) return;
  const char *points = strstr(json, "\"points\":");
  int64_t time = points == NULL ? -1 : field(points, "\"time\":"), count = points == NULL ? -1 : field(points, "\"count\":");
  if (time < 0 || count < 1) return;
  if (c->seen++ < skip || sample_count == MOST_SAMPLES) return;
  samples[sample_count++] = (double)(now - time + (count - 1) * period_us) / 1e3;
}

/* Takes whole frames off the front. A server's frames are not masked; each of ours is one message. */
static void frames(client *c, int64_t now) {
  for (;;) {
    size_t header = 2, size = c->used < 2 ? 0 : c->bytes[1] & 127u;
    if (c->used < 2) return;
    if (size == 126) header = 4;
    if (size == 127) header = 10;
    if (c->used < header) return;
    if (header > 2) size = 0;
    for (size_t i = 2; i < header; i++) size = size << 8 | c->bytes[i];
    if (size > MOST_BYTES - header) bench_die("a message is longer than a mebibyte");
    if (c->used < header + size) return;
    unsigned char after = c->bytes[header + size];
    c->bytes[header + size] = '\0';
    if ((c->bytes[0] & 15) == 1) message(c, (char *)c->bytes + header, now);
    if ((c->bytes[0] & 0x80) == 0) bench_die("a message in several frames");
    c->bytes[header + size] = after;
    c->used -= header + size;
    memmove(c->bytes, c->bytes + header + size, c->used);
  }
}

int bench_client(char **arguments) {
  int64_t port = bench_number(arguments[0]), count = bench_number(arguments[1]), seconds = bench_number(arguments[2]);
  period_us = bench_number(arguments[3]);
  skip = bench_number(arguments[4]);
  if (count < 1 || count > MOST_CLIENTS) bench_die("1 to 50 clients");
  for (int64_t i = 0; i < count; i++) polls[i] = (struct pollfd){.fd = connect_to((uint16_t)port), .events = POLLIN};
  printf("connected %d\n", (int)count);
  fflush(stdout);
  for (double end = bench_seconds() + (double)seconds; bench_seconds() < end;) {
    if (poll(polls, (nfds_t)count, 100) <= 0) continue;
    for (int64_t i = 0; i < count; i++) {
      client *c = &clients[i];
      if (polls[i].revents == 0) continue;
      ssize_t got = recv(polls[i].fd, c->bytes + c->used, MOST_BYTES - c->used, MSG_DONTWAIT);
      if (got <= 0) bench_die("the server closed a connection");
      c->used += (size_t)got;
      byte_count += got;
      frames(c, bench_now_us());
    }
  }
  if (sample_count == 0) bench_die("no points came");
  bench_print("p50", bench_median(samples, sample_count));
  bench_print("p99", samples[sample_count - 1 - sample_count / 100]);
  bench_print("worst", samples[sample_count - 1]);
  bench_print("samples", (double)sample_count);
  bench_print("messages", (double)message_count);
  bench_print("bytes", (double)byte_count);
  bench_print("resyncs", (double)resyncs);
  return 0;
}
