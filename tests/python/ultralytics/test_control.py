# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Stop, pause, failures, Ctrl-C, and what is no training."""

import copy
import logging
import os
import pickle
import signal
import time

import pytest
from ends import ended
from pauses import Pause

import trainmon
from trainmon.ultralytics import attach


class Batches:
    """A callback that counts batches and does something at one of them."""

    def __init__(self, number, act):
        self.number, self.act, self.count = number, act, 0

    def __call__(self, trainer):
        self.count += 1
        if self.count == self.number:
            self.act(trainer)


@pytest.mark.parametrize("settings", [{}, {"time": 1.0}], ids=["epochs", "time"])
def test_stop_ends_the_training_in_order(model, train, store, settings):
    monitor = attach(model)
    batches = Batches(2, lambda trainer: trainmon.Store("trainmon").request(monitor.run.id, "stop"))
    model.add_callback("on_train_batch_start", Batches(3, lambda trainer: time.sleep(0.5)))  # the request is heard within that time
    model.add_callback("on_train_batch_end", batches)
    told = []
    model.add_callback("on_train_end", told.append)
    train(model, epochs=5, **settings)
    record = ended(store, monitor.run.id)
    assert record.status == "cancelled"
    assert batches.count == 3
    assert len(store.points(record.id, "train/box_loss")) == 3
    assert [row["epoch"] for row in store.epochs(record.id)] == [1], "the call after the final evaluation is no epoch"
    assert told
    assert os.path.exists(record.model_path)


def test_a_stop_of_the_script_is_no_cancellation(model, train, store):
    monitor = attach(model)
    model.add_callback("on_train_epoch_end", lambda trainer: setattr(trainer, "stop", True))
    train(model, epochs=5)
    assert ended(store, monitor.run.id).status == "completed"
    assert len(store.epochs(monitor.run.id)) == 1


def test_people_may_not_stop_if_the_script_says_so(model, train, store):
    monitor = attach(model, stop=False, pause=False)
    model.add_callback("on_train_start", lambda trainer: monitor.run.request("stop"))
    train(model, epochs=1)
    assert len(store.points(monitor.run.id, "train/box_loss")) == 4


def test_pause_is_not_part_of_the_time(model, train, store):
    pauses, at = [], {}

    def note(moment):
        return lambda _trainer: at.setdefault(moment, time.time())  # the framework's clock

    model.add_callback("on_train_batch_end", Batches(2, note("the batch is done")))  # before the monitor hears of it
    monitor = attach(model)
    model.add_callback("on_train_batch_start", Batches(2, lambda trainer: pauses.append(Pause(monitor.run.id, 1.0))))
    model.add_callback("on_train_batch_start", Batches(3, note("the next batch")))
    for event in ("on_pretrain_routine_end", "on_train_start", "on_train_epoch_end", "on_fit_epoch_end"):
        model.add_callback(event, note(event))
    train(model, epochs=1)
    pauses[0].join()
    record = ended(store, monitor.run.id)
    assert record.status == "completed"
    (row,) = store.epochs(record.id)
    paused = monitor.loop.paused_seconds
    assert pauses[0].lasted >= 1.0
    assert pauses[0].lasted <= paused <= at["the next batch"] - at["the batch is done"] + 0.01, "the pause begins when the batch is done"
    # The framework's own time of the epoch begins and ends between these events.
    least, most = at["on_train_epoch_end"] - at["on_train_start"], at["on_fit_epoch_end"] - at["on_pretrain_routine_end"]
    assert least - paused - 0.01 <= row["epoch_time_seconds"] <= most - paused + 0.01
    assert {"paused", "resumed"} <= {event["kind"] for event in store.events(record.id)}


@pytest.mark.parametrize("event", ["on_train_batch_end", "on_val_end", "on_train_end"])
def test_an_exception_is_a_failure(model, train, store, event):
    monitor = attach(model)

    def fail(_subject):
        raise OSError("no space left on the moon")

    model.add_callback(event, fail)
    with pytest.raises(OSError, match="moon"):
        train(model, epochs=1)
    record = ended(store, monitor.run.id)
    assert record.status == "failed"
    assert record.error_text == "OSError: no space left on the moon"


def test_ctrl_c_is_a_cancellation(model, train, store):
    monitor = attach(model)
    model.add_callback("on_train_batch_end", Batches(2, lambda trainer: os.kill(os.getpid(), signal.SIGINT)))
    with pytest.raises(KeyboardInterrupt):
        train(model, epochs=3)
    assert ended(store, monitor.run.id).status == "cancelled"


def test_a_training_that_never_begins_leaves_no_run(model, train, tmp_path):
    attach(model)
    with pytest.raises((FileNotFoundError, RuntimeError)):
        train(model, data=str(tmp_path / "missing.yaml"))

    def fail(_trainer):
        raise OSError("too early")

    model.add_callback("on_pretrain_routine_start", fail)
    with pytest.raises(OSError, match="early"):
        train(model)
    assert not os.path.exists("trainmon")


def test_validation_and_prediction_open_no_run(model, train, store, data):
    monitor = attach(model)
    train(model, epochs=1)
    first = monitor.run
    until = time.monotonic() + 30
    while (before := store.events(first.id))[-1]["kind"] != "completed" and time.monotonic() < until:  # the last one, which the end does not wait for
        time.sleep(0.01)
    model.val(data=data, imgsz=64, batch=4, device="cpu", plots=False, verbose=False)
    model.predict(str(os.path.join(os.path.dirname(data), "images", "val", "0000.png")), imgsz=64, device="cpu", verbose=False)
    assert monitor.run is first
    assert len(store.runs()) == 1
    assert store.events(first.id) == before


def test_what_goes_wrong_in_recording_never_reaches_the_training(model, train, store, monkeypatch, caplog):
    monitor = attach(model)

    def broken(*_arguments, **_options):
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr("trainmon.ultralytics.results.learning_rates", broken)
    monkeypatch.setattr("trainmon.ultralytics.results.class_results", broken)
    with caplog.at_level(logging.WARNING, "trainmon"):
        train(model, epochs=1)
    assert ended(store, monitor.run.id).status == "completed"
    assert len([entry for entry in caplog.records if "a bug of ours" in entry.getMessage()]) == 2


def test_disabled_records_nothing(model, train):
    attach(model, mode="disabled")
    train(model, epochs=1)
    assert not os.path.exists("trainmon")


def test_a_copy_of_a_model_is_independent(model):
    monitor = attach(model, name="first")
    other = copy.deepcopy(model)
    assert other.train.model is other
    owner = other.callbacks["teardown"][-1].__self__
    assert owner is not monitor
    assert owner.init == {"name": "first"}
    again = pickle.loads(pickle.dumps(monitor))
    assert again.options() == monitor.options()
