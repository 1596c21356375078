# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon delete RUN ...`: deletes runs."""

from __future__ import annotations

import sys

from trainmon.cli import common, terminal

EXAMPLES = ("trainmon delete 3f2a", "trainmon delete old-1 old-2 --yes",
            "trainmon runs --status failed --json | jq -r '.runs[].id' | xargs trainmon delete --yes")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Deletes runs and all that belongs to them, for good.", EXAMPLES)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id, the start of one, or name")
    parser.add_argument("--yes", "-y", action="store_true", help="don't ask")
    options = parser.parse(words)
    store = common.open_store(options)
    records = list({record.id: record for record in (common.find_run(store, text) for text in options.runs)}.values())
    for record in records:
        if record.live:
            raise common.CommandError(f"{record.name} ({record.id[:common.ID_START]}) is live, nothing was deleted",
                                      f"end it first: trainmon stop {record.id[:common.ID_START]} --wait 60")
    if not options.yes:
        if not common.can_ask():
            raise common.CommandError("nobody is there to ask, nothing was deleted", "--yes deletes without asking")
        for record in records:
            print(f"  {record.id[:common.ID_START]}  {terminal.clean(record.name)}  {record.status}, {terminal.ago(record.created_at)}", file=sys.stderr)
        if not common.ask(f"Delete {'this run' if len(records) == 1 else f'these {len(records)} runs'} for good?"):
            raise common.CommandError("nothing was deleted")
    for record in records:
        store.delete(record.id)
        if not options.json:
            print(f"deleted {terminal.clean(record.name)} ({record.id[:common.ID_START]})")
    if options.json:
        common.print_json({"deleted": [record.id for record in records]})
    return 0
