# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The points of a run as they are logged, by this process or another one."""

from __future__ import annotations

import time

from trainmon._core import ffi, lib
from trainmon._native import to_text
from trainmon.errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from trainmon.store import Record, Store

CAPACITY = 4096
PAUSE_SECONDS = 0.05  # between looks at a run that has nothing new
STATUS_SECONDS = 0.5  # between looks at whether it has ended


class Follow:
    """A live follow: `for name, step, time, value in store.follow(id)`. One thread at a time. `lapped` turns true when points were missed since it lagged."""

    def __init__(self, store: Store, id: str) -> None:
        """Follows the run of this id from now on. NotFoundError."""
        self.store, self.id = store, store.run(id).id
        out = ffi.new("tmon_follow **")
        check(lib.tmon_follow_open(out, store.handle, self.id.encode()))
        self._follow = ffi.gc(out[0], lib.tmon_follow_free)
        self._points = ffi.new("tmon_follow_point[]", CAPACITY)
        self._names: dict[int, str] = {}
        self.lapped = False

    def take(self) -> list[tuple[str, int, int, float]]:
        """Gives the points since the last call without waiting: (name, step, time in microseconds since 1970, value)."""
        count, lapped, found = ffi.new("size_t *"), ffi.new("bool *"), []
        while True:
            check(lib.tmon_follow_next(self._follow, self._points, CAPACITY, count, lapped))
            self.lapped = self.lapped or bool(lapped[0])
            for entry in self._points[0:count[0]]:
                found.append((self._name(entry.metric), entry.point.step, entry.point.time, entry.point.value))
            if count[0] < CAPACITY:
                return found

    def _name(self, metric: int) -> str:
        name = self._names.get(metric)
        if name is None:
            name = self._names[metric] = to_text(lib.tmon_follow_key(self._follow, metric)) or ""
        return name

    def record(self) -> Record:
        """Reads the run as it is now; what a dead trainer left is taken over first. NotFoundError: it was deleted."""
        record = self.store.run(self.id)
        if is_open(record) and not record.live and not self.store.info()["read_only"]:
            self.store.recover()
            record = self.store.run(self.id)
        return record

    def __iter__(self) -> Iterator[tuple[str, int, int, float]]:
        """Gives points as they come, until the run has ended."""
        next_look = 0.0
        while True:
            points = self.take()
            yield from points
            now = time.monotonic()
            if not points and now >= next_look:
                next_look = now + STATUS_SECONDS
                if not is_open(self.record()):
                    yield from self.take()  # what came between the two looks
                    return
            if not points:
                time.sleep(PAUSE_SECONDS)


def is_open(record: Any) -> bool:
    """True while more may come of a run."""
    return record.status in ("pending", "running")
