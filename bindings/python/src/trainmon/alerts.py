# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""Alerts of a live run, brought from the library's thread to a Python function."""

from __future__ import annotations

import logging
import weakref

from trainmon._core import ffi, lib
from trainmon._native import to_text
from trainmon.errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

TEXTS = ("session_id", "rule", "type", "severity", "metric", "message")
FIELDS = ("id", "step", "value", "threshold", "time", "recovered")


class _Listener:
    """What hears the alerts of one session. It stays as long as the session, since a call that waits for the GIL may come after another function was named."""

    def __init__(self) -> None:
        self.function: Callable[[dict[str, Any]], None] | None = None
        self.handle = ffi.new_handle(self)


_listeners: Any = weakref.WeakKeyDictionary()  # by session


@ffi.def_extern(error=0)
def trainmon_alert(alert: Any, payload: Any) -> int:
    """What the library calls."""
    function = ffi.from_handle(payload).function
    if function is None:
        return 0
    try:
        function({name: to_text(getattr(alert, name)) for name in TEXTS} | {name: getattr(alert, name) for name in FIELDS})
    except Exception:
        logging.getLogger("trainmon").exception("the function given to on_alert failed")
    return 0


def connect(session: Any, function: Callable[[dict[str, Any]], None] | None) -> Any:
    """Has `function` called for the alerts of a session, None: no more; the result must be kept until the session is freed."""
    listener = _listeners.get(session)
    if listener is None:
        listener = _listeners[session] = _Listener()
    check(lib.tmon_session_on_alert(session, ffi.NULL if function is None else lib.trainmon_alert, listener.handle))
    listener.function = function
    return listener
