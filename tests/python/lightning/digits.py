# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Real trainings of a second: a small network on scikit-learn's handwritten digits."""

import functools
import importlib
import time

import torch
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

BATCH = 64
TRAIN, VAL = 640, 320
CLASSES = [f"digit {number}" for number in range(10)]


def pictures(store, id, name):
    """Gives the pictures of a run; the end of the run does not wait for them."""
    end = time.monotonic() + 30
    while not (found := store.images(id, name)) and time.monotonic() < end:
        time.sleep(0.01)
    return found


class Digits(TensorDataset):
    """Pictures of 8 x 8 and their numbers."""

    classes = CLASSES


def loaders(train=TRAIN, workers=0):
    digits = load_digits()
    pictures, labels = torch.tensor(digits.data / 16, dtype=torch.float32).reshape(-1, 1, 8, 8), torch.tensor(digits.target)
    return (DataLoader(Digits(pictures[:train], labels[:train]), BATCH, num_workers=workers),
            DataLoader(Digits(pictures[-VAL:], labels[-VAL:]), BATCH, num_workers=workers))


class Common:
    """What the modules of both packages have alike."""

    def __init__(self, lr=0.01, hidden=32):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, 10))

    def training_step(self, batch, index):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def on_train_epoch_end(self):
        self.log("late", float(self.current_epoch))

    def validation_step(self, batch, index):
        logits = self.net(batch[0])
        self.log("val_loss", torch.nn.functional.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())
        return {"logits": logits, "target": batch[1]}

    def test_step(self, batch, index):
        self.log("test_acc", (self.net(batch[0]).argmax(1) == batch[1]).float().mean())

    def predict_step(self, batch, index):
        return self.net(batch[0]).argmax(1)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), self.hparams.lr)


class TwoOptimizers(Common):
    """Steps two optimizers by hand in each batch, as GANs do."""

    def __init__(self, lr=0.01, hidden=32):
        super().__init__(lr, hidden)
        self.automatic_optimization = False

    def training_step(self, batch, index):
        for optimizer in self.optimizers():
            loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return {"loss": loss.detach()}

    def configure_optimizers(self):
        return [torch.optim.SGD(self.net[1].parameters(), 0.1), torch.optim.SGD(self.net[3].parameters(), 0.2)]


@functools.cache
def made(package, base):
    name = f"{base.__name__}_{package.__name__}".replace(".", "__")
    return type(base.__name__, (base, package.LightningModule), {"__module__": __name__, "__qualname__": name})


def module(package, base=Common, **options):
    """Gives a module of a package, the same weights each time."""
    torch.manual_seed(1)
    return made(package, base)(**options)


def __getattr__(name):
    """Finds a class again where a process was spawned."""
    base, _, package = name.partition("_")
    if base not in ("Common", "TwoOptimizers") or not package:
        raise AttributeError(name)
    return made(importlib.import_module(package.replace("__", ".")), globals()[base])


def trainer(package, *callbacks, **options):
    defaults = {"max_epochs": 2, "logger": False, "enable_progress_bar": False, "enable_model_summary": False,
                "enable_checkpointing": False, "log_every_n_steps": 3, "accelerator": "cpu", "devices": 1}
    return package.Trainer(callbacks=list(callbacks), **{**defaults, **options})
