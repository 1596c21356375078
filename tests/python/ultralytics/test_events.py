# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Names of events, and the shapes that values have in other releases."""

import os
import subprocess
import sys
import types
from pathlib import Path

import numpy
import pytest
import torch

import trainmon
from trainmon.ultralytics import EVENTS, add_callback, attach, results


@pytest.mark.parametrize(("wrong", "right"), [
    ("on_epoch_end", "on_fit_epoch_end"), ("on_batch_end", "on_train_batch_end"), ("optimizer_step", "on_train_batch_end"),
    ("on_validation_end", "on_val_end"), ("on_train_ends", "on_train_end"), ("on_fit_epoch_ends", "on_fit_epoch_end")])
def test_an_event_that_never_comes_is_refused(model, wrong, right):
    with pytest.raises(ValueError, match=f"did you mean '{right}'"):
        add_callback(model, wrong, print)
    assert print not in model.callbacks.get(wrong, [])


def test_a_real_event_is_added(model):
    add_callback(model, "on_fit_epoch_end", print)
    assert print in model.callbacks["on_fit_epoch_end"]


def test_the_list_is_that_of_the_framework(model, train, data):
    from ultralytics.utils.callbacks.base import default_callbacks

    assert set(EVENTS) == set(default_callbacks) - {"optimizer_step", "on_before_zero_grad", "on_params_update"}
    seen = set()
    for event in default_callbacks:
        model.add_callback(event, lambda _subject, event=event: seen.add(event))
    train(model, epochs=1)
    assert seen == {event for event in EVENTS if not event.startswith(("on_predict", "on_export"))}


def test_losses_of_all_generations():
    tensor = types.SimpleNamespace(loss_names=("box_loss", "cls_loss"))
    assert results.losses(tensor, torch.tensor([1.0, 2.0])) == {"train/box_loss": 1, "train/cls_loss": 2, "train/loss": 3}
    single = types.SimpleNamespace(loss_names=["loss"])
    assert results.losses(single, torch.tensor(4.0)) == {"train/loss": 4}
    late = types.SimpleNamespace(loss_names=("box_loss", "l1_loss"))
    assert results.losses(late, {"box_loss": torch.tensor(1.0), "l1_loss": torch.tensor(5.0)}) == {"train/box_loss": 1, "train/l1_loss": 5, "train/loss": 6}
    early = types.SimpleNamespace(loss_names=())
    assert results.losses(early, None) == {}


def test_a_matrix_is_turned_round():
    theirs = numpy.array([[5.0, 1.0, 2.0], [0.0, 7.0, 3.0], [4.0, 6.0, 0.0]])  # predicted, true
    validator = types.SimpleNamespace(names={0: "cat", 1: "background"}, confusion_matrix=types.SimpleNamespace(matrix=theirs))
    matrix, names = results.confusion(validator, None)
    assert matrix.tolist() == [[5, 0, 4], [1, 7, 6], [2, 3, 0]]
    assert names == ["cat", "background", "background (none)"]
    assert results.class_names({"names": ["a", "b", "a"]}) == ["a", "b", "a (2)"]


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="int"):
        attach(3)


class Model:
    """Takes callbacks, as models do."""

    def __init__(self):
        self.callbacks = {}

    def add_callback(self, event, function):
        self.callbacks.setdefault(event, []).append(function)


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"run": "myproj"}, TypeError, "did you mean project='myproj'"),
    ({"critical": {"a": 99}}, ValueError, r"critical\['a'\] is 99"),
    ({"critical": ["a"]}, TypeError, r"critical is \['a'\] \(list\)"),
    ({"every_seconds": -1}, ValueError, "every_seconds is -1"),
    ({"hardware": -1}, ValueError, "hardware is -1"),
])
def test_a_wrong_argument_is_refused(options, error, text):
    with pytest.raises(error, match=text):
        attach(Model(), **options)


def test_an_unknown_argument_is_told_and_left_out(caplog):
    monitor = attach(Model(), critica={"a": 0.9}, project="p")
    assert caplog.messages == ["attach: unknown argument 'critica' (did you mean 'critical'?); left out"]
    assert monitor.init == {"project": "p"}


def test_the_module_imports_no_framework():
    code = "import sys, trainmon.ultralytics; assert not {'ultralytics', 'torch', 'numpy'} & set(sys.modules), sorted(sys.modules)"
    package = Path(trainmon.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(package)})
