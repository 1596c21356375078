# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What adapters check when they are made: there a wrong argument may raise, in the hooks of a training it may not."""

from __future__ import annotations

import logging
import math

from trainmon.arguments import FOREIGN, meant
from trainmon.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

logger = logging.getLogger("trainmon")

MAX_LISTED = 12  # names in a message
RUN = ("finished", "disabled", "log_epoch")  # what tells a run


def check_run(run: Any) -> Any:
    """Gives `run`; TypeError when it is neither None nor a run."""
    if run is None or all(hasattr(run, name) for name in RUN):
        return run
    hint = f"; did you mean project={shown(run)}?" if isinstance(run, str) else ""
    raise TypeError(f"run is {shown(run)} ({type(run).__name__}), expected a trainmon.Run{hint}")


def check_seconds(name: str, value: Any) -> Any:
    """Gives a number of seconds; ValueError when it is below 0, endless or no number."""
    try:
        good = not isinstance(value, (str, bytes)) and 0 <= float(value) < math.inf
    except Exception:
        good = False
    if not good:
        raise ValueError(f"{name} is {shown(value)}, expected seconds, 0 or more")
    return value


def check_thresholds(name: str, given: Mapping[str, float] | None) -> dict[str, float]:
    """Gives least sensitivities by class as floats. TypeError: no dict; ValueError names the class whose threshold is no share."""
    found = {}
    for key, value in _entries(name, given, "class names and sensitivities, such as {'cat': 0.9}"):
        try:
            threshold = float(value)
        except Exception:
            threshold = math.nan
        if isinstance(value, (str, bytes, bool)) or not 0 <= threshold <= 1:
            raise ValueError(f"{name}[{key!r}] is {shown(value)}, expected a sensitivity from 0 to 1")
        found[str(key)] = threshold
    return found


def check_groups(given: Mapping[str, str] | None) -> dict[str, str]:
    """Gives the group of each class. TypeError: no dict, or one the other way round."""
    found = {}
    for key, value in _entries("groups", given, "class names and their groups, such as {'cat': 'animals'}"):
        if isinstance(value, (list, tuple, set, frozenset, dict)):
            raise TypeError(f"groups[{key!r}] is {shown(value)}, expected the name of the group that the class {key!r} is in")
        found[key] = value
    return found


def _entries(name: str, given: Any, expected: str) -> Iterable[tuple[Any, Any]]:
    if given is None:
        return ()
    if not hasattr(given, "items"):
        raise TypeError(f"{name} is {shown(given)} ({type(given).__name__}), expected a dict of {expected}")
    return given.items()


def check_names(name: str, given: Any) -> Any:
    """Gives names of classes as they are; TypeError when they are one text or can't be gone through."""
    if given is not None and (isinstance(given, (str, bytes)) or not hasattr(given, "__iter__")):
        raise TypeError(f"{name} is {shown(given)} ({type(given).__name__}), expected a list of names")
    return given


def only_known(owner: str, given: Mapping[str, Any], *functions: Callable[..., Any]) -> dict[str, Any]:
    """Gives those arguments that one of `functions` has by name; of the others one warning says what may be meant. They would mean nothing further on."""
    known: list[str] = []
    for function in functions:
        code = getattr(function, "__wrapped__", function).__code__
        known += [name for name in code.co_varnames[:code.co_argcount + code.co_kwonlyargcount] if name != "self"]
    unknown = [name for name in given if name not in known and name not in FOREIGN]
    if unknown:
        told = ", ".join(f"{name!r}{meant(name, known)}" for name in unknown)
        logger.warning("%s: unknown argument%s %s; left out", owner, "s" * (len(unknown) > 1), told)
    return {name: value for name, value in given.items() if name in known}


def listed(names: Iterable[Any]) -> str:
    """Lists names for a message, not too many of them."""
    names = [str(name) for name in names]
    more = f", … ({len(names)} in all)" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + more
