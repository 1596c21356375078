# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Text for a terminal: colours, tables that fit its width, bars, times and numbers as people read them."""

from __future__ import annotations

import datetime
import math
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}
STATUS_COLORS = {"running": "blue", "completed": "green", "failed": "red", "cancelled": "yellow", "interrupted": "yellow", "pending": "dim", "paused": "yellow",
                 "pausing": "yellow", "stopping": "yellow", "ok": "green", "warn": "yellow", "warning": "yellow", "fail": "red",
                 "critical": "red"}
BLOCKS = "▁▂▃▄▅▆▇█"
LEAST_WIDTH = 8  # of a column that gives way


class Style:
    """Colours for one stream: none where it is no terminal, with NO_COLOR, TERM=dumb or --no-color."""

    def __init__(self, stream: Any = None, wanted: bool = True) -> None:
        """Looks at the stream (None: stdout) and the environment."""
        stream = stream or sys.stdout
        self.on = wanted and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()

    def paint(self, text: str, color: str | None) -> str:
        """Gives the text in a colour of CODES; None: as it is."""
        return f"\033[{CODES[color]}m{text}\033[0m" if self.on and color else text

    def bold(self, text: str) -> str:
        """Gives the text bold."""
        return self.paint(text, "bold")

    def dim(self, text: str) -> str:
        """Gives the text dim."""
        return self.paint(text, "dim")

    def red(self, text: str) -> str:
        """Gives the text red."""
        return self.paint(text, "red")

    def status(self, word: str) -> str:
        """Gives the word of a status or severity in its colour."""
        return self.paint(word, STATUS_COLORS.get(word))


def screen_size(stream: Any = None) -> tuple[int, int]:
    """Gives columns and lines of the terminal at a stream (None: stdout); $COLUMNS and $LINES win, 80 and 24 where there is none."""
    columns, lines = (int(text) if text.isdigit() else 0 for text in (os.environ.get("COLUMNS", ""), os.environ.get("LINES", "")))
    try:
        size = os.get_terminal_size((stream or sys.stdout).fileno())
    except (OSError, ValueError):
        return columns or 80, lines or 24
    return columns or size.columns or 80, lines or size.lines or 24


def width() -> int:
    """Gives the columns of the terminal; where the output is none, $COLUMNS or enough for all."""
    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return 10_000
    return max(screen_size()[0], 20)


def clean(text: Any) -> str:
    """Gives a text on one line without what could steer a terminal."""
    return "".join(" " if letter in "\n\r\t" else letter if letter.isprintable() else "?" for letter in str(text))


def clean_lines(text: Any) -> str:
    """Gives a text with its lines, each without what could steer a terminal."""
    return "\n".join(clean(line) for line in str(text).split("\n"))


def columns_of(text: str) -> int:
    """Counts the columns that a text takes: wide letters two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata  # seldom needed

    return sum(0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, limit: int) -> str:
    """Cuts a text to so many columns, with … where something is left out."""
    if columns_of(text) <= limit:
        return text
    kept = ""
    for letter in text:
        if columns_of(kept + letter) > limit - 1:
            break
        kept += letter
    return kept + "…" if limit > 0 else ""


def wrap(text: str, size: int) -> list[str]:
    """Breaks a text between words into lines of so many columns; a word that is longer, such as a path, stays whole."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and columns_of(lines[-1]) + 1 + columns_of(word) > size:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def table(style: Style, head: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[str] = (), give: Sequence[str] = (), indent: str = "") -> str:
    """Gives a table that fits the width: columns named in `give` are cut first, then the rightmost are left out; those in `right` are flush right."""
    head, right, give = ([clean(name) for name in names] for names in (head, right, give))
    cells = [[clean(cell) if cell is not None else "" for cell in row] for row in rows]
    kept = [at for at in range(len(head)) if any(row[at] for row in cells)] if cells else list(range(len(head)))
    sizes = {at: max(columns_of(head[at]), *(columns_of(row[at]) for row in cells)) if cells else len(head[at]) for at in kept}
    room = width() - len(indent)
    while sum(sizes.values()) + 2 * (len(kept) - 1) > room:
        over = sum(sizes.values()) + 2 * (len(kept) - 1) - room
        soft = [at for at in kept if head[at] in give and sizes[at] > LEAST_WIDTH]
        if soft:
            widest = max(soft, key=sizes.__getitem__)
            sizes[widest] = max(LEAST_WIDTH, sizes[widest] - over) if len(soft) == 1 else sizes[widest] - 1
        elif len(kept) > 2:
            del sizes[kept.pop()]
        else:
            sizes[kept[0]] = max(1, room - sum(sizes[at] + 2 for at in kept[1:]))
            break
    lines = [indent + "  ".join(style.dim(_fill(head[at], sizes[at], head[at] in right)) for at in kept).rstrip()]
    for row in cells:
        texts = [_fill(row[at], sizes[at], head[at] in right) for at in kept]
        texts = [style.status(text.strip()) + " " * (columns_of(text) - columns_of(text.strip())) if text.strip() in STATUS_COLORS else text for text in texts]
        lines.append((indent + "  ".join(texts)).rstrip())
    return "\n".join(lines)


