# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon tail RUN`: follows a run as it goes on, in place on a terminal, line by line in a pipe."""

from __future__ import annotations

import collections
import json
import os
import sys
import time

from trainmon.cli import common, terminal
from trainmon.cli.metrics import no_metric
from trainmon.cli.runs import progress_of, shown_status
from trainmon.follow import is_open
from trainmon.store import to_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Point = tuple[str, int, int, float]

EXAMPLES = ("trainmon tail my-run", "trainmon tail my-run train/loss val/loss", "trainmon tail my-run 'train/*' --lines 0",
            "trainmon tail my-run --json | jq .value")
KEPT = 60  # values of a metric that its line shows
REDRAW_SECONDS = 0.25
LOOK_SECONDS = 0.1
PREPARE_SECONDS = 0.5  # between looks at the run itself


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Follows a live run until it ends or Ctrl-C: last values in place on a terminal, a line a point in a pipe.\n"
                           "With --json a JSON object a line, and not one document.", EXAMPLES)
    parser.add_argument("run", metavar="RUN", help="id, the start of one, or name")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these metrics; * stands for anything (default: all but system/...)")
    parser.add_argument("--lines", "-n", type=int, default=10, metavar="N", help="begin with so many of the latest points (default: 10)")
    parser.add_argument("--plain", action="store_true", help="lines on a terminal too")
    options = parser.parse(words)
    if options.lines < 0:
        parser.error("--lines is 0 or more")
    store = common.open_store(options)
    record = common.find_run(store, options.run)
    in_place = sys.stdout.isatty() and not options.json and not options.plain and os.environ.get("TERM") != "dumb"
    _check_names(store, record, options)
    if in_place:
        _Screen(store, record, options).show()
    else:
        _print_lines(store, record, options)
    return 0


def _check_names(store: Any, record: Any, options: Any) -> None:
    """Says which of the names that are asked for the run does not have; a live one may log them later."""
    import fnmatch

    names = list(store.metrics(record.id))
    missing = [pattern for pattern in options.names if not fnmatch.filter(names, pattern)]
    if not missing:
        return
    error = no_metric(missing[0], [name for name in names if not name.startswith("system/")], f"{record.name} has no")
    if len(missing) == len(options.names) and not is_open(record):
        raise error
    for pattern in missing:
        print(terminal.clean(f"{record.name} has no metric {pattern!r}{' yet' if is_open(record) else ''}"), file=sys.stderr)
    print(terminal.clean_lines(error.hint), file=sys.stderr)


def _chooser(options: Any) -> Callable[[str], bool]:
    if not options.names:
        return lambda name: not name.startswith("system/")
    import fnmatch

    return lambda name: any(fnmatch.fnmatchcase(name, pattern) for pattern in options.names)


def _latest(store: Any, id: str, wanted: Callable[[str], bool], limit: int) -> list[Point]:
    """Gives the latest points of each metric by the time they came, at most `limit` of each."""
    points = [(name, *point) for name in store.metrics(id) if wanted(name) for point in store.tail(id, name, limit)] if limit else []
    return sorted(points, key=lambda point: point[2])


def _stream(store: Any, record: Any, wanted: Callable[[str], bool], lines: int) -> Iterator[Point]:
    """Gives the latest points, then new ones as they come; one that came between the two looks comes once."""
    follow = store.follow(record.id)
    earlier = _latest(store, record.id, wanted, lines)
    yield from earlier[-lines:] if lines else ()
    known, end = set(earlier), time.monotonic() + 2
    for point in follow:
        if wanted(point[0]):
            if known and point in known:
                continue
            yield point
        if known and time.monotonic() > end:
            known.clear()
    if follow.lapped:
        print("Some points came too fast to be shown; `trainmon export` has them all.", file=sys.stderr)


