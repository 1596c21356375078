# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon pause`, `resume` and `stop`: steer a live run."""

from __future__ import annotations

import sys
import time

from trainmon.cli import common, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CONTROLS = {"pause": "pause", "resume": "run", "stop": "stop"}
TEXTS = {"pause": "Lets a live run wait before its next step, until `trainmon resume`.", "resume": "Lets a paused run go on.",
         "stop": "Ends a live run: its loop sees it before the next step and ends as if it were done; checkpoints and the like are written."}
DONE = {"pause": "asked to pause", "resume": "asked to go on", "stop": "asked to stop"}


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, TEXTS[command], (f"trainmon {command} my-run", f"trainmon {command} 3f2a --wait 60"))
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id, the start of one, or name")
    parser.add_argument("--wait", type=float, default=0, metavar="SECONDS", help="wait until the run has obeyed; exit code 1 when it does not in time")
    options = parser.parse(words)
    if not options.wait >= 0:  # so that nan is refused too
        parser.error(f"--wait is 0 or more seconds, found {options.wait:g}")
    store = common.open_store(options)
    records = [common.find_run(store, text) for text in options.runs]
    for record in records:
        if record.status not in ("running", "pending"):
            raise common.CommandError(f"{record.name} ({record.id[:common.ID_START]}) is {record.status}: only a live run can be steered",
                                      "trainmon runs --active lists those")
    for record in records:
        store.request(record.id, CONTROLS[command])
    obeyed = [not options.wait or _wait(store, record.id, command, options.wait) for record in records]
    if options.json:
        common.print_json({"runs": [{"id": record.id, "name": record.name, "asked": CONTROLS[command], "obeyed": good if options.wait else None}
                                    for record, good in zip(records, obeyed, strict=True)]})
    for record, good in zip(records, obeyed, strict=True):
        if not good:
            print(f"{terminal.clean(record.name)} has not obeyed within {options.wait:g} s: does its loop call run.should_stop and run.wait_while_paused()?",
                  file=sys.stderr)
        elif not options.json:
            print(f"{terminal.clean(record.name)} ({record.id[:common.ID_START]}): {DONE[command]}")
    return 0 if all(obeyed) else 1


def _wait(store: Any, id: str, command: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while True:
        record = store.run(id)
        live = record.status in ("running", "pending")
        if {"pause": record.paused and live, "resume": not record.paused and live, "stop": not live}[command]:
            return True
        if time.monotonic() >= end or not live:
            return False
        time.sleep(0.05)
