# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon compare A B ...`: where runs differ."""

from __future__ import annotations

import json

from trainmon.cli import common, terminal
from trainmon.cli.metrics import names_of, no_metric
from trainmon.cli.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXAMPLES = ("trainmon compare baseline wider", "trainmon compare 3f2a 77b1 9c0d --metrics val_loss val_accuracy", "trainmon compare baseline wider --all")
MOST = 32
MOST_LOOKUPS = 32  # names of which is asked what column they fill


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Compares 2 to 32 runs: the settings that differ, and each metric's best and last value.", EXAMPLES)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id, the start of one, or name")
    parser.add_argument("--metrics", nargs="+", action="extend", default=[], metavar="NAME", help="these metrics (default: all)")
    parser.add_argument("--all", action="store_true", help="settings that are the same too")
    options = parser.parse(words)
    if not 2 <= len(options.runs) <= MOST:
        parser.error(f"compare takes 2 to {MOST} runs, found {len(options.runs)}")
    store = common.open_store(options)
    records = [common.find_run(store, text) for text in options.runs]
    if len({record.id for record in records}) < len(records):
        raise common.CommandError("the same run is named twice")
    ids = [record.id for record in records]
    answer = store.compare(ids, options.metrics, width=200 if options.json else 2)
    columns = {name: _column(store, ids, name) for name in options.metrics}
    for name in options.metrics:
        if columns[name] is None:
            raise no_metric(name, names_of(store, ids), "none of the runs has a")
    if options.json:
        common.print_json(answer)
        return 0
    style = Style(wanted=not options.no_color)
    names = [terminal.clean(record.name) for record in records]
    if len(set(names)) < len(names):
        names = [f"{record.name} {record.id[:common.ID_START]}" for record in records]
    _show_settings(style, names, answer, options)
    if not options.metrics:
        shared = set.intersection(*(set(store.metrics(id)) for id in ids)) - {metric["name"] for metric in answer["metrics"]}
        shared = {name for name in shared if not name.startswith("system/")}  # those fill no column
        columns = {name: _column(store, ids, name) for name in sorted(shared)[:MOST_LOOKUPS]}
    if not answer["metrics"]:
        print(f"\n{style.bold('Metrics')}\n  None of the runs has a metric.")
        return 0
    _show_metrics(style, names, answer, {column: name for name, column in columns.items()})
    return 0


def _column(store: Any, ids: list[str], name: str) -> Any:
    """Gives the name under which a metric is compared: itself, or the column of the epochs that it fills. None: no run has it."""
    found = store.compare(ids, [name], width=2)["metrics"]
    return found[0]["name"] if found else None


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


def _show_metrics(style: Style, names: list[str], answer: dict[str, Any], logged: dict[str, str]) -> None:
    """Shows a metric by the name that it was logged under, where that is known and the same in all runs."""
    print(f"\n{style.bold('Metrics')}")
    rows = []
    for metric in answer["metrics"]:
        for word in ("best", "final"):
            values = [one and one[word] for one in metric["sessions"]]
            finite = [value for value in values if isinstance(value, (int, float))]
            top = (min if metric["order"] == "lower" else max)(finite) if len(set(finite)) > 1 else None
            shown = [("* " if top is not None and value == top else "") + terminal.number(value) for value in values]
            rows.append((logged.get(metric["name"], metric["name"]) if word == "best" else "", "best" if word == "best" else "last", *shown))
    print(terminal.table(style, ("METRIC", "", *names), rows, right=names, give=("METRIC", *names), indent="  "))
    if any(str(cell).startswith("* ") for row in rows for cell in row[2:]):
        print(style.dim("  * the best one"))
