# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Records trainings of Ultralytics models.

    from trainmon.ultralytics import attach

    model = YOLO("yolo11n.yaml")
    attach(model, critical={"pedestrian": 0.97})
    model.train(data="d.yaml", epochs=100)

The end of an epoch is the event `on_fit_epoch_end`. An event `on_epoch_end` does not exist there: the framework takes any name and never calls what it does
not know, so `add_callback` of this module refuses such names. Nothing of Ultralytics is imported by this module; it works on the objects it is given.
For several GPUs: `model.train(trainer=trainmon.ultralytics.DetectionTrainer, device="0,1")`, so that the processes which the framework starts record too.
"""

from __future__ import annotations

from trainmon import current
from trainmon.checks import only_known
from trainmon.ultralytics import trainers
from trainmon.ultralytics.devices import watch
from trainmon.ultralytics.events import EVENTS, add_callback
from trainmon.ultralytics.monitor import Monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    ClassificationTrainer: Any
    DetectionTrainer: Any
    OBBTrainer: Any
    PoseTrainer: Any
    SegmentationTrainer: Any

__all__ = ["EVENTS", "ClassificationTrainer", "DetectionTrainer", "Monitor", "OBBTrainer", "PoseTrainer", "SegmentationTrainer", "add_callback", "attach"]


def attach(model: Any, run: Any = None, *, critical: Mapping[str, float] | None = None, groups: Mapping[str, str] | None = None, every_seconds: float = 0.1,
           pause: bool = True, stop: bool = True, hardware: float = 5.0, images: bool = True, confusion: bool = True, classes: bool = True,
           **init: Any) -> Monitor:
    """Records every training of `model` (a YOLO object or a trainer) from now on; gives the Monitor, whose `run` is that of the latest training.

    A training goes into `run`, else into the unfinished run of `trainmon.init`, else into a run of its own, which takes `init` (project, name, dir, tags …)
    and ends with the training: completed, cancelled (stopped by a person, Ctrl-C) or failed. `critical`: least sensitivity (recall) of classes by name, below
    which an alert fires; `groups`: group of each class. `every_seconds`: how often values are read off a GPU and progress is told. `pause`, `stop`: whether
    people may do that. `hardware`: seconds between figures of the machine, 0 for none. `images`: record the plots that the framework writes (with
    `plots=True`). `confusion`: a confusion matrix each epoch; `classes`: figures of each class. Attaching again replaces what was attached. An argument that
    nothing has by name is told by a warning and left out. TypeError: `model` takes no callbacks; it or ValueError names another argument that is wrong. Call
    it in the thread that trains.
    """
    if not callable(getattr(model, "add_callback", None)):
        raise TypeError(f"attach takes a model or trainer of Ultralytics, found {type(model).__name__}")
    init = only_known("attach", init, attach, current.init)
    monitor = Monitor(run, critical=critical, groups=groups, every_seconds=every_seconds, pause=pause, stop=stop, hardware=hardware, images=images,
                      confusion=confusion, classes=classes, init=init)
    monitor.join(model.callbacks)
    watch(model)
    return monitor


def __getattr__(name: str) -> Any:
    """Makes the trainers for several GPUs when they are first asked for, which imports Ultralytics."""
    if name in trainers.BASES:
        made = globals()[name] = trainers.make(name, __name__)
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
