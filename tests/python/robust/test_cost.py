# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the package costs a script: bounds of the figures that tests/bench/python/start.py measures."""

import json
import os
import subprocess
import sys

import script

START = os.path.join(os.path.dirname(__file__), "..", "..", "bench", "python", "start.py")
# MB: ring 4 MiB, SQLite's caches, its index of a log that grows while the disk is slow, the drainer's buffers. Times are for tests/bench, not for tests.
BOUNDS = {"memory of import trainmon": 10, "memory of 2,000,000 points logged": 40}
TIMES = {"import trainmon", "log to a disabled run"}


def test_bounds():
    done = subprocess.run([sys.executable, START], env={**os.environ, "PYTHONPATH": script.PACKAGE}, check=True, capture_output=True, text=True)
    measured = {row["name"]: row["measured"] for row in map(json.loads, done.stdout.splitlines())}
    print(measured)
    assert measured.keys() == BOUNDS.keys() | TIMES
    assert all(measured[name] <= bound for name, bound in BOUNDS.items()), measured


def test_import_brings_no_framework():
    code, out, err = script.train("""
        import json, logging, sys  # which bring dataclasses from Python 3.14 on
        before = set(sys.modules)
        import trainmon
        print(*sorted(name.split(".")[0] for name in set(sys.modules) - before))
    """)
    assert code == 0, err
    assert not {"numpy", "pandas", "torch", "PIL", "typing", "dataclasses", "pathlib", "asyncio", "urllib"} & set(out.split())
