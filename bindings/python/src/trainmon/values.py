# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""What users hand over, made into what the library keeps: numbers, flat names, JSON."""

from __future__ import annotations

import itertools
import json
import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

MAX_DEPTH = 20
MAX_TEXT = 10_000
MAX_NODES = 100_000
MIN_WHOLE, MAX_WHOLE = -(2**63), 2**63 - 1


def flatten(data: Mapping[Any, Any], prefix: str = "", above: tuple[Any, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Gives (name, value) of all leaves, names of nested mappings joined by "/". A mapping inside itself, or too deep, is a leaf."""
    above = (*above, id(data))
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and len(above) <= MAX_DEPTH and id(value) not in above:
            yield from flatten(value, f"{name}/", above)
        else:
            yield name, value


def is_complex(value: Any) -> bool:
    """True for a complex scalar or array of numpy, of which float() gives the real part, with a warning of numpy's own; others raise there."""
    return getattr(getattr(value, "dtype", None), "kind", "") == "c"


def to_number(value: Any) -> float | None:
    """Gives a number as float: tensors of one element, numpy scalars, Decimal, bool; None for what is no number, or a complex one."""
    if isinstance(value, (str, bytes, bytearray)):
        return None
    try:
        if is_complex(value):
            return None
        if getattr(value, "requires_grad", False):  # of torch, which warns of a number that gradients hang on
            value = value.detach()
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    except Exception:  # what foreign types raise in __float__ can be anything
        plain = _plain_number(value)  # numpy gives an array of one element by item() alone
        return float(plain) if isinstance(plain, (bool, int, float)) else None


def to_whole(name: str, value: Any) -> tuple[int, bool]:
    """Gives an integer of 64 bits, the next one towards 0 or the last one, and whether it is what `value` says. ValueError: the argument `name` is none."""
    try:
        whole = int(value)
    except Exception:  # what foreign types raise can be anything
        raise ValueError(f"{name} is {shown(value)}, expected an integer") from None
    kept = max(MIN_WHOLE, min(whole, MAX_WHOLE))
    number = to_number(value)
    return kept, kept == whole and (number is None or number == float(whole))


def _plain_number(value: Any) -> Any:
    item = getattr(value, "item", None)
    if item is None or getattr(value, "size", 1) == 0:
        return None
    try:
        plain = item()
    except Exception:  # more than one element
        return None
    return plain if isinstance(plain, (bool, int, float, str)) else None


def to_plain(value: Any) -> Any:
    """Gives a value as what JSON can say; what it can't is given as text. NaN and infinities become text too, what is too much "...". Never raises."""
    return _plain(value, (), iter(range(MAX_NODES)))


def _plain(value: Any, above: tuple[int, ...], left: Iterator[int]) -> Any:
    try:
        return _plain_unguarded(value, above, left)
    except Exception:  # what a foreign object does when it is looked at
        return f"<{type(value).__name__}>"


def _plain_unguarded(value: Any, above: tuple[int, ...], left: Iterator[int]) -> Any:  # noqa: PLR0911
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() < 64 else str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return clean(value)
    mapping = hasattr(value, "items") and not isinstance(value, type)
    if hasattr(value, "__dict__") and type(value).__name__ in ("Namespace", "SimpleNamespace", "IterableSimpleNamespace"):
        value, mapping = vars(value), True
    if mapping or isinstance(value, (list, tuple, set, frozenset)):
        if len(above) >= MAX_DEPTH or id(value) in above or next(left, None) is None:
            return "..."
        above = (*above, id(value))
        if mapping:
            return {clean(str(key)): _plain(entry, above, left) for key, entry in value.items() if next(left, None) is not None}
        return [_plain(entry, above, left) for entry in value if next(left, None) is not None]
    plain = _plain_number(value)
    return clean(str(getattr(value, "__name__", value))) if plain is None else _plain(plain, above, left)


def clean(text: str) -> str:
    """Gives a text as the library takes it: not too long, without zero bytes."""
    return text[:MAX_TEXT].replace("\0", "\ufffd")


def long_text(settings: Mapping[str, Any]) -> str | None:
    """Gives the name of the first text, itself or in a list, that clean cuts; None: it cuts none."""
    for name, value in itertools.islice(flatten(settings), MAX_NODES):
        if any(isinstance(text, str) and len(text) > MAX_TEXT for text in (value if isinstance(value, (list, tuple)) else (value,))):
            return name
    return None


def shown(value: Any, length: int = 80) -> str:
    """Shows a value in a message, whatever its repr does."""
    try:
        return f"{value!r:.{length}}"
    except Exception:
        return f"<{type(value).__name__}>"


def to_json(value: Any) -> str:
    """Gives a value as JSON text that UTF-8 can say, by to_plain; bytes of file names that are no UTF-8 become "?"."""
    return json.dumps(to_plain(value), ensure_ascii=False).encode("utf-8", "replace").decode()
