# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The settings and the summary of a run: mappings that also answer by attribute and are written to the store when they change."""

from __future__ import annotations

import logging
import weakref
from collections.abc import MutableMapping

from trainmon._core import lib
from trainmon.errors import InvalidError
from trainmon.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

logger = logging.getLogger("trainmon")


class Config(MutableMapping[str, "Any"]):
    """A mapping of names to values: `config["lr"]`, `config.lr`, `config.update({...})`."""

    def __init__(self, values: Any = None, on_change: Callable[[], None] | None = None) -> None:
        """Takes a mapping, an argparse.Namespace or another object with attributes, or None; `on_change` is a method, called while its object lives."""
        object.__setattr__(self, "_values", to_dict(values))
        object.__setattr__(self, "_told", False)
        # Weak: a run and its settings would else keep each other, and the files of a run that is over stay open until the garbage collector comes.
        object.__setattr__(self, "_on_change", None if on_change is None else weakref.WeakMethod(on_change))

    def __reduce__(self) -> Any:
        """Pickles and copies the values alone: a copy is not the run's."""
        return Config, (dict(self._values),)

    def _changed(self) -> None:
        write = None if self._on_change is None else self._on_change()
        if write is not None:
            write()

    def __getitem__(self, name: str) -> Any:
        """Gives a value; KeyError when there is none."""
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        """Sets a value and writes it to the store."""
        self._values[name] = value
        self._changed()

    def __delitem__(self, name: str) -> None:
        """Takes a value away."""
        del self._values[name]
        self._changed()

    def __getattr__(self, name: str) -> Any:
        """Gives a value; AttributeError when there is none."""
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets a value."""
        self[name] = value

    def __iter__(self) -> Iterator[str]:
        """Iterates over the names."""
        return iter(self._values)

    def __len__(self) -> int:
        """Counts the values."""
        return len(self._values)

    def __repr__(self) -> str:
        """Shows the values."""
        return repr(self._values)

    def update(self, values: Any = None, /, allow_val_change: bool = True, **more: Any) -> None:
        """Sets several values with one write: a mapping, an object with attributes or pairs, and named ones. `allow_val_change` says nothing here.

        Never raises: what is none of these is told once by a warning.
        """
        try:
            found = to_dict(values, "the argument of update")
        except Exception as error:  # what a foreign object does when it is looked at
            found = {}
            if not self._told:
                object.__setattr__(self, "_told", True)
                logger.warning("settings are left out: %s", error if isinstance(error, InvalidError) else shown(error, 200))
        self._values.update(found, **more)
        self._changed()

    def setdefaults(self, values: Mapping[str, Any]) -> None:
        """Sets those values that are not there yet."""
        self.update({name: value for name, value in values.items() if name not in self._values})

    def as_dict(self) -> dict[str, Any]:
        """Gives a copy as a plain dict."""
        return dict(self._values)


def to_dict(values: Any, what: str = "what is set") -> dict[str, Any]:
    """Gives a mapping, the attributes of an object or pairs of names and values as a dict with text keys. InvalidError: another thing, called `what`."""
    if values is None:
        return {}
    if not hasattr(values, "items"):
        try:
            values = vars(values) if hasattr(values, "__dict__") else dict(values)
        except (TypeError, ValueError):
            file = ", not the name of a file: read it first" if isinstance(values, str) else ""
            message = f"{what} is {shown(values)} ({type(values).__name__}), expected a dict or an object with attributes{file}"
            raise InvalidError(message, lib.TMON_EINVAL, what) from None
    return {str(name): value for name, value in values.items()}
