/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* What the person at the terminal sees. */
#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_CELLS 24
#define DRAW_SECONDS 0.1

double progress_clock(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void progress_begin(progress *out, bool quiet, size_t epochs, size_t batches) {
  const char *no_colour = getenv("NO_COLOR");
  const char *terminal = getenv("TERM");
  bool capable = isatty(STDOUT_FILENO) == 1 && (terminal == NULL || strcmp(terminal, "dumb") != 0);
  *out = (progress){.quiet = quiet, .bar = capable, .colour = capable && (no_colour == NULL || *no_colour == '\0'), .epochs = epochs, .batches = batches};
  out->started = progress_clock();
}

static const char *paint(const progress *of, const char *code) { return of->colour ? code : ""; }

void progress_clear(progress *of) {
  if (of->quiet || !of->bar) return;
  fputs("\r\033[K", stdout);
  fflush(stdout);
}

void progress_draw(progress *of, size_t epoch, size_t batch, double loss, double paused_seconds) {
  double now = progress_clock();
  if (of->quiet || !of->bar || now - of->drawn < DRAW_SECONDS) return;
  of->drawn = now;
  char cells[BAR_CELLS + 1];
  double done = ((double)epoch + (double)batch / (double)of->batches) / (double)of->epochs;
  double left = done > 0 ? (now - of->started - paused_seconds) * (1 - done) / done : 0;
  for (size_t i = 0; i < BAR_CELLS; i++) cells[i] = (double)i < done * BAR_CELLS ? '#' : '.';
  cells[BAR_CELLS] = '\0';
  printf("\r%s[%s]%s %3.0f %%  epoch %zu/%zu  loss %.4f  %02.0f:%02.0f left\033[K", paint(of, "\033[36m"), cells, paint(of, "\033[0m"), done * 100,
      epoch + 1, of->epochs, loss, (double)((long)left / 60), (double)((long)left % 60));
  fflush(stdout);
}

void progress_paused(progress *of) {
  if (of->quiet) return;
  progress_clear(of);
  printf("%spaused%s: waiting until someone resumes or stops it%s", paint(of, "\033[33m"), paint(of, "\033[0m"), of->bar ? "" : "\n");
  fflush(stdout);
}

void progress_epoch(progress *of, size_t epoch, const epoch_result *result) {
  if (of->quiet) return;
  progress_clear(of);
  printf("epoch %zu/%zu  train loss %.4f accuracy %.2f %%  validation loss %.4f accuracy %s%.2f %%%s  %.1f s\n", epoch + 1, of->epochs, result->train_loss,
      result->train_accuracy * 100, result->validation_loss, paint(of, "\033[32m"), result->validation_accuracy * 100, paint(of, "\033[0m"),
      result->seconds);
  fflush(stdout);
}
