# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""create_monitoring_callback by itself: arguments, and the callback for loops of one's own."""

import subprocess
import sys
import time

import numpy
import pytest
from conftest import environment
from ends import ended
from sklearn.datasets import load_digits

import trainmon
from trainmon.monitoring import KINDS, BasicCallback, create_monitoring_callback


def test_an_unknown_type_names_the_choices():
    with pytest.raises(ValueError, match="callback_type is 'tensorboard'") as raised:
        create_monitoring_callback("tensorboard")
    assert all(name in str(raised.value) for name in KINDS)


@pytest.mark.parametrize("frequency", [0, -1, float("inf"), float("nan"), "10", None, True])
def test_a_frequency_that_is_none(frequency):
    with pytest.raises(ValueError, match="update_frequency"):
        create_monitoring_callback("basic", update_frequency=frequency)


@pytest.mark.parametrize("threshold", [1.01, -0.1, "0.9", None, float("nan"), True])
def test_a_threshold_that_is_no_share_is_named(threshold):
    with pytest.raises(ValueError, match=r"critical_thresholds\['RAO'\]"):
        create_monitoring_callback("basic", critical_thresholds={"RAO": threshold})


@pytest.mark.parametrize(("options", "error", "text"), [
    ({"critical_thresholds": ["a"]}, TypeError, r"critical_thresholds is \['a'\] \(list\), expected a dict of class names and sensitivities"),
    ({"groups": ["a"]}, TypeError, r"groups is \['a'\]"),
    ({"run": "myproj"}, TypeError, "did you mean project='myproj'"),
    ({"hardware": -1}, ValueError, "hardware is -1"),
])
@pytest.mark.parametrize("kind", ["basic", "ultralytics"])
def test_a_wrong_argument_is_named(kind, options, error, text):
    with pytest.raises(error, match=text):
        create_monitoring_callback(kind, **options)


@pytest.mark.parametrize("kind", ["basic", "lightning", "transformers", "ultralytics"])
def test_an_unknown_argument_is_told_once(kind, caplog):
    create_monitoring_callback(kind, critical_treshold={"a": 0.9}, groups={"a": "b"}, name="n")
    assert caplog.messages == ["create_monitoring_callback: unknown argument 'critical_treshold' (did you mean 'critical_thresholds'?); left out"]


def test_a_loop_without_its_begin_is_recorded(caplog):
    callback = create_monitoring_callback("basic", hardware=0)
    assert callback.on_batch_end({"a": 1.0}) is False
    assert callback.on_epoch_end(0, {"b": 2.0}) is False
    callback.on_train_end()
    assert not caplog.messages
    assert [value for _, _, value in callback.run.store.tail(callback.run.id, "a")] == [1]
    alone = create_monitoring_callback("basic", hardware=0)
    alone.on_train_end()
    assert alone.run is None


def test_a_loop_that_can_not_begin_says_so_once(caplog):
    callback = create_monitoring_callback("basic", mode="nosuch")
    for _ in range(3):
        assert callback.on_batch_end({"a": 1.0}) is False
    callback.on_epoch_end(0, {"b": 2.0})
    (warning,) = caplog.messages
    assert "on_train_begin failed" in warning and "mode is 'nosuch'" in warning


def test_a_class_that_is_none_is_told(caplog):
    callback = create_monitoring_callback("basic", critical_thresholds={"kat": 0.9}, hardware=0)
    for epoch in range(2):
        callback.on_epoch_end(epoch, confusion=[[3, 1], [0, 4]], class_names=["cat", "dog"])
    callback.on_train_end()
    assert caplog.messages == ["critical: no class is called 'kat'; there are: cat, dog; that condition will never have a value"]


def test_nothing_is_imported_but_what_is_named():
    code = ("import sys, trainmon.monitoring as m; m.create_monitoring_callback('python'); "
            "print([n for n in ('torch', 'lightning', 'keras', 'transformers', 'ultralytics', 'numpy') if n in sys.modules])")
    assert subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True).stdout == "[]\n"