def _fill(text: str, size: int, right: bool) -> str:
    text = cut(text, size)
    space = " " * (size - columns_of(text))
    return space + text if right else text + space


def bar(part: float, size: int = 24) -> str:
    """Gives a bar of `size` columns, filled by `part` (0 to 1)."""
    full = round(min(max(part, 0.0), 1.0) * size)
    return "█" * full + "░" * (size - full)


def sparkline(values: Sequence[float], size: int = 24) -> str:
    """Gives the last values as a line of blocks, scaled to those that are finite."""
    values = values[-size:]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "·" * len(values)
    low, high = min(finite), max(finite)
    span, top = high / 2 - low / 2, len(BLOCKS) - 1  # halves, since the difference of the largest numbers is none
    return "".join((BLOCKS[int((value / 2 - low / 2) / span * top)] if span > 0 else BLOCKS[0]) if math.isfinite(value) else "·" for value in values)


def number(value: Any) -> str:
    """Gives a number with 4 significant digits, whole ones as they are, others as text; "-" for None."""
    if value is None:
        return "-"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e6):
        return str(int(value))
    return f"{value:.4g}"


def duration(seconds: Any) -> str:
    """Gives a duration as people say it: 0.3 s, 42 s, 3 min 05 s, 2 h 14 min, 3 d 4 h; "-" for None."""
    if seconds is None:
        return "-"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def ago(at: datetime.datetime | None) -> str:
    """Gives a time as it looks from now: "3 min ago", and its day once it is a week old; "-" for None."""
    if at is None:
        return "-"
    seconds = time.time() - at.timestamp()
    if seconds < 5:
        return "just now"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size and seconds < 7 * 86400:
            return f"{int(seconds // size)} {word} ago"
    return f"{at.astimezone():%Y-%m-%d}"


def moment(at: datetime.datetime | str | None) -> str:
    """Gives a time in the zone of this machine; "-" for None. ISO 8601 texts are read."""
    if isinstance(at, str):
        at = datetime.datetime.fromisoformat(at.replace("Z", "+00:00"))
    return "-" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def size_of(count: float) -> str:
    """Gives bytes as people read them."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


class Progress:
    """A line on stderr that tells how far a long command is; nothing where that is no terminal."""

    def __init__(self, what: str, wanted: bool = True) -> None:
        """Takes what is being done."""
        self.what = what
        self.on = wanted and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._next = 0.0

    def show(self, part: float | None, text: str = "", *, now: bool = False) -> None:
        """Draws the line anew, at most ten times a second; `part` is 0 to 1, None where that is unknown."""
        if not self.on or (time.monotonic() < self._next and not now):
            return
        self._next = time.monotonic() + 0.1
        line = f"{clean(self.what)}  {'' if part is None else f'{bar(part)} {part:4.0%}'}  {text}"
        print(f"\r\033[K{cut(line, screen_size(sys.stderr)[0] - 1)}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Takes the line away."""
        if self.on:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
