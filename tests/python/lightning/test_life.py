# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The life of a run: begin, pause, stop, failure, resumption, several fits."""

import copy
import pickle
import threading
import time

import digits
import pytest
from ends import ended
from pauses import Pause

import trainmon
from trainmon.lightning import TrainMonCallback, TrainMonLogger


def only(store):
    (run,) = store.runs()
    return run


class At:
    """Calls a function after a batch; made a callback of the package."""

    def __new__(cls, package, batch, function):
        def on_train_batch_end(self, trainer, module, outputs, data, index):  # noqa: PLR0917
            if trainer.current_epoch == 0 and index == batch:
                function(trainer)

        return type("At", (package.Callback,), {"on_train_batch_end": on_train_batch_end})()


def test_the_objects_are_of_the_package(package):
    callback, logger = TrainMonCallback(), TrainMonLogger()
    assert isinstance(callback, package.Callback)
    assert isinstance(logger, __import__(f"{package.__name__}.loggers", fromlist=["Logger"]).Logger)
    assert isinstance(callback, TrainMonCallback)
    assert callback.state_key == "TrainMonCallback"


def test_a_subclass_is_of_the_package_too(package, store):
    class Mine(TrainMonCallback):
        def __init__(self):
            super().__init__(notes="mine")

    digits.trainer(package, Mine(), max_epochs=1).fit(digits.module(package), *digits.loaders())
    assert only(store).notes == "mine"


@pytest.mark.parametrize("make", [lambda callback: pickle.loads(pickle.dumps(callback)), copy.deepcopy])
def test_pickled(package, store, make):
    callback, logger = make((TrainMonCallback(notes="n"), TrainMonLogger(name="x")))
    digits.trainer(package, callback, logger=logger, max_epochs=1).fit(digits.module(package), *digits.loaders())
    again = make((callback, logger))
    assert again[0].run is None
    assert (only(store).notes, only(store).name) == ("n", "x")


def test_the_scripts_run_is_used_and_stays_open(package, store):
    with trainmon.init(name="script", config={"lr": 7}) as run:
        digits.trainer(package, TrainMonCallback(notes="n"), logger=TrainMonLogger(project="p"), max_epochs=1).fit(digits.module(package), *digits.loaders())
        assert not run.finished
        run.log({"after": 1})
    found = ended(store)
    assert (found.id, found.status, found.config["lr"], found.config["hidden"]) == (run.id, "completed", 0.01, 32)
    assert {"after", "val_acc", "train/loss"} <= set(store.metrics(run.id))


def test_two_fits_are_two_runs_and_a_test_goes_on(package, store):
    for name in ("one", "two"):
        trainer = digits.trainer(package, TrainMonCallback(name=name), max_epochs=1)
        module = digits.module(package)
        trainer.fit(module, *digits.loaders())
        (result,) = trainer.test(module, digits.loaders()[1], verbose=False)
        trainer.validate(module, digits.loaders()[1], verbose=False)
        trainer.predict(module, digits.loaders()[1])
        run = ended(store, name)
        assert run.status == "completed"
        assert run.summary["test_acc"] == pytest.approx(result["test_acc"])
        assert store.metrics(run.id)["test_acc"]["last"] == pytest.approx(result["test_acc"])
        assert len(store.epochs(run.id)) == 1
    assert sorted(run.name for run in store.runs()) == ["one", "two"]


def test_a_callback_that_is_used_again_brings_nothing_of_its_first_run_along(package, store):
    callback = TrainMonCallback()
    runs = []
    for sets in (digits.loaders(), digits.loaders()[:1]):
        trainer = digits.trainer(package, callback, max_epochs=1)
        trainer.fit(digits.module(package), *sets)
        runs.append(store.run(callback.run.id))
        assert runs[-1].progress["images"] == len(sets[0].dataset)
        assert "train" in [event["message"] for event in store.events(callback.run.id) if event["kind"] == "phase"]
    assert "val_loss" in runs[0].summary and "val_loss" not in runs[1].summary
    assert runs[1].final_loss == pytest.approx(float(trainer.callback_metrics["train_loss_epoch"]))


