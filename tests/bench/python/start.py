#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What it costs to have the package in a script, each figure from processes of its own. Prints a line of JSON for each: name, measured, unit.

Times are of the processor, which other programs disturb least; `python -X importtime -c "import trainmon"` shows where they go.

usage: PYTHONPATH=bindings/python/src python3 tests/bench/python/start.py
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 10

RSS = """
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6
"""

TIME_OF_IMPORT = """
import time
begin = time.process_time()
import trainmon
print(1000 * (time.process_time() - begin))
"""

MEMORY_OF_IMPORT = RSS + """
import argparse, json, logging, os, collections  # what a script has anyway
before = resident()
import trainmon
print(resident() - before)
"""

MEMORY_OF_LOGGING = RSS + """
import trainmon
run = trainmon.init(hardware=0)
for step in range(10_000):
    run.log({"a": step, "b": step * 0.618 % 1})
before = resident()
for step in range(1_000_000):
    run.log({"a": step, "b": step * 0.618 % 1})
print(resident() - before)
"""

DISABLED = """
import time, trainmon
run = trainmon.init(mode="disabled")
data = {"a": 1.0}
best = 1e9
for _ in range(20):
    begin = time.process_time_ns()
    for step in range(50_000):
        run.log(data)
    best = min(best, (time.process_time_ns() - begin) / 50_000)
print(best)
"""


def printed(code):
    """Runs Python with a text in an empty folder; gives what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=folder)
    return done.stdout


def figures():
    """Yields name, measured, unit."""
    yield "import trainmon", statistics.median(float(printed(TIME_OF_IMPORT)) for _ in range(ROUNDS)), "ms"
    yield "memory of import trainmon", statistics.median(float(printed(MEMORY_OF_IMPORT)) for _ in range(ROUNDS)), "MB"
    yield "memory of 2,000,000 points logged", float(printed(MEMORY_OF_LOGGING)), "MB"
    yield "log to a disabled run", min(float(printed(DISABLED)) for _ in range(3)), "ns"


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in os.environ.get("PYTHONPATH", "bindings/python/src").split(os.pathsep))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as compiled:  # as an installed package has it
        os.environ["PYTHONPYCACHEPREFIX"] = compiled
        printed("import trainmon")
        for name, measured, unit in figures():
            print(json.dumps({"name": name, "measured": round(measured, 2), "unit": unit}), flush=True)
