# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Points of many metrics in one pandas DataFrame, made of whole arrays."""

from __future__ import annotations

import numpy
import pandas

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def make_frame(columns: dict[Any, Any], axis: str) -> Any:
    """Makes a frame of arrays of points, as Store.points gives them, over the union of their steps or times; see Store.dataframe."""
    places = [points[axis] for points in columns.values()]
    index = _union(places)
    data = {}
    for (key, points), place in zip(columns.items(), places, strict=True):
        column = numpy.full(len(index), numpy.nan)
        column[numpy.searchsorted(index, place)] = points["value"]  # of repeated places the last is kept: numpy says so
        data[key] = column
    frame = pandas.DataFrame(data, index=pandas.to_datetime(index, unit="us", utc=True) if axis == "time" else index, copy=False)
    frame.index.name = axis
    if columns and isinstance(next(iter(columns)), tuple):
        frame.columns = pandas.MultiIndex.from_tuples(list(columns), names=["run", "metric"])
    return frame


def _union(places: list[Any]) -> Any:
    """Gives all places once, ascending. Metrics that are logged together have the same ones in order already, and sorting would be the slow part."""
    if not places:
        return numpy.empty(0, "int64")
    first = places[0]
    if all(len(place) == len(first) and numpy.array_equal(place, first) for place in places[1:]) and bool((first[1:] > first[:-1]).all()):
        return numpy.ascontiguousarray(first)
    return numpy.unique(numpy.concatenate(places))
