# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""How fast a training goes, without its pauses and validations."""

from __future__ import annotations

import time

SECONDS = 0.5  # over which speed is counted, at least


class Rates:
    """Counts from `begin` to `take`. `images` and `paused` are those of the whole training, in samples and seconds."""

    def __init__(self) -> None:
        """Counts from now on."""
        self.batches = 0
        self.begin(0, 0.0)

    def begin(self, images: int, paused: float) -> None:
        """Forgets what was counted."""
        self._begin, self._images, self._paused, self.batches = time.monotonic(), images, paused, 0

    @property
    def due(self) -> bool:
        """True when enough time has been counted."""
        return time.monotonic() - self._begin >= SECONDS

    def take(self, images: int, paused: float) -> dict[str, float]:
        """Gives milliseconds a batch and images a second, nothing without a batch, and begins anew."""
        seconds, batches, counted = time.monotonic() - self._begin - (paused - self._paused), self.batches, images - self._images
        self.begin(images, paused)
        return {"train/batch_ms": seconds * 1000 / batches, "train/images_per_second": counted / seconds} if batches and seconds > 0 else {}
