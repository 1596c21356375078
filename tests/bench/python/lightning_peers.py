# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Measures the share of a small Lightning model's step that a tracker takes, which logs each batch through its own Lightning logger.

Where a tracker has none, a callback of a few lines calls its log function, as its users do. The fit is that of lightning_step.py; it ends after SECONDS. Prints
JSON: us a step in the tracker's bodies (median and mean), % of the step, us of the wrapper around an empty hook, the step in ms, batches. What a tracker does
in threads of its own is in the step only. usage: lightning_peers.py TRACKER FOLDER [BATCHES]; "none" logs nothing.
"""

import contextlib
import json
import os
import sys

from trackers import TRACKERS, environment

SECONDS = 10
tracker, folder = sys.argv[1:3]
os.environ.update(environment(folder))  # before the imports, which read it

import lightning_step  # noqa: E402
from lightning import pytorch as lightning  # noqa: E402
from lightning.pytorch import loggers  # noqa: E402


class LogEachBatch(lightning.Callback):
    """For a tracker without a logger for Lightning."""

    def __init__(self, tracker):
        self.tracker = tracker

    def on_train_batch_end(self, trainer, module, outputs, batch, index):
        self.tracker.log({"train_loss": outputs["loss"].item(), "epoch": trainer.current_epoch}, trainer.global_step)


def by_callback(name):
    tracker = TRACKERS[name](folder)
    tracker.start()
    return [LogEachBatch(tracker)], None


def trainmon():
    from trainmon.lightning import TrainMonCallback, TrainMonLogger

    return [TrainMonCallback(hardware=0)], TrainMonLogger()


def wandb():
    import wandb

    return [], loggers.WandbLogger(project="bench", save_dir=folder, offline=True, settings=wandb.Settings(x_disable_stats=True, console="off"))


def aim():
    from aim.pytorch_lightning import AimLogger

    return [], AimLogger(repo=folder, system_tracking_interval=None, capture_terminal_logs=False, log_system_params=False)


def dvclive():
    from dvclive.lightning import DVCLiveLogger

    return [], DVCLiveLogger(dir=folder, save_dvc_exp=False, dvcyaml=None, report=None)


def swanlab():
    from swanlab.integration.pytorch_lightning import SwanLabLogger

    return [], SwanLabLogger(project="bench", mode="offline", log_dir=folder)


LOGGERS = {
    "none": lambda: ([], None),
    "trainmon": trainmon,
    "torch SummaryWriter": lambda: ([], loggers.TensorBoardLogger(folder)),
    "tensorboardX": lambda: by_callback("tensorboardX"),
    "CSVLogger": lambda: ([], loggers.CSVLogger(folder)),
    "wandb offline": wandb,
    "mlflow SQLite": lambda: ([], loggers.MLFlowLogger("bench", tracking_uri=f"sqlite:///{folder}/mlflow.db")),
    "aim": aim,
    "trackio": lambda: by_callback("trackio"),
    "dvclive": dvclive,
    "swanlab": swanlab,
}


def main():
    lightning_step.quiet()
    with contextlib.redirect_stdout(sys.stderr):
        callbacks, logger = LOGGERS[tracker]()
        step, found, wrapper, batches = lightning_step.fit(callbacks, logger or False, int(sys.argv[3]) if len(sys.argv) > 3 else 600, 1, SECONDS)
    mean, median = sum(map(sum, found.values())) / batches, sum(map(lightning_step.median, found.values()))
    result = {"p50_us": median * 1e6, "us": mean * 1e6, "share": 100 * mean / step, "wrapper_us": sum(wrapper) / batches * 1e6, "step_ms": step * 1e3,
              "batches": batches, "bodies": {name: sum(spent) / batches * 1e6 for name, spent in found.items()}}
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
