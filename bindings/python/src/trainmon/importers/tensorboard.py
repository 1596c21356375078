# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""TensorBoard's event files: scalars, pictures, texts and hparams. Each folder with event files is a run, its files are read in order of their names.

The files are read by our own code; tensorboard need not be there. Every length and both checksums of a record are checked; a file is kept up to its first
damaged record, which is reported.
"""

from __future__ import annotations

import os
import struct

from trainmon.importers import _tensors
from trainmon.importers._files import SourceError, hash_files, open_file, walk
from trainmon.importers._protobuf import blob, fields, real, signed, text
from trainmon.importers._writer import Source, Writer, import_sources, to_microseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAX_RECORD = 64 << 20
MAX_TAGS = 20_000
MAX_KNOWN = 10_000  # bytes of a record whose length is remembered
MASK_DELTA = 0xA282EAD8
HEADER = struct.Struct("<QI")
CHECK = struct.Struct("<I")


def import_path(path: Any, store: Any, *, progress: Callable[[int, int, str], Any] | None = None, force: bool = False) -> list[str]:
    """Imports an event file, or each folder below `path` that has some, and gives the ids of the runs made; unchanged ones are left alone unless `force`.

    `store` is a Store or its folder; `progress(done, total, text)` counts bytes. SourceError: nothing readable. OSError.
    """
    root = os.path.abspath(os.fspath(path))
    folders: dict[str, list[str]] = {}
    for file in walk(root, lambda name: "tfevents" in name):
        folders.setdefault(os.path.dirname(file), []).append(file)
    if not folders:
        raise SourceError(f"{root}: no event files")
    top = root if os.path.isdir(root) else os.path.dirname(root)
    return import_sources([EventFolder(folder, files, top) for folder, files in folders.items()], store, progress, force)


class EventFolder(Source):
    """A folder of event files."""

    kind = "tensorboard"

    def __init__(self, folder: str, files: list[str], top: str) -> None:
        """Takes the files in order; the run is called as its folder is below `top`."""
        name = os.path.relpath(folder, top)
        size = sum(os.path.getsize(file) for file in files)
        super().__init__(files[0] if len(files) == 1 else folder, os.path.realpath(folder), os.path.basename(top) if name == "." else name, size)
        self.files = files

    def fingerprint(self) -> str:
        """Hashes the files."""
        return hash_files(self.files)

    def read(self, writer: Writer) -> None:
        """Reads all files."""
        plugins: dict[str, str] = {}
        for file in self.files:
            writer.last_time = 0 if not writer.points else writer.last_time
            begin = writer.done
            for data, end in records(file, writer.problem):
                writer.done = begin + end
                try:
                    _read_event(data, writer, plugins)
                except ValueError as error:
                    writer.problem(f"{file}: an event that ends at byte {end}: {error}: left out")
            writer.done = begin + os.path.getsize(file)


def records(path: str, problem: Callable[[str], None]) -> Iterator[tuple[bytes, int]]:
    """Gives (data, place of its end) of each record of a TFRecord file, up to the first damaged one, which `problem` is told. OSError, SourceError."""
    with open_file(path) as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        headers: dict[int, int] = {}
        while header := file.read(12):
            if len(header) < 12:
                problem(f"{path}: ends within the record at byte {at}")
                return
            length, check = HEADER.unpack(header)
            if headers.get(length) != check:  # most records are of a few lengths
                if masked_crc(header[:8]) != check or length > MAX_RECORD:
                    problem(f"{path}: the record at byte {at} is damaged: nothing after it was read")
                    return
                if length < MAX_KNOWN:
                    headers[length] = check
            if length + 4 > max(size - at - 12, 0):  # cheaper than to read it, and a length that lies costs no memory
                problem(f"{path}: ends within the record at byte {at}")
                return
            data, tail = file.read(length), file.read(4)
            if len(data) < length or len(tail) < 4 or masked_crc(data) != CHECK.unpack(tail)[0]:
                problem(f"{path}: the record at byte {at} is damaged: nothing after it was read")
                return
            at += 16 + length
            yield data, at


_tables: list[list[int]] = []


def masked_crc(data: bytes) -> int:
    """Gives the CRC-32C of data as TFRecord files mask it. By four bytes at a time over two tables of 65,536 entries, which are made at the first call."""
    if not _tables:
        _tables.extend(_make_tables())
    low, high, single = _tables
    crc = 0xFFFF_FFFF
    whole = len(data) & ~3
    for word in struct.unpack(f"<{whole >> 2}I", data[:whole]):
        crc ^= word
        crc = low[crc & 0xFFFF] ^ high[crc >> 16]
    for byte in data[whole:]:
        crc = single[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFF_FFFF
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFF_FFFF


def _step(crc: int, bits: int) -> int:
    for _ in range(bits):
        crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc


def _make_tables() -> tuple[list[int], list[int], list[int]]:
    """The remainders of all words of two bytes, once followed by two more bytes and once not, and those of single bytes."""
    bytes_table = [_step(byte, 8) for byte in range(256)]

    def advance(crc: int) -> int:
        crc = bytes_table[crc & 0xFF] ^ (crc >> 8)
        return bytes_table[crc & 0xFF] ^ (crc >> 8)

    high = [advance(word) for word in range(65_536)]
    return [advance(crc) for crc in high], high, bytes_table


def _read_event(data: bytes, writer: Writer, plugins: dict[str, str]) -> None:
    wall_time, step, summaries = 0.0, 0, []
    for number, value in fields(data):
        if number == 1:
            wall_time = real(value)
        elif number == 2:
            step = signed(value)
        elif number == 5:
            summaries.append(blob(value))
    microseconds = to_microseconds(wall_time)
    for summary in summaries:
        for number, value in fields(summary):
            if number == 1:
                _read_value(blob(value), writer, plugins, step, microseconds)


def _read_value(data: bytes, writer: Writer, plugins: dict[str, str], step: int, microseconds: int) -> None:
    tag, number, image, tensor, metadata = "", None, None, None, b""
    for field, value in fields(data):
        if field == 1:
            tag = text(value)
        elif field == 2:
            number = real(value)
        elif field == 4:
            image = blob(value)
        elif field == 8:
            tensor = blob(value)
        elif field == 9:
            metadata = blob(value)
    if metadata:
        plugin, content = _read_metadata(metadata)
        if len(plugins) < MAX_TAGS:
            plugins[tag] = plugin
        if plugin == "hparams":
            _tensors.read_hparams(content, writer)
            return
    if number is not None:
        writer.point(tag, step, microseconds, number)
    elif image is not None:
        writer.image(tag, next((blob(value) for field, value in fields(image) if field == 4), b""), step)
    elif tensor is not None:
        _read_tensor(tensor, writer, tag, plugins.get(tag, ""), step=step, microseconds=microseconds)


def _read_metadata(data: bytes) -> tuple[str, bytes]:
    """Gives the plugin that a value belongs to and what the plugin keeps beside it."""
    name, content = "", b""
    for number, value in fields(data):
        if number == 1:
            for inner, entry in fields(blob(value)):
                if inner == 1:
                    name = text(entry)
                elif inner == 2:
                    content = blob(entry)
    return name, content


def _read_tensor(data: bytes, writer: Writer, tag: str, plugin: str, *, step: int, microseconds: int) -> None:
    if plugin == "images":
        for picture in _tensors.strings(data)[2:3]:  # after width and height; of a batch the first
            writer.image(tag, picture, step)
    elif plugin == "text":
        for entry in _tensors.strings(data):
            writer.text(tag.removesuffix("/text_summary"), entry.decode("utf-8", "replace"), step, microseconds)
    elif plugin in ("", "scalars"):
        value = _tensors.scalar(data)
        if value is not None:
            writer.point(tag, step, microseconds, value)
