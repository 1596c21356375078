# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Which class tree: `lightning.pytorch` and `pytorch_lightning` hold the same classes twice, and each Trainer knows its own only.

The tree is chosen when an object is made, not when this package is imported: by then the script has imported its Trainer. An object made while both are loaded
belongs to both. So the public class is plain, and `__new__` gives an object of a subclass that also has the bases of the frameworks.
"""

from __future__ import annotations

import importlib
import sys
import types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PACKAGES = ("lightning.pytorch", "pytorch_lightning")
_made: dict[tuple[type, tuple[str, ...]], type] = {}


def loaded() -> tuple[str, ...]:
    """Gives the packages that the process uses; the first that can be imported when there is none yet. ImportError: neither is installed."""
    found = tuple(name for name in PACKAGES if name in sys.modules)
    if found:
        return found
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        return (name,)
    raise ImportError("neither lightning nor pytorch_lightning is installed")


def _class_of(public: type, packages: tuple[str, ...]) -> type:
    """Gives the subclass of a public class that is also a Callback or Logger of the packages."""
    made = _made.get((public, packages))
    if made is None:
        bases = tuple(getattr(importlib.import_module(f"{package}.{public.room}"), public.base) for package in packages)  # type: ignore[attr-defined]
        made = types.new_class(public.__name__, (public, *bases))
        # Lightning names the state in a checkpoint after the class: it has to be the same whatever the packages.
        made.__module__, made.__qualname__, made.__doc__ = public.__module__, public.__qualname__, public.__doc__
        made.public, made.packages = public, packages  # type: ignore[attr-defined]
        _made[public, packages] = made
    return made


def rebuild(public: type, packages: tuple[str, ...]) -> Any:
    """Gives an empty object of the class; for pickle and copy."""
    return object.__new__(_class_of(public, packages))


class Based:
    """The root of the public classes: `room` and `base` say which class of the framework they extend."""

    room = base = ""

    def __new__(cls, *_arguments: Any, **_options: Any) -> Any:
        """Gives an object that the Trainer of the script takes."""
        return object.__new__(cls if "packages" in cls.__dict__ else _class_of(cls, loaded()))

    def __reduce__(self) -> Any:
        """Names the public class and the packages, since the class itself is made in each process."""
        made: Any = type(self)
        state = self.__getstate__() if hasattr(self, "__getstate__") else self.__dict__
        return rebuild, (made.public, made.packages), state
