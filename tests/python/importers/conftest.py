# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of the importers share."""

import os
import tarfile
from pathlib import Path

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


@pytest.fixture
def unpack(tmp_path):
    """Unpacks the files that a real tool wrote (data/README.md) and gives their folder."""
    def unpack(name):
        with tarfile.open(Path(__file__).parent / "data" / f"{name}.tar.gz") as archive:
            archive.extractall(tmp_path / name)  # ours; the argument that makes it safe came with 3.11.4
        return tmp_path / name

    return unpack
