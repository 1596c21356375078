# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Pictures of what the model is shown, a few every few seconds."""

from __future__ import annotations

import logging
import time

from trainmon.arguments import meant
from trainmon.checks import listed
from trainmon.image import Image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

logger = logging.getLogger("trainmon")

SECONDS = 5.0
PICTURES = 4


class Previews:
    """Shows the first pictures of a batch. `source` is the name of the stream, and the key of the batch where that is a dict, or a function of the batch."""

    def __init__(self, source: Any) -> None:
        """Takes what the user gave as `images`."""
        self.source = source
        self.name = source if isinstance(source, str) else "images"
        self._next = 0.0
        self._told = False

    def show(self, run: Any, batch: Any, step: int, names: list[str] | None) -> None:
        """Shows pictures when it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS
        if callable(self.source):
            found = self.source(batch)
            pictures = found if isinstance(found, (list, tuple)) else [found]
        else:
            pictures = self._of_batch(batch, names)
        for picture in list(pictures)[:PICTURES]:
            if picture is not None:
                run.log_image(self.name, picture, step=step)

    def _of_batch(self, batch: Any, names: list[str] | None) -> list[Image]:
        labels = None
        if isinstance(batch, dict):
            labels = next((batch[name] for name in ("label", "labels", "target", "targets") if name in batch), None)
            if self.name not in batch and not self._told:
                self._told = True
                logger.warning("images is %r, which the batch has no entry for%s; there are: %s. Its first entry is shown", self.name,
                               meant(self.name, batch), listed(batch))
            batch = batch.get(self.name, next(iter(batch.values()), None))
        elif isinstance(batch, (list, tuple)):
            labels = batch[1] if len(batch) > 1 else None
            batch = batch[0]
        count = min(PICTURES, len(batch))
        texts = [_label(labels, place, names) for place in range(count)]
        return [Image(batch[place], label=texts[place]) for place in range(count)]


def _label(labels: Any, place: int, names: list[str] | None) -> str | None:
    if labels is None or getattr(labels, "ndim", 1) != 1:
        return None
    number = int(labels[place])
    return names[number] if names and 0 <= number < len(names) else str(number)
