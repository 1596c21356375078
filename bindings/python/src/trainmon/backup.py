# SPDX-License-Identifier: MIT
# SPDX-FileCopyrightText: libtrainmon contributors
"""A copy of a store that others go on writing."""

from __future__ import annotations

import os

from trainmon._core import ffi, lib
from trainmon.errors import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from trainmon.store import Store


class _Progress:
    """What the caller wants to hear, and what it raised: an exception can't pass through C."""

    def __init__(self, function: Callable[[int, int], Any]) -> None:
        self.function = function
        self.error: BaseException | None = None


@ffi.def_extern(error=1)
def trainmon_backup(done: int, total: int, payload: Any) -> int:
    """What the library calls."""
    progress = ffi.from_handle(payload)
    try:
        progress.function(done, total)
    except BaseException as error:  # Ctrl-C too: the copy ends, and it is raised where the caller is
        progress.error = error
        return 1
    return 0


def copy_store(store: Store, folder: Any, progress: Callable[[int, int], Any] | None = None) -> None:
    """Copies a store to `folder`, which must not be there or be empty. Writers are not held up.

    `progress` is called on this thread with the bytes done and all of them; what it raises ends the copy and is raised here, and nothing is left at `folder`.
    Of live runs the copy holds all but about the last second, and they are `interrupted` in it. TrainmonError: something is at `folder`, the disk is full.
    """
    teller = None if progress is None else _Progress(progress)
    handle = ffi.NULL if teller is None else ffi.new_handle(teller)
    code = lib.tmon_store_backup(store.opened(), os.fsencode(folder), ffi.NULL if teller is None else lib.trainmon_backup, handle)
    if teller is not None and teller.error is not None:
        raise teller.error
    check(code)
