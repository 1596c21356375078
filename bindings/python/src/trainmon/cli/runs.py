# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon runs`: lists runs."""

from __future__ import annotations

from trainmon._native import STATUSES
from trainmon.cli import common, terminal
from trainmon.cli.terminal import Style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SORTS = ("created_at", "started_at", "updated_at", "session_name", "status", "duration_seconds", "final_map50", "final_map50_95", "final_loss",
         "final_precision", "final_recall", "best_epoch")
PROJECT = "project:"
EXAMPLES = ("trainmon runs", "trainmon runs --active", "trainmon runs --project digits --status failed",
            "trainmon runs --text resnet --sort final_loss --ascending",
            "trainmon runs --json | jq -r '.runs[].id'")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Lists runs, the newest first.", EXAMPLES)
    parser.add_argument("--status", choices=STATUSES, help="only those in this status")
    parser.add_argument("--active", action="store_true", help="only those that are going on")
    parser.add_argument("--project", help="only those of this project")
    parser.add_argument("--tag", help="only those with this tag")
    parser.add_argument("--model", help="only those of this type of model")
    parser.add_argument("--dataset", help="only those of this data set")
    parser.add_argument("--text", help="only those with this in name, notes, model, data set or a tag")
    parser.add_argument("--sort", choices=SORTS, default="created_at", metavar="FIELD", help=f"one of {', '.join(SORTS)}")
    parser.add_argument("--ascending", action="store_true", help="lowest or oldest first")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many, 1 to 1000 (default: 50)")
    options = parser.parse(words)
    if options.project and options.tag:
        parser.error("give either --project or --tag")
    if not 1 <= options.limit <= 1000:
        parser.error("--limit is 1 to 1000")
    store = common.open_store(options)
    found = store.runs(limit=options.limit, status=options.status, active=options.active, text=options.text, tag=options.tag, project=options.project,
                       model_type=options.model, dataset_name=options.dataset, sort=options.sort, ascending=options.ascending)
    if options.json:
        common.print_json({"store": store.path, "runs": [record.to_dict() for record in found]})
        return 0
    if not found:
        print(terminal.clean(_nothing(store, options)))
        return 0
    _show(found, options)
    return 0


def _nothing(store: Any, options: Any) -> str:
    if not store.info()["sessions"]:
        return f"No runs in {store.path} yet. A training makes one with trainmon.init(); `trainmon import FOLDER` takes in those of other tools."
    if options.active:
        return "No run is going on. `trainmon runs` lists those that have ended."
    return "No run is like that. `trainmon runs` without filters lists all."


def shown_status(record: Any) -> str:
    """Gives the status of a run as tables show it: a waiting one is paused, one that has not obeyed yet is pausing or stopping."""
    if record.status != "running" or record.control == "run":
        return str(record.status)
    return "stopping" if record.control == "stop" else "paused" if record.paused else "pausing"


def progress_of(record: Any) -> str:
    """Gives how far a run is: its epochs, else percent."""
    epochs = record.progress["epochs"] or record.epochs
    if epochs:
        return f"{record.progress['epoch']}/{epochs}"
    return f"{record.percent:.0f} %" if record.percent else ""


def _show(found: list[Any], options: Any) -> None:
    style = Style(wanted=not options.no_color)
    rows = []
    for record in found:
        seconds = record.duration_seconds
        tags = [tag for tag in record.tags if not tag.startswith(PROJECT)]
        project = next((tag[len(PROJECT):] for tag in record.tags if tag.startswith(PROJECT)), None)
        final = record.final_map50_95 if record.final_map50_95 is not None else record.final_loss
        word = "mAP50-95" if record.final_map50_95 is not None else "loss"
        rows.append((record.id[:common.ID_START], record.name, shown_status(record), terminal.ago(record.created_at),
                     terminal.duration(seconds) if seconds else "", progress_of(record), "" if final is None else f"{word} {terminal.number(final)}",
                     project, record.model_type, ", ".join(tags)))
    head = ("ID", "NAME", "STATUS", "MADE", "TOOK", "EPOCHS", "RESULT", "PROJECT", "MODEL", "TAGS")
    print(terminal.table(style, head, rows, right=("TOOK", "EPOCHS"), give=("NAME", "PROJECT", "MODEL", "TAGS", "RESULT")))
    if len(found) == options.limit:
        print(style.dim(f"The first {options.limit}; --limit N shows more."))
