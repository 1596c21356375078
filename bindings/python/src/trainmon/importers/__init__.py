# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Histories of other tools, made into runs of a store: one module a source, each with `import_path`. They read files alone, and trust none of them."""

from __future__ import annotations

import importlib
import os

from trainmon.importers._files import SourceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ["SOURCES", "SourceError", "check_path", "detect", "import_path"]

SOURCES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow", "csv": "csv_file"}  # name of the source, its module
OURS = "trainmon.db"  # the file of a store
DATABASES = (".db", ".sqlite", ".sqlite3")
LIMIT = 100_000  # names looked at by detect


def check_path(path: Any) -> None:
    """Refuses what no source can be. FileNotFoundError: there is nothing; SourceError: it is a store of ours, and of nobody else something is there."""
    text = os.fspath(path)
    if not os.path.exists(text):
        raise FileNotFoundError(f"{text}: there is no such file or folder")
    folder = os.path.dirname(text) if os.path.basename(text) == OURS else text
    if os.path.isfile(os.path.join(folder, OURS)) and not detect(text):
        raise SourceError(f"{text}: this is a store of trainmon; what is in it needs no import: `trainmon runs --store {folder or '.'}` lists its runs,"
                          " `trainmon export` writes one to a file that can be imported into another store")


def detect(path: Any) -> list[str]:
    """Tells which sources a file or folder holds, such as ["tensorboard"]; [] for none. OSError: it can't be read."""
    path = os.fspath(path)
    names = [os.path.basename(path)]
    if os.path.isdir(path):
        names = []
        for folder, folders, files in os.walk(path):
            folders[:] = [name for name in folders if name not in ("media", "artifacts", "checkpoints")]
            # Of databases the importer of MLflow takes that of the folder itself.
            names += [name for name in files if not name.endswith(DATABASES) or (folder == path and name == "mlflow.db")]
            if "meta.yaml" in files and ("metrics" in folders or "params" in folders):
                names.append("mlruns")
            if len(names) > LIMIT:
                break
    else:
        os.stat(path)
    return [kind for kind in SOURCES if any(_is_of(kind, name) for name in names)]


def _is_of(kind: str, name: str) -> bool:
    if kind == "tensorboard":
        return ".tfevents." in name or name.startswith("events.out.tfevents")
    if kind == "wandb":
        return name.endswith(".wandb")
    if kind == "mlflow":
        return name in ("mlflow.db", "mlruns") or (name != OURS and name.endswith(DATABASES))
    return name.endswith((".csv", ".jsonl"))


def import_path(path: Any, store: Any, *, source: str | None = None, progress: Callable[[int, int, str], Any] | None = None, force: bool = False) -> list[str]:
    """Imports what lies at a path and gives the ids of the runs made; see the modules. `source` None: the first that `detect` finds, where one is enough.

    SourceError: nothing readable, a store of trainmon, or a source that is not known. FileNotFoundError: there is nothing. OSError, and what the store raises.
    """
    check_path(path)
    found = [source] if source else detect(path)
    if source and source not in SOURCES:
        raise SourceError(f"source is {source!r}, expected one of {', '.join(SOURCES)}")
    if not found:
        raise SourceError(f"{os.fspath(path)}: no history of {', '.join(SOURCES)}")
    module = importlib.import_module(f"trainmon.importers.{SOURCES[found[0]]}")
    return list(module.import_path(path, store, progress=progress, force=force))
