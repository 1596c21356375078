# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Tables: Lightning's metrics.csv, Ultralytics' results.csv, any CSV with a row a step, and JSON lines such as an exported history of W&B.

The step is the column "step", else "_step", "global_step", "iteration", "iter", "epoch", else the number of the row. A column "_timestamp", "timestamp",
"wall_time", "date" or "time" with dates or seconds since 1970 gives the times; "time" with seconds since the start counts back from the file's own time.
Settings are read from hparams.yaml or args.yaml beside the file.
"""

from __future__ import annotations

import csv
import datetime
import math
import os

from trainmon import values as conversion
from trainmon.importers._writer import Source, SourceError, Writer, clean, hash_files, import_sources, open_file, parse_json, read_small, to_microseconds, walk
from trainmon.importers._yaml import parse_yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAX_LINE = 1 << 20
STEPS = ("step", "_step", "global_step", "iteration", "iter", "epoch")
TIMES = ("_timestamp", "timestamp", "wall_time", "date", "time")
SETTINGS = ("hparams.yaml", "args.yaml")
FIELDS = {"epochs": "epochs", "batch": "batch_size", "batch_size": "batch_size", "imgsz": "img_size", "model": "model_type", "data": "dataset_name"}
LONG_AGO = 100_000_000  # seconds: less is no date but a duration


def import_path(path: Any, store: Any, *, progress: Callable[[int, int, str], Any] | None = None, force: bool = False) -> list[str]:
    """Imports a .csv or .jsonl file, or each metrics.csv, results.csv and .jsonl below a folder, and gives the ids of the runs made.

    Unchanged ones are left alone unless `force`. `store` is a Store or its folder; `progress(done, total, text)` counts bytes.
    SourceError: nothing readable. OSError.
    """
    root = os.path.abspath(os.fspath(path))
    files = list(walk(root, lambda name: name in ("metrics.csv", "results.csv") or name.endswith(".jsonl")))
    if not files:
        raise SourceError(f"{root}: no metrics.csv, results.csv or .jsonl")
    return import_sources([Table(file, root if os.path.isdir(root) else os.path.dirname(file)) for file in files], store, progress, force)


class Table(Source):
    """One file."""

    kind = "csv"

    def __init__(self, path: str, top: str) -> None:
        """The run is called as the file's folder is below `top`; a file of another name than the usual ones as itself."""
        folder, file = os.path.split(path)
        name = os.path.relpath(folder, top)
        usual = file in ("metrics.csv", "results.csv")
        own = os.path.basename(folder) if name == "." else name
        super().__init__(path, os.path.realpath(path), own if usual else os.path.splitext(file)[0], os.path.getsize(path))

    def fingerprint(self) -> str:
        """Hashes the file."""
        return hash_files([self.path])

    def read(self, writer: Writer) -> None:
        """Reads the rows."""
        self._read_settings(writer)
        rows = self._read_json(writer) if self.path.endswith((".jsonl", ".ndjson", ".json")) else self._read_csv(writer)
        clock = _Clock(self.path)
        for index, row in enumerate(rows):
            by_epoch = not any(name in row for name in STEPS[:-1]) and "epoch" in row
            step = next((number for number in (_integer(row.get(name)) for name in STEPS) if number is not None), index)
            microseconds = clock.read(row)
            numbers = {name: number for name, value in row.items() if name not in STEPS and name not in TIMES and name != "_runtime"
                       and (number := _number(value)) is not None}
            if "epoch" in row and not by_epoch and (epoch := _number(row["epoch"])) is not None:
                numbers["epoch"] = epoch
            for name, number in numbers.items():
                writer.point(name, step, microseconds, number)
            if by_epoch and numbers and step >= 0:
                writer.open().log_epoch(step, numbers)

    def _read_settings(self, writer: Writer) -> None:
        for name in SETTINGS:
            settings = parse_yaml(read_small(os.path.join(os.path.dirname(self.path), name)))
            writer.config.update(settings)
            for key, field in FIELDS.items():
                value = settings.get(key)
                if field in ("model_type", "dataset_name"):
                    if isinstance(value, str):
                        writer.fields[field] = clean(value, 1000)
                elif type(value) is int and 0 < value < 2**31:
                    writer.fields[field] = value

    def _read_csv(self, writer: Writer) -> Iterator[dict[str, Any]]:
        rows = csv.reader((line for line, _ in self._lines(writer)), skipinitialspace=True)
        try:
            header = [name.strip() for name in next(rows, [])]
            if not any(header) or any(_number(name) is not None for name in header if name):
                raise SourceError(f"{self.path}: the first line names no columns")
            for row in rows:
                if row and len(row) != len(header):
                    writer.problem(f"{self.path}: line {rows.line_num} has {len(row)} columns, expected {len(header)}")
                yield {name: value for name, value in zip(header, row, strict=False) if name}
        except csv.Error as error:
            writer.problem(f"{self.path}: line {rows.line_num}: {error}: nothing after it was read")

    def _read_json(self, writer: Writer) -> Iterator[dict[str, Any]]:
        for line, number in self._lines(writer):
            if not line.strip():
                continue
            try:
                row = parse_json(line)
                if not isinstance(row, dict):
                    raise ValueError("no object")
                yield dict(conversion.flatten(row))
            except ValueError as error:
                writer.problem(f"{self.path}: line {number}: {error}: left out")

    def _lines(self, writer: Writer) -> Iterator[tuple[str, int]]:
        number = 0
        with open_file(self.path) as file:
            while line := file.readline(MAX_LINE):
                number += 1
                writer.done += len(line)
                if len(line) == MAX_LINE:
                    writer.problem(f"{self.path}: line {number} is longer than {MAX_LINE} bytes: nothing after it was read")
                    return
                if b"\0" in line:
                    writer.problem(f"{self.path}: line {number} has zero bytes: nothing after it was read")
                    return
                yield line.decode("utf-8-sig" if number == 1 else "utf-8", "replace"), number


