# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Weights & Biases: runs kept on disk, `wandb/offline-run-*/run-*.wandb`, and those that were uploaded as well, `wandb/run-*`.

A file is a log in blocks of 32 KiB, as LevelDB has them, of protobuf messages. Each piece's checksum is checked; a file is kept up to its first damaged record,
which is reported. Settings and summary that the log lacks are taken from files/config.yaml and files/wandb-summary.json.
"""

from __future__ import annotations

import os
import struct
import zlib

from trainmon import values as conversion
from trainmon.importers._files import SourceError, hash_files, open_file, read_small, walk
from trainmon.importers._protobuf import blob, fields, integer, seconds, signed, text
from trainmon.importers._writer import Source, Writer, import_sources, parse_json, to_microseconds
from trainmon.importers._yaml import parse_yaml
from trainmon.store import project_tag

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAGIC = b":W&B"
FILE_HEADER = 7  # bytes, within the first block
BLOCK = 32_768
PIECE = struct.Struct("<IHB")  # checksum, length, type
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
MAX_RECORD = 64 << 20
MAX_DEPTH = 20
MAX_KEYS = 20_000  # of settings or summary
SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
HISTORY, SUMMARY, CONFIG, STATS, ALERT, RUN, EXIT = 2, 3, 5, 7, 10, 17, 18  # numbers of the kinds of records
RUN_TEXTS = {1: "id", 2: "entity", 3: "project", 6: "group", 7: "job_type", 8: "name", 9: "notes"}


def import_path(path: Any, store: Any, *, progress: Callable[[int, int, str], Any] | None = None, force: bool = False) -> list[str]:
    """Imports a .wandb file, or all below `path`, and gives the ids of the runs made; unchanged ones are left alone unless `force`.

    `store` is a Store or its folder; `progress(done, total, text)` counts bytes. SourceError: nothing readable. OSError.
    """
    files = list(walk(os.path.abspath(os.fspath(path)), lambda name: name.endswith(".wandb")))
    if not files:
        raise SourceError(f"{os.fspath(path)}: no .wandb files")
    return import_sources([RunFile(file) for file in files], store, progress, force)


class RunFile(Source):
    """One .wandb file. Its identity is the name of its folder, which has time and id of the run, so that it may move."""

    kind = "wandb"

    def __init__(self, path: str) -> None:
        """Takes the path of the file."""
        folder = os.path.basename(os.path.dirname(path))
        name = os.path.basename(path)
        known = folder.removeprefix("offline-") if "run-" in folder else os.path.realpath(path)
        super().__init__(path, f"{known}/{name}", name.removesuffix(".wandb"), os.path.getsize(path))
        self.files = os.path.join(os.path.dirname(path), "files")

    def fingerprint(self) -> str:
        """Hashes the file."""
        return hash_files([self.path])

    def read(self, writer: Writer) -> None:
        """Reads the file, then what only the files beside it say."""
        state = _State(self, writer)
        for data, end in records(self.path, writer.problem):
            writer.done = end
            try:
                state.take(data)
            except ValueError as error:
                writer.problem(f"{self.path}: a record that ends at byte {end}: {error}: left out")
        if state.seen:
            state.finish()


def records(path: str, problem: Callable[[str], None]) -> Iterator[tuple[bytes, int]]:
    """Gives (data, place of its end) of each record of a file, up to the first damaged one, which `problem` is told. OSError, SourceError."""
    with open_file(path) as file:
        if file.read(FILE_HEADER)[:4] != MAGIC:
            raise SourceError(f"{path}: not a file of Weights & Biases")
        at, size = FILE_HEADER, 0
        pieces: list[bytes] = []
        while True:
            left = BLOCK - at % BLOCK
            if left < PIECE.size:  # too small for another piece
                file.read(left)
                at += left
            begin, header = at, file.read(PIECE.size)
            if not header.strip(b"\0"):  # the end, or space that was reserved
                break
            check, length, kind = PIECE.unpack(header) if len(header) == PIECE.size else (0, BLOCK, 0)
            data = file.read(length) if length <= BLOCK - at % BLOCK - PIECE.size else b""
            at += PIECE.size + length
            if len(header) < PIECE.size or (len(data) < length and not file.read(1) and data):
                problem(f"{path}: ends within the record at byte {begin}")
                return
            expected = (kind in (FIRST, FULL)) == (not pieces)
            size = size + length if pieces else length
            if len(data) < length or not expected or kind > LAST or size > MAX_RECORD or zlib.crc32(data, zlib.crc32(bytes([kind]))) != check:
                problem(f"{path}: the record at byte {begin} is damaged: nothing after it was read")
                return
            pieces.append(data)
            if kind in (FULL, LAST):
                yield b"".join(pieces), at
                pieces = []
        if pieces:
            problem(f"{path}: ends within a record at byte {at}")


class _State:
    """What is known while a file is read."""

    def __init__(self, source: RunFile, writer: Writer) -> None:
        self.source, self.writer = source, writer
        self.seen = self.ended = False
        self.samples = self.config_keys = self.summary_keys = 0
        self.readers = {HISTORY: self.take_history, SUMMARY: self.take_summary, CONFIG: self.take_config, STATS: self.take_stats, ALERT: self.take_alert,
                        RUN: self.take_run, EXIT: self.take_exit}

    def take(self, data: bytes) -> None:
        for number, value in fields(data):
            if number in self.readers:
                self.seen = True
                self.readers[number](blob(value))

    def take_run(self, data: bytes) -> None:
        known: dict[str, str] = {}
        tags: list[str] = []
        started = 0
        for number, value in fields(data):
            if number in RUN_TEXTS:
                known[RUN_TEXTS[number]] = text(value)
            elif number == 4:
                self.take_config(blob(value))
            elif number == 5:
                self.take_summary(blob(value))
            elif number == 10 and len(tags) < 64:
                tags.append(text(value))
            elif number == 17:
                started = to_microseconds(seconds(value))
        writer = self.writer
        writer.open()
        writer.name = known.get("name") or known.get("id") or writer.name
        writer.notes = known.get("notes") or ""
        writer.started = started
        marks = [project_tag(known["project"])] if known.get("project") else []
        marks += [f"{mark}:{known[key]}" for key, mark in (("group", "group"), ("job_type", "job")) if known.get(key)]
        writer.tags = [*marks, *tags]

    def take_history(self, data: bytes) -> None:
        row: dict[str, Any] = {}
        step = None
        for number, value in fields(data):
            if number == 1:
                _put(row, *_item(blob(value)))
            elif number == 2:
                step = signed(dict(fields(blob(value))).get(1, 0))
        at = row.pop("_step", 0)
        if step is None:
            step = at if isinstance(at, int) else 0
        microseconds = to_microseconds(row.pop("_timestamp", 0))
        row.pop("_runtime", None)
        for name, value in _leaves(row):
            self.take_value(name, value, step, microseconds)

    def take_value(self, name: str, value: Any, step: int, microseconds: int) -> None:
        if isinstance(value, dict):
            if value.get("_type") == "image-file":
                self.take_image(name, value, step)
        elif isinstance(value, str) and value not in SPECIAL:
            self.writer.text(name, value, step, microseconds)
        else:
            number = SPECIAL[value] if isinstance(value, str) else conversion.to_number(value)
            if number is not None and value is not None:
                self.writer.point(name, step, microseconds, number)

    def take_image(self, name: str, value: dict[str, Any], step: int) -> None:
        """Reads a picture beside the log; a path that leaves the folder of the run is not followed."""
        root = os.path.realpath(self.source.files)
        try:
            path = os.path.realpath(os.path.join(root, str(value.get("path"))))
            if os.path.commonpath([root, path]) != root:
                raise SourceError(f"{path} is outside")
            with open_file(path) as file:
                data = file.read((16 << 20) + 1)
        except (OSError, ValueError) as error:
            self.writer.problem(f"{self.source.path}: the picture of {name!r:.100} can't be read: {error}")
            return
        caption = value.get("caption")
        self.writer.image(name, data, step, None if caption is None else str(caption))

    def take_config(self, data: bytes) -> None:
        for number, value in fields(data):
            if number == 1 and self.config_keys < MAX_KEYS:
                self.config_keys += 1
                _put(self.writer.config, *_item(blob(value)))

    def take_summary(self, data: bytes) -> None:
        for number, value in fields(data):
            if number == 1 and (self.summary_keys < MAX_KEYS or len(self.writer.summary) < MAX_KEYS):
                self.summary_keys += 1
                _put(self.writer.summary, *_item(blob(value)))

    def take_stats(self, data: bytes) -> None:
        """Figures of the machine, which the writer calls as ours are called."""
        microseconds, figures = 0, []
        for number, value in fields(data):
            if number == 2:
                microseconds = to_microseconds(seconds(value))
            elif number == 3:
                figures.append(_item(blob(value)))
        for path, value in figures:
            figure = conversion.to_number(value) if path else None
            if figure is not None:
                self.writer.point(f"system/{path[0]}", self.samples, microseconds, figure)
        self.samples += 1

    def take_alert(self, data: bytes) -> None:
        said = {number: text(value) for number, value in fields(data) if number in (1, 2)}
        self.writer.text("alert", f"{said.get(1, '')}: {said.get(2, '')}", 0)

    def take_exit(self, data: bytes) -> None:
        known = dict(fields(data))
        code = integer(known.get(1, 0))
        self.ended = True
        self.writer.status = "failed" if code else "completed"
        self.writer.error = f"exit code {code}" if code else ""
        self.writer.completed = self.writer.started + integer(known.get(2, 0)) * 1_000_000 if self.writer.started else 0

    def finish(self) -> None:
        writer, files = self.writer, self.source.files
        if not writer.config:
            for key, value in parse_yaml(read_small(os.path.join(files, "config.yaml"))).items():
                writer.config[key] = value["value"] if isinstance(value, dict) and "value" in value else value
        if not writer.summary:
            try:
                summary = parse_json(read_small(os.path.join(files, "wandb-summary.json")) or "{}")
                writer.summary = summary if isinstance(summary, dict) else {}
            except ValueError as error:
                writer.problem(f"{files}/wandb-summary.json: {error}")
        writer.config.pop("_wandb", None)
        writer.summary = {name: value for name, value in writer.summary.items() if not name.startswith("_")}
        writer.summary = {name: value for name, value in _leaves(writer.summary) if not isinstance(value, dict)}
        writer.completed = max(writer.completed, writer.last_time)
        if not self.ended:
            writer.status, writer.error = "failed", "the log has no end: the process died, or it still ran when this was imported"


def _item(data: bytes) -> tuple[list[str], Any]:
    """Reads a name, which may have parts, and its value."""
    key, value = "", None
    parts: list[str] = []
    for number, entry in fields(data):
        if number == 1:
            key = text(entry)
        elif number == 2 and len(parts) < MAX_DEPTH:
            parts.append(text(entry))
        elif number == 16:
            value = parse_json(blob(entry))
    return parts or ([key] if key else []), value


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        below = tree.get(part)
        if not isinstance(below, dict):
            below = tree[part] = {}
        tree = below
    if path:
        tree[path[-1]] = value


def _leaves(tree: dict[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Gives (name, value) of all leaves; a picture or a histogram is one."""
    for key, value in tree.items():
        if isinstance(value, dict) and "_type" not in value and depth < MAX_DEPTH:
            yield from _leaves(value, f"{prefix}{key}/", depth + 1)
        else:
            yield f"{prefix}{key}", value
