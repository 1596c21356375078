# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What holds for all folders."""

import os
import shutil
import signal
import tempfile

import pytest

import trainmon
from trainmon import current, ranks

# A shell that runs the tests in the background has SIGINT ignored, which the scripts of the tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Each test has a folder of its own, and a process that looks as if it were alone on a machine of which the environment says nothing."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("TRAINMON_", "MONITORING_", "WS_")) or name in ranks.VARIABLES or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    # While a slow disk has a run's own drainer hold the lock, a call waits, or it would be made later and, at the end of the run, not at all.
    monkeypatch.setattr(current, "LOCK_SECONDS", 30)
    yield
    trainmon.finish()
    for name in list(os.environ):
        if name.startswith("TRAINMON_"):  # what a run leaves for the processes below it
            del os.environ[name]


@pytest.fixture
def memory():
    """A folder in memory, if there is room: for what has no part in a disk, and which a slow one would hold up."""
    fits = os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 28
    with tempfile.TemporaryDirectory(dir="/dev/shm" if fits else None) as folder:
        yield folder


@pytest.fixture
def store():
    """The store of the test, opened anew."""
    return trainmon.Store("trainmon")