def test_stop_from_outside(package, store):
    def ask(trainer):
        threading.Thread(target=lambda: trainmon.Store("trainmon").request(only(store).id, "stop")).run()

    trainer = digits.trainer(package, At(package, 3, ask), TrainMonCallback(every_seconds=0), max_epochs=50)
    trainer.fit(digits.module(package), *digits.loaders())
    assert (trainer.current_epoch, trainer.global_step) == (0 if trainer.global_step < 4 else trainer.current_epoch, 4)
    run = ended(store)
    assert run.status == "cancelled"
    assert (run.progress["epoch"], run.progress["batch"], run.progress["images"]) == (0, 4, 4 * digits.BATCH)
    assert store.epochs(run.id)[0]["val_accuracy"] is not None  # the epoch was ended in order
    trainer.test(trainer.model, digits.loaders()[1], verbose=False)
    assert ended(store).status == "cancelled"


def test_pause_from_outside(package, store):
    pauses, times = [], []

    def ask(trainer):
        pauses.append(Pause(only(store).id))
        times.append(time.monotonic())

    class After(package.Callback):
        def on_train_batch_start(self, trainer, module, batch, index):
            if index == 4 and trainer.current_epoch == 0:
                times.append(time.monotonic())

    callback = TrainMonCallback(every_seconds=0)
    trainer = digits.trainer(package, At(package, 3, ask), callback, After(), max_epochs=1)
    trainer.fit(digits.module(package), *digits.loaders())
    pauses[0].join()
    assert pauses[0].lasted >= 0.5
    assert times[1] - times[0] > pauses[0].lasted  # not a batch more
    run = ended(store)
    assert run.status == "completed"
    assert {"paused", "resumed"} <= {event["kind"] for event in store.events(run.id)}
    assert store.epochs(run.id)[0]["epoch_time_seconds"] < callback.session.loop.paused_seconds + 30
    assert callback.session.loop.paused_seconds >= pauses[0].lasted


def test_pause_and_stop_can_be_switched_off(package, store):
    def ask(trainer):
        trainmon.Store("trainmon").request(only(store).id, "stop")

    trainer = digits.trainer(package, At(package, 3, ask), TrainMonCallback(stop=False), max_epochs=2)
    trainer.fit(digits.module(package), *digits.loaders())
    assert trainer.current_epoch == 2


@pytest.mark.parametrize("logged", [True, False])
def test_an_exception(package, store, logged):
    def fail(trainer):
        raise RuntimeError("out of luck")

    trainer = digits.trainer(package, At(package, 2, fail), TrainMonCallback(), logger=TrainMonLogger() if logged else False)
    with pytest.raises(RuntimeError, match="out of luck"):
        trainer.fit(digits.module(package), *digits.loaders())
    run = ended(store)
    assert (run.status, run.error_text) == ("failed", "RuntimeError: out of luck")
    assert (run.progress["batch"], run.progress["images"]) == (2, 2 * digits.BATCH)


def test_an_exception_where_the_logger_is_alone(package, store):
    def fail(trainer):
        raise RuntimeError("out of luck")

    with pytest.raises(RuntimeError, match="out of luck"):
        digits.trainer(package, At(package, 2, fail), logger=TrainMonLogger()).fit(digits.module(package), *digits.loaders())
    run = ended(store)
    assert (run.status, run.error_text) == ("failed", "RuntimeError: out of luck")


def test_ctrl_c(package, store):
    def interrupt(trainer):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        digits.trainer(package, At(package, 2, interrupt), TrainMonCallback(), logger=TrainMonLogger()).fit(digits.module(package), *digits.loaders())
    assert ended(store).status == "cancelled"


