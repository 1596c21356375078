# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The run that a callback and a logger share, and when it opens, ends and goes on.

Lightning asks the logger for its run before any callback hears of the training, and ends the logger after the callbacks. So a logger that opens its run
takes over the session of the callback that was made with it, and the callback finds the logger again in the Trainer.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import weakref

from trainmon import current, ranks
from trainmon import values as conversion
from trainmon._core import ffi, lib
from trainmon._native import to_bytes
from trainmon.disabled import DisabledRun
from trainmon.errors import TrainmonError
from trainmon.lightning import facts as facts_of
from trainmon.loop import Loop
from trainmon.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

MAX_ROW = 1_000  # values of an epoch that one call of the library takes

_waiting: list[Any] = []  # weak references to sessions of callbacks that no training has used yet, oldest first
_opened: Any = weakref.WeakSet()  # runs that a session has opened, so that another does not take them for the script's
_obeyed: Any = weakref.WeakSet()  # runs of which a fit has ended at a stop


@functools.cache
def _rank_zero_only() -> Any:
    from lightning_utilities.core.rank_zero import rank_zero_only  # shared by both packages

    return rank_zero_only


def rank() -> int:
    """Gives the rank of this process as Lightning sees it."""
    found = getattr(_rank_zero_only(), "rank", None)
    return ranks.current_rank() if found is None else int(found)


class Session:
    """One run, of a callback, a logger or both. `loop` does the work; only rank 0 has a run."""

    def __init__(self, run: Any = None, **options: Any) -> None:
        """Takes the caller's run and what Loop takes."""
        self.loop = Loop(run, **options)
        self.id: str | None = None
        self.joined = False  # True where a process that Lightning spawned feeds the run of the script that started it
        self.status: str | None = None
        self.deferred = False  # until the callback has looked into the checkpoint for the run to resume
        self.cut = False  # whether the evaluation that runs, or ran last, ended early
        self.saved = ""  # the latest checkpoint
        self.trainer: Any = None  # weak reference: of the last fit

    @property
    def live(self) -> bool:
        """True while this process records."""
        return self.loop.live

    def wait_for_logger(self) -> None:
        """Lets the next logger that opens a run take this session."""
        _waiting.append(weakref.ref(self))

    def open(self, **facts: Any) -> Any:
        """Gives the run, opened or resumed where that is due; one that records nothing on other ranks than 0."""
        loop = self.loop
        if loop.run is not None and not loop.run.finished:
            loop.open(**facts)
            return loop.run
        if rank() != 0:
            return DisabledRun(facts.get("config"))
        loop.stop_asked = False
        given, known, self.joined = dict(loop._init), dict(facts), False
        if self.id is None:
            script = current.peek()
            theirs = _parents_run(given.get("dir"))
            if theirs:
                facts |= {"id": theirs, "rank": 1}
                self.joined = True
            elif script is not None and not script.finished and script not in _opened and not _is_child():
                loop.run = script
                script.config.update(conversion.to_plain(dict(given.get("config") or {})))
        else:
            loop._init = {**given, "id": self.id, "resume": "allow"}
        if loop.run is None or loop.run.finished:
            loop.run = None
            facts.setdefault("rank", 0)
            facts["reinit"] = "create_new"
            # The arguments of one of the two are never a reason for a second run: the script's was looked for above.
            loop._init = loop._init or {"mode": None}
        loop.open(**facts)
        loop._init = given
        if self.joined and loop.live:  # what a process that joins says of the run is left out there, so it is said now
            loop.run.config.update(conversion.to_plain(known.get("config") or {}))
            loop.update(known)
        if loop._owned:
            _opened.add(loop.run)
        self.id = loop.run.id or None
        return loop.run

    def log_epoch(self, epoch: int, values: Mapping[str, float]) -> None:
        """Records the row of an epoch. That of a joined process goes straight to the store: of what it feeds, the library takes points only."""
        run = self.loop.run
        if not self.joined:
            run.log_epoch(epoch, values)
            return
        names = [ffi.new("char[]", to_bytes(name)) for name in values][:MAX_ROW]
        row = ffi.new("tmon_epoch_value[]", [{"key": name, "value": value} for name, value in zip(names, values.values(), strict=False)])
        # A function of its own keeps the names alive where the call has to wait for the store.
        run._write(lambda: lib.tmon_record_log_epoch(run.store.handle, run.id.encode(), epoch, row, len(names)))

    def begin_fit(self, trainer: Any, keep: bool) -> None:
        """Forgets the run of an earlier training unless it goes on: another Trainer is another run."""
        last = self.trainer() if self.trainer is not None else None
        if last is not trainer and not keep and self.trainer is not None and not self.live:
            self.id = None
        self.status = None
        self.trainer = weakref.ref(trainer)

    def close(self, error: BaseException | None = None, status: str | None = None) -> None:
        """Ends the run if it was opened here. What a fit ended with stands when a later test of the same run ends well."""
        loop = self.loop
        if loop.run is None or loop.run.finished:
            return
        if error is not None and type(error).__name__ == "SIGTERMException":
            error, status = None, "cancelled"
        before = self.status if error is None and status is None else None
        loop.close(error, status=status or (before if before in ("failed", "cancelled") else None))
        if error is not None:
            self.status = "cancelled" if isinstance(error, KeyboardInterrupt) else "failed"
        elif self.status is None:
            self.status = status or ("cancelled" if loop.stop_asked else "completed")

    def checkpoint(self, callback: Any) -> None:
        """Records the latest file of a checkpoint callback, once, and keeps the best one as the model of the run."""
        path, data = facts_of.checkpoint(callback)
        if path and path != self.saved:
            self.saved = path
            self.loop.run.event("checkpoint", path, data)
            self.loop.run.update(model_path=data.get("best") or path)

    def __getstate__(self) -> dict[str, Any]:
        """Leaves out what belongs to this process."""
        return {**self.__dict__, "trainer": None}


def take_waiting(logger_session: Session) -> Session:
    """Gives the session that a logger is to use: that of the callback made with it, with the logger's arguments added; else its own."""
    while _waiting:
        found = _waiting.pop(0)()
        if found is not None and found.id is None and found.loop.run is None:
            found.loop._init = {**found.loop._init, **logger_session.loop._init}
            found.loop.run = logger_session.loop.run
            return found
    return logger_session


def stop_waiting(session: Session) -> None:
    """Takes a session off the list of those that wait for a logger."""
    _waiting[:] = [entry for entry in _waiting if entry() is not None and entry() is not session]


def note_obeyed(loop: Loop) -> None:
    """Remembers that a fit ended at a stop, where it did: the stop is still to be seen in a run that the script keeps open."""
    if loop.stop_asked:
        _obeyed.add(loop.run)


def obeyed(run: Any) -> bool:
    """Tells whether a fit has done what people want of the run."""
    return run in _obeyed and run.control == "stop"


def _is_child() -> bool:
    return multiprocessing.parent_process() is not None


def _parents_run(folder: Any) -> str | None:
    """Gives the run that the script opened before Lightning started this process by spawn or fork: rank 0 joins it as a further process."""
    id = os.environ.get(ranks.RUN_VARIABLE)
    if id is None or not _is_child():
        return None
    try:
        with Store(folder, must_exist=True) as store:
            return id if store.run(id).status == "running" else None
    except TrainmonError:
        return None
