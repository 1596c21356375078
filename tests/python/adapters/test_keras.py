# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The callback of Keras on handwritten digits: what is stored compared with Keras' own History."""

import os
import subprocess
import sys
import threading

import pytest
from ends import ended

import trainmon

keras = pytest.importorskip("keras")
from trainmon.keras import TrainMonCallback  # noqa: E402


def _model(rate=0.01):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.layers.Input((64,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(10, activation="softmax")], name="mlp")
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _fit(digits, *callbacks, epochs=3, model=None, **more):
    x, y, x_test, y_test = digits
    model = model or _model()
    history = model.fit(x, y, batch_size=96, epochs=epochs, validation_data=(x_test, y_test), callbacks=list(callbacks), verbose=0, **more)
    return model, history.history


def test_epochs_are_those_of_the_history(digits, store, points):
    callback = TrainMonCallback(name="digits", tags=["test"])
    model, history = _fit(digits, callback)
    _, alone = _fit(digits)
    assert history == alone, "the callback changes nothing of the training"
    record = ended(store, callback.run.id)
    assert (record.status, record.name, record.model_type, record.epochs, record.tags) == ("completed", "digits", "mlp", 3, ["test"])
    assert record.config["parameters"] == model.count_params() and record.config["optimizer"]["name"] == "adam" and record.config["steps"] == 15
    assert record.progress["epoch"] == 3 and record.learning_rate == pytest.approx(0.01)
    for name, stored in (("loss", "train/loss"), ("accuracy", "train/accuracy"), ("val_loss", "val/loss"), ("val_accuracy", "val/accuracy")):
        assert points(record.id, stored) == [(15 * (epoch + 1), value) for epoch, value in enumerate(history[name])]
    rows = store.epochs(record.id)
    columns = {"total_loss": "loss", "train_accuracy": "accuracy", "val_loss": "val_loss", "val_accuracy": "val_accuracy"}
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    for column, name in columns.items():
        assert [row[column] for row in rows] == history[name]
    assert all(row["epoch_time_seconds"] > 0 and row["learning_rate"] == pytest.approx(0.01) for row in rows)
    phases = [event["message"] for event in store.events(record.id) if event["kind"] == "phase"]
    assert phases == ["train", *["validate", "train"] * 3]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_batches_keep_their_place(digits, points, asynchronous):
    seen, threads = {}, set()

    class Watcher(keras.callbacks.Callback):
        async_safe = asynchronous

        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            seen[self.epoch * 15 + batch + 1] = logs["loss"]
            threads.add(threading.current_thread())

    callback = TrainMonCallback(batches=True)
    _fit(digits, callback, Watcher(), epochs=2)
    stored = points(callback.run.id, "batch/loss")
    assert len(stored) == 30 and dict(stored) == seen
    assert (threads == {threading.main_thread()}) is not asynchronous


def test_pause_holds_and_stop_ends(digits, store, person):
    who = person(pause=0.3, stop=True)
    callback = TrainMonCallback()
    _, history = _fit(digits, callback, epochs=200)
    who.join()
    before, after = who.paused
    assert before["batch"] == after["batch"] and before["epoch"] == after["epoch"]
    assert 1 <= len(history["loss"]) < 200
    assert ended(store, callback.run.id).status == "cancelled"
    assert [row["val_loss"] for row in store.epochs(callback.run.id)] == history["val_loss"]


def test_a_learning_rate_that_changes(digits, points):
    callback = TrainMonCallback()
    _, history = _fit(digits, keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2), callback)
    assert [value for _, value in points(callback.run.id, "learning_rate")] == pytest.approx([0.005, 0.0025, 0.00125])
    assert history["learning_rate"] == pytest.approx([0.005, 0.0025, 0.00125])


def test_evaluation_outside_a_training(digits, store):
    callback = TrainMonCallback()
    model, _ = _fit(digits, callback, epochs=1)
    id = callback.run.id
    loss, accuracy = model.evaluate(digits[2], digits[3], verbose=0, callbacks=[callback])
    assert callback.run.id == id and ended(store, id).status == "completed"
    event = next(event for event in store.events(id) if event["kind"] == "evaluate")
    assert event["data"] == {"test/loss": loss, "test/accuracy": accuracy}
    alone = TrainMonCallback(name="evaluation")
    model.evaluate(digits[2], digits[3], verbose=0, callbacks=[alone])
    assert ended(store, alone.run.id).status == "completed" and store.points(alone.run.id, "test/loss")[0]["value"] == loss


def test_a_training_that_raises(digits, store):
    class Breaks(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise ZeroDivisionError

    callback = TrainMonCallback()
    with pytest.raises(ZeroDivisionError):
        _fit(digits, callback, Breaks())
    first = callback.run.id
    assert store.run(first).status == "running"  # the process may yet say how it ended
    _fit(digits, callback, epochs=1)
    assert ended(store, first).status == "failed" and ended(store, callback.run.id).status == "completed" and callback.run.id != first


PROCESS = """
import keras, numpy
from trainmon.keras import TrainMonCallback

class Breaks(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise ZeroDivisionError("on purpose")

model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
model.fit(numpy.zeros((8, 2)), numpy.zeros(8), verbose=0, callbacks=[TrainMonCallback(), Breaks()])
"""


def test_a_process_that_ends_with_the_exception(store):
    where = {"PYTHONPATH": os.path.dirname(os.path.dirname(trainmon.__file__))}
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True, timeout=600, env={**os.environ, **where}, check=False)
    assert done.returncode == 1 and "on purpose" in done.stderr
    run = ended(store)
    assert (run.status, run.error_text) == ("failed", "ZeroDivisionError: on purpose") and len(store.epochs(run.id)) == 1


def test_the_run_of_the_script_stays_open(digits, store):
    with trainmon.init(config={"mine": 1}) as run:
        callback = TrainMonCallback()
        _fit(digits, callback, epochs=1)
        assert callback.run is run and not run.finished
    record = ended(store, run.id)
    assert record.status == "completed" and record.config["mine"] == 1 and record.config["framework"] == "keras" and record.model_type == "mlp"


def test_trouble_of_ours_ends_no_training(digits, monkeypatch, caplog):
    monkeypatch.setenv("TRAINMON_DIR", "/proc/no/such/place")
    callback = TrainMonCallback(batches=True)
    _, history = _fit(digits, callback)
    assert len(history["loss"]) == 3 and callback.run.disabled
    assert [record.message for record in caplog.records if "not recorded" in record.message]
