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

__all__ = ["SOURCES", "SourceError", "detect", "import_path"]

SOURCES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow", "csv": "csv_file"}  # name of the source, its module
LIMIT = 100_000  # names looked at by detect


def detect(path: Any) -> list[str]:
    """Tells which sources a file or folder holds, such as ["tensorboard"]; [] for none. OSError: it can't be read."""
    path = os.fspath(path)
    names = [os.path.basename(path)]
    if os.path.isdir(path):
        names = []
        for _, folders, files in os.walk(path):
            folders[:] = [name for name in folders if name not in ("media", "artifacts", "checkpoints")]
            names += files
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
        return name in ("mlflow.db", "mlruns") or name.endswith((".db", ".sqlite", ".sqlite3"))
    return name.endswith((".csv", ".jsonl"))


def import_path(path: Any, store: Any, *, source: str | None = None, progress: Callable[[int, int, str], Any] | None = None, force: bool = False) -> list[str]:
    """Imports what lies at a path and gives the ids of the runs made; see the modules. `source` None: the first that `detect` finds, where one is enough.

    SourceError: nothing readable, or a source that is not known. OSError, and what the store raises.
    """
    found = [source] if source else detect(path)
    if source and source not in SOURCES:
        raise SourceError(f"source is {source!r}, expected one of {', '.join(SOURCES)}")
    if not found:
        raise SourceError(f"{os.fspath(path)}: no history of {', '.join(SOURCES)}")
    module = importlib.import_module(f"trainmon.importers.{SOURCES[found[0]]}")
    return list(module.import_path(path, store, progress=progress, force=force))
