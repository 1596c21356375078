# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""MLflow: a database `mlflow.db` of SQLite, or folders `mlruns/EXPERIMENT/RUN` with a file a metric, parameter and tag.

The database is opened for reading only, and only real tables are read: a view could run without end.
"""

from __future__ import annotations

import hashlib
import math
import os
import sqlite3
import sys
from urllib.parse import quote

from trainmon import values as conversion
from trainmon.importers._files import SourceError, hash_files, open_file, read_small, walk
from trainmon.importers._writer import Source, Writer, find, id_of, import_sources, parse_scalar
from trainmon.importers._yaml import parse_yaml
from trainmon.store import Store, project_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

SQLITE = b"SQLite format 3\0"
TABLES = ("runs", "experiments", "metrics", "params", "tags")
STATUSES = {"FINISHED": "completed", "3": "completed", "FAILED": "failed", "4": "failed", "KILLED": "cancelled", "5": "cancelled"}  # numbers: in files
NOT_ENDED = "the source says that the run has not ended"
MAX_RUNS = 100_000
SQL_ERRORS = (sqlite3.Error, OverflowError, UnicodeError)  # the last: a message with a text that is no UTF-8
MAX_TEXTS = 10_000  # parameters or tags of a run
MAX_LINE = 4_096


def import_path(path: Any, store: Any, *, progress: Callable[[int, int, str], Any] | None = None, force: bool = False) -> list[str]:
    """Imports a database, a folder mlruns, one of its experiments or runs, and gives the ids of the runs made; unchanged ones are left alone unless `force`.

    `store` is a Store or its folder; `progress(done, total, text)` counts points of a database, bytes of files. Deleted runs are left out.
    SourceError: nothing readable. OSError.
    """
    path = os.path.abspath(os.fspath(path))
    opened = store if isinstance(store, Store) else Store(store)
    if os.path.isdir(path) and os.path.isfile(os.path.join(path, "mlflow.db")):
        path = os.path.join(path, "mlflow.db")
    if os.path.isdir(path):
        folders = [folder for folder in map(os.path.dirname, walk(path, lambda name: name == "meta.yaml")) if _is_run(folder)]
        if not folders:
            raise SourceError(f"{path}: no runs of MLflow")
        runs = sorted((RunFolder(folder, opened) for folder in folders), key=lambda run: run.begin)
        return import_sources([run for run in runs if not run.deleted], opened, progress, force)
    with open_file(path) as file:
        if file.read(len(SQLITE)) != SQLITE:
            raise SourceError(f"{path}: not a database of SQLite")
    try:
        return _import_database(path, opened, progress, force)
    except SQL_ERRORS as error:
        raise SourceError(f"{path}: {error}") from None


def _import_database(path: str, store: Store, progress: Any, force: bool) -> list[str]:
    database = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
    try:
        database.text_factory = lambda data: data.decode("utf-8", "replace")
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
            database.execute(f"PRAGMA {setting}")
        found = dict(database.execute("SELECT name, type FROM sqlite_master WHERE name IN (?, ?, ?, ?, ?)", TABLES))
        missing = [name for name in TABLES if found.get(name) != "table"]
        if missing:
            raise SourceError(f"{path}: not a database of MLflow: no table {', '.join(missing)}")
        rows = database.execute("SELECT r.run_uuid, r.name, r.status, r.start_time, r.end_time, e.name FROM runs r LEFT JOIN experiments e"
                                " ON e.experiment_id = r.experiment_id WHERE r.lifecycle_stage IS NOT 'deleted' ORDER BY r.start_time, r.run_uuid LIMIT ?",
                                (MAX_RUNS,)).fetchall()
        return import_sources([RunRow(path, database, row, store) for row in rows], store, progress, force)
    finally:
        database.close()


class _Run(Source):
    """What both kinds of runs share."""

    kind = "mlflow"

    def __init__(self, path: str, id: str, name: str, size: int, store: Store) -> None:
        """Takes the id that MLflow gave."""
        super().__init__(path, id, name, size)
        self.store = store

    def describe(self, writer: Writer, *, experiment: Any, status: Any, start: Any, end: Any, params: dict[str, str], tags: dict[str, str]) -> None:
        """Hands what is known beside the points to the writer. Times are in milliseconds."""
        writer.open()
        writer.name = tags.get("mlflow.runName") or writer.name
        writer.notes = tags.get("mlflow.note.content", "")
        writer.config = {name: parse_scalar(value) for name, value in params.items()}
        writer.tags = [project_tag(str(experiment))] if experiment else []
        writer.tags += [f"{name}:{value}" if value else name for name, value in tags.items() if not name.startswith("mlflow.")]
        writer.started, writer.completed = _to_microseconds(start), _to_microseconds(end)
        writer.status = STATUSES.get(str(status), "cancelled")
        writer.error = NOT_ENDED if str(status) not in STATUSES else ""
        parent = tags.get("mlflow.parentRunId")
        if parent:
            id = id_of(self.kind, parent)
            if id != self.id and find(self.store, id) is not None:
                writer.fields["parent_id"] = id


class RunRow(_Run):
    """One run of a database. Its metrics are read in the order in which they were written."""

    def __init__(self, path: str, database: sqlite3.Connection, row: Any, store: Store) -> None:
        """Takes the row of the run: id, name, status, times in milliseconds, name of the experiment."""
        self.database, self.row, self.key = database, row, row[0]
        count = database.execute("SELECT count(*) FROM metrics WHERE run_uuid IS ?", (self.key,)).fetchone()[0]
        super().__init__(path, str(self.key), str(row[1] or self.key), count, store)

    def _texts(self, table: str) -> dict[str, str]:
        rows = self.database.execute(f"SELECT key, value FROM {table} WHERE run_uuid IS ? ORDER BY key LIMIT ?", (self.key, MAX_TEXTS))
        return {str(name): str(value)[:10_000] for name, value in rows}

    def fingerprint(self) -> str:
        """Hashes all but the points, of which it takes number, latest time and sums."""
        try:
            sums = self.database.execute("SELECT count(*), max(timestamp), total(step), total(value), total(is_nan), max(rowid) FROM metrics"
                                         " WHERE run_uuid IS ?", (self.key,)).fetchone()
            said = repr((self.row, self._texts("params"), self._texts("tags"), sums))
        except SQL_ERRORS as error:
            raise SourceError(f"{self.path}: {error}") from None
        return hashlib.blake2b(said.encode("utf-8", "replace"), digest_size=16).hexdigest()

    def read(self, writer: Writer) -> None:
        """Reads the run."""
        _, _, status, start, end, experiment = self.row
        try:
            self.describe(writer, experiment=experiment, status=status, start=start, end=end, params=self._texts("params"), tags=self._texts("tags"))
            for name, step, milliseconds, value, is_nan in self.database.execute(
                    "SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid IS ? ORDER BY rowid", (self.key,)):
                writer.done += 1
                number = math.nan if is_nan else conversion.to_number(value)
                if number is None or not isinstance(step, int):
                    writer.problem(f"{self.path}: a value of {name!r:.100} is no number: left out")
                    continue
                writer.point(str(name), step, _to_microseconds(milliseconds), _restore(number))
        except SQL_ERRORS as error:
            writer.problem(f"{self.path}: {error}: nothing after it was read")


class RunFolder(_Run):
    """One run of a folder mlruns."""

    def __init__(self, folder: str, store: Store) -> None:
        """Reads its meta.yaml."""
        meta = parse_yaml(read_small(os.path.join(folder, "meta.yaml")))
        self.meta, self.folder = meta, folder
        self.deleted = str(meta.get("lifecycle_stage")) == "deleted"
        self.begin = conversion.to_number(meta.get("start_time")) or 0.0
        self.metrics = list(walk(os.path.join(folder, "metrics"), _any)) if os.path.isdir(os.path.join(folder, "metrics")) else []
        name = str(meta.get("run_name") or os.path.basename(folder))
        super().__init__(folder, str(meta.get("run_id") or os.path.basename(folder)), name, sum(os.path.getsize(file) for file in self.metrics), store)

    def fingerprint(self) -> str:
        """Hashes its files."""
        return hash_files(file for file in walk(self.folder, _any) if not os.path.relpath(file, self.folder).startswith("artifacts"))

    def _texts(self, kind: str) -> dict[str, str]:
        root = os.path.join(self.folder, kind)
        files = walk(root, _any) if os.path.isdir(root) else iter(())
        return {os.path.relpath(file, root): read_small(file, 100_000)[:10_000] for file, _ in zip(files, range(MAX_TEXTS), strict=False)}

    def read(self, writer: Writer) -> None:
        """Reads the run."""
        experiment = parse_yaml(read_small(os.path.join(self.folder, "..", "meta.yaml"))).get("name")
        self.describe(writer, experiment=experiment, status=self.meta.get("status"), start=self.meta.get("start_time"), end=self.meta.get("end_time"),
                      params=self._texts("params"), tags=self._texts("tags"))
        root = os.path.join(self.folder, "metrics")
        for file in self.metrics:
            name = os.path.relpath(file, root)
            writer.last_time = 0
            for milliseconds, value, step in _read_metric(file, writer):
                writer.point(name, step, milliseconds * 1000, value)


def _read_metric(path: str, writer: Writer) -> Iterator[tuple[int, float, int]]:
    """Gives (milliseconds, value, step) of each line of a metric's file."""
    with open_file(path) as file:
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            writer.done += len(line)
            words = line.split()
            try:
                yield min(max(int(words[0]), 0), 2**52), float(words[1]), int(words[2]) if len(words) > 2 else 0
            except (ValueError, IndexError):
                writer.problem(f"{path}: line {number} is no time, value and step: left out")


def _any(_name: str) -> bool:
    return True


def _is_run(folder: str) -> bool:
    return os.path.isdir(os.path.join(folder, "metrics")) or os.path.isdir(os.path.join(folder, "params"))


def _to_microseconds(milliseconds: Any) -> int:
    return milliseconds * 1000 if isinstance(milliseconds, int) and 0 < milliseconds < 2**47 else 0


def _restore(value: float) -> float:
    """MLflow keeps an infinity as the largest number."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else value
