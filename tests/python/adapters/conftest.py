# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of the adapters share."""

import os
import threading
import time

os.environ.update(HF_HUB_OFFLINE="1", KERAS_BACKEND="torch", TOKENIZERS_PARALLELISM="false", MPLBACKEND="agg")  # before a framework is imported

import pytest
from pauses import until_paused

import trainmon


@pytest.fixture
def points(store):
    """Reads a metric as pairs of step and value."""
    return lambda id, name: [(int(point["step"]), float(point["value"])) for point in store.points(id, name)]


@pytest.fixture
def shown(store):
    """Reads a metric as the page does, without what a later attempt superseded."""
    return lambda id, name: [(bucket["first_x"], bucket["first"]) for bucket in store.series(id, name, width=1000) if bucket["count"]]


class Person(threading.Thread):
    """Watches a store from a thread as a person does: waits for the first run to train, pauses it for a while, perhaps stops it."""

    def __init__(self, *, pause=0.0, stop=False):
        super().__init__(daemon=True)
        self.seconds, self.stop, self.paused = pause, stop, []
        self.start()

    def run(self):
        """Waits until there is a run that trains, then asks."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            live = [run for run in list(trainmon.current._live) if not run.finished]
            if live and live[0].store.run(live[0].id).progress["batch"] > 0:
                break
            time.sleep(0.01)
        run = live[0]
        try:
            if self.seconds:
                run.request("pause")
                until_paused(run.store, run.id)
                before = run.store.run(run.id).progress
                time.sleep(self.seconds)
                self.paused = [before, run.store.run(run.id).progress]
        finally:
            run.request("stop" if self.stop else "run")


@pytest.fixture
def person():
    """Makes a person who watches."""
    return Person


@pytest.fixture
def digits():
    """The handwritten digits of scikit-learn: pixels 0 to 1 and classes, of training and of test."""
    sklearn = pytest.importorskip("sklearn.datasets")
    x, y = sklearn.load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    return x[:1440], y[:1440], x[1440:], y[1440:]
