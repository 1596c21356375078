# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The trainings of one callback object, for frameworks that tell of a begin and an end but not of a failure, and that evaluate outside a training too."""

from __future__ import annotations

from trainmon import current
from trainmon.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Fits:
    """Gives each training a Loop of its own. `active` is true between `begin` and `end`."""

    def __init__(self, run: Any, options: Mapping[str, Any]) -> None:
        """`run` and `options` are what Loop takes."""
        self._given = run
        self._options = dict(options)
        self.loop = Loop(run, **self._options)
        self.active = False

    def begin(self, id: str | None = None, **facts: Any) -> Loop:
        """Begins a training. The one before failed if it did not end. `id`: the run that is continued, unless the caller named another."""
        if self.active:
            self.loop.close(RuntimeError("the training raised before it ended"))
        if id is not None:
            _end_other(id)
        self.loop = Loop(self._given, **{**({} if id is None else {"id": id}), **self._options})
        self.active = True
        self.loop.open(**facts)
        return self.loop

    def end(self) -> None:
        """Ends the training: completed, or cancelled when people stopped it."""
        self.active = False
        self.loop.close()

    def outside(self, kind: str, values: Mapping[str, Any], step: int, **facts: Any) -> None:
        """Keeps what an evaluation outside a training found: in the summary and as an event of the latest run, as points too while that is open."""
        alone = self.loop.run is None
        if alone:
            self.loop.open(**facts)
        if self.loop.live:
            self.loop.log(step, values)
        self.loop.run.summary.update(values)
        self.loop.run.event(kind, "", values, step)
        if alone:
            self.loop.close()


class Fitted:
    """A callback whose trainings are `_fits`."""

    _fits: Fits

    @property
    def run(self) -> Any:
        """The run of the latest training; None before, and in processes that do not record."""
        return self._fits.loop.run

    @property
    def _loop(self) -> Loop:
        return self._fits.loop


def _end_other(id: str) -> None:
    """A run that is to be continued may still be open in this process, where its training raised and the caller caught that."""
    for run in list(current._live):
        if run.id == id and not run.finished:
            run.finish(status="failed", error="the training raised before it ended")
