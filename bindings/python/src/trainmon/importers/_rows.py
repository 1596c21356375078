# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the rows of a table say: separator, columns of numbers, steps, times, our own forms; and the lines that say nothing of the kind, which are counted."""

from __future__ import annotations

import contextlib
import csv
import datetime
import math
import os
import re

from trainmon import values as conversion
from trainmon.importers._files import open_file
from trainmon.importers._writer import parse_json, to_microseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

MAX_LINE = 1 << 20
STEPS = ("step", "_step", "global_step", "iteration", "iter", "epoch")
TIMES = ("_timestamp", "timestamp", "wall_time", "date", "time")
NO_VALUES = frozenset((*STEPS, *TIMES, "_runtime"))
SEPARATORS = ",;\t"
POINT, POINT_MAY = {"key", "step", "value"}, {"session_id", "key", "step", "time", "value", "nonfinite"}  # columns of `trainmon export`
EPOCH = {"session_id", "epoch", "created_at"}
MISSING = frozenset(("", "-", "none", "null", "na", "n/a"))  # beside them "nan", which is a number
TOLD = 3  # lines left out that are told one by one
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
LONG_AGO = 100_000_000  # seconds: less is no date but a duration


class UnfitError(ValueError):
    """A line does not fit: it is left out as a whole; the text says why."""


class Left:
    """The lines that were left out."""

    def __init__(self) -> None:
        """None yet."""
        self.count = 0
        self.first: list[tuple[int, str]] = []

    def add(self, line: int, why: str, lines: int = 1) -> None:
        """Takes one line, or several of which it is the first."""
        self.first = sorted([*self.first, (line, why[:160])])[:TOLD]  # they do not come in order: columns are counted for many lines before values are read
        self.count += lines

    def problems(self) -> Iterator[str]:
        """Tells how many, and of the first which and why."""
        if self.count:
            more = ", …" if self.count > len(self.first) else ""
            told = ", ".join(f"line {line} ({why})" for line, why in self.first)
            yield f"{self.count} {'line' if self.count == 1 else 'lines'} left out: {told}{more}"


class Columns:
    """Which columns hold numbers: those of which at least half the values in the first rows are."""

    def __init__(self, sample: Iterable[dict[str, Any]]) -> None:
        """Takes the first rows."""
        counts: dict[str, list[int]] = {}
        self.texts: dict[str, str] = {}  # column of texts, and one of them
        for row in sample:
            for name, value in row.items():
                if not is_missing(value):
                    is_text = to_number(value) is None
                    counts.setdefault(name, [0, 0])[is_text] += 1
                    if is_text:
                        self.texts.setdefault(name, str(value))
        self.known = {name for name, (numbers, texts) in counts.items() if numbers >= texts}
        self.texts = {name: text for name, text in self.texts.items() if name not in self.known}
        self.has_steps = any(name in self.known for name in STEPS)
        self.mixed: dict[str, int] = {}  # column of texts, the first line with a number in it

    def step(self, row: dict[str, Any], index: int) -> int:
        """Gives the step of a row; `index` where the table has none. UnfitError."""
        for name in STEPS:
            value = row.get(name)
            if value is None or name in self.texts or is_missing(value):
                continue
            number = to_integer(value, whole=name != "epoch")
            if number is None:
                raise UnfitError(f"{name} is {value!r:.40}, expected a whole number")
            return number
        if self.has_steps:
            raise UnfitError("no step")
        return index

    def numbers(self, row: dict[str, Any], line: int) -> dict[str, float]:
        """Gives the numbers of a row by their columns. UnfitError: a text among numbers."""
        found = {}
        for name, value in row.items():
            if name in NO_VALUES:
                continue
            number = to_number(value)
            if number is None:
                if name in self.known and not is_missing(value):
                    raise UnfitError(f"{name} is {value!r:.40}, expected a number")
                if name not in self.texts and not is_missing(value):
                    self.texts[name] = str(value)
            elif name in self.texts:
                self.mixed.setdefault(name, line)
            else:
                self.known.add(name)
                found[name] = number
        return found

    def problems(self) -> Iterator[str]:
        """Tells of columns of texts that look as if they were meant as numbers."""
        for name, text in self.texts.items():
            if name in STEPS:
                yield f"column {name!r:.100} has texts such as {text!r:.40}, no steps: the rows are counted"
            elif DECIMAL_COMMA.fullmatch(text.strip()):
                yield f"column {name!r:.100} is left out: its numbers have a comma, such as {text!r:.40}, expected a point"
            elif name in self.mixed:
                yield f"column {name!r:.100} is left out: it has texts such as {text!r:.40} beside numbers, the first in line {self.mixed[name]}"


