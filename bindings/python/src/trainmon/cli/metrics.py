# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Which metrics runs have, for messages that say so."""

from __future__ import annotations

from trainmon.cli import common

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LOOKED_AT = 100  # runs that are read for a message
LISTED = 20
NO_METRICS = ("session_id", "epoch", "extra", "created_at")  # columns of an epoch row that are none


def names_of(store: Any, ids: Iterable[str]) -> list[str]:
    """Gives the names that runs logged or have in their epochs, those of most runs first, and none of the machine."""
    import collections

    counts: collections.Counter[str] = collections.Counter()
    for id in list(ids)[:LOOKED_AT]:
        names = set(store.metrics(id))
        for row in store.epochs(id):
            names |= {name for name, value in row.items() if value is not None and name not in NO_METRICS}
            names |= {name for name, value in row["extra"].items() if not isinstance(value, dict)}
        counts.update(name for name in names if not name.startswith("system/"))
    return sorted(counts, key=lambda name: (-counts[name], name))


def listed(names: list[str]) -> str:
    """Gives names as a message lists them."""
    return (", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")) or "none"


def no_metric(wanted: str, names: list[str], who: str) -> common.CommandError:
    """Gives the error that `who` (such as "no run has a") is without a metric, with near matches and what there is."""
    import difflib  # only for a message

    near = difflib.get_close_matches(wanted, names, 3) or [name for name in names if wanted.lower() in name.lower()][:3]
    return common.CommandError(f"{who} metric {wanted!r}", (f"did you mean {' or '.join(near)}?\n" if near else "") + f"there is: {listed(names)}")
