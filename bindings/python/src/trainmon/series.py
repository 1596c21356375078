# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Points of a metric: all of them, or as exact buckets."""

from __future__ import annotations

from trainmon._core import ffi, lib
from trainmon._native import new_struct
from trainmon.errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BATCH = 65_536
POINT = [("step", "i8"), ("time", "i8"), ("value", "f8")]
FIELDS = ("start", "end", "first_x", "last_x", "count", "nan_count", "inf_count", "first", "last", "min", "max", "sum")


def read_points(store: Any, id: bytes, name: str) -> Any:
    """Reads all points; see Store.points."""
    out = ffi.new("tmon_point_reader **")
    check(lib.tmon_point_reader_open(out, store, id, name.encode()))
    reader, points, count = ffi.gc(out[0], lib.tmon_point_reader_free), ffi.new("tmon_point[]", BATCH), ffi.new("size_t *")
    data = bytearray()  # which numpy takes as it is: the points are in memory once, and the caller may change them
    while check(lib.tmon_point_reader_next(reader, points, BATCH, count)) != lib.TMON_DONE:
        data += ffi.buffer(points, count[0] * ffi.sizeof("tmon_point"))
    return _as_array(data, POINT)


def _as_array(data: bytes | bytearray, fields: list[tuple[str, str]]) -> Any:
    try:
        import numpy  # only where it is there
    except ImportError:
        import struct

        return list(struct.iter_unpack("".join("d" if kind == "f8" else "q" for _, kind in fields), data))
    return numpy.frombuffer(data, dtype=fields)


class Series:
    """The answer to one query: exact buckets in ascending order. Iterates over dicts; `series.array()` gives columns."""

    def __init__(self, store: Any, id: bytes, name: str, *, width: int, axis: str, start: int | None, end: int | None) -> None:
        """Queries; see Store.series."""
        if axis not in ("step", "time"):
            raise ValueError(f'axis is {axis!r}, expected "step" or "time"')
        bounded = start is not None or end is not None
        options = new_struct("tmon_series_options", width=width, axis=("step", "time").index(axis), bounded=bounded)
        if bounded:
            setattr(options, "from", -(2**63) if start is None else start)
            options.to = 2**63 - 1 if end is None else end
        out, count = ffi.new("tmon_series **"), ffi.new("size_t *")
        check(lib.tmon_series_query(out, store, id, name.encode(), options))
        self._series = ffi.gc(out[0], lib.tmon_series_free)
        self._buckets = lib.tmon_series_buckets(self._series, count)
        self._count = int(count[0])
        self.name = name
        self.bucket_width = int(lib.tmon_series_bucket_width(self._series))

    def __len__(self) -> int:
        """Counts the buckets."""
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Gives each bucket as a dict (docs/reference/api.md, tmon_bucket)."""
        for index in range(self._count):
            bucket = self._buckets[index]
            yield {name: getattr(bucket, name) for name in FIELDS}

    def array(self) -> Any:
        """Gives the buckets as a numpy array with a field for each figure; without numpy a list of tuples."""
        kinds = ["i8", "i8", "i8", "i8", "u8", "u8", "u8", "f8", "f8", "f8", "f8", "f8"]
        data = bytearray(ffi.buffer(self._buckets, self._count * ffi.sizeof("tmon_bucket"))) if self._count else bytearray()
        return _as_array(data, list(zip(FIELDS, kinds, strict=True)))
