# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon import PATH`: takes in runs that other tools recorded."""

from __future__ import annotations

import importlib
import sys

from trainmon.cli import common, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMS = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow", "csv": "csv_file"}  # and their modules in trainmon.importers
EXAMPLES = ("trainmon import lightning_logs", "trainmon import wandb/ --format wandb", "trainmon import mlruns", "trainmon import results.csv --store runs")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Takes in runs that other tools recorded; the store is made when it is not there. What is in it already stays.", EXAMPLES)
    parser.add_argument("path", metavar="PATH", help="folder or file")
    parser.add_argument("--format", choices=("auto", *FORMS), default="auto", help="which tool wrote it (default: told from what lies there)")
    parser.add_argument("--force", action="store_true", help="take in again what has not changed since")
    options = parser.parse(words)
    _load("trainmon.importers", options.format).check_path(options.path)
    form = _detect(options.path) if options.format == "auto" else options.format
    importer = _load(f"trainmon.importers.{FORMS[form]}", form)
    store = common.open_store(options, create=True)
    line = terminal.Progress(f"import {form}")
    try:
        ids = importer.import_path(options.path, store, force=options.force,
                                   progress=lambda done, total, text: line.show(min(1.0, done / total) if total else None, terminal.clean(text)))
    except ImportError as error:
        raise common.CommandError(f"{options.path} can't be taken in: {error}", _missing(error)) from error
    finally:
        line.close()
    if options.json:
        common.print_json({"store": store.path, "format": form, "runs": ids})
        return 0
    place = terminal.clean(store.path)
    for id in ids:
        record = store.run(id)
        print(f"{id[:common.ID_START]}  {terminal.clean(record.name)}  {record.status}")
    if ids:
        print(f"{len(ids)} {'run' if len(ids) == 1 else 'runs'} of {form} in {place}", file=sys.stderr)
    else:
        print(f"Nothing new: the runs in {terminal.clean(options.path)} are in {place} already. --force takes them in again.", file=sys.stderr)
    return 0


def _detect(path: str) -> str:
    """Tells which tool wrote what lies at a path; of several the first, and says so."""
    found = _load("trainmon.importers", "auto").detect(path)
    if not found:
        raise common.CommandError(f"{path} holds nothing that is known: no event files of TensorBoard, no runs of wandb or MLflow, no CSV",
                                  f"--format says which it is: {', '.join(FORMS)}")
    if len(found) > 1:
        others = f"--format {' or '.join(found[1:])} takes {'the other' if len(found) == 2 else 'another'}"
        print(f"{terminal.clean(path)} holds {', '.join(found[:-1])} and {found[-1]}: {found[0]} is taken, {others}", file=sys.stderr)
    return str(found[0])


def _load(module: str, form: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise common.CommandError(f"{form} can't be read here: {error}", _missing(error)) from error


def _missing(error: ImportError) -> str | None:
    return f"pip install {error.name}" if error.name and not error.name.startswith("trainmon") else None
