# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What a fit leaves in the store, held against what Lightning itself reports."""

import csv
import math
import time

import digits
import numpy
import pytest
import torch
from ends import ended
from sklearn.metrics import confusion_matrix, roc_auc_score

import trainmon
from trainmon.lightning import TrainMonCallback, TrainMonLogger

BATCHES = digits.TRAIN // digits.BATCH


def points(store, run, name):
    return [(int(point["step"]), float(point["value"])) for point in store.points(run.id, name)]


def only(store):
    (run,) = store.runs()
    return run


def test_the_logger_has_what_csv_has(package, store):
    csv_logger = __import__(f"{package.__name__}.loggers", fromlist=["CSVLogger"]).CSVLogger("csv")
    monitor = __import__(f"{package.__name__}.callbacks", fromlist=["x"]).LearningRateMonitor(logging_interval="step")
    digits.trainer(package, TrainMonCallback(), monitor, logger=[TrainMonLogger(), csv_logger], max_epochs=3).fit(digits.module(package), *digits.loaders())
    run = only(store)
    with open(f"{csv_logger.log_dir}/metrics.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in set(rows[0]) - {"step", "epoch"}:
        expected = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        found = points(store, run, name)
        assert dict(found) == pytest.approx(dict(expected)), name
        assert len(found) == len(expected), name


@pytest.mark.parametrize("logged", [True, False])
def test_epoch_rows_have_the_values_of_their_epoch(package, store, logged):
    seen = {}

    class Witness(package.Callback):
        def on_train_epoch_start(self, trainer, module):
            if trainer.current_epoch:
                seen[trainer.current_epoch - 1] = {name: float(value) for name, value in trainer.callback_metrics.items()}

        def on_train_end(self, trainer, module):
            seen[trainer.current_epoch - 1] = {name: float(value) for name, value in trainer.callback_metrics.items()}

    trainer = digits.trainer(package, TrainMonCallback(), Witness(), max_epochs=4, check_val_every_n_epoch=2, logger=TrainMonLogger() if logged else False)
    trainer.fit(digits.module(package), *digits.loaders())
    rows = store.epochs(only(store).id)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    for epoch, row in enumerate(rows):
        assert row["total_loss"] == pytest.approx(seen[epoch]["train_loss"])
        assert row["extra"]["late"] == epoch == seen[epoch]["late"]
        assert row["learning_rate"] == 0.01
        assert row["epoch_time_seconds"] > 0
        # A stale value of the epoch before is not one of this epoch.
        assert row["val_accuracy"] == (pytest.approx(seen[epoch]["val_acc"]) if epoch % 2 else None)
    assert {name: round(only(store).summary[name], 6) for name in ("val_loss", "train_loss")} == \
        {name: round(float(trainer.callback_metrics[name]), 6) for name in ("val_loss", "train_loss")}
    late = points(store, only(store), "late")
    assert [value for _, value in late] == [0, 1, 2, 3]


def test_the_loss_of_each_batch(package, store):
    losses = []

    class Witness(package.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            losses.append(float(outputs["loss"]))

    digits.trainer(package, TrainMonCallback(), Witness(), max_epochs=2).fit(digits.module(package), *digits.loaders())
    assert points(store, only(store), "train/loss") == list(enumerate(losses))


def test_what_is_known_of_the_training(package, store):
    callback = TrainMonCallback(project="p", notes="n", config={"mine": 1})
    fit = digits.trainer(package, callback, logger=TrainMonLogger(name="first"), enable_checkpointing=True)
    fit.fit(digits.module(package, hidden=16), *digits.loaders())
    run = ended(store)
    assert (run.name, run.status, run.notes, run.model_type, run.dataset_name) == ("first", "completed", "n", "Common", "Digits")
    assert (run.dataset_size, run.batch_size, run.epochs, run.learning_rate, run.tags) == (digits.TRAIN, digits.BATCH, 2, 0.01, ["project:p"])
    assert {name: run.config[name] for name in ("lr", "hidden", "mine", "parameters")} == \
        {"lr": 0.01, "hidden": 16, "mine": 1, "parameters": 64 * 16 + 16 + 170}
    assert (run.progress["epoch"], run.progress["images"]) == (2, 2 * digits.TRAIN)
    assert run.model_path == fit.checkpoint_callback.best_model_path
    saved = [event for event in store.events(run.id) if event["kind"] == "checkpoint"]
    assert saved[-1]["message"] == run.model_path
    assert run.id[:8] in run.model_path
    phases = [event["message"] for event in store.events(run.id) if event["kind"] == "phase"]
    assert phases[:3] == ["sanity", "train", "validate"]


def test_classes(package, store):
    module = digits.module(package)
    callback = TrainMonCallback(critical={"digit 3": 0.999}, groups={"digit 3": "odd"}, images="digits")
    trainer = digits.trainer(package, callback, max_epochs=2)
    train, val = digits.loaders()
    trainer.fit(module, train, val)
    run = only(store)
    pictures, labels = val.dataset.tensors
    with torch.no_grad():  # in the batches of the validation: others round otherwise
        probabilities = torch.cat([module.net(batch).softmax(1) for batch in pictures.split(digits.BATCH)]).numpy()
    matrices = store.results("confusion_matrices", run.id)
    assert sorted(matrix["epoch"] for matrix in matrices) == [0, 1]  # the sanity check is none
    last = next(matrix for matrix in matrices if matrix["epoch"] == 1)
    expected = confusion_matrix(labels, probabilities.argmax(1), labels=range(10))
    assert numpy.array_equal(numpy.array(last["matrix"]), expected)
    rows = {row["class_name"]: row for row in store.results("validation_results", run.id, by_epoch=True, epoch=1)}
    for number, name in enumerate(digits.CLASSES):
        assert rows[name]["support"] == expected[number].sum()
        assert rows[name]["sensitivity"] == pytest.approx(expected[number, number] / expected[number].sum())
        assert rows[name]["auc_roc"] == pytest.approx(roc_auc_score(labels == number, probabilities[:, number]), abs=2e-4)
    assert rows["digit 3"]["class_group"] == "odd"
    assert store.conditions(run.id)["digit 3"]["status"] in ("warning", "critical")
    images = digits.pictures(store, run.id, "digits")
    assert {image["label"] for image in images} <= set(digits.CLASSES)
    assert images


def test_critical_rules_stand_before_the_first_value(package, store):
    class Look(package.Callback):
        def on_train_start(self, trainer, module):
            self.found = trainmon.Store("trainmon").conditions(only(store).id)

    look = Look()
    callback = TrainMonCallback(critical={"digit 1": 0.9})
    digits.trainer(package, callback, look, max_epochs=1, num_sanity_val_steps=0).fit(digits.module(package), *digits.loaders())
    assert look.found["digit 1"]["threshold"] == 0.9


def test_accumulation_counts_steps_and_keeps_whole_losses(package, store):
    module = digits.module(package)
    trainer = digits.trainer(package, TrainMonCallback(), logger=TrainMonLogger(), accumulate_grad_batches=2, max_epochs=1, log_every_n_steps=1)
    trainer.fit(module, *digits.loaders())
    run = only(store)
    own, logged = points(store, run, "train/loss"), points(store, run, "train_loss_step")
    assert [step for step, _ in own] == [batch // 2 for batch in range(BATCHES)]
    assert dict(own) == pytest.approx(dict(logged))


def test_two_optimizers(package, store):
    trainer = digits.trainer(package, TrainMonCallback(), max_epochs=2)
    trainer.fit(digits.module(package, digits.TwoOptimizers), *digits.loaders())
    run = only(store)
    assert trainer.global_step == 2 * 2 * BATCHES
    assert [step for step, _ in points(store, run, "train/loss")] == list(range(2 * BATCHES))
    last = {name: metric["last"] for name, metric in store.metrics(run.id).items()}
    assert (last["lr/pg0"], last["lr/pg1"]) == (0.1, 0.2)
    rows = store.epochs(run.id)
    per_epoch = [value for _, value in points(store, run, "train/loss")]
    assert rows[0]["total_loss"] == pytest.approx(math.fsum(per_epoch[:BATCHES]) / BATCHES)


def test_nothing_of_the_training_changes(package):
    weights = []
    for watched in (False, True):
        torch.manual_seed(3)
        module = digits.module(package)
        callbacks = [TrainMonCallback(images="digits")] if watched else []
        digits.trainer(package, *callbacks, logger=TrainMonLogger() if watched else False).fit(module, *digits.loaders())
        weights.append(torch.nn.utils.parameters_to_vector(module.parameters()))
    assert torch.equal(*weights)


def only_odd(samples):
    """A collation that leaves samples out, as one that skips broken files does."""
    return torch.utils.data.default_collate([sample for sample in samples if sample[1] % 2] or samples)


@pytest.mark.parametrize("loader", [{}, {"drop_last": True}, {"shuffle": True}, {"collate_fn": only_odd}, {"batch_size": 1}, {"limit": 2}],
                         ids=lambda options: next(iter(options), "short end"))
def test_images_are_counted_exactly(package, store, loader):
    seen = []

    class Count(package.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            seen.append(len(batch[1]))

    options = {"batch_size": digits.BATCH, **loader}
    limit = options.pop("limit", 1.0)
    data = digits.loaders(150)[0].dataset  # two whole batches and 22 more
    digits.trainer(package, TrainMonCallback(), Count(), limit_train_batches=limit).fit(digits.module(package), torch.utils.data.DataLoader(data, **options))
    assert only(store).progress["images"] == sum(seen)
    assert len(set(seen)) == (2 if loader in ({}, {"shuffle": True}) else 3 if "collate_fn" in loader else 1)


def test_speed_leaves_out_validation_and_pauses(package, store):
    validated = []

    class Slow(package.Callback):
        def on_train_start(self, trainer, module):
            validated.clear()  # of the sanity check
            self.begin = time.monotonic()

        def on_validation_batch_end(self, trainer, module, outputs, batch, index):
            begin = time.monotonic()
            time.sleep(0.2)
            validated.append(time.monotonic() - begin)

        def on_train_end(self, trainer, module):
            self.lasted = time.monotonic() - self.begin

    slow = Slow()
    digits.trainer(package, slow, TrainMonCallback(), max_epochs=2, val_check_interval=5).fit(digits.module(package), *digits.loaders())
    speeds = points(store, only(store), "train/batch_ms")
    batches = numpy.diff([step for step, _ in speeds], prepend=-1)
    assert len(speeds) >= 4 and sum(batches) == 2 * BATCHES, speeds
    # A validation takes a second; however slow the machine is, the batches took no longer than all that was no validation.
    assert sum(batches * [value for _, value in speeds]) / 1000 < slow.lasted - sum(validated), speeds
    assert all(value > 0 for _, value in points(store, only(store), "train/images_per_second"))
