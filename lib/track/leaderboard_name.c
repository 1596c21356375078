/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Which way a metric is better, told from its name. */
#include "track/bests.h"

#include <string.h>

/* Anywhere in the name. */
static const char *const parts[] = {"loss", "error", "perplexity", "entropy", "latency", "duration", "divergence", "distance", "time", "memory"};

/* A word of the name: what stands between characters that are no letters and no digits. */
static const char *const words[] = {
    "err", "ppl", "nll", "mae", "mse", "rmse", "mape", "smape", "wer", "cer", "eer", "ter", "fid", "kid", "ece", "bce", "brier", "kl", "ms", "seconds"};

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }
static bool is_word(char c) { return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9'); }

static bool begins(const char *text, const char *with) {
  while (*with != '\0' && lower(*text) == *with) {
    text++;
    with++;
  }
  return *with == '\0';
}

bool tmon_metric_is_better_low(const char *name) {
  for (const char *at = name; *at != '\0'; at++) {
    bool starts = at == name || !is_word(at[-1]);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
      if (begins(at, parts[i])) return true;
    }
    for (size_t i = 0; starts && i < sizeof words / sizeof *words; i++) {
      if (begins(at, words[i]) && !is_word(at[strlen(words[i])])) return true;
    }
  }
  return false;
}
