# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Runs a script as a training of its own process, and reads what it left in the store of its folder."""

import os
import subprocess
import sys
import textwrap

import trainmon

PIPE = subprocess.PIPE

PACKAGE = os.path.dirname(os.path.dirname(trainmon.__file__))


def start(code, *, options=(), **more):
    """Starts Python with a script in the present folder; it is given as text, so that it has no test around it."""
    with open("script.py", "w") as file:
        file.write(textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": PACKAGE, **more.pop("environment", {})}
    return subprocess.Popen([sys.executable, *options, "script.py"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def train(code, *, timeout=100, **more):
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
