# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What is said of wrong arguments: their name, the value that was found, and what to do."""

from __future__ import annotations

import logging
import math
import os

from trainmon import values as conversion
from trainmon._core import lib
from trainmon._native import to_bytes
from trainmon.errors import InvalidError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

logger = logging.getLogger("trainmon")

MODES = ("online", "offline", "shared", "disabled", "dryrun")  # the last one is what W&B called offline
RESUME = {None: "allow", False: "never", True: "allow", "auto": "allow", "allow": "allow", "must": "must", "never": "never"}
TAG_BYTES = 64
NOTES_BYTES = 65_536

# Arguments of wandb.init that have no meaning here; a script that has them is not told of it.
FOREIGN = frozenset({"allow_val_change", "anonymous", "config_exclude_keys", "config_include_keys", "entity", "force", "fork_from", "magic", "monitor_gym",
                     "resume_from", "save_code", "settings", "sweep_id", "sync_tensorboard", "tensorboard"})


def meant(word: Any, names: Iterable[str]) -> str:
    """Gives " (did you mean 'NAME'?)" where a name is near, else an empty text."""
    import difflib  # only for a mistake

    word, by_lower = str(word), {str(name).lower(): str(name) for name in names}
    near = difflib.get_close_matches(word.lower(), list(by_lower), 1, 0.7)
    near = near or [part for part in reversed(word.lower().split("_")) if part in by_lower]  # save_dir, run_name
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def tell_unknown(unknown: Mapping[str, Any], known: Iterable[str]) -> None:
    """Warns of arguments that `init` does not know, but those of wandb.init."""
    names = list(known)
    for name in unknown:
        if name in FOREIGN:
            logger.debug("init: %s means nothing here", name)
        else:
            hint = meant(name, names) or "; hyper-parameters belong in config={...}"
            logger.warning("init: there is no argument %s, %s is left out%s", name, conversion.shown(unknown[name]), hint)


def to_mode(mode: Any) -> str:
    """Gives the mode that is meant: the argument, else that of the environment, else "online". InvalidError."""
    found, what = (mode, "mode") if mode else (os.environ.get("TRAINMON_MODE"), "the environment variable TRAINMON_MODE")
    if found and found not in MODES:
        raise InvalidError(f"{what} is {found!r}, expected one of {', '.join(MODES)}{meant(found, MODES)}", lib.TMON_EINVAL, "mode")
    return found or "online"


def to_resume(resume: Any, id: Any) -> str:
    """Gives "allow", "must" or "never". InvalidError: another word, or "must" without an id."""
    if not isinstance(resume, str | bool | None) or resume not in RESUME:
        raise InvalidError(f'resume is {conversion.shown(resume)}, expected True, False, "allow", "auto", "must" or "never"', lib.TMON_EINVAL, "resume")
    if id is None and resume == "must":
        raise InvalidError('resume is "must", but nothing says which run: give its id, init(id=..., resume="must")', lib.TMON_EINVAL, "resume")
    if id is None and resume in (True, "auto"):
        logger.warning("init: resume=%r without an id starts a new run: give each training an id of its own, init(id=..., resume=%r)", resume, resume)
    return RESUME[resume]


def to_text(name: str, value: Any) -> str | None:
    """Gives a text, of None and "" None, of a number or a path what it says. InvalidError: another thing."""
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool | bytes | list | tuple | dict | set):
        raise InvalidError(f"{name} is {conversion.shown(value)}, expected a text", lib.TMON_EINVAL, name)
    return str(value)


def to_number(name: str, value: Any, kind: type = int) -> Any:
    """Gives an int or float; None is 0. InvalidError: no number."""
    try:
        return kind(0 if value is None else value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidError(f"{name} is {conversion.shown(value)}, expected a number", lib.TMON_EINVAL, name) from None


def to_seconds(name: str, value: Any) -> float:
    """Gives a number of seconds; None is 0. InvalidError: below 0, endless or no number."""
    seconds = to_number(name, value, float)
    if not 0 <= seconds < math.inf:
        raise InvalidError(f"{name} is {conversion.shown(value)}, expected seconds, 0 or more", lib.TMON_EINVAL, name)
    return float(seconds)


def to_folder(name: str, value: Any) -> Any:
    """Gives the path of a folder as it is, None where there is none. InvalidError: no path."""
    if value is not None and not isinstance(value, str | bytes | os.PathLike):
        raise InvalidError(f"{name} is {conversion.shown(value)}, expected the path of a folder", lib.TMON_EINVAL, name)
    return value


def to_tags(tags: Any) -> list[str]:
    """Gives the tags that were named: one text or several. InvalidError: what is none, or too long."""
    if isinstance(tags, str):
        tags = [tags]
    try:
        texts = [str(tag) for tag in tags or ()]
    except TypeError:
        raise InvalidError(f"tags is {conversion.shown(tags)}, expected a text or a list of texts", lib.TMON_EINVAL, "tags") from None
    for tag in texts:
        size = len(to_bytes(tag))
        if not 0 < size <= TAG_BYTES:
            raise InvalidError(f"the tag {conversion.shown(tag)} has {size} bytes, expected 1 to {TAG_BYTES}: notes= takes long texts", lib.TMON_EINVAL, "tags")
    return texts


def to_notes(notes: Any) -> str | None:
    """Gives the notes, cut to what the library takes."""
    text = to_text("notes", notes)
    if text is not None and len(to_bytes(text)) > NOTES_BYTES:
        logger.warning("init: notes has %d bytes, the first %d are kept", len(to_bytes(text)), NOTES_BYTES)
        return to_bytes(text, NOTES_BYTES).decode()
    return text
