# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A classification: other losses, other metrics, and a matrix that the framework fills by itself.

Its data sets are torchvision's, which is not there; so a subclass reads the pictures, and all else is the framework's.
"""

import copy
from pathlib import Path

import numpy
import pytest
import torch
from ends import ended
from PIL import Image
from sklearn.datasets import load_digits
from ultralytics.models.yolo.classify import ClassificationTrainer, ClassificationValidator

from trainmon.ultralytics import attach

COUNTS = {"train": 160, "val": 80}


class Digits(torch.utils.data.Dataset):
    """The pictures of a folder with a folder a class."""

    torch_transforms = None

    def __init__(self, folder):
        self.samples = sorted(Path(folder).glob("*/*.png"))

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path = self.samples[index]
        pixels = torch.from_numpy(numpy.asarray(Image.open(path).convert("RGB")).copy()).permute(2, 0, 1).float() / 255
        return {"img": pixels, "cls": int(path.parent.name)}


class Validator(ClassificationValidator):
    def build_dataset(self, img_path):
        return Digits(img_path)


class Trainer(ClassificationTrainer):
    def build_dataset(self, img_path, mode="train", batch=None):
        return Digits(img_path)

    def get_validator(self):
        return Validator(self.test_loader, self.save_dir, args=copy.copy(self.args), _callbacks=self.callbacks)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("classes")
    digits, labels = load_digits(return_X_y=True)
    begin = 0
    for split, count in COUNTS.items():
        for index in range(begin, begin + count):
            place = root / split / str(labels[index])
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray((digits[index].reshape(8, 8) * 15).astype(numpy.uint8)).resize((32, 32)).save(place / f"{index}.png")
        begin += count
    return root


def test_a_classification_is_recorded(folder, store, train):
    from ultralytics import YOLO

    model = YOLO("yolo11n-cls.yaml")
    monitor = attach(model, critical={"3": 0.99}, groups={"3": "odd"})
    matrices, told = [], []
    model.add_callback("on_val_end", lambda validator: matrices.append(validator.confusion_matrix.matrix.copy()))
    model.add_callback("on_fit_epoch_end", lambda trainer: told.append((dict(trainer.metrics), float(trainer.tloss["loss"]))))
    train(model, trainer=Trainer, data=str(folder), imgsz=32, batch=32, nbs=32)

    record = ended(store, monitor.run.id)
    assert (record.status, record.dataset_name, record.dataset_size) == ("completed", folder.name, 160)
    rows = store.epochs(record.id)
    assert len(rows) == 2
    for row, (metrics, loss) in zip(rows, told, strict=False):
        assert row["total_loss"] == pytest.approx(loss, abs=1e-4)
        assert row["val_loss"] == pytest.approx(metrics["val/loss"])
        assert row["extra"]["metrics/accuracy_top1"] == pytest.approx(metrics["metrics/accuracy_top1"])
    assert store.metrics(record.id)["final/metrics/accuracy_top5"]["last"] == pytest.approx(told[-1][0]["metrics/accuracy_top5"])
    assert record.best_metric == "metrics/accuracy_top1:max"

    stored = {(row["epoch"], row["dataset_split"]): row for row in store.results("confusion_matrices", record.id)}
    for key, matrix in zip([(1, "val"), (2, "val"), (2, "final")], matrices, strict=True):
        assert stored[key]["matrix"] == matrix.T.astype(int).tolist()
        assert stored[key]["class_names"] == [str(digit) for digit in range(10)]
        assert stored[key]["total"] == 80
    three = matrices[1][:, 3]
    assert store.conditions(record.id)["3"]["sensitivity"] == pytest.approx(three[3] / three.sum())
