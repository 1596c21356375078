# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Pause and stop of a validation, test or prediction."""

import time

import digits
import pytest
from pauses import Pause

import trainmon
from trainmon.lightning import TrainMonCallback, TrainMonLogger

BATCHES = digits.VAL // digits.BATCH


def only(store):
    (run,) = store.runs()
    return run


def ask(control):
    with trainmon.Store("trainmon") as store:
        store.request(only(store).id, control)


def counting(package, *, ask_at, then=lambda: ask("stop")):
    """Gives a callback that asks for a stop, or does something else, after a batch and says which batches began and ended."""
    seen = []

    class Counting(package.Callback):
        def begin(self, trainer, module, batch, index, loader=0):
            if not trainer.sanity_checking:
                seen.append(("begin", index, time.monotonic()))

        def end(self, trainer, module, outputs, batch, index, loader=0):  # noqa: PLR0917
            if trainer.sanity_checking:
                return
            seen.append(("end", index, time.monotonic()))
            if index == ask_at and len([each for each in seen if each[:2] == ("end", index)]) == 1:
                then()

        on_validation_batch_start = on_test_batch_start = on_predict_batch_start = begin
        on_validation_batch_end = on_test_batch_end = on_predict_batch_end = end

    return Counting(), seen


def batches(seen):
    return [(what, index) for what, index, _ in seen]


UNTIL_1 = [("begin", 0), ("end", 0), ("begin", 1), ("end", 1)]


@pytest.mark.parametrize("logged", [True, False])
@pytest.mark.parametrize("what", ["validate", "test", "predict"])
def test_stop_ends_an_evaluation_in_order(package, store, what, logged):
    watch, seen = counting(package, ask_at=1)
    trainer = digits.trainer(package, watch, TrainMonCallback(), logger=TrainMonLogger() if logged else False)
    options = {} if what == "predict" else {"verbose": False}
    result = getattr(trainer, what)(digits.module(package), digits.loaders()[1], **options)
    assert batches(seen) == UNTIL_1
    assert trainer.state.finished
    assert len(result) == (2 if what == "predict" else 1)  # what Lightning has of two batches
    run = only(store)
    assert run.status == "cancelled"
    (cut,) = [event for event in store.events(run.id) if event["kind"] == "cut"]
    assert (cut["message"], cut["data"]) == (what, {"batches": 2, "of": BATCHES})
    assert store.epochs(run.id) == store.results("confusion_matrices", run.id) == []
    assert not {"val_acc", "test_acc"} & set(store.metrics(run.id))
    assert not run.summary


def test_a_stop_with_the_last_batch_cuts_nothing(package, store):
    watch, seen = counting(package, ask_at=BATCHES - 1)
    trainer = digits.trainer(package, watch, TrainMonCallback())
    (result,) = trainer.validate(digits.module(package), digits.loaders()[1], verbose=False)
    run = only(store)
    assert len(seen) == 2 * BATCHES
    assert "cut" not in {event["kind"] for event in store.events(run.id)}
    assert run.summary["validate/val_acc"] == pytest.approx(result["val_acc"])


def test_stop_with_batches_fetched_ahead(package, store):
    """A loader without a length: Lightning reads one batch more than it has handed out."""
    def endless():
        while True:
            yield from digits.loaders()[1]

    watch, seen = counting(package, ask_at=1)
    digits.trainer(package, watch, TrainMonCallback()).predict(digits.module(package), endless())
    assert batches(seen) == UNTIL_1
    run = only(store)
    (cut,) = [event for event in store.events(run.id) if event["kind"] == "cut"]
    assert cut["data"] == {"batches": 2}


def test_writers_of_predictions_get_those_of_whole_batches(package):
    written = []

    class Writer(package.callbacks.BasePredictionWriter):
        def write_on_epoch_end(self, trainer, module, predictions, indices):
            written.append((predictions, indices))

    watch, _ = counting(package, ask_at=1)
    trainer = digits.trainer(package, watch, Writer("epoch"), TrainMonCallback())
    trainer.predict(digits.module(package), digits.loaders()[1], return_predictions=False)
    ((predictions, indices),) = written
    assert [len(each) for each in predictions] == [len(each) for each in indices[0]] == [digits.BATCH] * 2


def test_a_stop_that_the_fit_obeyed_leaves_the_test_alone(package, store):
    class Stop(package.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            ask("stop")

    with trainmon.init() as run:
        trainer = digits.trainer(package, Stop(), TrainMonCallback(every_seconds=0), max_epochs=50)
        trainer.fit(digits.module(package), *digits.loaders())
        assert trainer.global_step < 20
        (result,) = digits.trainer(package, TrainMonCallback()).test(trainer.lightning_module, digits.loaders()[1], verbose=False)
        assert run.summary["test_acc"] == pytest.approx(result["test_acc"])
    assert "cut" not in {event["kind"] for event in store.events(run.id)}


def test_stop_ends_the_test_of_a_run_whose_fit_was_stopped(package, store):
    class Stop(package.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            ask("stop")

    watch, seen = counting(package, ask_at=1)
    watch.on_validation_batch_end = lambda *_: None
    trainer = digits.trainer(package, Stop(), watch, TrainMonCallback(every_seconds=0), max_epochs=50)
    trainer.fit(digits.module(package), *digits.loaders())
    del seen[:]
    trainer.test(trainer.lightning_module, digits.loaders()[1], verbose=False)
    assert batches(seen) == UNTIL_1


def test_stop_can_be_switched_off(package, store):
    watch, seen = counting(package, ask_at=1)
    digits.trainer(package, watch, TrainMonCallback(stop=False)).predict(digits.module(package), digits.loaders()[1])
    assert len(seen) == 2 * BATCHES
    assert only(store).status == "completed"


@pytest.mark.parametrize("what", ["fit", "validate"])
def test_pause_holds_before_the_next_batch_of_a_validation(package, store, what):
    pauses = []
    watch, seen = counting(package, ask_at=1, then=lambda: pauses.append(Pause(only(store).id)))
    callback = TrainMonCallback()
    trainer = digits.trainer(package, watch, callback, max_epochs=1)
    if what == "fit":
        trainer.fit(digits.module(package), *digits.loaders())
    else:
        trainer.validate(digits.module(package), digits.loaders()[1], verbose=False)
    pauses[0].join()
    assert pauses[0].lasted >= 0.5
    times = {(what, index): at for what, index, at in seen}
    assert times["begin", 2] - times["end", 1] > pauses[0].lasted  # not a batch more after it was asked for
    assert callback.session.loop.paused_seconds >= pauses[0].lasted
    run = only(store)
    assert run.status == "completed"
    assert {"paused", "resumed"} <= {event["kind"] for event in store.events(run.id)}
