# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What every adapter does around a framework's loop: open a run, log values read seldom, report progress, obey, end.

Numbers that lie on a device are not read when they come, which would make the host wait for the device at each step: they are copied there, since the loop may
go on changing them, kept with step and time, and read together every `seconds`. Values of the host are logged at once. Nothing here raises into the loop.
"""

from __future__ import annotations

import functools
import logging
import sys
import time

from trainmon import current
from trainmon import values as conversion
from trainmon._config import to_dict
from trainmon.arguments import meant
from trainmon.checks import check_groups, check_run, check_seconds, check_thresholds, listed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

logger = logging.getLogger("trainmon")

MAX_PENDING = 4_096
MARGIN = 0.02  # below a critical threshold by so much is a warning, by more critical


class Loop:
    """One training of a framework. `run` is given by the caller, or opened by `open` with what the framework knows and the caller's `init` arguments."""

    def __init__(self, run: Any = None, *, seconds: float = 0.1, pause: bool = True, stop: bool = True, critical: Mapping[str, float] | None = None,
                 groups: Mapping[str, str] | None = None, **init: Any) -> None:
        """`seconds`: how often device values and progress are read; `critical`: least sensitivity of classes; `groups`: group of each class.

        TypeError or ValueError names the argument that is wrong.
        """
        self.run = check_run(run)
        self.seconds = check_seconds("seconds", seconds)
        self.critical = check_thresholds("critical", critical)
        self.groups = check_groups(groups)
        check_seconds("hardware", init.get("hardware") or 0)
        self._missed: set[tuple[str, str]] = set()  # classes that there are not, and that was said
        self.paused_seconds = 0.0
        self.stop_asked = False
        self._owned = False
        self._pause, self._stop = pause, stop
        self._init = init
        self._pending: list[tuple[int, int, dict[str, Any]]] = []
        self._next_read = 0.0
        self._progress: dict[str, Any] = {}

    @property
    def live(self) -> bool:
        """True while there is a run that records."""
        return self.run is not None and not self.run.finished and not self.run.disabled

    def open(self, **facts: Any) -> Any:
        """Gives the run: the one that was given, the unfinished one of `trainmon.init`, or a new one of `facts` and the caller's arguments (which win)."""
        if self.run is not None and not self.run.finished:
            self.update(facts)
        elif (script := current.peek()) is not None and not script.finished and not self._init:
            self._begin(script, owned=False)
            self.update(facts)
        else:
            known = {name: value for name, value in facts.items() if value is not None}
            config = {**(known.pop("config", None) or {}), **conversion.to_plain(to_dict(self._init.get("config")))}
            self._begin(current.init(**{"reinit": "create_new", **known, **self._init, "config": config}), owned=True)
        self._set_critical()
        return self.run

    def _begin(self, run: Any, *, owned: bool) -> None:
        """Takes a run; nothing of the one before is left."""
        self.run, self._owned = run, owned
        self.stop_asked, self.paused_seconds = False, 0.0
        self._pending, self._progress = [], {}

    def update(self, facts: Mapping[str, Any]) -> None:
        """Adds what the framework knows to a run that is there already; settings that the run has are kept, and so is what the caller's arguments said."""
        config = facts.get("config") or {}
        missing = {name: value for name, value in config.items() if name not in self.run.config}
        if missing:
            self.run.config.update(missing)
        row = {name: value for name, value in facts.items() if name not in ("config", "name", *self._init) and value}
        if row:
            self.run.update(**row)

    def _set_critical(self) -> None:
        if self.critical and self.live:
            self.run.set_alert_rules([{"name": f"critical {name}", "type": "class_floor", "class": name, "threshold": float(threshold), "margin": MARGIN}
                                      for name, threshold in self.critical.items()])

    def check_classes(self, names: Sequence[str]) -> None:
        """Warns, once, of classes in `critical` and `groups` that are none of `names`: what is set for them would wait for ever."""
        for argument, wanted in (("critical", self.critical), ("groups", self.groups)):
            missing = [name for name in wanted if name not in names and (argument, name) not in self._missed]
            self._missed.update((argument, name) for name in missing)
            if missing:
                told = ", ".join(f"{name!r}{meant(name, names)}" for name in missing)
                logger.warning("%s: no class is called %s; there are: %s%s", argument, told, listed(names),
                               "; that condition will never have a value" if argument == "critical" else "")

    # Values

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Logs values of a step; numbers on a device are kept and read with those of other steps."""
        later = {name: value for name, value in values.items() if _on_device(value)}
        if later and self.live:
            self._pending.append((step, time.time_ns() // 1000, {name: value.detach().clone() for name, value in later.items()}))
            if len(self._pending) >= MAX_PENDING:
                self.read()
        if len(later) < len(values):
            self.run.log({name: _detached(value) for name, value in values.items() if name not in later}, step)

    def read(self) -> None:
        """Reads what waits on the device and logs it with the steps and times at which it came."""
        pending, self._pending = self._pending, []
        numbers = iter(read_numbers([value for _, _, values in pending for value in values.values()]))
        columns: dict[str, tuple[list[int], list[int], list[float]]] = {}
        for step, at, values in pending:
            for name in values:
                number = next(numbers)
                if number is not None:
                    steps, times, found = columns.setdefault(name, ([], [], []))
                    steps.append(step)
                    times.append(at)
                    found.append(number)
        for name, (steps, times, found) in columns.items():
            self.run.log_points(name, steps, found, times)

    def due(self) -> bool:
        """True every `seconds`; then device values are read and progress is reported."""
        now = time.monotonic()
        if now < self._next_read:
            return False
        self._next_read = now + self.seconds
        if self._pending:
            self.read()
        if self._progress and self.live:
            self.run.progress(**self._progress)
        return True

    def progress(self, **counts: int) -> None:
        """Keeps how far the loop is (completed epoch, batch; epochs, batches, images); readers hear of it when values are read."""
        self._progress.update(counts)

    def phase(self, name: str, epoch: int | None = None) -> None:
        """Records what the loop is doing now: "train", "validate", "test", "predict"."""
        if self.live:
            self.run.event("phase", name, None if epoch is None else {"epoch": epoch})

    # Control

    def obey(self, *, pause: bool = True, timeout: float | None = None) -> bool:
        """Waits while people want a pause, at most `timeout` seconds; True once they want the loop to stop. Call it between steps: two atomic loads."""
        if not self.live:
            return False
        if self._pause and pause and self.run.control == "pause":
            self.flush()
            begin = time.monotonic()
            self.run.wait_while_paused(timeout)
            self.paused_seconds += time.monotonic() - begin
        self.stop_asked = self.stop_asked or (self._stop and self.run.should_stop)
        return self.stop_asked

    # The end

    def flush(self) -> None:
        """Logs all that waits, and the progress."""
        self._next_read = 0.0
        if self.run is not None:
            self.due()

    def close(self, error: BaseException | None = None, status: str | None = None) -> None:
        """Ends the run if it was opened here: completed, cancelled when it was stopped, failed after an error. One of the caller stays open."""
        if self.run is None:
            return
        self.flush()
        if not self._owned:
            return
        from trainmon._run import outcome  # as late as the end

        end = outcome(error)
        if error is None:
            end["status"] = status or ("cancelled" if self.stop_asked else "completed")
        self.run.finish(**end)

    # Pickling, for launchers that start processes

    def __getstate__(self) -> dict[str, Any]:
        """Leaves the live run behind: another process has to open its own."""
        return {**self.__dict__, "run": None, "_pending": [], "_owned": False}


def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a method of an adapter that has a `loop`: what it raises is a warning, told once, and never ends the training."""

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except Exception as error:
            told = self.__dict__.setdefault("_told", set())
            if (method.__name__, type(error)) not in told:
                told.add((method.__name__, type(error)))
                logger.warning("%s failed, the training goes on: %r", method.__name__, error, exc_info=logger.isEnabledFor(logging.DEBUG))
            return None

    return call


def _on_device(value: Any) -> bool:
    """Tells whether a value is one number of torch that a read would have to wait for."""
    return not getattr(value, "is_cpu", True) and not value.is_meta and value.numel() == 1


def read_numbers(tensors: Sequence[Any]) -> list[float | None]:
    """Reads numbers; of those on a device all of a type with one wait, where one after the other each would wait. None: no number."""
    found: list[Any] = [None] * len(tensors)
    alike: dict[Any, list[int]] = {}
    for place, tensor in enumerate(tensors):
        if _on_device(tensor):
            alike.setdefault((tensor.dtype, tensor.device), []).append(place)
        else:
            found[place] = conversion.to_number(tensor)
    for places in alike.values():
        try:
            read = sys.modules["torch"].stack([tensors[place].reshape(()) for place in places]).tolist()
        except Exception:  # of another make than torch, or a kind that can't be put together
            read = [tensors[place] for place in places]
        for place, value in zip(places, read, strict=True):
            found[place] = conversion.to_number(value)
    return found


def _detached(value: Any) -> Any:
    detach = getattr(value, "detach", None)
    return value if detach is None else detach()
