/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Clocks and randomness, the only way to both; tests replace them. */
#ifndef TRAINMON_UTIL_CLOCK_H
#define TRAINMON_UTIL_CLOCK_H
#include <stddef.h>
#include <stdint.h>

int64_t tmon_clock_now_us(void); /* wall clock, microseconds since 1970 */
int64_t tmon_clock_monotonic_us(void);
void tmon_clock_sleep_us(int64_t duration_us);
int tmon_random_bytes(void *out, size_t size);
void tmon_clock_replace(int64_t (*now_us)(void)); /* tests only; NULL restores */
#define TMON_ID_BYTES 37
int tmon_id_make(char out[TMON_ID_BYTES]); /* random UUID text, lower case */
int tmon_id_is_valid(const char *text);    /* 1 when it is UUID text */
int tmon_id_parse(uint8_t out[16], const char *text);
void tmon_id_format(char out[TMON_ID_BYTES], const uint8_t id[16]);
#endif
