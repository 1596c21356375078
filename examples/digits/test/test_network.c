/* SPDX-License-Identifier: MIT */
/* SPDX-FileCopyrightText: libtrainmon contributors */
/* The network's gradient against numerical differentiation, its loss against a closed form, and its update. */
#include "network.h"
#include "random.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define INPUTS 7
#define CLASSES 4
#define BATCH 5

static network_real images[BATCH * INPUTS];
static const uint8_t labels[BATCH] = {0, 1, 2, 3, 1};

static void fill_images(void) {
  random_state random = {11};
  for (size_t i = 0; i < BATCH * INPUTS; i++) images[i] = i % 5 == 0 ? 0 : random_normal(&random);
}

/* The widths lie on both sides of the vector loop's length, and the last one is no multiple of it. */
static network *make(size_t hidden_count) {
  network_shape shape = {.inputs = INPUTS, .hidden = {19, 6}, .hidden_count = hidden_count, .classes = CLASSES, .batch = BATCH};
  network *net = network_create(&shape, 3);
  ck_assert_ptr_nonnull(net);
  fill_images();
  return net;
}

START_TEST(gradient_equals_central_differences) {
  const double width = 1e-6;
  network *net = make((size_t)_i);
  size_t correct = 0;
  size_t count = 0;
  size_t moved = 0;
  network_gradient(net, images, labels, BATCH, &correct);
  network_real *parameters = network_parameters(net, &count);
  const network_real *gradient = network_gradient_values(net);
  for (size_t i = 0; i < count; i++) {
    double kept = parameters[i];
    parameters[i] = kept + width;
    double above = network_evaluate(net, images, labels, BATCH, &correct);
    parameters[i] = kept - width;
    double below = network_evaluate(net, images, labels, BATCH, &correct);
    parameters[i] = kept;
    ck_assert_double_eq_tol(gradient[i], (above - below) / (2 * width), 1e-7);
    moved += fabs(gradient[i]) > 1e-4 ? 1 : 0;
  }
  /* Guards against a network that is dead, in which all gradients would agree at 0. */
  ck_assert_uint_gt(moved, count / 3);
  network_free(net);
}
END_TEST

START_TEST(equal_logits_cost_the_logarithm_of_the_classes) {
  network *net = make(1);
  size_t count = 0;
  size_t correct = 0;
  network_real *parameters = network_parameters(net, &count);
  for (size_t i = 0; i < count; i++) parameters[i] = 0;
  ck_assert_double_eq_tol(network_evaluate(net, images, labels, BATCH, &correct), log(CLASSES), 1e-12);
  ck_assert_uint_eq(correct, 1);
  network_free(net);
}
END_TEST

START_TEST(huge_logits_stay_finite) {
  network *net = make(0);
  size_t count = 0;
  size_t correct = 0;
  network_real *parameters = network_parameters(net, &count);
  for (size_t i = 0; i < count; i++) parameters[i] = (i % 2 == 0 ? 1 : -1) * 1e6;
  ck_assert(isfinite(network_gradient(net, images, labels, BATCH, &correct)));
  network_free(net);
}
END_TEST

START_TEST(momentum_adds_up_by_hand) {
  network *net = make(0);
  size_t count = 0;
  size_t correct = 0;
  network_gradient(net, images, labels, BATCH, &correct);
  network_real *parameters = network_parameters(net, &count);
  double before = parameters[1];
  double slope = network_gradient_values(net)[1];
  network_update(net, 0.1, 0.5);
  ck_assert_double_eq_tol(parameters[1], before - 0.1 * slope, 1e-12);
  /* The same gradient again: the second step is 1 + 0.5 times the first. */
  network_update(net, 0.1, 0.5);
  ck_assert_double_eq_tol(parameters[1], before - 0.1 * slope * 2.5, 1e-12);
  network_free(net);
}
END_TEST

START_TEST(descent_learns_the_batch) {
  network *net = make(2);
  size_t correct = 0;
  for (int i = 0; i < 500; i++) {
    network_gradient(net, images, labels, BATCH, &correct);
    network_update(net, 0.05, 0.9);
  }
  ck_assert_double_lt(network_evaluate(net, images, labels, BATCH, &correct), 0.01);
  ck_assert_uint_eq(correct, BATCH);
  network_free(net);
}
END_TEST

START_TEST(impossible_shapes_are_refused) {
  network_shape shape = {.inputs = 0, .classes = CLASSES, .batch = BATCH};
  ck_assert_ptr_null(network_create(&shape, 1));
  shape.inputs = SIZE_MAX / 2;
  ck_assert_ptr_null(network_create(&shape, 1));
  shape.inputs = INPUTS;
  shape.hidden_count = NETWORK_HIDDEN_MAX + 1;
  ck_assert_ptr_null(network_create(&shape, 1));
  network_free(NULL);
}
END_TEST

int main(void) {
  Suite *suite = suite_create("digits/network");
  TCase *cases = tcase_create("network");
  tcase_set_timeout(cases, 60); /* a busy machine may stand still for the 4 s of the default */
  tcase_add_loop_test(cases, gradient_equals_central_differences, 0, 3);
  tcase_add_test(cases, equal_logits_cost_the_logarithm_of_the_classes);
  tcase_add_test(cases, huge_logits_stay_finite);
  tcase_add_test(cases, momentum_adds_up_by_hand);
  tcase_add_test(cases, descent_learns_the_batch);
  tcase_add_test(cases, impossible_shapes_are_refused);
  suite_add_tcase(suite, cases);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_ENV);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
