# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon export RUN`: the data of a run as a file."""

from __future__ import annotations

import os
import re
import shlex
import sys

from trainmon._native import to_bytes
from trainmon.cli import common, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

NAME_BYTES = 160  # of a file's name, which has 255 with all that comes before and after
ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
EXAMPLES = ("trainmon export my-run -o my-run.csv", "trainmon export my-run --format jsonl | head", "trainmon export my-run --what epochs -o epochs.csv",
            "trainmon export my-run --format tensorboard -o tensorboard/", "trainmon export my-run --metrics train/loss val/loss -o losses.csv --force")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Writes every point of a run, or its epochs, to a file or stdout.", EXAMPLES)
    parser.add_argument("run", metavar="RUN", help="id, the start of one, or name")
    parser.add_argument("--format", choices=("csv", "jsonl", "tensorboard"), help="form (default: told from the file's ending, csv where it has none)")
    parser.add_argument("--what", choices=("points", "epochs"), default="points", help="every point, or the row of each epoch (default: points)")
    parser.add_argument("--metrics", nargs="+", action="extend", metavar="NAME", help="only these metrics, in this order")
    parser.add_argument("-o", "--output", metavar="FILE", help="file, or a folder for one with a name of its own (default: stdout)")
    parser.add_argument("--force", action="store_true", help="write over a file that is there")
    options = parser.parse(words)
    if options.json and not options.output:
        parser.error("--json needs -o FILE, since the data would go to stdout too")
    if options.metrics and options.what == "epochs":
        parser.error("--metrics means something for points only")
    form = options.format or _form_of(parser, options.output or "")
    store = common.open_store(options)
    record = common.find_run(store, options.run)
    metrics = store.metrics(record.id)
    for name in options.metrics or ():
        if name not in metrics:
            raise common.CommandError(f"{record.name} has no metric {name!r}", f"it has: {', '.join(metrics) or 'none'}")
    total = sum(metrics[name]["count"] for name in options.metrics or metrics) if options.what == "points" else 0
    empty = not (store.epochs(record.id) if options.what == "epochs" else metrics)
    if empty and not options.json:
        hint = "; --what points writes its metrics" if options.what == "epochs" and metrics else ""
        print(f"{terminal.clean(record.name or record.id)} has no {options.what}: there is no data in what is written{hint}", file=sys.stderr)
    arguments = {"format": form, "what": options.what, "keys": options.metrics}
    if not options.output:
        return _to_stdout(store, record, form, arguments)
    path = _path(options, record, form)
    size = _to_file(store, record, path, arguments, 0 if form == "tensorboard" else total)
    if options.json:
        common.print_json({"id": record.id, "file": os.path.abspath(path), "bytes": size, "format": form, "what": options.what, "empty": empty})
    else:
        print(f"{terminal.clean(path)} ({terminal.size_of(size)})", file=sys.stderr)
    return 0


def _form_of(parser: common.Parser, path: str) -> str:
    """Tells the form from the name of a file; a folder, stdout and a name without an ending get CSV."""
    name = os.path.basename(path)
    ending = os.path.splitext(name)[1].lower()
    if "tfevents" in name and not os.path.isdir(path):
        return "tensorboard"
    if ending and ending not in ENDINGS and not os.path.isdir(path):
        import difflib  # only for a message

        near = difflib.get_close_matches(ending, ENDINGS, 1)
        parser.error(f"-o {path}: {ending!r} is no ending that is known, which are {', '.join(ENDINGS)}{f' (did you mean {near[0]}?)' if near else ''}; "
                     "--format csv, jsonl or tensorboard writes to any name")
    return ENDINGS.get(ending, "csv")


def _path(options: Any, record: Any, form: str) -> str:
    path: str = options.output
    if os.path.isdir(path) or path.endswith("/"):
        os.makedirs(path, exist_ok=True)
        name = to_bytes(re.sub(r"[^\w.-]+", "_", record.name or record.id), NAME_BYTES).decode()
        time = int(record.created_at.timestamp()) if record.created_at else 0
        path = os.path.join(path, f"events.out.tfevents.{time}.{name}" if form == "tensorboard" else f"{name}-{options.what}.{form}")
    folder = os.path.dirname(path)
    if folder and not os.path.isdir(folder):
        what = "is no folder" if os.path.exists(folder) else "is not there"
        raise common.CommandError(f"the folder of {path} {what}: {folder}", None if os.path.exists(folder) else f"mkdir -p {shlex.quote(folder)} makes it")
    if os.path.exists(path) and not options.force:
        raise common.CommandError(f"{path} is there already", "--force writes over it")
    return path


def _to_stdout(store: Any, record: Any, form: str, arguments: dict[str, Any]) -> int:
    if form == "tensorboard" and sys.stdout.isatty():
        raise common.CommandError("an event file is not for a terminal", "-o FOLDER writes it there")
    store.export(record.id, sys.stdout.buffer.write, **arguments)
    return 0


def _to_file(store: Any, record: Any, path: str, arguments: dict[str, Any], total: int) -> int:
    """Writes beside the file and renames, so that nobody finds half of it."""
    progress, part = terminal.Progress(f"export {path}"), f"{path}.part"
    done = [0, 0]
    with open(part, "wb") as file:
        write = _counting(file, done, lambda: progress.show(min(1.0, done[1] / total) if total else None, terminal.size_of(done[0])))
        try:
            store.export(record.id, write, **arguments)
            file.flush()
            os.replace(part, path)
        except BaseException:
            os.unlink(part)
            raise
        finally:
            progress.close()
    return done[0]


def _counting(file: Any, done: list[int], tell: Callable[[], None]) -> Callable[[bytes], None]:
    def write(data: bytes) -> None:
        file.write(data)
        done[0] += len(data)
        done[1] += data.count(b"\n")
        tell()

    return write
