/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* trainmon-bench NAME [ARGUMENT…]: one measurement, printed as lines of `key value`. tests/bench/run calls it. */
#include "common.h"

#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  int (*run)(char **arguments);
} benches[] = {
    {"log", bench_log},
    {"drain", bench_drain},
    {"disk", bench_disk},
    {"write", bench_write},
    {"fill", bench_fill},
    {"query", bench_query},
    {"peer-fill", bench_peer_fill},
    {"peer-query", bench_peer_query},
    {"live", bench_live},
    {"exit", bench_exit},
    {"client", bench_client},
    {"sessions-fill", bench_sessions_fill},
    {"sessions-group", bench_sessions_group},
};

int main(int count, char **arguments) {
  for (size_t i = 0; count > 1 && i < sizeof benches / sizeof *benches; i++)
    if (strcmp(arguments[1], benches[i].name) == 0) return benches[i].run(arguments + 2);
  fprintf(stderr, "usage: trainmon-bench NAME [ARGUMENT...], with NAME one of:");
  for (size_t i = 0; i < sizeof benches / sizeof *benches; i++) fprintf(stderr, " %s", benches[i].name);
  fprintf(stderr, "\n");
  return 2;
}
