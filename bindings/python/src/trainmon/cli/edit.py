# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon rename`, `note` and `tags`: what people write on a run."""

from __future__ import annotations

from trainmon import values as conversion
from trainmon._core import lib
from trainmon._native import new_struct
from trainmon.cli import common, terminal
from trainmon.errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REALS = ("learning_rate", "final_map50", "final_map50_95", "final_precision", "final_recall", "final_loss")
EXAMPLES = {"rename": ("trainmon rename 3f2a baseline",),
            "note": ("trainmon note my-run", 'trainmon note my-run "loss explodes after epoch 3"', 'trainmon note my-run ""'),
            "tags": ("trainmon tags my-run", "trainmon tags my-run --add good paper --remove todo")}
TEXTS = {"rename": "Gives a run another name.", "note": "Writes the note of a run; without a text, shows it.", "tags": "Shows or changes the tags of a run."}


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, TEXTS[command], EXAMPLES[command])
    parser.add_argument("run", metavar="RUN", help="id, the start of one, or name")
    if command == "rename":
        parser.add_argument("name", metavar="NAME", help="the new name")
    elif command == "note":
        parser.add_argument("text", nargs="?", metavar="TEXT", help='the note, at most 64 KiB; "" takes it away')
    else:
        parser.add_argument("--add", nargs="+", action="extend", default=[], metavar="TAG", help="tags to add")
        parser.add_argument("--remove", nargs="+", action="extend", default=[], metavar="TAG", help="tags to take away")
    options = parser.parse(words)
    store = common.open_store(options)
    record = common.find_run(store, options.run)
    if command == "rename":
        if not options.name.strip():
            parser.error("the name is empty")
        _update(store, record.id, name=options.name)
    elif command == "note" and options.text is not None:
        _update(store, record.id, notes=options.text)
    elif command == "tags" and (options.add or options.remove):
        missing = [tag for tag in options.remove if tag not in record.tags]
        if missing:
            raise common.CommandError(f"{record.name} has no tag {missing[0]!r}", f"it has: {', '.join(record.tags) or 'none'}")
        tags = [tag for tag in dict.fromkeys([*record.tags, *options.add]) if tag not in options.remove]
        _update(store, record.id, tags_json=conversion.to_json(tags))
    record = store.run(record.id)
    name = terminal.clean(record.name)
    if options.json:
        common.print_json({"id": record.id, "name": record.name, "notes": record.notes, "tags": record.tags})
    elif command == "rename":
        print(f"{record.id[:common.ID_START]} is called {name}")
    elif command == "note":
        print(terminal.clean_lines(record.notes or "") or f'{name} has no note. trainmon note {record.id[:common.ID_START]} "TEXT" writes one.')
    else:
        print(terminal.clean(", ".join(record.tags)) or f"{name} has no tags. trainmon tags {record.id[:common.ID_START]} --add TAG adds one.")
    return 0


def _update(store: Any, id: str, **fields: str) -> None:
    change = new_struct("tmon_record_change", **fields)
    for name in REALS:
        setattr(change, name, float("nan"))
    check(lib.tmon_record_update(store.handle, id.encode(), change))
