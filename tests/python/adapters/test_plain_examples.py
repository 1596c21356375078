# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The examples of plain loops run and record what they print."""

import os
import pathlib
import re
import subprocess
import sys

import pytest
import torch
from ends import ended

import trainmon

EXAMPLES = pathlib.Path(__file__).parents[3] / "examples" / "plain"


@pytest.mark.parametrize("name", ["torch_digits", "sklearn_forest"])
def test_an_example_records_what_it_prints(name, store):
    pytest.importorskip("sklearn")
    where = {"PYTHONPATH": os.path.dirname(os.path.dirname(trainmon.__file__))}
    done = subprocess.run([sys.executable, EXAMPLES / f"{name}.py", "2"], capture_output=True, text=True, timeout=600, env={**os.environ, **where}, check=True)
    printed = [float(text) for text in re.findall(r"validation ([0-9.]+)", done.stdout)]
    run = ended(store)
    rows = store.epochs(run.id)
    assert run.status == "completed" and len(rows) == 2 and run.progress["epoch"] == 2
    assert [round(row["val_accuracy"], 4) for row in rows] == printed and min(printed) > 0.8
    matrices = store.results("confusion_matrices", run.id)
    assert sorted(round(matrix["accuracy"], 4) for matrix in matrices) == sorted(printed) and matrices[0]["total"] == 360


def test_a_loss_with_its_graph_is_logged_without_a_warning(recwarn):
    run = trainmon.init()
    for step in range(3):
        loss = torch.ones(1, requires_grad=True).sum() * step
        run.log({"loss": loss})
        run.log({"loss": loss, "more": 1})
    run.finish()
    points = trainmon.Store().points(run.id, "loss")
    assert [float(point["value"]) for point in points] == [0, 0, 1, 1, 2, 2]
    assert not [warning for warning in recwarn if "requires_grad" in str(warning.message)]
