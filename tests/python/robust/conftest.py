# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of the package share."""

import os

import pytest

import trainmon


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """Each test has a folder of its own, and a process that looks as if it were alone."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("TRAINMON_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(os, "environ", os.environ)
    yield
    trainmon.finish()


@pytest.fixture
def store():
    """The store of the test, opened anew."""
    return trainmon.Store("trainmon")
