/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the measurements share: clocks, a random source that repeats, and an end to the run at the first error. */
#ifndef TRAINMON_TESTS_BENCH_COMMON_H
#define TRAINMON_TESTS_BENCH_COMMON_H

#include "trainmon/trainmon.h"

#include <stddef.h>
#include <stdint.h>

#define BENCH_BURST 40000 /* points that fit into half of the default ring */

/* What a series looks like. */
typedef enum bench_kind { BENCH_LOSS, BENCH_RATE, BENCH_ACCURACY, BENCH_CONSTANT } bench_kind;

double bench_seconds(void);        /* monotonic */
double bench_thread_seconds(void); /* of the processor, this thread */
int64_t bench_now_us(void);
double bench_random(void); /* 0..1, the same row in each run */
double bench_median(double *values, size_t count);
/* Point `i` of a training that takes about 10 ms a step, as a clock would have measured it. */
void bench_point(bench_kind kind, int64_t i, int64_t *time, double *value);
void bench_check(int code, const char *what); /* ends the program unless `code` is TMON_OK */
void bench_die(const char *what);
int64_t bench_number(const char *text);
void bench_print(const char *key, double value);
/* A store in `folder` and a session in it that nothing drains but tmon_session_flush. */
void bench_open(tmon_store **store, tmon_session **session, const char *folder);
void bench_close(tmon_store *store, tmon_session *session);

int bench_log(char **arguments);
int bench_drain(char **arguments);
int bench_disk(char **arguments);
int bench_write(char **arguments);
int bench_fill(char **arguments);
int bench_query(char **arguments);
int bench_peer_fill(char **arguments);
int bench_peer_query(char **arguments);
int bench_live(char **arguments);
int bench_exit(char **arguments);
int bench_client(char **arguments);
int bench_sessions_fill(char **arguments);
int bench_sessions_group(char **arguments);

#endif
