# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""The plain part of YAML that tools write their settings in: maps by indentation, lists and scalars.

What is richer stays text; nothing is executed or expanded.
"""

from __future__ import annotations

from trainmon.importers._writer import parse_scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_LINES = 50_000
MAX_DEPTH = 20


def parse_yaml(text: str) -> dict[str, Any]:
    """Gives the map that a text says; what can't be understood is left out. Never raises."""
    root: dict[str, Any] = {}
    levels: list[tuple[int, Any, Any]] = [(-1, root, None)]  # indentation, map, last key
    for line in text.splitlines()[:MAX_LINES]:
        body = line.strip()
        indent = len(line) - len(line.lstrip())
        if not body or body.startswith(("#", "---", "%")):
            continue
        item = body.startswith("- ") or body == "-"
        while len(levels) > 1 and indent < levels[-1][0]:
            levels.pop()
        if item:
            _add_item(levels, _scalar(body[1:].strip()))
            continue
        key, colon, value = _split(body)
        if colon:
            _add_key(levels, indent, str(_scalar(key)), value)
    return root


def _split(body: str) -> tuple[str, str, str]:
    if body[0] in "'\"":
        end = body.find(body[0], 1)
        if end > 0 and body[end + 1:end + 2] == ":":
            return body[:end + 1], ":", body[end + 2:].strip()
    if body.endswith(":"):
        return body[:-1], ":", ""
    key, colon, value = body.partition(": ")
    return key, colon, value.strip()


def _add_key(levels: list[tuple[int, Any, Any]], indent: int, key: str, value: str) -> None:
    above, place, last = levels[-1]
    if indent > above >= 0 and last is not None and len(levels) < MAX_DEPTH:
        below: dict[str, Any] = {}
        place[last] = below
        levels.append((indent, below, None))
    elif above < 0:
        levels.append((indent, place, None))
    _, place, _ = levels[-1]
    place[key] = _scalar(value) if value else None
    levels[-1] = (levels[-1][0], place, None if value else key)


def _add_item(levels: list[tuple[int, Any, Any]], value: Any) -> None:
    _, place, key = levels[-1]
    if key is not None:
        if not isinstance(place.get(key), list):
            place[key] = []
        place[key].append(value)


def _scalar(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
    if text.startswith("[") and text.endswith("]") and not any(mark in text[1:-1] for mark in "[]{}'\""):
        return [_scalar(part.strip()) for part in text[1:-1].split(",") if part.strip()]
    if text == "{}":
        return {}
    return parse_scalar(text)
