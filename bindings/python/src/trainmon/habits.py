# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What scripts that were written for W&B call and trainmon does not have: some of it does nothing, with a warning, so that the training goes on.

`trainmon.NAME` looks here for names that it does not know; docs/guide/python.md tells which there are.
"""

from __future__ import annotations

import enum
import importlib.util
import logging
import os

from trainmon.errors import TrainmonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

logger = logging.getLogger("trainmon")

PAGE = "docs/guide/python.md#habits-from-wandb"
# Calls that do nothing, and what they give.
CALLS: dict[str, Any] = {"watch": None, "unwatch": None, "login": True, "save": None, "setup": None, "teardown": None, "log_code": None, "require": None,
                         "log_artifact": None, "log_model": None, "mark_preempting": None}
_told: set[str] = set()


def tell_once(name: str, message: str) -> None:
    """Logs a warning to the logger "trainmon", one of each name in a process."""
    if name not in _told:
        _told.add(name)
        logger.warning("%s", message)


class AlertLevel(enum.Enum):
    """How bad an alert is; `alert` takes it or its text."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


class Histogram(dict[str, float]):
    """What values are like, logged as NAME/min, /p05, /p50, /p95, /max, /mean and /std. The bins are not kept. Needs numpy; never raises."""

    def __init__(self, sequence: Any = None, np_histogram: Any = None, num_bins: int = 64, **_unused: Any) -> None:
        """Takes the values, or as `np_histogram` the counts and edges of bins, of which the figures are estimates. Without values it has no figures."""
        try:
            super().__init__(_of_bins(*np_histogram[:2]) if np_histogram is not None else _of_values(sequence))
        except Exception as error:  # whatever a foreign object raises
            super().__init__()
            tell_once("Histogram", f"a Histogram was left out: {error}")


def _of_values(values: Any) -> dict[str, float]:
    from trainmon import summaries  # which needs numpy

    return summaries.of_values(values)


def _of_bins(counts: Any, edges: Any) -> dict[str, float]:
    from trainmon import summaries

    counts, edges = summaries.array(counts).astype("float64"), summaries.array(edges).astype("float64")
    middles = (edges[1:] + edges[:-1]) / 2
    return summaries.of_buckets(float(edges[0]), float(edges[-1]), count=float(counts.sum()), total=float((counts * middles).sum()),
                                squares=float((counts * middles**2).sum()), limits=edges[1:], counts=counts)


class LeftOut:
    """A value that trainmon does not keep: `log` leaves it out with a warning of its name, once a run."""

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        """Takes what W&B's class takes and keeps nothing of it."""

    def __repr__(self) -> str:
        """Shows the kind."""
        return f"<{type(self).__name__}, which trainmon does not keep>"


def _does_nothing(self: Any, *_arguments: Any, **_options: Any) -> Any:
    """Does nothing; gives the object itself."""
    return self


class Table(LeftOut):
    """A table; not kept."""

    add_data = add_row = add_column = add_computed_columns = _does_nothing


class Artifact(LeftOut):
    """A named collection of files; not kept."""

    def __init__(self, name: str = "", type: str = "", description: str | None = None, metadata: Any = None, **_options: Any) -> None:
        """Keeps what it was told of itself, so that a script can read it."""
        super().__init__()
        self.name, self.type, self.description, self.metadata = name, type, description, dict(metadata or {})
        self.aliases: list[str] = []

    add = add_file = add_dir = add_reference = save = wait = _does_nothing

    def new_file(self, name: str, mode: str = "w", encoding: str | None = None, **_options: Any) -> Any:
        """Gives a file that goes nowhere."""
        return open(os.devnull, mode, encoding=encoding)


class Settings(LeftOut):
    """Settings of W&B; they mean nothing here."""

    def __init__(self, **settings: Any) -> None:
        """Keeps them as attributes."""
        super().__init__()
        self.__dict__.update(settings)


class _Plot(LeftOut):
    """Makes charts, each of which is left out."""

    def __getattr__(self, name: str) -> Any:
        """Gives the function that makes a chart of a kind."""
        if name.startswith("_") or name in _FOREIGN:
            raise AttributeError(name)
        return LEFT_OUT["Chart"]


_FOREIGN = ("item", "items", "dtype", "size", "requires_grad", "detach", "cpu")  # what is asked of numbers and tensors
LEFT_OUT: dict[str, Any] = {name: type(name, (LeftOut,), {"__doc__": f"A {name}; not kept.", "__module__": __name__})
                            for name in ("Audio", "Chart", "Graph", "Html", "JoinedTable", "Molecule", "Object3D", "Plotly", "Video")}
VALUES: dict[str, Any] = {"AlertLevel": AlertLevel, "Artifact": Artifact, "Error": TrainmonError, "Histogram": Histogram, "Settings": Settings, "Table": Table,
                          "plot": _Plot(), **LEFT_OUT}


def _call(name: str) -> Callable[..., Any]:
    def nothing(*arguments: Any, **_options: Any) -> Any:
        tell_once(name, f"{name} does nothing here: {PAGE}")
        # An artifact is given back, since scripts wait for what they log.
        return arguments[0] if name == "log_artifact" and arguments and isinstance(arguments[0], LeftOut) else CALLS[name]

    nothing.__name__ = nothing.__qualname__ = name
    nothing.__doc__ = "Does nothing, with a warning once."
    return nothing


def of_module(name: str) -> Any:
    """Gives what `trainmon.NAME` is. AttributeError: there is no such thing."""
    if name in VALUES:
        return VALUES[name]
    if name in CALLS:
        return _call(name)
    if name.isidentifier() and importlib.util.find_spec(f"trainmon.{name}") is not None:  # what `from trainmon import NAME` asks first
        raise AttributeError(f"module 'trainmon' has no attribute {name!r}: write `import trainmon.{name}` first")
    raise AttributeError(f"module 'trainmon' has no attribute {name!r}; what it has of W&B's interface: {PAGE}")
