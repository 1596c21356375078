# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What an evaluation shows to be amiss with what the script wants of classes, told once each."""

from __future__ import annotations

import logging

from trainmon.lightning.classes import SCORES, TARGETS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from trainmon.lightning.classes import ClassFigures

logger = logging.getLogger("trainmon")


class Doubts:
    """Looks at the figures of each evaluation. `wanted`: arguments of the callback that need figures of classes; without any nothing is missed."""

    def __init__(self, **wanted: Any) -> None:
        """Keeps which of them were given."""
        self._wanted = [name for name, value in wanted.items() if value is not None and value is not False and len(value if hasattr(value, "__len__") else "x")]
        self._counted = self._told_missing = self._told_misfit = False

    def look(self, figures: ClassFigures, loop: Any, step: str) -> None:
        """Warns of figures that did not come, of another number of classes than of names, and of classes that are none; `step`: what gave the figures."""
        if figures.matrix is None:
            self._miss(figures.reason, loop.run, step)
            return
        self._counted = True
        misfit = figures.misfit()
        if misfit and not self._told_misfit:
            self._told_misfit = True
            source = "class_names has" if "class_names" in self._wanted else "the data's `classes` has"
            logger.warning("%s %d names, and %s gives %s", source, len(figures.names or ()), step, misfit)
        loop.check_classes(figures.all_names())

    def _miss(self, reason: str, run: Any, step: str) -> None:
        if not reason or not self._wanted or self._counted or self._told_missing:
            return
        if any(run.store.results(table, run.id) for table in ("validation_results", "confusion_matrices")):
            return  # the script gives them by itself
        self._told_missing = True
        logger.warning("%s needs figures of classes, and there are none: %s %s, expected a dict with a tensor of predictions (%s) and one of targets (%s)",
                       " and ".join(self._wanted), step, reason, ", ".join(SCORES), ", ".join(TARGETS))
