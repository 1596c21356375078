# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The Python of docs/guide/python-ultralytics.md, with weights that need no download and a small data set."""

import pathlib
import re

import pytest
from conftest import SETTINGS
from ends import all_ended

import trainmon

PAGE = pathlib.Path(__file__).resolve().parents[3] / "docs" / "guide" / "python-ultralytics.md"
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)


def test_the_snippets(data, store, tmp_path):
    small = {**SETTINGS, "epochs": 1, "project": str(tmp_path / "runs")}
    names = {"f": print, "small": small}
    first = SNIPPETS[0].replace("yolo11n.pt", "yolo11n.yaml").replace("pedestrian", "digit 8").replace('"d.yaml", epochs=100', f"{data!r}, **small")
    exec(compile(first, PAGE.name, "exec"), names)
    with pytest.raises(ValueError, match="on_fit_epoch_end"):
        exec(compile(SNIPPETS[1], PAGE.name, "exec"), names)
    third = SNIPPETS[2].replace("pedestrian", "digit 8").replace('"d.yaml", device="0,1"', f"{data!r}, **small")
    exec(compile(third, PAGE.name, "exec"), names)
    assert [run.status for run in all_ended(store)] == ["completed", "completed"]
    assert trainmon.Store("trainmon").runs()[0].epochs == 1
