# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The little of protobuf's wire format that importers need: fields of a message as numbers and bytes. Whatever is wrong is a ValueError."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FLOAT, DOUBLE = struct.Struct("<f"), struct.Struct("<d")
SIZES = {1: 8, 5: 4}


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Gives (number, value) of each field: an int for varints, bytes for all others. ValueError: the message is damaged."""
    at, end = 0, len(data)
    while at < end:
        tag = data[at]
        at += 1
        if tag > 127:
            tag, at = varint(data, at - 1)
        wire, number = tag & 7, tag >> 3
        if wire in (0, 2):
            value = data[at] if at < end else 128
            if value < 128:  # most are of one byte
                at += 1
            else:
                value, at = varint(data, at)
            if wire == 0:
                yield number, value
                continue
            size = value
        elif wire in SIZES:
            size = SIZES[wire]
        else:
            raise ValueError(f"wire type {wire} is not known")
        if size > end - at:
            raise ValueError(f"a field of {size} bytes is longer than its message")
        yield number, data[at:at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """Reads a varint of at most 64 bits; gives it and the place after it."""
    value = shift = 0
    for place in range(at, min(at + 10, len(data))):
        byte = data[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
        shift += 7
    raise ValueError("a number is damaged")


def signed(value: Any) -> int:
    """Gives a varint as the int64 that it means."""
    value = integer(value)
    return value - 2**64 if value >= 2**63 else value


def integer(value: Any) -> int:
    """Gives a field that is to be a varint."""
    if not isinstance(value, int):
        raise ValueError("a field is no integer")
    return value


def blob(value: Any) -> bytes:
    """Gives a field that is to have bytes."""
    if not isinstance(value, bytes):
        raise ValueError("a field has no bytes")
    return value


def text(value: Any) -> str:
    """Gives a field that is to have text; what is no UTF-8 is replaced."""
    return blob(value).decode("utf-8", "replace")


def real(value: Any) -> float:
    """Gives a field of 4 or 8 bytes as float."""
    data = blob(value)
    if len(data) not in (4, 8):
        raise ValueError("a field is no real number")
    return float((FLOAT if len(data) == 4 else DOUBLE).unpack(data)[0])


def seconds(value: Any) -> float:
    """Gives a google.protobuf.Timestamp as seconds since 1970."""
    parts = dict(fields(blob(value)))
    return signed(parts.get(1, 0)) + signed(parts.get(2, 0)) / 1e9
