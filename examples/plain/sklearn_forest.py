# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A random forest of scikit-learn that records itself while it grows, ten trees a round. usage: sklearn_forest.py [ROUNDS]"""

import sys
import time

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from sklearn.model_selection import train_test_split

import trainmon

TREES = 10

data = load_digits()
x_train, x_val, y_train, y_val = train_test_split(data.data, data.target, test_size=0.2, random_state=1, stratify=data.target)
rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
forest = RandomForestClassifier(n_estimators=0, warm_start=True, random_state=1)

with trainmon.init(project="plain", name="sklearn-forest", config=forest.get_params(), model_type="random-forest", dataset_name="digits",
                   dataset_size=len(x_train), epochs=rounds) as run:
    for grown in range(1, rounds + 1):
        if run.wait_while_paused():  # waits while people want a pause, true when they want it to stop
            run.finish(status="cancelled")
            break
        began = time.monotonic()
        forest.set_params(n_estimators=grown * TREES).fit(x_train, y_train)  # warm start: only the new trees are grown
        scores = forest.predict_proba(x_val)
        called = forest.classes_[scores.argmax(axis=1)]
        values = {"val/loss": log_loss(y_val, scores), "val/accuracy": accuracy_score(y_val, called), "trees": len(forest.estimators_)}
        run.log(values, grown * TREES)  # the number of trees is the step
        run.log_epoch(grown, {**values, "epoch_time_seconds": time.monotonic() - began})
        run.log_confusion(confusion_matrix(y_val, called), data.target_names, epoch=grown)  # figures a class are derived from it
        run.progress(epoch=grown)
        print(f"{grown * TREES} trees: validation {values['val/accuracy']:.4f}")