def _print_lines(store: Any, record: Any, options: Any) -> None:
    for name, step, at, value in _stream(store, record, _chooser(options), options.lines):
        when = to_time(at)
        if options.json:
            text = when.isoformat(timespec="microseconds").replace("+00:00", "Z") if when else None
            point: dict[str, Any] = {"time": text, "name": name, "step": step}
            point |= {"value": value} if value - value == 0 else {"value": None, "nonfinite": str(value)}
            print(json.dumps(point), flush=True)
        else:
            print(f"{terminal.moment(when)}  {terminal.clean(name)}  step {step}  {value:.6g}", flush=True)
    record = store.run(record.id)
    print(f"{terminal.clean(record.name)} is {record.status}{f': {terminal.clean(record.error_text)}' if record.error_text else ''}", file=sys.stderr)


class _Screen:
    """The block of lines that is drawn anew in place."""

    def __init__(self, store: Any, record: Any, options: Any) -> None:
        self.store, self.record = store, record
        self.wanted = _chooser(options)
        self.style = terminal.Style(wanted=not options.no_color)
        self.values: dict[str, Any] = {}
        self.steps: dict[str, int] = {}
        self.drawn = 0

    def add(self, points: list[Point]) -> None:
        for name, step, _time, value in points:
            if self.wanted(name):
                self.values.setdefault(name, collections.deque(maxlen=KEPT)).append(value)
                self.steps[name] = step

    def show(self) -> None:
        """Draws until the run has ended."""
        follow = self.store.follow(self.record.id)
        self.add(_latest(self.store, self.record.id, self.wanted, KEPT))
        next_draw = next_look = 0.0
        print("\033[?25l", end="")
        try:
            while is_open(self.record):
                self.add(follow.take())
                now = time.monotonic()
                if now >= next_look:
                    self.record, next_look = follow.record(), now + PREPARE_SECONDS
                if now >= next_draw:
                    self.draw()
                    next_draw = now + REDRAW_SECONDS
                time.sleep(LOOK_SECONDS)
            self.add(follow.take())
            self.draw()
        finally:
            print("\033[?25h", end="", flush=True)
        if self.record.error_text:
            print(self.style.red(terminal.clean(self.record.error_text)))

    def draw(self) -> None:
        """Goes up over what was drawn before and draws anew; what does not fit the height is counted."""
        columns, rows = terminal.screen_size()
        lines = [terminal.cut(line, columns - 1) for line in self.lines(columns - 1)]
        room = max(rows - 2, 3)
        if len(lines) > room:
            lines = [*lines[:room - 1], f"… and {len(lines) - room + 1} more; name those that you want"]
        lines[0] = lines[0].replace(shown_status(self.record), self.style.status(shown_status(self.record)), 1)
        up = f"\033[{self.drawn}A" if self.drawn else ""
        print(up + "\r\033[J" + "\n".join(lines), flush=True)
        self.drawn = len(lines)

    def lines(self, columns: int) -> list[str]:
        """Gives the lines without colours: the run, then a line a metric."""
        record, left = self.record, self.record.eta_seconds
        facts = [shown_status(record), f"{terminal.bar(record.percent / 100, 16)} {record.percent:.0f} %" if record.percent else "", progress_of(record),
                 f"{terminal.duration(left)} left" if left and is_open(record) else "", terminal.clean(record.name)]
        if not self.values:
            return ["  ".join(fact for fact in facts if fact), "nothing was logged yet"]
        size = min(max(terminal.columns_of(name) for name in self.values), max(columns // 3, 8))
        spark = max(0, min(KEPT, columns - size - 30))
        lines = ["  ".join(fact for fact in facts if fact)]
        for name, values in self.values.items():
            shown = terminal.cut(terminal.clean(name), size)
            pad = " " * (size - terminal.columns_of(shown))
            line = terminal.sparkline(list(values), spark) if spark else ""
            lines.append(f"{shown}{pad}  {terminal.number(float(values[-1])):>11}  {line:{spark}}  step {self.steps[name]}")
        return lines
