# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A training from its settings to its checkpoints."""

import logging
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from retfound.classifier import Classifier, from_checkpoint, read_weights, start_from
from retfound.data.folder import Images, collate, scan
from retfound.errors import RetfoundError
from retfound.monitoring import create_monitoring_callback

logger = logging.getLogger("retfound")
if not logger.isEnabledFor(logging.DEBUG):
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # it tells of hardware and of its makers' products


@dataclass
class Result:
    """What a training came to: figures of the last validation, how it ended, where its checkpoints lie."""

    accuracy: float
    loss: float
    seconds: float
    status: str
    checkpoints: Path


class Lines(Callback):
    """Prints a line an epoch."""

    def on_validation_end(self, trainer, model):
        """Prints the figures of the validation."""
        if not trainer.sanity_checking:
            found = trainer.callback_metrics
            print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: " + ", ".join(
                f"{name} {float(found[name]):.4f}" for name in ("val/loss", "val/accuracy", "val/f1", "auc_roc/macro") if name in found), flush=True)


def loaders(config, folder):
    """Gives the loaders of both splits."""
    size, channels, workers = config["data.image_size"], config["data.channels"], config["data.workers"]
    whole = len(folder.train) + len(folder.val)
    made = []
    for entries, shuffle in ((folder.train, True), (folder.val, False)):
        images = Images(entries, size, channels, config["data.cache_mb"] * len(entries) // whole)
        made.append(torch.utils.data.DataLoader(images, config["training.batch_size"], shuffle=shuffle, num_workers=workers, collate_fn=collate,
                                                persistent_workers=workers > 0, generator=torch.Generator().manual_seed(config["data.seed"])))
    return made


def monitor_of(config, folder):
    """Gives the callback of trainmon as the settings want it; --resume goes on in the run in which the checkpoint was written."""
    critical, others = config.critical(folder.classes)
    if others:
        logger.warning("critical_thresholds name classes that the data set does not have: %s", ", ".join(others))
    return create_monitoring_callback(
        callback_type="retfound", update_frequency=config["monitoring.update_frequency"], critical_thresholds=critical,
        enable_class_monitoring=config["monitoring.classes"], enable_system_monitoring=config["monitoring.system"],
        groups=config.group_of(folder.classes), class_names=folder.classes, project="retfound", name=config["name"], model_type=config["model.type"],
        dataset_name=config["name"], dataset_size=len(folder.train), img_size=config["data.image_size"], config=dict(config),
        learning_rate=config["training.learning_rate"], resume=True)


def fit_arguments(config):
    """Gives the settings of the Trainer that do not depend on the run."""
    quiet = not sys.stderr.isatty()
    return {"max_epochs": config["training.epochs"], "accelerator": config["training.device"], "devices": 1, "logger": False, "num_sanity_val_steps": 0,
            "enable_progress_bar": not quiet, "enable_model_summary": False, "log_every_n_steps": 10}


def train(config, *, monitoring=False, init=None, resume=None):
    """Trains as the settings say. `init`: a file of weights to go on from; `resume`: a checkpoint whose training goes on. RetfoundError: it can't begin."""
    began = time.monotonic()
    checkpoint = read_weights(resume) if resume else {}
    folder = scan(config["data.folder"], config["data.val_fraction"], config["data.seed"])
    print(f"{len(folder.classes)} classes, {len(folder.train)} images to train, {len(folder.val)} to validate"
          + (f", {len(folder.broken)} broken ones left out (the first: {folder.broken[0]})" if folder.broken else ""), flush=True)
    if resume and checkpoint.get("hyper_parameters", {}).get("classes") != folder.classes:
        raise RetfoundError(f"{resume}: its classes are not those of {config['data.folder']}; use --init to go on from its weights")
    if resume and checkpoint["epoch"] + 1 >= config["training.epochs"]:
        raise RetfoundError(f"{resume} has {checkpoint['epoch'] + 1} epochs, and training.epochs is {config['training.epochs']}: nothing is left to do")
    lightning.seed_everything(config["data.seed"], verbose=False)
    model = Classifier(folder.classes, kind=config["model.type"], size=config["data.image_size"], channels=config["data.channels"],
                       width=config["model.width"], learning_rate=config["training.learning_rate"], weight_decay=config["training.weight_decay"])
    if init:
        print("weights: {} of {} from {}".format(*start_from(model, init), init), flush=True)
    target = Path(config["training.checkpoints"]) / config["name"]
    saver = ModelCheckpoint(target, "best", monitor="val/accuracy", mode="max", save_last=True, enable_version_counter=False)
    monitor = monitor_of(config, folder) if monitoring else None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(does not have many workers|LeafSpec|number of training batches|exists and is not empty).*")
        trainer = lightning.Trainer(callbacks=[Lines(), saver], **fit_arguments(config))
        if monitor is not None:
            trainer.callbacks.append(monitor)
        trainer.fit(model, *loaders(config, folder), ckpt_path=resume, weights_only=True)
    found = {name: float(value) for name, value in trainer.callback_metrics.items()}
    stopped = trainer.current_epoch < config["training.epochs"]
    return Result(found.get("val/accuracy", float("nan")), found.get("val/loss", float("nan")), time.monotonic() - began,
                  "stopped" if stopped else "completed", target)


def evaluate(config, path):
    """Gives figures of a checkpoint on the validation images, and the sensitivity of each class."""
    model = from_checkpoint(path)
    folder = scan(config["data.folder"], config["data.val_fraction"], config["data.seed"])
    if folder.classes != model.classes:
        raise RetfoundError(f"{path}: its classes are not those of {config['data.folder']}")
    hits, counts, total = [0] * len(model.classes), [0] * len(model.classes), 0
    size, channels = model.hparams.size, model.hparams.channels
    loader = torch.utils.data.DataLoader(Images(folder.val, size, channels), config["training.batch_size"], collate_fn=collate)
    with torch.inference_mode():
        for images, targets in filter(None, loader):
            for target, right in zip(targets.tolist(), (model(images).argmax(1) == targets).tolist(), strict=True):
                hits[target] += right
                counts[target] += 1
                total += right
    return total / max(1, sum(counts)), {name: (hit / count if count else None, count) for name, hit, count in zip(model.classes, hits, counts, strict=True)}