def train(callback, epochs=3):
    """A softmax regression on the handwritten digits in numpy, for the first 1,200; gives the last matrix of the rest."""
    data = load_digits()
    x, y = data.data / 16, data.target
    weights, names = numpy.zeros((64, 10)), [f"digit_{i}" for i in range(10)]
    callback.on_train_begin(epochs=epochs, batches=12, config={"lr": 0.5})
    before = callback.run.store.conditions(callback.run.id)
    for epoch in range(epochs):
        for begin in range(0, 1200, 100):
            batch, wanted = x[begin:begin + 100], y[begin:begin + 100]
            scores = batch @ weights
            chances = numpy.exp(scores - scores.max(1, keepdims=True))
            chances /= chances.sum(1, keepdims=True)
            loss = -numpy.log(chances[numpy.arange(100), wanted]).mean()
            weights += 0.5 * batch.T @ (numpy.eye(10)[wanted] - chances) / 100
            if callback.on_batch_end({"train/loss": loss}, images=100):
                callback.on_train_end()
                return before, None
        matrix = numpy.zeros((10, 10), int)
        numpy.add.at(matrix, (y[1200:], (x[1200:] @ weights).argmax(1)), 1)
        callback.on_epoch_end(epoch, {"val/accuracy": matrix.trace() / matrix.sum()}, confusion=matrix, class_names=names)
    callback.on_train_end()
    return before, matrix


def test_a_loop_of_ones_own():
    callback = create_monitoring_callback("basic", critical_thresholds={"digit_8": 0.99}, name="plain", groups={"digit_0": "round", "digit_8": "round"})
    assert isinstance(callback, BasicCallback)
    before, matrix = train(callback)
    assert before == {"digit_8": {"sensitivity": None, "threshold": 0.99, "status": None}}
    store, id = trainmon.Store("trainmon"), callback.run.id
    record = ended(store, id)
    assert (record.status, record.name, record.epochs, record.config) == ("completed", "plain", 3, {"lr": 0.5})
    assert store.metrics(id)["train/loss"]["count"] == 36
    assert record.progress["images"] == 3600
    assert store.epochs(id)[-1]["val_accuracy"] == matrix.trace() / matrix.sum()
    sensitivity = matrix[8, 8] / matrix[8].sum()
    assert store.conditions(id)["digit_8"]["sensitivity"] == pytest.approx(sensitivity)
    assert store.conditions(id)["digit_8"]["status"] == ("ok" if sensitivity >= 0.99 else "warning" if sensitivity >= 0.97 else "critical")
    assert store.results("confusion_matrices", id)[0]["class_names"][8] == "digit_8"


def test_without_classes_and_hardware(caplog):
    callback = create_monitoring_callback("python", critical_thresholds={"digit_8": 0.99}, enable_class_monitoring=False, enable_system_monitoring=False)
    assert "enable_class_monitoring is False" in caplog.text
    train(callback, epochs=1)
    store, id = trainmon.Store("trainmon"), callback.run.id
    assert store.results("confusion_matrices", id) == store.results("validation_results", id) == []
    assert set(store.metrics(id)) == {"train/loss", "val/accuracy"}


def test_update_frequency_is_updates_a_second():
    """Progress is told no more often than that; the machine's figures are there unless they are switched off."""
    callback = create_monitoring_callback("basic", update_frequency=2, hardware=0.2)
    callback.on_train_begin(epochs=1, batches=1000)
    store, id, told, begin = callback.run.store, callback.run.id, set(), time.monotonic()
    while len(told) < 4 and time.monotonic() < begin + 60:
        callback.on_batch_end()
        told.add(store.run(id).progress["batch"])
    # The first may stand there already, and the second may come at once; each further one comes half a second later.
    assert len(told) == 4 and time.monotonic() - begin >= 1
    while not any(name.startswith("system/") for name in store.metrics(id)):
        assert time.monotonic() < begin + 60
    callback.on_train_end()


def test_a_stop_ends_the_loop():
    callback = create_monitoring_callback("basic")
    callback.on_train_begin()
    callback.run.request("stop")
    assert train(callback)[1] is None
    assert ended(trainmon.Store("trainmon"), callback.run.id).status == "cancelled"
