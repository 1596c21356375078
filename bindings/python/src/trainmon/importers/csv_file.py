# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Tables: Lightning's metrics.csv, Ultralytics' results.csv, what `trainmon export` wrote, any CSV with a row a step, JSON lines such as of W&B.

The step is the column "step", else "_step", "global_step", "iteration", "iter", "epoch", else the number of the row. A column "_timestamp", "timestamp",
"wall_time", "date" or "time" with dates or seconds since 1970 gives the times; "time" with seconds since the start counts back from the file's own time.
Settings are read from hparams.yaml or args.yaml beside the file. A line that does not fit is left out as a whole, and counted.
"""

from __future__ import annotations

import csv
import itertools
import os

from trainmon import values as conversion
from trainmon.importers import _rows
from trainmon.importers._files import SourceError, hash_files, open_file, read_small, walk
from trainmon.importers._rows import MAX_LINE, STEPS, Clock, Columns, Left, UnfitError
from trainmon.importers._writer import Source, Writer, clean, import_sources, parse_json
from trainmon.importers._yaml import parse_yaml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Rows = Iterator[tuple[int, int, dict[str, Any]]]  # number of the line, of the row from 0, and the values by the names of the columns

SETTINGS = ("hparams.yaml", "args.yaml")
FIELDS = {"epochs": "epochs", "batch": "batch_size", "batch_size": "batch_size", "imgsz": "img_size", "model": "model_type", "data": "dataset_name"}
SAMPLE = 1000  # rows that tell which columns have numbers
EPOCHS_WAITING = 1000  # between commits


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
        self.separator, self.first_line, left = ",", "", Left()
        as_json = self.path.endswith((".jsonl", ".ndjson", ".json"))
        rows = self._read_json(writer, left) if as_json else self._read_csv(writer, left)
        sample = list(itertools.islice(rows, SAMPLE))
        names = sample[0][2].keys() if sample else ()
        clock, every = Clock(self.path, self.separator), itertools.chain(sample, rows)
        if _rows.has_points(names):
            self._read_points(every, clock, writer, left)
        elif _rows.has_epochs(names):
            self._read_epochs(every, clock, writer, left)
        else:
            columns = Columns(row for _, _, row in sample)
            self._read_wide(every, columns, clock, writer, left)
            for text in columns.problems():
                writer.problem(f"{self.path}: {text}")
        for text in (*left.problems(), *clock.problems()):
            writer.problem(f"{self.path}: {text}")
        if writer.empty:
            self._refuse(writer, as_json)

    def _refuse(self, writer: Writer, as_json: bool) -> None:
        wanted = "an object with numbers in each line" if as_json else "a first line with names of columns, separated by comma, semicolon or tab, then numbers"
        said = "".join(f"; {text.removeprefix(f'{self.path}: ')}" for text in writer.problems)
        writer.problems = []  # the error says them
        raise SourceError(f"{self.path}: nothing in it that could be imported: looked for {wanted}; the first line is {self.first_line.strip()!r:.120}{said}")

    def _read_wide(self, rows: Rows, columns: Columns, clock: Clock, writer: Writer, left: Left) -> None:
        """Reads a row a step, a column a metric."""
        for line, index, row in rows:
            by_epoch = "epoch" in row and not any(name in row for name in STEPS[:-1])
            try:
                step, numbers = columns.step(row, index), columns.numbers(row, line)
                if "epoch" in row and not by_epoch and (epoch := _rows.to_number(row["epoch"])) is not None:
                    numbers["epoch"] = epoch
            except UnfitError as error:
                left.add(line, str(error))
                continue
            microseconds = clock.read(row, line)
            for name, number in numbers.items():
                writer.point(name, step, microseconds, number)
            if by_epoch and numbers and step >= 0:
                writer.open().log_epoch(step, numbers)

    def _read_points(self, rows: Rows, clock: Clock, writer: Writer, left: Left) -> None:
        """Reads a row a point, as `trainmon export` writes them."""
        runs: set[Any] = set()
        for line, _, row in rows:
            try:
                _rows.check_run(row, runs)
                name, step, value = _rows.parse_point(row)
            except UnfitError as error:
                left.add(line, str(error))
                continue
            writer.point(name, step, clock.read(row, line), value)

    def _read_epochs(self, rows: Rows, clock: Clock, writer: Writer, left: Left) -> None:
        """Reads a row an epoch, as `trainmon export --what epochs` writes them; they are no points."""
        runs: set[Any] = set()
        for line, index, row in rows:
            try:
                _rows.check_run(row, runs)
                epoch, numbers = _rows.parse_epoch(row)
            except UnfitError as error:
                left.add(line, str(error))
                continue
            writer.epoch(epoch, clock.read({"time": row.get("created_at")}, line), numbers)
            if index % EPOCHS_WAITING == EPOCHS_WAITING - 1:
                writer.commit()

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

    def _read_csv(self, writer: Writer, left: Left) -> Rows:
        lines = (line for line, _ in self._lines(writer))
        self.first_line = next(lines, "")
        self.separator = _rows.find_separator(self.first_line)
        # Our own has no spaces to skip: a name may begin with one.
        spaced = not _rows.has_points(self.first_line.strip().split(self.separator))
        rows = csv.reader(itertools.chain([self.first_line], lines), delimiter=self.separator, skipinitialspace=spaced)
        try:
            header = [name.strip() for name in next(rows, [])]
            if not any(header) or any(_rows.to_number(name) is not None for name in header if name):
                raise SourceError(f"{self.path}: the first line names no columns: {self.first_line.strip()!r:.120}")
            end, index = rows.line_num, -1
            for row in rows:
                begin, end = end + 1, rows.line_num
                if not any(row):
                    continue
                index += 1
                if len(row) > len(header) and not any(row[len(header):]):
                    del row[len(header):]
                if len(row) == len(header):
                    yield begin, index, {name: value for name, value in zip(header, row, strict=True) if name}
                else:
                    quoted = f", in quotes as far as line {end}" if end > begin else ""
                    left.add(begin, f"{len(row)} {'column' if len(row) == 1 else 'columns'}, expected {len(header)}{quoted}", end + 1 - begin)
        except csv.Error as error:
            writer.problem(f"{self.path}: line {rows.line_num}: {error}: nothing after it was read")

    def _read_json(self, writer: Writer, left: Left) -> Rows:
        index = -1
        for line, number in self._lines(writer):
            self.first_line = self.first_line or line
            if not line.strip():
                continue
            index += 1
            try:
                row = parse_json(line)
            except ValueError:
                row = None
            if isinstance(row, dict):
                yield number, index, dict(conversion.flatten(row))
            else:
                left.add(number, "no object of JSON")

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
