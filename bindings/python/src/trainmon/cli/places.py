# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Why there is no store at a place, and which one may have been meant."""

from __future__ import annotations

import os

from trainmon.store import default_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DATABASE = "trainmon.db"
MAKES = "a training makes it with trainmon.init(); or name another one with --store DIR"


class Trouble:
    """What is wrong with a place, what to do about it, and whether only nobody has made a store there."""

    def __init__(self, message: str, hint: str, *, absent: bool = False) -> None:
        """Keeps them."""
        self.message, self.hint, self.absent = message, hint, absent


def trouble_of(folder: str) -> Trouble | None:
    """Says why a store can't be opened in a folder; None where its database lies there."""
    path = os.path.abspath(folder)
    elsewhere = "name another folder with --store DIR"
    try:
        os.stat(os.path.join(path, DATABASE))
    except FileNotFoundError:
        return _absent(path)
    except NotADirectoryError:
        file = _first(path, os.path.isfile)
        if os.path.basename(file) == DATABASE:
            return Trouble(f"{file} is the database of a store", f"name its folder: --store {os.path.dirname(file)}")
        return Trouble(f"no store at {path}: {'it' if file == path else file} is a file, and a store is a folder", elsewhere)
    except PermissionError:
        closed = _first(path, lambda place: os.path.isdir(place) and not os.access(place, os.X_OK))
        return Trouble(f"{path} can't be looked into: this user may not enter {closed}", f"look at its owner and mode: ls -ld {closed}")
    except OSError as error:
        return Trouble(f"{path} can't be looked into: {error.strerror}", elsewhere)
    return None


def _absent(path: str) -> Trouble:
    if os.path.islink(path) and not os.path.exists(path):
        return Trouble(f"no store at {path}: it is a link to {os.readlink(path)}, which is not there", "name another folder with --store DIR")
    near = _near(path)
    hint = f"did you mean {' or '.join(near)}?" if near else MAKES
    if os.path.isdir(path):
        return Trouble(f"no store in {path}: the folder has no {DATABASE}", hint, absent=True)
    return Trouble(f"no store at {path}", hint, absent=True)


def _first(path: str, found: Callable[[str], bool]) -> str:
    """Gives the outermost folder above a path, or the path, that is as asked."""
    above = [path]
    while os.path.dirname(above[-1]) != above[-1]:
        above.append(os.path.dirname(above[-1]))
    return next((place for place in reversed(above) if found(place)), path)


def _near(path: str) -> list[str]:
    """Gives stores that may be meant: in the folder itself, else beside it by a name like it."""
    inner = os.path.join(path, os.path.basename(default_folder()))
    if os.path.exists(os.path.join(inner, DATABASE)):
        return [inner]
    import difflib  # only for a message

    parent, name = os.path.split(path)
    try:
        beside = [entry for entry in os.listdir(parent) if entry != name and os.path.exists(os.path.join(parent, entry, DATABASE))]
    except OSError:
        return []
    return [os.path.join(parent, entry) for entry in difflib.get_close_matches(name, beside, 3)]
