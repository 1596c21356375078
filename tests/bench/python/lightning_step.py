# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Measures what the Lightning callback and logger cost a step: the time inside their own bodies, in a real fit.

Whole fits differ by more than a percent from run to run, so their difference says nothing; the bodies are timed where Lightning calls them. Prints a line of
JSON each: name, measured, unit, what. usage: lightning_step.py [BATCHES]
"""

import json
import logging
import os
import sys
import tempfile
import time
import timeit
import warnings

import torch
from lightning import pytorch as lightning
from torch.utils.data import DataLoader, TensorDataset

BATCH = 32
HOOKS = ("on_train_batch_start", "on_before_zero_grad", "on_before_backward", "on_after_backward", "on_before_optimizer_step", "on_train_batch_end")
QUIET = {"accelerator": "cpu", "devices": 1, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}


class Small(lightning.LightningModule):
    """A network whose step takes about a millisecond."""

    def __init__(self) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))

    def training_step(self, batch, index):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-3)


class Empty(lightning.Callback):
    """A hook that does nothing, timed as the others are: what of their times is the timing's own."""

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        pass


class Clock(lightning.Callback):
    """When the first batch began and the last one ended."""

    begin = end = 0.0

    def on_train_batch_start(self, trainer, module, batch, index):
        self.begin = self.begin or time.perf_counter()

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.end = time.perf_counter()


def timed(owner, name):
    """Has a method of an object timed; gives the list that its seconds go to."""
    method, spent = getattr(owner, name), []

    def call(*arguments, **options):
        begin = time.perf_counter()
        result = method(*arguments, **options)
        spent.append(time.perf_counter() - begin)
        return result

    setattr(owner, name, call)
    return spent


def bodies(callbacks, logger):
    """Times all that Lightning calls in a step: the hooks that a callback has of its own, and the logger; gives the seconds of each by its name."""
    found = {}
    for callback in callbacks:
        for name in HOOKS:
            if getattr(type(callback), name) is not getattr(lightning.Callback, name):
                found[f"{type(callback).__name__}.{name}"] = timed(callback, name)
    for name in ("log_metrics", "save") if logger else ():
        found[f"{type(logger).__name__}.{name}"] = timed(logger, name)
    return found


def data_of(batches):
    return DataLoader(TensorDataset(torch.rand(batches * BATCH, 64), torch.randint(10, (batches * BATCH,))), BATCH)


def fit(callbacks, logger, batches, every, seconds=None):
    """Trains; gives the seconds of a step, the seconds inside each body, those of an empty hook, and how many batches it took. `every`: log_every_n_steps."""
    empty, clock = Empty(), Clock()
    found, wrapper = bodies(callbacks, logger), timed(empty, "on_train_batch_end")
    trainer = lightning.Trainer(max_epochs=1, callbacks=[*callbacks, empty, clock], logger=logger, log_every_n_steps=every,
                                max_time=seconds and {"seconds": seconds}, **QUIET)
    trainer.fit(Small(), data_of(batches))
    return (clock.end - clock.begin) / trainer.global_step, found, wrapper, trainer.global_step


def repeated():
    """Gives the seconds of the callback's body called again and again in a batch: its own work, without the cold caches of a step."""
    from trainmon.lightning import TrainMonCallback

    callback, found = TrainMonCallback(), []

    class Repeat(lightning.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            if index == 10:
                found.extend(timeit.repeat(lambda: callback.on_train_batch_end(trainer, module, outputs, batch, index), number=2_000, repeat=5))

    trainer = lightning.Trainer(max_epochs=1, limit_train_batches=12, callbacks=[callback, Repeat()], logger=False, **QUIET)
    trainer.fit(Small(), data_of(12))
    return min(found) / 2_000


def quiet():
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)


def median(values):
    return sorted(values)[len(values) // 2] if values else 0.0


def main():
    from trainmon.lightning import TrainMonCallback, TrainMonLogger

    quiet()
    batches = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    callback, logger = TrainMonCallback(), TrainMonLogger()
    step, found, wrapper, batches = fit([callback], logger, batches, 50)
    names = {name.split(".")[1]: spent for name, spent in found.items()}
    mean = sum(map(sum, found.values())) / batches
    for name, value, unit, what in [
        ("lightning_body", repeated() * 1e6, "us", "callback in a batch, repeated: its own work"),
        ("lightning_step_p50", median(names["on_train_batch_end"]) * 1e6, "us", "callback in a batch without reading"),
        ("lightning_step_mean", mean * 1e6, "us", "callback and logger, mean of all batches with what is done seldom"),
        ("lightning_step_share", 100 * mean / step, "%", "of the step of a small model"),
        ("lightning_wrapper_p50", median(wrapper) * 1e6, "us", "wrapper around an empty hook, which the figures above hold too"),
        ("lightning_wrapper_mean", sum(wrapper) / batches * 1e6, "us", "wrapper around an empty hook"),
        ("lightning_log_p50", median(names["log_metrics"]) * 1e6, "us", "logger in a call of log_metrics (one of 50 batches)"),
        ("lightning_step_time", step * 1e3, "ms", "the step itself"),
    ]:
        print(json.dumps({"name": name, "measured": round(value, 3), "unit": unit, "what": what, "batches": batches}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRAINMON_DIR"] = folder
        main()
        import trainmon

        trainmon.finish()
