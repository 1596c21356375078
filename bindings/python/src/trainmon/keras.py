# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Records a training of Keras 3.

    from trainmon.keras import TrainMonCallback

    model.fit(x, y, epochs=10, callbacks=[TrainMonCallback(project="digits")])
"""

from __future__ import annotations

import time

import keras

from trainmon import current
from trainmon.checks import only_known
from trainmon.fits import Fits, Fitted
from trainmon.loop import Loop, guarded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class TrainMonCallback(Fitted, keras.callbacks.Callback):  # type: ignore[misc]
    """Records the figures of each epoch, obeys pause and stop between batches, and tells how far the training is. Never raises into it.

    Names: `train/loss` and so on, `val/loss` for what Keras calls `val_loss`, `learning_rate`. Steps count batches. Rows of epochs count from 1.
    """

    def __init__(self, run: Any = None, *, batches: bool = False, seconds: float = 0.1, pause: bool = True, stop: bool = True, **init: Any) -> None:
        """`run`: one of `trainmon.init`; without it that of the script if nothing else is said, else a new one for each `fit` made of `init`'s arguments.

        `batches=True` also logs what Keras shows while an epoch runs, as `batch/loss` and so on: means since the begin of the epoch.
        `seconds`: how often progress is told. `pause`, `stop`: whether people may.

        TypeError or ValueError names the argument that is wrong; one that is unknown is told by a warning and left out.
        """
        super().__init__()
        init = only_known("TrainMonCallback", init, TrainMonCallback.__init__, Loop.__init__, current.init)
        self.async_safe = True  # else a callback with a hook after each batch makes Keras wait for the device there
        self.batches = batches
        self._fits = Fits(run, {"seconds": seconds, "pause": pause, "stop": stop, **init})
        self._before = self._seen = 0  # batches before this epoch, and in it
        self._began = self._paused = 0.0

    # Training

    @guarded
    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Opens the run."""
        self._before = self._seen = 0
        self._fits.begin(**_facts(self.model, self.params or {}))
        self._loop.phase("train")

    @guarded
    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Begins to count the batches of the epoch."""
        steps = (self.params or {}).get("steps")
        self._before = epoch * steps if steps else self._before + self._seen
        self._seen = 0
        self._began, self._paused = time.monotonic(), self._loop.paused_seconds

    @guarded
    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Obeys: a pause waits here, for this hook alone is always on the thread of the training. After a stop this batch is the last."""
        self._seen = max(self._seen, batch)
        self._loop.progress(batch=batch, batches=(self.params or {}).get("steps") or 0)  # before the wait, which shows it
        if self._loop.obey():
            self.model.stop_training = True
        self._loop.due()

    @guarded
    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Logs the values of a batch if they are wanted. Keras calls it from several threads, in any order."""
        if self.batches and logs and self._loop.live:
            self.run.log({f"batch/{name}": value for name, value in logs.items()}, self._before + batch + 1)

    @guarded
    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Records the values of the epoch, as points at its last batch and as a row."""
        if not self._loop.live:
            return
        steps = (self.params or {}).get("steps")
        self._seen = steps if steps and not self.model.stop_training else self._seen + 1
        values = {_named(name): value for name, value in (logs or {}).items()}
        rate = _learning_rate(self.model)
        if rate is not None:
            values.setdefault("learning_rate", rate)
        self._loop.log(self._before + self._seen, values)
        lasted = time.monotonic() - self._began - (self._loop.paused_seconds - self._paused)
        self.run.log_epoch(epoch + 1, {**values, "epoch_time_seconds": lasted})
        self._loop.progress(epoch=epoch + 1, batch=0)
        self._loop.flush()
        if self._loop.obey(pause=False):
            self.model.stop_training = True

    @guarded
    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Ends the run, if it is not the caller's."""
        self._before += self._seen
        self._fits.end()

    # Validation within the training, evaluation and prediction outside

    @guarded
    def on_test_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Tells that the training validates now."""
        if self._fits.active:
            self._loop.phase("validate")

    @guarded
    def on_test_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Waits while people want a pause."""
        if self._fits.active:
            self._loop.obey()

    @guarded
    def on_test_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Records what `evaluate` found, when no training runs; one within it comes with its epoch."""
        if self._fits.active:
            self._loop.phase("train")
        elif logs:
            self._fits.outside("evaluate", {f"test/{name}": value for name, value in logs.items()}, self._before, **_facts(self.model, {}))


def _named(name: str) -> str:
    if name in ("learning_rate", "lr"):  # of callbacks that change it
        return "learning_rate"
    return f"val/{name[4:]}" if name.startswith("val_") else f"train/{name}"


def _learning_rate(model: Any) -> float | None:
    try:
        return float(model.optimizer.learning_rate)
    except Exception:  # no optimizer, or one of another make
        return None


def _facts(model: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what Keras knows of the training, as arguments of `trainmon.init`."""
    config: dict[str, Any] = {"framework": "keras", "backend": keras.backend.backend(), "model": model.name}
    config.update({name: params[name] for name in ("epochs", "steps") if name in params})
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None:
        config["optimizer"] = optimizer.get_config()
    loss = getattr(model, "loss", None)
    if loss is not None:
        config["loss"] = loss if isinstance(loss, str) else getattr(loss, "name", str(loss))
    if model.built:
        config["parameters"] = model.count_params()
    return {"config": config, "model_type": model.name, "epochs": params.get("epochs") or None, "learning_rate": _learning_rate(model)}
