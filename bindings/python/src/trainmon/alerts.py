# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Alerts of a live run, brought from the library's thread to a Python function."""

from __future__ import annotations

import logging

from trainmon._core import ffi, lib
from trainmon._native import to_text
from trainmon.errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TEXTS = ("session_id", "rule", "type", "severity", "metric", "message")
FIELDS = ("id", "step", "value", "threshold", "time", "recovered")


@ffi.def_extern(error=0)
def trainmon_alert(alert: Any, payload: Any) -> int:
    """What the library calls."""
    function = ffi.from_handle(payload)
    try:
        function({name: to_text(getattr(alert, name)) for name in TEXTS} | {name: getattr(alert, name) for name in FIELDS})
    except Exception:
        logging.getLogger("trainmon").exception("the function given to on_alert failed")
    return 0


def connect(session: Any, function: Callable[[dict[str, Any]], None] | None) -> Any:
    """Has `function` called for the alerts of a session; the result must be kept as long as the session."""
    if function is None:
        check(lib.tmon_session_on_alert(session, ffi.NULL, ffi.NULL))
        return None
    handle = ffi.new_handle(function)
    check(lib.tmon_session_on_alert(session, lib.trainmon_alert, handle))
    return handle
