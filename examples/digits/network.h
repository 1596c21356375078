/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* A multilayer perceptron: ReLU layers, softmax with cross-entropy, stochastic gradient descent with momentum. */
#ifndef DIGITS_NETWORK_H
#define DIGITS_NETWORK_H

#include <stddef.h>
#include <stdint.h>

/* The gradient test compiles the same code with double, because numerical differentiation needs the precision. */
#ifndef NETWORK_REAL
#define NETWORK_REAL float
#endif
typedef NETWORK_REAL network_real;

#define NETWORK_HIDDEN_MAX 4

/** A network together with the memory that one batch needs. */
typedef struct network network;

/** The shape of a network. */
typedef struct network_shape {
  size_t inputs;
  size_t hidden[NETWORK_HIDDEN_MAX]; /**< units of each hidden layer */
  size_t hidden_count;               /**< 0 gives softmax regression */
  size_t classes;
  size_t batch; /**< the most images a call is given */
} network_shape;

/** Makes a network with random weights (He et al., 2015). NULL: no memory, or a shape that is too large or empty. */
network *network_create(const network_shape *shape, uint64_t seed);

/** Frees the network. NULL is fine. */
void network_free(network *net);

/**
 * Computes loss and gradient of `count` images. `images` has `count` * inputs values, `labels` `count` classes.
 * `correct` receives how many images were classified rightly. Returns the mean cross-entropy.
 */
double network_gradient(network *net, const network_real *images, const uint8_t *labels, size_t count, size_t *correct);

/** Computes the loss alone; otherwise as network_gradient. */
double network_evaluate(network *net, const network_real *images, const uint8_t *labels, size_t count, size_t *correct);

/** Returns the class that the latest batch's image `image` was taken for; `probability` receives how sure the network was. */
size_t network_prediction(const network *net, size_t image, double *probability);

/** Moves the parameters against the latest gradient. `momentum` 0 is plain gradient descent. */
void network_update(network *net, double rate, double momentum);

/** Returns all parameters, borrowed until the network is freed; `count` receives their number. */
network_real *network_parameters(network *net, size_t *count);

/** Returns the latest gradient in the order of the parameters, borrowed. */
const network_real *network_gradient_values(const network *net);

#endif
