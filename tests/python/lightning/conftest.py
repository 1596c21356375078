# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests of the Lightning adapter share: both packages, a folder for each test."""

import importlib
import os
import pathlib
import sys

import pytest
import torch

import trainmon

sys.path.insert(0, str(pathlib.Path(__file__).parent))
torch.set_num_threads(1)


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
    os.environ.pop("TRAINMON_RANK_RUN", None)


@pytest.fixture(params=["lightning.pytorch", "pytorch_lightning"])
def package(request):
    """One of the two class trees."""
    return importlib.import_module(request.param)


@pytest.fixture
def store():
    """The store of the test, opened anew."""
    return trainmon.Store("trainmon")
