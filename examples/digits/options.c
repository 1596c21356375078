/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* Reading the arguments of the program. */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EPOCHS_MAX 1000000
#define BATCH_MAX 65536
#define HIDDEN_MAX 8192
#define COPIES_MAX 10000
#define RATE_MAX 100.0

static bool bad(const char *option, const char *found, const char *expected) {
  fprintf(stderr, "trainmon-digits: %s: found \"%s\", expected %s\n", option, found, expected);
  return false;
}

/* Reads a whole number that ends at `end_mark` or the end of the text. NULL when there is none within the limits, else where it ended. */
static const char *read_whole(uint64_t *out, const char *text, uint64_t least, uint64_t most, char end_mark) {
  char *end = NULL;
  errno = 0;
  /* strtoull takes a sign and blanks, and turns -1 into a huge number. */
  if (*text < '0' || *text > '9') return NULL;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno != 0 || (*end != '\0' && *end != end_mark) || value < least || value > most) return NULL;
  *out = value;
  return end;
}

static bool take_count(size_t *out, const char *option, const char *text, uint64_t least, uint64_t most) {
  char expected[96];
  uint64_t value = 0;
  if (read_whole(&value, text, least, most, '\0') == NULL) {
    snprintf(expected, sizeof(expected), "a whole number from %llu to %llu", (unsigned long long)least, (unsigned long long)most);
    return bad(option, text, expected);
  }
  *out = (size_t)value;
  return true;
}

static bool take_seed(uint64_t *out, const char *option, const char *text) {
  if (read_whole(out, text, 0, UINT64_MAX, '\0') == NULL) return bad(option, text, "a whole number from 0 to 18446744073709551615");
  return true;
}

static bool take_real(double *out, const char *text) {
  char *end = NULL;
  errno = 0;
  *out = strtod(text, &end);
  return errno == 0 && end != text && *end == '\0' && isfinite(*out);
}

static bool take_rate(options *out, const char *option, const char *text) {
  double value = 0;
  if (!take_real(&value, text) || value <= 0 || value > RATE_MAX) return bad(option, text, "a number above 0, at most 100");
  out->rate = value;
  return true;
}

static bool take_momentum(options *out, const char *option, const char *text) {
  double value = 0;
  if (!take_real(&value, text) || value < 0 || value >= 1) return bad(option, text, "a number from 0 to below 1");
  out->momentum = value;
  return true;
}

static bool take_hidden(options *out, const char *option, const char *text) {
  const char *at = text;
  uint64_t units = 0;
  size_t count = 0;
  for (;;) {
    at = count < NETWORK_HIDDEN_MAX ? read_whole(&units, at, 1, HIDDEN_MAX, ',') : NULL;
    if (at == NULL) return bad(option, text, "1 to 4 layers such as 128 or 256,128, each of 1 to 8192 units");
    out->hidden[count++] = (size_t)units;
    if (*at == '\0') break;
    at++;
  }
  out->hidden_count = count;
  return true;
}

static bool take_text(const char **out, const char *option, const char *text) {
  if (*text == '\0') return bad(option, text, "some text");
  *out = text;
  return true;
}

static bool take(options *out, const char *option, const char *value, bool *known) {
  if (strcmp(option, "--epochs") == 0) return take_count(&out->epochs, option, value, 1, EPOCHS_MAX);
  if (strcmp(option, "--batch") == 0) return take_count(&out->batch, option, value, 1, BATCH_MAX);
  if (strcmp(option, "--copies") == 0) return take_count(&out->copies, option, value, 0, COPIES_MAX);
  if (strcmp(option, "--hidden") == 0) return take_hidden(out, option, value);
  if (strcmp(option, "--rate") == 0) return take_rate(out, option, value);
  if (strcmp(option, "--momentum") == 0) return take_momentum(out, option, value);
  if (strcmp(option, "--seed") == 0) return take_seed(&out->seed, option, value);
  if (strcmp(option, "--store") == 0) return take_text(&out->store, option, value);
  if (strcmp(option, "--data") == 0) return take_text(&out->data, option, value);
  if (strcmp(option, "--name") == 0) return take_text(&out->name, option, value);
  *known = false;
  return false;
}

bool options_parse(options *out, int argc, char **argv) {
  *out = (options){.data = DIGITS_DATA,
      .store = "./trainmon",
      .epochs = 30,
      .batch = 32,
      .hidden = {128},
      .hidden_count = 1,
      .copies = 4,
      .seed = 1,
      .rate = 0.05,
      .momentum = 0.9};
  for (int i = 1; i < argc; i++) {
    char option[32];
    const char *equals = strchr(argv[i], '=');
    size_t length = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
    bool known = true;
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
      out->help = true;
      return true;
    }
    if (strcmp(argv[i], "--quiet") == 0) {
      out->quiet = true;
      continue;
    }
    snprintf(option, sizeof(option), "%.*s", length < sizeof(option) ? (int)length : 0, argv[i]);
    const char *value = equals != NULL ? equals + 1 : argv[i + 1];
    if (!take(out, option, value != NULL ? value : "", &known)) {
      if (!known) fprintf(stderr, "trainmon-digits: unknown argument \"%s\"; --help lists them\n", argv[i]);
      return false;
    }
    i += equals != NULL ? 0 : 1;
  }
  return true;
}

void options_help(FILE *to) {
  fputs("Usage: trainmon-digits [options]\n"
        "Trains a multilayer perceptron on handwritten digits and records the training with libtrainmon.\n"
        "\n"
        "  --epochs N     passes over the training images (30)\n"
        "  --batch N      images a step (32)\n"
        "  --rate X       highest learning rate; it falls along a cosine (0.05)\n"
        "  --momentum X   0 for plain gradient descent (0.9)\n"
        "  --hidden N[,N] units of the hidden layers (128)\n"
        "  --copies N     shifted and rotated copies of each training image (4)\n"
        "  --seed N       of weights, order and copies (1)\n"
        "  --data PATH    CSV of the UCI digits, or a folder of IDX files as of MNIST, plain or .gz\n"
        "  --store DIR    where the history of trainings is kept (./trainmon)\n"
        "  --name TEXT    name of this training\n"
        "  --quiet        no output but warnings and errors\n"
        "  --help         this text\n"
        "\n"
        "Ctrl-C ends the training as cancelled. Pause and stop on the dashboard are obeyed after each batch.\n",
      to);
}
