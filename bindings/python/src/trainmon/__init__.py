# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""trainmon records what a training does, and lets people watch and steer it live.

    import trainmon

    with trainmon.init(project="digits", config={"lr": 0.1}) as run:
        for step in range(1000):
            run.log({"train/loss": loss, "train/acc": acc})

Then `trainmon serve` opens the page. Frameworks have modules of their own: trainmon.lightning, trainmon.ultralytics, trainmon.transformers,
trainmon.keras, trainmon.tensorboard. `import trainmon as wandb` runs the common subset of that interface.
"""

from __future__ import annotations

from trainmon import current
from trainmon._core import ffi as _ffi
from trainmon._core import lib as _lib
from trainmon._run import Run
from trainmon.current import finish, init, log
from trainmon.disabled import DisabledRun
from trainmon.errors import AccessError, BusyError, InvalidError, NotFoundError, StateError, TrainmonError
from trainmon.image import Image
from trainmon.store import Record, Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    config: Any
    run: Any
    summary: Any

__version__ = _ffi.string(_lib.tmon_version()).decode()
__all__ = [
    "AccessError", "BusyError", "DisabledRun", "Image", "InvalidError", "NotFoundError", "Record", "Run", "StateError", "Store", "TrainmonError",
    "alert", "config", "define_metric", "finish", "init", "log", "run", "summary",
]


def alert(title: str, text: str | None = None, level: Any = "WARN", wait_duration: Any = None) -> None:
    """Raises an alert in the run of this process; see Run.alert."""
    current.active().alert(title, text, level, wait_duration)


def define_metric(name: str, step_metric: str | None = None, **options: Any) -> None:
    """Says how a metric is meant; see Run.define_metric."""
    current.active().define_metric(name, step_metric, **options)


def __getattr__(name: str) -> Any:
    """Gives what belongs to the run of this process: run, config, summary; else what scripts for W&B call, see trainmon.habits."""
    if name == "run":
        return current.peek()
    if name in ("config", "summary"):
        return getattr(current.active(), name)
    if name.startswith("_"):  # what the interpreter and tools ask for
        raise AttributeError(f"module 'trainmon' has no attribute {name!r}")
    from trainmon.habits import of_module  # only where it is used

    return of_module(name)
