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

import torch
from lightning import pytorch as lightning
from torch.utils.data import DataLoader, TensorDataset

import trainmon
from trainmon.lightning import TrainMonCallback, TrainMonLogger

BATCHES = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
BATCH = 32


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


def timed(owner, name, spent):
    method = getattr(owner, name)

    def call(*arguments, **options):
        begin = time.perf_counter()
        result = method(*arguments, **options)
        spent.append(time.perf_counter() - begin)
        return result

    setattr(owner, name, call)


def repeated():
    """Gives the seconds of the callback's body called again and again in a batch: its own work, without the cold caches of a step."""
    callback, found = TrainMonCallback(), []

    class Repeat(lightning.Callback):
        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            if index == 10:
                found.extend(timeit.repeat(lambda: callback.on_train_batch_end(trainer, module, outputs, batch, index), number=2_000, repeat=5))

    trainer = lightning.Trainer(max_epochs=1, limit_train_batches=12, callbacks=[callback, Repeat()], logger=False, accelerator="cpu", devices=1,
                                enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False)
    trainer.fit(Small(), DataLoader(TensorDataset(torch.rand(12 * BATCH, 64), torch.randint(10, (12 * BATCH,))), BATCH))
    return min(found) / 2_000


def main():
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    data = DataLoader(TensorDataset(torch.rand(BATCHES * BATCH, 64), torch.randint(10, (BATCHES * BATCH,))), BATCH)
    callback, logger = TrainMonCallback(), TrainMonLogger()
    batch_ends, logs = [], []
    timed(callback, "on_train_batch_end", batch_ends)
    timed(logger, "log_metrics", logs)
    trainer = lightning.Trainer(max_epochs=1, callbacks=[callback], logger=logger, accelerator="cpu", devices=1, enable_progress_bar=False,
                                enable_model_summary=False, enable_checkpointing=False)
    begin = time.perf_counter()
    trainer.fit(Small(), data)
    step = (time.perf_counter() - begin) / BATCHES
    ordered = sorted(batch_ends)
    mean = (sum(batch_ends) + sum(logs)) / BATCHES
    for name, value, unit, what in [
        ("lightning_body", repeated() * 1e6, "us", "callback in a batch, repeated: its own work"),
        ("lightning_step_p50", ordered[len(ordered) // 2] * 1e6, "us", "callback in a batch without reading"),
        ("lightning_step_mean", mean * 1e6, "us", "callback and logger, mean of all batches with what is done every 0.1 s"),
        ("lightning_step_share", 100 * mean / step, "%", "of the step of a small model"),
        ("lightning_log_p50", sorted(logs)[len(logs) // 2] * 1e6, "us", "logger in a call of log_metrics (one of 50 batches)"),
        ("lightning_step_time", step * 1e3, "ms", "the step itself"),
    ]:
        print(json.dumps({"name": name, "measured": round(value, 3), "unit": unit, "what": what, "batches": BATCHES}))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRAINMON_DIR"] = folder
        main()
        trainmon.finish()
