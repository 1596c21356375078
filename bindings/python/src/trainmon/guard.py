# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Keeps what a training hands over from ending it: the rare calls of a run warn where others would raise."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time

from trainmon._core import lib
from trainmon.errors import last_message
from trainmon.values import MAX_TEXT, long_text, shown, to_whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

logger = logging.getLogger("trainmon")

MAX_WARNINGS = 200
MAX_WAITING = 1_000  # calls that wait for the store's lock
RETRY_SECONDS = 1.0


def never_raises(method: Callable[..., Any]) -> Any:
    """Wraps a method of a run: an exception, whatever argument brought it, becomes a warning, told once a method and type."""

    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return method(self, *arguments, **options)
        except Exception as error:
            self.warn_once(f"{method.__name__}:{type(error).__name__}", f"{method.__name__} failed, nothing was recorded: {shown(error, 200)}")
            return None

    return call


class Guarded:
    """What a run does about trouble: warns once of each kind, and makes calls again that found the store locked."""

    name: str

    def __init__(self) -> None:
        """Begins without trouble."""
        self._pid = os.getpid()
        self._warned: set[str] = set()
        self._waiting: list[tuple[Any, ...]] = []
        self._waiting_lock = threading.RLock()
        self._next_try = 0.0

    def attempt(self, function: Any, *arguments: Any) -> int:
        """Calls a C function; what goes wrong is a warning, told once a text."""
        try:
            code = function(*arguments)
        except Exception as error:
            self.warn_once(f"attempt:{type(error).__name__}", shown(error, 200))
            return lib.TMON_EINVAL
        if code < 0:
            self._tell_failure(code)
        return int(code)

    def _whole(self, name: str, value: Any) -> int:
        """Gives what an argument says as an integer of 64 bits; another one than it says is told once. ValueError, which names the argument: it says none."""
        whole, exact = to_whole(name, value)
        if not exact:
            self.warn_once(f"whole:{name}", f"{name} is {shown(value)}, expected an integer of 64 bits: {whole} is recorded")
        return whole

    def tell_cut(self, what: str, settings: Mapping[str, Any]) -> None:
        """Warns of a text among settings that is too long to be kept whole."""
        try:
            name = long_text(settings)
        except Exception:  # what a foreign object does when it is looked at
            return
        if name is not None:
            self.warn_once(f"cut:{what}:{name}", f"{what}[{name!r}] is a text of more than {MAX_TEXT:,} characters: the first ones are kept")

    def _write(self, *call: Any) -> None:
        """Makes a C call that writes to the store. While another process locks it, calls are kept and made in order later: the loop is not held up."""
        if self._pid != os.getpid():
            return
        with self._waiting_lock:
            self._waiting.append(call)
            if len(self._waiting) > MAX_WAITING:
                del self._waiting[0]
                self.warn_once("waiting", f"the store is locked: only the latest {MAX_WAITING} changes are kept")
        self._write_waiting()

    def _write_waiting(self) -> None:
        if self._pid != os.getpid() or time.monotonic() < self._next_try:
            return
        with self._waiting_lock:
            while self._waiting:
                if self.attempt(*self._waiting[0]) == lib.TMON_EBUSY:
                    self._next_try = time.monotonic() + RETRY_SECONDS
                    return
                del self._waiting[0]

    def _tell_failure(self, code: int, key: str | None = None) -> None:
        if code == lib.TMON_EFORKED:  # a worker process: what it logs is not of the run
            return
        self.warn_once(key or f"code:{code}", last_message())

    def warn_once(self, key: str, message: str) -> None:
        """Logs a warning to the logger "trainmon"; one of each key in a run."""
        if key in self._warned or len(self._warned) > MAX_WARNINGS:
            return
        self._warned.add(key)
        logger.warning("%s: %s", self.name, message if len(self._warned) <= MAX_WARNINGS else "there are more warnings, which are not shown")
