# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the tests with Ultralytics share. Run this folder in a pytest of its own: `offline` gives its process a torchvision that others must not see."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "examples" / "yolo")]

import offline  # noqa: E402,F401 (before the framework)
import pytest  # noqa: E402
import scenes  # noqa: E402

SETTINGS = {"epochs": 2, "imgsz": 64, "batch": 4, "nbs": 4, "device": "cpu", "workers": 0, "amp": False, "plots": False, "pretrained": False,
            "optimizer": "AdamW", "close_mosaic": 0, "exist_ok": True, "verbose": False}


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """A small data set: 16 scenes to train with (4 batches), 8 to validate."""
    return str(scenes.make(tmp_path_factory.mktemp("scenes"), train=16, val=8, size=64, seed=1))


@pytest.fixture
def model():
    """A fresh detector, from scratch."""
    from ultralytics import YOLO

    return YOLO("yolo11n.yaml")


@pytest.fixture
def train(data, tmp_path):
    """Gives a function that trains a model with the settings of the tests."""
    def run(model, **settings):
        return model.train(**{"data": data, "project": str(tmp_path / "runs"), "name": "t", **SETTINGS, **settings})

    return run
