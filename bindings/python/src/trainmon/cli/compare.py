# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon compare A B ...`: where runs differ."""

from __future__ import annotations

import json

from trainmon.cli import common, terminal
from trainmon.cli.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXAMPLES = ("trainmon compare baseline wider", "trainmon compare 3f2a 77b1 9c0d --metrics val_loss val_accuracy", "trainmon compare baseline wider --all")
MOST = 32


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Compares 2 to 32 runs: the settings that differ, and each metric's best and last value.", EXAMPLES)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id, the start of one, or name")
    parser.add_argument("--metrics", nargs="+", default=[], metavar="NAME", help="these metrics (default: those that all runs have)")
    parser.add_argument("--all", action="store_true", help="settings that are the same too")
    options = parser.parse(words)
    if not 2 <= len(options.runs) <= MOST:
        parser.error(f"compare takes 2 to {MOST} runs, found {len(options.runs)}")
    store = common.open_store(options)
    records = [common.find_run(store, text) for text in options.runs]
    if len({record.id for record in records}) < len(records):
        raise common.CommandError("the same run is named twice")
    answer = store.compare([record.id for record in records], options.metrics, width=200 if options.json else 2)
    if options.json:
        common.print_json(answer)
        return 0
    style = Style(wanted=not options.no_color)
    names = [terminal.clean(record.name) for record in records]
    if len(set(names)) < len(names):
        names = [f"{record.name} {record.id[:common.ID_START]}" for record in records]
    _show_settings(style, names, answer, options)
    _show_metrics(style, names, answer)
    return 0


def _text(value: Any, absent: bool) -> str:
    if absent:
        return ""
    return terminal.number(value) if isinstance(value, (int, float, str)) else json.dumps(value, ensure_ascii=False)


def _show_settings(style: Style, names: list[str], answer: dict[str, Any], options: Any) -> None:
    different = [(entry["path"], *(_text(*pair) for pair in zip(entry["values"], entry.get("absent") or [False] * len(names), strict=False)))
                 for kind in ("settings", "config") for entry in answer[kind]["different"]]
    print(style.bold("Settings that differ"))
    if different:
        print(terminal.table(style, ("SETTING", *names), different, give=("SETTING", *names), indent="  "))
    else:
        print("  none")
    same = [(entry["path"], _text(entry["value"], False)) for kind in ("settings", "config") for entry in answer[kind]["same"]]
    if options.all and same:
        print(f"\n{style.bold('Settings that are the same')}")
        print(terminal.table(style, ("SETTING", "VALUE"), same, give=("SETTING", "VALUE"), indent="  "))
    elif same:
        print(style.dim(f"  {len(same)} are the same; --all shows them"))


def _show_metrics(style: Style, names: list[str], answer: dict[str, Any]) -> None:
    print(f"\n{style.bold('Metrics')}")
    rows = []
    for metric in answer["metrics"]:
        for word in ("best", "final"):
            values = [one and one[word] for one in metric["sessions"]]
            finite = [value for value in values if isinstance(value, (int, float))]
            top = (min if metric["order"] == "lower" else max)(finite) if len(set(finite)) > 1 else None
            shown = [("* " if top is not None and value == top else "") + terminal.number(value) for value in values]
            rows.append((metric["name"] if word == "best" else "", "best" if word == "best" else "last", *shown))
    if not rows:
        print("  The runs share no metric; --metrics NAME names some.")
        return
    print(terminal.table(style, ("METRIC", "", *names), rows, right=names, give=("METRIC", *names), indent="  "))
    if any(str(cell).startswith("* ") for row in rows for cell in row[2:]):
        print(style.dim("  * the best one"))