class Clock:
    """Finds the time of a row."""

    def __init__(self, path: str, separator: str) -> None:
        """Looks at the file's own time, and at its last line."""
        self.modified = os.stat(path).st_mtime
        self.separator = separator
        self.end = self._last_duration(path)
        self.unread: list[str] = []

    def _last_duration(self, path: str) -> float:
        """The time since the start that the last row says: it was written when the file was."""
        with open_file(path) as file:
            header = [name.strip() for name in file.readline(MAX_LINE).decode("utf-8", "replace").split(self.separator)]
            if "time" not in header:
                return 0.0
            file.seek(max(0, os.fstat(file.fileno()).st_size - 65_536))
            words = file.read(65_536).decode("utf-8", "replace").rstrip().rsplit("\n", 1)[-1].split(self.separator)
        place = header.index("time")
        return (to_number(words[place]) or 0.0) if place < len(words) else 0.0

    def read(self, row: dict[str, Any], line: int) -> int:
        """Gives microseconds since 1970."""
        for name in TIMES:
            value = row.get(name)
            number = to_number(value)
            if number is not None and math.isfinite(number):
                return to_microseconds(self._seconds(number))
            if isinstance(value, str) and not is_missing(value):
                try:
                    date = datetime.datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
                    return to_microseconds((date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)).timestamp())
                except (ValueError, OverflowError):
                    if not self.unread:
                        self.unread.append(f"line {line} has the {name} {value!r:.40}, which is no time that is known: such lines have the time of the file")
        return to_microseconds(self.modified)

    def _seconds(self, number: float) -> float:
        if number < LONG_AGO:
            return self.modified - self.end + number
        for unit in (1, 1e3, 1e6, 1e9):
            if number / unit < 1e11:
                return number / unit
        return 0.0

    def problems(self) -> list[str]:
        """Tells the first time that could not be read."""
        return self.unread


# Our own forms


def has_points(names: Collection[str]) -> bool:
    """True for the columns of exported points."""
    return set(names) <= POINT_MAY and set(names) >= POINT


def has_epochs(names: Collection[str]) -> bool:
    """True for the columns of exported epochs."""
    return set(names) >= EPOCH


def check_run(row: dict[str, Any], runs: set[Any]) -> None:
    """UnfitError for a row of another run than the first: a file becomes one run, and their points must not mix."""
    run = row.get("session_id")
    if run not in runs and run is not None:
        if runs:
            raise UnfitError(f"of another run, {run!r:.60}: a file of its own makes it one")
        runs.add(run)


def parse_point(row: dict[str, Any]) -> tuple[str, int, float]:
    """Gives name, step and value. UnfitError."""
    name, value = row.get("key"), row.get("value")
    if not isinstance(name, str) or not name:
        raise UnfitError("no key")
    step = to_integer(row.get("step"))
    if step is None:
        raise UnfitError(f"step is {row.get('step')!r:.40}, expected a whole number")
    number = to_number(row.get("nonfinite") if is_missing(value) else value)
    if number is None:
        raise UnfitError(f"value is {value!r:.40}, expected a number")
    return name, step, number


def parse_epoch(row: dict[str, Any]) -> tuple[int, dict[str, float]]:
    """Gives the epoch and its numbers; those of `extra` have names of their own. UnfitError."""
    epoch = to_integer(row.get("epoch"))
    if epoch is None or epoch < 0:
        raise UnfitError(f"epoch is {row.get('epoch')!r:.40}, expected a whole number")
    numbers = {}
    for name, value in _epoch_values(row):
        number = to_number(value)
        if number is not None:
            numbers[name] = number
        elif not is_missing(value):
            raise UnfitError(f"{name} is {value!r:.40}, expected a number")
    return epoch, numbers


def _epoch_values(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if name == "extra" and isinstance(value, str) and value.strip():  # of CSV; JSON's are flat already
            try:
                yield from conversion.flatten(dict(parse_json(value)))
            except (ValueError, TypeError):
                raise UnfitError(f"extra is {value!r:.40}, expected an object of JSON") from None
        elif name not in EPOCH and name != "extra":
            yield name.removeprefix("extra/"), value


# Values


def find_separator(line: str) -> str:
    """Tells by the line with the names what separates them: what gives a name that is known, then what gives most; a comma where nothing does."""
    return max(SEPARATORS, key=lambda mark: _rate(line, mark))


def _rate(line: str, mark: str) -> tuple[bool, int]:
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=mark, skipinitialspace=True), [])]
    except csv.Error:
        return False, 0
    return any(name in NO_VALUES or name == "key" for name in names), len(names)


def is_missing(value: Any) -> bool:
    """True for None and the texts that stand for no value."""
    return value is None or (isinstance(value, str) and value.strip().lower() in MISSING)


def to_number(value: Any) -> float | None:
    """Gives a number, or the one that a text says."""
    if isinstance(value, str):
        try:
            return float(value) if "_" not in value and len(value) < 400 else None
        except ValueError:
            return None
    return None if value is None else conversion.to_number(value)


def to_integer(value: Any, *, whole: bool = True) -> int | None:
    """Gives a number of 64 bits without its fraction, which `whole` does not allow."""
    if isinstance(value, str) and "_" not in value and len(value) < 400:
        with contextlib.suppress(ValueError):
            value = int(value)  # exact, which a float is not
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else None
    number = to_number(value)
    if number is None or not math.isfinite(number) or abs(number) >= 2**63 or (whole and not number.is_integer()):
        return None
    return int(number)
