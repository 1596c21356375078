# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Older releases of the framework, of which one is installed at a time: trainers that fire their events in their order, with values in their shapes."""

from types import SimpleNamespace

import numpy
import pytest
import torch
from ends import ended

from trainmon.ultralytics import attach

NAMES = {0: "cat", 1: "dog"}


class OldMatrix:
    """A confusion matrix as of 8.3: the score is an argument of its constructor."""

    def __init__(self):
        self.matrix = numpy.zeros((3, 3))

    def process_batch(self, detections, boxes, classes):
        self.matrix[0, 0] += 1
        self.matrix[2, 1] += 1


class OldValidator:
    """A validator as of 8.3, which fills its matrix with plots on."""

    def __init__(self):
        self.args = SimpleNamespace(plots=False, conf=0.001, task="detect")
        self.names, self.plots, self.speed, self.device, self.training = NAMES, {}, {"inference": 2.0}, "cpu", True
        self.nt_per_class = numpy.array([1, 1])
        box = SimpleNamespace(ap_class_index=numpy.array([1]), p=[0.5], r=[0.25], f1=[0.33], ap50=[0.4], ap=[0.2])
        self.metrics = SimpleNamespace(box=box)

    def update_metrics(self, preds, batch):
        if self.args.plots:
            self.confusion_matrix.process_batch(preds, batch, batch)


class OldTrainer:
    """A trainer that fires what 8.3 fires: a tensor of losses, no `teardown` after a failure, no other epoch number in the call after the final evaluation."""

    def __init__(self, folder, late=False):
        self.callbacks, self.late, self.stop, self.world_size, self.start_epoch = {}, late, False, 0, 0
        self.args = SimpleNamespace(task="detect", model="old.yaml", data="pets.yaml", imgsz=64, lr0=0.1)
        self.epochs, self.batch_size, self.device, self.plots = 2, 4, torch.device("cpu"), {}
        self.data = {"nc": 2, "names": NAMES}
        self.model = torch.nn.Linear(2, 1)
        self.train_loader = self.test_loader = torch.utils.data.DataLoader(list(range(8)), batch_size=4)
        self.optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
        self.validator, self.loss_names = OldValidator(), ("box_loss", "cls_loss")
        self.best, self.last = folder / "best.pt", folder / "last.pt"

    def add_callback(self, event, function):
        self.callbacks.setdefault(event, []).append(function)

    def fire(self, event, subject=None):
        for function in self.callbacks.get(event, []):
            function(subject or self)

    def label_loss_items(self, items=None, prefix="train"):
        return {f"{prefix}/{name}": round(float(value), 5) for name, value in zip(self.loss_names, items, strict=True)}

    def validate(self, training):
        validator = self.validator
        validator.training = training
        self.fire("on_val_start", validator)
        validator.confusion_matrix = OldMatrix()
        validator.update_metrics([], {})
        self.fire("on_val_end", validator)
        self.metrics = {"metrics/mAP50(B)": 0.5, **({"val/box_loss": 1.0, "val/cls_loss": 2.0} if training else {})}
        self.fitness = self.best_fitness = 0.5

    def train(self, fail=False):
        self.fire("on_pretrain_routine_start")
        self.fire("on_pretrain_routine_end")
        self.fire("on_train_start")
        for epoch in range(self.epochs):
            self.epoch = epoch
            self.fire("on_train_epoch_start")
            for batch in range(2):
                self.loss_items = torch.tensor([1.0 + batch, 2.0])
                self.tloss = torch.tensor([1.5, 2.0])
                self.fire("on_train_batch_end")
                if fail:
                    raise OSError("gone")
            self.lr = {"lr/pg0": 0.1}
            self.fire("on_train_epoch_end")
            self.validate(True)
            self.fire("on_model_save")
            self.epoch_time = 1.0
            self.fire("on_fit_epoch_end")
        self.validate(False)
        self.epoch += self.late
        self.fire("on_fit_epoch_end")
        self.epoch -= self.late
        self.fire("on_train_end")
        self.fire("teardown")


@pytest.mark.parametrize("late", [False, True])
def test_the_tensor_generation(store, tmp_path, late):
    trainer = OldTrainer(tmp_path, late)
    monitor = attach(trainer)
    trainer.train()
    record = ended(store, monitor.run.id)
    assert (record.status, record.dataset_name, record.model_type) == ("completed", "pets", "old")
    rows = store.epochs(record.id)
    assert [(row["epoch"], row["box_loss"], row["cls_loss"], row["total_loss"], row["val_loss"], row["map50"]) for row in rows] == [
        (1, 1.5, 2.0, 3.5, 3.0, 0.5), (2, 1.5, 2.0, 3.5, 3.0, 0.5)]
    assert store.points(record.id, "train/box_loss")["value"].tolist() == [1.0, 2.0, 1.0, 2.0]
    assert {row["epoch"] for row in store.results("confusion_matrices", record.id, dataset_split="val")} == {1, 2}
    assert store.results("confusion_matrices", record.id)[0]["matrix"] == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    (row,) = store.results("validation_results", record.id, dataset_split="final")
    assert (row["class_name"], row["recall"], row["instances"]) == ("dog", 0.25, 1)
    assert "update_metrics" not in vars(trainer.validator)
    assert trainer.validator.confusion_matrix.matrix.sum() == 0


def test_a_failure_that_nobody_told_of_ends_with_the_next_training(store, tmp_path):
    trainer = OldTrainer(tmp_path)
    monitor = attach(trainer)
    with pytest.raises(OSError, match="gone"):
        trainer.train(fail=True)
    first = monitor.run.id
    assert store.run(first).status == "running"
    trainer.train()
    assert ended(store, first).status == "failed"
    assert ended(store, monitor.run.id).status == "completed"
