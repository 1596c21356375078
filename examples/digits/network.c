/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The multilayer perceptron: forward, backward, update. */
/*
 * All parameters stand in one array, layer after layer: the weights as [input][output], then the biases. With outputs as the inner index the
 * loops of forward pass and weight gradient have no dependency between iterations, so that compilers turn them into vector code without
 * reordering sums. Zero inputs are skipped: pixels and ReLU outputs are zero about half of the time.
 */
#include "network.h"

#include "random.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS_MAX (NETWORK_HIDDEN_MAX + 1)
#define WIDTH_MAX ((size_t)1 << 20)
#define SUM_LANES 16

typedef struct layer {
  size_t inputs;
  size_t outputs;
  size_t weights; /* offset into the parameters */
  size_t biases;
  network_real *values; /* [batch][outputs] after the activation */
  network_real *deltas; /* [batch][outputs]: derivative of the loss by the value before the activation */
} layer;

struct network {
  layer layers[LAYERS_MAX];
  size_t layer_count;
  size_t parameter_count;
  network_real *parameters;
  network_real *gradient;
  network_real *velocity;
};

static bool shape_layers(network *net, const network_shape *shape) {
  size_t inputs = shape->inputs;
  if (shape->hidden_count > NETWORK_HIDDEN_MAX || shape->batch == 0 || shape->batch > WIDTH_MAX) return false;
  net->layer_count = shape->hidden_count + 1;
  for (size_t index = 0; index < net->layer_count; index++) {
    size_t outputs = index < shape->hidden_count ? shape->hidden[index] : shape->classes;
    if (inputs == 0 || outputs == 0 || inputs > WIDTH_MAX || outputs > WIDTH_MAX || inputs > SIZE_MAX / 64 / outputs) return false;
    layer *at = &net->layers[index];
    at->inputs = inputs;
    at->outputs = outputs;
    at->weights = net->parameter_count;
    at->biases = at->weights + inputs * outputs;
    net->parameter_count = at->biases + outputs;
    inputs = outputs;
  }
  return true;
}

static void randomise(network *net, uint64_t seed) {
  random_state random = {seed};
  for (size_t index = 0; index < net->layer_count; index++) {
    const layer *at = &net->layers[index];
    double deviation = sqrt(2.0 / (double)at->inputs);
    for (size_t i = 0; i < at->inputs * at->outputs; i++) net->parameters[at->weights + i] = (network_real)(deviation * random_normal(&random));
  }
}

network *network_create(const network_shape *shape, uint64_t seed) {
  network *net = calloc(1, sizeof(*net));
  if (net == NULL || !shape_layers(net, shape)) goto fail;
  net->parameters = calloc(net->parameter_count, sizeof(network_real));
  net->gradient = calloc(net->parameter_count, sizeof(network_real));
  net->velocity = calloc(net->parameter_count, sizeof(network_real));
  if (net->parameters == NULL || net->gradient == NULL || net->velocity == NULL) goto fail;
  for (size_t index = 0; index < net->layer_count; index++) {
    layer *at = &net->layers[index];
    at->values = calloc(shape->batch * at->outputs, sizeof(network_real));
    at->deltas = calloc(shape->batch * at->outputs, sizeof(network_real));
    if (at->values == NULL || at->deltas == NULL) goto fail;
  }
  randomise(net, seed);
  return net;
fail:
  network_free(net);
  return NULL;
}

void network_free(network *net) {
  if (net == NULL) return;
  for (size_t index = 0; index < net->layer_count && index < LAYERS_MAX; index++) {
    free(net->layers[index].deltas);
    free(net->layers[index].values);
  }
  free(net->velocity);
  free(net->gradient);
  free(net->parameters);
  free(net);
}

static void add_scaled(network_real *restrict sum, const network_real *restrict values, network_real factor, size_t count) {
  for (size_t i = 0; i < count; i++) sum[i] += factor * values[i];
}

/* Separate partial sums let the compiler use vectors, which it may not do for one running sum. */
static network_real dot(const network_real *restrict a, const network_real *restrict b, size_t count) {
  network_real partial[SUM_LANES] = {0};
  network_real sum = 0;
  size_t i = 0;
  for (; i + SUM_LANES <= count; i += SUM_LANES)
    for (size_t lane = 0; lane < SUM_LANES; lane++) partial[lane] += a[i + lane] * b[i + lane];
  for (; i < count; i++) sum += a[i] * b[i];
  for (size_t lane = 0; lane < SUM_LANES; lane++) sum += partial[lane];
  return sum;
}