def test_a_logger_alone(package, store):
    logger = TrainMonLogger(name="alone", prefix="a")
    trainer = digits.trainer(package, logger=logger)
    trainer.fit(digits.module(package), *digits.loaders())
    run = ended(store)
    assert (run.name, run.status) == ("alone", "completed")
    assert store.metrics(run.id)["a/val_acc"]["last"] == pytest.approx(float(trainer.callback_metrics["val_acc"]))
    assert logger.log_dir.endswith(f"lightning/alone/{run.id[:8]}")
    logger.experiment.log({"more": 1})
    logger.log_image("pictures", [digits.loaders()[1].dataset[0][0]], step=3, caption=["c"])
    logger.experiment.flush()
    assert [image["caption"] for image in store.images(run.id, "a/pictures")] == ["c"]
    logger.finalize("success")
    assert ended(store).status == "completed"


def test_a_fit_of_so_many_steps(package, store):
    for name, options in (("steps", {"max_epochs": -1, "max_steps": 9}), ("both", {"max_epochs": 50, "max_steps": 9}), ("epochs", {"max_steps": 5000})):
        callback = TrainMonCallback(name=name)
        digits.trainer(package, callback, **options).fit(digits.module(package), *digits.loaders())
        run = ended(store, name)
        assert (run.percent, run.epochs) == (100.0, 2 if name == "epochs" else 0)
        assert (run.progress["batch"], run.progress["batches"]) == ((9, 9) if name != "epochs" else (0, len(digits.loaders()[0])))


def test_fast_dev_run_and_barebones_leave_the_fit_alone(package, store):
    digits.trainer(package, TrainMonCallback(), logger=TrainMonLogger(), fast_dev_run=True).fit(digits.module(package), *digits.loaders())
    assert store.runs() == []
    package.Trainer(callbacks=[TrainMonCallback()], barebones=True, max_epochs=1, accelerator="cpu").fit(digits.module(package), *digits.loaders())
    run = ended(store)
    assert run.status == "completed"
    assert store.epochs(run.id)[0]["total_loss"] > 0


@pytest.mark.parametrize("logged", [True, False])
def test_resume_from_a_checkpoint(package, store, tmp_path, logged):
    def parts(name):
        return {"logger": TrainMonLogger(name=name) if logged else False}

    first = digits.trainer(package, TrainMonCallback(), max_epochs=2, **parts("x"))
    first.fit(digits.module(package), *digits.loaders())
    first.save_checkpoint(tmp_path / "c.ckpt")
    second = digits.trainer(package, TrainMonCallback(resume=True), max_epochs=3, **parts("y"))
    second.fit(digits.module(package), *digits.loaders(), ckpt_path=str(tmp_path / "c.ckpt"))
    run = only(store)
    assert [row["epoch"] for row in store.epochs(run.id)] == [0, 1, 2]
    assert [int(point["step"]) for point in store.points(run.id, "train/loss")] == list(range(30))
    assert run.progress["images"] == 3 * digits.TRAIN
    digits.trainer(package, TrainMonCallback(), max_epochs=4).fit(digits.module(package), *digits.loaders(), ckpt_path=str(tmp_path / "c.ckpt"))
    assert len(store.runs()) == 2  # not asked for


def test_an_unusable_store_lets_the_training_be(package, tmp_path):
    (tmp_path / "file").write_text("no folder")
    trainer = digits.trainer(package, TrainMonCallback(dir=str(tmp_path / "file")), logger=TrainMonLogger(), max_epochs=1)
    trainer.fit(digits.module(package), *digits.loaders())
    assert trainer.current_epoch == 1


def test_another_argument_than_init_has_is_no_exception(package):
    trainer = digits.trainer(package, TrainMonCallback(learning_rate="fast", epochs="many"), max_epochs=1)
    trainer.fit(digits.module(package), *digits.loaders())
    assert trainer.current_epoch == 1
