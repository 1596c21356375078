# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What holds for all folders."""

import os
import signal

import pytest

import trainmon

# A shell that runs the tests in the background has SIGINT ignored, which the scripts of the tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Each test has a folder of its own, and a process that looks as if it were alone."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("TRAINMON_", "MONITORING_", "WS_")):
            monkeypatch.delenv(name)
    yield
    trainmon.finish()
    for name in list(os.environ):
        if name.startswith("TRAINMON_"):  # what a run leaves for the processes below it
            del os.environ[name]


@pytest.fixture
def store():
    """The store of the test, opened anew."""
    return trainmon.Store("trainmon")
