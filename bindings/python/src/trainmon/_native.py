# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Small helpers between Python values and C ones."""

from __future__ import annotations

import json
import weakref

from trainmon._core import ffi, lib
from trainmon.errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATUSES = ("pending", "running", "completed", "failed", "cancelled", "interrupted")
CONTROLS = ("run", "pause", "stop")


# The texts and arrays that a struct points to live as long as the struct.
_kept: Any = weakref.WeakKeyDictionary()


def new_struct(kind: str, **fields: Any) -> Any:
    """Gives a C options struct with its size set and the fields that are not None; str becomes a C text, a list of str an array of texts (None: NULL)."""
    struct, kept = ffi.new(f"{kind} *"), []
    struct.size = ffi.sizeof(kind)
    for name, value in fields.items():
        if isinstance(value, str):
            kept.append(ffi.new("char[]", to_bytes(value)))
        elif isinstance(value, list):
            kept.append([ffi.NULL if text is None else ffi.new("char[]", to_bytes(text)) for text in value])
            kept.append(ffi.new("const char *[]", kept[-1]))
        elif isinstance(value, ffi.CData):
            kept.append(value)
        elif value is not None:
            setattr(struct, name, value)
            continue
        if value is not None:
            setattr(struct, name, kept[-1])
    if kept:
        _kept[struct] = kept
    return struct


def to_bytes(text: str, size: int | None = None) -> bytes:
    """Gives a text as UTF-8 that C can take: what is no Unicode becomes "?", a zero byte U+FFFD. Cut to `size` bytes, between two characters."""
    data = text.encode("utf-8", "replace").replace(b"\0", b"\xef\xbf\xbd")
    return data if size is None else data[:size].decode("utf-8", "ignore").encode()


def to_text(pointer: Any) -> str | None:
    """Gives a C text as str, NULL as None."""
    return None if pointer == ffi.NULL else ffi.string(pointer).decode("utf-8", "replace")


def json_call(function: Any, *arguments: Any) -> Any:
    """Calls a function that gives JSON text through its first parameter, and parses it. None for TMON_DONE."""
    out = ffi.new("char **")
    if check(function(out, *arguments)) == lib.TMON_DONE:
        return None
    try:
        return json.loads(ffi.string(out[0]))
    finally:
        lib.tmon_text_free(out[0])
