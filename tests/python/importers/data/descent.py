# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A training for the larger files: logistic regression by gradient descent in numpy, 1,200 steps, the same rows each time."""

import numpy as np


def descent():
    """Gives a row of metrics for each step: some in each, some in every tenth, one that is NaN now and then."""
    random = np.random.default_rng(7)
    x, direction, weights = random.normal(size=(300, 5)), random.normal(size=5), np.zeros(5)
    y = (x @ direction + random.normal(size=300) > 0).astype(float)
    for step in range(1200):
        batch = random.integers(0, 200, 16)
        called = 1 / (1 + np.exp(-x @ weights))
        gradient = x[batch].T @ (called - y)[batch] / len(batch)
        weights -= 0.05 * gradient
        losses = -np.log(np.where(y > 0, called, 1 - called))
        row = {"train/loss": losses[batch].mean(), "train/acc": ((called > 0.5) == y)[batch].mean(), "grad/norm": np.linalg.norm(gradient)}
        if step % 10 == 9:
            row |= {"val/loss": losses[200:].mean(), "val/acc": ((called > 0.5) == y)[200:].mean()}
        if step % 50 == 0:
            row["odd"] = float("nan") if step % 100 else float(step)
        yield {name: round(float(value), 4) for name, value in row.items()}
