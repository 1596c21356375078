# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Trainers of Ultralytics that bring their recording along.

On several GPUs the framework starts processes which build the trainer anew, from its class and its arguments; callbacks of the model are not there in many
releases. A class that can be imported by name and puts the callbacks in its constructor survives. What `attach` was told goes through the environment.
"""

from __future__ import annotations

import contextlib
import json
import os

from trainmon import current
from trainmon import values as conversion
from trainmon.ultralytics.monitor import Monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VARIABLE = "TRAINMON_ULTRALYTICS"  # JSON of the options of the Monitor, for processes that a trainer starts
BASES = {"ClassificationTrainer": "classify", "DetectionTrainer": "detect", "OBBTrainer": "obb", "PoseTrainer": "pose", "SegmentationTrainer": "segment"}


def make(name: str, module: str) -> Any:
    """Makes the class `name` of `module` out of the framework's class of that name. ImportError: there is no Ultralytics."""
    import importlib  # the framework only comes in here

    base = getattr(importlib.import_module(f"ultralytics.models.yolo.{BASES[name]}"), name)

    def __init__(self: Any, *arguments: Any, **options: Any) -> None:
        """Takes what the framework's trainer takes."""
        if len(arguments) > 2:
            options["_callbacks"], arguments = arguments[2], arguments[:2]
        callbacks, self.trainmon_monitor = with_monitor(options.pop("_callbacks", None))
        base.__init__(self, *arguments, _callbacks=callbacks, **options)

    def train(self: Any) -> Any:
        """Trains; processes started for it hear what they are to record."""
        with handed_over(self):
            return base.train(self)

    doc = f"{name} of Ultralytics, which records itself in each process: `model.train(trainer=trainmon.ultralytics.{name}, device=\"0,1\")`."
    return type(name, (base,), {"__doc__": doc, "__module__": module, "__qualname__": name, "__init__": __init__, "train": train, "trainmon_monitor": None})


def with_monitor(callbacks: Any) -> tuple[Any, Monitor]:
    """Gives callbacks that have a Monitor, and it: one of what another process handed over, the one of `attach`, or a new one."""
    if not callbacks:
        from ultralytics.utils.callbacks import get_default_callbacks  # ours are added to the framework's own

        callbacks = get_default_callbacks()
    handed = os.environ.get(VARIABLE)
    found = None if handed else Monitor.find(callbacks)  # late releases hand over the callbacks too, but not the run's id
    if found is None:
        found = Monitor(**json.loads(handed or "{}"))
        found.join(callbacks)
    return callbacks, found


@contextlib.contextmanager
def handed_over(trainer: Any) -> Iterator[None]:
    """Puts the options of the trainer's Monitor and the id of the run into the environment while processes are started for it."""
    if (getattr(trainer, "world_size", 0) <= 1 and not getattr(trainer, "ddp", False)) or "RANK" in os.environ:
        yield
        return
    options = trainer.trainmon_monitor.options()
    script = trainer.trainmon_monitor.given or current.peek()
    if script is not None and not script.finished and not script.disabled:  # it lives here, and a run has one writer of epochs
        options["init"].setdefault("parent_id", script.id)
        options["init"].setdefault("dir", script.store.path)
    if "id" not in options["init"]:
        import uuid  # slow to import, seldom needed

        options["init"]["id"] = str(uuid.uuid4())
    trainer.trainmon_monitor.handed_id = options["init"]["id"]
    os.environ[VARIABLE] = conversion.to_json(options)
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)


__all__ = ["BASES", "VARIABLE", "handed_over", "make", "with_monitor"]
