# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon doctor`: finds out what is wrong, and says what to do about it."""

from __future__ import annotations

import time

from trainmon.cli import common, terminal
from trainmon.cli.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

EXAMPLES = ("trainmon doctor", "trainmon doctor --store runs --port 9000", "trainmon doctor --torch",
            "trainmon doctor --json | jq '.checks[] | select(.status != \"ok\")'")
# Never by name alone: the package index does not have it, or has another one.
REINSTALL = "in the repository of libtrainmon: pip install --force-reinstall ./bindings/python"

WIDE = 72  # columns from which what was found stands beside its name, else below it


class Check:
    """One line: `status` "ok", "warn" or "fail", what it is about, what was found, and what to do unless it is ok."""

    def __init__(self, name: str, status: str, found: str, advice: str | None = None, **facts: Any) -> None:
        """Keeps them; `facts` go into --json."""
        self.name, self.status, self.found, self.advice, self.facts = name, status, found, advice, facts

    def to_dict(self) -> dict[str, Any]:
        """Gives it as JSON has it."""
        return {"name": self.name, "status": self.status, "found": self.found, "advice": self.advice, **self.facts}


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    text = "Checks the machine, the packages, the store and the server. Exit code 1 when a check fails; warnings alone give 0."
    parser = common.Parser(command, text, EXAMPLES)
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="port of the page (default: 8000)")
    parser.add_argument("--torch", action="store_true", help="ask PyTorch about CUDA too, which imports it (seconds)")
    parser.add_argument("--full", action="store_true", help="read the whole database, however long that takes")
    options = parser.parse(words)
    if not 1 <= options.port <= 65535:
        parser.error("--port is 1 to 65535")
    begin, checks = time.monotonic(), []
    style = Style(wanted=not options.no_color)
    for check in all_checks(options):
        checks.append(check)
        if not options.json:
            _print(style, check)
    counts = {status: sum(check.status == status for check in checks) for status in ("ok", "warn", "fail")}
    if options.json:
        common.print_json({**counts, "seconds": time.monotonic() - begin, "checks": [check.to_dict() for check in checks]})
    else:
        words = [f"{counts['ok']} ok", f"{counts['warn']} to look at" if counts["warn"] else "", f"{counts['fail']} failed" if counts["fail"] else ""]
        print("\n" + ", ".join(word for word in words if word) + style.dim(f" in {terminal.duration(time.monotonic() - begin)}"))
    return 1 if counts["fail"] else 0


def all_checks(options: Any) -> Iterator[Check]:
    """Gives the checks, one after the other. One that breaks is a failed check, and the others go on."""
    from trainmon.cli import doctor_machine, doctor_server, doctor_store

    for function in (*doctor_machine.CHECKS, *doctor_store.CHECKS, *doctor_server.CHECKS):
        try:
            yield from function(options)
        except Exception as error:
            yield Check(function.__name__, "fail", f"the check itself broke: {type(error).__name__}: {error}", "please report it")


def _print(style: Style, check: Check) -> None:
    indent = 24 if terminal.width() >= WIDE else 6
    lines = terminal.wrap(terminal.clean(check.found), terminal.width() - indent)
    head = f"{style.status(check.status)}{' ' * (4 - len(check.status))}  {check.name:16}"
    if indent < 24:
        print(head.rstrip())
    else:
        print(f"{head}  {lines.pop(0)}", flush=True)
    for line in lines:
        print(f"{'':{indent}}{line}", flush=True)
    for advice in check.advice.split("\n") if check.status != "ok" and check.advice else ():
        mark = style.bold("→")
        for line in terminal.wrap(terminal.clean(advice), terminal.width() - indent - 2):
            print(f"{'':{indent}}{mark} {line}")
            mark = " "
