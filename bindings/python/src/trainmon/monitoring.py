# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""One function that gives the monitoring callback of any supported framework, by the name of the framework.

    from trainmon.monitoring import create_monitoring_callback
    trainer.callbacks.append(create_monitoring_callback(callback_type="retfound", update_frequency=10, critical_thresholds={"RAO": 0.99}))
"""

from __future__ import annotations

import logging
import math
import time

from trainmon import current
from trainmon.checks import check_groups, check_run, check_seconds, check_thresholds, only_known
from trainmon.loop import Loop, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

logger = logging.getLogger("trainmon")

KINDS = {
    "retfound": "lightning", "lightning": "lightning", "pytorch_lightning": "lightning",
    "ultralytics": "ultralytics", "yolo": "ultralytics",
    "keras": "keras", "tensorflow": "keras",
    "transformers": "transformers", "huggingface": "transformers",
    "basic": "basic", "python": "basic",
}


def create_monitoring_callback(callback_type: str = "retfound", update_frequency: float = 10, critical_thresholds: Mapping[str, float] | None = None,
                               enable_class_monitoring: bool = True, enable_system_monitoring: bool = True, **init: Any) -> Any:
    """Gives a callback that records a training, shows it live and obeys the page.

    `callback_type`: "retfound", "lightning" or "pytorch_lightning" for `trainer.callbacks`; "keras" (or "tensorflow") for `model.fit(callbacks=[...])`;
    "transformers" (or "huggingface") for `Trainer(callbacks=[...])`; "ultralytics" (or "yolo") gives a function to be called with the model;
    "basic" (or "python") gives a BasicCallback for a loop of one's own. Only the framework that is named is imported.
    `update_frequency`: how often a second values and progress are read. `critical_thresholds`: least sensitivity (0 to 1) of classes; they are critical
    conditions and are shown before the first value. `enable_class_monitoring=False`: no figures of classes and no confusion matrix.
    `enable_system_monitoring=False`: no figures of the machine. All else goes to the adapter and from there to `trainmon.init`: project, name, dir, groups, …

    An argument that neither has is told by a warning and left out. Raises ValueError for an unknown type, a frequency that is not above 0, or a threshold
    outside 0 to 1, TypeError for thresholds that are no dict or a `run` that is none; ImportError when the framework is not there.
    """
    kind = KINDS.get(str(callback_type).lower().replace("-", "_"))
    if kind is None:
        raise ValueError(f"callback_type is {callback_type!r}, expected one of {', '.join(KINDS)}")
    if isinstance(update_frequency, bool) or not isinstance(update_frequency, (int, float)) or not 0 < update_frequency < math.inf:
        raise ValueError(f"update_frequency is {update_frequency!r}, expected updates a second, above 0")
    critical = check_thresholds("critical_thresholds", critical_thresholds)
    check_run(init.get("run"))
    check_groups(init.get("groups"))
    check_seconds("hardware", init.get("hardware") or 0)
    if critical and not enable_class_monitoring:
        logger.warning("critical_thresholds need figures of classes, and enable_class_monitoring is False: the conditions will have no values")
    seconds = 1 / update_frequency
    # What is as usual is not said: an adapter that is told nothing of a run takes the one that the script has open.
    options = {**({} if enable_system_monitoring else {"hardware": 0.0}), **({"critical": critical} if critical else {}), **init}
    if kind == "basic":
        return BasicCallback(seconds=seconds, classes=enable_class_monitoring, **_known(options, BasicCallback.__init__, Loop.__init__))
    if kind == "lightning":
        from trainmon.lightning import TrainMonCallback  # each framework only when it is asked for

        classes = {} if enable_class_monitoring else {"confusion": False}
        return TrainMonCallback(every_seconds=seconds, **{**classes, **_known(options, TrainMonCallback.__init__)})
    return _other(kind, seconds, enable_class_monitoring, options)


def _known(options: dict[str, Any], *functions: Any) -> dict[str, Any]:
    return only_known("create_monitoring_callback", options, create_monitoring_callback, *functions, current.init)


def _other(kind: str, seconds: float, classes: bool, options: dict[str, Any]) -> Any:
    if kind == "keras":
        from trainmon.keras import TrainMonCallback as Keras

        return Keras(seconds=seconds, **_known(options, Keras.__init__, Loop.__init__))
    if kind == "transformers":
        from trainmon.transformers import TrainMonCallback as Transformers

        return Transformers(seconds=seconds, **_known(options, Transformers.__init__, Loop.__init__))
    from trainmon.ultralytics import attach

    options = {"confusion": classes, "classes": classes, **_known(options, attach)}
    return lambda model: attach(model, every_seconds=seconds, **options)


class BasicCallback:
    """Callbacks for a loop of one's own, in the order of the loop: on_train_begin, on_batch_end, on_epoch_end, on_train_end. None of them raises.

        callback = create_monitoring_callback("basic")
        callback.on_train_begin(epochs=3, batches=100)
        for epoch in range(3):
            for batch in range(100):
                if callback.on_batch_end({"train/loss": loss}):   # also waits while the training is paused
                    break
            callback.on_epoch_end(epoch, {"val/loss": ...}, confusion=matrix, class_names=names)
        callback.on_train_end()
    """

    def __init__(self, *, classes: bool = True, **options: Any) -> None:
        """`classes`: whether figures of classes are recorded; the rest is what trainmon.loop.Loop takes."""
        self.loop = Loop(**only_known("BasicCallback", options, BasicCallback.__init__, Loop.__init__, current.init))
        self._classes = classes
        self._begun = False
        self._epoch = self._batch = self._step = self._epochs = self._batches = self._images = 0
        self._began = 0.0

    @property
    def run(self) -> Any:
        """The run; None before on_train_begin."""
        return self.loop.run

    @guarded
    def on_train_begin(self, epochs: int = 0, batches: int = 0, config: Mapping[str, Any] | None = None) -> None:
        """Opens the run. `epochs` and `batches` of an epoch: how many there will be, 0 for unknown. The other calls open it where this one is left out."""
        self._begun = True
        before = self.loop.run
        if self.loop.open(epochs=epochs or None, config=dict(config or {})) is not before:
            self._epoch = self._batch = self._step = self._images = 0  # another training with this callback
        self._epochs, self._batches, self._began = epochs, batches, time.monotonic()

    def _began_well(self) -> bool:
        if not self._begun:
            self.on_train_begin()
        return self.loop.run is not None  # else its warning said why

    @guarded
    def on_batch_end(self, values: Mapping[str, Any] | None = None, images: int = 0) -> bool:
        """Records the numbers of a step, of a batch of so many images, and waits while there is a pause. True: people want the training to stop."""
        if not self._began_well():
            return False
        if values:
            self.loop.log(self._step, values)
        self._step += 1
        self._batch += 1
        self._images += images
        self.loop.progress(epoch=self._epoch, epochs=self._epochs, batch=self._batch, batches=self._batches, images=self._images)
        self.loop.due()
        return self.loop.obey()

    @guarded
    def on_epoch_end(self, epoch: int, values: Mapping[str, Any] | None = None, *, confusion: Any = None, class_names: Sequence[str] = (),
                     classes: Mapping[str, Mapping[str, Any]] | None = None) -> bool:
        """Records the row of an epoch (0-based). `confusion`: counts, true classes as rows; `classes`: figures by class. True: stop."""
        if not self._began_well():
            return False
        self.loop.read()
        now = time.monotonic()
        if values:
            self.loop.run.log(values, self._step)
        self.loop.run.log_epoch(epoch, {"epoch_time_seconds": now - self._began, **(values or {})})
        if self._classes and (class_names or classes):
            self.loop.check_classes([*class_names, *(classes or ())])
        if self._classes and classes:
            group_of = self.loop.groups
            rows = {name: {**figures, **({"class_group": group_of[name]} if name in group_of else {})} for name, figures in classes.items()}
            self.loop.run.log_validation(epoch, rows)
        if self._classes and confusion is not None:
            groups = [self.loop.groups.get(name) for name in class_names]
            self.loop.run.log_confusion(confusion, class_names, epoch=epoch, groups=groups if any(groups) else None)
        self._epoch, self._batch, self._began = epoch + 1, 0, now
        self.loop.progress(epoch=self._epoch, epochs=self._epochs, batch=0, batches=self._batches)
        self.loop.flush()
        return self.loop.obey()

    @guarded
    def on_train_end(self, error: BaseException | None = None) -> None:
        """Ends the run: completed, cancelled after a stop, failed after an error."""
        self.loop.close(error)
