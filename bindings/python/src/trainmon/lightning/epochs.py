# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Which of the Trainer's values are new: `callback_metrics` keeps those of earlier epochs among them."""

from __future__ import annotations

from trainmon import values as conversion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FORKS = ("_step", "_epoch")
TRAIN_LOSSES = ("loss", "train_loss", "train/loss", "total_loss", "loss/train", "loss.train")


class Fresh:
    """Remembers which values it has given. A stale one is the same memory as before; it is kept here, so no new value can lie there."""

    def __init__(self) -> None:
        """Knows nothing yet."""
        self._seen: dict[str, Any] = {}

    def take(self, metrics: Mapping[str, Any], other: Fresh | None = None) -> dict[str, Any]:
        """Gives the values that are new since the last call, and to `other`, without waiting for the device."""
        new = {name: value for name, value in metrics.items()
               if not _same(self._seen.get(name), value) and not (other is not None and _same(other._seen.get(name), value))}
        self._seen.update(new)
        return new

    def __getstate__(self) -> dict[str, Any]:
        """Another process has seen nothing."""
        return {"_seen": {}}


def _same(earlier: Any, value: Any) -> bool:
    if earlier is None or value is earlier:
        return earlier is not None
    return hasattr(value, "data_ptr") and earlier.data_ptr() == value.data_ptr()


def row(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Gives the numbers for the row of an epoch: of a value that Lightning keeps as x, x_step and x_epoch only x, which is that of the epoch."""
    forks = {name + fork for name in metrics for fork in FORKS}
    numbers = ((name, conversion.to_number(value)) for name, value in metrics.items() if name not in forks)
    return {name: number for name, number in numbers if number is not None}


class Mean:
    """The mean of the losses of an epoch, from numbers that were read anyway."""

    def __init__(self) -> None:
        """Begins an epoch."""
        self.sum, self.count = 0.0, 0

    def add(self, numbers: list[float]) -> None:
        """Adds losses."""
        self.sum += sum(numbers)
        self.count += len(numbers)

    def take(self) -> float | None:
        """Gives the mean, None without a loss, and begins anew."""
        mean = self.sum / self.count if self.count else None
        self.sum, self.count = 0.0, 0
        return mean
