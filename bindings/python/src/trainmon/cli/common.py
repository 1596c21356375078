# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What the commands share: options, the store, runs by what people call them, answers and errors."""

from __future__ import annotations

import argparse
import json
import sys

from trainmon.errors import AccessError, BusyError, NotFoundError, TrainmonError
from trainmon.store import Store, default_folder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn

NEAR = 5  # names that a message suggests at most
ID_START = 8  # letters of an id that tables show


class CommandError(Exception):
    """A command can't do what it was asked for: the message, what to do about it, the exit code."""

    def __init__(self, message: str, hint: str | None = None, code: int = 1) -> None:
        """Keeps them."""
        super().__init__(message)
        self.hint = hint
        self.code = code


def _help_formatter(prog: str) -> argparse.HelpFormatter:
    # With a width of its own it does not import shutil, which each option would have it do.
    from trainmon.cli.terminal import screen_size

    return argparse.RawDescriptionHelpFormatter(prog, width=min(screen_size()[0] - 2, 120))


class Parser(argparse.ArgumentParser):
    """The parser of one command, with the options that all have. Errors are JSON with --json, the exit code is 2."""

    def __init__(self, command: str, text: str, examples: Iterable[str], *, store: bool = True, **options: Any) -> None:
        """Takes what the command does and example lines for its help."""
        epilog = "examples:\n" + "\n".join(f"  {line}" for line in examples)
        super().__init__(prog=f"trainmon {command}", description=text, epilog=epilog, formatter_class=_help_formatter, allow_abbrev=False, **options)
        if store:
            self.add_argument("--store", metavar="DIR", help="folder of the store (default: $TRAINMON_DIR, else ./trainmon)")
        self.add_argument("--json", action="store_true", help="one JSON document on stdout, errors as JSON on stderr")
        self.add_argument("--no-color", action="store_true", help="no colours; also $NO_COLOR, and where the output is no terminal")
        self._words: list[str] = []

    def parse(self, words: list[str]) -> argparse.Namespace:
        """Reads the words; ends the process with code 0 after --help and 2 after an error."""
        self._words = words
        return self.parse_args(words)

    def error(self, message: str) -> NoReturn:
        """Tells what is wrong with the command line and ends with code 2."""
        print_error(message, f"{self.prog} --help tells more", "--json" in self._words)
        raise SystemExit(2)


def open_store(options: Any, *, create: bool = False) -> Store:
    """Opens the store of --store, or the default one. CommandError, with what to do, when it is not there or can't be opened."""
    folder = options.store or default_folder()
    try:
        return Store(folder, must_exist=not create)
    except TrainmonError as error:
        from trainmon.cli.places import trouble_of  # only for a message

        trouble = trouble_of(folder)
        if trouble is not None and not (create and trouble.absent):
            raise CommandError(trouble.message, trouble.hint) from None
        raise CommandError(f"{folder}: {error}", f"trainmon doctor --store {folder} tells more") from error


def find_run(store: Store, text: str) -> Any:
    """Gives the run that is meant by an id, the start of one, or a name. CommandError with near matches."""
    try:
        return store.run(text)
    except NotFoundError:
        pass
    runs = list(store.all_runs())
    same = [run for run in runs if run.name == text or (len(text) > 3 and run.id.startswith(text.lower()))]
    if len(same) > 1:
        listed = ", ".join(f"{run.id[:ID_START]} ({run.status}, {run.created_at:%Y-%m-%d %H:%M} UTC)" for run in same[:NEAR])
        raise CommandError(f"{len(same)} runs are called {text!r}", f"give the id of one: {listed}{' …' if len(same) > NEAR else ''}")
    if not runs:
        raise CommandError(f"no run {text!r}: {store.path} has none yet", "a training makes one with trainmon.init()")
    near = _near(runs, text)
    listed = ", ".join(f"{run.id[:ID_START]} ({run.name})" for run in near)
    raise CommandError(f"no run {text!r} in {store.path}", f"did you mean {listed}?" if near else "trainmon runs lists them")


def _near(runs: list[Any], text: str) -> list[Any]:
    import difflib  # only for a message

    low = text.lower()
    near = [run for run in runs if low in (run.name or "").lower() or (len(low) > 1 and run.id.startswith(low))]
    names = difflib.get_close_matches(low, [(run.name or "").lower() for run in runs], NEAR)
    near += [run for run in runs if (run.name or "").lower() in names and run not in near]
    starts = difflib.get_close_matches(low[:ID_START], [run.id[:ID_START] for run in runs], NEAR, 0.75)
    near += [run for run in runs if run.id[:ID_START] in starts and run not in near]
    return near[:NEAR]


def print_json(document: Any) -> None:
    """Writes one JSON document to stdout; what is not finite becomes "nan", "inf", "-inf"."""
    from trainmon.values import to_plain

    by_letter = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(to_plain(document), ensure_ascii=not by_letter, indent=None if not sys.stdout.isatty() else 2)
    if by_letter and not text.isprintable():  # JSON may have letters that steer a terminal
        text = "".join(letter if letter == "\n" or letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)
    print(text)


def print_error(message: str, hint: str | None, as_json: bool) -> None:
    """Writes an error to stderr."""
    if as_json:
        print(json.dumps({"error": message, "hint": hint}, ensure_ascii=False), file=sys.stderr)
        return
    from trainmon.cli.terminal import Style, clean_lines

    style = Style(sys.stderr, "--no-color" not in sys.argv)
    print(f"{style.red('error:')} {clean_lines(message)}", file=sys.stderr)
    if hint:
        print(f"       {clean_lines(hint)}", file=sys.stderr)


def tell_failure(error: Exception, as_json: bool) -> int:
    """Writes what went wrong, without a traceback, and gives the exit code. What is a fault of this program is raised on."""
    if isinstance(error, CommandError):
        print_error(str(error), error.hint, as_json)
        return error.code
    hint = None
    if isinstance(error, BusyError):
        hint = "another process holds the store's lock; try again"
    elif isinstance(error, AccessError):
        hint = "the store can be read but not written by this user"
    if not isinstance(error, (TrainmonError, OSError)) or isinstance(error, BrokenPipeError):
        raise error
    print_error(str(error), hint, as_json)
    return 1


def can_ask() -> bool:
    """True when there is somebody at a terminal to ask."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str) -> bool:
    """Asks at the terminal; anything but yes is no."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
