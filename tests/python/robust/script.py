# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Runs a script as a training of its own process, and reads what it left in the store of its folder."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import trainmon

PIPE = subprocess.PIPE

PACKAGE = os.path.dirname(os.path.dirname(trainmon.__file__))


class Clock:
    """How long something holds up its caller, without the time in which the process stood still because others had the processor: then ticks lack, too."""

    def __enter__(self):
        """Begins to count."""
        self.ticks, self.end = 0, threading.Event()
        self.thread = threading.Thread(target=self._count)
        self.thread.start()
        return self

    def __exit__(self, *_):
        """Ends the thread."""
        self.end.set()
        self.thread.join()

    def _count(self):
        while not self.end.wait(0.01):
            self.ticks += 1

    def now(self):
        """Gives a moment."""
        return time.monotonic(), self.ticks

    def seconds_since(self, begin):
        """Gives the seconds since a moment in which this process could have gone on."""
        return min(time.monotonic() - begin[0], (self.ticks - begin[1] + 1) / 100)


def start(code, *, options=(), **more):
    """Starts Python with a script in the present folder; it is given as text, so that it has no test around it."""
    with open("script.py", "w") as file:
        file.write(textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": PACKAGE, **more.pop("environment", {})}
    return subprocess.Popen([sys.executable, *options, "script.py"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def train(code, *, timeout=400, **more):
    """Runs a script to its end; gives its exit code, output and errors."""
    process = start(code, **more)
    out, err = process.communicate(timeout=timeout)
    return process.returncode, out, err


def record(store=None):
    """Gives the only run of a store."""
    runs = (store or trainmon.Store("trainmon")).runs()
    assert len(runs) == 1
    return runs[0]


def points(name, id=None, store=None):
    """Gives the points of a metric as (step, value)."""
    store = store or trainmon.Store("trainmon")
    return [(int(point[0]), float(point[2])) for point in store.points(id or record(store).id, name)]
