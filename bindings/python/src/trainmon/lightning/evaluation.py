# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Ends a validation, test or prediction by itself when people want a stop: Lightning's `should_stop` is for fits only."""

from __future__ import annotations

from trainmon.lightning import facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Evaluation:
    """One evaluation that is no part of a fit. `loop`: the Trainer's for it."""

    def __init__(self, trainer: Any) -> None:
        """Finds the loop that is about to run."""
        self.name = str(getattr(trainer.state.fn, "value", trainer.state.fn))
        self.loop = getattr(trainer, f"{self.name}_loop")
        self.batches = 0  # that have ended

    def cut(self) -> bool:
        """Lets no further batch come; True when there would have been one.

        The loop's source of batches is said to be at its end, so the loop ends as after its last batch. StopIteration out of a hook ends it too, but in the
        middle of a batch: writers of predictions would be told of a batch that has none, and other callbacks of a begin without an end.
        """
        source = self.loop._data_fetcher
        if source.done:
            return False
        source.done = True
        getattr(source, "batches", []).clear()  # fetched ahead
        return True

    def extent(self) -> dict[str, int]:
        """Gives how many batches have ended, and of how many if that is known."""
        total = facts.batches(self.loop.max_batches)
        return {"batches": self.batches, "of": total} if total else {"batches": self.batches}
