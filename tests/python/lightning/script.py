# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A training script as a user has it: PACKAGE STRATEGY WHAT, with two processes unless the strategy is "auto"."""

import importlib
import json
import os
import sys
import threading
import time

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import digits

import trainmon
from trainmon.lightning import TrainMonCallback, TrainMonLogger


def main(package, strategy, what):
    torch.set_num_threads(1)
    package = importlib.import_module(package)

    class Watch(package.Callback):
        """Says what each process saw, and asks for a stop from outside."""

        def on_train_batch_end(self, trainer, module, outputs, batch, index):
            if what == "stop" and index == 2 and trainer.is_global_zero and trainer.current_epoch == 1:
                threading.Thread(target=ask, args=("stop",)).start()
            if what == "pause" and index == 2 and trainer.is_global_zero and trainer.current_epoch == 0:
                ask("pause")
                threading.Timer(0.5, ask, args=("run",)).start()
            if what == "wait":
                print("batch", flush=True)
                time.sleep(60)  # ended by the signal that is waited for

        def on_train_end(self, trainer, module):
            with open(f"rank{trainer.global_rank}.json", "w", encoding="utf-8") as file:
                json.dump({"steps": trainer.global_step, "metrics": {name: float(value) for name, value in trainer.callback_metrics.items()}}, file)

    def stop_at_a_loss():
        with trainmon.Store("trainmon") as store:
            while "train/loss" not in store.metrics(store.runs()[0].id):
                time.sleep(0.1)
        ask("stop")

    def ask(control):
        with trainmon.Store("trainmon") as store:
            store.request(store.runs()[0].id, control)

    many = {} if strategy == "auto" else {"devices": 2, "strategy": strategy}
    epochs = {"stop": 10_000, "wait": 100, "init and stop": 10_000}.get(what, 2)
    if what.startswith("init"):
        trainmon.init(name="script", config={"script's": 1})
    if what == "init and stop":
        threading.Thread(target=stop_at_a_loss, daemon=True).start()
    watch = () if strategy == "ddp_spawn" else (Watch(),)  # a class of a function can't be pickled
    trainer = digits.trainer(package, TrainMonCallback(notes="n", critical={"digit 1": 0.9}), *watch, logger=TrainMonLogger(), max_epochs=epochs, **many)
    trainer.fit(digits.module(package), *digits.loaders(workers=1 if what == "workers" else 0))


if __name__ == "__main__":
    main(*sys.argv[1:])
