/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* trainmon-digits: trains a small network on handwritten digits and records the training. */
#define _POSIX_C_SOURCE 200809L
#include "augment.h"
#include "dataset.h"
#include "monitor.h"
#include "options.h"
#include "trainer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static volatile sig_atomic_t signalled;

static void on_signal(int number) { signalled = number; }

/* A second signal ends the program at once, should the first not be enough. */
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
}

/* Ends the session as the training ended, says so, and returns the exit status. */
static int conclude(trainer_end end, double accuracy, monitor *watch, const options *chosen) {
  const char *told = NULL;
  int status = EXIT_SUCCESS;
  switch (end) {
  case TRAINER_COMPLETED:
    monitor_close(watch, TMON_STATUS_COMPLETED, NULL);
    if (!chosen->quiet) printf("completed: %.2f %% of the validation images are recognised\n", accuracy * 100);
    break;
  case TRAINER_STOPPED:
    monitor_close(watch, TMON_STATUS_CANCELLED, NULL);
    told = "stopped on request";
    break;
  case TRAINER_SIGNALLED:
    monitor_close(watch, TMON_STATUS_CANCELLED, NULL);
    told = "cancelled";
    status = 128 + (int)signalled;
    break;
  case TRAINER_DIVERGED:
    monitor_close(watch, TMON_STATUS_FAILED, "the loss is not a number any more: the learning rate is too high");
    fprintf(stderr, "trainmon-digits: the loss is not a number any more; a lower --rate than %g would help\n", chosen->rate);
    status = EXIT_FAILURE;
    break;
  case TRAINER_NO_MEMORY:
    monitor_close(watch, TMON_STATUS_FAILED, "no memory for the network");
    fprintf(stderr, "trainmon-digits: no memory for the network\n");
    status = EXIT_FAILURE;
    break;
  }
  if (told != NULL && !chosen->quiet) printf("%s\n", told);
  return status;
}

int main(int argc, char **argv) {
  static char error[DATASET_ERROR_SIZE];
  options chosen;
  dataset data;
  monitor watch;
  double accuracy = -1;
  if (!options_parse(&chosen, argc, argv)) return 2;
  if (chosen.help) {
    options_help(stdout);
    return EXIT_SUCCESS;
  }
  catch_signals();
  if (!dataset_read(&data, chosen.data, error)) {
    fprintf(stderr, "trainmon-digits: --data %s\n", error);
    return EXIT_FAILURE;
  }
  if (!augment(&data.train, chosen.copies, chosen.seed, error)) {
    fprintf(stderr, "trainmon-digits: %s\n", error);
    dataset_free(&data);
    return EXIT_FAILURE;
  }
  if (!chosen.quiet)
    printf("%s: %zu training images, %zu validation images of %zu x %zu, %zu classes\n", data.name, data.train.count, data.validation.count,
        data.train.rows, data.train.columns, data.classes);
  fflush(stdout);
  monitor_open(&watch, &chosen, &data);
  trainer_end end = trainer_run(&accuracy, &chosen, &data, &watch, &signalled);
  int status = conclude(end, accuracy, &watch, &chosen);
  dataset_free(&data);
  return status;
}
