# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Values within event files: tensors of one number or of texts, and the settings that the hparams plugin keeps."""

from __future__ import annotations

import struct

from trainmon.importers._protobuf import blob, fields, integer, real, signed, text, varint
from trainmon.importers._writer import to_microseconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from trainmon.importers._writer import Writer

MAX_DEPTH = 10
MAX_STRINGS = 100
BFLOAT16 = 14
HALF = 19
# Type of a tensor: how its raw bytes are read, and the field that holds single values.
KINDS = {1: ("f", 5), 2: ("d", 6), 3: ("i", 7), 4: ("B", 7), 5: ("h", 7), 6: ("b", 7), 9: ("q", 10), 10: ("?", 11), BFLOAT16: ("H", 13), 17: ("H", 7),
         HALF: ("e", 13), 22: ("I", 16), 23: ("Q", 17)}
PACKED = {5: "f", 6: "d"}
STATUSES = {1: "completed", 2: "failed"}


def scalar(data: bytes) -> float | None:
    """Gives the number of a tensor with one element; None for other tensors. ValueError: damaged."""
    kind, content = 0, b""
    singles: dict[int, Any] = {}
    for number, value in fields(data):
        if number == 1:
            kind = integer(value)
        elif number == 2:
            for field, dimension in fields(blob(value)):
                if field == 2 and any(inner == 1 and signed(size) != 1 for inner, size in fields(blob(dimension))):
                    return None
        elif number == 4:
            content = blob(value)
        elif number in (5, 6, 7, 10, 11, 13, 16, 17):
            singles.setdefault(number, value)
    if kind not in KINDS:
        return None
    code, field = KINDS[kind]
    if content:
        if len(content) != struct.calcsize(f"<{code}"):
            raise ValueError(f"a tensor of one element has {len(content)} bytes")
        return _widen(kind, struct.unpack(f"<{code}", content)[0])
    return _single(kind, field, singles[field]) if field in singles else 0.0  # a zero is left out


def _single(kind: int, field: int, value: Any) -> float | None:
    if field in PACKED:
        if len(blob(value)) != struct.calcsize(PACKED[field]):
            return None
        return real(value)
    if isinstance(value, bytes):  # packed
        value = varint(value, 0)[0] if value else 0
    number = signed(value)
    if field == 13:
        return _widen(kind, number & 0xFFFF if kind == BFLOAT16 else struct.unpack("<e", struct.pack("<H", number & 0xFFFF))[0])
    return float(number & 0xFFFF_FFFF_FFFF_FFFF) if field == 17 else float(number)


def _widen(kind: int, value: Any) -> float:
    """A bfloat16 is the upper half of a float."""
    return float(struct.unpack("<f", struct.pack("<I", value << 16))[0]) if kind == BFLOAT16 else float(value)


def strings(data: bytes) -> list[bytes]:
    """Gives the first entries of a tensor of texts."""
    found = []
    for number, value in fields(data):
        if number == 8:
            found.append(blob(value))
            if len(found) >= MAX_STRINGS:
                break
    return found


def read_hparams(content: bytes, writer: Writer) -> None:
    """Reads what the hparams plugin keeps: the settings of a session, and how it ended."""
    for number, value in fields(content):
        if number == 3:
            for field, entry in fields(blob(value)):
                if field == 1:
                    name, setting = _read_setting(blob(entry))
                    writer.config[name] = setting
                elif field == 5:
                    writer.started = to_microseconds(real(entry))
        elif number == 4:
            for field, entry in fields(blob(value)):
                if field == 1:
                    writer.status = STATUSES.get(integer(entry), writer.status)
                elif field == 2:
                    writer.completed = to_microseconds(real(entry))


def _read_setting(data: bytes) -> tuple[str, Any]:
    name, value = "", None
    for number, entry in fields(data):
        if number == 1:
            name = text(entry)
        elif number == 2:
            value = _read_any(blob(entry), 0)
    return name, value


def _read_any(data: bytes, depth: int) -> Any:
    """Reads a google.protobuf.Value."""
    if depth > MAX_DEPTH:
        raise ValueError("settings are nested too deep")
    for number, value in fields(data):
        if number == 2:
            return real(value)
        if number == 3:
            return text(value)
        if number == 4:
            return bool(integer(value))
        if number == 5:
            pairs = [dict(fields(blob(entry))) for field, entry in fields(blob(value)) if field == 1]
            return {text(pair.get(1, b"")): _read_any(blob(pair.get(2, b"")), depth + 1) for pair in pairs}
        if number == 6:
            return [_read_any(blob(entry), depth + 1) for field, entry in fields(blob(value)) if field == 1]
    return None