class _Clock:
    """Finds the time of a row."""

    def __init__(self, path: str) -> None:
        self.modified = os.stat(path).st_mtime
        self.end = self._last_duration(path)

    def _last_duration(self, path: str) -> float:
        """The time since the start that the last row says: it was written when the file was."""
        with open_file(path) as file:
            header = [name.strip() for name in file.readline(MAX_LINE).decode("utf-8", "replace").split(",")]
            if "time" not in header:
                return 0.0
            file.seek(max(0, os.fstat(file.fileno()).st_size - 65_536))
            words = file.read(65_536).decode("utf-8", "replace").rstrip().rsplit("\n", 1)[-1].split(",")
        place = header.index("time")
        return (_number(words[place]) or 0.0) if place < len(words) else 0.0

    def read(self, row: dict[str, Any]) -> int:
        """Gives microseconds since 1970."""
        for name in TIMES:
            value = row.get(name)
            number = _number(value)
            if number is not None and math.isfinite(number):
                return to_microseconds(self._seconds(number))
            if isinstance(value, str) and value.strip():
                try:
                    date = datetime.datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
                    return to_microseconds((date if date.tzinfo else date.replace(tzinfo=datetime.timezone.utc)).timestamp())
                except (ValueError, OverflowError):
                    continue
        return to_microseconds(self.modified)

    def _seconds(self, number: float) -> float:
        if number < LONG_AGO:
            return self.modified - self.end + number
        for unit in (1, 1e3, 1e6, 1e9):
            if number / unit < 1e11:
                return number / unit
        return 0.0


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return float(value) if "_" not in value and len(value) < 400 else None
        except ValueError:
            return None
    return None if value is None else conversion.to_number(value)


def _integer(value: Any) -> int | None:
    if isinstance(value, int):
        return int(value)
    number = _number(value)
    return None if number is None or not math.isfinite(number) or abs(number) >= 2**63 else int(number)
