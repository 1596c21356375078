# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Trainings on several devices: the framework starts processes for them, in which older releases know nothing of the callbacks of a model."""

from __future__ import annotations

import logging
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

logger = logging.getLogger("trainmon")

NAMES = {"classify": "Classification", "segment": "Segmentation", "pose": "Pose", "obb": "OBB"}  # of the trainers, by task


def count_devices(device: Any) -> int:
    """Gives how many devices the argument `device` of a training lists."""
    if isinstance(device, str):
        return len([entry for entry in device.strip("[]() ").split(",") if entry.strip()])
    return len(device) if isinstance(device, (list, tuple)) else 1


def rank() -> int:
    """Gives which process of a training on several devices this is; 0 when it is alone."""
    text = os.environ.get("RANK", "")
    return int(text) if text.isdigit() else 0


class WatchedTrain:
    """Stands before `model.train` and warns where a training would start processes that do not record. A copy of the model gets a copy of it."""

    def __init__(self, model: Any) -> None:
        """Keeps the model, whose class has the real method."""
        self.model = model

    def __call__(self, trainer: Any = None, *arguments: Any, **options: Any) -> Any:
        """Trains as the method of the model's class does."""
        device = options.get("device", getattr(self.model, "overrides", {}).get("device"))
        if count_devices(device) > 1 and not hasattr(trainer, "trainmon_monitor") and "RANK" not in os.environ:
            name = NAMES.get(str(getattr(self.model, "task", "")), "Detection")
            logger.warning("device=%r starts a process for each device, and many releases of Ultralytics drop callbacks there: THIS TRAINING MAY NOT BE "
                           "RECORDED. Use model.train(trainer=trainmon.ultralytics.%sTrainer, ...)", device, name)
        return type(self.model).train(self.model, trainer, *arguments, **options)


def watch(model: Any) -> None:
    """Puts a WatchedTrain before the method of a model; a trainer has no need of it."""
    if "overrides" in vars(model) and "train" not in vars(model):
        vars(model)["train"] = WatchedTrain(model)
