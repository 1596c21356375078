# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What users hand over, made into what the library keeps: numbers, flat names, JSON."""

from __future__ import annotations

import json
import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MAX_DEPTH = 20
MAX_TEXT = 10_000


def flatten(data: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Gives (name, value) of all leaves, names of nested mappings joined by "/"."""
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and depth < MAX_DEPTH:
            yield from flatten(value, f"{name}/", depth + 1)
        else:
            yield name, value


def to_number(value: Any) -> float | None:
    """Gives a number as float: tensors of one element, numpy scalars, Decimal, bool; None for what is no number."""
    if isinstance(value, (str, bytes, bytearray)):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except Exception:  # what foreign types raise in __float__ can be anything
        plain = _plain_number(value)  # numpy gives an array of one element by item() alone
        return float(plain) if isinstance(plain, (bool, int, float)) else None


def _plain_number(value: Any) -> Any:
    item = getattr(value, "item", None)
    if item is None or getattr(value, "size", 1) == 0:
        return None
    try:
        plain = item()
    except Exception:  # more than one element
        return None
    return plain if isinstance(plain, (bool, int, float, str)) else None


def to_plain(value: Any, depth: int = 0) -> Any:  # noqa: PLR0911
    """Gives a value as what JSON can say; what it can't is given as text. NaN and infinities become text too."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if depth >= MAX_DEPTH:
        return str(value)[:MAX_TEXT]
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): to_plain(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(entry, depth + 1) for entry in value]
    plain = _plain_number(value)
    if plain is not None:
        return to_plain(plain, depth + 1)
    if hasattr(value, "__dict__") and type(value).__name__ in ("Namespace", "SimpleNamespace", "IterableSimpleNamespace"):
        return to_plain(vars(value), depth + 1)
    return str(getattr(value, "__name__", value))[:MAX_TEXT]


def to_json(value: Any) -> str:
    """Gives a value as JSON text, by to_plain."""
    return json.dumps(to_plain(value), ensure_ascii=False)