static void forward_layer(const network *net, const layer *at, const network_real *inputs, size_t count, bool hidden) {
  for (size_t image = 0; image < count; image++) {
    const network_real *in = inputs + image * at->inputs;
    network_real *out = at->values + image * at->outputs;
    memcpy(out, net->parameters + at->biases, at->outputs * sizeof(*out));
    for (size_t i = 0; i < at->inputs; i++)
      if (in[i] != 0) add_scaled(out, net->parameters + at->weights + i * at->outputs, in[i], at->outputs);
    for (size_t o = 0; hidden && o < at->outputs; o++) out[o] = out[o] > 0 ? out[o] : 0;
  }
}

/* Turns one row of logits into the derivative of the mean loss by them; returns the row's loss. The maximum is taken off first, so that
 * exp can't overflow. */
static double softmax_row(const network_real *logits, network_real *deltas, size_t classes, size_t label, size_t count, bool *right) {
  size_t best = 0;
  double sum = 0;
  for (size_t c = 1; c < classes; c++)
    if (logits[c] > logits[best]) best = c;
  for (size_t c = 0; c < classes; c++) sum += exp((double)logits[c] - (double)logits[best]);
  for (size_t c = 0; c < classes; c++) {
    double probability = exp((double)logits[c] - (double)logits[best]) / sum;
    deltas[c] = (network_real)((probability - (c == label ? 1.0 : 0.0)) / (double)count);
  }
  *right = best == label;
  return log(sum) - ((double)logits[label] - (double)logits[best]);
}

double network_evaluate(network *net, const network_real *images, const uint8_t *labels, size_t count, size_t *correct) {
  const layer *last = &net->layers[net->layer_count - 1];
  double loss = 0;
  *correct = 0;
  if (count == 0) return 0;
  for (size_t index = 0; index < net->layer_count; index++) {
    const layer *at = &net->layers[index];
    forward_layer(net, at, index == 0 ? images : net->layers[index - 1].values, count, at != last);
  }
  for (size_t image = 0; image < count; image++) {
    bool right = false;
    size_t row = image * last->outputs;
    loss += softmax_row(last->values + row, last->deltas + row, last->outputs, labels[image], count, &right);
    *correct += right ? 1 : 0;
  }
  return loss / (double)count;
}

size_t network_prediction(const network *net, size_t image, double *probability) {
  const layer *last = &net->layers[net->layer_count - 1];
  const network_real *logits = last->values + image * last->outputs;
  size_t best = 0;
  double sum = 0;
  for (size_t c = 1; c < last->outputs; c++) {
    if (logits[c] > logits[best]) best = c;
  }
  for (size_t c = 0; c < last->outputs; c++) sum += exp((double)logits[c] - (double)logits[best]);
  *probability = 1 / sum;
  return best;
}

static void backward_layer(network *net, const layer *at, const network_real *inputs, size_t count, network_real *below) {
  const network_real *weights = net->parameters + at->weights;
  for (size_t image = 0; image < count; image++) {
    const network_real *in = inputs + image * at->inputs;
    const network_real *delta = at->deltas + image * at->outputs;
    add_scaled(net->gradient + at->biases, delta, 1, at->outputs);
    for (size_t i = 0; i < at->inputs; i++) {
      if (in[i] != 0) add_scaled(net->gradient + at->weights + i * at->outputs, delta, in[i], at->outputs);
      /* A ReLU that gave 0 passes no derivative on. */
      if (below != NULL) below[image * at->inputs + i] = in[i] > 0 ? dot(weights + i * at->outputs, delta, at->outputs) : 0;
    }
  }
}

double network_gradient(network *net, const network_real *images, const uint8_t *labels, size_t count, size_t *correct) {
  double loss = network_evaluate(net, images, labels, count, correct);
  memset(net->gradient, 0, net->parameter_count * sizeof(*net->gradient));
  for (size_t index = net->layer_count; index-- > 0;) {
    bool first = index == 0;
    backward_layer(net, &net->layers[index], first ? images : net->layers[index - 1].values, count, first ? NULL : net->layers[index - 1].deltas);
  }
  return loss;
}

void network_update(network *net, double rate, double momentum) {
  network_real *restrict parameters = net->parameters;
  network_real *restrict velocity = net->velocity;
  const network_real *restrict gradient = net->gradient;
  network_real down = (network_real)-rate;
  network_real keep = (network_real)momentum;
  for (size_t i = 0; i < net->parameter_count; i++) {
    velocity[i] = keep * velocity[i] + down * gradient[i];
    parameters[i] += velocity[i];
  }
}

network_real *network_parameters(network *net, size_t *count) {
  *count = net->parameter_count;
  return net->parameters;
}

const network_real *network_gradient_values(const network *net) { return net->gradient; }
