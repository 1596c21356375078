# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""`trainmon import PATH`: takes in runs that other tools recorded."""

from __future__ import annotations

import glob
import importlib
import os
import sys

from trainmon.cli import common, terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What a form is told by, looked for in this order: module of trainmon.importers, patterns.
FORMS = {
    "wandb": ("wandb", ("*.wandb", "wandb-metadata.json", "offline-run-*", "run-*/run-*.wandb", "**/run-*.wandb", "**/wandb-metadata.json")),
    "mlflow": ("mlflow", ("mlflow.db", "mlruns", "meta.yaml", "*/meta.yaml", "*/*/meta.yaml")),
    "tensorboard": ("tensorboard", ("*tfevents*", "**/*tfevents*")),
    "csv": ("csv_file", ("*.csv", "**/*.csv")),
}
EXAMPLES = ("trainmon import lightning_logs", "trainmon import wandb/ --format wandb", "trainmon import mlruns", "trainmon import results.csv --store runs")


def run(command: str, words: list[str]) -> int:
    """Runs the command."""
    parser = common.Parser(command, "Takes in runs that other tools recorded; the store is made when it is not there.", EXAMPLES)
    parser.add_argument("path", metavar="PATH", help="folder or file")
    parser.add_argument("--format", choices=("auto", *FORMS), default="auto", help="which tool wrote it (default: told from what lies there)")
    options = parser.parse(words)
    if not os.path.exists(options.path):
        raise common.CommandError(f"there is nothing at {options.path}")
    form = detect(options.path) if options.format == "auto" else options.format
    if form is None:
        raise common.CommandError(f"{options.path} holds nothing that is known: no event files of TensorBoard, no runs of wandb or MLflow, no CSV",
                                  f"--format says which it is: {', '.join(FORMS)}")
    try:
        importer = importlib.import_module(f"trainmon.importers.{FORMS[form][0]}")
    except ImportError as error:
        raise common.CommandError(f"{form} can't be read here: {error}", _missing(error)) from error
    store = common.open_store(options, create=True)
    line = terminal.Progress(f"import {form}")
    try:
        ids = importer.import_path(options.path, store, progress=_teller(line))
    except (ValueError, KeyError, ImportError) as error:
        raise common.CommandError(f"{options.path} can't be taken in: {error}", _missing(error)) from error
    finally:
        line.close()
    if options.json:
        common.print_json({"store": store.path, "format": form, "runs": ids})
        return 0
    for id in ids:
        record = store.run(id)
        print(f"{id[:common.ID_START]}  {terminal.clean(record.name)}  {record.status}")
    print(f"{len(ids)} {'run' if len(ids) == 1 else 'runs'} of {form} in {store.path}", file=sys.stderr)
    if not ids:
        raise common.CommandError(f"no run was found in {options.path}")
    return 0


def _missing(error: Exception) -> str | None:
    name = getattr(error, "name", None)
    return f"pip install {name}" if isinstance(error, ImportError) and name and not name.startswith("trainmon") else None


def _teller(line: terminal.Progress) -> Any:
    """Gives what importers tell how far they are: (done, total) numbers, or any text."""

    def tell(*said: Any) -> None:
        numbers = [entry for entry in said if isinstance(entry, (int, float))]
        part = numbers[0] / numbers[1] if len(numbers) > 1 and numbers[1] else None
        line.show(part, " ".join(str(entry) for entry in said if isinstance(entry, str)))

    return tell


def detect(path: str) -> str | None:
    """Gives the form of what lies at a path, or None."""
    if os.path.isfile(path):
        name = os.path.basename(path)
        endings = {"wandb": name.endswith(".wandb"), "mlflow": name.endswith(".db"), "tensorboard": "tfevents" in name, "csv": name.endswith((".csv", ".tsv"))}
        return next((form for form, good in endings.items() if good), None)
    root = glob.escape(path)
    for form, (_, patterns) in FORMS.items():
        for pattern in patterns:
            if next(glob.iglob(os.path.join(root, pattern), recursive=True), None) is not None:
                return form
    return None
